//! How a test shell ends that does not say so.

use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::{PLAIN, RESULTS, SIGNALS, job, total, vouched};
use crate::dispatch::action::Action;
use crate::dispatch::actions::test::shell::TestShell;
use crate::dispatch::connection::ScriptHandle;
use crate::dispatch::error::Error;
use crate::dispatch::pipeline::{Pipeline, Step};

/// Runs the test shell at a board that says something, has kept so many signals, and then is at its prompt,
/// or at work.
async fn run(
    said: String,
    known: usize,
    prompt: Option<&'static str>,
) -> (Vec<String>, Result<(), Error>, Duration) {
    let dir = tempfile::tempdir().unwrap();
    let (mut context, board) = job(dir.path(), PLAIN);
    context.shared().prompts = vec!["board# ".into()];
    let begin = Instant::now();
    let (done, ()) = tokio::join!(
        async {
            let done = TestShell { stage: 0, multinode: false }.run(&mut context).await;
            let results = context.results.all().iter();
            let results =
                results.map(|case| format!("{} {} {}", case.definition, case.case, case.result));
            let results = results.collect();
            drop(context);
            (results, done)
        },
        play(board, said, known, prompt)
    );
    (done.0, done.1, begin.elapsed())
}

async fn play(mut board: ScriptHandle, said: String, known: usize, prompt: Option<&'static str>) {
    let all = vouched(&SIGNALS);
    board.line().await.unwrap();
    board.say(&total(0)).await;
    board.say(&said).await;
    while let Some(line) = board.line().await {
        if let Some(numbers) = line.strip_prefix("/lava-1/bin/lava-signals-again /lava-1/0") {
            board.say("\r\n").await;
            for number in numbers.split_whitespace() {
                board.say(&all[number.parse::<usize>().unwrap() - 1]).await;
            }
            board.say(&total(known as u64)).await;
        }
        board.say("\r\n").await;
        if let Some(prompt) = prompt {
            board.say(prompt).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_was_killed_is_not_waited_for() {
    let all = vouched(&SIGNALS);
    let said = format!("{}Killed\r\nboard# ", all[..3].concat());
    let (results, done, took) = run(said, 3, Some("board# ")).await;
    let why = done.unwrap_err().to_string();
    assert!(why.contains("the test runner is gone: the shell's prompt \"board#\""), "{why}");
    assert!(results.contains(&"0_t a pass".to_owned()), "{results:?}");
    assert!(took < Duration::from_secs(60), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_last_line_that_is_lost_costs_seconds_and_no_result() {
    let all = vouched(&SIGNALS);
    let damaged = total(6).replace("TOTAL", "TOTL") + "<LAVA_TEST_RUNNER EX T>\r\nboard# ";
    let (results, done, took) = run(all.concat() + &damaged, 6, Some("board# ")).await;
    assert_eq!(done, Ok(()));
    let wanted: Vec<String> = RESULTS.map(|result| result.replace("s/", "")).into();
    assert_eq!(results, wanted);
    assert!(took < Duration::from_secs(60), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_only_like_a_prompt_ends_nothing() {
    let all = vouched(&SIGNALS);
    let said = format!("{}# all about the board# ", all[..3].concat());
    let (results, done, took) = run(said, 3, None).await;
    assert!(matches!(&done, Err(Error::Timeout { .. })), "{done:?}");
    assert_eq!(took, Duration::from_secs(300));
    // What had been said counts.
    assert_eq!(results, ["0_t a pass", "lava 0_t fail"]);
}

/// The end of a job without a board.
struct NoEnd;

impl Action for NoEnd {
    fn name(&self) -> &'static str {
        "finalize"
    }
}

fn step(level: &str, action: Box<dyn Action>) -> Step {
    Step {
        level: level.into(),
        action,
        tries: 1,
        repeat: false,
        timeout: 60,
        connection_timeout: None,
        namespace: "common".into(),
        connection_namespace: "common".into(),
        requests: Vec::new(),
        skip: false,
        retry_interval: 0,
        undone: Vec::new(),
        steps: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_damaged_signal_counts_when_the_job_is_cancelled() {
    let dir = tempfile::tempdir().unwrap();
    let (mut context, mut board) = job(dir.path(), PLAIN);
    let mut said = vouched(&SIGNALS);
    said[1] = said[1].replace("START s", "STRT s");
    let shell = TestShell { stage: 0, multinode: false };
    let steps = vec![step("1", Box::new(shell))];
    let pipeline = Pipeline { steps, finalize: step("2", Box::new(NoEnd)) };
    let cancelled = CancellationToken::new();
    let board = async {
        board.line().await.unwrap();
        board.say(&total(0)).await;
        // All but the end of the run.
        board.say(&said[..5].concat()).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        cancelled.cancel();
    };
    let (done, ()) =
        tokio::join!(crate::dispatch::run::run(&pipeline, &mut context, &cancelled), board);
    assert_eq!(done, Err(Error::Cancelled));
    let results = context.results.all().iter();
    let results = results.map(|case| format!("{} {} {}", case.definition, case.case, case.result));
    let results: Vec<String> = results.collect();
    let wanted = ["0_t a pass", "0_t b fail", "lava 0_t fail", "lava lava-test-shell fail"];
    assert_eq!(results[..4], wanted);
}
