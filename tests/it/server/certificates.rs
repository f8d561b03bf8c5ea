//! Daemons and workers that show a certificate instead of a token.

use std::process::Stdio;

use serde_json::Value;

use crate::common::{Heard, LIMIT, Pki, Process, TestLab, http_unix, wait_until};

#[test]
fn a_daemon_and_a_worker_are_known_by_their_certificates() {
    let lab = TestLab::new();
    let ca = Pki::new(&lab, "ca");
    ca.server("server");
    ["rack1", "farm1", "visitor"].into_iter().for_each(|name| ca.client(name));
    Pki::new(&lab, "other").client("stranger");
    let config = "[http]\nlisten = \"127.0.0.1:0\"\ncert = \"server.pem\"\nkey = \"server.key\"\n\
                  client_ca = \"ca.pem\"\n\
                  [[certificate]]\nname = \"rack1\"\ncontrol = \"*\"\n\
                  [[certificate]]\nname = \"farm1\"\nworker = \"farm1\"\n";
    let config = lab.write("server.toml", config);
    let server = lab.start("lava-server", ["--config", &config]);
    let url = format!("https://localhost:{}", server.address("http").port());
    let ask = |path: &str| http_unix(server.told("socket").as_ref(), "GET", path, "").json();

    let serial = |name: &str, port: &str| {
        let announce = format!(
            "[server]\nurl = {url:?}\nhost = {name:?}\nca = \"ca.pem\"\ncert = \"{name}.pem\"\nkey = \"{name}.key\"\n"
        );
        let capture = format!("[capture]\ndir = {:?}\n", lab.path(&format!("captures-{name}")));
        let console = format!("[[console]]\nname = {port:?}\nport = \"sim:uart\"\n");
        let http = "[http]\nlisten = \"127.0.0.1:0\"\n";
        let config =
            lab.write(&format!("{name}.toml"), &format!("{http}{announce}{capture}{console}"));
        lab.start("lava-serial", ["--config", &config])
    };
    let _known = serial("rack1", "panda01");
    wait_until(LIMIT, "its console is announced", || {
        ask("/consoles").to_string().contains("panda01")
    });
    // One that may do nothing, and one of another CA, announce nothing, and say why.
    let visitor = serial("visitor", "panda02");
    visitor.wait_for_log(LIMIT, "nobody here has a certificate of the name visitor");
    let stranger = serial("stranger", "panda03");
    stranger.wait_for_log(LIMIT, "not announced");
    assert!(!ask("/consoles").to_string().contains("panda02"));

    let worker = |cert: &str, name: &str| {
        let mut worker = lab.program("lava-dispatcher");
        worker.args(["worker", "--server", &url, "--name", name, "--ca"]).arg(lab.path("ca.pem"));
        worker.arg("--dir").arg(lab.path(&format!("worker-{name}")));
        worker.arg("--cert").arg(lab.path(&format!("{cert}.pem")));
        worker.arg("--key").arg(lab.path(&format!("{cert}.key")));
        worker.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut worker = Process::spawn(&mut worker);
        let said = Heard::from(worker.child().stderr.take().unwrap());
        (worker, said)
    };
    let _farm1 = worker("farm1", "farm1");
    let workers = || ask("/workers").as_array().cloned().unwrap_or_default();
    wait_until(LIMIT, "it is a worker", || !workers().is_empty());
    let (_another, said) = worker("farm1", "farm2");
    said.find(LIMIT, 0, b"the worker farm1, and for nothing else").unwrap();
    assert_eq!(workers().len(), 1);
    assert_eq!(workers()[0]["name"], Value::from("farm1"));
}
