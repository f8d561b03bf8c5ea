mod claims;

use std::time::Duration;

use super::*;
use crate::config::server::ImagesConfig;
use crate::model::{
    AnnouncedOutlet, Announcement, BoardDescription, BoardHealth, BoardRequest, DaemonKind, Ending,
    JobState, RequestState,
};
use crate::store::{VERSION, tests::of_schema};

fn alice(user: &str) -> Asker {
    Asker {
        user: user.into(),
        on_all: Some(Right::Control),
        on: Box::new(|_| Some(Right::Control)),
        rights: Rights::default(),
        basis: Default::default(),
        spoken_for: false,
        job: None,
    }
}

fn panda() -> BoardDescription {
    BoardDescription {
        kind: "panda".parse().unwrap(),
        tags: ["hdmi".to_owned()].into(),
        attributes: Default::default(),
        console: None,
        outlet: None,
        dictionary: None,
        worker: None,
        offered: false,
        health_check: None,
        mac: Default::default(),
        identity: None,
    }
}

fn ask(spec: &str, length: &str) -> BoardRequest {
    BoardRequest { spec: spec.into(), length: length.into(), ..BoardRequest::default() }
}

/// A lab of two pandas in a database of its own, and the loop.
async fn lab(dir: &std::path::Path) -> (Server, CancellationToken) {
    let store = Store::open(&Store::file_url(&dir.join("lava.sqlite"))).await.unwrap();
    let server = Server::load(store, Login::default(), JobsConfig::at(dir)).await.unwrap();
    let shutdown = CancellationToken::new();
    (server, shutdown)
}

use tokio_util::sync::CancellationToken;

/// Follows a request until it is so.
async fn until(server: &Server, id: u64, is: impl Fn(&crate::model::RequestInfo) -> bool) {
    let mut changes = server.changes();
    let found = async {
        while !is(&server.request(id).await.unwrap()) {
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), found).await.unwrap();
}

#[tokio::test]
async fn who_waits_is_told_why_and_gets_the_board_when_it_is_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let (server, shutdown) = lab(dir.path()).await;
    let story = async {
        server.put_board("panda01".parse().unwrap(), panda(), true, "root").await.unwrap();
        let asked = BoardRequest { heartbeat: Some("90s".into()), ..ask("panda", "2h") };
        let hers = server.submit(asked, &alice("alice")).await.unwrap();
        until(&server, hers.id, |it| it.state == RequestState::Leased).await;
        let his = server.submit(ask("panda tag=hdmi", "1h"), &alice("bob")).await.unwrap();
        let waiting = his.waiting.unwrap();
        assert!(waiting.why.contains("panda01 is alice's until 20"), "{}", waiting.why);
        assert_eq!(waiting.position, 1);
        let none = server.submit(ask("panda ram>=4GB", "1h"), &alice("bob")).await.unwrap();
        let why = none.waiting.unwrap().why;
        assert_eq!(why, "no board that you may have answers to ram>=4GB");
        assert!(server.extend(hers.id, "4h", &alice("alice")).await.is_err());
        let carol = Recipient { user: "carol".into(), rights: TheirRights::Open };
        let given = server.give(hers.id, &carol, &alice("alice")).await.unwrap();
        assert_eq!((given.user.as_str(), given.heartbeat_s), ("carol", None));
        server.release(hers.id, None, &alice("carol")).await.unwrap();
        until(&server, his.id, |it| it.state == RequestState::Leased).await;
        let hers = server.request(hers.id).await.unwrap();
        assert_eq!(hers.ending, Some(Ending::Released));
        assert_eq!(server.board("panda01").await.unwrap().lease.unwrap().id, his.id);
    };
    tokio::select! {
        () = server.run(shutdown) => {}
        () = story => {}
    }
    server.close().await;

    // All of it is still so after a restart.
    let (server, shutdown) = lab(dir.path()).await;
    let board = server.board("panda01").await.unwrap();
    assert_eq!(board.lease.unwrap().lease.holder, "bob");
    let story = async {
        let hers = server.submit(ask("panda", "1h"), &alice("alice")).await.unwrap();
        assert_eq!(hers.id, 4);
        let all = server.requests(false).await.unwrap();
        assert_eq!(all.len(), 3, "{all:?}");
        let history = server.history("panda01").await.unwrap();
        let what: Vec<_> = history.iter().map(|it| it.what.as_str()).collect();
        assert_eq!(what, ["added", "leased", "released", "leased"]);
        let refused = server.remove_board("panda01", "root").await.unwrap_err();
        assert_eq!(refused.to_string(), "panda01 is leased by bob (request 2)");
    };
    tokio::select! {
        () = server.run(shutdown) => {}
        () = story => {}
    }
}

