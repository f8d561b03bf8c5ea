//! A virtual board in QEMU, switched by its monitor: the real QEMU with the real U-Boot.

use std::io::Read as _;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::Duration;

use super::{Power, timed};
use crate::common::{LIMIT, Process, TestLab, http, wait_until};

/// What the board prints first, whenever it begins.
const FIRST_LINE: &str = "U-Boot 20";
/// For one request.
const TIMEOUT: Duration = Duration::from_secs(20);

/// QEMU with U-Boot, standing still before its first instruction.
struct Machine {
    process: Process,
    monitor: PathBuf,
    serial: PathBuf,
}

impl Machine {
    fn start(lab: &TestLab) -> Self {
        let (monitor, serial) = (lab.path("panda01.qmp"), lab.path("panda01.serial"));
        let server = |path: &PathBuf| format!("unix:{},server=on,wait=off", path.display());
        let mut qemu = lab.tool("qemu-system-aarch64");
        qemu.args(["-M", "virt", "-cpu", "cortex-a53", "-m", "256", "-accel", "tcg", "-S"]);
        qemu.args(["-bios", "/usr/lib/u-boot/qemu_arm64/u-boot.bin", "-display", "none"]);
        qemu.args(["-net", "none", "-monitor", "none"]);
        qemu.args(["-serial", &server(&serial), "-qmp", &server(&monitor)]);
        let process = Process::spawn(&mut qemu);
        wait_until(LIMIT, "QEMU listens", || monitor.exists() && serial.exists());
        Self { process, monitor, serial }
    }
}

fn config(socket: &str, keys: &str, console: &str) -> String {
    format!(
        "[[pdu]]\nname = \"qemu\"\ndriver = \"qmp\"\nsocket = \"{socket}\"\ntimeout = \"{TIMEOUT:?}\"\n{keys}\n\
         [[outlet]]\nname = \"panda01\"\npdu = \"qemu\"\nport = \"panda01\"\noff_time = \"100ms\"\n{console}\n"
    )
}

#[test]
fn a_board_in_qemu_begins_again_on_its_console() {
    let lab = TestLab::new();
    let mut machine = Machine::start(&lab);
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = {:?}\n[[console]]\nname = \"panda01\"\n\
         port = \"unix:{}\"\n",
        lab.path("capture"),
        machine.serial.display()
    );
    let serial = lab.start("lava-serial", ["--config", &lab.write("serial.toml", &text)]);
    let console = serial.address("http");
    let heard = || http(console, "GET", "/consoles/panda01/history?from=0", "").text();
    let banners = || heard().matches(FIRST_LINE).count();

    let socket = format!("{}/{{port}}.qmp", lab.dir().display());
    let url = format!("console = \"http://{console}/consoles/panda01\"");
    let power = Power::start(&lab, &config(&socket, "", &url));
    assert_eq!(power.done("panda01", "status"), "off verified");
    assert_eq!(banners(), 0);
    assert_eq!(power.done("panda01", "on"), "on verified");
    wait_until(LIMIT * 2, "U-Boot's prompt", || heard().contains("=> "));
    assert_eq!(banners(), 1);

    // Off: it stands still, as a reset leaves it.
    let (answer, took) = timed(|| power.done("panda01", "off"));
    assert_eq!(answer, "off verified");
    // QEMU has said so; no time-out was resolved by reading.
    assert!(took < TIMEOUT, "{took:?}");
    let said = heard();
    assert_eq!(power.done("panda01", "off"), "off verified");
    assert_eq!(power.done("panda01", "status"), "off verified");
    assert_eq!(heard(), said);

    assert_eq!(power.done("panda01", "cycle"), "on verified");
    wait_until(LIMIT * 2, "U-Boot's first line again", || banners() == 2);
    assert_eq!(power.done("panda01", "cycle"), "on verified");
    wait_until(LIMIT * 2, "and again", || banners() == 3);
    let events = http(console, "GET", "/consoles/panda01/events?from=0", "").text();
    assert!(events.contains(r#""verb":"cycle""#), "{events}");

    // A QEMU that is gone is no board that is off.
    drop(power);
    machine.process.child().kill().unwrap();
    machine.process.wait(LIMIT);
    let power = Power::start(&lab, &config(&socket, "", ""));
    let (kind, message) = power.fails("panda01", "status");
    assert_eq!(kind, "lab");
    assert!(message.contains("panda01.qmp cannot be reached"), "{message}");
}

#[test]
fn a_reset_that_the_machine_runs_through_is_accepted_only() {
    let lab = TestLab::new();
    let machine = Machine::start(&lab);
    let socket = machine.monitor.display().to_string();
    let power = Power::start(&lab, &config(&socket, "native_cycle = true", ""));
    assert_eq!(power.done("panda01", "cycle"), "on accepted");
}

#[test]
fn what_is_no_monitor_is_told_so() {
    let lab = TestLab::new();
    let socket = lab.path("panda01.qmp");
    let listener = UnixListener::bind(&socket).unwrap();
    let answers =
        ["hello\n".to_owned(), "{\"not\":1}\n".into(), "{".repeat(200_000) + "\n", String::new()];
    let server = std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = std::io::Write::write_all(&mut stream, answer.as_bytes());
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read(&mut [0; 64]);
        }
    });
    let power = Power::start(&lab, &config(&socket.display().to_string(), "", ""));
    for why in ["no JSON", "no QEMU monitor in QMP mode", "says too much", "hung up"] {
        let (kind, message) = power.fails("panda01", "status");
        assert_eq!(kind, "lab");
        assert!(message.contains(why), "{why}: {message}");
    }
    server.join().unwrap();
}
