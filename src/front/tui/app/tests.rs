use super::boards::Grade;
use super::overlay::{Overlay, Stage};
use super::*;
use crate::client::attach::{Hello, Item};
use crate::client::lab::Board;
use crate::config::top::Sort;
use crate::front::tui::work::{News, PaneNews};
use crate::model::{Failure, Kind, Refusal, Report, State, Verified};
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
    let mut app = App::new(TopConfig::default(), EscapeKeys::default(), "alice".into(), size);
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
    app.news(cycled(&app, Err(refused.because(Refusal::Leased))));
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
    app.news(cycled(&app, Ok(report)));
    assert!(app.overlay.is_none());
    assert!(app.said.as_ref().unwrap().1.contains("read back from the PDU"));
    // Who may not may not by force either, and is told what to do about it.
    keys(&mut app, b"pcy");
    let refused = Failure::new(Kind::Refused, "you may not control panda01").hint("ask carol");
    app.news(cycled(&app, Err(refused.because(Refusal::Rights))));
    assert!(app.overlay.is_none());
    assert!(app.said.as_ref().unwrap().1.ends_with("you may not control panda01 (ask carol)"));
}

/// What came of a cycle of panda01.
fn cycled(app: &App, result: Result<Report, Failure>) -> News {
    let outlet = app.boards.rows()[0].outlet.clone().unwrap();
    News::Power { id: "panda01".into(), outlet, verb: Verb::Cycle, result }
}

#[test]
fn power_goes_to_the_outlet_that_was_asked_about_or_to_none() {
    let board = |daemon: u16| Board {
        name: "panda01".parse().unwrap(),
        console: None,
        outlet: format!("http://127.0.0.1:{daemon}/outlets/panda01").parse().ok(),
    };
    let mut app = app(&[], (80, 24));
    app.news(News::Boards(vec![board(1), board(2)]));
    assert_eq!(shown(&app), ["panda01", "panda01#2"]);
    keys(&mut app, b"pf");
    // The daemon of the first one goes: the other one is still what it was.
    app.news(News::Boards(vec![board(2)]));
    assert_eq!(shown(&app), ["panda01#2"]);
    assert!(keys(&mut app, b"y").is_empty(), "nobody has confirmed that");
    assert!(app.overlay.is_none());
    assert!(app.said.as_ref().unwrap().1.contains("nothing was done"));
    // What was known of it stays with it, whatever comes before it.
    let outlet = board(2).outlet.unwrap();
    app.news(News::State(outlet.clone(), Some(State::On)));
    app.news(News::Boards(vec![board(3), board(2)]));
    let known = |id| app.boards.get(id).map(|row| (row.outlet.clone(), row.power));
    assert_eq!(known("panda01#2"), Some((Some(outlet), Some(State::On))));
    assert_eq!(known("panda01"), Some((board(3).outlet, None)));
}

/// What is typed at boards.
fn typed(effects: &[Effect]) -> Vec<u8> {
    effects.iter().fold(Vec::new(), |mut all, effect| {
        if let Effect::Type { bytes, .. } = effect {
            all.extend_from_slice(bytes);
        }
        all
    })
}

#[test]
fn keys_go_to_the_board_until_the_one_that_ends_it() {
    let mut app = app(&["panda01", "panda02"], (160, 50));
    let effects = keys(&mut app, b"  \r");
    assert!(matches!(effects[..], [Effect::Attach { .. }, Effect::Attach { .. }]), "{effects:?}");
    assert_eq!((app.panes.len(), app.focus), (2, 0));
    let effects = keys(&mut app, b"iq\x1b[A\x03\x1d");
    assert_eq!(typed(&effects), b"q\x1b[A\x03");
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

fn hello(mode: Mode) -> PaneNews {
    let (session, from, head) = (1, 0, 0);
    let port = attach::PortState::Open;
    let hello = Hello { session, mode, from, head, port, others: Vec::new(), holder: None };
    PaneNews::Attached(Box::new(hello))
}

#[test]
fn escapes_are_those_of_lava_console() {
    let mut app = app(&["panda01"], (80, 24));
    keys(&mut app, b"\ri");
    let effects = keys(&mut app, b"ls~");
    assert_eq!((typed(&effects), app.holds_escape()), (b"ls".to_vec(), true));
    assert!(keys(&mut app, b"$brx\x7feak sysrq-b").is_empty());
    let line = app.panes[0].command_line();
    assert_eq!(line.as_deref(), Some("Command(panda01)> break sysrq-b"));
    let effects = keys(&mut app, b"\rdate\r");
    assert!(
        matches!(&effects[0], Effect::Ask { verb: attach::Verb::Break(what), .. }
            if what.sequence.as_ref().is_some_and(|name| name.as_str() == "sysrq-b")),
        "{effects:?}"
    );
    assert_eq!(typed(&effects), b"date\r");
    let effects = keys(&mut app, b"~$hardreset it hangs\r");
    let [Effect::Power { verb: Verb::Cycle, request, .. }] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((request.force, request.reason.as_deref()), (false, Some("it hangs")));
    // What is held is the board's after a while, and when one stops typing; a command is given up.
    keys(&mut app, b"~");
    app.release_escape();
    assert_eq!(typed(&app.effects()), b"~");
    assert_eq!(typed(&keys(&mut app, b"~\x1d")), b"~");
    assert!(typed(&keys(&mut app, b"i~$off\x1d")).is_empty());
    // The end of a function key begins none, and neither does what is pasted.
    let effects = keys(&mut app, b"i\x1b[15~$off\r\x1b[200~~$off\r\x1b[201~");
    assert_eq!(typed(&effects), b"\x1b[15~$off\r~$off\r");
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Power { .. })), "{effects:?}");
    let effects = keys(&mut app, b"~$quit\r");
    assert!(matches!(effects[..], [Effect::Detach { .. }]) && app.panes.is_empty(), "{effects:?}");
}