#[tokio::test]
async fn a_board_that_is_away_bad_or_leased_elsewhere_is_given_to_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _shutdown) = lab(dir.path()).await;
    let outlet = AnnouncedOutlet {
        name: "p1".parse().unwrap(),
        pdu: "rack1".parse().unwrap(),
        port: "7".into(),
        lease: None,
    };
    let announced = |outlets: Vec<AnnouncedOutlet>| Announcement {
        kind: DaemonKind::Power,
        host: "farm1".parse().unwrap(),
        url: "http://127.0.0.1:7200".into(),
        version: "1".into(),
        instance: String::new(),
        consoles: Vec::new(),
        outlets,
        used: Default::default(),
    };
    let name = "panda01".parse().unwrap();
    let described = BoardDescription { outlet: Some("rack1/7".into()), ..panda() };
    let info = server.put_board(name, described.clone(), true, "root").await.unwrap();
    assert_eq!(info.away.as_deref(), Some("no daemon has announced outlet rack1/7"));
    server.announce(announced(vec![outlet.clone()]), true).await.unwrap();
    let info = server.board("panda01").await.unwrap();
    assert_eq!(
        (info.away, info.outlet_url.as_deref()),
        (None, Some("http://127.0.0.1:7200/outlets/p1"))
    );
    let same = server.put_board("panda02".parse().unwrap(), described, true, "root").await;
    assert_eq!(same.unwrap_err().to_string(), "rack1/7 is the outlet of panda01 already");

    let lease = crate::model::Lease {
        holder: "bob".into(),
        shared_with: Vec::new(),
        since_us: 1,
        until_us: u64::MAX / 2,
        reason: None,
    };
    server
        .announce(announced(vec![AnnouncedOutlet { lease: Some(lease), ..outlet.clone() }]), true)
        .await
        .unwrap();
    let away = server.board("panda01").await.unwrap().away.unwrap();
    assert!(away.starts_with("bob has leased it at its outlet until"), "{away}");
    server.announce(announced(vec![outlet]), true).await.unwrap();
    server.set_health("panda01", BoardHealth::Bad, "no SD card", "root").await.unwrap();
    let waits = server.submit(ask("panda", "1h"), &alice("alice")).await.unwrap();
    assert_eq!(waits.waiting.unwrap().why, "not to be had: panda01 is bad (no SD card)");
}

#[tokio::test]
async fn a_daemon_that_says_nothing_any_more_is_dead_until_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _shutdown) = lab(dir.path()).await;
    let announcement = |url: &str| Announcement {
        kind: DaemonKind::Serial,
        host: "farm1".parse().unwrap(),
        url: url.into(),
        version: String::new(),
        instance: String::new(),
        consoles: vec!["c1".parse().unwrap()],
        outlets: Vec::new(),
        used: Default::default(),
    };
    server.announce(announcement("http://h:1"), true).await.unwrap();
    let described = BoardDescription { console: Some("farm1/c1".into()), ..panda() };
    server.put_board("panda01".parse().unwrap(), described, true, "root").await.unwrap();
    let away = async |silence: Duration| {
        server.0.daemons.quiet_for(silence);
        let mut state = server.0.state.lock().await;
        state.age(&server.0.daemons);
        state.look();
        state.boards["panda01"].away.clone()
    };
    assert_eq!(away(STALE - Duration::from_secs(5)).await, None);
    let told = away(STALE).await.unwrap();
    assert_eq!(told, "nothing is heard of lava-serial on farm1 any more");
    server.pass().await.unwrap();
    // It is back, and somewhere else.
    server.announce(announcement("unix:/run/new.sock"), true).await.unwrap();
    let board = server.board("panda01").await.unwrap();
    assert_eq!(
        (board.away, board.console_url.as_deref()),
        (None, Some("unix:/run/new.sock:/consoles/c1"))
    );
    assert_eq!(server.daemons().await.len(), 1);
    server.pass().await.unwrap();
    let history = server.history("panda01").await.unwrap();
    let history: Vec<_> = history.iter().map(|it| (it.what.as_str(), it.detail.as_str())).collect();
    assert_eq!(history[1..], [("away", told.as_str()), ("back", "")]);
    // One that begins anew while it is away has nothing to add, until it is heard of again.
    away(STALE).await.unwrap();
    server.pass().await.unwrap();
    drop(server);
    let (server, _shutdown) = lab(dir.path()).await;
    let words = async || -> Vec<String> {
        server.pass().await.unwrap();
        let history = server.history("panda01").await.unwrap();
        history.into_iter().skip(1).map(|it| it.what).collect()
    };
    let before = ["away", "back", "away"];
    assert_eq!(words().await, before);
    server.0.daemons.say("unix:/run/new.sock".into(), announcement("unix:/run/new.sock"));
    server.0.daemons.quiet_for(STALE);
    {
        let mut state = server.0.state.lock().await;
        state.age(&server.0.daemons);
        state.look();
        assert_eq!(state.boards["panda01"].away.as_deref(), Some(told.as_str()));
    }
    assert_eq!(words().await, before);
    server.announce(announcement("unix:/run/new.sock"), true).await.unwrap();
    server.board("panda01").await.unwrap();
    assert_eq!(words().await, ["away", "back", "away", "back"]);
}

