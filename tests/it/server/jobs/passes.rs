//! What a job may at the daemons of its boards: use those, and nothing else.

use std::os::unix::fs::PermissionsExt as _;

use lavamux::model::TokenHash;
use serde_json::{Value, json};

use super::super::Server;
use crate::common::{LIMIT, TestLab, WebSocket, http_as, http_with, wait_until};

const JOB: &str = include_str!("../../../../conf/jobs/demo.yaml");
const DEVICE: &str = include_str!("../../../../conf/devices/demo.yaml");

#[test]
fn a_job_is_let_in_at_its_own_board_and_at_no_other() {
    let lab = TestLab::new();
    let key = "0123456789abcdef".repeat(4);
    for (name, text) in [("jobs.key", key.as_str()), ("daemons.token", "lava_lab")] {
        let file = lab.write(name, text);
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let types = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/device-types");
    let config = lab.write(
        "server.toml",
        &format!(
            "[daemons]\ntoken_file = \"daemons.token\"\njob_key_file = \"jobs.key\"\n\
             [jobs]\ntemplates = [{types:?}]\n"
        ),
    );
    let daemon = lab.start("lava-server", ["--config", &config, "--listen", "127.0.0.1:0"]);
    let server = Server { address: daemon.address("http"), daemon };
    let hash = TokenHash::of("lava_lab").unwrap();
    let let_in = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[[token]]\nname = \"lab\"\nhash = \"{hash}\"\nwrite = \"*\"\n\
         speaks_for_others = true\njob_key_file = \"jobs.key\"\n"
    );
    let boards = ["panda01", "panda02"];
    let consoles =
        boards.map(|name| format!("[[console]]\nname = {name:?}\nport = \"sim:uart\"\n"));
    let capture = format!("[capture]\ndir = {:?}\n", lab.path("captures"));
    let serial = lab.write("serial.toml", &format!("{let_in}{capture}{}", consoles.concat()));
    // Its outlet has another name than its console; the name of that another board's has.
    let outlets = [("feed1", 1), ("panda01", 2)].map(|(name, port)| {
        format!("[[outlet]]\nname = {name:?}\npdu = \"rack1\"\nport = {port}\n")
    });
    let pdu = "[[pdu]]\nname = \"rack1\"\ndriver = \"sim\"\n";
    let power = lab.write("power.toml", &format!("{let_in}{pdu}{}", outlets.concat()));
    let serial = lab.start("lava-serial", ["--config", &serial]);
    let power = lab.start("lava-power", ["--config", &power]);
    let (serial, power) = (serial.address("http"), power.address("http"));
    // Another host has a console of the same name.
    let elsewhere = format!("[capture]\ndir = {:?}\n", lab.path("elsewhere"));
    let elsewhere =
        lab.write("elsewhere.toml", &format!("{let_in}{elsewhere}{}", consoles.concat()));
    let elsewhere = lab.start("lava-serial", ["--config", &elsewhere]);
    let elsewhere = elsewhere.address("http");
    for (name, outlet) in boards.into_iter().zip(["feed1", "panda01"]) {
        let board = json!({
            "type": "lavamux-virtual",
            "dictionary": DEVICE.replace("panda01", name),
            "console": format!("http://{serial}/consoles/{name}"),
            "outlet": format!("http://{power}/outlets/{outlet}"),
        });
        assert_eq!(server.ask("PUT", &format!("/boards/{name}"), &board).status, 200);
    }
    let job = JOB.replace(
        "device_type: lavamux-virtual\n",
        "device_type: lavamux-virtual\ndevice: panda01\n",
    );
    let job = server.ask("POST", "/jobs", &json!({"definition": job, "user": "alice"}));
    assert_eq!(job.status, 200, "{}", job.text());
    server.until("it has its board", "/jobs/1", |job| job["state"] == "scheduled");
    // A worker takes it.
    let hello = json!({"instance": "a", "number": 1, "slots": 1, "jobs": []});
    let mut work = Value::Null;
    wait_until(LIMIT, "it is handed over", || {
        work = server.ask("POST", "/workers/farm1/poll", &hello).json()["start"][0].clone();
        work["id"] == 1
    });
    let pass = work["token"].as_str().unwrap().to_owned();
    assert!(!work.to_string().contains("lava_lab"), "{work}");

    // It types and switches there, as the job, though the board is leased.
    let note = |daemon, name: &str| {
        let body = json!({"text": "x", "user": "job:1"}).to_string();
        let path = format!("/consoles/{name}/note");
        http_as(daemon, Some(&pass), "POST", &path, &body)
    };
    let on_console = |name: &str| note(serial, name);
    let noted = on_console("panda01");
    assert_eq!(noted.status, 200, "{}", noted.text());
    let switch = |name: &str, user: &str| {
        let body = json!({"user": user}).to_string();
        http_as(power, Some(&pass), "POST", &format!("/outlets/{name}/on"), &body)
    };
    let switched = switch("feed1", "job:1");
    assert_eq!(switched.status, 200, "{}", switched.text());
    // Whatever it says, it is that job.
    assert_eq!(switch("feed1", "job:2").status, 200);
    let told = http_as(power, Some("lava_lab"), "GET", "/outlets/feed1/history", "").text();
    assert!(told.contains("lab (job:1)") && !told.contains("job:2"), "{told}");
    // The other board is not there for it, though its outlet is called as its own console is, nor is what another host
    // has of these names; and it asks for nobody else.
    assert_eq!((on_console("panda02").status, switch("panda01", "job:1").status), (404, 404));
    let refused = note(elsewhere, "panda01");
    assert_eq!(refused.status, 401, "{}", refused.text());
    for why in [
        "this is the pass of job 1 for ".to_owned(),
        format!("http://{serial}/consoles/panda01"),
        format!("and not for http://{elsewhere}/consoles/"),
    ] {
        assert!(refused.text().contains(&why), "{}", refused.text());
    }
    let list = http_as(serial, Some(&pass), "GET", "/consoles", "").text();
    assert!(list.contains("panda01") && !list.contains("panda02"), "{list}");
    let force = json!({"reason": "mine", "user": "job:1"}).to_string();
    assert_eq!(http_as(serial, Some(&pass), "POST", "/consoles/panda01/force", &force).status, 403);
    let behalf = r#"{"user":"alice","rights":[["*","control"]]}"#;
    let header = format!("authorization: Bearer {pass}\r\nlava-for: {behalf}\r\n");
    assert_eq!(http_with(power, "GET", "/outlets", &header, "").status, 403);
    let changed = pass.replacen("lava_job_3", "lava_job_4", 1);
    assert_eq!(http_as(power, Some(&changed), "GET", "/outlets", "").status, 401);

    // It is over with the job: somebody else has the board, and the pass shows nothing of it.
    let watching = WebSocket::attach_as(serial, Some(&pass), "panda01", "mode=spy&user=job:1");
    let bobs = json!({"spec": "name=panda01", "for": "1h", "user": "bob"});
    let bobs = format!("/requests/{}", server.ask("POST", "/requests", &bobs).json()["id"]);
    assert_eq!(server.ask("POST", "/jobs/1/cancel", &json!({"user": "alice"})).status, 200);
    assert_eq!(note(serial, "panda01").status, 200, "it has the board until it is over");
    let hello = json!({"instance": "a", "number": 2, "slots": 1, "jobs": [1]});
    assert_eq!(server.ask("POST", "/workers/farm1/poll", &hello).status, 200);
    let ended = server.ask("POST", "/workers/farm1/jobs/1/end", &json!({"logs": {}}));
    assert_eq!(ended.status, 200, "{}", ended.text());
    server.until("it is bob's", &bobs, |it| it["ready"] == true);
    assert_eq!((note(serial, "panda01").status, switch("feed1", "job:1").status), (404, 404));
    wait_until(LIMIT, "who came by it is let go", || watching.heard().ended());
}