#[test]
fn who_may_not_type_does_not_go_on_typing() {
    let mut app = app(&["panda01"], (80, 24));
    keys(&mut app, b"\ri");
    let pane = app.panes[0].number;
    let tell = |app: &mut App, news| {
        app.news(News::Pane(pane, news));
        app.effects()
    };
    // It was asked for, and is not answered yet.
    tell(&mut app, hello(Mode::Spy));
    assert!(app.typing);
    tell(&mut app, PaneNews::MayNotType("bob has it".into()));
    assert!(!app.typing);
    keys(&mut app, b"i");
    let mode = |mode| PaneNews::Item(Item::Mode { mode, by: None, holder: None });
    tell(&mut app, mode(Mode::Rw));
    assert!(app.typing);
    // Over a restart one goes on, and what is typed meanwhile is told to be lost.
    tell(&mut app, PaneNews::Item(Item::Lost { reason: "gone".into() }));
    assert!(keys(&mut app, b"x").is_empty());
    assert!(app.panes[0].notice.as_ref().unwrap().contains("not attached"));
    let PaneNews::Attached(back) = hello(Mode::Spy) else { panic!() };
    let effects = tell(&mut app, PaneNews::Item(Item::Resumed(*back)));
    assert!(
        matches!(effects[..], [Effect::Ask { verb: attach::Verb::Mode { mode: Mode::Rw }, .. }]),
        "{effects:?}"
    );
    tell(&mut app, mode(Mode::Rw));
    assert!(app.typing);
    tell(&mut app, mode(Mode::Spy));
    assert!(!app.typing, "somebody took it");
    tell(&mut app, PaneNews::Item(Item::Lost { reason: "gone".into() }));
    keys(&mut app, b"i");
    assert!(!app.typing && app.said.as_ref().unwrap().1.contains("not attached: gone"));
}

#[test]
fn consoles_that_are_not_there_yet_are_opened_when_they_are() {
    let mut app = App::new(TopConfig::default(), EscapeKeys::default(), "alice".into(), (161, 26));
    let boards = ["panda01".to_owned(), "panda02".to_owned()];
    app.open_only(Open { boards: boards.to_vec(), mode: Mode::Exclusive, force: true });
    let board = |name: &str, at: &str| Board {
        name: name.parse().unwrap(),
        console: format!("http://{at}/consoles/{name}").parse().ok(),
        outlet: None,
    };
    app.news(News::Boards(vec![]));
    assert!(keys(&mut app, b"\r").is_empty() && app.panes.is_empty());
    app.news(News::Boards(vec![board("panda02", "a:1")]));
    assert_eq!((app.panes.len(), app.typing), (1, true));
    assert!(app.said.as_ref().unwrap().1.contains("no console yet of panda01"));
    let effects = app.effects();
    let [Effect::Attach { mode: Mode::Exclusive, .. }, Effect::Ask { verb, .. }] = &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!(*verb, attach::Verb::Force(Default::default()));
    app.news(News::Boards(vec![board("panda01", "a:1"), board("panda02", "a:1")]));
    assert_eq!((app.panes.len(), app.focus), (2, 0));
    // What has moved, and is not attached, is attached to where it is.
    app.effects();
    let (number, why) = (app.panes[0].number, "gone".into());
    app.news(News::Pane(number, PaneNews::Item(Item::Lost { reason: why })));
    app.news(News::Boards(vec![board("panda01", "a:1"), board("panda02", "b:2")]));
    let effects = app.effects();
    assert!(
        matches!(&effects[..], [Effect::Detach { pane }, Effect::Attach { console, .. }]
            if *pane == number && console.to_string().contains("b:2")),
        "{effects:?}"
    );
}

#[test]
fn nobody_searches_for_those_who_look_no_more() {
    let mut app = app(&["panda01"], (80, 24));
    keys(&mut app, b"\r/Oops\r");
    let pane = app.panes[0].number;
    let tickets = |effects: &[Effect]| -> Vec<u64> {
        let ticket = |effect: &Effect| match effect {
            Effect::Search { ticket, .. } => Some(*ticket),
            _ => None,
        };
        effects.iter().filter_map(ticket).collect()
    };
    let effects = keys(&mut app, b"/Oops\r");
    let [second] = tickets(&effects)[..] else { panic!("{effects:?}") };
    // The first one's are not among those of the second.
    for (ticket, offsets) in [(second - 1, vec![7]), (second, vec![1, 5])] {
        app.news(News::Pane(pane, PaneNews::Found { ticket, offsets }));
    }
    let places = app.panes[0].past.as_ref().unwrap().places.as_ref().unwrap();
    assert_eq!(places.offsets, [1, 5]);
    let effects = keys(&mut app, b"\x1b");
    assert!(matches!(effects[..], [Effect::LeavePast { .. }]), "{effects:?}");
    let effects = keys(&mut app, b"SOops\r\x1b");
    assert!(matches!(effects[..], [Effect::SearchAll { .. }, Effect::LeaveList]), "{effects:?}");
}

#[test]
fn a_large_window_costs_no_more_than_what_is_shown() {
    let names: Vec<String> = (0..16).map(|number| format!("panda{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut app = app(&names, layout::bounded((u16::MAX, u16::MAX)));
    keys(&mut app, b"                \rz");
    for _ in 0..16 {
        keys(&mut app, b"\t");
    }
    let cells: usize = app.panes.iter().map(|pane| pane.emulator.cells()).sum();
    assert!(app.panes.len() == 16 && cells <= MAX_CELLS, "{cells}");
}
