//! Jobs through the boot loaders of real boards: U-Boot on armhf with a device tree from the network, GRUB
//! behind a UEFI firmware, the iPXE of a network card.

use super::Bench;
use crate::common::job::{LOGIN, boot, deploy, job_file, shipped, smoke, test};
use crate::common::{LIMIT, NfsServer, boot_file, free_udp_port, run};

/// A job that deploys, boots by a method with one of the device's lists of commands, and runs tests.
fn job(deploy: &str, method: &str, commands: &str, steps: &[&str]) -> String {
    job_file(&[deploy, &boot(method, commands, LOGIN), &test(&smoke(steps))])
}

/// The files of an armhf board, with a device tree from the network.
fn armhf(dtb: &str) -> String {
    let files = [
        ("kernel", "armhf/Image", ", type: zimage"),
        ("ramdisk", "armhf/ramdisk.cpio.gz", ", compression: gz"),
    ];
    format!("{}    dtb: {{url: 'file://{dtb}'}}\n", deploy("tftp", &files))
}

#[test]
fn u_boot_on_armhf_gets_kernel_ramdisk_and_device_tree_by_tftp() {
    let bench = Bench::of("armhf").with_power();
    let steps = [
        "lava-test-case arm --shell 'test $(uname -m) = armv7l'",
        "lava-test-case tree --shell grep -q linux,dummy-virt /proc/device-tree/compatible",
    ];
    let files = armhf(&boot_file("armhf/virt.dtb").display().to_string());
    let job = job(&files, "u-boot", "ramdisk", &steps);
    // Nobody is there that the board's network leads to: said in the boot loader's words, and at once.
    let device = shipped("qemu-uboot-armhf.yaml");
    let down = bench.spied(&mut bench.dispatcher(&device, "10.0.2.77", &job));
    let words = [
        "the boot loader said \"Retry count exceeded\" to \"tftpboot",
        "while bootloader-commands waited for \"=> \"; the last lines: ",
        "ARP Retry count exceeded",
    ];
    down.assert_failed(3, "Infrastructure", &words);
    assert_eq!(bench.board.power("status"), "off");

    bench.run(&device, &job).assert_passed(&["arm", "tree"]);
}

#[test]
fn a_kernel_that_was_given_the_device_tree_of_another_board_is_silent_and_told_so() {
    let bench = Bench::of("armhf").with_power();
    // The other board's serial port is nothing that a kernel finds here.
    let mut tree = std::fs::read(boot_file("armhf/virt.dtb")).unwrap();
    for (own, other) in
        [(&b"arm,pl011\0"[..], &b"arm,pl999\0"[..]), (b"arm,primecell\0", b"arm,primecall\0")]
    {
        let places: Vec<usize> =
            (0..tree.len()).filter(|at| tree[*at..].starts_with(own)).collect();
        assert!(!places.is_empty());
        places.iter().for_each(|at| tree[*at..at + own.len()].copy_from_slice(other));
    }
    let other = bench.lab.path("other.dtb");
    std::fs::write(&other, tree).unwrap();
    // It runs all the same, and has nothing to do.
    let arguments = "console=ttyAMA0 rdinit=/bin/busybox -- sleep 1000";
    let device = bench.with_arguments("qemu-uboot-armhf.yaml", arguments);
    let job = job(&armhf(&other.display().to_string()), "u-boot", "ramdisk", &["true"]);
    let done = bench.run(&device, &job);
    let words = [
        "the kernel says nothing: 30 s of silence after \"Starting kernel ...\"",
        "its device tree",
        "while login-action waited for \"board login:\"; the last lines: ",
    ];
    done.assert_failed(1, "Job", &words);

    // One that is told to be quiet is not blamed for its silence: it has all of its time, and no more.
    let arguments = "console=ttyAMA0 quiet rdinit=/bin/busybox -- sleep 1000";
    let device = bench.with_arguments("qemu-uboot-armhf.yaml", arguments);
    let login = "timeouts: {auto-login-action: {seconds: 40}}\n    auto_login:";
    let done = bench.run(&device, &job.replacen("auto_login:", login, 1));
    assert_eq!(done.exit_code(), 1, "{done:?}");
    let told = done.told();
    assert!(told.contains("timed out") && told.contains("waiting for \"board login:\""), "{told}");
    // Before that it was warned.
    let soft = "soft time-out: login-action has used ";
    let warned = |line: &serde_json::Value| {
        let said = line["msg"].as_str().unwrap_or_default();
        line["lvl"] == "warning" && said.starts_with(soft) && said.contains("\"board login:\"")
    };
    assert_eq!(done.log().into_iter().filter(warned).count(), 1, "{done:?}");
    assert!(done.said().contains(soft), "{}", done.said());
}

