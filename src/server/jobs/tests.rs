use tokio_util::sync::CancellationToken;

use crate::client::Login;
use crate::config::server::JobsConfig;
use crate::model::{
    BoardDescription, JobHealth, JobInfo, JobState, JobSubmit, Name, Right, WorkEnd, WorkerHello,
    WorkerOrders,
};
use crate::server::{Asker, JobError, Server, ServerError};
use crate::store::Store;

const JOB: &str = include_str!("../../../conf/jobs/demo.yaml");

/// Somebody who may have every board, and control what is said.
fn asker(user: &str, on_all: Right) -> Asker {
    Asker { user: user.into(), on_all: Some(on_all), on: Box::new(move |_| Some(on_all)) }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn hello(instance: &str, number: u64, jobs: &[u64]) -> WorkerHello {
    let (instance, jobs) = (instance.to_owned(), jobs.to_vec());
    WorkerHello { instance, number, slots: 4, jobs, ..WorkerHello::default() }
}

/// A lab of one board.
async fn lab(dir: &std::path::Path) -> Server {
    let store = Store::open(&Store::file_url(&dir.join("lava.sqlite"))).await.unwrap();
    let server = Server::load(store, Login::default(), JobsConfig::at(dir)).await.unwrap();
    server.put_board(name("panda01"), board(), false, "root").await.unwrap();
    server
}

fn board() -> BoardDescription {
    BoardDescription {
        kind: name("lavamux-virtual"),
        tags: Default::default(),
        attributes: Default::default(),
        console: None,
        outlet: None,
        dictionary: Some(include_str!("../../../conf/devices/demo.yaml").into()),
        worker: None,
        health_check: None,
        mac: Default::default(),
        identity: None,
    }
}

/// The same with the loop beside a story.
async fn with_lab<F: Future<Output = ()>>(story: impl FnOnce(Server) -> F) {
    let dir = tempfile::tempdir().unwrap();
    let server = lab(dir.path()).await;
    let shutdown = CancellationToken::new();
    let story = async {
        story(server.clone()).await;
        shutdown.cancel();
    };
    tokio::join!(server.run(shutdown.clone()), story);
}

async fn submit(server: &Server, definition: &str) -> JobInfo {
    let asked = JobSubmit { definition: definition.into(), ..JobSubmit::default() };
    server.submit_job(asked, &asker("alice", Right::Write)).await.unwrap()
}

/// Follows a job until it is so.
async fn until(server: &Server, id: u64, is: impl Fn(&JobInfo) -> bool) -> JobInfo {
    let mut changes = server.changes();
    let found = async {
        loop {
            let job = server.job(id, &asker("root", Right::Control)).await.unwrap();
            if is(&job) {
                return job;
            }
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), found).await.unwrap()
}

/// What a worker that greets is told.
async fn greet(server: &Server, worker: &str, hello: &WorkerHello) -> WorkerOrders {
    let worker = name(worker);
    server.greet(&worker, hello).await.unwrap();
    server.orders(&worker, hello).await.unwrap().unwrap_or_default()
}

fn started(orders: &WorkerOrders) -> Vec<u64> {
    orders.start.iter().map(|work| work.id).collect()
}

#[tokio::test]
async fn a_job_is_one_workers_and_handed_over_again_until_it_says_that_it_has_it() {
    with_lab(async |server| {
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
    })
    .await;
}

#[tokio::test]
async fn a_log_has_to_be_whole_before_its_job_ends() {
    with_lab(async |server| {
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
        let held = server.take_log(&farm1, id, "panda01", 0, line.as_bytes()).await.unwrap();
        assert_eq!(held.held, bytes);
        let elsewhere = server.take_log(&farm1, id, "../panda01", 0, b"x").await;
        assert!(matches!(elsewhere, Err(ServerError::Job(JobError::NoLog { .. }))));
        server.end_work(&farm1, id, &end).await.unwrap();
        assert_eq!(until(&server, id, JobInfo::has_ended).await.health, JobHealth::Complete);
    })
    .await;
}

#[tokio::test]
async fn a_job_is_seen_and_ended_by_those_who_may() {
    with_lab(async |server| {
        let personal = JOB.replace("visibility: public", "visibility: personal");
        let id = submit(&server, &personal).await.id;
        let (bob, root) = (asker("bob", Right::Write), asker("root", Right::Control));
        assert!(server.jobs(None, 10, &bob).await.unwrap().is_empty());
        assert!(server.job(id, &bob).await.is_err() && server.job(id, &root).await.is_ok());
        let open = submit(&server, JOB).await.id;
        let refused = server.cancel_job(open, &bob).await;
        assert!(matches!(refused, Err(ServerError::Job(JobError::NotYours { .. }))));
        server.cancel_job(open, &asker("alice", Right::Write)).await.unwrap();
        // Whose boards are some may not say what is run on workers.
        let carol =
            Asker { user: "carol".into(), on_all: None, on: Box::new(|_| Some(Right::Control)) };
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
    })
    .await;
}

#[test]
fn a_worker_of_another_version_is_understood() {
    let newer =
        r#"{"instance":"a","number":7,"protocol":9,"slots":2,"colour":{"of":"the future"}}"#;
    let hello: WorkerHello = serde_json::from_str(newer).unwrap();
    assert_eq!((hello.number, hello.slots, hello.jobs.len()), (7, 2, 0));
    let orders: WorkerOrders = serde_json::from_str(r#"{"pause":[1],"cancel":[3]}"#).unwrap();
    assert_eq!((orders.cancel, orders.gone_s), (vec![3], 0));
}
