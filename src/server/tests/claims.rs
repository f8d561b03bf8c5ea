//! Who may have what, when that changes.

use super::*;
use crate::model::{Name, Rights};
use crate::sched::Decision;

fn write(boards: &str) -> Rights {
    Rights::of(boards.parse().unwrap(), Right::Write)
}

/// Somebody who may have these boards, as it is known here or as another one says.
fn user(name: &str, rights: &Rights, spoken_for: bool) -> Asker {
    let on = rights.clone();
    Asker {
        on_all: rights.on_all(),
        on: Box::new(move |board| on.on_board(board, None)),
        rights: rights.clone(),
        spoken_for,
        ..alice(name)
    }
}

async fn put(server: &Server, name: &str) {
    server.put_board(name.parse().unwrap(), panda(), true, "root").await.unwrap();
    server.pass().await.unwrap();
}

#[tokio::test]
async fn who_is_spoken_for_keeps_what_the_speaker_has_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _shutdown) = lab(dir.path()).await;
    let local = Some(Rights::of("*".parse().unwrap(), Right::See));
    let names = |name: &str| [(name.parse::<Name>().unwrap(), write("beagle*"))].into();
    server.let_in(LetIn::Those { names: names("carol"), local }).await;
    for name in ["panda01", "panda02"] {
        put(&server, name).await;
    }
    // Neither somebody whom only the speaker knows, nor somebody who may do less here.
    for name in ["alice", "carol"] {
        let asker = user(name, &write("panda*"), true);
        let has = server.submit(ask("panda", "1h"), &asker).await.unwrap();
        server.pass().await.unwrap();
        put(&server, &format!("{name}01")).await;
        assert_eq!(server.request(has.id).await.unwrap().state, RequestState::Leased, "{name}");
    }
}

#[tokio::test]
async fn what_is_booked_is_not_replaced_by_what_its_user_may_not_have_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _shutdown) = lab(dir.path()).await;
    for name in ["panda01", "panda02"] {
        put(&server, name).await;
    }
    let let_in = async |rights: Rights| {
        let names = [("bob".parse().unwrap(), rights)].into();
        server.let_in(LetIn::Those { names, local: None }).await;
    };
    let may = write("panda*");
    let_in(may.clone()).await;
    let start_us = in_hours(2);
    let booking = BoardRequest { start_us: Some(start_us), ..ask("panda", "1h") };
    let booked = server.submit(booking, &user("bob", &may, false)).await.unwrap();
    server.pass().await.unwrap();
    let booked = server.request(booked.id).await.unwrap();
    assert_eq!(booked.state, RequestState::Booked);
    let board = booked.boards[0].clone();
    let_in(write(board.as_str())).await;
    server.pass().await.unwrap();
    let mut state = server.0.state.lock().await;
    assert_eq!(
        state.requests[&booked.id].info.boards,
        std::slice::from_ref(&board),
        "it is still booked"
    );
    let ix = state.boards[&board].ix;
    state.lab.set_usable(ix, false);
    let pass = state.lab.pass(start_us / 1_000_000);
    let lease =
        |it: &&Decision| matches!(it, Decision::Lease { request, .. } if *request == booked.id);
    assert_eq!(pass.decisions.iter().find(lease), None);
}

#[tokio::test]
async fn who_waits_for_boards_of_a_type_hears_of_new_ones_whoever_else_has_booked_one() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _shutdown) = lab(dir.path()).await;
    put(&server, "panda01").await;
    let may = write("panda*");
    let names = [("bob".parse().unwrap(), may.clone())].into();
    server.let_in(LetIn::Those { names, local: None }).await;
    server.pass().await.unwrap();
    let bob = user("bob", &may, false);
    let has = server.submit(ask("panda", "1h"), &bob).await.unwrap();
    let waits = server.submit(ask("panda", "1h"), &bob).await.unwrap();
    put(&server, "panda02").await;
    for (id, board) in [(has.id, "panda01"), (waits.id, "panda02")] {
        assert_eq!(server.request(id).await.unwrap().boards, [board.parse::<Name>().unwrap()]);
    }
    // Nothing of it was written but the leases: it is made anew at a start.
    server.close().await;
    let (server, _shutdown) = lab(dir.path()).await;
    let state = server.0.state.lock().await;
    assert_eq!(state.requests[&waits.id].info.state, RequestState::Leased);
}
