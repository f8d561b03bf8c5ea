use sqlx::Connection as _;

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
async fn after_a_transaction_that_sqlite_has_ended_by_itself_what_is_written_is_committed() {
    let dir = tempfile::tempdir().unwrap();
    let url = Store::file_url(&dir.path().join("lava.sqlite"));
    let store = Store::open(&url).await.unwrap();
    let row = |id| RequestRow { id, state: "s".into(), ended_us: 0, document: "{}".into() };
    for id in 1..4 {
        // As on a full disk.
        let mut ended = store.pool.begin().await.unwrap();
        sqlx::query("ROLLBACK").execute(&mut *ended).await.unwrap();
        assert!(ended.commit().await.is_err());
        drop(store.pool.begin().await.unwrap());
        store.add_request(&row(id)).await.unwrap();
        store.put_requests(&[row(id)], &[event(id)]).await.unwrap();
        let other = Store::open(&url).await.unwrap();
        assert_eq!(other.last_request().await.unwrap(), id);
        assert_eq!(other.board_events("panda01", 9).await.unwrap().len() as u64, id);
    }
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

/// What a program of each schema has written, which the next ones add to: its documents have what that one knew of.
const ROWS: &[&[&str]] = &[
    &[
        "INSERT INTO boards VALUES ('panda01', '{\"type\":\"panda\"}', 'good', 'it''s fine; \"really\"', '[]')",
        "INSERT INTO board_events VALUES ('panda01', 2, 'alice', 'changed', '–')",
        r#"INSERT INTO daemons VALUES ('http://h:1', '{"kind":"power","host":"h","url":"http://h:1","version":"0.1.0",
            "consoles":[],"outlets":[{"name":"p","pdu":"rack1","port":"1"}]}', 3)"#,
        r#"INSERT INTO requests VALUES (5, 'waiting', 0, '{"info":{"id":5,"state":"waiting","user":"bob",
            "specs":["panda"],"length_s":3600,"priority":50,"submitted_us":1,"ready":false},"audience":["panda01"]}')"#,
        r#"INSERT INTO requests VALUES (6, 'leased', 0, '{"info":{"id":6,"state":"leased","user":"alice",
            "shared_with":["carol"],"specs":["name=panda01"],"length_s":3600,"priority":50,"reason":"a kernel",
            "submitted_us":1,"heartbeat_s":60,"boards":["panda01"],"since_us":2,"until_us":4102444800000000,
            "ready":true}}')"#,
        r#"INSERT INTO requests VALUES (7, 'ended', 50, '{"info":{"id":7,"state":"ended","user":"alice",
            "specs":["panda"],"length_s":7200,"priority":50,"submitted_us":1,"boards":["panda01"],"since_us":2,
            "until_us":60,"ready":true,"ending":"released","ended_us":50},"audience":["panda01"]}')"#,
        "INSERT INTO told VALUES ('panda01', 'http://h:1/outlets/p', 'alice', 9)",
    ],
    &[
        "INSERT INTO users VALUES ('alice', '[\"kernel\"]', '[[\"panda*\",\"write\"]]')",
        "INSERT INTO user_groups VALUES ('kernel', '[[\"*\",\"see\"]]')",
        "INSERT INTO tokens VALUES ('sha256:abababababababababababababababababababababababababababababababab', 'alice', 'see',
            '', 1, 0)",
    ],
    &["INSERT INTO told_parts VALUES ('panda01', 'serial', 'http://h:2/consoles/p', 'bob', 9)"],
    &[
        r#"INSERT INTO jobs VALUES (2, 'running', 0, '{"info":{"id":2,"name":"smoke","user":"alice","state":"running",
            "health":"unknown","priority":50,"specs":["panda"],"boards":[{"name":"panda01"}],"request":6,
            "worker":"farm1","submitted_us":1,"started_us":2},"audience":["panda01"],"roles":[null],"length_s":3600,
            "viewers":{"groups":["kernel"]},"instance":"a"}', 'job_name: smoke')"#,
        r#"INSERT INTO jobs VALUES (3, 'finished', 60, '{"info":{"id":3,"name":"é","user":"alice","state":"finished",
            "health":"complete","priority":50,"specs":["panda"],"boards":[{"name":"panda01"}],"request":7,
            "worker":"farm1","submitted_us":1,"started_us":2,"ended_us":60,
            "tally":{"pass":1,"fail":0,"skip":0,"unknown":0}},"roles":[null],"length_s":3600}', 'job_name: "é"')"#,
    ],
    &["INSERT INTO images VALUES ('linux', 'abababababababababababababababababababababababababababababababab', 5,
        'alice', '', 1, 9223372036854775807)"],
    &[r#"INSERT INTO ci_jobs VALUES ('smoke', '{"name":"smoke","user":"alice","git":"https://h/smoke.git",
        "script":"smoke.py"}')"#],
    &[
        "INSERT INTO files VALUES ('cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd', 6, 'bob')",
        "INSERT INTO image_place VALUES ('a place')",
    ],
    &[r#"INSERT INTO images VALUES ('vm', 'cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd', 6, 'bob',
        '', 1, 0, '{"arch":"x86_64","disk":10737418240}')"#],
];