#[tokio::test]
async fn who_may_have_some_boards_gets_none_of_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let (server, shutdown) = lab(dir.path()).await;
    for name in ["panda01", "panda02"] {
        server.put_board(name.parse().unwrap(), panda(), true, "root").await.unwrap();
    }
    let bob = |right: &'static str| Asker {
        user: "bob".into(),
        on_all: None,
        on: Box::new(move |name| (name == right).then_some(Right::Write)),
        rights: Rights::default(),
        basis: Default::default(),
        spoken_for: false,
        job: None,
    };
    assert!(server.submit(ask("panda", "1h"), &bob("other")).await.is_err());
    let his = server.submit(ask("panda", "1h"), &bob("panda02")).await.unwrap();
    let two = BoardRequest { boards: Some(2), ..ask("panda", "1h") };
    let two = server.submit(two, &bob("panda02")).await.unwrap();
    let why = two.waiting.unwrap().why;
    assert_eq!(why, "it wants 2 boards, and only 1 (panda02) answer to that");
    tokio::select! {
        () = server.run(shutdown) => {}
        () = until(&server, his.id, |it| it.state == RequestState::Leased) => {}
    }
    assert_eq!(server.request(his.id).await.unwrap().boards[0].as_str(), "panda02");
}

#[tokio::test]
async fn daemons_of_the_same_name_are_not_taken_for_one_that_was_started_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _shutdown) = lab(dir.path()).await;
    let announcement = |host: &str, url: &str, instance: &str| Announcement {
        kind: DaemonKind::Power,
        host: host.parse().unwrap(),
        url: url.into(),
        version: String::new(),
        instance: instance.into(),
        consoles: Vec::new(),
        outlets: vec![AnnouncedOutlet {
            name: "panda01".parse().unwrap(),
            pdu: "rack1".parse().unwrap(),
            port: "7".into(),
            lease: None,
        }],
        used: Default::default(),
    };
    server.announce(announcement("farm1", "http://a:1", "1"), false).await.unwrap();
    let described = BoardDescription { outlet: Some("panda01".into()), ..panda() };
    server.put_board("panda01".parse().unwrap(), described, true, "root").await.unwrap();
    // Both of them live, and say so in turn.
    for _ in 0..2 {
        server.announce(announcement("farm1", "http://b:1", "2"), false).await.unwrap();
        server.announce(announcement("farm1", "http://a:1", "1"), false).await.unwrap();
        let away = server.board("panda01").await.unwrap().away.unwrap();
        let told = "outlet panda01 could be one of several: at http://a:1, http://b:1";
        assert_eq!(away, told);
    }
    // The same process, elsewhere, is one.
    server.announce(announcement("farm1", "http://a:2", "1"), false).await.unwrap();
    server.announce(announcement("farm1", "http://b:2", "1"), false).await.unwrap();
    let urls: Vec<_> = server.daemons().await.into_iter().map(|daemon| daemon.url).collect();
    assert_eq!(urls, ["http://b:1", "http://b:2"]);

    let local = announcement("farm2", "http://127.0.0.1:7200", "3");
    let refused = server.announce(local.clone(), false).await.unwrap_err().to_string();
    assert!(refused.contains("is found on its own host alone"), "{refused}");
    server.announce(local, true).await.unwrap();
    let other = announcement("farm3", "http://127.0.0.1:7200", "4");
    let refused = server.announce(other, true).await.unwrap_err().to_string();
    assert!(refused.contains("is where lava-power on farm2 is found"), "{refused}");
}

