use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::draw;
use crate::front::tui::app::App;
use crate::front::tui::app::tests::{app, keys, tell, told};
use crate::front::tui::terminal::{Colours, Facts};
use crate::model::{State, units};
use crate::wire::feed::Told;

const FACTS: Facts = Facts { colours: Colours::None, mouse: true, unicode: false };

/// The rows of the screen, without the blanks behind them.
fn screen(app: &App) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(app.size.0, app.size.1)).unwrap();
    terminal.draw(|frame| draw(frame, app, &FACTS)).unwrap();
    let buffer = terminal.backend().buffer();
    let row = |y| {
        let row: String = (0..app.size.0).map(|x| buffer[(x, y)].symbol().to_owned()).collect();
        row.trim_end().to_owned()
    };
    (0..app.size.1).map(row).collect()
}

#[test]
fn the_list_has_a_line_for_each_board() {
    let mut app = app(&["panda01", "panda02"], (100, 8));
    let now_us = units::now_us();
    for (name, last) in [("panda01", "=> "), ("panda02", "x\u{202e}\u{1f30b} login:")] {
        let row = told(name, now_us.saturating_sub(3_000_000), last);
        tell(&mut app, Told::Console(Box::new(row)));
    }
    let outlet = app.boards.rows()[0].outlet.clone().unwrap();
    app.boards.power(&outlet, Some(State::On));
    app.arrange();
    let rows = screen(&app);
    assert_eq!(rows[0], "lava top  2 boards, by name");
    assert_eq!(
        rows[1],
        "  BOARD    POWER    HELD BY         HEARD     RATE  HEALTH                LAST LINE"
    );
    assert_eq!(
        rows[2],
        "  panda01  on       -                 3 s       1k  ok                    =>"
    );
    assert!(rows[3].starts_with("  panda02  ?        -"), "{:?}", rows[3]);
    assert!(rows[7].starts_with("enter console  space mark  / filter"), "{:?}", rows[7]);
}

#[test]
fn consoles_stand_beside_each_other() {
    let mut app = app(&["panda01", "panda02"], (161, 26));
    keys(&mut app, b"  \r");
    app.panes[0].emulator.feed(b"U-Boot 2023.01\r\n=> ");
    app.panes[1].emulator.feed(b"\x1b[?25l\x1b]0;evil\x07\x1b[31mLinux\x1b[0m\r\nlogin: ");
    let rows = screen(&app);
    assert!(rows[0].starts_with(" panda01  looking"), "{:?}", rows[0]);
    assert_eq!(rows[1], format!("{:79}|Linux", "U-Boot 2023.01"));
    assert_eq!(rows[2], format!("{:79}|login:", "=>"));
    keys(&mut app, b"\tz");
    assert!(screen(&app)[0].starts_with(" panda02  looking"));
}

#[test]
fn no_screen_is_too_small() {
    for size in [(1, 1), (2, 2), (5, 3), (20, 4), (300, 100)] {
        let mut app = app(&["panda01", "panda02"], size);
        screen(&app);
        for step in [
            &b"?"[..],
            b"\x1b",
            b"/pan\r",
            b"pc",
            b"\x1b",
            b"t",
            b"\x1b",
            b"Sx\r",
            b"\x1b",
            b"  \r",
            b"i\x1d",
            b"b",
            b"/x\r",
            b"\x1b",
        ] {
            keys(&mut app, step);
            screen(&app);
            app.resize((size.0 + 1, size.1 + 1));
            screen(&app);
            app.resize(size);
        }
    }
}

#[test]
fn the_help_has_every_key() {
    let mut app = app(&["panda01"], (100, 50));
    keys(&mut app, b"?");
    let text = screen(&app).join("\n");
    for word in ["ctrl-]", "shift-tab", "search the records of all boards", "+---"] {
        assert!(text.contains(word), "{word}\n{text}");
    }
}
