//! Jobs that deploy what is in the image store, where everybody has to log in.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::{Farm, demo_job};
use crate::common::job::JOB;
use crate::common::{TestLab, http_as, wait_until};
use crate::server::lava;

#[test]
fn a_job_gets_its_images_by_a_worker_that_may_look_at_none() {
    let lab = TestLab::new();
    let mut farm = Farm::start(&lab, "");
    let mut job = demo_job(&lab);
    for name in ["linux", "rootfs"] {
        let begin = job.find("\"file://").unwrap();
        let url = job[begin..].split('"').nth(1).unwrap().to_owned();
        let file = url.strip_prefix("file://").unwrap();
        let put = lava(&lab, &farm.server, "alice", &["image", "put", file, "--name", name]);
        assert_eq!(put.0, 0, "{}", put.2);
        job = job.replace(&format!("\"{url}\""), &format!("lava-image:{name}"));
    }
    assert_eq!(job.matches("lava-image:").count(), 2, "{job}");
    farm.worker.kill();
    let here = |args: &[&str]| {
        let output = lab.run("lava", args, "");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    here(&["user", "add", "root", "--control", "*"]);
    let alice = here(&["user", "add", "alice", "--write", "*"]);
    let own = here(&["user", "token", "root", "--worker", "farm1"]);
    let token = lab.write("token", &own);
    std::fs::set_permissions(&token, Permissions::from_mode(0o600)).unwrap();
    let (url, tftp) = (farm.server.url(), lab.path("demo/tftp").display().to_string());
    let args = ["worker", "--server", &url, "--name", "farm1", "--token-file", &token, "--"];
    let run = ["--tftp-dir", &tftp, "--dispatcher-ip", "10.0.2.2"];
    farm.worker = lab.start("lava-dispatcher", [&args[..], &run].concat());
    let ask = |token: Option<&str>, method: &str, path: &str, body: &Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        http_as(farm.server.address, token, method, path, &body)
    };
    assert_eq!(ask(Some(&own), "GET", "/images/linux/content", &Value::Null).status, 403);
    let wrong = json!({"definition": job.replace("lava-image:linux", "lava-image:nosuch")});
    let refused = ask(Some(&alice), "POST", "/jobs", &wrong);
    assert_eq!(refused.status, 400);
    assert!(
        refused.text().contains("lava-image:nosuch: there is no such image"),
        "{}",
        refused.text()
    );
    let asked = ask(Some(&alice), "POST", "/jobs", &json!({"definition": job}));
    assert_eq!(asked.status, 200, "{}", asked.text());
    let mut ended = Value::Null;
    wait_until(JOB, "the job ends", || {
        ended = ask(Some(&alice), "GET", "/jobs/1", &Value::Null).json();
        ended["state"] == "finished"
    });
    let log = ask(Some(&alice), "GET", "/jobs/1/log", &Value::Null).text();
    assert_eq!(ended["health"], "complete", "{ended} {log}");
    // Its log, which others read, has no pass for them.
    assert!(log.contains("/jobs/1/images/") && !log.contains("pass="), "{log}");
}
