//! How a test shell ends that does not say so.

use super::{PLAIN, RESULTS, SIGNALS, job, total, vouched};
use crate::dispatch::action::Action as _;
use crate::dispatch::actions::test::shell::TestShell;
use crate::dispatch::connection::ScriptHandle;
use crate::dispatch::error::Error;
use tokio::time::{Duration, Instant};

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
