use super::*;
use proptest::prelude::*;

fn at(offset: u64) -> Place {
    Place { offset: Some(offset), time_us: offset * 10 }
}

fn window(text: &[u8]) -> Window {
    let mut window = Window::default();
    window.push(at(0), text);
    window
}

#[test]
fn the_first_match_in_the_stream_wins_and_is_consumed() {
    let patterns = Patterns::new(["login:", "# ", "=> "]).unwrap();
    let mut window = window(b"U-Boot\r\n=> board login: # ");
    let order: Vec<usize> =
        std::iter::from_fn(|| window.find(&patterns)).map(|found| found.index).collect();
    assert_eq!(order, [2, 0, 1]);
}

#[test]
fn a_match_has_the_consoles_own_offset_and_time() {
    let patterns = Patterns::new(["=> "]).unwrap();
    let mut window = window(b"abc");
    window.push(at(3), b"def=> ");
    let found = window.find(&patterns).unwrap();
    assert_eq!(found.place, Place { offset: Some(6), time_us: 30 });
    assert_eq!(found.before, "abcdef");
}

#[test]
fn look_around_and_groups_and_broken_utf8_are_no_trouble() {
    let patterns = Patterns::new([r"(?<!no )panic (\d+)"]).unwrap();
    let mut window = window(b"\xff\xfeno panic 1 panic 23 ");
    let found = window.find(&patterns).unwrap();
    assert_eq!(found.groups, ["panic 23", "23"]);
}

#[test]
fn a_pattern_that_is_too_much_work_is_told_and_still_finds_what_came_last() {
    let hard = r"(?:(a+)+\1b)|login:";
    let patterns = Patterns::new([hard]).unwrap();
    let mut window = window(&[b"a".repeat(5000), b"\r\n".repeat(TAIL), b"login:".into()].concat());
    assert_eq!(window.find(&patterns).map(|found| found.groups[0].clone()), Some("login:".into()));
    assert_eq!((window.too_hard().as_deref(), window.too_hard()), (Some(hard), None));
}

#[test]
fn a_flood_is_searched_whole_and_held_in_bounds() {
    let patterns = Patterns::new(["MARK END"]).unwrap();
    let mut window = Window::default();
    for piece in 0..5_000_u64 {
        let bytes = if piece == 3_333 { [b'x'; 400].as_slice() } else { &[b'y'; 997] };
        window.push(at(piece), bytes);
        assert_eq!(window.find(&patterns), None);
    }
    assert!(window.held.len() <= MAX_HELD);
    window.push(at(9), b"MARK E");
    assert_eq!(window.find(&patterns), None);
    window.push(at(15), b"ND");
    assert!(window.find(&patterns).is_some());
}

#[test]
fn what_was_let_go_still_counts_in_the_position() {
    let patterns = Patterns::new(["=> "]).unwrap();
    let mut window = window(b"abc");
    window.forget();
    window.push(at(3), b"def=> => ");
    let positions = [window.find(&patterns), window.find(&patterns)];
    assert_eq!(positions.map(|found| found.unwrap().position), [6, 9]);
}

#[test]
fn what_only_controls_a_terminal_is_no_text() {
    for (held, text) in
        [(&b"\r\n \x1b[6n\x1b[0;1m"[..], false), (b"", false), (b"\x1b[", false), (b" x", true)]
    {
        assert_eq!(window(held).has_text(), text, "{held:?}");
    }
}

#[test]
fn the_last_line_is_what_a_person_would_point_at() {
    assert_eq!(window(b"a\r\nStarting kernel ...\r\n\r\n").last_line(), "Starting kernel ...");
}

proptest! {
    #[test]
    fn a_marker_is_found_wherever_the_stream_is_cut(
        cuts in proptest::collection::vec(0_usize..9_000, 0..40), at_byte in 0_usize..8_900,
    ) {
        let mut stream = vec![b'.'; 9_000];
        stream[at_byte..at_byte + 8].copy_from_slice(b"<MARKER>");
        let mut cuts = cuts;
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let patterns = Patterns::new(["<MARKER>"]).unwrap();
        let mut window = Window::default();
        let mut found = None;
        for pair in cuts.windows(2) {
            window.push(at(pair[0] as u64), &stream[pair[0]..pair[1]]);
            found = found.or_else(|| window.find(&patterns));
        }
        prop_assert_eq!(found.unwrap().place.offset, Some(at_byte as u64));
    }
}
