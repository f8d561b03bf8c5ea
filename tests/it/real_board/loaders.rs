//! Jobs through the boot loaders of real boards: U-Boot on armhf with a device tree from the network, GRUB
//! behind a UEFI firmware, the iPXE of a network card.

use serde_json::Value;

use super::Bench;
use super::job::Done;
use crate::common::{LIMIT, boot_file, wait_until};

/// What a job deploys: the key, and the rest of its entry.
fn deploy(to: &str, files: &[(&str, &str, &str)]) -> String {
    let files = files.iter().map(|(key, file, more)| {
        format!("    {key}: {{url: 'file://{}'{more}}}\n", boot_file(file).display())
    });
    format!("- deploy:\n    to: {to}\n    os: oe\n{}", files.collect::<String>())
}

/// A job that deploys, boots by a method with one of the device's lists of commands, and runs tests.
fn job(deploy: &str, method: &str, commands: &str, steps: &[&str]) -> String {
    let steps: String = steps.iter().map(|step| format!("          - {step}\n")).collect();
    format!(
        r"job_name: a boot loader
visibility: public
timeouts: {{job: {{minutes: 6}}, action: {{minutes: 5}}, connection: {{minutes: 4}}}}
actions:
{deploy}- boot:
    method: {method}
    commands: {commands}
    timeout: {{minutes: 5}}
    timeouts: {{auto-login-action: {{minutes: 4}}}}
    auto_login: {{login_prompt: 'board login:', username: root}}
    prompts: ['board# ']
- test:
    timeout: {{minutes: 3}}
    definitions:
    - name: smoke
      from: inline
      path: inline/smoke.yaml
      repository:
        metadata: {{format: Lava-Test Test Definition 1.0, name: smoke}}
        run:
          steps:
{steps}"
    )
}

/// Whether these cases passed, and the job was done.
fn assert_passed(done: &Done, cases: &[&str]) {
    assert_eq!(done.exit_code(), 0, "{done:?}");
    for case in cases {
        assert_eq!(done.result("0_smoke", case), "pass", "{case}\n{done:?}");
    }
}

#[test]
fn u_boot_on_armhf_gets_kernel_ramdisk_and_device_tree_by_tftp() {
    let bench = Bench::of("armhf").with_power();
    let files = deploy(
        "tftp",
        &[
            ("kernel", "armhf/Image", ", type: zimage"),
            ("ramdisk", "armhf/ramdisk.cpio.gz", ", compression: gz"),
            ("dtb", "armhf/virt.dtb", ""),
        ],
    );
    let steps = [
        "lava-test-case arm --shell 'test $(uname -m) = armv7l'",
        "lava-test-case tree --shell grep -q linux,dummy-virt /proc/device-tree/compatible",
    ];
    let job = job(&files, "u-boot", "ramdisk", &steps);
    // Nobody is there that the board's network leads to: said in the boot loader's words, and at once.
    let down = bench.run_from("10.0.2.77", "qemu-uboot-armhf.yaml", &job);
    assert_eq!(down.exit_code(), 3, "{down:?}");
    let told = format!("{down:?}");
    assert!(told.contains("the boot loader said \"Retry count exceeded\" to \"tftpboot"), "{told}");
    assert_eq!(bench.board.power("status"), "off");

    assert_passed(&bench.run("qemu-uboot-armhf.yaml", &job), &["arm", "tree"]);
}

#[test]
fn grub_behind_uefi_boots_by_tftp_and_a_spy_has_the_jobs_log_byte_for_byte() {
    let bench = Bench::of("grub").with_power();
    let spy = bench.attach("mode=spy&from=0&user=alice");
    let files = deploy(
        "tftp",
        &[
            ("kernel", "amd64/Image", ""),
            ("ramdisk", "amd64/ramdisk.cpio.gz", ", compression: gz"),
            ("modules", "amd64/modules.tar.gz", ", compression: gz"),
        ],
    );
    let steps = ["lava-test-case modules --shell grep -q ^overlay /proc/modules"];
    let done = bench.run("x86-grub.yaml", &job(&files, "grub", "ramdisk", &steps));
    assert_passed(&done, &["modules"]);

    let lines: Vec<Value> = done.log().into_iter().filter(|line| line["lvl"] == "target").collect();
    assert!(lines.len() > 100, "{} lines", lines.len());
    let offset = |line: &Value| usize::try_from(line["offset"].as_u64().unwrap()).unwrap();
    let capture = bench.capture();
    wait_until(LIMIT, "the spy has it all", || spy.heard().bytes().len() >= capture.len());
    assert!(spy.heard().bytes() == capture, "the spy has something else than the record");
    // From each line's offset to the next one's there is that line, and nothing but its end. Firmware draws
    // boxes with bytes that are no UTF-8.
    let mut at = 0;
    assert!(capture[..offset(&lines[0])].iter().all(|byte| b"\r\n".contains(byte)));
    for (i, line) in lines.iter().enumerate() {
        let end = lines.get(i + 1).map_or(capture.len(), offset);
        let printed = String::from_utf8_lossy(&capture[offset(line)..end]).into_owned();
        assert_eq!(printed.trim_end_matches(['\r', '\n']), line["msg"].as_str().unwrap(), "{line}");
        assert!(end > at, "{line}");
        at = end;
    }
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
    let nowhere = bench.run("x86-ipxe.yaml", &job);
    assert_eq!(nowhere.exit_code(), 2);
    assert!(nowhere.said().contains("needs \"transfer_overlay\""), "{}", nowhere.said());

    let fetched = job.replace(
        "    prompts: [",
        "    transfer_overlay: {download_command: 'cd /tmp; wget', unpack_command: 'tar -C / -xzf'}\n    \
         prompts: [",
    );
    assert_passed(&bench.run("x86-ipxe.yaml", &fetched), &["below", "above"]);
}
