use std::sync::Arc;

use super::*;
use crate::dispatch::connection::{Script, ScriptHandle};
use crate::dispatch::progress::Silent;
use crate::dispatch::watch::Stage;

pub(super) fn session() -> (Session, ScriptHandle, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::create(&dir.path().join("log"), &[], Arc::new(Silent)).unwrap();
    let (script, handle) = Script::new();
    (Session::new(Box::new(script), log), handle, dir)
}

fn wait(seconds: u64) -> Wait {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    Wait { deadline, ..Wait::of("login-action") }
}

#[tokio::test(start_paused = true)]
async fn a_time_out_tells_what_was_waited_for_and_what_was_seen() {
    let (mut session, mut board, _dir) = session();
    board.say("Starting kernel ...\r\n\r\n").await;
    let login = Patterns::new(["login:"]).unwrap();
    let error = session.expect(&login, &wait(120)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "login-action timed out after 120 s waiting for \"login:\"; \
         the board's last line: \"Starting kernel ...\""
    );
}

#[tokio::test(start_paused = true)]
async fn typing_waits_while_somebody_else_has_the_console() {
    let (mut session, mut board, _dir) = session();
    board.says.send(Incoming::Forced { by: "alice".into() }).await.unwrap();
    let prompt = Patterns::new(["=> "]).unwrap();
    board.say("=> ").await;
    session.expect(&prompt, &wait(1)).await.unwrap();
    let typing = session.send_line("boot", Duration::ZERO);
    let soon = timeout(Duration::from_secs(60), typing).await;
    assert!(soon.is_err(), "it typed although alice has the console");
    board.says.send(Incoming::Released).await.unwrap();
    session.send_line("boot", Duration::ZERO).await.unwrap();
    assert_eq!(board.line().await.as_deref(), Some("boot"));
}

#[tokio::test(start_paused = true)]
async fn a_port_that_does_not_come_back_is_a_dead_console_long_before_the_time_limit() {
    let (mut session, board, _dir) = session();
    let reason = "EOF".to_owned();
    board.says.send(Incoming::PortLost { reason }).await.unwrap();
    let login = Patterns::new(["login:"]).unwrap();
    let begin = Instant::now();
    let error = session.expect(&login, &wait(600)).await.unwrap_err();
    assert!(matches!(&error, Error::Infrastructure(what) if what.contains("EOF")), "{error}");
    assert_eq!(begin.elapsed(), PORT_GRACE);
}

#[tokio::test(start_paused = true)]
async fn who_goes_on_after_a_dead_console_gives_its_port_that_time_again() {
    let (mut session, mut board, _dir) = session();
    board.says.send(Incoming::PortLost { reason: "EOF".into() }).await.unwrap();
    let hour = Duration::from_secs(3600);
    assert!(session.drain(hour, hour).await.is_err());
    tokio::time::sleep(hour).await;
    // The next try: its power cycle brings the port back after a while.
    session.drain(Duration::from_millis(20), Duration::from_millis(100)).await.unwrap();
    board.says.send(Incoming::PortOpen).await.unwrap();
    board.say("login:").await;
    login(&mut session).await.unwrap();
    assert!(!session.is_lost());
}

#[tokio::test(start_paused = true)]
async fn a_time_out_tells_who_has_the_console() {
    let (mut session, board, _dir) = session();
    board.says.send(Incoming::Forced { by: "alice".into() }).await.unwrap();
    let said = login(&mut session).await.unwrap_err().to_string();
    assert!(said.contains("; alice has the console, so the job could not type; "), "{said}");
}

/// A session whose board was reset and is told to go on by itself.
fn booting() -> (Session, ScriptHandle, tempfile::TempDir) {
    let (mut session, board, dir) = session();
    session.watch().reset();
    (session, board, dir)
}

async fn login(session: &mut Session) -> Result<Found, Error> {
    let login = Patterns::new(["login:"]).unwrap();
    session.expect(&login, &wait(120)).await
}

