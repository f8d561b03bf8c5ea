//! The test plays the daemon: it accepts, says hello, and goes away in the middle of the stream.

use std::collections::HashMap;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{
    ErrorResponse, Request as Upgrade, Response,
};

use super::sending::SEND_TIMEOUT;
use super::*;
use crate::model::{Event, What};
use crate::wire::attach::{PortState, Request};
use crate::wire::frame::Frame;
use crate::wire::request::SendBreak;

struct Daemon(TcpListener);

struct Served {
    socket: WebSocketStream<TcpStream>,
    query: HashMap<String, String>,
}

impl Daemon {
    async fn start() -> (Self, ConsoleRef) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/consoles/panda01", listener.local_addr().unwrap());
        (Self(listener), url.parse().unwrap())
    }

    #[expect(clippy::result_large_err, reason = "the callback's type is the library's")]
    async fn accept(&self) -> Served {
        let (stream, _) = self.0.accept().await.unwrap();
        let mut query = HashMap::new();
        let note = |upgrade: &Upgrade, response: Response| -> Result<Response, ErrorResponse> {
            assert_eq!(upgrade.uri().path(), "/consoles/panda01/attach");
            let pairs = upgrade.uri().query().unwrap().split('&');
            query = pairs
                .map(|pair| pair.split_once('=').unwrap())
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect();
            Ok(response)
        };
        let socket = tokio_tungstenite::accept_hdr_async(stream, note).await.unwrap();
        Served { socket, query }
    }

    /// Accepts, and says hello with the stream beginning at `from` of `head`.
    async fn greet(&self, from: u64, head: u64) -> Served {
        let mut served = self.accept().await;
        served
            .say(&FromServer::Hello {
                console: "panda01".parse().unwrap(),
                session: 1,
                mode: Mode::Rw,
                from,
                head,
                port: PortState::Open,
                others: Vec::new(),
                holder: None,
            })
            .await;
        served
    }
}

impl Served {
    async fn say(&mut self, message: &FromServer) {
        let text = serde_json::to_string(message).unwrap();
        self.socket.send(Message::Text(text.into())).await.unwrap();
    }

    async fn frame(&mut self, offset: u64, bytes: &'static [u8]) {
        let frame = Frame { offset, time_us: 1, bytes: Bytes::from_static(bytes) };
        self.socket.send(Message::Binary(frame.encode())).await.unwrap();
    }
}

fn event(offset: u64, text: &str) -> Event {
    Event { offset, time_us: 5, who: None, what: What::Message { text: text.into() } }
}

async fn attached(daemon: &Daemon, console: &ConsoleRef, options: Options) -> (Attachment, Served) {
    let opening = Attachment::open(console.clone(), options);
    let (attachment, served) = tokio::join!(opening, daemon.greet(0, 0));
    (attachment.unwrap(), served)
}

