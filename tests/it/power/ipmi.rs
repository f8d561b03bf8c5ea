//! A BMC: OpenIPMI's simulator, whose chassis is a file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use rustix::process::Signal;

use super::Power;
use crate::common::{LIMIT, Process, TestLab, signal, udp_port, wait_until};

struct Bmc {
    process: Process,
    port: u16,
    /// 1 or 0.
    chassis: PathBuf,
    asked: PathBuf,
}

impl Bmc {
    fn start(lab: &TestLab) -> Self {
        let (chassis, asked) = (lab.path("chassis"), lab.path("asked"));
        fs::write(&chassis, "0\n").unwrap();
        fs::create_dir(lab.path("bmc")).unwrap();
        // Called with get or set, and names, each with a value after set.
        let script = format!(
            "#!/bin/sh\necho \"$@\" >> {asked}\nverb=$1\nshift\nwhile [ $# -gt 0 ]; do\n\
             case $verb-$1 in\nset-power) echo $2 > {chassis}; shift\n\
             read pid < {mute} && rm {mute} && kill -STOP $pid ;;\nset-*) shift ;;\n\
             get-power) echo power:$(cat {chassis}) ;;\n*) echo $1:0 ;;\nesac\nshift\ndone\n",
            asked = asked.display(),
            mute = lab.path("mute").display(),
            chassis = chassis.display()
        );
        let control = lab.write("control", &script);
        fs::set_permissions(&control, fs::Permissions::from_mode(0o755)).unwrap();
        let config = format!(
            "name \"bmc\"\nset_working_mc 0x20\nstartlan 1\naddr 127.0.0.1 0\npriv_limit admin\n\
             allowed_auths_callback md5\nallowed_auths_user md5\nallowed_auths_operator md5\n\
             allowed_auths_admin md5\nguid a123456789abcdefa123456789abcdef\nendlan\n\
             chassis_control \"{control}\"\nuser 1 true \"\" \"none\" user 10 md5\n\
             user 2 true \"lava\" \"s3cr;$et\" admin 10 md5\n"
        );
        let commands = "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\n\
                        sel_enable 0x20 1000 0x0a\nmc_enable 0x20\n";
        let mut command = lab.tool("ipmi_sim");
        command.args([
            "-n",
            "-c",
            &lab.write("lan.conf", &config),
            "-f",
            &lab.write("bmc.cmd", commands),
        ]);
        command.arg("-s").arg(lab.path("bmc"));
        let process = Process::spawn(command.stdout(Stdio::null()));
        let mut port = None;
        wait_until(LIMIT, "the BMC listens", || {
            port = udp_port(process.pid());
            port.is_some()
        });
        Self { process, port: port.unwrap(), chassis, asked }
    }

    fn pdu(&self, name: &str, keys: &str) -> String {
        // The simulator knows no other suite that ipmitool would choose.
        format!(
            "[[pdu]]\nname = \"{name}\"\ndriver = \"ipmi\"\naddress = \"127.0.0.1:{}\"\ncipher = 3\n{keys}\n\
             [[outlet]]\nname = \"{name}\"\npdu = \"{name}\"\nport = \"chassis\"\noff_time = \"10ms\"\n",
            self.port
        )
    }

    fn switched(&self) -> Vec<String> {
        let asked = fs::read_to_string(&self.asked).unwrap_or_default();
        asked.lines().filter(|line| line.starts_with("set")).map(str::to_owned).collect()
    }
}

#[test]
fn a_bmc_switches_and_reads_back() {
    let lab = TestLab::new();
    let bmc = Bmc::start(&lab);
    lab.write("password", "s3cr;$et\n");
    let power =
        Power::start(&lab, &bmc.pdu("bmc", "user = \"lava\"\npassword_file = \"password\""));
    assert_eq!(power.done("bmc", "status"), "off verified");
    assert_eq!(power.done("bmc", "on"), "on verified");
    assert_eq!(fs::read_to_string(&bmc.chassis).unwrap(), "1\n");
    assert_eq!(power.done("bmc", "off"), "off verified");
    assert_eq!(power.done("bmc", "cycle"), "on verified");
    assert_eq!(bmc.switched(), ["set power 1", "set power 0", "set power 0", "set power 1"]);
}