const LINUX: &str = "\r\nStarting kernel ...\r\n\r\n[    0.000000] Linux version 6.1.0\r\n";
const PANIC: &str = "[    1.2] Kernel panic - not syncing: No working init found.\r\n";
const END: &str = "[    1.2] ---[ end Kernel panic - not syncing: No working init found. ]---\r\n";

#[tokio::test(start_paused = true)]
async fn a_panic_ends_a_wait_within_a_second_and_tells_what_was_seen_and_expected() {
    let (mut session, mut board, _dir) = booting();
    board.say(LINUX).await;
    board.say(PANIC).await;
    board.say("[    1.3] CPU: 0 PID: 1 Comm: swapper/0 Not tainted\r\n").await;
    let begin = Instant::now();
    let error = login(&mut session).await.unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    assert_eq!(error.class(), "Job");
    let offset = LINUX.len();
    assert_eq!(
        error.to_string(),
        format!(
            "the kernel panicked at offset {offset}: {PANIC:?} while login-action waited for \"login:\"; \
             the last lines: \"Starting kernel ...\", \"[    0.000000] Linux version 6.1.0\", {PANIC:?}, \
             \"[    1.3] CPU: 0 PID: 1 Comm: swapper/0 Not tainted\"",
            PANIC = PANIC.trim()
        )
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_that_floods_the_console_is_not_waited_out() {
    let (mut session, mut board, _dir) = booting();
    board.say(&format!("{LINUX}{PANIC}")).await;
    let begin = Instant::now();
    let flood = async {
        loop {
            board.say("[    1.4] nothing but noise\r\n").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let error = tokio::select! {
        found = login(&mut session) => found.unwrap_err(),
        () = flood => unreachable!(),
    };
    assert!(error.to_string().starts_with("the kernel panicked"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_came_before_a_panic_counts_and_the_panic_ends_the_next_wait() {
    let (mut session, mut board, _dir) = booting();
    board.say(&format!("{LINUX}board login: \r\n{PANIC}")).await;
    assert!(login(&mut session).await.is_ok());
    assert!(matches!(login(&mut session).await, Err(Error::Dead(_))));
}

#[tokio::test(start_paused = true)]
async fn a_system_may_print_the_panic_of_a_boot_before() {
    let (mut session, mut board, _dir) = booting();
    session.watch().enter(Stage::System);
    board.say(PANIC).await;
    board.say("board login:").await;
    assert!(login(&mut session).await.is_ok());
    board.say(&format!("{PANIC}[    1.2] CPU: 0 PID: 1\r\n{END}")).await;
    let begin = Instant::now();
    assert!(matches!(login(&mut session).await, Err(Error::Dead(_))));
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}

/// A system that runs, waited for while it says this; what `answers` gives is said to each line end that is
/// typed, after it has come.
async fn at_work(said: &str, answers: &[&str]) -> (Result<Found, Error>, Duration, usize) {
    let (mut session, mut board, _dir) = booting();
    session.watch().enter(Stage::System);
    let begin = Instant::now();
    board.say(said).await;
    let mut typed = 0;
    let answering = async {
        while let Some(line) = board.line().await {
            assert_eq!(line, "");
            if let Some(answer) = answers.get(typed.min(answers.len().saturating_sub(1))) {
                board.say(answer).await;
            }
            typed += 1;
        }
    };
    let found = tokio::select! {
        found = login(&mut session) => found,
        () = answering => unreachable!("the session is still there"),
    };
    (found, begin.elapsed(), typed)
}

#[tokio::test(start_paused = true)]
async fn a_board_that_prints_an_old_panic_and_goes_to_work_lives() {
    // As from its console-ramoops; the step after it says nothing for a minute.
    let log = format!("+ cat console-ramoops-0\r\n{LINUX}{PANIC}[    1.2] CPU: 0\r\n{END}");
    let (done, took, typed) = at_work(&log, &["\r\n"]).await;
    assert!(matches!(&done, Err(Error::Timeout { .. })), "{done:?}");
    assert_eq!((took.as_secs(), typed), (120, 1));
    // It may print meanwhile what is no kernel's line.
    let (done, ..) = at_work(&log, &["still at work\r\n\r\n"]).await;
    assert!(matches!(&done, Err(Error::Timeout { .. })), "{done:?}");
}

#[tokio::test(start_paused = true)]
async fn a_board_that_has_a_boot_loader_print_within_it_lives() {
    for said in
        ["SeaBIOS (version 1.16)\r\nBooting from ROM..\r\n", "U-Boot 2023.01 (Jan 01 2023)\r\n"]
    {
        let (done, ..) = at_work(said, &["\r\n"]).await;
        assert!(matches!(&done, Err(Error::Timeout { .. })), "{said:?}: {done:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_board_that_has_rebooted_waits_in_its_boot_loader_or_says_nothing() {
    let boot = "\r\nU-Boot 2023.01 (x)\r\nHit any key to stop autoboot:  2 ";
    for answers in [&["\x08\x08\x08 0 \r\n=> ", "\r\n=> "][..], &[][..]] {
        let (done, took, _) = at_work(boot, answers).await;
        let told = done.unwrap_err().to_string();
        assert!(told.starts_with("the board rebooted by itself at offset 2: \"U-Boot"), "{told}");
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
    // A panic on the way, and a watchdog.
    let (done, ..) = at_work(&format!("{PANIC}{boot}"), &["\r\n=> "]).await;
    assert!(matches!(&done, Err(Error::Dead(_))), "{done:?}");
}

#[tokio::test(start_paused = true)]
async fn a_kernel_that_says_nothing_is_not_waited_for_to_the_end() {
    let (mut session, mut board, _dir) = booting();
    session.watch().enter(Stage::Loader);
    board.say("=> setenv bootargs console=ttyAMA0\r\n=> booti\r\n").await;
    board.say("\r\nStarting kernel ...\r\n\r\n").await;
    let begin = Instant::now();
    let error = login(&mut session).await.unwrap_err();
    assert_eq!(begin.elapsed().as_secs(), 30);
    let told = error.to_string();
    assert!(
        told.starts_with("the kernel says nothing: 30 s of silence after \"Starting kernel ...\""),
        "{told}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_kernel_that_was_told_to_be_quiet_has_all_of_its_time() {
    let (mut session, mut board, _dir) = booting();
    session.watch().enter(Stage::Loader);
    board.say("=> setenv bootargs 'console=ttyAMA0 quiet'\r\n").await;
    board.say("=> booti\r\nStarting kernel ...\r\n\r\n").await;
    assert!(matches!(login(&mut session).await, Err(Error::Timeout(over)) if over.seconds == 120));
}

#[tokio::test(start_paused = true)]
async fn a_kernel_of_which_nobody_has_seen_what_it_was_told_has_all_of_its_time() {
    for said in ["=> run bootcmd\r\n", "=> setenv bootargs ${args} console=ttyS0\r\n"] {
        let (mut session, mut board, dir) = booting();
        session.watch().enter(Stage::Loader);
        board.say(&format!("{said}EFI stub: Exiting boot services...\r\n")).await;
        let done = login(&mut session).await;
        assert!(matches!(&done, Err(Error::Timeout(over)) if over.seconds == 120), "{done:?}");
        let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
        assert_eq!(log.matches("the kernel says nothing: 30 s").count(), 1, "{log}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_job_types_counts_also_on_a_board_that_does_not_echo() {
    let (mut session, mut board, _dir) = booting();
    session.watch().enter(Stage::Loader);
    session.send_line("setenv bootargs console=ttyAMA0 loglevel=8", Duration::ZERO).await.unwrap();
    board.say("Starting kernel ...\r\n\r\n").await;
    assert!(matches!(login(&mut session).await, Err(Error::Dead(_))));
}

#[tokio::test(start_paused = true)]
async fn a_board_whose_silences_are_none_has_all_of_its_time() {
    for prompt in ["=> setenv bootargs console=ttyS0\r\nStarting kernel ...\r\n", "board login: "] {
        let (mut session, mut board, _dir) = booting();
        session.set_silences(Silences { kernel: None, prompt: None, login: None });
        session.watch().enter(Stage::Loader);
        board.say(prompt).await;
        let shell = Patterns::new(["board# "]).unwrap();
        let done = session.expect(&shell, &wait(120)).await;
        assert!(matches!(&done, Err(Error::Timeout(over)) if over.seconds == 120), "{done:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_board_that_stands_at_another_prompt_is_not_waited_for_to_the_end() {
    for (prompt, seconds) in [("debian login: ", 30), ("/ # \x1b[6n", 10), ("=> ", 10)] {
        let (mut session, mut board, _dir) = booting();
        board.say(&format!("{LINUX}{prompt}")).await;
        let begin = Instant::now();
        let shell = Patterns::new(["board# "]).unwrap();
        let error = session.expect(&shell, &wait(120)).await.unwrap_err();
        assert_eq!(begin.elapsed().as_secs(), seconds, "{error}");
        assert_eq!(error.class(), "Job");
        let prompt = prompt.trim_end_matches("\x1b[6n").trim_end();
        let told = format!(
            "the board stands at {prompt:?} and says nothing more for {seconds} s while login-action waited \
             for \"board# \"; the last lines: \"Starting kernel ...\", \
             \"[    0.000000] Linux version 6.1.0\", {prompt:?}"
        );
        assert_eq!(error.to_string(), told);
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_who_has_the_console_may_leave_it_at_a_prompt() {
    let (mut session, mut board, _dir) = booting();
    board.says.send(Incoming::Forced { by: "alice".into() }).await.unwrap();
    board.say(&format!("{LINUX}rescue# ")).await;
    let error = login(&mut session).await.unwrap_err();
    assert!(matches!(&error, Error::Timeout(over) if over.seconds == 120), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_was_there_before_is_found_by_a_line_end() {
    let (mut session, mut board, _dir) = session();
    let shell = Patterns::new(["login:"]).unwrap().or_at_rest(["# "]).unwrap();
    let wait = Wait { nudge: true, ..wait(60) };
    let answer = async {
        assert_eq!(board.line().await.as_deref(), Some(""));
        board.say("\r\nboard:~# ").await;
        // Kept: a board that goes away is a lost console.
        board
    };
    let (found, _board) = tokio::join!(session.expect(&shell, &wait), answer);
    assert_eq!(found.unwrap().index, 1);
}

#[tokio::test(start_paused = true)]
async fn a_board_that_answers_from_its_prompt_after_a_reset_was_not_reset() {
    let (mut session, mut board, _dir) = booting();
    let shell = Patterns::new(["Hit any key"]).unwrap().or_at_rest(["=> "]).unwrap();
    let wait = Wait { nudge: true, ..wait(60) };
    let answer = async {
        assert_eq!(board.line().await.as_deref(), Some(""));
        board.say("\r\n=> ").await;
        board
    };
    let (found, _board) = tokio::join!(session.expect(&shell, &wait), answer);
    let told = found.unwrap_err();
    assert!(told.to_string().starts_with("the reset had no effect"), "{told}");
    assert_eq!(told.class(), "Infrastructure");
}

#[tokio::test(start_paused = true)]
async fn what_only_looks_like_a_prompt_is_passed_over() {
    let (mut session, mut board, _dir) = booting();
    let patterns = Patterns::new(["login:"]).unwrap().or_at_rest(["# "]).unwrap();
    board.say("[    0.1] # of cpus: 2\r\nboard login: ").await;
    let found = session.expect(&patterns, &wait(60)).await.unwrap();
    assert_eq!(found.index, 0);
}
