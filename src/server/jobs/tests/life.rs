//! From handing in to the end.

use super::*;
use crate::model::{BoardHealth, BoardRequest, BoardState, RequestState};

pub(super) async fn a_job_is_one_workers_and_handed_over_again_until_it_says_that_it_has_it(
    server: Server,
) {
    let id = submit(&server, JOB).await.id;
    until(&server, id, |job| job.state == JobState::Scheduled).await;
    let orders = greet(&server, "farm1", &hello("a", 1, &[])).await;
    assert_eq!(started(&orders), [id]);
    assert_eq!((orders.start[0].definition.as_str(), orders.start[0].boards.len()), (JOB, 1));
    // That answer was lost.
    assert_eq!(started(&greet(&server, "farm2", &hello("b", 1, &[])).await), [0; 0]);
    assert_eq!(started(&greet(&server, "farm1", &hello("a", 2, &[])).await), [id]);
    assert!(greet(&server, "farm1", &hello("a", 3, &[id])).await.start.is_empty());
    until(&server, id, |job| job.state == JobState::Running).await;
    // What an old greeting says comes too late.
    greet(&server, "farm1", &hello("a", 2, &[])).await;
    assert_eq!(until(&server, id, |_| true).await.state, JobState::Running);
    let other = server.greet(&name("farm1"), &hello("c", 9, &[])).await;
    assert!(matches!(other, Err(ServerError::Job(JobError::OtherWorker(_)))), "{other:?}");
    assert_eq!(greet(&server, "farm2", &hello("b", 2, &[id])).await.drop, [id]);
    // Nobody may end it for it.
    let end = server.end_work(&name("farm2"), id, &WorkEnd::default()).await;
    assert!(matches!(end, Err(ServerError::Job(JobError::NotOn { .. }))), "{end:?}");
    greet(&server, "farm1", &hello("a", 4, &[])).await;
    let lost = until(&server, id, JobInfo::has_ended).await;
    assert_eq!(lost.health, JobHealth::Incomplete);
    assert_eq!(lost.error_msg.unwrap(), "its worker farm1 does not know of it any more");
    assert!(server.requests(false).await.unwrap().is_empty());
}

pub(super) async fn a_worker_that_names_very_many_jobs_is_answered_or_refused(server: Server) {
    let many: Vec<u64> = (1..=10_000).collect();
    let told = greet(&server, "farm1", &hello("a", 1, &many)).await;
    assert_eq!(told.drop, many);
    let more: Vec<u64> = (1..=10_001).collect();
    let refused = server.greet(&name("farm1"), &hello("a", 3, &more)).await.unwrap_err();
    assert!(refused.to_string().starts_with("worker farm1 names 10001 jobs"), "{refused}");
    let long = server.greet(&name("farm1"), &hello(&"x".repeat(101), 4, &[])).await;
    assert!(matches!(long, Err(ServerError::Wrong(_))), "{long:?}");
}

pub(super) async fn a_log_has_to_be_whole_before_its_job_ends(server: Server) {
    let id = submit(&server, JOB).await.id;
    until(&server, id, |job| job.state == JobState::Scheduled).await;
    let farm1 = name("farm1");
    greet(&server, "farm1", &hello("a", 1, &[])).await;
    greet(&server, "farm1", &hello("a", 2, &[id])).await;
    let line = concat!(
        r#"{"dt":"2026-01-01T00:00:00Z","lvl":"results","msg":{"definition":"lava","#,
        r#""case":"job","result":"pass"}}"#,
        "\n"
    );
    let bytes = line.len() as u64;
    let end = WorkEnd { logs: [("panda01".to_owned(), bytes)].into(), failure: None };
    let early = server.end_work(&farm1, id, &end).await;
    assert!(matches!(early, Err(ServerError::Job(JobError::LogShort { .. }))), "{early:?}");
    let held = server.take_log(&farm1, id, "panda01", 0, line.as_bytes().to_vec()).await.unwrap();
    assert_eq!(held.held, bytes);
    let elsewhere = server.take_log(&farm1, id, "../panda01", 0, b"x".to_vec()).await;
    assert!(matches!(elsewhere, Err(ServerError::Job(JobError::NoLog { .. }))));
    server.end_work(&farm1, id, &end).await.unwrap();
    assert_eq!(until(&server, id, JobInfo::has_ended).await.health, JobHealth::Complete);
}

