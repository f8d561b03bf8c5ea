use super::super::receipt::receipt;
use super::*;
use crate::model::Interval;
use proptest::prelude::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn pace(byte: &str, line: &str) -> Pace {
    let interval = |text: &str| text.parse::<Interval>().unwrap();
    Pace { byte: interval(byte), line: interval(line) }
}

fn typed(who: &str, bytes: &[u8], receipt: Option<Receipt>) -> Typed {
    let bytes = Bytes::copy_from_slice(bytes);
    Typed { receipt, ..Typed::new(who.into(), bytes, 0) }
}

/// What a port that takes everything at once gets, with the milliseconds at which it does.
fn sent(pending: &mut Pending) -> Vec<(u128, String)> {
    let begin = Instant::now();
    let (mut now, mut sent) = (begin, Vec::new());
    loop {
        let at = (now - begin).as_millis();
        while let Some(due) = pending.advance(now) {
            sent.push((at, format!("break {}", due.ms)));
        }
        let front = pending.front().to_vec();
        if !front.is_empty() {
            let taken = pending.took(front.len(), now).unwrap();
            sent.push((at, String::from_utf8(taken.bytes.to_vec()).unwrap()));
        } else if let Some(due) = pending.due() {
            assert!(due > now);
            now = due;
        } else {
            return sent;
        }
    }
}

fn times(sent: &[(u128, String)]) -> Vec<(u128, &str)> {
    sent.iter().map(|(at, what)| (*at, what.as_str())).collect()
}

#[test]
fn what_has_no_pace_goes_at_once_and_in_order() {
    let mut pending = Pending::default();
    pending.push(typed("alice", b"one\ntwo\n", None), Pace::default());
    pending.push(typed("bob", b"three\n", None), Pace::default());
    assert_eq!(times(&sent(&mut pending)), [(0, "one\ntwo\n"), (0, "three\n")]);
    assert_eq!(pending.bytes(), 0);
}

#[test]
fn characters_and_lines_have_their_times() {
    let mut pending = Pending::default();
    pending.push(typed("alice", b"ab\r\nc\rd", None), pace("10ms", "100ms"));
    let expected =
        [(0, "a"), (10, "b"), (20, "\r"), (30, "\n"), (130, "c"), (140, "\r"), (240, "d")];
    assert_eq!(times(&sent(&mut pending)), expected);
    pending.push(typed("alice", b"ab\r\nc\rd", None), pace("0", "100ms"));
    assert_eq!(times(&sent(&mut pending)), [(0, "ab\r\n"), (100, "c\r"), (200, "d")]);
}

#[test]
fn a_pace_below_a_tick_is_kept_on_average() {
    let mut pending = Pending::default();
    pending.push(typed("alice", &[b'x'; 1000], None), pace("10000/s", "0"));
    let sent = sent(&mut pending);
    assert_eq!((sent.len(), sent[0].1.len(), sent[99].0), (100, 10, 99));
}

#[test]
fn a_sequence_goes_before_what_was_typed_and_holds_it_up() {
    let mut pending = Pending::default();
    pending.push(typed("alice", b"typed", None), Pace::default());
    let keys = r"\z(500)\d(100)b".parse().unwrap();
    pending.push_keys("bob", &keys, Pace::default(), None);
    assert_eq!(times(&sent(&mut pending)), [(0, "break 500"), (600, "b"), (600, "typed")]);
}

#[test]
fn what_is_called_back_does_not_go_and_is_counted() {
    let mut pending = Pending::default();
    let (receipt, awaited) = receipt();
    pending.push(typed("alice", b"abc", Some(receipt)), pace("10ms", "0"));
    pending.push(typed("bob", b"d", None), Pace::default());
    let now = Instant::now();
    assert!(pending.advance(now).is_none());
    pending.took(1, now);
    awaited.call_back();
    let sent = sent(&mut pending);
    assert_eq!(sent.iter().map(|(_, what)| what.as_str()).collect::<Vec<_>>(), ["d"]);
    let progress = awaited.progress();
    assert_eq!((progress.done, progress.dropped), (1, 2));
}

#[test]
fn what_is_called_back_goes_also_from_behind_others() {
    let mut pending = Pending::default();
    let (receipt, awaited) = receipt();
    pending.push(typed("bob", b"first\n", None), pace("0", "1s"));
    pending.push(typed("alice", b"abc", Some(receipt.clone())), Pace::default());
    pending.push(typed("bob", b"last", None), Pace::default());
    pending.push_keys("alice", &r"\d(10)x".parse().unwrap(), Pace::default(), Some(&receipt));
    awaited.call_back();
    pending.drop_called_back();
    assert_eq!(awaited.progress().dropped, 3 + 2);
    assert_eq!((pending.bytes(), pending.steps()), (10, 0));
    assert_eq!(times(&sent(&mut pending)), [(0, "first\n"), (1000, "last")]);
}

#[test]
fn a_port_that_takes_nothing_is_given_up_but_not_for_a_pace_of_ours() {
    let mut pending = Pending::default();
    let now = Instant::now();
    pending.push(typed("alice", b"a\nb", None), pace("0", "8s"));
    pending.advance(now);
    assert_eq!(pending.give_up_at(ms(5)), Some(now + ms(5)));
    pending.took(2, now);
    assert_eq!(pending.give_up_at(ms(5)), None);
    let later = now + ms(8000);
    pending.advance(later);
    assert_eq!(pending.give_up_at(ms(5)), Some(later + ms(5)));
    assert_eq!(pending.drop_all(), [("alice".into(), 1)]);
}

proptest! {
    #[test]
    fn at_whatever_pace_every_byte_goes_once_and_in_order(
        parts in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 1..50), 0..3_usize), 0..8),
        takes in proptest::collection::vec(1..20_usize, 1..8),
    ) {
        let paces = [pace("0", "0"), pace("300us", "5ms"), pace("7ms", "0")];
        let mut pending = Pending::default();
        for (bytes, at) in &parts {
            pending.push(typed("alice", bytes, None), paces[*at]);
        }
        let (mut now, mut got, mut takes) = (Instant::now(), Vec::new(), takes.iter().cycle());
        while pending.bytes() > 0 {
            prop_assert!(pending.advance(now).is_none());
            let count = pending.front().len().min(*takes.next().unwrap());
            match pending.took(count, now) {
                Some(taken) => got.extend_from_slice(&taken.bytes),
                None => now = pending.due().unwrap(),
            }
        }
        let all: Vec<u8> = parts.into_iter().flat_map(|(bytes, _)| bytes).collect();
        prop_assert_eq!(got, all);
    }
}
