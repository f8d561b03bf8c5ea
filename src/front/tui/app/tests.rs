use super::boards::Grade;
use super::overlay::{Overlay, Stage};
use super::*;
use crate::client::lab::Board;
use crate::config::top::Sort;
use crate::model::{Failure, Kind, Report, State, Verified};
use crate::wire::feed::{PowerTold, Row, Told};
use crate::wire::keyboard::Decoder;

pub(in super::super) fn resource(collection: &str, name: &str) -> crate::client::Resource {
    format!("http://127.0.0.1:7100/{collection}/{name}").parse().unwrap()
}

pub(in super::super) fn told(name: &str, heard_us: u64, last: &str) -> Row {
    Row {
        console: name.parse().unwrap(),
        port: attach::PortState::Open,
        head: 100,
        heard_us: Some(heard_us),
        bytes_per_s: 1200,
        last_line: Some(last.into()),
        attached: Vec::new(),
        holder: None,
        boot: None,
        trouble: None,
        mismatch: None,
        power: PowerTold::default(),
        capture_error: None,
    }
}

/// A lab of these boards, each with a console and an outlet.
pub(in super::super) fn app(names: &[&str], size: (u16, u16)) -> App {
    let mut app = App::new(TopConfig::default(), "alice".into(), size);
    let board = |name: &&str| Board {
        name: name.parse().unwrap(),
        console: Some(resource("consoles", name)),
        outlet: Some(resource("outlets", name)),
    };
    app.news(News::Boards(names.iter().map(board).collect()));
    for (at, name) in names.iter().enumerate() {
        let row = told(name, at as u64 * 1_000_000, &format!("{name} login:"));
        tell(&mut app, Told::Console(Box::new(row)));
    }
    app.arrange();
    app
}

pub(in super::super) fn tell(app: &mut App, told: Told) {
    app.news(News::Told(std::sync::Arc::new(resource("consoles", "any")), told));
}

/// Types keys by their names, and gives what is to be done for it.
pub(in super::super) fn keys(app: &mut App, keys: &[u8]) -> Vec<Effect> {
    let mut decoder = Decoder::default();
    let mut typed = decoder.feed(keys);
    typed.extend(decoder.release());
    typed.into_iter().for_each(|typed| app.typed(typed));
    app.arrange();
    app.effects()
}

fn shown(app: &App) -> Vec<&str> {
    app.boards.shown().map(|row| row.id.as_str()).collect()
}

#[test]
fn boards_are_filtered_and_sorted_while_one_types() {
    let mut app = app(&["apu01", "panda01", "panda02"], (80, 24));
    keys(&mut app, b"/panda");
    assert_eq!(shown(&app), ["panda01", "panda02"]);
    keys(&mut app, b"02 login\r");
    assert_eq!(shown(&app), ["panda02"]);
    keys(&mut app, b"\x1b");
    assert_eq!(shown(&app).len(), 3);
    keys(&mut app, b"s");
    assert_eq!((app.boards.sort, shown(&app)[0]), (Sort::Activity, "panda02"));
    keys(&mut app, b"r");
    assert_eq!(shown(&app)[0], "apu01");
}

#[test]
fn a_daemon_that_is_away_greys_its_boards_until_it_is_back() {
    let mut app = app(&["panda01"], (80, 24));
    let daemon = std::sync::Arc::new(resource("consoles", "any"));
    app.news(News::Away(daemon, "connection\x1b[2J refused".into()));
    let (grade, word) = app.boards.rows()[0].health(0);
    assert_eq!((grade, word.contains('\x1b')), (Grade::Away, false));
    tell(&mut app, Told::Console(Box::new(told("panda01", 1, "=>"))));
    assert_eq!(app.boards.rows()[0].health(0).0, Grade::Good);
}

