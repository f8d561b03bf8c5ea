use super::*;
use proptest::prelude::*;

fn settled() -> Telnet {
    let mut telnet = Telnet::server();
    let offers = [IAC, WILL, ECHO, IAC, WILL, SGA, IAC, DO, SGA, IAC, DO, COM_PORT];
    assert_eq!(&telnet.answers()[..], offers);
    telnet
}

fn data(bytes: &[u8]) -> Vec<Received> {
    vec![Received::Data(Bytes::copy_from_slice(bytes))]
}

#[test]
fn agreement_to_our_offers_needs_no_answer() {
    let mut telnet = settled();
    assert_eq!(telnet.decode(&[IAC, DO, ECHO, IAC, DO, SGA, IAC, WILL, SGA]), Ok(vec![]));
    assert!(telnet.answers().is_empty());
}

#[test]
fn what_is_not_known_is_refused_once_and_a_change_is_acknowledged_once() {
    let mut telnet = settled();
    telnet.decode(&[IAC, WILL, 24, IAC, DO, 32, IAC, WILL, ECHO, IAC, WONT, 24]).unwrap();
    assert_eq!(&telnet.answers()[..], [IAC, DONT, 24, IAC, WONT, 32, IAC, DONT, ECHO]);
    let twice = [IAC, DO, BINARY, IAC, DO, BINARY, IAC, DONT, BINARY, IAC, DONT, BINARY];
    telnet.decode(&twice).unwrap();
    assert_eq!(&telnet.answers()[..], [IAC, WILL, BINARY, IAC, WONT, BINARY]);
}

#[test]
fn typed_returns_arrive_as_one_cr() {
    let mut telnet = settled();
    assert_eq!(telnet.decode(b"a\r\0b\r\nc\rd"), Ok(data(b"a\rb\rc\rd")));
    telnet.decode(&[IAC, WILL, BINARY]).unwrap();
    assert_eq!(telnet.decode(b"a\r\n"), Ok(data(b"a\r\n")));
}

#[test]
fn breaks_and_subnegotiations_are_taken_out_of_the_data() {
    let mut telnet = settled();
    let sent = [b"x", &[IAC, BRK][..], b"y", &[IAC, SB, 24, 0, IAC, IAC, 1, IAC, SE], b"z"];
    assert_eq!(
        telnet.decode(&sent.concat()),
        Ok([
            data(b"x"),
            vec![Received::Break],
            data(b"y"),
            vec![Received::Subnegotiation(Bytes::from_static(&[24, 0, IAC, 1]))],
            data(b"z"),
        ]
        .concat())
    );
}

#[test]
fn a_peer_that_wants_a_serial_port_is_offered_binary_once() {
    let mut telnet = settled();
    telnet.decode(&[IAC, WONT, COM_PORT]).unwrap();
    assert_eq!(&telnet.answers()[..], [0; 0]);
    let asks = [IAC, WILL, COM_PORT, IAC, DO, COM_PORT, IAC, WILL, BINARY, IAC, DO, BINARY];
    assert_eq!(telnet.decode(&asks), Ok(vec![Received::ComPort]));
    assert_eq!(
        &telnet.answers()[..],
        [[IAC, DO, COM_PORT], [IAC, WILL, BINARY], [IAC, DO, BINARY], [IAC, WILL, COM_PORT],]
            .concat()
    );
    assert_eq!(telnet.decode(&[IAC, WILL, COM_PORT, b'\r', 0]), Ok(data(b"\r\0")));
    assert_eq!(&telnet.answers()[..], [0; 0]);
}

#[test]
fn a_program_that_refuses_binary_is_sent_no_nul_and_types_every_lf() {
    let mut telnet = settled();
    telnet.decode(&[IAC, WILL, COM_PORT, IAC, DONT, BINARY, IAC, WONT, BINARY]).unwrap();
    let mut out = BytesMut::new();
    telnet.encode(b"a\rb", &mut out);
    assert_eq!(&out[..], b"a\rb");
    assert_eq!(telnet.decode(b"a\r\nb\r\0c"), Ok(data(b"a\r\nb\rc")));
}

