//! What somebody wants is booted on a board that they have leased, and left to them.

use serde_json::{Value, json};

use super::{Farm, folders};
use crate::common::job::JOB;
use crate::common::{LIMIT, TestLab, boot_file, http, http_as, http_with, run, wait_until};
use crate::server::{Server, lava, text};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE alice@lab";

/// The board is somebody's from now on: the number of the lease.
fn lease(farm: &Farm, user: &str, board: &str) -> u64 {
    let asked = json!({"spec": format!("name={board}"), "for": "1h", "user": user});
    let id = farm.server.ask("POST", "/requests", &asked).json()["id"].as_u64().unwrap();
    farm.server.until("it is theirs", &format!("/requests/{id}"), |it| it["ready"] == true);
    id
}

#[test]
fn who_has_a_board_boots_it_and_it_stays_on_for_them() {
    let lab = TestLab::new();
    let farm = Farm::start(&lab, "");
    let server = &farm.server;
    for (file, name) in farm.boot_files(&lab).iter().zip(["linux", "rootfs"]) {
        let (code, _, err) = lava(&lab, server, "alice", &["image", "put", file, "--name", name]);
        assert_eq!(code, 0, "{err}");
    }
    let key = lab.write("key.pub", &format!("{KEY}\n"));
    let boot = ["boot", "panda01", "--image", "linux", "--ramdisk", "rootfs", "--login", "root"];
    let own = lab.write("key", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n");
    let (code, _, err) = lava(&lab, server, "alice", &[&boot[..], &["--ssh-key", &own]].concat());
    assert!(code == 2 && err.contains("/key: this is the private key"), "{err}");
    let boot = [&boot[..], &["--ssh-key", &key]].concat();
    let (code, _, err) = lava(&lab, server, "alice", &boot);
    assert!(code == 4 && err.contains("alice has not leased panda01"), "{err}");
    let id = lease(&farm, "alice", "panda01");
    let (code, _, err) = lava(&lab, server, "bob", &boot);
    assert!(code == 4 && err.contains("bob has not leased panda01"), "{err}");

    let mut booting = lab.program("lava");
    booting.args(&boot).env("LAVA_USER", "alice").env("LAVA_SERVER", server.url());
    let done = run(&mut booting, "", JOB);
    let (out, err) = [done.stdout, done.stderr].map(|text| String::from_utf8(text).unwrap()).into();
    assert!(done.status.success() && out == "panda01: ready (job 1)\n", "{out}{err}");
    assert!(err.contains("job 1: queued"), "{err}");
    // The lease is hers alone again, the board is on, and its shell knows her key.
    let shared = server.get(&format!("/requests/{id}"));
    assert!(
        shared["state"] == "leased" && shared["shared_with"].as_array().is_none_or(Vec::is_empty)
    );
    let status = http(farm.demo.address("power"), "GET", "/outlets/panda01", "");
    assert_eq!(text(&status.json()["state"]), "on", "{}", status.text());
    let shell = ["--exec", "cat ~/.ssh/authorized_keys"];
    let mut console = lab.program("lava-console");
    console.arg("panda01").args(shell).env("LAVA_USER", "alice").env("LAVA_SERVER", server.url());
    let said = run(&mut console, "", LIMIT);
    assert!(String::from_utf8_lossy(&said.stdout).contains(KEY), "{said:?}");
    // What it took from the store it took by a pass that nobody sees, and that is over.
    let definition = lava(&lab, server, "alice", &["job", "definition", "1"]).1;
    assert!(definition.contains("x-lava-pass: [MASKED]"), "{definition}");
    let hash = definition.split("/jobs/1/images/").nth(1).unwrap()[..64].to_owned();
    let taken = http_as(server.address, None, "GET", &format!("/jobs/1/images/{hash}"), "");
    assert_eq!(taken.status, 404);

    // What does not come is told with its reason.
    let nowhere = ["boot", "panda01", "--image", "http://127.0.0.1:1/Image", "--ramdisk", "rootfs"];
    let mut booting = lab.program("lava");
    booting.args(nowhere).env("LAVA_USER", "alice").env("LAVA_SERVER", server.url());
    let failed = run(&mut booting, "", JOB);
    let told = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(!failed.status.success() && told.contains("http://127.0.0.1:1/Image"), "{told}");
    assert_eq!(server.get("/jobs/2")["boot"], "failed");
    assert_eq!(server.get(&format!("/requests/{id}"))["state"], "leased");
}

#[test]
fn a_qemu_that_was_booted_is_kept_until_its_lease_ends() {
    let lab = TestLab::new();
    let farm = Farm::start(&lab, "");
    let server = &farm.server;
    let device = crate::common::job::shipped("qemu-arm64.yaml");
    let add = ["board", "add", "qemu01", "--type", "qemu", "--dictionary", &device];
    assert_eq!(lava(&lab, server, "root", &add).0, 0);
    for (file, name) in [("Image", "linux"), ("ramdisk.cpio.gz", "rootfs")] {
        let file = boot_file(file).display().to_string();
        let (code, _, err) = lava(&lab, server, "alice", &["image", "put", &file, "--name", name]);
        assert_eq!(code, 0, "{err}");
    }
    let id = lease(&farm, "alice", "qemu01");
    // An image may be anywhere.
    let ramdisk = format!("{}/images/rootfs/content", server.url());
    let asked = json!({"image": "linux", "ramdisk": ramdisk, "append": "console=ttyAMA0", "login": "root", "user": "alice"});
    let begun = server.ask("POST", "/boards/qemu01/boot", &asked);
    assert_eq!(begun.status, 200, "{}", begun.text());
    assert_eq!(text(&begun.json()["boot"]), "queued");
    let up = farm.until("it is up, or has ended", 1, |job| {
        job["boot"] == "ready" || job["state"] == "finished"
    });
    assert_eq!((&up["state"], &up["boot"]), (&"running".into(), &"ready".into()), "{up}");
    let again = server.ask("POST", "/boards/qemu01/boot", &asked);
    assert!(again.status == 409 && again.text().contains("by job 1"), "{}", again.text());
    let released = server.ask("DELETE", &format!("/requests/{id}?user=alice"), &Value::Null);
    assert_eq!(released.status, 200);
    let ended = farm.ended(1);
    assert_eq!(ended["canceled_by"], "alice");
    // The board is hers until it is off.
    server.until("it is free", "/boards/qemu01", |board| board["lease"].is_null());
    wait_until(LIMIT, "the worker has forgotten it", || folders(&lab).is_empty());
}

#[test]
fn a_boots_words_may_name_images_and_what_asks_for_them_gets_them() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let device = crate::common::job::shipped("qemu-arm64.yaml");
    let add = ["board", "add", "qemu01", "--type", "qemu", "--dictionary", &device];
    assert_eq!(lava(&lab, &server, "root", &add).0, 0);
    for name in ["linux", "rootfs"] {
        let file = lab.write(name, &format!("this is {name}"));
        let put = lava(&lab, &server, "alice", &["image", "put", &file, "--name", name]);
        assert_eq!(put.0, 0, "{}", put.2);
    }
    let asked = json!({"spec": "name=qemu01", "for": "1h", "user": "alice"});
    let id = server.ask("POST", "/requests", &asked).json()["id"].clone();
    server.until("it is hers", &format!("/requests/{id}"), |it| it["ready"] == true);
    let boot = |append: &str| {
        let asked = json!({"image": "lava-image:linux", "append": append, "user": "alice"});
        server.ask("POST", "/boards/qemu01/boot", &asked)
    };
    let refused = boot("live=lava-image:nosuch");
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("there is no such image"), "{}", refused.text());
    let begun = boot("console=ttyAMA0 live=lava-image:rootfs quiet");
    assert_eq!(begun.status, 200, "{}", begun.text());
    let hello = json!({"instance": "a", "number": 1, "slots": 1, "jobs": []});
    let mut work = Value::Null;
    wait_until(LIMIT, "a worker has it", || {
        work = server.ask("POST", "/workers/farm1/poll", &hello).json()["start"][0].clone();
        work["id"] == begun.json()["id"]
    });
    let definition = text(&work["definition"]);
    // What it boots it asks for with a header, and the board for what is in its words with a URL.
    let live = definition.split("live=http://lava-server.invalid").nth(1).unwrap();
    let live = live.split_whitespace().next().unwrap();
    let got = server.ask("GET", live, &Value::Null);
    assert_eq!((got.status, got.text()), (200, "this is rootfs".into()), "{live}");
    let (path, _) = live.split_once('?').unwrap();
    assert_eq!(server.ask("GET", path, &Value::Null).status, 404);
    // YAML may put a long text on a line of its own.
    let words: Vec<&str> =
        definition.split(|c: char| c.is_whitespace() || "'\"".contains(c)).collect();
    let behind = words.iter().position(|word| *word == "x-lava-pass:").unwrap() + 1;
    let pass = words[behind..].iter().find(|word| word.len() >= 64).unwrap();
    let image = words.iter().find_map(|word| word.strip_prefix("http://lava-server.invalid"));
    let (image, header) = (image.unwrap(), format!("x-lava-pass: {pass}\r\n"));
    let got = http_with(server.address, "GET", image, &header, "");
    assert_eq!((got.status, got.text()), (200, "this is linux".into()), "{definition}");
}
