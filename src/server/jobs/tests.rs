//! Jobs as people, workers and a database that fails meet them; on SQLite and on PostgreSQL.

mod boards;
mod boots;
mod ci;
mod life;
mod machines;

use std::path::Path;

use tokio_util::sync::CancellationToken;

use crate::client::Login;
use crate::config::server::JobsConfig;
use crate::model::{
    BoardDescription, JobHealth, JobInfo, JobState, JobSubmit, Name, Right, Rights, WorkEnd,
    WorkFailure, WorkerHello, WorkerOrders,
};
use crate::server::{Asker, JobError, Server, ServerError};
use crate::store::Store;
use crate::store::postgres::Postgres;

const JOB: &str = include_str!("../../../conf/jobs/demo.yaml");

/// Each story on SQLite, and all of them on a PostgreSQL.
macro_rules! on_both {
    ($($module:ident::$story:ident),* $(,)?) => {
        $(#[tokio::test]
        async fn $story() {
            let dir = tempfile::tempdir().unwrap();
            let url = Store::file_url(&dir.path().join("lava.sqlite"));
            with_lab(&url, $module::$story).await;
        })*

        #[tokio::test]
        async fn the_same_on_postgresql() {
            let postgres = Postgres::start();
            $(with_lab(&postgres.database(stringify!($story)), $module::$story).await;)*
        }
    };
}

on_both! {
    life::a_job_is_one_workers_and_handed_over_again_until_it_says_that_it_has_it,
    life::a_worker_that_names_very_many_jobs_is_answered_or_refused,
    life::a_log_has_to_be_whole_before_its_job_ends,
    life::a_jobs_board_is_not_kept_while_its_whole_log_is_read,
    life::a_job_is_seen_and_ended_by_those_who_may,
    life::a_job_that_cannot_be_handed_over_now_is_handed_over_later,
    life::jobs_go_by_their_age_and_by_the_room_that_they_take_but_none_that_runs,
    life::a_health_check_that_the_lab_has_not_let_end_condemns_no_board,
    life::a_board_that_is_looping_is_checked_again_and_again_and_given_to_nobody,
    boards::who_gives_back_the_boards_of_a_job_that_runs_ends_it_first,
    boards::a_job_goes_to_no_board_of_which_there_is_no_dictionary,
    boards::a_job_whose_time_is_over_has_its_board_until_it_has_ended,
    boards::a_job_that_no_worker_takes_lets_go_of_its_board_and_asks_anew,
    boards::a_job_that_does_not_fit_any_more_when_a_worker_comes_asks_anew,
    boots::a_lease_that_is_to_end_with_its_boot_ends_whatever_fails_meanwhile,
    boots::a_lease_of_two_boards_ends_with_the_last_of_its_boots,
    boots::a_boot_is_as_far_as_its_log_has_said_and_never_less,
    boards::the_boards_of_a_worker_that_is_gone_are_kept_until_it_has_ended_its_jobs,
    boards::a_worker_that_goes_by_a_longer_silence_is_waited_for_as_long,
    boards::a_job_that_its_worker_has_not_begun_begins_only_while_it_is_its_own,
    machines::a_machine_is_a_board_as_long_as_its_worker_offers_it,
    machines::a_machine_that_is_no_board_holds_up_nobody,
    ci::a_user_has_so_many_ci_jobs_and_runs_that_wait_at_most,
}

#[tokio::test]
async fn a_job_whose_pass_would_be_read_by_nobody_is_not_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let url = Store::file_url(&dir.path().join("lava.sqlite"));
    let keyed = |dir: &Path, config: &mut JobsConfig| {
        let file = dir.join("key");
        std::fs::write(&file, "0123456789abcdef".repeat(2)).unwrap();
        config.key_file = Some(file);
    };
    let story = async |server: Server| {
        let console = Some(format!("http://{}:7100/consoles/panda01", "farm1.".repeat(700)));
        let far = BoardDescription { console, ..board() };
        server.put_board(name("panda01"), far, false, "root").await.unwrap();
        let id = submit(&server, JOB).await.id;
        // Its console is nowhere, and so is not told of the lease.
        until(&server, id, |job| job.state == JobState::Scheduling).await;
        let record = server.0.state.lock().await.jobs.live[&id].clone();
        let error = server.work(&record).await.unwrap_err();
        assert!(!error.may_pass(), "the job ends");
        let told = error.to_string();
        assert!(told.contains("the pass for its 1 consoles and outlets has "), "{told}");
    };
    Box::pin(with_jobs(&url, keyed, story)).await;
}

/// Somebody who may have every board, and control what is said.
fn asker(user: &str, on_all: Right) -> Asker {
    let (rights, job) = (Rights::default(), None);
    Asker {
        user: user.into(),
        on_all: Some(on_all),
        on: Box::new(move |_| Some(on_all)),
        rights,
        basis: Default::default(),
        spoken_for: false,
        job,
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn hello(instance: &str, number: u64, jobs: &[u64]) -> WorkerHello {
    let (instance, jobs) = (instance.to_owned(), jobs.iter().copied().collect());
    WorkerHello { instance, number, slots: 4, jobs, ..WorkerHello::default() }
}

/// A lab of one board in a database of its own, with the loop beside the story.
async fn with_lab<F: Future<Output = ()>>(url: &str, story: impl FnOnce(Server) -> F) {
    with_jobs(url, |_, _| {}, story).await;
}

/// The same where jobs are configured in another way, with files in a folder.
async fn with_jobs<F: Future<Output = ()>>(
    url: &str,
    configure: impl FnOnce(&Path, &mut JobsConfig),
    story: impl FnOnce(Server) -> F,
) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = JobsConfig::at(dir.path());
    configure(dir.path(), &mut config);
    let store = Store::open(url).await.unwrap();
    // What lets us in at the boards' daemons: a file that is not there yet.
    let login = Login { token_file: Some(dir.path().join("jobs/token")), ..Login::default() };
    let server = Server::load(store, login, config).await.unwrap();
    server.put_board(name("panda01"), board(), false, "root").await.unwrap();
    write_token(&server, "hunter2");
    let shutdown = CancellationToken::new();
    let story = async {
        story(server.clone()).await;
        shutdown.cancel();
    };
    tokio::join!(server.run(shutdown.clone()), story);
    server.close().await;
}

fn write_token(server: &Server, token: &str) {
    let file = server.0.login.token_file.as_ref().unwrap();
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, token).unwrap();
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
        offered: false,
        health_check: None,
        mac: Default::default(),
        identity: None,
    }
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

/// A job that a worker of this name and number 2 of its greetings runs.
async fn running(server: &Server, worker: &str) -> u64 {
    let id = submit(server, JOB).await.id;
    until(server, id, |job| job.state == JobState::Scheduled).await;
    assert_eq!(started(&greet(server, worker, &hello("a", 1, &[])).await), [id]);
    greet(server, worker, &hello("a", 2, &[id])).await;
    id
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
