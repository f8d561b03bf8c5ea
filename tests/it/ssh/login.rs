//! Who is let in.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt as _;

use super::{SshLab, config, make_key, text, told};
use crate::common::{LIMIT, run, wait_until};

#[test]
fn every_usual_kind_of_key_lets_its_user_in_and_another_does_not() {
    let lab = SshLab::start("");
    let dir = lab.lab.dir().display().to_string();
    let rsa = make_key(&lab.lab, "rsa", "rsa");
    let ecdsa = make_key(&lab.lab, "ecdsa", "ecdsa");
    make_key(&lab.lab, "eve", "ed25519");
    lab.lab.write("keys/carol.pub", &format!("{rsa}\n# and\n{ecdsa}\n"));
    let folder = format!("[keys]\ndir = \"{dir}/keys\"\nspy = \"*\"\n");
    lab.reload(&config(&lab.lab, "control = \"panda*\"", &folder));
    for key in ["alice", "rsa", "ecdsa"] {
        let said = run(&mut lab.ssh_with(key, &["lab", "boards"]), "", LIMIT);
        assert_eq!(said.status.code(), Some(0), "{key}: {}", text(&said.stderr));
        assert!(text(&said.stdout).contains("panda01"), "{}", text(&said.stdout));
    }
    let (code, out, err) = told(&run(&mut lab.ssh_with("eve", &["lab", "boards"]), "", LIMIT));
    assert_eq!((code, out.as_str()), (Some(255), ""));
    assert!(err.contains("Permission denied (publickey)"), "{err}");
    lab.ssh.wait_for_log(LIMIT, "a login was refused: no user has this key");
}

#[test]
fn an_agent_answers_for_its_user() {
    let lab = SshLab::start("");
    let socket = lab.lab.path("agent");
    let mut agent = lab.lab.tool("ssh-agent");
    agent.args(["-D", "-a"]).arg(&socket);
    let _agent = crate::common::Process::spawn(agent.stdout(std::process::Stdio::null()));
    wait_until(LIMIT, "the agent listens", || socket.exists());
    let mut add = lab.lab.tool("ssh-add");
    let added = run(add.env("SSH_AUTH_SOCK", &socket).arg(lab.lab.path("alice")), "", LIMIT);
    assert!(added.status.success(), "{}", text(&added.stderr));
    // The key's file is nowhere to be found.
    let agent = format!("IdentityAgent={}", socket.display());
    let mut ssh = lab.ssh_with("none", &["-o", &agent, "-o", "IdentitiesOnly=no"]);
    let said = run(ssh.args(["lab", "boards"]), "", LIMIT);
    assert_eq!(said.status.code(), Some(0), "{}", text(&said.stderr));
}

#[test]
fn the_host_is_known_by_the_same_key_after_a_restart() {
    let mut lab = SshLab::start("");
    assert_eq!(lab.run(&["lab", "boards"], "").status.code(), Some(0));
    let key = lab.ssh.told("host_key").to_owned();
    assert_eq!(lab.lab.path("host_key").metadata().unwrap().mode() & 0o777, 0o600);
    assert!(lab.ssh.terminate().success());
    lab.ssh = lab.lab.start("lava-ssh", ["--config", &lab.file]);
    assert_eq!(lab.ssh.told("host_key"), key);
    let known = lab.lab.path("known_hosts");
    let named = std::fs::read_to_string(&known).unwrap();
    let other = named.replace(&named[named.find(']').unwrap()..named.find(' ').unwrap()], &{
        format!("]:{}", lab.address().port())
    });
    std::fs::write(&known, other).unwrap();
    let said = run(&mut lab.ssh(&["-o", "StrictHostKeyChecking=yes", "lab", "boards"]), "", LIMIT);
    assert_eq!(said.status.code(), Some(0), "{}", text(&said.stderr));
}

