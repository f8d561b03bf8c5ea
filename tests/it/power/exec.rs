//! Programs that switch outlets.

use super::Power;
use crate::common::{LIMIT, TestLab, wait_until};

#[test]
fn programs_switch_and_tell_the_state() {
    let lab = TestLab::new();
    let state = lab.path("state");
    let config = format!(
        r#"
[[pdu]]
name = "relays"
driver = "exec"
on = ["cp", "/dev/null", "{state}.{{port}}"]
off = ["rm", "-f", "{state}.{{port}}"]
status = ["test", "-e", "{state}.{{port}}"]

[[outlet]]
name = "panda01"
pdu = "relays"
port = "$(touch owned); x"
off_time = "0s"

[[pdu]]
name = "blind"
driver = "exec"
on = ["true"]
off = ["sh", "-c", "echo the fuse is gone >&2; exit 3"]

[[outlet]]
name = "panda02"
pdu = "blind"
port = 1

[[pdu]]
name = "lossy"
driver = "exec"
on = ["touch", "{state}.lossy"]
off = ["sh", "-c", "rm -f {state}.lossy; echo the link broke >&2; exit 255"]
status = ["test", "-e", "{state}.lossy"]

[[outlet]]
name = "panda03"
pdu = "lossy"
port = 1
off_time = "0s"
"#,
        state = state.display()
    );
    let power = Power::start(&lab, &config);
    assert_eq!(power.done("panda01", "status"), "off verified");
    assert_eq!(power.done("panda01", "on"), "on verified");
    assert_eq!(power.done("panda01", "cycle"), "on verified");
    // What a port is called is nothing to a shell.
    assert!(lab.path("state.$(touch owned); x").exists() && !lab.path("owned").exists());

    assert_eq!(power.done("panda02", "on"), "on accepted");
    assert_eq!(power.done("panda02", "status"), "unknown unknown");
    let (kind, message) = power.fails("panda02", "off");
    assert_eq!(kind, "lab");
    let told = r#"panda02 on blind: asked to switch off: sh failed: "the fuse is gone"; and"#;
    assert!(message.starts_with(told), "{message}");
    // What it did before it failed is found out by reading, and undone by a cycle.
    assert_eq!(power.done("panda03", "on"), "on verified");
    assert_eq!(power.done("panda03", "off"), "off verified");
    assert_eq!(power.done("panda03", "cycle"), "on verified");
}

#[test]
fn a_program_that_hangs_is_killed_with_its_children() {
    let lab = TestLab::new();
    let script = "sleep 1000 & echo $! $$ > pids; wait";
    let config = format!(
        "[[pdu]]\nname = \"relays\"\ndriver = \"exec\"\ntimeout = \"500ms\"\n\
         on = [\"sh\", \"-c\", \"{script}\"]\noff = [\"true\"]\n\
         [[outlet]]\nname = \"panda01\"\npdu = \"relays\"\nport = 1\n"
    );
    let power = Power::start(&lab, &config);
    let (kind, message) = power.fails("panda01", "on");
    assert_eq!(kind, "lab");
    assert!(message.contains("no answer within 500ms"), "{message}");
    let pids = std::fs::read_to_string(lab.path("pids")).unwrap();
    assert_eq!(pids.split_whitespace().count(), 2);
    wait_until(LIMIT, "the program and its child are gone", || {
        pids.split_whitespace().all(|pid| !alive(pid))
    });
    assert_eq!(power.done("panda01", "off"), "off accepted");
}

/// A process that was killed and that nobody has waited for yet is not alive.
fn alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.rsplit(')').next().unwrap().trim_start().starts_with('Z')
}
