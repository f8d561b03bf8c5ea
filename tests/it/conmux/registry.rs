//! conmux's registry: where its programs find the consoles.

use super::{Conmux, Wire};
use crate::common::{LIMIT, TestLab, own_host, run};

fn registry(conmux: &Conmux) -> Wire {
    Wire::new(conmux.serial.address("conmux-registry"))
}

#[test]
fn names_are_looked_up_listed_and_added() {
    let conmux = Conmux::start();
    let console = conmux.serial.address("panda01.conmux");
    let (host, port) = (console.ip(), console.port());
    let mut wire = registry(&conmux);
    wire.types("LIST\n");
    wire.hears(&format!("result=panda01%20{host}%3A{port}%0A status=OK title=registry\n"));
    // The connection stays open; a C program sends its NUL.
    wire.types("LOOKUP service=panda01\n\0LOOKUP service=nope\n");
    wire.hears(&format!("result={host}%3A{port} status=OK title=registry\n"));
    wire.hears("status=ENOENT%20entry%20not%20found title=registry\n");
    wire.types("ADD service=juno location=lab2%3A4000\n");
    wire.hears("status=OK title=registry\n");
    wire.types("LOOKUP service=juno\n");
    wire.hears("result=lab2%3A4000 status=OK title=registry\n");
    wire.types("REMOVE service=juno\n\n");
    wire.hears("status=ENOSYS title=registry\nstatus=ENOSYS title=registry\n");
    // Nobody takes our names from us.
    wire.types("ADD service=panda01 location=evil%3A1\nADD service=x\n");
    assert!(wire.line().starts_with("status=EEXIST%20panda01%20"));
    assert!(wire.line().starts_with("status=EINVAL%20"));
    let kept = std::fs::read_to_string(conmux.lab.path("entries")).unwrap();
    assert_eq!(kept, "juno lab2:4000\n");
    let mut endless = registry(&conmux);
    endless.types(&"x".repeat(4097));
    endless.is_let_go();
}

#[test]
fn conmuxs_own_programs_find_the_board() {
    let conmux = Conmux::start();
    let ran = |args: &[&str]| {
        let output = run(conmux.lab.tool("conmux-console").args(args), "", LIMIT);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let address = conmux.serial.address("panda01.conmux");
    let listed = (Some(0), format!("panda01 {address}\n"), String::new());
    assert_eq!(ran(&["--list", &conmux.host.to_string()]), listed);
    let status = (Some(0), "connected\n".to_owned(), String::new());
    assert_eq!(ran(&["--status", &conmux.board()]), status);
    let (_, _, told) = ran(&[&format!("{}/nope", conmux.host)]);
    assert_eq!(told, "Conmux::Registry::lookup: nope: error - ENOENT entry not found\n");
}

#[test]
fn consoles_come_and_go_with_the_configuration() {
    let conmux = Conmux::start();
    let file = conmux.lab.path("serial.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    let more = "[[console]]\nname = \"loop01\"\nport = \"sim:uart\"\n";
    std::fs::write(&file, format!("{config}{more}")).unwrap();
    let http = conmux.serial.address("http");
    assert_eq!(crate::common::http(http, "POST", "/reload", "").status, 200);
    let mut wire = registry(&conmux);
    wire.types("LIST\n");
    assert!(wire.line().contains("result=loop01%20127."));
    std::fs::write(&file, config).unwrap();
    assert_eq!(crate::common::http(http, "POST", "/reload", "").status, 200);
    wire.types("LOOKUP service=loop01\nLOOKUP service=panda01\n");
    assert!(wire.line().contains("ENOENT"));
    assert!(
        wire.line().contains(&format!("%3A{} ", conmux.serial.address("panda01.conmux").port()))
    );
}

#[test]
fn what_is_open_to_the_network_has_to_be_asked_for() {
    let lab = TestLab::new();
    let console = "[[console]]\nname = \"panda01\"\nport = \"sim:uart\"\n";
    let config =
        lab.write("serial.toml", &format!("[conmux]\nregistry = \"0.0.0.0:0\"\n{console}"));
    let refused = lab.run("lava-serial", ["--config", &config], "");
    assert_eq!(refused.status.code(), Some(2));
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(told.contains("conmux's registry: 0.0.0.0:0 is open to the network"), "{told}");

    let open = format!("[conmux]\nregistry = \"0.0.0.0:0\"\ninsecure = true\n{console}");
    let config = lab.write("serial.toml", &open);
    let serial = lab.start("lava-serial", ["--config", &config]);
    // Each client is told the address at which it has reached us.
    let host = own_host();
    let mut wire = Wire::new((host, serial.address("conmux-registry").port()).into());
    wire.types("LOOKUP service=panda01\n");
    let port = serial.address("panda01.conmux").port();
    wire.hears(&format!("result={host}%3A{port} status=OK title=registry\n"));
    let mut console = Wire::new((host, port).into());
    console.types("CONNECT id=x to=console\n");
    assert!(console.line().contains("status=OK"));
}
