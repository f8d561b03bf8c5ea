//! What jobs fetch over HTTP, from a server that tells when it was asked for what.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use super::dialogue::{HEAD, complete, stand_in};
use crate::common::{LIMIT, TestLab};

/// How often each path was asked for by GET.
type Asked = Arc<(Mutex<BTreeMap<String, u32>>, Condvar)>;

/// Serves `boot.img` and `rootfs.img` to who has the token. Before the job runs it is too busy; then it
/// gives neither of the two before the other one is asked for as well.
fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let asked = Asked::default();
        for client in listener.incoming() {
            let asked = asked.clone();
            std::thread::spawn(move || answer(client.unwrap(), &asked));
        }
    });
    port
}

fn answer(mut client: TcpStream, (asked, news): &(Mutex<BTreeMap<String, u32>>, Condvar)) {
    let head = BufReader::new(client.try_clone().unwrap());
    let head: Vec<String> =
        head.lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
    let mut words = head[0].split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let status = if !head.iter().any(|line| line.eq_ignore_ascii_case("x-token: s3cret")) {
        "401 Unauthorized"
    } else if method == "HEAD" {
        "503 Service Unavailable"
    } else {
        let mut asked = asked.lock().unwrap();
        *asked.entry(path.to_owned()).or_default() += 1;
        news.notify_all();
        if asked[path] == 1 {
            "503 Service Unavailable"
        } else {
            let both = |asked: &mut BTreeMap<String, u32>| {
                asked.len() < 2 || asked.values().any(|count| *count < 2)
            };
            let (_asked, waited) = news.wait_timeout_while(asked, LIMIT, both).unwrap();
            if waited.timed_out() { "404 Not Found" } else { "200 OK" }
        }
    };
    let _ = write!(client, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx");
}

#[test]
fn the_files_of_a_block_come_side_by_side_once_their_server_is_there() {
    let lab = TestLab::new();
    let port = serve();
    stand_in(&lab, "fastboot", "true");
    let device = "fastboot_serial_number: 7c81f8c4
flash_cmds_order: [boot, rootfs]
actions:
  deploy: {methods: {fastboot: }}
  boot: {methods: {fastboot: []}}
";
    let image = |name| {
        format!(
            "{name}: {{url: 'http://127.0.0.1:{port}/{name}.img', headers: {{X-Token: s3cret}}}}"
        )
    };
    let (boot, root) = (image("boot"), image("rootfs"));
    let job =
        format!("{HEAD}- deploy:\n    to: fastboot\n    images:\n      {boot}\n      {root}\n");
    complete(&lab, &job, device);
}
