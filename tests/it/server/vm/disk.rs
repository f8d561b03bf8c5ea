//! Disks of virtual machines in the image store.

use serde_json::{Value, json};

use super::Lab;
use crate::common::{LIMIT, TestLab, run};
use crate::server::lava;

#[test]
fn the_disk_of_a_machine_is_a_qcow2_that_stands_by_itself() {
    let lab = TestLab::new();
    let farm = Lab::start(&lab, false);
    let server = &farm.server;
    let path = |name: &str| lab.path(name).display().to_string();
    let create = |args: &[&str]| {
        let mut qemu_img = lab.tool("qemu-img");
        let done = run(qemu_img.args(["create", "-q", "-f", "qcow2"]).args(args), "", LIMIT);
        assert!(done.status.success(), "{done:?}");
    };
    create(&[&path("whole"), "2G"]);
    create(&["-F", "qcow2", "-b", &path("whole"), &path("half")]);
    lab.write("text", "no disk at all");
    let put = |file: &str, more: &[&str]| {
        let from = path(file);
        let args = [&["image", "put", &from, "--name", file][..], more].concat();
        lava(&lab, server, "alice", &args)
    };
    let vm = ["--vm", "x86_64", "--memory", "2GiB"];
    for (file, why) in [
        ("text", "text cannot be the disk of a virtual machine: it is no qcow2 disk"),
        ("half", "half cannot be the disk of a virtual machine: it goes on in another file"),
    ] {
        let (code, _, err) = put(file, &vm);
        assert!(code != 0 && err.contains(why), "{code} {err}");
    }
    let (code, _, err) = put("whole", &["--vm", "z80"]);
    assert!(code == 2 && err.contains("\"z80\" is no processor of virtual machines"), "{err}");
    assert_eq!(put("text", &[]).0, 0);
    assert_eq!(put("whole", &vm).0, 0);

    let image = server.get("/images/whole");
    let told = json!({"arch": "x86_64", "memory_mib": 2048, "disk": 2u64 << 30});
    assert_eq!(image["vm"], told, "{image}");
    let (_, all, _) = lava(&lab, server, "bob", &["image", "list"]);
    assert!(all.contains("text") && all.contains("whole") && !all.contains("x86_64"), "{all}");
    for list in [&["image", "list", "--vm"][..], &["images", "--vm"]] {
        let (_, machines, _) = lava(&lab, server, "bob", list);
        let words: Vec<_> = machines.split_whitespace().collect();
        assert_eq!(words[..7], ["NAME", "SIZE", "ARCH", "MEMORY", "DISK", "USER", "KEPT"]);
        assert!(words.join(" ").contains("x86_64 2.0 GiB 2.0 GiB alice"), "{machines}");
        assert!(!machines.contains("text"), "{machines}");
    }

    // Its page marks it; and what is only kept for longer stays what it is.
    let page = server.ask("GET", "/ui/images", &Value::Null).text();
    let row = |name: &str| {
        let from = page.find(&format!("id=\"image-{name}\"")).unwrap();
        page[from..].split("</tr>").next().unwrap().to_owned()
    };
    assert!(row("whole").contains(">VM x86_64<") && !row("text").contains(">VM "), "{page}");
    let keep = json!({"sha256": image["sha256"], "keep_s": 3600, "user": "alice"});
    let kept = server.ask("PUT", "/images/whole", &keep).json();
    assert_eq!((&kept["vm"], &kept["sha256"]), (&told, &image["sha256"]), "{kept}");
    // Another file is another image.
    let text = server.get("/images/text")["sha256"].clone();
    let keep = json!({"sha256": text, "user": "alice"});
    let other = server.ask("PUT", "/images/whole", &keep).json();
    assert_eq!((&other["vm"], &other["sha256"]), (&Value::Null, &text), "{other}");
    assert_eq!(put("whole", &vm).0, 0);

    // What a board cannot boot is said before there is a job.
    let put = ["image", "put", &path("whole"), "--name", "arm", "--vm", "aarch64"];
    assert_eq!(lava(&lab, server, "alice", &put).0, 0);
    let reserve = ["reserve", "type=vm-x86", "--for", "1h"];
    let (code, out, err) = lava(&lab, server, "alice", &reserve);
    assert!(code == 0 && out.contains("vm01 is yours") && out.contains("  ssh -p "), "{out}{err}");
    for (args, why) in [
        (&["--image", "text"][..], "text is not stored as the disk of one"),
        (&["--image", "arm"][..], "arm is for aarch64, and vm01 is x86_64"),
        (&["--image", "whole"][..], "whole needs 2048 MiB of memory, and vm01 has 384"),
        (&["--image", "whole", "--ramdisk", "text"][..], "it boots from its disk alone"),
        (&["--image", "whole", "--append", "quiet"][..], "its own boot loader says what it boots"),
    ] {
        let (code, _, err) = lava(&lab, server, "alice", &[&["boot", "vm01"][..], args].concat());
        assert!(code != 0 && err.contains(why), "{code} {err}");
    }
    assert_eq!(server.get("/jobs").as_array().map(Vec::len), Some(0));
}