#[test]
fn who_may_not_switch_is_told_so() {
    let lab = TestLab::new();
    let bmc = Bmc::start(&lab);
    let right = "password = \"s3cr;$et\"";
    let config = bmc.pdu("wrong", "user = \"lava\"\npassword = \"hunter2\"")
        + &bmc.pdu("nobody", &format!("user = \"bob\"\n{right}"))
        + &bmc.pdu("low", &format!("user = \"lava\"\n{right}\nprivilege = \"user\""));
    let power = Power::start(&lab, &config);
    for name in ["wrong", "nobody"] {
        for verb in ["on", "status"] {
            let (kind, message) = power.fails(name, verb);
            assert_eq!(kind, "lab");
            assert!(message.contains("denies us: wrong user, password or privilege"), "{message}");
        }
    }
    assert_eq!(power.done("low", "status"), "off verified");
    let (_, message) = power.fails("low", "on");
    assert!(message.contains("denies us: the privilege does not suffice"), "{message}");
    assert!(bmc.switched().is_empty());
    let log = power.daemon.log().text();
    assert!(!log.contains("hunter2") && !log.contains("s3cr;"), "{log}");
}

#[test]
fn a_bmc_whose_answer_is_lost_may_have_switched_and_is_brought_back() {
    let lab = TestLab::new();
    let bmc = Bmc::start(&lab);
    // Less patient than it is by itself.
    let impatient = lab.write("impatient", "#!/bin/sh\nexec ipmitool -R 1 -N 1 \"$@\"\n");
    fs::set_permissions(&impatient, fs::Permissions::from_mode(0o755)).unwrap();
    let keys = format!("user = \"lava\"\npassword = \"s3cr;$et\"\nipmitool = {impatient:?}");
    let power = Power::start(&lab, &bmc.pdu("bmc", &keys));
    assert_eq!(power.done("bmc", "on"), "on verified");
    let pid = bmc.process.pid();
    fs::write(lab.path("mute"), format!("{pid}\n")).unwrap();
    std::thread::scope(|scope| {
        let cycle = scope.spawn(|| power.ask("bmc", "cycle"));
        wait_until(LIMIT, "it is off, and says nothing any more", || {
            fs::read_to_string(&bmc.chassis).unwrap() == "0\n" && !lab.path("mute").exists()
        });
        let log = power.daemon.log();
        wait_until(LIMIT, "it is tried to switch it on", || {
            log.text().contains("cannot switch it on again")
        });
        signal(pid, Signal::CONT);
        cycle.join().unwrap();
    });
    wait_until(LIMIT, "it is on again", || power.done("bmc", "status") == "on verified");
    assert_eq!(fs::read_to_string(&bmc.chassis).unwrap(), "1\n");
}

#[test]
fn a_password_is_in_no_argument_and_a_silent_bmc_holds_up_nobody() {
    let lab = TestLab::new();
    let bmc = Bmc::start(&lab);
    signal(bmc.process.pid(), Signal::STOP);
    let config = bmc.pdu("bmc", "user = \"lava\"\npassword = \"s3cr;$et\"\ntimeout = \"2s\"")
        + "[[pdu]]\nname = \"sim\"\ndriver = \"sim\"\n\
           [[outlet]]\nname = \"other\"\npdu = \"sim\"\nport = 1\n";
    let power = Power::start(&lab, &config);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| power.fails("bmc", "on"));
        let mut arguments = String::new();
        wait_until(LIMIT, "ipmitool runs", || {
            arguments = arguments_of_child(power.daemon.pid());
            arguments.contains("ipmitool")
        });
        assert!(arguments.contains("chassis") && !arguments.contains("s3cr"), "{arguments}");
        assert_eq!(power.done("other", "on"), "on verified");
        let (kind, message) = waiting.join().unwrap();
        assert_eq!(kind, "lab");
        assert!(message.contains("asked to switch on: no answer within 2s"), "{message}");
    });
    wait_until(LIMIT, "no ipmitool is left", || arguments_of_child(power.daemon.pid()).is_empty());
    signal(bmc.process.pid(), Signal::CONT);
    wait_until(LIMIT, "the BMC answers again", || power.ask("bmc", "status").status == 200);
}

/// The arguments of the children of a process.
fn arguments_of_child(pid: u32) -> String {
    let mut said = String::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten() {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace() {
            let arguments = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
            said += &String::from_utf8_lossy(&arguments).replace('\0', " ");
        }
    }
    said
}