#[test]
fn a_subnegotiation_without_end_is_an_error() {
    let mut telnet = settled();
    assert_eq!(telnet.decode(&[IAC, SB, 24]), Ok(vec![]));
    assert_eq!(telnet.decode(&[b'x'; MAX_SUBNEGOTIATION - 1]), Ok(vec![]));
    assert_eq!(telnet.decode(b"x"), Err(Oversized));
}

#[test]
fn the_boards_bytes_are_escaped() {
    let mut telnet = settled();
    let mut out = BytesMut::new();
    telnet.encode(&[b'a', IAC, b'\r'], &mut out);
    telnet.encode(b"\nb\r", &mut out);
    telnet.encode(b"c", &mut out);
    assert_eq!(&out[..], [b'a', IAC, IAC, b'\r', b'\n', b'b', b'\r', 0, b'c']);
}

#[test]
fn a_server_that_knows_serial_ports_is_settled_when_it_has_answered() {
    let mut telnet = Telnet::client(true);
    let offers = [IAC, WILL, COM_PORT, IAC, WILL, BINARY, IAC, DO, BINARY, IAC, DO, SGA];
    assert_eq!(&telnet.answers()[..], offers);
    telnet.decode(&[IAC, DO, BINARY, IAC, WILL, BINARY]).unwrap();
    assert!(!telnet.is_settled() && !telnet.is_com_port());
    assert_eq!(telnet.decode(&[IAC, DO, COM_PORT]), Ok(vec![Received::ComPort]));
    assert!(telnet.is_settled() && telnet.is_com_port());
    assert_eq!(&telnet.answers()[..], [0; 0]);
}

#[test]
fn a_server_that_knows_nothing_of_serial_ports_says_so() {
    let mut telnet = Telnet::client(true);
    telnet.answers();
    telnet.decode(&[IAC, DONT, COM_PORT, IAC, DONT, BINARY, IAC, WONT, BINARY]).unwrap();
    assert!(telnet.is_settled() && !telnet.is_com_port());
    // And one that has some is told when we do not want it.
    let mut telnet = Telnet::client(false);
    telnet.answers();
    assert_eq!(telnet.decode(&[IAC, DO, COM_PORT, IAC, WILL, COM_PORT]), Ok(vec![]));
    assert_eq!(&telnet.answers()[..], [IAC, WONT, COM_PORT, IAC, DONT, COM_PORT]);
}

#[test]
fn a_client_keeps_the_boards_line_ends_and_lets_the_server_echo() {
    let mut telnet = Telnet::answering_client(false);
    assert_eq!(telnet.decode(b"a\r\nb\r\0c"), Ok(data(b"a\r\nb\rc")));
    telnet.decode(&[IAC, WILL, ECHO, IAC, DO, ECHO, IAC, DO, 31]).unwrap();
    assert_eq!(&telnet.answers()[..], [IAC, DO, ECHO, IAC, WONT, ECHO, IAC, WONT, 31]);
    let mut out = BytesMut::new();
    telnet.encode(b"\r\n\r", &mut out);
    assert_eq!(&out[..], b"\r\0\n\r\0");
}

#[test]
fn are_you_there_is_answered_without_a_word_among_the_data() {
    let mut people = settled();
    people.decode(&[IAC, AYT]).unwrap();
    assert_eq!(&people.answers()[..], b"\r\n[lavamux: yes]\r\n");
    let mut program = settled();
    program.decode(&[IAC, WILL, COM_PORT]).unwrap();
    program.answers();
    for mut telnet in [program, Telnet::answering_client(false)] {
        telnet.decode(&[IAC, AYT]).unwrap();
        assert_eq!(&telnet.answers()[..], [IAC, NOP]);
    }
}

