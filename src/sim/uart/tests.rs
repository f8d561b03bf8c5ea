use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn ordered(uart: &mut Uart, line: &str) {
    uart.take_reports();
    uart.order(Ok(line), Instant::now());
    assert_eq!(uart.take_reports(), "ok\n", "{line}");
}

fn set(framing: &str, flow: Flow) -> LineSettings {
    LineSettings { framing: framing.parse().unwrap(), flow }
}

fn read(uart: &mut Uart) -> Vec<u8> {
    uart.advance(Instant::now());
    uart.read(usize::MAX).collect()
}

#[test]
fn a_plug_brings_back_bytes_wires_and_breaks() {
    let mut uart = Uart::new(false);
    uart.write(b"\x80back", Instant::now());
    assert_eq!(read(&mut uart), b"\x80back");
    uart.set_line(set("9600e7", Flow::None));
    uart.write(b"\xe1", Instant::now());
    assert_eq!(read(&mut uart), b"a");
    assert!(!uart.news());
    uart.set_outputs(Outputs { dtr: false, rts: true });
    assert!(uart.news() && !uart.news());
    assert_eq!(uart.inputs(), Inputs { cts: true, dsr: false, ri: false, cd: false });
    uart.set_break(true);
    uart.set_break(true);
    assert_eq!(uart.errors(), LineErrors { breaks: 1, ..LineErrors::default() });
    assert!(uart.news());
}

#[test]
fn a_device_that_is_set_differently_is_not_understood() {
    let mut uart = Uart::new(false);
    ordered(&mut uart, "far 9600n8");
    ordered(&mut uart, "send 6c6f67696e3a20");
    let heard = read(&mut uart);
    assert_ne!(heard, b"login: ");
    let errors = uart.errors();
    assert!(errors.framing + errors.breaks > 3, "{errors:?}");

    uart.set_line(set("9600o8", Flow::None));
    ordered(&mut uart, "far 9600e8");
    ordered(&mut uart, "send 6c6f67");
    assert_eq!(read(&mut uart), b"log");
    assert_eq!(uart.errors().parity, 3);
    ordered(&mut uart, "far 9600o8");
    uart.take_reports();
    uart.write(b"root\r", Instant::now());
    uart.advance(Instant::now());
    assert_eq!(uart.take_reports(), "heard 726f6f740d\n");
}

#[test]
fn a_device_has_wires_and_breaks_of_its_own() {
    let mut uart = Uart::new(false);
    uart.take_reports();
    uart.order(Ok("wires ri"), Instant::now());
    assert!(uart.take_reports().starts_with("error there is a plug"));
    ordered(&mut uart, "far 115200n8");
    ordered(&mut uart, "wires ri dsr");
    assert_eq!(uart.inputs(), Inputs { cts: false, dsr: true, ri: true, cd: false });
    ordered(&mut uart, "break");
    ordered(&mut uart, "overrun");
    let counted = LineErrors { breaks: 1, overruns: 1, ..LineErrors::default() };
    assert_eq!(uart.errors(), counted);
    // Without its CTS nothing leaves.
    uart.set_line(set("115200n8", Flow::Hardware));
    uart.write(b"held", Instant::now());
    uart.take_reports();
    assert_eq!(uart.advance(Instant::now()), None);
    assert_eq!(uart.take_reports(), "");
    ordered(&mut uart, "wires cts");
    uart.advance(Instant::now());
    assert_eq!(uart.take_reports(), "heard 68656c64\n");
    ordered(&mut uart, "far plug");
    assert_eq!(uart.inputs().cd, uart.line.outputs.dtr);
}

#[test]
fn bytes_take_their_time_and_can_be_taken_back_until_then() {
    let mut uart = Uart::new(true);
    uart.set_line(set("9600n8", Flow::None));
    let begin = Instant::now();
    assert_eq!(uart.write(&[b'x'; 96], begin), 96);
    let half = begin + Duration::from_millis(50);
    let next = uart.advance(half).unwrap();
    assert!(next > half && next < half + Duration::from_millis(2));
    assert_eq!(uart.read(usize::MAX).count(), 48);
    uart.purge();
    assert_eq!(uart.advance(begin + Duration::from_secs(1)), None);
    assert_eq!(uart.read(usize::MAX).count(), 0);
}

#[test]
fn who_does_not_read_loses_bytes_only_on_a_timed_line() {
    for timed in [false, true] {
        let mut uart = Uart::new(timed);
        let (mut now, mut wrote) = (Instant::now(), 0);
        for _ in 0..40 {
            wrote += uart.write(&[b'x'; lane::WAITING], now);
            now += Duration::from_secs(1);
            uart.advance(now);
        }
        let mut got = 0;
        for _ in 0..40 {
            got += uart.read(usize::MAX).count();
            uart.advance(now);
        }
        assert_eq!(wrote - got, uart.errors().overruns as usize);
        assert_eq!(got < wrote, timed, "{wrote} {got}");
    }
}

proptest! {
    #[test]
    fn whatever_is_done_no_byte_is_lost_at_an_untimed_plug(
        steps in proptest::collection::vec((0..4_u8, any::<Vec<u8>>()), 0..30),
    ) {
        let mut uart = Uart::new(false);
        let (mut wrote, mut got) = (Vec::new(), Vec::new());
        for (step, bytes) in steps {
            match step {
                0 => {
                    let count = uart.write(&bytes, Instant::now());
                    wrote.extend_from_slice(&bytes[..count]);
                }
                1 => got.extend(uart.read(bytes.len())),
                2 => uart.order(Ok(&String::from_utf8_lossy(&bytes)), Instant::now()),
                _ => drop(uart.advance(Instant::now())),
            }
        }
        got.extend(read(&mut uart));
        prop_assert_eq!(got, wrote);
    }
}
