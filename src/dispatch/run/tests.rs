use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use super::super::action::{Action, Running};
use super::super::context::Settings;
use super::super::device::Device;
use super::super::log::Log;
use super::super::progress::Progress;
use super::super::session::Session;
use super::*;

/// Notes what is begun, tried again and ended.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Progress for Notes {
    fn begin(&self, level: &str, name: &str, attempt: u32) {
        self.0.lock().unwrap().push(format!("begin {level} {name} {attempt}"));
    }

    fn end(&self, level: &str, name: &str, took: Duration, error: Option<&Error>) {
        let how = if error.is_some() { "fail" } else { "done" };
        let note = format!("{how} {level} {name} {}", took.as_secs());
        self.0.lock().unwrap().push(note);
    }
}

/// What a fake action does at each of its runs.
type Script = fn(u32) -> (Duration, Result<(), Error>);

struct Fake {
    name: &'static str,
    runs: AtomicU32,
    script: Script,
}

impl Action for Fake {
    fn name(&self) -> &'static str {
        self.name
    }

    fn is_of_lab(&self) -> bool {
        self.name == "http-download"
    }

    fn run<'a>(&'a self, _context: &'a mut Context) -> Running<'a> {
        let run = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
        Box::pin(async move {
            let (takes, result) = (self.script)(run);
            tokio::time::sleep(takes).await;
            result
        })
    }
}