#[test]
fn who_cannot_decide_is_refused_in_the_end() {
    let mut telnet = settled();
    let both = [IAC, DO, BINARY, IAC, DONT, BINARY];
    telnet.decode(&both.repeat(8)).unwrap();
    assert_eq!(telnet.answers(), [IAC, WILL, BINARY, IAC, WONT, BINARY].repeat(8));
    telnet.decode(&both).unwrap();
    assert_eq!(&telnet.answers()[..], [IAC, WONT, BINARY]);
    // Somebody between the two has said this once: their views have come apart.
    let (mut server, mut client) = (Telnet::server(), Telnet::client(true));
    server.decode(&both).unwrap();
    assert!(talk(&mut server, &mut client) < 30);
}

/// Hands each what the other has to say until both are quiet, and tells how often that took.
fn talk(a: &mut Telnet, b: &mut Telnet) -> usize {
    (0..200)
        .take_while(|_| {
            let (from_a, from_b) = (a.answers(), b.answers());
            b.decode(&from_a).unwrap();
            a.decode(&from_b).unwrap();
            !(from_a.is_empty() && from_b.is_empty())
        })
        .count()
}

/// What a peer may send: much of it commands.
fn hostile(length: usize) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        Just(IAC),
        Just(SB),
        Just(SE),
        Just(b'\r'),
        Just(COM_PORT),
        240..=255_u8,
        0..4_u8,
        any::<u8>()
    ];
    proptest::collection::vec(byte, 0..length)
}

proptest! {
    #[test]
    fn how_the_input_is_cut_makes_no_difference(
        input in hostile(200),
        cut: prop::sample::Index,
        server: bool,
    ) {
        let new = || if server { settled() } else { Telnet::client(true) };
        let (mut whole, mut parts) = (new(), new());
        let at = cut.index(input.len() + 1).min(input.len());
        let joined = |all: Vec<Received>| -> Vec<u8> {
            let byte = |received| match received {
                Received::Data(bytes) => bytes.to_vec(),
                Received::Break => b"<break>".to_vec(),
                Received::ComPort => b"<com-port>".to_vec(),
                Received::Subnegotiation(bytes) => [b"<", &bytes[..], b">"].concat(),
            };
            all.into_iter().flat_map(byte).collect()
        };
        let one = joined(whole.decode(&input).unwrap());
        let two = [&input[..at], &input[at..]].map(|part| parts.decode(part).unwrap()).concat();
        prop_assert_eq!(one, joined(two));
        prop_assert_eq!(whole.answers(), parts.answers());
    }

    /// Whatever each was told before, and also two of one role.
    #[test]
    fn no_two_peers_keep_each_other_busy(
        servers: (bool, bool),
        before in (hostile(60), hostile(60)),
    ) {
        let new = |server| if server { Telnet::server() } else { Telnet::client(true) };
        let (mut a, mut b) = (new(servers.0), new(servers.1));
        a.decode(&before.0).unwrap();
        b.decode(&before.1).unwrap();
        // Whatever begun sequences there were.
        for telnet in [&mut a, &mut b] {
            telnet.decode(&[0, IAC, SE, IAC, SE]).unwrap();
        }
        prop_assert!(talk(&mut a, &mut b) < 100);
    }

    #[test]
    fn a_client_and_a_server_understand_each_other(
        bytes in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(0), Just(IAC), any::<u8>()], 0..100),
        binary: bool,
        cut: prop::sample::Index,
    ) {
        let mut server = Telnet::server();
        let mut client = if binary { Telnet::client(true) } else { Telnet::answering_client(false) };
        talk(&mut server, &mut client);
        prop_assert_eq!((client.is_settled(), client.is_com_port()), (true, binary));
        for (from, to) in [(0, 1), (1, 0)] {
            let peers = [&mut server, &mut client];
            let mut wire = BytesMut::new();
            let at = cut.index(bytes.len() + 1);
            peers[from].encode(&bytes[..at], &mut wire);
            peers[from].encode(&bytes[at..], &mut wire);
            let expected = if bytes.is_empty() { vec![] } else { data(&bytes) };
            prop_assert_eq!(peers[to].decode(&wire), Ok(expected));
        }
    }
}
