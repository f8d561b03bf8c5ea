//! A job for two real boards, each with a dispatcher, a console and a PDU of its own.

use super::Bench;
use super::job::{files, ramdisk_boot};
use crate::common::job::{job_file, shipped, smoke, test};

#[test]
fn two_boards_meet_and_tell_each_other_what_they_know() {
    let benches = [Bench::start().with_power(), Bench::start().with_power()];
    let of = |role: &str, block: String| block.replacen('\n', &format!("\n    role: {role}\n"), 1);
    let both = |block: String| of("[client, server]", block);
    let one = |role: &str, steps: &[&str]| of(role, test(&smoke(steps)));
    let client = [
        "lava-sync start",
        "lava-wait address",
        "lava-test-case address --shell grep -qx ip=10.0.0.7 /tmp/lava_multi_node_cache.txt",
        "lava-send done count=3",
    ];
    let server = [
        "lava-sync start",
        "lava-send address ip=10.0.0.7",
        "lava-wait-all done client",
        "lava-test-case count --shell grep -qx client01:count=3 /tmp/lava_multi_node_cache.txt",
    ];
    let blocks =
        [&both(files()), &both(ramdisk_boot()), &one("client", &client), &one("server", &server)];
    let job = job_file(&blocks.map(String::as_str)).replace("actions:\n", ROLES);
    let lab = &benches[0].lab;
    let socket = lab.path("group").display().to_string();
    let _coordinator = lab.start("lava-dispatcher", ["coordinator", "--listen", &socket]);
    let shipped = std::fs::read_to_string(shipped("qemu-uboot.yaml")).unwrap();
    let done = std::thread::scope(|scope| {
        let runs = [(&benches[0], "client"), (&benches[1], "server")].map(|(bench, role)| {
            let device = shipped.replace("hostname: panda01", &format!("hostname: {role}01"));
            let device = format!("{role}={}", bench.lab.write("device.yaml", &device));
            let mut command = bench.dispatcher(&device, "10.0.2.2", &job);
            command.args(["--coordinator", &socket]);
            scope.spawn(move || bench.spied(&mut command))
        });
        runs.map(|run| run.join().unwrap())
    });
    for (i, case) in ["address", "count"].into_iter().enumerate() {
        assert_eq!(done[i].exit_code(), 0, "{:?}{:?}", done[0], done[1]);
        done[i].assert_passed(&[case]);
    }
}

const ROLES: &str = "protocols:
  lava-multinode:
    roles:
      client: {device_type: qemu-uboot, count: 1}
      server: {device_type: qemu-uboot, count: 1}
    timeout: {minutes: 4}
actions:
";
