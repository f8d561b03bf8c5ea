//! Whose a job's boards are, whatever happens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::model::{BoardRequest, RequestState, units};
use crate::server::Recipient;
use crate::server::TheirRights;

/// Somebody who waits for the board.
async fn bob(server: &Server) -> u64 {
    let asked = BoardRequest { length: "1h".into(), ..BoardRequest::default() };
    server.submit(asked, &asker("bob", Right::Write)).await.unwrap().id
}

async fn state_of(server: &Server, request: u64) -> RequestState {
    server.request(request).await.unwrap().state
}

async fn has_it(server: &Server, request: u64) {
    let mut changes = server.changes();
    let has = async {
        while state_of(server, request).await != RequestState::Leased {
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(30), has).await.unwrap();
}

/// The worker's word that a job has ended.
async fn ends(server: &Server, worker: &str, id: u64) -> JobInfo {
    let failure = WorkFailure { class: "Job".into(), message: "it was told to end".into() };
    let end = WorkEnd { failure: Some(failure), ..WorkEnd::default() };
    server.end_work(&name(worker), id, &end).await.unwrap();
    server.job(id, &asker("root", Right::Control)).await.unwrap()
}

pub(super) async fn who_gives_back_the_boards_of_a_job_that_runs_ends_it_first(server: Server) {
    let (alice, root) = (asker("alice", Right::Write), asker("root", Right::Control));
    let id = running(&server, "farm1").await;
    let request = server.job(id, &root).await.unwrap().request;
    let waits = bob(&server).await;
    let carol = Recipient { user: "carol".into(), rights: TheirRights::Open };
    let told = server.give(request, &carol, &alice).await.unwrap_err().to_string();
    assert_eq!(told, format!("request {request} has the boards of job {id}"));
    assert!(server.unshare(request, &format!("job:{id}"), &alice).await.is_err());

    assert_eq!(server.release(request, None, &alice).await.unwrap().state, RequestState::Leased);
    let job = server.job(id, &root).await.unwrap();
    assert_eq!((job.state, job.canceled_by.as_deref()), (JobState::Canceling, Some("alice")));
    // By force it is no other.
    let taken = server.release(request, Some("mine"), &root).await.unwrap();
    assert_eq!(
        (taken.state, state_of(&server, waits).await),
        (RequestState::Leased, RequestState::Waiting)
    );
    assert_eq!(greet(&server, "farm1", &hello("a", 3, &[id])).await.cancel, [id]);
    // It is not told that again and again, …
    assert!(greet(&server, "farm1", &hello("a", 4, &[id])).await.cancel.is_empty());
    // … but soon: the answer may have been lost.
    let again = server.wait_for_orders(&name("farm1"), &hello("a", 4, &[id])).await.unwrap();
    assert_eq!(again.cancel, [id]);
    assert_eq!(ends(&server, "farm1", id).await.health, JobHealth::Canceled);
    assert_eq!(state_of(&server, request).await, RequestState::Ended);
    has_it(&server, waits).await;
}

pub(super) async fn a_job_goes_to_no_board_of_which_there_is_no_dictionary(server: Server) {
    let other = BoardDescription { dictionary: None, ..board() };
    server.put_board(name("panda00"), other, true, "root").await.unwrap();
    let asked = BoardRequest {
        spec: "name=panda01".into(),
        length: "1h".into(),
        ..BoardRequest::default()
    };
    let has = server.submit(asked, &asker("bob", Right::Write)).await.unwrap().id;
    has_it(&server, has).await;
    let first = submit(&server, JOB).await.id;
    let waits = until(&server, first, |job| job.waiting.is_some()).await;
    let why = waits.waiting.unwrap();
    assert!(waits.state == JobState::Submitted && why.contains("number 1 in the queue"), "{why}");
    // People have it as ever.
    let hers = bob(&server).await;
    has_it(&server, hers).await;
    server.release(hers, None, &asker("bob", Right::Write)).await.unwrap();
    assert_eq!(until(&server, first, |_| true).await.state, JobState::Submitted);
    // A template that comes is seen with the next job.
    let types = server.0.logs.scratch().parent().unwrap().join("device-types");
    std::fs::create_dir_all(&types).unwrap();
    let demo = include_str!("../../../../conf/devices/demo.yaml");
    std::fs::write(types.join("lavamux-virtual.jinja2"), demo).unwrap();
    submit(&server, JOB).await;
    let job = until(&server, first, |job| job.state == JobState::Scheduled).await;
    assert_eq!(job.boards[0].name, name("panda00"));
}

pub(super) async fn a_job_whose_time_is_over_has_its_board_until_it_has_ended(server: Server) {
    let id = running(&server, "farm1").await;
    let request = until(&server, id, |_| true).await.request;
    let waits = bob(&server).await;
    {
        let mut state = server.0.state.lock().await;
        let now = units::now_us() / 1_000_000;
        state.lab.overrun(request, now, now).unwrap();
        server.changed();
    }
    let job = until(&server, id, |job| job.state == JobState::Canceling).await;
    assert_eq!(job.error_msg.as_deref(), Some("the time of its lease was over"));
    server.pass().await.unwrap();
    assert_eq!(state_of(&server, request).await, RequestState::Leased);
    assert_eq!(state_of(&server, waits).await, RequestState::Waiting);
    {
        // Nor do the boards' daemons let go of it.
        let state = server.0.state.lock().await;
        let lease = state.lab.lease(request).unwrap().until;
        assert!(lease > units::now_us() / 1_000_000, "{lease}");
    }
    let ended = ends(&server, "farm1", id).await;
    assert_eq!(
        (ended.health, ended.error_type.as_deref()),
        (JobHealth::Incomplete, Some("Infrastructure"))
    );
    has_it(&server, waits).await;
}

pub(super) async fn a_job_that_no_worker_takes_lets_go_of_its_board_and_asks_anew(server: Server) {
    let id = submit(&server, JOB).await.id;
    let first = until(&server, id, |job| job.state == JobState::Scheduled).await;
    let waits = bob(&server).await;
    {
        let mut state = server.0.state.lock().await;
        let request = Arc::make_mut(state.requests.get_mut(&first.request).unwrap());
        let since = request.info.since_us.unwrap();
        request.info.since_us = Some(since - server.0.config.worker_gone.as_micros() as u64);
        server.changed();
    }
    has_it(&server, waits).await;
    let job = until(&server, id, |job| job.state == JobState::Submitted).await;
    assert!(job.boards.is_empty() && job.waiting.unwrap().starts_with("it waits for a worker"));
    server.release(waits, None, &asker("bob", Right::Write)).await.unwrap();
    // As soon as there is one, its turn comes.
    greet(&server, "farm1", &hello("a", 1, &[])).await;
    let job = until(&server, id, |job| job.state == JobState::Scheduled).await;
    assert_ne!(job.request, first.request);
    let request = server.request(job.request).await.unwrap();
    assert_eq!(request.submitted_us, first.submitted_us);
    assert_eq!(started(&greet(&server, "farm1", &hello("a", 2, &[])).await), [id]);
}

pub(super) async fn a_job_that_does_not_fit_any_more_when_a_worker_comes_asks_anew(server: Server) {
    let id = submit(&server, JOB).await.id;
    let first = until(&server, id, |job| job.state == JobState::Scheduled).await;
    {
        // It has waited for most of its time, and is not to go on for longer.
        let mut state = server.0.state.lock().await;
        let now = units::now_us() / 1_000_000;
        state.lab.overrun(first.request, now + 60, now).unwrap();
    }
    let now = units::now_us() / 1_000_000;
    let window = vec![(now + 120, now + 100_000)];
    server.set_windows("panda01", window, "root").await.unwrap();
    assert!(greet(&server, "farm1", &hello("a", 1, &[])).await.start.is_empty());
    let job = until(&server, id, |job| job.request != first.request && job.request != 0).await;
    assert_eq!((job.state, job.health), (JobState::Submitted, JobHealth::Unknown));
    server.set_windows("panda01", Vec::new(), "root").await.unwrap();
    until(&server, id, |job| job.state == JobState::Scheduled).await;
    assert_eq!(started(&greet(&server, "farm1", &hello("a", 2, &[])).await), [id]);
    let length = server.0.state.lock().await.jobs.live[&id].length_s;
    let until = server.request(job.request).await.unwrap().until_us.unwrap() / 1_000_000;
    assert!(until >= now + length, "its time has begun when it was handed over");
}

pub(super) async fn the_boards_of_a_worker_that_is_gone_are_kept_until_it_has_ended_its_jobs(
    server: Server,
) {
    let gone = server.0.config.worker_gone;
    let id = running(&server, "farm1").await;
    let request = until(&server, id, |_| true).await.request;
    // We were stopped ourselves.
    {
        let mut state = server.0.state.lock().await;
        server.0.workers.quiet_for(gone);
        state.looked = Instant::now().checked_sub(gone);
    }
    server.pass().await.unwrap();
    assert_eq!(until(&server, id, |_| true).await.state, JobState::Running);

    // The database is away just when the worker is.
    server.0.store.meddle("ALTER TABLE jobs RENAME TO away").await;
    server.0.workers.quiet_for(gone);
    assert!(server.pass().await.is_err());
    server.0.store.meddle("ALTER TABLE away RENAME TO jobs").await;
    server.pass().await.unwrap();
    let job = until(&server, id, |job| job.state == JobState::Canceling).await;
    let told = format!("nothing was heard of its worker farm1 for {} s", gone.as_secs());
    assert_eq!(job.error_msg, Some(told));
    assert!(!server.workers().await[0].live);
    assert_eq!(state_of(&server, request).await, RequestState::Leased);
    // Another one of its name does not end what it has not.
    greet(&server, "farm1", &hello("b", 1, &[])).await;
    assert_eq!(until(&server, id, |_| true).await.state, JobState::Canceling);
    assert_eq!(state_of(&server, request).await, RequestState::Leased);
    server.0.workers.quiet_for(gone * 2);
    server.pass().await.unwrap();
    let lost = until(&server, id, JobInfo::has_ended).await;
    assert_eq!(
        (lost.health, lost.error_type.as_deref()),
        (JobHealth::Incomplete, Some("Infrastructure"))
    );
    assert_eq!(state_of(&server, request).await, RequestState::Ended);
}

pub(super) async fn a_worker_that_goes_by_a_longer_silence_is_waited_for_as_long(server: Server) {
    let gone = server.0.config.worker_gone;
    let id = running(&server, "farm1").await;
    let request = until(&server, id, |_| true).await.request;
    // It has not heard yet that the time is a shorter one now.
    let slow = WorkerHello { gone_s: 2 * gone.as_secs(), ..hello("a", 3, &[id]) };
    greet(&server, "farm1", &slow).await;
    let row = server.0.store.job(id).await.unwrap().unwrap();
    assert_eq!(
        super::super::record(&row).unwrap().gone_s,
        2 * gone.as_secs(),
        "nor do we forget it"
    );
    server.0.workers.quiet_for(gone * 7 / 2);
    server.pass().await.unwrap();
    assert_eq!(until(&server, id, |_| true).await.state, JobState::Canceling);
    assert_eq!(state_of(&server, request).await, RequestState::Leased);
    server.0.workers.quiet_for(gone * 4);
    server.pass().await.unwrap();
    until(&server, id, JobInfo::has_ended).await;
    assert_eq!(state_of(&server, request).await, RequestState::Ended);
}

pub(super) async fn a_job_that_its_worker_has_not_begun_begins_only_while_it_is_its_own(
    server: Server,
) {
    let id = running(&server, "farm1").await;
    let none = Vec::<u64>::new;
    let unsure = |number| WorkerHello { unsure: [id].into(), ..hello("a", number, &[id]) };
    let orders = greet(&server, "farm1", &unsure(3)).await;
    assert_eq!((orders.begin, orders.cancel), (vec![id], none()));
    server.cancel_job(id, &asker("alice", Right::Write)).await.unwrap();
    let orders = greet(&server, "farm1", &unsure(4)).await;
    assert_eq!((orders.begin, orders.cancel), (none(), vec![id]));
    // The answer before was lost with the worker that has heard it, and nothing is said so soon again.
    let orders = greet(&server, "farm1", &unsure(5)).await;
    assert_eq!((orders.begin, orders.cancel), (none(), none()));
    ends(&server, "farm1", id).await;
    let orders = greet(&server, "farm1", &unsure(6)).await;
    assert_eq!((orders.begin, orders.drop), (none(), vec![id]));
}
