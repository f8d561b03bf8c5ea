//! Boots within somebody's lease.

use super::*;
use crate::model::{BoardRequest, BootRequest, BootState, RequestState};
use crate::server::boot::{BootFile, Source};
use crate::server::{Recipient, TheirRights};

/// A boot of alice's in her lease of some boards, which `farm1` has begun with this greeting and the next: the lease
/// and the job.
async fn booting_on(server: &Server, boards: &[&str], number: u64) -> (u64, u64) {
    let alice = asker("alice", Right::Write);
    let specs = boards.iter().map(|board| format!("name={board}")).collect();
    let asked = BoardRequest { specs, length: "1h".into(), ..BoardRequest::default() };
    let lease = server.submit(asked, &alice).await.unwrap().id;
    let mut changes = server.changes();
    let leased = async {
        while server.request(lease).await.unwrap().state != RequestState::Leased {
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), leased).await.unwrap();
    let id = boot(server, boards[0]).await;
    assert_eq!(started(&greet(server, "farm1", &hello("a", number, &[])).await), [id]);
    greet(server, "farm1", &hello("a", number + 1, &[id])).await;
    (lease, id)
}

/// A boot of alice's that waits for a worker.
async fn boot(server: &Server, board: &str) -> u64 {
    let url = "http://127.0.0.1:1/Image";
    let asked = BootRequest { image: url.into(), ramdisk: Some(url.into()), ..Default::default() };
    let file = |part| BootFile { part, source: Source::Url(url.into()), image: None };
    let files = [file("image"), file("ramdisk")];
    let alice = asker("alice", Right::Write);
    let id = server.boot_board(board, &asked, &files, &alice).await.unwrap().id;
    until(server, id, |job| job.state == JobState::Scheduled).await;
    id
}

pub(super) async fn a_lease_that_is_to_end_with_its_boot_ends_whatever_fails_meanwhile(
    server: Server,
) {
    let alice = asker("alice", Right::Write);
    let (lease, id) = booting_on(&server, &["panda01"], 1).await;
    assert!(server.extend(lease, "2h", &alice).await.is_ok());
    assert_eq!(server.release(lease, None, &alice).await.unwrap().state, RequestState::Leased);
    // It is nobody's to go on with.
    let carol = Recipient { user: "carol".into(), rights: TheirRights::Open };
    let told = server.extend(lease, "3h", &alice).await.unwrap_err().to_string();
    assert!(told.ends_with(&format!("ends with its boot, job {id}")), "{told}");
    assert!(server.give(lease, &carol, &alice).await.is_err());
    assert!(server.share(lease, &carol, &alice).await.is_err());

    // The database is away just when the boot ends: its worker tells it again.
    server.0.store.meddle("ALTER TABLE requests RENAME TO away").await;
    let farm1 = name("farm1");
    let end = WorkEnd::default();
    assert!(server.end_work(&farm1, id, &end).await.is_err());
    server.0.store.meddle("ALTER TABLE away RENAME TO requests").await;
    assert_eq!(server.request(lease).await.unwrap().state, RequestState::Leased);
    server.end_work(&farm1, id, &end).await.unwrap();
    assert_eq!(until(&server, id, JobInfo::has_ended).await.canceled_by.unwrap(), "alice");
    assert_eq!(server.request(lease).await.unwrap().state, RequestState::Ended);
    // … or when the job's end is written: what is done already is not in the way.
    let (lease, id) = booting_on(&server, &["panda01"], 3).await;
    server.release(lease, None, &alice).await.unwrap();
    server.0.store.meddle("ALTER TABLE jobs RENAME TO away").await;
    assert!(server.end_work(&farm1, id, &end).await.is_err());
    server.0.store.meddle("ALTER TABLE away RENAME TO jobs").await;
    server.end_work(&farm1, id, &end).await.unwrap();
    assert!(until(&server, id, JobInfo::has_ended).await.has_ended());
    assert_eq!(server.request(lease).await.unwrap().state, RequestState::Ended);
}

pub(super) async fn a_lease_of_two_boards_ends_with_the_last_of_its_boots(server: Server) {
    server.put_board(name("panda02"), board(), false, "root").await.unwrap();
    let (lease, first) = booting_on(&server, &["panda01", "panda02"], 1).await;
    let second = boot(&server, "panda02").await;
    greet(&server, "farm1", &hello("a", 3, &[first])).await;
    greet(&server, "farm1", &hello("a", 4, &[first, second])).await;
    server.release(lease, None, &asker("alice", Right::Write)).await.unwrap();
    for (id, state) in [(first, RequestState::Leased), (second, RequestState::Ended)] {
        assert_eq!(until(&server, id, |_| true).await.state, JobState::Canceling);
        server.end_work(&name("farm1"), id, &WorkEnd::default()).await.unwrap();
        assert_eq!(server.request(lease).await.unwrap().state, state);
    }
}

pub(super) async fn a_boot_is_as_far_as_its_log_has_said_and_never_less(server: Server) {
    let (_, id) = booting_on(&server, &["panda01"], 1).await;
    let farm1 = name("farm1");
    let line = |level: &str, text: &str| {
        let dt = "2026-01-01T00:00:00.000Z";
        format!("{{\"dt\":\"{dt}\",\"lvl\":\"{level}\",\"msg\":\"{text}\"}}\n")
    };
    let mut log = String::new();
    for (more, stage) in [
        (String::new(), BootState::Deploying),
        (line("info", "start: 2 uboot-action (timeout 00:01:00)"), BootState::Booting),
        (line("info", "start: 2.4 auto-login-action (timeout 00:01:00)"), BootState::Login),
        // More than anybody looks back.
        (line("target", &"x".repeat(1000)).repeat(400), BootState::Login),
    ] {
        let offset = log.len() as u64;
        log += &more;
        server.take_log(&farm1, id, "panda01", offset, more.into_bytes()).await.unwrap();
        assert_eq!(until(&server, id, |_| true).await.boot, Some(stage));
    }
    // The list has it from the store.
    let all = server.jobs(None, 10, &asker("root", Right::Control)).await.unwrap().jobs;
    assert_eq!(all[0].boot, Some(BootState::Login));
}