#[test]
fn grub_behind_uefi_boots_by_tftp() {
    let bench = Bench::of("grub").with_power();
    let files = deploy(
        "tftp",
        &[
            ("kernel", "amd64/Image", ""),
            ("ramdisk", "amd64/ramdisk.cpio.gz", ", compression: gz"),
            ("modules", "amd64/modules.tar.gz", ", compression: gz"),
        ],
    );
    let steps = ["lava-test-case modules --shell grep -q ^overlay /proc/modules"];
    let done = bench.run(&shipped("x86-grub.yaml"), &job(&files, "grub", "ramdisk", &steps));
    done.assert_passed(&["modules"]);
}

#[test]
fn the_firmwares_own_menus_lead_to_grub_which_boots_by_tftp() {
    let bench = Bench::of("menu").with_power();
    let files =
        [("kernel", "amd64/Image", ""), ("ramdisk", "amd64/ramdisk.cpio.gz", ", compression: gz")];
    let dictionary = std::fs::read_to_string(shipped("x86-grub.yaml")).unwrap();
    // OVMF's menus are pages that one walks through with the cursor: Esc calls them, the third entry of the
    // first is the boot manager, and the first entry there the drive that GRUB is on.
    let menus = r#"      uefi-menu:
        parameters:
          interrupt_prompt: '\[01;01H.\[2J'
          interrupt_string: "\e"
          bootloader_prompt: Reset
        pxe-grub:
        - select: {enter: "\e[B\e[B", wait: UEFI Misc Device}
        - select: {enter: ""}
      grub-efi:
        menu_options: pxe-grub
"#;
    let through =
        dictionary.replace("      grub:\n", menus).replace("\n  grub:\n", "\n  grub-efi:\n");
    assert!(through.contains(menus) && through.contains("\n  grub-efi:\n"), "{through}");
    let device = bench.lab.write("device.yaml", &through);
    let job =
        job(&deploy("tftp", &files), "grub-efi", "ramdisk", &["lava-test-case up --shell 'true'"]);
    bench.run(&device, &job).assert_passed(&["up"]);
}

#[test]
fn ipxe_boots_a_root_over_nbd_and_the_board_fetches_the_tests_itself() {
    let bench = Bench::of("ipxe").with_power();
    let files = deploy(
        "nbd",
        &[
            ("kernel", "amd64/Image", ""),
            ("initrd", "amd64/nbd.cpio.gz", ", compression: gz"),
            ("nbdroot", "amd64/root.ext4", ""),
        ],
    );
    let steps = [
        "lava-test-case below --shell test -e /sys/block/nbd0/pid -a $(cat /sys/block/nbd0/ro) = 1",
        "lava-test-case above --shell touch /written",
    ];
    let job = job(&files, "ipxe", "nbd", &steps);
    // The tests cannot be put into what is only read.
    let device = shipped("x86-ipxe.yaml");
    let nowhere = bench.run(&device, &job);
    assert_eq!(nowhere.exit_code(), 2);
    assert!(nowhere.said().contains("needs \"transfer_overlay\""), "{}", nowhere.said());

    let fetched = job.replace(
        "    prompts: [",
        "    transfer_overlay: {download_command: 'cd /tmp; wget', unpack_command: 'tar -C / -xzf'}\n    \
         prompts: [",
    );
    bench.run(&device, &fetched).assert_passed(&["below", "above"]);

    // Where the board has no room for them, nobody waits for them.
    let full = fetched.replace(
        "username: root}",
        "username: root, login_commands: ['mount -t tmpfs -o size=4k full /tmp']}",
    );
    let words = [
        "the board said \"No space left on device\" to \"cd /tmp; wget http://",
        "while overlay-unpack waited for \"board# \"; the last lines: ",
    ];
    bench.run(&device, &full).assert_failed(1, "Job", &words);
}

