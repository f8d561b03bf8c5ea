//! Interactive tests with a board in memory.

use super::{PLAIN, job};
use crate::config::{At, Problems, Table};
use crate::dispatch::action::Action as _;
use crate::dispatch::actions::test::interactive::TestInteractive;
use crate::dispatch::connection::Incoming;
use crate::dispatch::error::Error;
use crate::dispatch::job::Interactive;

const DIALOGUE: &str = "{name: network, prompts: ['=> '], echo: discard, script: [
{command: null},
{command: dhcp, name: dhcp, successes: [{message: DHCP client bound}],
 failures: [{message: TIMEOUT, exception: InfrastructureError, error: dhcp failed}]},
{command: 'setenv serverip {SERVER_IP}', name: setenv},
{command: boot, name: boot, successes: [{message: Starting kernel}]}]}";

type Told = (Vec<String>, Result<(), Error>, Vec<String>);

/// Has the dialogue with a board that gives these answers. Gives the results and how it ended, and
/// what was typed.
async fn dialogue(answers: &[&str]) -> Told {
    dialogue_of(DIALOGUE, answers).await
}

async fn dialogue_of(dialogue: &str, answers: &[&str]) -> Told {
    let dir = tempfile::tempdir().unwrap();
    let (mut context, mut board) = job(dir.path(), PLAIN);
    let dialogues = read(dialogue).unwrap();
    let board = async {
        let mut typed = Vec::new();
        board.say("\r\n=> ").await;
        for answer in answers {
            let Some(line) = board.line().await else { break };
            board.say(&format!("{line}\r\n{answer}")).await;
            typed.push(line);
        }
        typed
    };
    let job = async {
        let done = TestInteractive { stage: 2, dialogues }.run(&mut context).await;
        let results = context.results.all().iter();
        let results =
            results.map(|case| format!("{} {} {}", case.definition, case.case, case.result));
        (results.collect(), done)
    };
    let ((results, done), typed) = tokio::join!(job, board);
    (results, done, typed)
}

fn read(dialogue: &str) -> Result<Vec<Interactive>, String> {
    let problems = Problems::default();
    let at = At::top("job.yaml", &problems);
    let block = crate::yaml::parse(&format!("{{interactive: [{dialogue}]}}"), &at).unwrap();
    let table = Table::new(&block, at.clone()).unwrap();
    let dialogues = Some(Interactive::read_all(&table));
    problems.check(dialogues).map_err(|failure| failure.to_string())
}

#[tokio::test(start_paused = true)]
async fn a_dialogue_types_one_command_after_the_other_and_reports_those_with_a_name() {
    let answers =
        ["DHCP client bound to address 10.0.0.9\r\n=> ", "=> ", "Starting kernel ...\r\n"];
    let (results, done, typed) = dialogue(&answers).await;
    let wanted = [
        "2_network dhcp pass",
        "2_network setenv pass",
        "2_network boot pass",
        "lava 2_network pass",
    ];
    assert_eq!(results, wanted);
    assert_eq!(
        (done, typed),
        (Ok(()), ["dhcp", "setenv serverip 127.0.0.1", "boot"].map(Into::into).into())
    );
}

