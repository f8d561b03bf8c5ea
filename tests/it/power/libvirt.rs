//! A virtual board that libvirt runs: the real libvirtd, virsh and QEMU, with U-Boot.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use super::Power;
use crate::common::{LIMIT, Process, TestLab, run, wait_until};

/// libvirtd as an ordinary user has it. Root's is another, which wants the system to be set up for it.
struct Libvirt<'a> {
    _process: Process,
    lab: &'a TestLab,
}

impl<'a> Libvirt<'a> {
    fn start(lab: &'a TestLab) -> Self {
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(lab.dir(), open).unwrap();
        let mut command = ordinary(lab, "libvirtd");
        let process = Process::spawn(command.args(["--timeout", "600"]).stderr(Stdio::null()));
        let libvirt = Self { _process: process, lab };
        wait_until(LIMIT * 2, "libvirtd listens", || libvirt.virsh(&["list"]).is_ok());
        libvirt
    }

    fn virsh(&self, args: &[&str]) -> Result<String, String> {
        let mut command = ordinary(self.lab, "virsh");
        let said = run(command.args(["-c", "qemu:///session"]).args(args), "", LIMIT * 2);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if said.status.success() { Ok(text(&said.stdout)) } else { Err(text(&said.stderr)) }
    }

    fn define(&self, name: &str) {
        let xml = format!(
            "<domain type='qemu'><name>{name}</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>\
             <os><type arch='aarch64' machine='virt'>hvm</type>\
             <loader readonly='yes' type='rom'>/usr/lib/u-boot/qemu_arm64/u-boot.bin</loader></os>\
             <cpu mode='custom'><model>cortex-a53</model></cpu><devices>\
             <emulator>/usr/bin/qemu-system-aarch64</emulator></devices></domain>"
        );
        let file = self.lab.write("domain.xml", &xml);
        self.virsh(&["define", &file]).unwrap();
    }
}

/// A program of an ordinary user, whose home is the lab.
fn ordinary(lab: &TestLab, program: &str) -> Command {
    let root = rustix::process::geteuid().is_root();
    let mut command = lab.tool(if root { "setpriv" } else { program });
    if root {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", program]);
    }
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
    command.env("PATH", path).env("LC_ALL", "C").env("HOME", lab.dir());
    for (name, folder) in
        [("RUNTIME_DIR", "rt"), ("CONFIG_HOME", "config"), ("CACHE_HOME", "cache")]
    {
        command.env(format!("XDG_{name}"), lab.path(folder));
    }
    command
}

#[test]
fn a_domain_is_started_destroyed_and_looked_at() {
    let lab = TestLab::new();
    let libvirt = Libvirt::start(&lab);
    libvirt.define("panda01");
    let state = || libvirt.virsh(&["domstate", "panda01"]).unwrap().trim().to_owned();
    assert_eq!(state(), "shut off");

    // As an ordinary user would have it in the PATH.
    let mut script = "#!/bin/sh\n".to_owned();
    let inner = ordinary(&lab, "virsh");
    for (name, value) in inner.get_envs() {
        let name = name.to_str().unwrap();
        if name.starts_with("XDG") || name == "HOME" {
            script += &format!("export {name}={}\n", value.unwrap().to_str().unwrap());
        }
    }
    let words: Vec<&str> = inner.get_args().map(|word| word.to_str().unwrap()).skip(3).collect();
    script += &format!("exec {} \"$@\"\n", words.join(" "));
    let virsh = lab.write("virsh.sh", &script);
    std::fs::set_permissions(&virsh, std::fs::Permissions::from_mode(0o755)).unwrap();

    let config = format!(
        "[[pdu]]\nname = \"kvm\"\ndriver = \"libvirt\"\nuri = \"qemu:///session\"\nvirsh = \"{virsh}\"\n\
         timeout = \"60s\"\n\
         [[outlet]]\nname = \"panda01\"\npdu = \"kvm\"\nport = \"panda01\"\noff_time = \"10ms\"\n\
         [[outlet]]\nname = \"panda02\"\npdu = \"kvm\"\nport = \"no-such-domain\"\n\
         [[pdu]]\nname = \"far\"\ndriver = \"libvirt\"\nvirsh = \"{virsh}\"\n\
         uri = \"qemu+unix:///session?socket=/no/such.sock\"\n\
         [[outlet]]\nname = \"panda03\"\npdu = \"far\"\nport = \"panda03\"\n"
    );
    let power = Power::start(&lab, &config);
    assert_eq!(power.done("panda01", "status"), "off verified");
    assert_eq!(power.done("panda01", "on"), "on verified");
    assert_eq!(state(), "running");
    // On is on, however often it is asked for.
    assert_eq!(power.done("panda01", "on"), "on verified");
    assert_eq!(power.done("panda01", "cycle"), "on verified");
    assert_eq!(power.done("panda01", "off"), "off verified");
    assert_eq!(power.done("panda01", "off"), "off verified");
    assert_eq!(state(), "shut off");

    let (kind, message) = power.fails("panda02", "on");
    assert_eq!(kind, "failed");
    assert!(message.contains("failed to get domain 'no-such-domain'"), "{message}");
    let (kind, message) = power.fails("panda03", "on");
    assert_eq!(kind, "lab");
    assert!(message.contains("/no/such.sock"), "{message}");
}

#[test]
fn a_domain_is_called_by_a_name_alone() {
    let lab = TestLab::new();
    for name in ["--help", "a b", "$(reboot)", "a;b", ""] {
        let config = format!(
            "[[pdu]]\nname = \"kvm\"\ndriver = \"libvirt\"\nuri = \"test:///default\"\n\
             [[outlet]]\nname = \"panda01\"\npdu = \"kvm\"\nport = {name:?}\n"
        );
        let said = lab.run("lava-power", ["--config", &lab.write("power.toml", &config)], "");
        assert_eq!(said.status.code(), Some(2), "{name}");
        let errors = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(errors.contains("is no domain's name"), "{errors}");
    }
}