#[tokio::test]
async fn a_time_in_which_nobody_could_be_heard_is_nobodys_silence() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _shutdown) = lab(dir.path()).await;
    server.put_board("panda01".parse().unwrap(), panda(), true, "root").await.unwrap();
    let asked = BoardRequest { heartbeat: Some("90s".into()), ..ask("panda", "1h") };
    let hers = server.submit(asked, &alice("alice")).await.unwrap();
    let state = async || server.request(hers.id).await.unwrap().state;
    server.pass().await.unwrap();
    assert_eq!(state().await, RequestState::Leased);
    // The process was stopped for two minutes.
    let stopped = Duration::from_secs(120);
    server.0.holders.quiet_for(stopped);
    server.0.state.lock().await.looked = std::time::Instant::now().checked_sub(stopped);
    server.pass().await.unwrap();
    assert_eq!(state().await, RequestState::Leased);
    // It was not, and is silent.
    server.0.holders.quiet_for(stopped);
    server.pass().await.unwrap();
    assert_eq!(server.request(hers.id).await.unwrap().ending, Some(Ending::Silent));
}

#[tokio::test]
async fn who_has_to_be_heard_is_heard_while_the_lab_is_busy() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _shutdown) = lab(dir.path()).await;
    let asked = BoardRequest { heartbeat: Some("90s".into()), ..ask("panda", "1h") };
    let hers = server.submit(asked, &alice("alice")).await.unwrap();
    let daemon = Announcement {
        kind: DaemonKind::Serial,
        host: "farm1".parse().unwrap(),
        url: "http://h:1".into(),
        version: String::new(),
        instance: "1".into(),
        consoles: Vec::new(),
        outlets: Vec::new(),
        used: Default::default(),
    };
    server.announce(daemon.clone(), false).await.unwrap();
    server.pass().await.unwrap();
    // Somebody waits for a database that does not answer.
    let _busy = server.0.state.lock().await;
    let heard = async {
        server.hear(hers.id, &alice("alice")).await.unwrap();
        assert!(server.hear(hers.id, &alice("bob")).await.is_err());
        server.announce(daemon, false).await.unwrap();
    };
    tokio::time::timeout(Duration::from_secs(30), heard).await.unwrap();
}

#[tokio::test]
async fn what_nobody_knows_of_holds_up_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _shutdown) = lab(dir.path()).await;
    server.put_board("panda01".parse().unwrap(), panda(), true, "root").await.unwrap();
    let ghost = server.submit(ask("panda", "1s"), &alice("mallory")).await.unwrap();
    server.0.state.lock().await.requests.remove(&ghost.id);
    let hers = server.submit(ask("panda", "1h"), &alice("alice")).await.unwrap();
    server.pass().await.unwrap();
    server.pass().await.unwrap();
    assert_eq!(server.request(hers.id).await.unwrap().state, RequestState::Leased);
}

#[tokio::test]
async fn a_booking_has_all_of_its_boards_or_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _shutdown) = lab(dir.path()).await;
    for name in ["panda01", "panda02"] {
        server.put_board(name.parse().unwrap(), panda(), true, "root").await.unwrap();
    }
    let start_us = Some(units::now_us() + 3_600_000_000);
    let asked = BoardRequest { boards: Some(2), start_us, ..ask("panda", "1h") };
    let both = server.submit(asked, &alice("alice")).await.unwrap();
    server.pass().await.unwrap();
    let refused = server.remove_board("panda02", "root").await.unwrap_err().to_string();
    assert_eq!(refused, "panda02 is booked for alice (request 1)");
    // As an older server would have let it go.
    let event = crate::store::EventRow {
        board: "panda02".into(),
        time_us: 1,
        who: "root".into(),
        what: "removed".into(),
        detail: String::new(),
    };
    server.0.store.remove_board(&event).await.unwrap();
    server.close().await;
    let (server, _shutdown) = lab(dir.path()).await;
    assert_eq!(server.request(both.id).await.unwrap().ending, Some(Ending::Lost));
    server.pass().await.unwrap();
    let its = server.submit(ask("panda", "2h"), &alice("bob")).await.unwrap();
    server.pass().await.unwrap();
    assert_eq!(server.request(its.id).await.unwrap().state, RequestState::Leased);
}

