//! The same ser2net.yaml serves the same board at the same port, by ser2net and then by lava-serial.

use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;

use super::{free_port, import, serve, told};
use crate::common::{Client, LIMIT, Process, Terminal, TestLab, wait_until};

/// Types at the port until the board at the wire has got it, and answers.
#[track_caller]
fn talk(mut client: Client, board: &mut Client, word: &str) {
    client.type_text(word);
    board.expect(word);
    let answer = format!("{word} understood");
    board.type_text(&answer);
    client.expect(&answer);
}

#[test]
fn clients_find_their_boards_where_ser2net_had_them() {
    let lab = TestLab::new();
    let (wire, other) = (Terminal::wire(), Terminal::wire());
    let (mut board, mut second) = (Client::wire(&wire), Client::wire(&other));
    let (raw, telnet) = (free_port(), free_port());
    let yaml = lab.write(
        "ser2net.yaml",
        &format!(
            "%YAML 1.1\n---\ndefine: &confver 1.0\ndefine: &base {dev}\n\
             default:\n  name: local\n  value: true\n  class: serialdev\n\
             connection: &panda01\n  accepter: tcp,localhost,{raw}\n  connector: serialdev,\n    *(base),\n    115200n81\n\
             connection: &panda02\n  accepter: telnet(rfc2217),tcp,127.0.0.1,{telnet}\n\
            \x20 connector: serialdev(nouucplock=true),{other},9600n81,local\n\
            \x20 options:\n    max-connections: 10\n    kickolduser: true\n",
            dev = wire.path().display(),
            other = other.path().display(),
        ),
    );
    let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
    {
        let mut ser2net = lab.tool("/usr/sbin/ser2net");
        ser2net.args(["-n", "-u", "-c", &yaml]).stdout(Stdio::null()).stderr(Stdio::null());
        let _ser2net = Process::spawn(&mut ser2net);
        wait_until(LIMIT, "ser2net listens", || TcpStream::connect(address(telnet)).is_ok());
        talk(Client::raw(address(raw)), &mut board, "to ser2net");
        talk(Client::telnet(address(telnet)), &mut second, "by telnet");
    }

    let imported = import(&lab, "ser2net", &yaml);
    assert_eq!((imported.status.code(), told(&imported).as_str()), (Some(0), ""));
    let _serial = serve(&lab, &imported);
    talk(Client::raw(address(raw)), &mut board, "to lava-serial");
    talk(Client::telnet(address(telnet)), &mut second, "by telnet again");
    // And, which ser2net does not do, the console has a name.
    let mut alice = Client::in_terminal(lab.program("lava-console").arg("panda01"));
    alice.expect("Connected to panda01");
    talk(alice, &mut board, "by name");
}

#[test]
fn both_versions_and_the_old_lines_say_the_same() {
    let lab = TestLab::new();
    let one = lab.write(
        "one.yaml",
        "define: &ban hello\\r\\n\nconnection: &c1\n  accepter: tcp,2001\n  timeout: 30\n\
        \x20 connector: serialdev,/dev/ttyUSB0,115200n81,local\n  options:\n    banner: \"*(ban)\"\n\
         connection: &c2\n  accepter: telnet(rfc2217),tcp,10.0.0.7,2002\n  connector: keepopen(retry-time=2000),serialdev,/dev/ttyUSB1,9600e72\n\
         connection: &c3\n  accepter: tcp,localhost,2003\n  enable: off\n  connector: serialdev,/dev/ttyUSB2,9600n81\n\
         connection: &c4\n  accepter: telnet,ssl,tcp,2004\n  connector: telnet(rfc2217),tcp,ts1,2001\n",
    );
    let two = lab.write(
        "two.yaml",
        "---\ndefines:\n  ban: hello\\r\\n\nconnections:\n  c1:\n    accepter: tcp,2001\n    timeout: 30\n\
        \x20   connector: serialdev,/dev/ttyUSB0,115200n81,local\n    options:\n      banner: =(ban)\n\
        \x20 c2:\n    accepter: telnet(rfc2217),tcp,10.0.0.7,2002\n    connector: keepopen(retry-time=2000),serialdev,/dev/ttyUSB1,9600e72\n\
         ---\nconnections:\n- name: c3\n  accepter: tcp,localhost,2003\n  enable: off\n  connector: serialdev,/dev/ttyUSB2,9600n81\n\
         - name: c4\n  accepter: telnet,ssl,tcp,2004\n  connector: telnet(rfc2217),tcp,ts1,2001\n",
    );
    let old = lab.write(
        "ser2net.conf",
        "# old\nBANNER:ban:hello\n2001:raw:30:/dev/ttyUSB0:115200 8DATABITS NONE 1STOPBIT LOCAL ban\n\
         10.0.0.7,2002:telnet:0:/dev/ttyUSB1:9600 \\\n EVEN 7DATABITS 2STOPBITS\n\
         localhost,2003:off:0:/dev/ttyUSB2:9600\n",
    );
    let printed = |file: &str| {
        let output = import(&lab, "ser2net", file);
        assert_eq!(output.status.code(), Some(1), "{}", told(&output));
        let lines: Vec<String> =
            String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
        (
            lines.into_iter().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n"),
            told(&output),
        )
    };
    let ((first, said), (second, _), (third, said_of_old)) =
        (printed(&one), printed(&two), printed(&old));
    assert_eq!(first, second);
    insta::assert_snapshot!(first.trim(), @r#"
    [[console]]
    name = "c1"
    port = "tty:/dev/ttyUSB0,115200n8"
    raw = "127.0.0.1:2001"
    idle = "30s"
    idle_then = "leave"

    [[console]]
    name = "c2"
    port = "tty:/dev/ttyUSB1,9600e72"
    telnet = "127.0.0.1:2002"

    [[console]]
    name = "c4"
    port = "rfc2217:ts1:2001"
    "#);
    let third = third.replace("ttyUSB0\"", "c1\"").replace("ttyUSB1\"", "c2\"");
    assert_eq!(third.trim(), first.split("\n\n[[console]]\nname = \"c4\"").next().unwrap().trim());
    for line in [
        "one.yaml:2: port 2001: nobody logs in there, so it is on 127.0.0.1 only",
        "one.yaml:4: note: timeout 30: a client is idle that types nothing",
        "one.yaml:7: banner: hello\\r\\n: nobody is greeted",
        "one.yaml:8: port 2002: nobody logs in there",
        "one.yaml:11: c3: it is not enabled, and so it is left out",
        "one.yaml:15: accepter telnet,ssl,tcp,2004: raw and telnet ports have no TLS",
    ] {
        assert!(said.contains(line), "{line}\nis not in\n{said}");
    }
    for line in [
        "ser2net.conf:3: note: timeout 30",
        "ser2net.conf:3: banner: hello",
        "ser2net.conf:6: localhost,2003:off",
    ] {
        assert!(said_of_old.contains(line), "{line}\nis not in\n{said_of_old}");
    }

    let open = lab.run("lava", ["import", "ser2net", "--insecure", &one], "");
    let open = String::from_utf8_lossy(&open.stdout).into_owned();
    assert!(open.contains("raw = \"0.0.0.0:2001\"\ninsecure = true\n"), "{open}");
    assert!(open.contains("telnet = \"10.0.0.7:2002\"\ninsecure = true\n"), "{open}");
}
