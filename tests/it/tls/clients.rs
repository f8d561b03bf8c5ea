//! Clients over TLS: curl and openssl, and our own programs.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;

use rustix::process::Signal;

use super::{Secure, user};
use crate::common::{Client, Heard, LIMIT, Pki, Process, run, signal, wait_until};

/// Prints numbered lines for ever, some hundred in a second, and says back what it is told.
const FLOOD: &str = "exec:sh -c 'stty -echo; (n=0; while :; do seq $n $((n + 99)); n=$((n + 100)); sleep \
                     0.02; done) & while read a; do echo got $a; done'";

#[test]
fn a_token_or_a_certificate_lets_in() {
    let access = user("alice", "see = \"*\"")
        + "[[certificate]]\nname = \"farm\"\nspy = \"*\"\n[[certificate]]\nname = \"other\"\n";
    let lab = Secure::start("exec:cat", &access);
    let pki = Pki::new(&lab.lab, "strangers");
    pki.client("stranger");

    assert!(lab.curl("/consoles/panda01", &[]).ends_with(" 401"));
    let alice = ["-H", "Authorization: Bearer lava_alice"];
    assert!(lab.curl("/consoles/panda01", &alice).ends_with(" 200"));
    assert!(lab.curl("/consoles/panda01/history", &alice).ends_with(" 403"));

    let known = Pki::of(&lab.lab, "ca");
    for name in ["farm", "other", "unheard-of"] {
        known.client(name);
    }
    let shown = |name: &str, path: &str| {
        let (cert, key) = (format!("{name}.pem"), format!("{name}.key"));
        lab.curl(path, &["--cert", &cert, "--key", &key])
    };
    assert!(shown("farm", "/consoles/panda01/history").ends_with(" 200"));
    let refused = shown("farm", "/reload");
    assert!(refused.ends_with(" 405"), "{refused}");
    assert!(shown("other", "/consoles/panda01").ends_with(" 404"));
    let unknown = shown("unheard-of", "/consoles/panda01");
    assert!(unknown.ends_with(" 401") && unknown.contains("name unheard-of"), "{unknown}");
    // One that our CA has not signed does not even get to ask.
    let stranger = shown("stranger", "/healthz");
    assert!(stranger.ends_with(" 000") || stranger.contains("alert"), "{stranger}");

    // What is no TLS is let go, and nobody else notices.
    let mut plain = TcpStream::connect(lab.serial.address("http")).unwrap();
    plain.set_read_timeout(Some(LIMIT)).unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // It may be reset.
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    assert!(lab.curl("/healthz", &[]).ends_with(" 200"));
}

#[test]
fn a_certificate_is_renewed_by_a_reload_and_a_wrong_one_changes_nothing() {
    let lab = Secure::start("exec:cat", &user("alice", "control = \"*\""));
    let served = || {
        let address = format!("localhost:{}", lab.serial.address("http").port());
        let mut client = lab.lab.tool("openssl");
        client.args([
            "s_client",
            "-connect",
            &address,
            "-CAfile",
            "ca.pem",
            "-verify_return_error",
        ]);
        let said = run(&mut client, "", LIMIT);
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(text.contains("Verify return code: 0 (ok)"), "{text}");
        text.lines().find(|line| line.starts_with("subject=")).unwrap().to_owned()
    };
    assert!(served().ends_with("CN = server"), "{}", served());
    Pki::of(&lab.lab, "ca").server("renewed");
    for kind in ["pem", "key"] {
        let path = |name: &str| lab.lab.path(&format!("{name}.{kind}"));
        std::fs::copy(path("renewed"), path("server")).unwrap();
    }
    signal(lab.serial.pid(), Signal::HUP);
    lab.serial.wait_for_log(LIMIT, "the configuration was read again");
    assert!(served().ends_with("CN = renewed"), "{}", served());

    std::fs::copy(lab.lab.path("ca.key"), lab.lab.path("server.key")).unwrap();
    signal(lab.serial.pid(), Signal::HUP);
    lab.serial.wait_for_log(LIMIT, "server.pem: it does not go with the key in");
    std::fs::write(lab.lab.path("server.pem"), "nonsense").unwrap();
    signal(lab.serial.pid(), Signal::HUP);
    lab.serial.wait_for_log(LIMIT, "server.pem: there is no certificate in it");
    assert!(served().ends_with("CN = renewed"));
    let said = lab.lab.run("lava-serial", ["--check", "--config", &lab.file], "");
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("server.pem: there is no certificate in it"), "{said}");

    let text = std::fs::read_to_string(&lab.file).unwrap();
    let half = lab.lab.write("half.toml", &text.replace("key = \"server.key\"\n", ""));
    let said = lab.lab.run("lava-serial", ["--check", "--config", &half], "");
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("http.cert: \"key\" is missing"), "{said}");
}