fn step(level: &str, name: &'static str, limits: (u32, u64), script: Script) -> Step {
    let (tries, timeout) = limits;
    let action = Fake { name, runs: AtomicU32::new(0), script };
    Step {
        level: level.into(),
        action: Box::new(action),
        tries,
        repeat: false,
        timeout,
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

fn nothing(_: u32) -> (Duration, Result<(), Error>) {
    (Duration::ZERO, Ok(()))
}

/// Runs steps, then a `finalize` that does nothing, within a job of 100 s.
async fn run_all(
    steps: Vec<Step>,
    cancelled: &CancellationToken,
) -> (Result<(), Error>, Vec<String>, Vec<CaseResult>) {
    let (done, notes, results, _) = run_logged(steps, cancelled).await;
    (done, notes, results)
}

/// The same with the job's log.
async fn run_logged(
    steps: Vec<Step>,
    cancelled: &CancellationToken,
) -> (Result<(), Error>, Vec<String>, Vec<CaseResult>, String) {
    let dir = tempfile::tempdir().unwrap();
    let notes = Arc::new(Notes::default());
    let log = Log::create(&dir.path().join("log"), &[], notes.clone()).unwrap();
    let mut job = empty_job();
    job.timeouts.job = 100;
    let settings = Settings {
        job_id: "1".into(),
        output: dir.path().to_owned(),
        tftp_dir: dir.path().to_owned(),
        dispatcher_ip: "127.0.0.1".into(),
        ..Settings::default()
    };
    let (job, device, settings) = (Arc::new(job), Arc::<Device>::default(), Arc::new(settings));
    let mut context = Context::new(job, device, settings, log, notes.clone());
    let pipeline = Pipeline { steps, finalize: step("9", "finalize", (1, 10), nothing) };
    let done = run(&pipeline, &mut context, cancelled).await;
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
    let notes = notes.0.lock().unwrap().clone();
    (done, notes, context.results.all().to_vec(), log)
}

fn empty_job() -> super::super::job::Job {
    super::super::job::Job {
        file: "job.yaml".into(),
        name: "x".into(),
        device_type: None,
        timeouts: Default::default(),
        environment: BTreeMap::new(),
        secrets: BTreeMap::new(),
        passes: Default::default(),
        multinode: None,
        nbd_port: None,
        debug: Default::default(),
        context: Vec::new(),
        blocks: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_tries_its_inner_steps_again_until_they_are_done() {
    let mut retry = step("1", "boot", (3, 60), nothing);
    retry.steps.push(step("1.1", "login", (1, 20), |run| {
        (Duration::from_secs(2), if run < 3 { Err(Error::Job("no".into())) } else { Ok(()) })
    }));
    let (done, notes, results) = run_all(vec![retry], &CancellationToken::new()).await;
    assert_eq!(done, Ok(()));
    assert_eq!(
        notes,
        [
            "begin 1 boot 1",
            "begin 1.1 login 1",
            "fail 1.1 login 2",
            "begin 1 boot 2",
            "begin 1.1 login 1",
            "fail 1.1 login 2",
            "begin 1 boot 3",
            "begin 1.1 login 1",
            "done 1.1 login 2",
            "done 1 boot 6",
            "begin 9 finalize 1",
            "done 9 finalize 0"
        ]
    );
    assert_eq!(results.last().unwrap().extra["job"], "complete");
}

#[tokio::test(start_paused = true)]
async fn an_inner_limit_never_outlives_the_one_around_it() {
    let mut outer = step("1", "boot", (5, 10), nothing);
    outer.steps.push(step("1.1", "login", (1, 60), |_| (Duration::from_secs(600), Ok(()))));
    let (done, notes, _) = run_all(vec![outer], &CancellationToken::new()).await;
    let said = done.unwrap_err().to_string();
    assert_eq!(said, "login timed out after 10 s, when the 10 s of boot were over");
    // The time of the outer one is over as well, so there is no second try.
    assert_eq!(notes[2..4], ["fail 1.1 login 10", "fail 1 boot 10"]);
}

#[tokio::test(start_paused = true)]
async fn what_no_retry_can_mend_is_not_tried_again() {
    let wrong = |_| (Duration::ZERO, Err(Error::Configuration("no".into())));
    let (done, notes, _) =
        run_all(vec![step("1", "boot", (3, 60), wrong)], &CancellationToken::new()).await;
    assert_eq!(done, Err(Error::Configuration("no".into())));
    assert_eq!(notes.iter().filter(|note| note.starts_with("begin 1 ")).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_limit_warns_before_it_ends_what_is_too_slow() {
    // One that is nearly too slow, one that is too slow, one that has no time to speak of.
    for (limit, takes, told, end) in [
        (
            20,
            16,
            "\"lvl\":\"warning\",\"msg\":\"soft time-out: login has used 15 of its 20 s\"",
            None,
        ),
        (
            20,
            60,
            "\"msg\":\"soft time-out: login has used 15 of its 20 s\"",
            Some("login timed out after 20 s"),
        ),
        (9, 60, "", Some("login timed out after 9 s")),
    ] {
        let script: Script = match takes {
            16 => |_| (Duration::from_secs(16), Ok(())),
            _ => |_| (Duration::from_secs(60), Ok(())),
        };
        let login = step("1", "login", (1, limit), script);
        let (done, _, _, log) = run_logged(vec![login], &CancellationToken::new()).await;
        assert_eq!(done.err().map(|error| error.to_string()).as_deref(), end);
        let warnings = log.lines().filter(|line| line.contains("soft time-out")).count();
        assert_eq!(warnings, usize::from(!told.is_empty()), "{log}");
        assert!(log.contains(told), "no {told:?} in {log}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_jobs_own_limit_ends_it_and_finalize_still_runs() {
    let slow = |_| (Duration::from_secs(70), Ok(()));
    let steps = vec![step("1", "one", (1, 1000), slow), step("2", "two", (1, 1000), slow)];
    let (done, notes, results) = run_all(steps, &CancellationToken::new()).await;
    let said = done.unwrap_err().to_string();
    assert_eq!(said, "two timed out after 30 s, when the 100 s of the job were over");
    assert_eq!(
        notes[2..],
        ["begin 2 two 1", "fail 2 two 30", "begin 9 finalize 1", "done 9 finalize 0"]
    );
    let job = results.last().unwrap();
    assert_eq!((job.extra["job"].as_str(), job.error_type.as_deref()), ("incomplete", Some("Job")));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_tells_what_it_was_at_and_ends_in_good_order() {
    let cancelled = CancellationToken::new();
    let mut outer = step("1", "boot", (3, 60), nothing);
    outer.steps.push(step("1.1", "login", (1, 60), |_| (Duration::from_secs(50), Ok(()))));
    let cancel = async {
        tokio::time::sleep(Duration::from_secs(7)).await;
        cancelled.cancel();
    };
    let ((done, notes, results), ()) = tokio::join!(run_all(vec![outer], &cancelled), cancel);
    assert_eq!(done, Err(Error::Cancelled));
    assert_eq!(notes[2..4], ["fail 1.1 login 7", "fail 1 boot 7"]);
    assert_eq!(results.last().unwrap().error_type.as_deref(), Some("Canceled"));
}

#[tokio::test(start_paused = true)]
async fn what_the_lab_does_too_slowly_is_its_fault() {
    let slow = |_| (Duration::from_secs(70), Ok(()));
    for (name, class) in [("http-download", "Infrastructure"), ("login-action", "Job")] {
        let (done, ..) =
            run_all(vec![step("1", name, (1, 9), slow)], &CancellationToken::new()).await;
        assert_eq!(done.unwrap_err().class(), class);
    }
}

#[tokio::test(start_paused = true)]
async fn a_test_block_that_may_be_late_is_left_for_the_next_one() {
    let slow = |_| (Duration::from_secs(600), Ok(()));
    for (skip, next) in [(true, "begin 2 next 1"), (false, "begin 9 finalize 1")] {
        let mut late = step("1", "test", (1, 9), slow);
        late.skip = skip;
        let steps = vec![late, step("2", "next", (1, 9), nothing)];
        let (done, notes, _) = run_all(steps, &CancellationToken::new()).await;
        assert_eq!(
            (done.is_ok(), notes[1..3].to_vec()),
            (skip, vec!["fail 1 test 9".into(), next.into()])
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_try_waits_as_long_as_the_job_says_if_there_is_time() {
    let wrong = |_| (Duration::ZERO, Err(Error::Job("no".into())));
    for (limit, tries, took) in [(60, 3, 40), (30, 2, 20)] {
        let mut again = step("1", "boot", (3, limit), wrong);
        again.retry_interval = 20;
        let (_, notes, _) = run_all(vec![again], &CancellationToken::new()).await;
        let last = [format!("begin 1 boot {tries}"), format!("fail 1 boot {took}")];
        assert_eq!(notes[tries - 1..=tries], last);
    }
}

/// A connection that fails at the first run, and its successor at the second.
struct Connecting(AtomicU32);

impl Action for Connecting {
    fn name(&self) -> &'static str {
        "connect"
    }

    fn connects(&self) -> bool {
        true
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        let first = self.0.fetch_add(1, Ordering::Relaxed) == 0;
        Box::pin(async move {
            assert!(!context.is_connected(), "it is not told that the connection was lost");
            let (script, board) = crate::dispatch::connection::Script::new();
            context.connect(Session::new(Box::new(script), context.log.clone()));
            if first {
                drop(board);
                context.session()?.drain(Duration::from_secs(9), Duration::from_secs(5)).await?;
            }
            Ok(())
        })
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_lost_console_the_try_that_connects_anew_is_the_one_that_is_made() {
    let mut outer = step("1", "boot", (2, 60), nothing);
    outer.steps.push(step("1.1", "connect", (1, 60), nothing));
    outer.steps[0].action = Box::new(Connecting(AtomicU32::new(0)));
    let (done, notes, _) = run_all(vec![outer], &CancellationToken::new()).await;
    assert_eq!(done, Ok(()));
    assert!(notes.contains(&"begin 1 boot 2".to_owned()), "{notes:#?}");
}
