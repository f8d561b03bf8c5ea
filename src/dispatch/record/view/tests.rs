use proptest::prelude::*;

use super::*;

/// A job that boots twice; the second time a line says so.
fn log() -> String {
    let mut text = String::new();
    let mut add = |second: u32, level: &str, message: &str| {
        let line = serde_json::json!(message);
        text += &format!(
            "{{\"dt\":\"2026-11-21T23:59:{second:02}.250Z\",\"lvl\":\"{level}\",\"msg\":{line}}}\n"
        );
    };
    add(1, "info", "start: 1 deploy (timeout 00:01:00) [common]");
    add(2, "debug", "end: 1 deploy (duration 00:00:01) [common]");
    add(3, "info", "start: 2 boot (timeout 00:01:00) [common]");
    add(3, "info", "start: 2.1 login (timeout 00:01:00) [common]");
    add(4, "target", "Linux version 6.1 \u{1b}[1mbold\u{1b}[0m \"quoted\"");
    add(5, "input", "root");
    add(6, "debug", "end: 2.1 login (duration 00:00:03) [common]");
    text += "{\"dt\":\"2026-11-21T23:59:06.250Z\",\"lvl\":\"results\",\"msg\":{\"definition\":\"lava\",\
             \"case\":\"login\",\"level\":\"2.1\",\"result\":\"pass\",\"duration\":3.0}}\n";
    text
}

fn view(text: &[u8]) -> (tempfile::TempDir, View) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("output.jsonl");
    std::fs::write(&path, text).unwrap();
    let mut view = View::new(path);
    view.grow().unwrap();
    (folder, view)
}

fn found(view: &mut View, wanted: &Wanted) -> Vec<u32> {
    let found = view.find(wanted).unwrap();
    found.part(0..found.len())
}

#[test]
fn the_lines_of_a_log_are_found_by_what_they_are() {
    let (_folder, mut view) = view(log().as_bytes());
    let mut of = |wanted: Wanted| found(&mut view, &wanted);
    let some = |text: &str| vec![text.to_owned()];
    assert_eq!(of(Wanted::default()), (0..8).collect::<Vec<_>>());
    assert_eq!(of(Wanted { levels: some("target"), ..Wanted::default() }), [4]);
    assert_eq!(of(Wanted { sources: some("dispatcher"), ..Wanted::default() }), [0, 1, 2, 3, 6, 7]);
    let both = Wanted { sources: some("target"), levels: some("info"), ..Wanted::default() };
    assert_eq!(of(both), [0; 0]);
    // The level, the name; what is under way has no end.
    let action = |text: &str| Wanted { action: Some(text.into()), ..Wanted::default() };
    assert_eq!(of(action("1")), [0, 1]);
    assert_eq!(of(action("login")), [3, 4, 5, 6]);
    assert_eq!(of(action("boot")), [2, 3, 4, 5, 6, 7]);
    let grep = |text: &str| Wanted { grep: Some(text.into()), ..Wanted::default() };
    assert_eq!(of(grep("linux .*\"quoted\"$")), [4]);
    assert_eq!(of(grep("LINUX")), [0; 0]);
    assert_eq!(of(grep("(")), [0; 0]);
    assert!(grep("(").check().is_err());
    let time = Wanted { since_ms: Some(2000), until_ms: Some(4000), ..Wanted::default() };
    assert_eq!(of(time), [2, 3, 4]);
    let rows = view.rows(&[4, 7, 99]).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].text.as_str(), rows[0].ms), ("Linux version 6.1 bold \"quoted\"", 3000));
    assert_eq!((rows[1].text.as_str(), rows[1].level), ("lava/login: pass", "results"));
}

#[test]
fn the_actions_are_a_tree_with_times_and_results() {
    let (_folder, view) = view(log().as_bytes());
    let told: Vec<_> =
        view.actions().iter().map(|it| (it.level.as_str(), it.depth, it.end_ms)).collect();
    assert_eq!(told, [("1", 0, Some(1000)), ("2", 0, None), ("2.1", 1, Some(5000))]);
    assert_eq!(view.actions()[2].result.as_deref(), Some("pass"));
    let report = view.report();
    assert_eq!((report.suites.len(), report.suites[0].cases[0].seconds), (1, Some(3.0)));
}

