//! `command:` blocks and the device's own commands before power and system, with a stand-in for the lab's relays.

use super::dialogue::{HEAD, complete, dispatch, noted, stand_in};
use crate::common::{LIMIT, Process, TestLab, http, signal, wait_until};

const DEVICE: &str = "hostname: b2260
actions:
  deploy: {methods: {flasher: {commands: ['flash {BOOT}']}}}
  boot: {methods: {minimal: }}
commands:
  connect: telnet 127.0.0.1 1
  hard_reset: relay 8 cycle
  power_off: relay 8 off
  pre_power_command: [relay usb host, relay usb sync]
  pre_os_command: relay usb device
  users:
    set_boot_to_usb: {do: relay boot usb, undo: relay boot sd}
    press: {do: [relay button down, relay button up]}
    light: {do: relay light on, undo: [relay light off, relay light dim]}
";

/// A lab whose relays note what they are told; the one that is told the second fails.
fn lab(fails: &str) -> TestLab {
    let lab = TestLab::new();
    let notes = lab.path("notes").display().to_string();
    let relay = format!("echo \"$*\" >> {notes}\ncase \"$*\" in '{fails}') exit 1;; esac");
    stand_in(&lab, "relay", &relay);
    stand_in(&lab, "flash", &format!("echo flash >> {notes}; exec sleep 1000"));
    lab
}

fn call(names: &[&str]) -> String {
    let blocks = names.iter().map(|name| format!("- command: {{name: {name}}}\n"));
    format!("{HEAD}{}", blocks.collect::<String>())
}

#[test]
fn a_command_of_the_device_is_run_by_its_name_and_undone_before_the_board_is_off() {
    let lab = lab("");
    let names = ["set_boot_to_usb", "press", "light", "pre_power_command"];
    let log = complete(&lab, &call(&names), DEVICE);
    assert_eq!(
        noted(&lab, "notes"),
        "boot usb\nbutton down\nbutton up\nlight on\nusb host\nusb sync\n\
         light off\nlight dim\nboot sd\n8 off\n"
    );
    assert_eq!(log.matches("\"case\":\"user-command\"").count(), 4, "{log}");
}

#[test]
fn a_command_that_fails_ends_the_job_and_is_undone_and_what_cannot_be_undone_is_told() {
    let failing = lab("light on");
    let told = dispatch(&failing, &call(&["set_boot_to_usb", "light", "press"]), DEVICE);
    assert_ne!(told.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&told.stderr).contains("relay light on"), "{told:?}");
    let noted = noted(&failing, "notes");
    assert!(noted.ends_with("light off\nlight dim\nboot sd\n8 off\n"), "{noted}");
    assert!(!noted.contains("button"), "{noted}");

    let stuck = lab("boot sd");
    let log = complete(&stuck, &call(&["set_boot_to_usb"]), DEVICE);
    assert!(log.contains("\"lvl\":\"warning\"") && log.contains("relay boot sd"), "{log}");
}

#[test]
fn what_undoes_a_command_is_a_power_command_too() {
    let lab = lab("");
    stand_in(&lab, "lava", &format!("echo \"lava $*\" >> {}", lab.path("notes").display()));
    let config = "[http]\nlisten = \"127.0.0.1:0\"\n[[pdu]]\nname = \"rack\"\ndriver = \"sim\"\n\
                  [[outlet]]\nname = \"lamp\"\npdu = \"rack\"\nport = 1\n";
    let power = lab.start("lava-power", ["--config", &lab.write("power.toml", config)]);
    let device = DEVICE.replace(
        "{do: relay light on, undo: [relay light off, relay light dim]}",
        "{do: lava power on lamp, undo: lava power off lamp}",
    );
    let log = complete(&lab, &call(&["light"]), &device);
    assert_eq!(noted(&lab, "notes"), "8 off\n", "{log}");
    let outlet = http(power.address("http"), "GET", "/outlets/lamp", "").json();
    assert_eq!(outlet["state"], "off", "{log}");
    assert_eq!(log.matches("lamp is off").count(), 1, "{log}");
}

#[test]
fn the_guard_of_a_killed_job_undoes_its_commands_as_the_job_and_while_the_board_has_power() {
    let lab = lab("");
    let notes = lab.path("notes").display().to_string();
    stand_in(&lab, "relay", &format!("echo \"$LAVA_USER $*\" >> {notes}"));
    let image = lab.write("boot.img", "b");
    let job = format!(
        "{}- deploy: {{to: flasher, images: {{boot: {{url: 'file://{image}'}}}}}}\n",
        call(&["light", "set_boot_to_usb"])
    );
    let (job, device) = (lab.write("job.yaml", &job), lab.write("device.yaml", DEVICE));
    let mut command = lab.program("lava-dispatcher");
    let path = format!("{}:{}", lab.path("bin").display(), std::env::var("PATH").unwrap());
    command.env("PATH", path).env_remove("LAVA_USER");
    command.args(["run", &job, "--device", &device, "--output", "out", "--job-id", "7"]);
    command.stdout(std::process::Stdio::null());
    let mut dispatcher = Process::spawn(&mut command);
    wait_until(LIMIT, "it is flashed", || noted(&lab, "notes").ends_with("flash\n"));
    signal(dispatcher.pid(), rustix::process::Signal::KILL);
    dispatcher.wait(LIMIT);
    let end = "job:7 boot sd\njob:7 light off\njob:7 light dim\njob:7 8 off\n";
    let undone = || noted(&lab, "notes").ends_with(end);
    wait_until(LIMIT, "all is undone, and the board is off", undone);
}

#[test]
fn the_pipeline_has_lavas_names_and_a_command_that_there_is_not_is_told_with_those_that_there_are()
{
    let pipeline = |job: &str| {
        let lab = TestLab::new();
        let (job, device) = (lab.write("job.yaml", job), lab.write("device.yaml", DEVICE));
        let args = ["pipeline", &job, "--device", &device, "--format", "tree"];
        let done = lab.run("lava-dispatcher", args, "");
        String::from_utf8([done.stdout, done.stderr].concat()).unwrap()
    };
    let boot = "- boot: {method: minimal, pre_power_command: true, pre_os_command: true}\n";
    let tree = pipeline(&format!("{}{boot}", call(&["press"])));
    let two = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let steps: Vec<String> = tree.lines().map(two).collect();
    assert_eq!(
        steps[..7],
        [
            "1 user-command",
            "2 minimal-boot",
            "2.1 connect-device",
            "2.2 pre-power-command",
            "2.3 pre-os-command",
            "2.4 reset-device",
            "2.4.1 pdu-reboot",
        ],
        "{tree}"
    );
    let lab = lab("");
    let done = dispatch(&lab, &call(&["set_boot_to_sd"]), DEVICE);
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(told.contains("did you mean \"set_boot_to_usb\"?"), "{told}");
}

#[test]
fn a_device_without_a_command_that_the_job_wants_is_told_before_the_job() {
    let lab = lab("");
    let job =
        format!("{HEAD}- boot: {{method: minimal, pre_power_command: true, prompts: ['# ']}}\n");
    let device = DEVICE.replace("pre_power_command", "power_on");
    let told = String::from_utf8(dispatch(&lab, &job, &device).stderr).unwrap();
    assert!(told.contains("has no \"commands: pre_power_command\""), "{told}");
    assert!(!lab.path("notes").exists(), "something was switched");
}