#[tokio::test]
async fn a_lease_whose_boards_nobody_uses_ends_when_that_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _shutdown) = lab(dir.path()).await;
    let console: Name = "c1".parse().unwrap();
    let daemon = |used_us: u64| Announcement {
        kind: DaemonKind::Serial,
        host: "farm1".parse().unwrap(),
        url: "http://h:1".into(),
        version: String::new(),
        instance: "1".into(),
        consoles: vec![console.clone()],
        outlets: Vec::new(),
        used: [(console.clone(), used_us)].into(),
    };
    server.announce(daemon(1), false).await.unwrap();
    let described = BoardDescription { console: Some("c1".into()), ..panda() };
    server.put_board("panda01".parse().unwrap(), described, true, "root").await.unwrap();
    let asked = BoardRequest { idle: Some("30m".into()), ..ask("panda", "8h") };
    let hers = server.submit(asked, &alice("alice")).await.unwrap();
    server.pass().await.unwrap();
    let long = Duration::from_secs(1800);
    server.0.used.quiet_for(long);
    // Somebody has typed meanwhile.
    server.announce(daemon(2), false).await.unwrap();
    server.pass().await.unwrap();
    assert_eq!(server.request(hers.id).await.unwrap().state, RequestState::Leased);
    server.0.used.quiet_for(long);
    server.announce(daemon(2), false).await.unwrap();
    server.pass().await.unwrap();
    assert_eq!(server.request(hers.id).await.unwrap().ending, Some(Ending::Idle));
}

#[tokio::test]
async fn a_lab_that_a_program_of_an_older_schema_has_left_is_gone_on_with() {
    for version in 1..=VERSION {
        let dir = tempfile::tempdir().unwrap();
        let url = Store::file_url(&dir.path().join("lava.sqlite"));
        of_schema(&url, version).await;
        let (server, _shutdown) = lab(dir.path()).await;
        let board = server.board("panda01").await.unwrap();
        assert_eq!(
            (board.health, board.lease.unwrap().lease.holder),
            (BoardHealth::Good, "alice".into())
        );
        let of = |id| server.request(id);
        assert_eq!(of(5).await.unwrap().waiting.unwrap().position, 1);
        let leased = of(6).await.unwrap();
        assert_eq!(
            (leased.state, &*leased.shared_with),
            (RequestState::Leased, &["carol".to_owned()][..])
        );
        assert_eq!(of(7).await.unwrap().ending, Some(Ending::Released));
        assert_eq!(server.announced(DaemonKind::Power).await.len(), 1);
        let users = server.users().await.unwrap();
        assert_eq!(
            users.iter().filter(|user| user.tokens.len() == 1).count(),
            usize::from(version >= 2)
        );
        assert_eq!(server.groups().await.unwrap().len(), usize::from(version >= 2));
        assert_eq!(server.token_users().await.unwrap().is_some(), version >= 2);
        if version >= 4 {
            let running = server.job(2, &alice("alice")).await.unwrap();
            assert_eq!((running.state, running.boards.len()), (JobState::Running, 1));
            let ended = server.job(3, &alice("alice")).await.unwrap();
            assert_eq!((ended.state, ended.tally.unwrap().pass), (JobState::Finished, 1));
        }
        assert_eq!(server.ci_jobs().await.unwrap().len(), usize::from(version >= 6));
        let place = dir.path().join("files").display().to_string();
        let uploads = dir.path().join("uploads");
        let config = ImagesConfig { place, uploads, quota: None, keep: Default::default() };
        let images = Images::open(Store::open(&url).await.unwrap(), config).unwrap();
        let images = images.list().await.unwrap();
        assert_eq!(images.len(), usize::from(version >= 5) + usize::from(version >= 8));
        assert_eq!(
            images.iter().filter(|image| image.vm.is_some()).count(),
            usize::from(version >= 8)
        );
        server.close().await;
    }
}

/// So much later than now, in microseconds since the epoch.
fn in_hours(hours: u64) -> u64 {
    units::now_us() + hours * 3_600_000_000
}

