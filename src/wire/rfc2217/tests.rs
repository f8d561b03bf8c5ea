use super::*;
use crate::model::line::Inputs;
use proptest::prelude::*;

fn encoded(answer: Answer<'_>) -> Vec<u8> {
    let mut out = BytesMut::new();
    answer.encode(&mut out);
    out.to_vec()
}

#[test]
fn settings_are_read_and_answered() {
    assert_eq!(Request::decode(&[1, 0, 1, 0xc2, 0]), Some(Request::Baud(Some(115_200))));
    assert_eq!(Request::decode(&[2, 7]), Some(Request::DataBits(Some(7))));
    assert_eq!(Request::decode(&[3, 5]), Some(Request::Parity(Some(Parity::Space))));
    assert_eq!(Request::decode(&[4, 3]), Some(Request::StopBits(Some(StopBits::OneAndHalf))));
    assert_eq!(Request::decode(&[5, 9]), Some(Request::Control(Control::Dtr(Some(false)))));
    assert_eq!(Request::decode(&[12, 3]), Some(Request::Purge(Purge::Both)));
    let whole = [IAC, SB, 44, 101, 0, 1, 0xc2, 0, IAC, SE];
    assert_eq!(encoded(Answer::Baud(115_200)), whole);
    assert_eq!(encoded(Answer::Signature(b"a")), [IAC, SB, 44, 100, b'a', IAC, SE]);
}

#[test]
fn a_question_is_what_asks_and_what_cannot_be_understood() {
    for baud in [&[1, 0, 0, 0, 0][..], &[1, 0, 1], &[1]] {
        assert_eq!(Request::decode(baud), Some(Request::Baud(None)), "{baud:?}");
    }
    for bits in [&[2, 0][..], &[2, 4], &[2, 9], &[2]] {
        assert_eq!(Request::decode(bits), Some(Request::DataBits(None)), "{bits:?}");
    }
    assert_eq!(Request::decode(&[3, 6]), Some(Request::Parity(None)));
    assert_eq!(Request::decode(&[4]), Some(Request::StopBits(None)));
    for control in [0, 17, 19, 20, 255] {
        assert_eq!(Request::decode(&[5, control]), Some(Request::Control(Control::Flow(None))));
    }
    assert_eq!(Request::decode(&[0]), Some(Request::Signature));
    assert_eq!(Request::decode(b"\0pyserial"), Some(Request::ClientSignature));
}

#[test]
fn what_has_no_answer_is_ignored() {
    for nothing in [&[][..], &[5], &[12], &[12, 0], &[12, 4], &[13], &[101, 0], &[255]] {
        assert_eq!(Request::decode(nothing), None, "{nothing:?}");
    }
}

#[test]
fn modem_state_tells_the_wires_and_what_has_changed() {
    let off = Inputs { cts: false, dsr: false, ri: false, cd: false };
    assert_eq!(modem_state(off, Inputs { cts: true, ..off }), 0x11);
    assert_eq!(modem_state(off, Inputs { ri: true, ..off }), 0x40);
    assert_eq!(modem_state(Inputs { ri: true, ..off }, off), 0x04);
    assert_eq!(modem_state(Inputs { cd: true, dsr: true, ..off }, off), 0x0a);
}

#[test]
fn what_a_server_says_is_read() {
    let told = Inputs { cts: true, dsr: false, ri: true, cd: false };
    assert_eq!(Answer::decode(&[107, 0x51]), Some(Answer::ModemState(0x51)));
    assert_eq!(inputs(0x51), told);
    assert_eq!(Answer::decode(&[101, 0, 1, 0xc2, 0]), Some(Answer::Baud(115_200)));
    assert_eq!(Answer::decode(&[105, 16]), Some(Answer::InboundFlow(Flow::Hardware)));
    assert_eq!(Answer::decode(&[108]), Some(Answer::Suspend));
    // Cut off, as ser2net answers a baud rate that was cut off; not a server's; of no meaning.
    for nothing in [&[101, 8][..], &[101], &[102, 9], &[105, 4], &[105, 17], &[112, 0], &[7, 1]] {
        assert_eq!(Answer::decode(nothing), None, "{nothing:?}");
    }
    for nothing in [&[][..], &[99], &[113, 1], &[255, 1]] {
        assert_eq!(Answer::decode(nothing), None, "{nothing:?}");
    }
}

proptest! {
    #[test]
    fn no_sub_option_makes_it_panic(
        bytes in proptest::collection::vec(prop_oneof![0..20_u8, any::<u8>()], 0..20),
    ) {
        let _ = Answer::decode(&bytes);
        let Some(request) = Request::decode(&bytes) else { return Ok(()) };
        // What was understood is said again in the same meaning.
        let mut wire = BytesMut::new();
        request.encode(&mut wire);
        prop_assert_eq!(Request::decode(&received(&wire)[1..]), Some(request));
    }

    #[test]
    fn an_answer_that_is_understood_is_said_again_in_the_same_way(
        command in 100..=112_u8,
        value in proptest::collection::vec(prop_oneof![0..20_u8, any::<u8>()], 4),
    ) {
        if let Some(answer) = Answer::decode(&[&[command], &value[..]].concat()) {
            let wire = received(&encoded(answer));
            prop_assert_eq!(Answer::decode(&wire[1..]), Some(answer));
            prop_assert!(value.starts_with(&wire[2..]));
        }
    }

    /// pyserial takes an answer only if it begins with the value that it asked for.
    #[test]
    fn the_answer_to_a_setting_is_the_value_that_was_asked_for(
        command in 1..=4_u8,
        value in prop_oneof![
            any::<[u8; 4]>(),
            (1..=9_u8).prop_map(|number| [number, 0, 0, 0]),
        ],
    ) {
        let asked = if command == SET_BAUDRATE { &value[..] } else { &value[..1] };
        let answer = match Request::decode(&[&[command], &value[..]].concat()).unwrap() {
            Request::Baud(Some(baud)) => Answer::Baud(baud),
            Request::DataBits(Some(bits)) => Answer::DataBits(bits),
            Request::Parity(Some(parity)) => Answer::Parity(parity),
            Request::StopBits(Some(bits)) => Answer::StopBits(bits),
            _ => return Ok(()),
        };
        prop_assert_eq!(received(&encoded(answer)), [&[44, command + SERVER], asked].concat());
    }

    #[test]
    fn every_answer_is_one_subnegotiation(baud: u32, mask: u8, text in "[a-z\u{80}-\u{ff}]{0,9}") {
        for (answer, value) in [
            (Answer::Baud(baud), baud.to_be_bytes().to_vec()),
            (Answer::ModemState(mask), vec![mask]),
            (Answer::LineStateMask(mask), vec![mask]),
            (Answer::Signature(text.as_bytes()), text.as_bytes().to_vec()),
        ] {
            prop_assert_eq!(&received(&encoded(answer))[2..], &value);
        }
    }
}

/// What a telnet peer takes from it: the option, the command and the value.
fn received(wire: &[u8]) -> Vec<u8> {
    use crate::wire::telnet::{Received, Telnet};
    match &Telnet::server().decode(wire).unwrap()[..] {
        [Received::Subnegotiation(bytes)] => bytes.to_vec(),
        other => panic!("{other:?}"),
    }
}