/// A database as the program of a schema has left it.
pub(crate) async fn of_schema(url: &str, version: i64) {
    Store::open(url).await.unwrap().close().await;
    let mut session = AnyConnection::connect(url).await.unwrap();
    assert!(schema::clear(&mut session).await.is_ok());
    let mut now = 0;
    for (number, rows) in (1..=version).zip(ROWS) {
        schema::step(&mut session, now, number).await.unwrap();
        now = number;
        for row in *rows {
            sqlx::query(*row).execute(&mut session).await.unwrap();
        }
    }
    session.close().await.unwrap();
}

/// What is there of all that they wrote.
async fn nothing_is_lost(url: &str, version: i64) {
    let store = Store::open(url).await.unwrap();
    assert_eq!(store.boards().await.unwrap(), [board("good")]);
    assert_eq!(store.board_events("panda01", 9).await.unwrap(), [event(2)]);
    assert_eq!(store.daemons().await.unwrap()[0].seen_us, 3);
    assert_eq!(store.last_request().await.unwrap(), 7);
    let told = store.told().await.unwrap();
    assert!(told.iter().any(|told| told.part == "power" && told.holders == "alice"), "{told:?}");
    assert_eq!(store.groups_of("alice").await.unwrap().len(), usize::from(version >= 2));
    assert_eq!(store.tokens().await.unwrap().len(), usize::from(version >= 2));
    assert_eq!(told.len(), if version >= 3 { 2 } else { 1 });
    let definition = store.job_definition(3).await.unwrap();
    assert_eq!(definition.as_deref(), (version >= 4).then_some("job_name: \"é\""));
    let images = store.images().await.unwrap();
    assert_eq!(
        images.first().map(|image| image.until_us),
        (version >= 5).then_some(i64::MAX as u64)
    );
    assert_eq!(images.first().map(|image| image.vm.as_str()), (version >= 5).then_some(""));
    let disks = images.iter().filter(|image| !image.vm.is_empty());
    assert_eq!(disks.count(), usize::from(version >= 8));
    assert_eq!(store.ci_jobs().await.unwrap().len(), usize::from(version >= 6));
    // The files of images are known from then on.
    let files = usize::from(version >= 5) + usize::from(version >= 7);
    assert_eq!(store.files().await.unwrap().len(), files);
    assert_eq!(store.place_mark().await.unwrap().is_some(), version >= 7);
    store.close().await;
}

/// Of each schema that there was, by the way of a restart and by that of a backup.
async fn older_schemas_become_ours(url: &str, other: &str) {
    assert_eq!(ROWS.len(), VERSION as usize, "each step needs rows that it has to carry");
    for version in 1..=VERSION {
        of_schema(url, version).await;
        let mut backup = Vec::new();
        let rows = Store::dump(url, &mut backup).await.unwrap();
        nothing_is_lost(url, version).await;
        empty(other).await;
        assert_eq!(Store::restore(other, &mut &*backup).await.unwrap(), rows);
        nothing_is_lost(other, version).await;
        // It is read into an empty one only, and nothing is read of one that is cut.
        let told = Store::restore(other, &mut &*backup).await.unwrap_err().to_string();
        assert!(told.starts_with("the database has board_events already"), "{told}");
        empty(other).await;
        let cut = &backup[..backup.len() - 20];
        let told = Store::restore(other, &mut &*cut).await.unwrap_err().to_string();
        assert!(told.starts_with(&format!("line {}: ", rows_of(cut))), "{told}");
        assert_eq!(Store::open(other).await.unwrap().boards().await.unwrap(), []);
        empty(url).await;
    }
}

fn rows_of(backup: &[u8]) -> usize {
    backup.split_inclusive(|byte| *byte == b'\n').count()
}