#[test]
fn ipxe_boots_a_root_over_nfs_that_stays_and_has_the_tests_for_as_long_as_the_job() {
    let bench = Bench::of("ipxe").with_power();
    let root = bench.lab.path("exported/debian");
    std::fs::create_dir_all(&root).unwrap();
    let mut tar = bench.lab.tool("tar");
    let unpacked =
        run(tar.arg("-xzf").arg(boot_file("amd64/root.tar.gz")).arg("-C").arg(&root), "", LIMIT);
    assert!(unpacked.status.success(), "{unpacked:?}");
    let server = NfsServer::start(&bench.lab, "exported");
    let ramdisk = ("ramdisk", "amd64/nfs.cpio.gz", ", compression: gz, install_overlay: false");
    let files = deploy("tftp", &[("kernel", "amd64/Image", ""), ramdisk]);
    let files = format!("{files}    persistent_nfs: {{address: '10.0.2.2:{}'}}\n", root.display());
    let steps = [
        "lava-test-case root --shell 'grep \"10.0.2.2:.* / nfs4\" /proc/mounts'",
        "lava-test-case written --shell touch /written",
    ];
    let job = job(&files, "ipxe", "nfs", &steps);
    let device = server.device(&bench.lab, "x86-ipxe.yaml");
    // Where the tests could not be put, that is told before anything runs.
    let nowhere = bench.run(&device, &job);
    assert_eq!(nowhere.exit_code(), 2, "{nowhere:?}");
    assert!(nowhere.said().contains("(--nfs-dir DIR)"), "{nowhere:?}");
    assert!(!root.join("written").exists());

    let mut dispatcher = bench.dispatcher(&device, "10.0.2.2", &job);
    dispatcher.arg("--nfs-dir").arg(bench.lab.path("exported")).args(["--job-id", "7"]);
    bench.spied(&mut dispatcher).assert_passed(&["root", "written"]);
    assert!(root.join("written").exists(), "the root was another one");
    assert!(!root.join("lava-7").exists(), "the tests are still in a root that stays");
}

#[test]
fn ipxe_gets_everything_from_the_jobs_own_tftp_server_and_mounts_a_root_of_its_own() {
    let bench = Bench::of("ipxe").with_power();
    let server = NfsServer::start(&bench.lab, "exported");
    let port = free_udp_port();
    // The board finds the server at a port that needs no privilege.
    let dictionary = std::fs::read_to_string(server.device(&bench.lab, "x86-ipxe.yaml")).unwrap();
    let at = dictionary.replace("tftp://{SERVER_IP}/", &format!("tftp://{{SERVER_IP}}:{port}/"));
    assert_ne!(at, dictionary);
    let device = bench.lab.write("device.yaml", &at);
    let files = deploy(
        "tftp",
        &[
            ("kernel", "amd64/Image", ""),
            (
                "ramdisk",
                "amd64/nfs.cpio.gz",
                ", compression: gz, install_overlay: false, install_modules: false",
            ),
            ("nfsrootfs", "amd64/root.tar.gz", ", compression: gz"),
            ("modules", "amd64/modules.tar.gz", ", compression: gz"),
        ],
    );
    let steps = [
        "lava-test-case root --shell 'grep \"10.0.2.2:.* / nfs4\" /proc/mounts'",
        "lava-test-case modules --shell 'test -n \"$(find /lib/modules -name \"overlay.ko*\")\"'",
        "lava-test-case written --shell touch /written",
    ];
    let mut dispatcher = bench.lab.program("lava-dispatcher");
    let job = bench.lab.write("job.yaml", &job(&files, "ipxe", "nfs", &steps));
    dispatcher.args(["run", &job, "--device", &device, "--job-id", "7"]);
    dispatcher.arg("--output").arg(bench.lab.path("output"));
    dispatcher.arg("--lab").arg(bench.lab.path("lab.toml"));
    dispatcher.args(["--dispatcher-ip", "10.0.2.2", "--tftp-listen", &format!("127.0.0.1:{port}")]);
    dispatcher.arg("--nfs-dir").arg(bench.lab.path("exported"));
    bench.spied(&mut dispatcher).assert_passed(&["root", "modules", "written"]);
    let left = std::fs::read_dir(bench.lab.path("exported")).unwrap().count();
    assert_eq!(left, 0, "the root is still there");
}