#[test]
fn an_old_key_is_no_hindrance_to_others_from_the_same_address() {
    let lab = SshLab::start("");
    make_key(&lab.lab, "eve", "ed25519");
    for _ in 0..12 {
        let told = text(&run(&mut lab.ssh_with("eve", &["lab", "boards"]), "", LIMIT).stderr);
        assert!(told.contains("Permission denied"), "{told}");
    }
    assert_eq!(lab.run(&["lab", "boards"], "").status.code(), Some(0));
    assert!(lab.ssh.log().text().matches("a login was refused").count() <= 10);
}

#[test]
fn who_is_turned_away_sees_why_and_who_only_stands_at_the_door_keeps_nobody_out() {
    let lab = SshLab::start("");
    let stand = || TcpStream::connect(lab.address()).unwrap();
    // As many as may; so the oldest makes room.
    let mut crowd: Vec<TcpStream> = (0..128).map(|_| stand()).collect();
    assert_eq!(lab.run(&["lab", "boards"], "").status.code(), Some(0));
    // Those who go have failed, and while there is a crowd their address is not listened to.
    let mut told = String::new();
    wait_until(LIMIT * 2, "one is turned away", || {
        crowd.clear();
        crowd.extend((0..128).map(|_| stand()));
        told = text(&run(&mut lab.ssh(&["lab", "boards"]), "", LIMIT).stderr);
        told.contains("too many logins from there have failed; try again in a minute")
    });
    assert!(told.contains("Received disconnect from 127.0.0.1"), "{told}");
}

/// Whoever it is that they believe.
struct Trusting;

impl russh::client::Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        _: &russh::keys::PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

#[test]
fn a_channel_on_which_nothing_is_asked_holds_up_nothing() {
    let lab = SshLab::start("");
    let files = || std::fs::read_dir(format!("/proc/{}/fd", lab.ssh.pid())).unwrap().count();
    let before = files();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let said = runtime.block_on(half_asked(&lab));
    assert!(said.contains("panda01"), "{said}");
    drop(runtime);
    wait_until(LIMIT, "nothing of it is left", || files() <= before);
}

/// What a client hears on a channel on which it asks for the boards, beside one on which it only sends.
async fn half_asked(lab: &SshLab) -> String {
    let key = russh::keys::load_secret_key(lab.lab.path("alice"), None).unwrap();
    let key = russh::keys::PrivateKeyWithHashAlg::new(std::sync::Arc::new(key), None);
    let mut client =
        russh::client::connect(Default::default(), lab.address(), Trusting).await.unwrap();
    assert!(client.authenticate_publickey("panda01", key).await.unwrap().success());
    let silent = client.channel_open_session().await.unwrap();
    // More pieces than any queue has places, and then one who asks.
    for _ in 0..1000 {
        silent.data_bytes(&b"x"[..]).await.unwrap();
    }
    let mut asks = client.channel_open_session().await.unwrap();
    asks.exec(true, "boards").await.unwrap();
    let mut said = Vec::new();
    while let Some(message) = asks.wait().await {
        if let russh::ChannelMsg::Data { data } = message {
            said.extend_from_slice(&data);
        }
    }
    text(&said)
}

#[test]
fn what_is_no_ssh_does_no_harm() {
    let lab = SshLab::start("");
    for bytes in [&b"GET / HTTP/1.0\r\n\r\n"[..], &[0xff; 70_000], b"SSH-2.0-x\r\n\xff\xff\xff\xff"]
    {
        let mut socket = TcpStream::connect(lab.address()).unwrap();
        let _ = socket.write_all(bytes);
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let _ = socket.read_to_end(&mut Vec::new());
    }
    assert_eq!(lab.run(&["lab", "boards"], "").status.code(), Some(0));
}

#[test]
fn who_has_lost_a_right_is_let_go() {
    let lab = SshLab::start("");
    let mut alice = crate::common::Client::in_terminal(&mut lab.ssh(&["panda01@lab"]));
    alice.expect("Connected to panda01");
    lab.reload(&config(&lab.lab, "spy = \"panda*\"", ""));
    assert_eq!(alice.process().wait(LIMIT).code(), Some(255));
    let mut alice = crate::common::Client::in_terminal(&mut lab.ssh(&["panda01@lab"]));
    alice.expect("[read-only: attached as a spy");
}
