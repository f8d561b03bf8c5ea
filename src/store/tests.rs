use super::postgres::Postgres;
use super::*;

fn board(health: &str) -> BoardRow {
    BoardRow {
        name: "panda01".into(),
        description: r#"{"type":"panda"}"#.into(),
        health: health.into(),
        reason: "it's fine; \"really\"".into(),
        windows: "[]".into(),
    }
}

fn event(time_us: u64) -> EventRow {
    let (who, what, detail) = ("alice".into(), "changed".into(), "–".into());
    EventRow { board: "panda01".into(), time_us, who, what, detail }
}

/// What has to hold on every database.
async fn all_is_remembered(store: &Store) {
    store.put_board(&board("unknown"), &event(1)).await.unwrap();
    store.put_board(&board("good"), &event(2)).await.unwrap();
    assert_eq!(store.boards().await.unwrap(), [board("good")]);
    store.remove_board(&event(3)).await.unwrap();
    assert_eq!(store.boards().await.unwrap(), []);
    assert_eq!(store.board_events("panda01", 2).await.unwrap(), [event(2), event(3)]);
    assert_eq!(store.last_request().await.unwrap(), 0);
    let row = |state: &str, ended_us| RequestRow {
        id: 7,
        state: state.into(),
        ended_us,
        document: "{}".into(),
    };
    store.add_request(&row("waiting", 0)).await.unwrap();
    assert!(store.add_request(&row("waiting", 0)).await.is_err(), "it is there already");
    store.put_requests(&[row("waiting", 0)], &[event(4)]).await.unwrap();
    assert_eq!(store.requests(u64::MAX).await.unwrap(), [row("waiting", 0)]);
    store.put_requests(&[row("ended", 50)], &[]).await.unwrap();
    assert_eq!(store.requests(51).await.unwrap(), []);
    assert_eq!(store.requests(50).await.unwrap(), [row("ended", 50)]);
    assert_eq!(store.ended_requests(50, 1).await.unwrap(), [row("ended", 50)]);
    assert_eq!(store.ended_requests(0, 0).await.unwrap(), []);
    assert_eq!(store.request(7).await.unwrap(), Some(row("ended", 50)));
    store.add_request(&RequestRow { id: 8, ..row("waiting", 0) }).await.unwrap();
    store.forget_before(50).await.unwrap();
    assert!(store.request(7).await.unwrap().is_some(), "it has ended later");
    store.forget_before(51).await.unwrap();
    let left = [store.request(7).await.unwrap(), store.request(8).await.unwrap()];
    assert_eq!(left.map(|row| row.map(|row| row.id)), [None, Some(8)]);
    assert_eq!(store.board_events("panda01", 9).await.unwrap(), []);
    assert_eq!(store.last_request().await.unwrap(), 8);
    let told = |part: &str| ToldRow {
        board: "panda01".into(),
        part: part.into(),
        url: "http://h:1/outlets/p".into(),
        holders: "alice\nbob".into(),
        until_us: 9,
    };
    for part in ["power", "serial", "power"] {
        store.put_told(&told(part)).await.unwrap();
    }
    assert_eq!(store.told().await.unwrap().len(), 2);
    store.remove_told("panda01", "power").await.unwrap();
    assert_eq!(store.told().await.unwrap(), [told("serial")]);
    store.remove_told("panda01", "serial").await.unwrap();
    assert_eq!(store.told().await.unwrap(), []);
    let daemon = DaemonRow { url: "http://h:1".into(), announcement: "{}".into(), seen_us: 3 };
    store.put_daemon(&daemon).await.unwrap();
    store.put_daemon(&daemon).await.unwrap();
    assert_eq!(store.daemons().await.unwrap(), [daemon]);
    store.remove_daemon("http://h:1").await.unwrap();
}

#[tokio::test]
async fn sqlite_remembers_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let url = Store::file_url(&dir.path().join("100% ours?.sqlite"));
    let store = Store::open(&url).await.unwrap();
    all_is_remembered(&store).await;
    store.put_board(&board("bad"), &event(5)).await.unwrap();
    store.close().await;
    let store = Store::open(&url).await.unwrap();
    assert_eq!(store.boards().await.unwrap(), [board("bad")]);
    assert!(dir.path().join("100% ours?.sqlite").exists());
}

#[tokio::test]
async fn postgresql_remembers_the_same() {
    let postgres = Postgres::start();
    let store = Store::open(&postgres.url()).await.unwrap();
    all_is_remembered(&store).await;
    store.close().await;
}

#[tokio::test]
async fn what_a_newer_program_has_written_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let url = Store::file_url(&dir.path().join("lava.sqlite"));
    let store = Store::open(&url).await.unwrap();
    sqlx::query("UPDATE lava_schema SET version = 99").execute(&store.pool).await.unwrap();
    store.close().await;
    let told = Store::open(&url).await.unwrap_err().to_string();
    assert!(told.starts_with("the database is of schema 99, and this program knows"), "{told}");
}

#[tokio::test]
async fn what_is_no_database_is_said_without_its_password() {
    let told = Store::open("mysql://lava:secret@db/lava").await.unwrap_err().to_string();
    assert!(told.contains("mysql://…@db/lava") && !told.contains("secret"), "{told}");
}
