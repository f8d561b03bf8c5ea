//! A job for two boards that are QEMUs with a network between them: they tell each other their
//! addresses, and reach each other.

use std::path::Path;
use std::time::Duration;

use crate::common::{TestLab, boot_file, free_udp_port, run};

/// How long a job may take that takes a few seconds on a quiet machine.
const JOB: Duration = Duration::from_secs(400);

/// The shipped device, with a name and a network card.
fn device(lab: &TestLab, name: &str, nic: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/devices/qemu-arm64.yaml");
    let device = std::fs::read_to_string(path).unwrap();
    let device = device.replace("hostname: qemu01", &format!("hostname: {name}"));
    lab.write(&format!("{name}.yaml"), &device.replace("-nic none", nic))
}

#[test]
fn two_qemu_boards_meet_and_reach_each_other_over_their_network() {
    let lab = TestLab::new();
    let job = JOB_FILE
        .replace("KERNEL", &boot_file("Image").display().to_string())
        .replace("RAMDISK", &boot_file("ramdisk.cpio.gz").display().to_string());
    let job = lab.write("job.yaml", &job);
    let (one, other) = (free_udp_port(), free_udp_port());
    let nic = |own: u16, other: u16| {
        format!(
            "-nic socket,model=virtio,udp=127.0.0.1:{other},localaddr=127.0.0.1:{own},mac=52:54:00:00:00:MM"
        )
    };
    let client = device(&lab, "qemu-client", &nic(one, other).replace("MM", "01"));
    let server = device(&lab, "qemu-server", &nic(other, one).replace("MM", "02"));
    let mut command = lab.program("lava-dispatcher");
    command.args(["run", &job, "--job-id", "7"]).arg("--output").arg(lab.path("out"));
    command.args([
        "--device",
        &format!("client={client}"),
        "--device",
        &format!("server={server}"),
    ]);
    let done = run(&mut command, "", JOB);
    let said = [&done.stdout, &done.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat();
    let log = |board: &str| {
        let path = lab.path("out").join(board).join("output.jsonl");
        std::fs::read_to_string(path).unwrap_or_default()
    };
    let logs = || format!("{}\n{}", log("qemu-client"), log("qemu-server"));
    assert_eq!(done.status.code(), Some(0), "{said}\n{}", logs());
    for case in [
        "qemu-client: case  0_network/address: pass",
        "qemu-client: case  0_network/reachable: pass",
        "qemu-client: case  0_network/hosts: pass",
        "qemu-server: case  0_network/reachable: pass",
    ] {
        assert!(said.contains(case), "no {case:?} in {said}\n{}", logs());
    }
    // What is odd about the job is told once, not for each of its boards.
    assert_eq!(said.matches("\"flash-the-tape\": no action has this name").count(), 1, "{said}");
}

const JOB_FILE: &str = r#"job_name: two QEMUs
visibility: public
timeouts:
  job: {minutes: 6}
  action: {minutes: 3}
  actions: {flash-the-tape: {minutes: 1}}
protocols:
  lava-multinode:
    roles:
      client: {device_type: qemu, count: 1, environment: {ADDRESS: 10.7.0.1}}
      server: {device_type: qemu, count: 1, environment: {ADDRESS: 10.7.0.2}}
    timeout: {minutes: 3}
actions:
- deploy:
    role: [client, server]
    to: tmpfs
    os: oe
    images:
      kernel:
        image_arg: -kernel {kernel} -append "console=ttyAMA0"
        url: file://KERNEL
      ramdisk:
        image_arg: -initrd {ramdisk}
        url: file://RAMDISK
        format: cpio.newc
        overlays: {lava: true}
- boot:
    role: [client, server]
    method: qemu
    media: tmpfs
    timeout: {minutes: 3}
    auto_login: {login_prompt: 'board login:', username: root}
    prompts: ['board# ']
- test:
    role: [client, server]
    timeout: {minutes: 3}
    definitions:
    - name: network
      from: inline
      path: inline/network.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: network}
        run:
          steps:
          - ifconfig eth0 $ADDRESS netmask 255.255.255.0 up
          - lava-network broadcast eth0
          - lava-network collect eth0
          - other=$(lava-group | cut -f 1 | grep -v "^$(lava-self)\$")
          - lava-test-case address --shell test "$(lava-network query qemu-server ipv4)" = 10.7.0.2
          - lava-test-case reachable --shell ping -c 1 -w 60 "$(lava-network query $other ipv4)"
          - lava-network alias-hosts /tmp/hosts
          - lava-test-case hosts --shell grep "10.7.0.2.*server" /tmp/hosts
          - lava-sync end
"#;