#[test]
fn our_own_programs_log_in_by_what_lab_toml_and_the_environment_say() {
    let lab = Secure::start("exec:cat", &user("alice", "write = \"*\""));
    let inventory = lab.inventory("");
    let boards = |token: &[(&str, &str)]| {
        let mut boards = lab.lab.program("lava");
        boards.args(["log", "panda01", "--lab", &inventory]);
        let said = run(boards.envs(token.iter().copied()), "", LIMIT);
        (said.status.code(), String::from_utf8(said.stderr).unwrap())
    };
    let ca = lab.lab.path("ca.pem");
    let ca = ("LAVA_CA", ca.to_str().unwrap());
    let (code, said) = boards(&[("LAVA_TOKEN", "lava_alice")]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("certificate") && said.contains("LAVA_CA"), "{said}");
    let (code, said) = boards(&[ca]);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("LAVA_TOKEN"), "{said}");
    let (code, said) = boards(&[ca, ("LAVA_TOKEN", "lava_wrong")]);
    assert_eq!((code, said.contains("wrong")), (Some(4), false), "{said}");
    assert_eq!(boards(&[ca, ("LAVA_TOKEN", "lava_alice")]).0, Some(0));

    let file = lab.lab.write("home/.config/lava/token", "lava_alice\n");
    let (code, said) = boards(&[ca]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("chmod 600") && !said.contains("lava_alice"), "{said}");
    let owner_only = || std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&file, owner_only()).unwrap();
    assert_eq!(boards(&[ca]).0, Some(0));

    // What lab.toml says of the board counts more.
    std::fs::write(&file, "lava_wrong\n").unwrap();
    let inventory = lab.inventory("token_file = \"panda.token\"\nca = \"ca.pem\"\n");
    let token = lab.lab.write("panda.token", "lava_alice\n");
    std::fs::set_permissions(&token, owner_only()).unwrap();
    let mut alice = lab.lab.program("lava-console");
    let mut alice = Client::in_terminal(alice.args(["--lab", &inventory, "panda01"]));
    alice.expect("Connected to panda01 [channel connected]");
    alice.type_text("hello\r");
    alice.expect("hello");
    alice.type_text("~$who\r");
    alice.expect("alice (tester)");
    alice.type_text("~$quit\r");
    assert_eq!(alice.process().wait(LIMIT).code(), Some(0));
}

#[test]
fn a_client_over_tls_is_let_go_by_a_restart_and_misses_nothing() {
    let lab = Secure::start(FLOOD, &user("alice", "write = \"*\""));
    let inventory = lab.inventory("ca = \"ca.pem\"");
    let mut console = lab.lab.program("lava-console");
    console.args(["--lab", &inventory, "panda01"]).env("LAVA_TOKEN", "lava_alice");
    console.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut console = Process::spawn(&mut console);
    let stdout = Heard::from(console.child().stdout.take().unwrap());
    let stderr = Heard::from(console.child().stderr.take().unwrap());
    let mut stdin = console.child().stdin.take().unwrap();
    for restarts in 1..=3 {
        let more = stdout.len() + 20_000;
        wait_until(LIMIT, "the board is heard", || stdout.len() > more);
        // On its way when the daemon says goodbye, or not: it arrives.
        writeln!(stdin, "typed{restarts}").unwrap();
        stdout.find(LIMIT, 0, format!("got typed{restarts}\n").as_bytes()).unwrap();
        signal(lab.serial.pid(), Signal::USR2);
        wait_until(LIMIT, "the console is back", || {
            stderr.text().matches("[back]\n").count() == restarts
        });
    }
    let more = stdout.len() + 20_000;
    wait_until(LIMIT, "the board is heard after the restarts", || stdout.len() > more);
    drop(stdin);
    assert_eq!(console.wait(LIMIT).code(), Some(0));
    wait_until(LIMIT, "all output is read", || stdout.ended());
    assert_eq!(stderr.text().matches("replaced; come again").count(), 3, "{}", stderr.text());

    let heard = stdout.bytes();
    let captured = lab.curl_bytes("/consoles/panda01/history");
    let begin = captured.windows(200).position(|window| window == &heard[..200]).unwrap();
    assert!(captured[begin..].starts_with(&heard), "it heard something else than was printed");
}