async fn bytes(attachment: &mut Attachment) -> Bytes {
    match attachment.next().await {
        Item::Bytes(frame) => frame.bytes,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_restarted_daemon_costs_no_byte_and_doubles_none() {
    let (daemon, console) = Daemon::start().await;
    let (mut attachment, mut served) = attached(&daemon, &console, Options::default()).await;
    assert_eq!(served.query["from"], "head");
    served.frame(0, b"hello ").await;
    served.say(&FromServer::Event(event(6, "at six"))).await;
    assert_eq!(bytes(&mut attachment).await, "hello ");
    assert_eq!(attachment.next().await, Item::Event(event(6, "at six")));

    drop(served);
    assert!(matches!(attachment.next().await, Item::Lost { .. }));
    let (resumed, mut served) = tokio::join!(attachment.next(), daemon.greet(6, 11));
    assert!(matches!(resumed, Item::Resumed(hello) if hello.head == 11));
    assert_eq!(served.query["from"], "6");
    served.say(&FromServer::Event(event(6, "at six"))).await;
    served.frame(2, b"llo wo").await;
    served.frame(0, b"hello").await;
    served.frame(8, b"rld").await;
    assert_eq!(bytes(&mut attachment).await, "wo");
    assert_eq!(bytes(&mut attachment).await, "rld");
    assert_eq!(attachment.offset(), 11);
}

#[tokio::test]
async fn bytes_that_are_gone_are_one_gap_however_they_are_told() {
    let (daemon, console) = Daemon::start().await;
    let (mut attachment, mut served) = attached(&daemon, &console, Options::default()).await;
    served.frame(0, b"ab").await;
    served.say(&FromServer::Gap { from: 2, to: 10 }).await;
    served.frame(12, b"m").await;
    assert_eq!(bytes(&mut attachment).await, "ab");
    assert_eq!(attachment.next().await, Item::Gap { from: 2, to: 10 });
    assert_eq!(attachment.next().await, Item::Gap { from: 10, to: 12 });
    assert_eq!(bytes(&mut attachment).await, "m");

    drop(served);
    assert!(matches!(attachment.next().await, Item::Lost { .. }));
    let (_, mut served) = tokio::join!(attachment.next(), daemon.greet(20, 30));
    served.say(&FromServer::Gap { from: 13, to: 20 }).await;
    served.frame(20, b"u").await;
    assert_eq!(attachment.next().await, Item::Gap { from: 13, to: 20 });
    assert_eq!(bytes(&mut attachment).await, "u");
}

#[tokio::test]
async fn a_daemon_that_forgot_its_stream_is_followed_anew() {
    let (daemon, console) = Daemon::start().await;
    let (mut attachment, mut served) = attached(&daemon, &console, Options::default()).await;
    served.frame(0, b"long ago").await;
    bytes(&mut attachment).await;
    drop(served);
    attachment.next().await;
    let (_, mut served) = tokio::join!(attachment.next(), daemon.greet(0, 0));
    assert_eq!(attachment.next().await, Item::Renumbered { from: 0 });
    served.frame(0, b"new").await;
    assert_eq!(bytes(&mut attachment).await, "new");
}

#[tokio::test]
async fn an_answer_overtakes_nothing_and_loses_nothing() {
    let (daemon, console) = Daemon::start().await;
    let (mut attachment, mut served) = attached(&daemon, &console, Options::default()).await;
    let daemon_side = async {
        let asked = served.socket.next().await.unwrap().unwrap().into_text().unwrap();
        let request: Request = serde_json::from_str(&asked).unwrap();
        served.frame(0, b"meanwhile").await;
        served.say(&FromServer::Reply { id: request.id, answer: Answer::Done }).await;
        request.verb
    };
    let asked = Verb::Break(SendBreak { ms: Some(1), sequence: None });
    let (answer, verb) = tokio::join!(attachment.request(asked.clone()), daemon_side);
    assert_eq!(answer, Ok(Answer::Done));
    assert_eq!(verb, asked);
    assert_eq!(bytes(&mut attachment).await, "meanwhile");
}

#[tokio::test]
async fn a_request_to_a_daemon_that_dies_is_an_error_and_no_hang() {
    let (daemon, console) = Daemon::start().await;
    let (mut attachment, served) = attached(&daemon, &console, Options::default()).await;
    drop(served);
    let answer = attachment.request(Verb::Who).await;
    assert!(matches!(answer, Err(SendError::Lost(_))), "{answer:?}");
    assert!(matches!(attachment.next().await, Item::Lost { .. }));
    assert_eq!(attachment.type_bytes(b"x").await, Err(SendError::Away));
}

#[tokio::test]
async fn typing_goes_on_while_the_board_floods() {
    let (daemon, console) = Daemon::start().await;
    let (mut attachment, mut served) = attached(&daemon, &console, Options::default()).await;
    // More than the socket buffers hold in each direction, by a daemon that does one at a time.
    let typed = vec![b'x'; 8 << 20];
    let flood = Bytes::from(vec![b'y'; 32 << 10]);
    let daemon_side = async {
        for piece in 0..512_u64 {
            let frame = Frame { offset: piece << 15, time_us: 1, bytes: flood.clone() };
            served.socket.send(Message::Binary(frame.encode())).await.unwrap();
        }
        let mut taken = 0;
        while taken < typed.len() {
            taken += served.socket.next().await.unwrap().unwrap().len();
        }
    };
    let (sent, ()) = tokio::join!(attachment.type_bytes(&typed), daemon_side);
    assert_eq!(sent, Ok(()));
    for _ in 0..512 {
        assert_eq!(bytes(&mut attachment).await.len(), 32 << 10);
    }
}

#[tokio::test]
async fn a_paste_takes_as_long_as_the_board_needs() {
    let (daemon, console) = Daemon::start().await;
    let (mut attachment, mut served) = attached(&daemon, &console, Options::default()).await;
    // More than the socket buffers hold, and nothing is taken for longer than a send may take.
    let typed = vec![b'x'; 8 << 20];
    let daemon_side = async {
        tokio::time::sleep(SEND_TIMEOUT + SEND_TIMEOUT / 4).await;
        let mut taken = 0;
        while taken < typed.len() {
            taken += served.socket.next().await.unwrap().unwrap().into_data().len();
        }
    };
    let (sent, ()) = tokio::join!(attachment.type_bytes(&typed), daemon_side);
    assert_eq!(sent, Ok(()));
}

#[tokio::test]
async fn what_is_typed_later_leaves_in_order_and_waits_for_a_new_connection() {
    let (daemon, console) = Daemon::start().await;
    let (mut attachment, mut served) = attached(&daemon, &console, Options::default()).await;
    attachment.type_later(Bytes::from(vec![b'a'; 5000]));
    assert_eq!(attachment.untyped(), 5000);
    let daemon_side = async {
        let mut taken = Vec::new();
        while taken.len() < 5000 {
            let message = served.socket.next().await.unwrap().unwrap();
            assert!(message.is_binary(), "a request does not overtake what was typed before it");
            taken.extend_from_slice(&message.into_data());
        }
        let asked = served.socket.next().await.unwrap().unwrap().into_text().unwrap();
        let request: Request = serde_json::from_str(&asked).unwrap();
        served.say(&FromServer::Reply { id: request.id, answer: Answer::Done }).await;
        (taken, served)
    };
    let (answer, (taken, served)) = tokio::join!(attachment.request(Verb::Who), daemon_side);
    assert_eq!((answer, taken), (Ok(Answer::Done), vec![b'a'; 5000]));

    drop(served);
    assert!(matches!(attachment.next().await, Item::Lost { .. }));
    attachment.type_later(Bytes::from_static(b"later"));
    let (_, mut served) = tokio::join!(attachment.next(), daemon.greet(0, 0));
    let daemon_side = async { served.socket.next().await.unwrap().unwrap().into_data() };
    let later = tokio::select! {
        later = daemon_side => later,
        item = attachment.next() => panic!("{item:?}"),
    };
    assert_eq!((later, attachment.untyped()), (Bytes::from_static(b"later"), 0));
}

/// What a client sends up to its goodbye, in order.
async fn taken(served: &mut Served) -> Vec<Message> {
    let mut taken = Vec::new();
    while let Some(Ok(message)) = served.socket.next().await {
        taken.push(message);
        if taken.last().is_some_and(Message::is_close) {
            break;
        }
    }
    taken
}

#[tokio::test]
async fn who_leaves_has_typed_it_all_and_what_is_asked_for_goes_before_it() {
    let (daemon, console) = Daemon::start().await;
    let (mut attachment, mut served) = attached(&daemon, &console, Options::default()).await;
    // More than one message holds.
    attachment.type_later(Bytes::from([vec![b'x'; 3000], b"\r".to_vec()].concat()));
    let asked: Vec<_> = (0..17).map(|_| attachment.ask_first(Verb::Who)).collect();
    assert_eq!((&asked[15], &asked[16]), (&Ok(16), &Err(SendError::Behind)));
    let ((), taken) = tokio::join!(attachment.detach(), taken(&mut served));
    let (asked, rest) = taken.split_at(16);
    assert!(asked.iter().all(Message::is_text), "{taken:?}");
    let (goodbye, typed) = rest.split_last().unwrap();
    assert!(goodbye.is_close(), "{goodbye:?}");
    let typed: Vec<u8> = typed.iter().flat_map(|message| message.clone().into_data()).collect();
    assert!(typed.len() == 3001 && typed.ends_with(b"x\r"), "{}", typed.len());
}

#[tokio::test]
async fn a_board_that_takes_nothing_does_not_hold_up_who_leaves_for_long() {
    let (daemon, console) = Daemon::start().await;
    let (mut attachment, _served) = attached(&daemon, &console, Options::default()).await;
    attachment.type_later(Bytes::from(vec![b'x'; 16 << 20]));
    let asked = attachment.ask_first(Verb::Who);
    assert_eq!((asked, attachment.has_to_type()), (Ok(1), true));
    attachment.detach().await;
}

#[tokio::test]
async fn who_waits_for_what_is_typed_to_leave_is_told_though_the_board_is_silent() {
    let (daemon, console) = Daemon::start().await;
    let (mut attachment, mut served) = attached(&daemon, &console, Options::default()).await;
    attachment.type_later(Bytes::from(vec![b'x'; 8 << 20]));
    let daemon_side = async {
        let mut taken = 0;
        while taken < 8 << 20 {
            taken += served.socket.next().await.unwrap().unwrap().into_data().len();
        }
    };
    let (item, ()) = tokio::join!(attachment.next_or_typed(), daemon_side);
    assert!(item.is_none() && attachment.untyped() == 0, "{item:?}");
}

#[tokio::test]
async fn who_is_let_go_does_not_come_back() {
    let (daemon, console) = Daemon::start().await;
    let (mut attachment, mut served) = attached(&daemon, &console, Options::default()).await;
    served.say(&FromServer::Notice { text: "soon".into() }).await;
    served.say(&FromServer::Ended { reason: "idle".into() }).await;
    drop(served);
    assert_eq!(attachment.next().await, Item::Notice("soon".into()));
    assert_eq!(attachment.next().await, Item::Ended { reason: "idle".into() });
    assert_eq!(attachment.type_bytes(b"x").await, Err(SendError::Away));
    tokio::select! {
        item = attachment.next() => panic!("{item:?}"),
        _ = daemon.accept() => panic!("it is there again"),
        () = tokio::time::sleep(4 * FIRST_PAUSE) => {}
    }
}

#[tokio::test]
async fn who_was_forced_off_does_not_take_the_lock_back_by_reconnecting() {
    let (daemon, console) = Daemon::start().await;
    let options = Options { mode: Mode::Exclusive, ..Options::default() };
    let (mut attachment, mut served) = attached(&daemon, &console, options).await;
    assert_eq!(served.query["mode"], "exclusive");
    let by = Some("bob".to_owned());
    served.say(&FromServer::Mode { mode: Mode::Spy, by, holder: None }).await;
    assert!(matches!(attachment.next().await, Item::Mode { mode: Mode::Spy, .. }));
    drop(served);
    attachment.next().await;
    let (_, served) = tokio::join!(attachment.next(), daemon.greet(0, 0));
    assert_eq!(served.query["mode"], "rw");
}

#[tokio::test]
async fn nobody_listening_is_the_labs_fault() {
    let (daemon, console) = Daemon::start().await;
    drop(daemon);
    let failure = Attachment::open(console, Options::default()).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Lab);
}