pub(super) async fn a_jobs_board_is_not_kept_while_its_whole_log_is_read(server: Server) {
    let (id, farm1) = (running(&server, "farm1").await, name("farm1"));
    let result = |definition: &str, case: &str| {
        let msg = serde_json::json!({"definition": definition, "case": case, "result": "pass"});
        let dt = "2026-01-01T00:00:00Z";
        serde_json::json!({"dt": dt, "lvl": "results", "msg": msg}).to_string() + "\n"
    };
    let (many, last) = (result("d", "a").repeat(1000), result("lava", "job"));
    let log = many.clone() + &last;
    server.take_log(&farm1, id, "panda01", 0, log.clone().into_bytes()).await.unwrap();
    // Who reads it again finds no line of a log there.
    let file = server.log_folder(id, "panda01").join("output.jsonl");
    std::fs::write(file, "x".repeat(log.len())).unwrap();
    let end = WorkEnd { logs: [("panda01".to_owned(), log.len() as u64)].into(), failure: None };
    server.end_work(&farm1, id, &end).await.unwrap();
    let job = until(&server, id, JobInfo::has_ended).await;
    assert_eq!((job.health, job.tally.unwrap().pass), (JobHealth::Complete, 1000));
    let board = server.board("panda01").await.unwrap();
    assert!(board.lease.is_none(), "{board:?}");
}

pub(super) async fn a_job_is_seen_and_ended_by_those_who_may(server: Server) {
    let personal = JOB.replace("visibility: public", "visibility: personal");
    let id = submit(&server, &personal).await.id;
    let (bob, root) = (asker("bob", Right::Write), asker("root", Right::Control));
    assert!(server.jobs(None, 10, &bob).await.unwrap().jobs.is_empty());
    assert!(server.job(id, &bob).await.is_err() && server.job(id, &root).await.is_ok());
    let open = submit(&server, JOB).await.id;
    let refused = server.cancel_job(open, &bob).await;
    assert!(matches!(refused, Err(ServerError::Job(JobError::NotYours { .. }))));
    server.cancel_job(open, &asker("alice", Right::Write)).await.unwrap();
    // Whose boards are some may not say what is run on workers.
    let carol = Asker { on_all: None, ..asker("carol", Right::Control) };
    let panda01 = server.board("panda01").await.unwrap();
    let mut described = board();
    assert_eq!(described.dictionary, panda01.dictionary);
    assert!(server.check_description(&panda01.name, &described, &carol).await.is_ok());
    described.dictionary = Some("commands: {power_on: [reboot]}\n".into());
    let refused = server.check_description(&panda01.name, &described, &carol).await;
    assert!(matches!(refused, Err(ServerError::Job(JobError::Dictionary(_)))));
    // Who gives a job's boards back ends the job.
    let job = until(&server, id, |job| job.state == JobState::Scheduled).await;
    server.release(job.request, None, &asker("alice", Right::Write)).await.unwrap();
    let ended = until(&server, id, JobInfo::has_ended).await;
    assert_eq!(ended.error_msg.unwrap(), format!("its request {} was released", job.request));
}

pub(super) async fn a_job_that_cannot_be_handed_over_now_is_handed_over_later(server: Server) {
    std::fs::remove_file(server.0.login.token_file.as_ref().unwrap()).unwrap();
    let id = submit(&server, JOB).await.id;
    until(&server, id, |job| job.state == JobState::Scheduled).await;
    assert!(greet(&server, "farm1", &hello("a", 1, &[])).await.start.is_empty());
    let job = until(&server, id, |_| true).await;
    assert_eq!((job.state, job.worker), (JobState::Scheduled, Some(name("farm1"))));
    let why = job.waiting.unwrap();
    assert!(
        why.starts_with(&format!("job {id} cannot be let in at its boards' daemons (by the file ")),
        "{why}"
    );
    write_token(&server, "hunter3");
    let orders = greet(&server, "farm1", &hello("a", 2, &[])).await;
    assert_eq!(orders.start[0].token.as_deref(), Some("hunter3"));

    // The database is away for a moment just when the next one is handed in.
    server.0.store.meddle("ALTER TABLE requests RENAME TO away").await;
    let next = submit(&server, JOB).await;
    assert_eq!((next.request, next.state), (0, JobState::Submitted));
    server.0.store.meddle("ALTER TABLE away RENAME TO requests").await;
    let next = until(&server, next.id, |job| job.request != 0).await;
    assert_eq!(next.error_type, None);
}

pub(super) async fn a_health_check_that_the_lab_has_not_let_end_condemns_no_board(server: Server) {
    let described = BoardDescription { health_check: Some(JOB.into()), ..board() };
    server.put_board(name("panda01"), described, false, "root").await.unwrap();
    let health = async || server.board("panda01").await.unwrap();
    let end = async |class: &str, number: u64| {
        let id = server.check_board("panda01", "root").await.unwrap().id;
        until(&server, id, |job| job.state == JobState::Scheduled).await;
        greet(&server, "farm1", &hello("a", number, &[])).await;
        greet(&server, "farm1", &hello("a", number + 1, &[id])).await;
        let failure = WorkFailure { class: class.into(), message: "the PDU is away".into() };
        let end = WorkEnd { failure: Some(failure), ..WorkEnd::default() };
        server.end_work(&name("farm1"), id, &end).await.unwrap();
    };
    end("Infrastructure", 1).await;
    let board = health().await;
    assert_eq!(board.health, BoardHealth::Unknown);
    assert_eq!(board.reason, "its health check, job 1, says nothing of it: the PDU is away");
    // The next one comes soon, and not at once.
    let last = server.0.state.lock().await.jobs.checked_us[&name("panda01")];
    let every = server.0.config.check_every.as_micros() as u64;
    let left = (last + every).saturating_sub(crate::model::units::now_us());
    assert!(left > 0 && left <= 600_000_000, "{left}");
    end("Job", 3).await;
    let board = health().await;
    assert_eq!(
        (board.health, board.reason.as_str()),
        (BoardHealth::Bad, "its health check, job 2: the PDU is away")
    );
}

