//! Members and their coordinator, in memory and over a socket.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::coordinator::{Coordinator, Socket, connect};
use super::group::Ask;
use super::member::{Member, Seat};
use crate::dispatch::error::Error;

fn seat(name: &str, role: &str, size: usize) -> Seat {
    Seat {
        name: name.into(),
        role: role.into(),
        size,
        essential: role == "host",
        timeout: Some(60),
        start_after: None,
        start_timeout: None,
    }
}

fn sync(id: &str) -> Ask {
    Ask::Sync { id: id.into() }
}

async fn pair(coordinator: &Coordinator, roles: [&str; 2]) -> [Member; 2] {
    let [a, b] = [("a", roles[0]), ("b", roles[1])]
        .map(|(name, role)| Member::join(coordinator.connect(), "g", seat(name, role, 2)));
    let (a, b) = tokio::join!(a, b);
    [a.unwrap(), b.unwrap()]
}

#[tokio::test]
async fn members_meet_in_one_process_and_over_a_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("group");
    let (coordinator, cancelled) = (Coordinator::default(), CancellationToken::new());
    let socket = Socket::bind(&path).unwrap();
    let listening = coordinator.serve_socket(socket, &cancelled);
    let meeting = async {
        let far = Member::join(connect(&path).await.unwrap(), "g", seat("a", "client", 2));
        let near = Member::join(coordinator.connect(), "g", seat("b", "server", 2));
        let (far, near) = tokio::join!(far, near);
        let (far, near) = (far.unwrap(), near.unwrap());
        assert_eq!(far.members.iter().map(|who| who.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let data = [("ip".to_owned(), "10.0.0.1".to_owned())].into();
        near.call(Ask::Send { id: "up".into(), data }, None).await.unwrap();
        let got = far.call(Ask::Wait { id: "up".into() }, None).await.unwrap();
        assert_eq!((got[0].member.as_str(), got[0].value.as_str()), ("b", "10.0.0.1"));
        let (one, other) = tokio::join!(far.call(sync("s"), None), near.call(sync("s"), None));
        assert!(one.is_ok() && other.is_ok());
        cancelled.cancel();
    };
    tokio::join!(listening, meeting);
    assert!(!path.exists(), "the socket is left behind");
}

#[tokio::test]
async fn a_member_whose_process_is_gone_fails_the_one_that_waits_for_it() {
    let [a, b] = pair(&Coordinator::default(), ["client", "server"]).await;
    let waiting = a.call(sync("start"), None);
    drop(b);
    let error = waiting.await.unwrap_err();
    assert_eq!(
        error,
        Error::Group("b (server) has failed without \"start\": its dispatcher is gone".into())
    );
    assert!(!error.is_worth_a_retry());
}

#[tokio::test]
async fn an_essential_member_that_fails_ends_all_wherever_they_are() {
    let [host, guest] = pair(&Coordinator::default(), ["host", "guest"]).await;
    host.end(Some(&Error::Dead("the kernel panicked".into()))).await;
    let why = guest.lost().await;
    assert!(why.contains("a (host)") && why.ends_with("the kernel panicked"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_has_its_own_limit() {
    let [a, _b] = pair(&Coordinator::default(), ["client", "server"]).await;
    let error = a.call(sync("s"), Some(Duration::from_secs(5))).await.unwrap_err();
    assert_eq!(error.class(), "MultinodeTimeout");
    assert!(error.to_string().contains("\"lava-sync s\""), "{error}");
    let late = Member::join(Coordinator::default().connect(), "g", seat("a", "client", 2)).await;
    assert!(late.unwrap_err().to_string().contains("not complete after 60 s"));
}

#[tokio::test]
async fn a_stranger_is_refused_with_the_reason() {
    let coordinator = Coordinator::default();
    let _members = pair(&coordinator, ["client", "server"]).await;
    for (seat, why) in [
        (seat("c", "client", 2), "has all of its 2 members"),
        (seat("c", "client", 3), "is one of 2 members"),
        (seat("c", "client", 0), "a group has 1 to 64 members"),
    ] {
        let error = Member::join(coordinator.connect(), "g", seat).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}
