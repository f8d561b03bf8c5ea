//! A machine begins with an image, lets in who has the key, and leaves nothing in the image.

use serde_json::Value;

use super::{Lab, disk, key, until_gone};
use crate::common::job::JOB;
use crate::common::{LIMIT, TestLab, run, wait_until};
use crate::server::lava;

#[test]
fn a_machine_is_ready_when_its_ssh_answers_and_the_image_stays_as_it_was() {
    let lab = TestLab::new();
    let farm = Lab::start(&lab, false);
    let key = key(&lab);
    farm.store_disk(&lab, "builder");
    let before = std::fs::read(disk()).unwrap();
    let reserve = ["reserve", "type=vm-x86", "arch=x86_64", "--for", "1h"];
    let (code, out, err) = lava(&lab, &farm.server, "alice", &reserve);
    let place = format!("ssh -p {} root@127.0.0.1", farm.ssh.address().port());
    assert!(code == 0 && out.contains(&place), "{out}{err}");

    let mut booting = lab.program("lava");
    booting.args(["boot", "vm01", "--image", "builder", "--ssh-key", &format!("{key}.pub")]);
    booting.env("LAVA_USER", "alice").env("LAVA_SERVER", farm.server.url());
    let done = run(&mut booting, "", JOB);
    let said = [done.stdout, done.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    assert!(done.status.success(), "{said}{}", log(&farm));
    assert!(said.contains(&format!("vm01: ready (job 1)\n  {place}\n")), "{said}");
    let told = log(&farm);
    assert!(told.contains("it is there: SSH-2.0-dropbear"), "{told}");
    assert_eq!(farm.server.get("/jobs/1")["boot"], "ready");

    // The key is there, and so is what the seed says; the way in is no way out.
    let ssh = |command: &str| {
        let mut ssh = lab.tool("ssh");
        ssh.args([
            "-i",
            &key,
            "-F",
            "none",
            "-o",
            "BatchMode=yes",
            "-o",
            "StrictHostKeyChecking=no",
        ]);
        ssh.args([
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-p",
            &farm.ssh.address().port().to_string(),
        ]);
        let done = run(ssh.args(["root@127.0.0.1", command]), "", LIMIT);
        format!("{}{}", String::from_utf8_lossy(&done.stdout), done.status)
    };
    let port = farm.server.address.port();
    let said = ssh(&format!(
        "hostname; touch /written && sync && echo written; \
         wget -q -T 3 -O - http://10.0.2.2:{port}/healthz >/dev/null 2>&1 || echo shut in"
    ));
    assert!(said.starts_with("vm01\nwritten\nshut in\n"), "{said}");
    // Its console is the lab's, as any board's.
    wait_until(LIMIT, "its login is on record", || {
        lava(&lab, &farm.server, "alice", &["log", "vm01"]).1.contains("vm01 login:")
    });

    assert_eq!(lava(&lab, &farm.server, "alice", &["release", "vm01"]).0, 0);
    until_gone(&farm.ssh);
    farm.server.until("it is free", "/boards/vm01", |board| board["lease"].is_null());
    let cached = farm.server.ask("GET", "/images/builder/content", &Value::Null);
    assert!(cached.body == before, "the image has changed");
}

fn log(farm: &Lab) -> String {
    farm.server.ask("GET", "/jobs/1/log", &Value::Null).text()
}