#[tokio::test]
async fn what_a_lease_reaches_into_is_still_booked_and_in_maintenance_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _shutdown) = lab(dir.path()).await;
    server.put_board("panda01".parse().unwrap(), panda(), true, "root").await.unwrap();
    let hers = server.submit(ask("panda", "1h"), &alice("alice")).await.unwrap();
    server.pass().await.unwrap();
    let booking = BoardRequest { start_us: Some(in_hours(2)), ..ask("panda", "1h") };
    let his = server.submit(booking, &alice("bob")).await.unwrap();
    server.pass().await.unwrap();
    let (from, until) = (in_hours(3) / 1_000_000 + 60, in_hours(4) / 1_000_000 + 60);
    server.set_windows("panda01", vec![(from, until)], "root").await.unwrap();
    let ahead: i64 = 2 * 3600 + 1800;
    {
        let mut state = server.0.state.lock().await;
        let now_us = units::now_us() + ahead.unsigned_abs() * 1_000_000;
        server.move_times(&mut state, ahead, now_us).await.unwrap();
    }
    server.close().await;
    let (server, _shutdown) = lab(dir.path()).await;
    let hers = server.request(hers.id).await.unwrap();
    assert!(hers.until_us > Some(from * 1_000_000), "it reaches into both: {hers:?}");
    assert_eq!(server.request(his.id).await.unwrap().state, RequestState::Booked);
    let next = server.submit(ask("panda", "1h"), &alice("carol")).await.unwrap();
    server.pass().await.unwrap();
    let told = server.request(next.id).await.unwrap().waiting.unwrap();
    assert!(told.estimate_us >= Some(until * 1_000_000), "{told:?}");
}

#[tokio::test]
async fn a_clock_that_is_set_after_the_start_gives_no_lease_decades() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _shutdown) = lab(dir.path()).await;
    for name in ["panda01", "panda02", "panda03"] {
        server.put_board(name.parse().unwrap(), panda(), true, "root").await.unwrap();
    }
    let longer = server.submit(ask("panda", "2h"), &alice("alice")).await.unwrap();
    let old = server.submit(ask("panda", "2h"), &alice("alice")).await.unwrap();
    server.pass().await.unwrap();
    // By a clock that was right it is 2076.
    let years: i64 = 50 * 365 * 24 * 3600;
    let right_us = units::now_us() + years.unsigned_abs() * 1_000_000;
    {
        let mut state = server.0.state.lock().await;
        server.move_times(&mut state, years, right_us).await.unwrap();
    }
    server.close().await;
    // The host begins again, and does not know how late it is.
    let (server, _shutdown) = lab(dir.path()).await;
    let new = server.submit(ask("panda", "2h"), &alice("bob")).await.unwrap();
    server.pass().await.unwrap();
    let until = async |id: u64| server.request(id).await.unwrap().until_us.unwrap();
    server.extend(longer.id, "3h", &alice("alice")).await.unwrap();
    let extended = until(longer.id).await;
    let (was, given) = (until(old.id).await, until(new.id).await);
    assert!(was > right_us && given < right_us, "{was} {given}");
    {
        let mut state = server.0.state.lock().await;
        assert!(state.behind.is_some());
        let set_us = right_us + 3_600_000_000;
        server.move_times(&mut state, years + 3600, set_us).await.unwrap();
        assert!(state.behind.is_none(), "it is right");
        for id in [longer.id, old.id, new.id] {
            let until = state.requests[&id].info.until_us.unwrap() / 1_000_000;
            assert_eq!(state.lab.lease(id).unwrap().until, until);
        }
    }
    assert_eq!(until(old.id).await, was, "that was said by a clock that was right");
    let by_us = (years.unsigned_abs() + 3600) * 1_000_000;
    assert_eq!(until(new.id).await, given + by_us);
    assert_eq!(until(longer.id).await, extended + by_us, "that was said by the one that was set");
}

#[tokio::test]
async fn a_lease_of_boards_without_a_console_is_idle_from_its_begin_or_when_it_was_extended() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _shutdown) = lab(dir.path()).await;
    server.put_board("panda01".parse().unwrap(), panda(), true, "root").await.unwrap();
    let asked = BoardRequest { idle: Some("30m".into()), ..ask("panda", "8h") };
    let hers = server.submit(asked, &alice("alice")).await.unwrap();
    server.pass().await.unwrap();
    let unused_for = async |seconds: u64| {
        server.0.used.quiet_for(Duration::from_secs(seconds));
        server.pass().await.unwrap();
        server.request(hers.id).await.unwrap()
    };
    assert_eq!(unused_for(1700).await.state, RequestState::Leased);
    server.extend(hers.id, "8h", &alice("alice")).await.unwrap();
    server.pass().await.unwrap();
    assert!(server.0.used.silence(&"panda01".parse().unwrap()) < Duration::from_secs(1000));
    assert_eq!(unused_for(1800).await.ending, Some(Ending::Idle));
}