#[tokio::test(start_paused = true)]
async fn a_prompt_instead_of_the_success_is_a_failure_and_an_exception_ends_the_job() {
    let (results, done, _) =
        dialogue(&["unknown command\r\n=> ", "=> ", "Starting kernel\r\n"]).await;
    assert_eq!(results[..2], ["2_network dhcp fail", "2_network setenv pass"]);
    assert_eq!(done, Ok(()));
    let (results, done, _) = dialogue(&["TIMEOUT\r\n=> "]).await;
    assert_eq!(results, ["2_network dhcp fail", "lava 2_network fail"]);
    assert_eq!(done, Err(Error::Infrastructure("dhcp failed".into())));
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_no_case_must_not_fail() {
    const UNNAMED: &str = "{name: net, prompts: ['=> '], echo: discard, script: [
{command: dhcp, successes: [{message: bound}], failures: [{message: 'no lease'}]},
{command: never, name: never}], expected: [never]}";
    for answer in ["nothing\r\n=> ", "no lease\r\n=> "] {
        let (results, done, typed) = dialogue_of(UNNAMED, &[answer]).await;
        assert_eq!(done, Err(Error::Test("net: \"dhcp\" failed".into())), "{answer:?}");
        assert_eq!(results, ["lava 2_net fail", "2_net never fail"], "{answer:?}");
        assert_eq!(typed, ["dhcp"], "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn scripts_wait_learn_what_they_match_and_know_their_job() {
    const LEARNING: &str =
        "{name: net, prompts: ['=> '], echo: discard, expected: [ping], script: [
{delay: 90},
{command: dhcp, successes: [{message: 'bound to (?P<ADDRESS>[0-9.]+)'}]},
{command: 'ping {ADDRESS} {JOB_ID} {NOBODY} ${kernel}', name: ping},
{command: boot, name: boot, wait_for_prompt: false, successes: [{message: Starting}]},
{command: late}]}";
    let answers = ["bound to 10.0.0.9\r\n=> ", "=> ", "Starting\r\n", "=> "];
    let begin = tokio::time::Instant::now();
    let (results, done, typed) = dialogue_of(LEARNING, &answers).await;
    assert_eq!(done, Ok(()));
    assert_eq!(typed, ["dhcp", "ping 10.0.0.9 1 {NOBODY} ${kernel}", "boot", "late"]);
    assert_eq!(results, ["2_net ping pass", "2_net boot fail", "lava 2_net pass"]);
    assert!(begin.elapsed() >= std::time::Duration::from_secs(90));
}

#[tokio::test(start_paused = true)]
async fn a_script_that_asks_a_group_needs_one() {
    const ASKING: &str = "{name: net, prompts: ['=> '], script: [{lava-wait: up}]}";
    let (results, done, _) = dialogue_of(ASKING, &[]).await;
    assert!(matches!(&done, Err(Error::Configuration(why)) if why.contains("runs without one")));
    assert_eq!(results, ["lava 2_net fail"]);
    let wrong = "{name: net, prompts: ['=> '], script: [{lava-sync: ''}, {lava-wate: up}]}";
    let told = read(wrong).unwrap_err();
    assert!(told.contains("it names the message") && told.contains("lava-wait"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn how_long_an_answer_takes_is_told_by_the_consoles_own_clock() {
    let dir = tempfile::tempdir().unwrap();
    let (mut context, mut board) = job(dir.path(), PLAIN);
    let script = "[{command: dhcp, name: dhcp, successes: [{message: bound}]}]";
    let dialogues = read(&format!("{{name: net, prompts: ['=> '], script: {script}}}")).unwrap();
    let board = async {
        let says = board.says.clone();
        let say = async |offset, time_us, text: &'static str| {
            let bytes = bytes::Bytes::from_static(text.as_bytes());
            says.send(Incoming::Bytes { offset: Some(offset), time_us, bytes }).await.unwrap();
        };
        assert_eq!(board.line().await.as_deref(), Some("dhcp"));
        say(3, 9_000_000, "dhcp\r\n").await;
        // The dispatcher hears of it much later.
        tokio::time::sleep(std::time::Duration::from_secs(40)).await;
        say(9, 10_500_000, "bound\r\n=> ").await;
        board
    };
    let test = TestInteractive { stage: 2, dialogues };
    let (done, _board) = tokio::join!(test.run(&mut context), board);
    assert_eq!(done, Ok(()));
    let case = context.results.all().iter().find(|case| case.case == "dhcp").unwrap();
    assert_eq!(case.duration, Some(1.5));
    assert_eq!((case.start_offset, case.end_offset), (Some(3), Some(9)));
}
