//! No byte is lost, whoever dies or sleeps.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};

use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::net::{AddressFamily, SocketType, connect, socket};
use rustix::process::Signal;

use super::{Bench, PRINTING, PROMPT};
use crate::common::{LIMIT, signal, wait_until};

#[test]
fn after_kill_9_the_record_holds_all_that_anybody_was_shown() {
    let mut bench = Bench::start();
    let script = bench.script();
    let shown = bench.attach("from=0&user=alice");
    bench.boot_to_prompt(&shown);
    // Four megabytes of memory, each line with its address.
    shown.type_text("md.l 40000000 40000\r");
    wait_until(LIMIT, "the board is printing", || shown.heard().len() > 300_000);
    bench.serial().kill();
    wait_until(LIMIT, "the client notices", || shown.heard().ended());
    let shown = shown.heard().bytes();

    bench.start_serial();
    let capture = bench.capture();
    assert!(capture.len() >= shown.len(), "{} on record, {} shown", capture.len(), shown.len());
    assert!(capture.starts_with(&shown), "what was shown is on record, byte for byte");

    // The client goes on where it was; together it has the whole stream.
    let resumed = bench.attach(&format!("from={}&user=alice", shown.len()));
    let last = "400ffff0: ";
    let at = resumed.heard().find(PRINTING, 0, last.as_bytes()).unwrap();
    resumed.heard().find(LIMIT, at, PROMPT.as_bytes()).unwrap();
    let mut expected = shown.len() as u64;
    for (offset, length) in resumed.frames() {
        assert_eq!(offset, expected, "no gap and no overlap between frames");
        expected += length as u64;
    }
    let stream = [shown, resumed.heard().bytes()].concat();
    let capture = bench.capture();
    same("the client", &stream, &capture);
    // `lava-console` has done the same by itself.
    wait_until(LIMIT, "the script has it all", || script.heard().len() >= capture.len());
    same("the script", &script.heard().bytes(), &capture);
}

#[test]
fn stopped_clients_cost_nobody_anything_and_later_get_every_byte() {
    let mut bench = Bench::start();
    // One that is a bare socket, and a `lava-console` that somebody stopped with Ctrl-Z.
    let mut stopped = connect_narrow(bench.raw);
    let script = bench.script();
    signal(script.pid(), Signal::STOP);
    let reader = bench.attach("from=0&user=alice");
    bench.boot_to_prompt(&reader);
    let memory = bench.serial().memory();

    // Four megabytes: more than the kernel keeps for a client that does not read.
    reader.type_text("md.l 40000000 40000\r");
    let end = reader.heard().find(PRINTING, 0, b"400ffff0: ").unwrap();
    reader.heard().find(LIMIT, end, PROMPT.as_bytes()).unwrap();
    let grown = bench.serial().memory().saturating_sub(memory);
    assert!(grown < 4 << 20, "the stopped clients cost {grown} bytes of memory");
    // Nobody else waits for them, as typing shows.
    reader.type_text("echo still $board_name\r");
    let end = reader.heard().find(LIMIT, end, b"still qemu-arm").unwrap();
    reader.heard().find(LIMIT, end, PROMPT.as_bytes()).unwrap();

    let capture = bench.capture();
    let mut late = vec![0; capture.len()];
    stopped.set_read_timeout(Some(LIMIT)).unwrap();
    set_socket_recv_buffer_size(&stopped, 1 << 20).unwrap();
    stopped.read_exact(&mut late).unwrap();
    same("the bare socket", &late, &capture);
    signal(script.pid(), Signal::CONT);
    wait_until(LIMIT, "the script has it all", || script.heard().len() >= capture.len());
    same("the script", &script.heard().bytes(), &capture);
}

/// A connection with a small receive buffer. It is so from its beginning: one that shrinks later drops what the window
/// before had room for, and the sender, whose retransmission timer backs off, says nothing more for minutes.
fn connect_narrow(address: SocketAddr) -> TcpStream {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    set_socket_recv_buffer_size(&socket, 4096).unwrap();
    connect(&socket, &address).unwrap();
    socket.into()
}

/// Fails with the first difference, instead of printing megabytes.
#[track_caller]
fn same(who: &str, stream: &[u8], capture: &[u8]) {
    let differ = stream.iter().zip(capture).position(|(a, b)| a != b);
    let (has, held) = (stream.len(), capture.len());
    assert!(
        stream == capture,
        "{who} has {has} bytes, {held} are on record; the first that differs is {differ:?}"
    );
}