pub(super) async fn a_board_that_is_looping_is_checked_again_and_again_and_given_to_nobody(
    server: Server,
) {
    let panda = name("panda01");
    let loops = async || server.set_health("panda01", BoardHealth::Looping, "flaky", "root").await;
    let refused = loops().await.unwrap_err();
    assert!(matches!(refused, ServerError::Job(JobError::NoCheck(_))), "{refused}");
    let described = BoardDescription { health_check: Some(JOB.into()), ..board() };
    server.put_board(panda.clone(), described, false, "root").await.unwrap();
    let first = server.check_board("panda01", "root").await.unwrap().id;
    loops().await.unwrap();
    let waits =
        BoardRequest { spec: "name=panda01".into(), length: "1h".into(), ..Default::default() };
    let waits = server.submit(waits, &asker("alice", Right::Write)).await.unwrap();
    let stands = || async { server.request(waits.id).await.unwrap() };
    let wait = std::time::Duration::from_secs(30);
    let end = async |id: u64, number: u64| {
        until(&server, id, |job| job.state == JobState::Scheduled).await;
        greet(&server, "farm1", &hello("a", number, &[])).await;
        greet(&server, "farm1", &hello("a", number + 1, &[id])).await;
        let failure = WorkFailure { class: "Job".into(), message: "no prompt".into() };
        let end = WorkEnd { failure: Some(failure), ..WorkEnd::default() };
        server.end_work(&name("farm1"), id, &end).await.unwrap();
    };
    end(first, 1).await;
    let told = "not to be had: panda01 is looping (its health check, job 1: no prompt)";
    let is_told = async {
        while stands().await.waiting.is_none_or(|it| it.why != told) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(wait, is_told).await.unwrap();
    // Some time later the next one is there by itself, and that one does not end it either.
    let next = async |last: u64| {
        let found = async {
            loop {
                server.0.state.lock().await.jobs.checked_us.insert(panda.clone(), 0);
                server.changed();
                let live = server.0.state.lock().await.jobs.live.keys().copied().max();
                if let Some(id) = live.filter(|id| *id > last) {
                    break id;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(wait, found).await.unwrap()
    };
    let second = next(first).await;
    end(second, 3).await;
    let board = server.board("panda01").await.unwrap();
    assert_eq!((board.health, board.state), (BoardHealth::Looping, BoardState::Idle));
    let third = next(second).await;
    // Until somebody says how it is: then a check tells that again, and it is given to who waits.
    server.set_health("panda01", BoardHealth::Good, "", "root").await.unwrap();
    end(third, 5).await;
    assert_eq!(server.board("panda01").await.unwrap().health, BoardHealth::Bad);
    server.set_health("panda01", BoardHealth::Good, "", "root").await.unwrap();
    let has = async {
        while stands().await.state != RequestState::Leased {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(wait, has).await.unwrap();
}

pub(super) async fn jobs_go_by_their_age_and_by_the_room_that_they_take_but_none_that_runs(
    server: Server,
) {
    let alice = asker("alice", Right::Write);
    for _ in 0..3 {
        let id = submit(&server, JOB).await.id;
        server.cancel_job(id, &alice).await.unwrap();
    }
    let runs = running(&server, "farm1").await;
    let folder = |id: u64| server.log_folder(id, "panda01");
    for id in [1, 2, 3, runs, 77] {
        std::fs::create_dir_all(folder(id)).unwrap();
        std::fs::write(folder(id).join("output.jsonl"), [b'x'; 1000]).unwrap();
    }
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
    let nobodys = folder(77).parent().unwrap().to_owned();
    std::fs::File::open(nobodys).unwrap().set_modified(old).unwrap();
    let left = || (1..100).filter(|id| folder(*id).exists()).collect::<Vec<u64>>();
    server.0.store.meddle("UPDATE jobs SET ended_us = 1 WHERE id = 1").await;
    let day = std::time::Duration::from_secs(24 * 3600);
    server.tidy_jobs_once(day, 0).await.unwrap();
    assert_eq!(left(), [2, 3, runs], "neither the old one, nor files without a job");
    assert!(matches!(server.job(1, &alice).await, Err(ServerError::Job(JobError::NoJob(1)))));
    server.tidy_jobs_once(std::time::Duration::ZERO, 2500).await.unwrap();
    assert_eq!(left(), [3, runs], "the oldest first");
    server.tidy_jobs_once(day, 1).await.unwrap();
    assert_eq!(left(), [runs]);
    assert_eq!(server.jobs(None, 10, &alice).await.unwrap().jobs.len(), 1);
}