#[test]
fn power_is_confirmed_and_forced_only_with_a_reason() {
    let mut app = app(&["panda01"], (80, 24));
    assert!(keys(&mut app, b"pc").is_empty());
    assert!(keys(&mut app, b"x").is_empty(), "that was no yes");
    let effects = keys(&mut app, b"y");
    let [Effect::Power { verb: Verb::Cycle, request, .. }] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert!(!request.force && request.user.as_deref() == Some("alice"));
    let refused = Failure::new(Kind::Refused, "panda01 is leased by bob");
    app.news(News::Power { id: "panda01".into(), verb: Verb::Cycle, result: Err(refused) });
    assert!(keys(&mut app, b"\r").is_empty(), "there is no reason yet");
    let Some(Overlay::Power(dialog)) = &app.overlay else { panic!("{:?}", app.overlay) };
    assert!(matches!(&dialog.stage, Stage::Refused { why, .. } if why.contains("bob")));
    let effects = keys(&mut app, b"it smokes\r");
    let [Effect::Power { request, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((request.force, request.reason.as_deref()), (true, Some("it smokes")));
    let report = Report {
        outlet: "panda01".parse().unwrap(),
        verb: Verb::Cycle,
        state: State::On,
        verified: Verified::Verified,
        took_ms: 900,
        feeds: Vec::new(),
    };
    app.news(News::Power { id: "panda01".into(), verb: Verb::Cycle, result: Ok(report) });
    assert!(app.overlay.is_none());
    assert!(app.said.as_ref().unwrap().1.contains("read back from the PDU"));
}

#[test]
fn keys_go_to_the_board_until_the_one_that_ends_it() {
    let mut app = app(&["panda01", "panda02"], (160, 50));
    let effects = keys(&mut app, b"  \r");
    assert!(matches!(effects[..], [Effect::Attach { .. }, Effect::Attach { .. }]), "{effects:?}");
    assert_eq!((app.panes.len(), app.focus), (2, 0));
    let effects = keys(&mut app, b"iq\x1b[A\x03\x1d");
    let typed: Vec<u8> = effects.iter().fold(Vec::new(), |mut all, effect| {
        if let Effect::Type { bytes, .. } = effect {
            all.extend_from_slice(bytes);
        }
        all
    });
    assert_eq!(typed, b"q\x1b[A\x03");
    assert!(!app.typing);
    // What the board wants of its arrows.
    app.panes[0].emulator.feed(b"\x1b[?1h");
    let effects = keys(&mut app, b"i\x1b[A\x1d");
    assert!(matches!(&effects[1], Effect::Type { bytes, .. } if &bytes[..] == b"\x1bOA"));
    // Tab goes to the next one, Escape back.
    keys(&mut app, b"\t");
    assert_eq!(app.focus, 1);
    keys(&mut app, b"\x1b");
    keys(&mut app, b"\x1b");
    assert!(app.panes.is_empty() && !app.wants.quit);
}

#[test]
fn what_somebody_pastes_is_not_taken_for_keys() {
    let mut app = app(&["panda01"], (80, 24));
    keys(&mut app, b"\x1b[200~qpc\x1b[201~");
    assert!(!app.wants.quit && app.overlay.is_none());
    keys(&mut app, b"\ri");
    let effects = keys(&mut app, b"\x1b[200~rm \x1d -r\r\x1b[201~");
    let pasted = effects.iter().find_map(|effect| match effect {
        Effect::Type { bytes, .. } => Some(&bytes[..]),
        _ => None,
    });
    assert_eq!(pasted, Some(&b"rm \x1d -r\r"[..]));
    assert!(app.typing);
}

#[test]
fn a_click_selects_and_opens_and_the_wheel_looks_back() {
    let mut app = app(&["a01", "a02", "a03"], (80, 24));
    keys(&mut app, b"\x1b[<0;5;4M");
    assert_eq!(app.boards.selected().unwrap().id, "a02");
    keys(&mut app, b"\x1b[<0;5;4M");
    assert_eq!(app.panes.len(), 1);
    let effects = keys(&mut app, b"\x1b[<64;5;5M");
    assert!(matches!(effects[..], [Effect::Page { .. }]), "{effects:?}");
    assert!(app.panes[0].past.is_some());
}