async fn empty(url: &str) {
    let store = Store::open(url).await.unwrap();
    for table in schema::tables(VERSION) {
        sqlx::query(sqlx::AssertSqlSafe(format!("DELETE FROM {table}")))
            .execute(&store.pool)
            .await
            .unwrap();
    }
    store.close().await;
}

#[tokio::test]
async fn every_older_schema_becomes_ours_and_goes_through_a_backup() {
    let dir = tempfile::tempdir().unwrap();
    let url = |name: &str| Store::file_url(&dir.path().join(name));
    older_schemas_become_ours(&url("lava.sqlite"), &url("other.sqlite")).await;
}

#[tokio::test]
async fn every_older_schema_becomes_ours_on_postgresql_too() {
    let postgres = Postgres::start();
    older_schemas_become_ours(&postgres.url(), &postgres.database("other")).await;
}

/// A server's turn with a database, as soon as nobody else has it.
async fn turn(url: &str) -> (Hold, Store) {
    loop {
        match Turn::with(url).await {
            Ok(Turn::Ours(hold)) => {
                let store = Store::open(url).await.unwrap().under(&hold);
                return (hold, store);
            }
            Ok(Turn::Theirs(_)) | Err(StoreError::Silent) => {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn what_comes_late_of_a_server_that_had_the_database_before_is_not_written() {
    let postgres = Postgres::start();
    let url = postgres.url();
    let row =
        |state: &str| RequestRow { id: 7, state: state.into(), ended_us: 0, document: "{}".into() };
    let (hold, first) = turn(&url).await;
    first.add_request(&row("waiting")).await.unwrap();
    // It is paused in the middle of a change, and loses the database meanwhile.
    let mut paused = first.change().await.unwrap();
    let late = "UPDATE requests SET state = 'late'";
    sqlx::query("SET LOCAL idle_in_transaction_session_timeout = '300ms'")
        .execute(&mut *paused)
        .await
        .unwrap();
    sqlx::query(late).execute(&mut *paused).await.unwrap();
    drop(hold);
    let (_hold, next) = turn(&url).await;
    next.put_requests(&[row("leased")], &[]).await.unwrap();
    assert!(paused.commit().await.is_err());
    // It still believes in itself: what it has decided before is not written either.
    first.check_trust().unwrap();
    let lost =
        |done: Result<(), StoreError>| assert!(matches!(done, Err(StoreError::Lost)), "{done:?}");
    lost(first.put_requests(&[row("late")], &[event(1)]).await);
    lost(first.put_board(&board("bad"), &event(1)).await);
    lost(first.add_request(&RequestRow { id: 8, ..row("late") }).await);
    assert_eq!(next.requests(0).await.unwrap(), [row("leased")]);
    assert_eq!(next.boards().await.unwrap(), []);
}

#[tokio::test]
async fn what_is_no_backup_is_refused_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let url = Store::file_url(&dir.path().join("lava.sqlite"));
    let head = r#"{"lava_backup":1,"schema":1,"made_us":0,"version":"0"}"#;
    for (text, told) in [
        ("", "line 1: it is empty"),
        ("hello\n", "line 1: this is no line of a backup of lava-server"),
        (
            "{\"lava_backup\":2,\"schema\":1,\"made_us\":0,\"version\":\"0\"}\n",
            "line 1: this program reads",
        ),
        (&head.replace(":1,\"made", ":99,\"made"), "the database is of schema 99"),
        (&format!("{head}\n[1]\n"), "line 2: the row is of no table"),
        (
            &format!("{head}\n{{\"table\":\"x; DROP\",\"columns\":[\"a\"]}}\n"),
            "line 2: no table has",
        ),
        (
            &format!("{head}\n{{\"table\":\"x\",\"columns\":[\"a\"]}}\n[1]\n"),
            "line 3: the database: ",
        ),
        (&format!("{head}\n{{\"end\":true,\"rows\":7}}\n"), "line 2: 0 rows came of 7"),
    ] {
        let refused = Store::restore(&url, &mut text.as_bytes()).await.unwrap_err().to_string();
        assert!(refused.starts_with(told), "{text:?}: {refused}");
    }
    let nowhere = Store::file_url(&dir.path().join("nowhere.sqlite"));
    assert!(Store::dump(&nowhere, &mut Vec::new()).await.is_err());
    assert!(!dir.path().join("nowhere.sqlite").exists());
}
