//! Virtual machines that workers offer.

use super::*;
use crate::model::Machine;

/// A greeting that offers machines of these names.
fn offering(instance: &str, number: u64, names: &[&str]) -> WorkerHello {
    let attributes = [("arch".to_owned(), "x86_64".to_owned())].into();
    let (kind, tags, dictionary) = (name("vm-x86"), Default::default(), None);
    let machine = Machine { kind, tags, attributes, dictionary };
    let machines = names.iter().map(|it| (name(it), machine.clone())).collect();
    WorkerHello { machines, ..hello(instance, number, &[]) }
}

pub(super) async fn a_machine_is_a_board_as_long_as_its_worker_offers_it(server: Server) {
    let away = async || server.board("vm01").await.unwrap().away;
    let conflicts = async |at: usize| server.workers().await[at].conflicts.clone();
    greet(&server, "farm1", &offering("a", 1, &["vm01", "panda01"])).await;
    let board = server.board("vm01").await.unwrap();
    assert_eq!((board.worker, board.offered, board.away), (Some(name("farm1")), true, None));
    assert_eq!((board.kind, board.attributes["arch"].as_str()), (name("vm-x86"), "x86_64"));
    // What the admin has described is the admin's, and what another one offers is that one's.
    assert!(!server.board("panda01").await.unwrap().offered);
    let why = "panda01: a board of this name was described here, and that counts";
    assert_eq!(conflicts(0).await, [why]);
    greet(&server, "farm2", &offering("b", 1, &["vm01"])).await;
    assert_eq!(conflicts(1).await, ["vm01: worker farm1 offers one of this name"]);

    greet(&server, "farm1", &offering("a", 2, &[])).await;
    let told = "its worker farm1 does not offer it any more";
    assert_eq!(away().await.as_deref(), Some(told));
    greet(&server, "farm1", &offering("a", 3, &["vm01"])).await;
    assert_eq!(away().await, None);
    // One that was sent before and comes late counts no more.
    greet(&server, "farm1", &offering("a", 2, &[])).await;
    assert_eq!(away().await, None);
    server.0.workers.quiet_for(server.0.config.worker_gone);
    server.changed();
    let silent = async {
        while away().await.as_deref() != Some("nothing is heard of its worker farm1 any more") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), silent).await.unwrap();
    greet(&server, "farm1", &offering("a", 4, &["vm01"])).await;
    assert_eq!(away().await, None);
    let words = async || -> Vec<String> {
        let history = server.history("vm01").await.unwrap();
        history.into_iter().map(|record| record.what).collect()
    };
    let written = async {
        while words().await != ["added", "away", "back", "away", "back"] {
            tokio::task::yield_now().await;
        }
    };
    let written = tokio::time::timeout(std::time::Duration::from_secs(30), written).await;
    assert!(written.is_ok(), "{:?}", words().await);

    // Who describes it has it from then on.
    server.put_board(name("vm01"), board_of("x15"), true, "root").await.unwrap();
    greet(&server, "farm1", &offering("a", 5, &["vm01"])).await;
    let board = server.board("vm01").await.unwrap();
    assert_eq!((board.kind, board.offered), (name("x15"), false));
    assert_eq!(
        conflicts(0).await,
        ["vm01: a board of this name was described here, and that counts"]
    );
    server.remove_board("vm01", "root").await.unwrap();
    greet(&server, "farm1", &offering("a", 6, &["vm01"])).await;
    assert!(server.board("vm01").await.unwrap().offered);
}

fn board_of(kind: &str) -> BoardDescription {
    BoardDescription { kind: name(kind), ..board() }
}

pub(super) async fn a_machine_that_is_no_board_holds_up_nobody(server: Server) {
    let mut hello = offering("a", 1, &["vm01", "vm02"]);
    let wrong = hello.machines.get_mut("vm01").unwrap();
    wrong.tags.insert("two words".into());
    greet(&server, "farm1", &hello).await;
    let told = server.workers().await[0].conflicts.clone();
    assert!(told.len() == 1 && told[0].starts_with("vm01: \"two words\": a tag"), "{told:?}");
    assert!(server.board("vm01").await.is_err() && server.board("vm02").await.unwrap().offered);
    let names: Vec<String> = (0..300).map(|at| format!("vm{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    greet(&server, "farm1", &offering("a", 2, &names)).await;
    let told = server.workers().await[0].conflicts.clone();
    assert_eq!(told, ["256 machines are taken of a worker, and 44 are not"]);
}