#[test]
fn a_log_that_grows_is_read_on_and_found_in_again() {
    let text = log();
    let (folder, mut view) = view(&text.as_bytes()[..text.len() - 5]);
    assert_eq!(view.len(), 7);
    let wanted = Wanted { grep: Some("login".into()), ..Wanted::default() };
    let boot = Wanted { action: Some("2".into()), ..Wanted::default() };
    assert_eq!(found(&mut view, &wanted), [3, 6]);
    assert_eq!(found(&mut view, &boot).len(), 5);
    std::fs::write(folder.path().join("output.jsonl"), &text).unwrap();
    view.grow().unwrap();
    assert_eq!((view.len(), found(&mut view, &wanted)), (8, vec![3, 6, 7]));
    assert_eq!(found(&mut view, &boot).len(), 6);
    let found = view.find(&wanted).unwrap();
    assert_eq!((found.position(4), found.position(7), found.position(99)), (1, 2, 3));
}

#[test]
fn of_an_action_that_goes_on_each_line_is_looked_at_once() {
    let text = log();
    let (folder, mut view) = view(text.as_bytes());
    let wanted =
        Wanted { action: Some("boot".into()), grep: Some("login".into()), ..Wanted::default() };
    assert_eq!(found(&mut view, &wanted), [3, 6, 7]);
    // Were it looked at again, nothing would be found there.
    let more = text.replace("login", "nigol")
        + "{\"dt\":\"2026-11-21T23:59:07.250Z\",\"lvl\":\"target\",\"msg\":\"login:\"}\n";
    std::fs::write(folder.path().join("output.jsonl"), more).unwrap();
    view.grow().unwrap();
    assert_eq!(found(&mut view, &wanted), [3, 6, 7, 8]);
}

#[test]
fn an_action_that_ran_often_is_looked_for_once() {
    let dt = "2026-11-21T23:59:01.250Z";
    let lines = (0..40_000).map(|number| {
        let verb = if number % 2 == 0 { "start" } else { "end" };
        format!("{{\"dt\":\"{dt}\",\"lvl\":\"info\",\"msg\":\"{verb}: 1 boot (t)\"}}\n")
    });
    let (_folder, mut view) = view(lines.collect::<String>().as_bytes());
    let wanted = Wanted { action: Some("boot".into()), ..Wanted::default() };
    // All that are kept of them, and nothing twice.
    assert_eq!(found(&mut view, &wanted), (0..20_000).collect::<Vec<_>>());
    assert_eq!(view.ranges("boot").len(), 1);
}

#[test]
fn what_was_found_before_is_kept_while_there_is_room() {
    let (_folder, mut view) = view(log().as_bytes());
    for number in 0..10 {
        found(&mut view, &Wanted { since_ms: Some(number), ..Wanted::default() });
    }
    assert!(view.found.memory() <= 4 * 8 * 4 * 2, "{}", view.found.memory());
    assert!(view.memory() > 8 * 12);
}

proptest! {
    /// Whatever a worker sends: every line is one, and none of them breaks anything.
    #[test]
    fn any_bytes_are_lines(pieces in proptest::collection::vec(
        prop_oneof![
            Just(b"{\"dt\":\"".to_vec()), Just(b"2026-11-21T10:00:00.000Z\",\"lvl\":\"".to_vec()),
            Just(b"info\",\"msg\":\"start: 1 a".to_vec()), Just(b"\"}\n".to_vec()),
            Just(b"results\",\"msg\":{\"definition\":\"lava\"}}\n".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..40),
        ], 0..30)) {
        let text = pieces.concat();
        let (_folder, mut view) = view(&text);
        prop_assert_eq!(view.len(), text.iter().filter(|byte| **byte == b'\n').count());
        let all: Vec<u32> = (0..view.len() as u32).collect();
        let rows = view.rows(&all).unwrap();
        prop_assert!(rows.iter().all(|row| !row.text.contains(|c: char| c.is_control() && c != '\t')));
        let wanted = Wanted { grep: Some("a|1".into()), action: None, ..Wanted::default() };
        view.find(&wanted).unwrap();
        view.report();
    }
}
