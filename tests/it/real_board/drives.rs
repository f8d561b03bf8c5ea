//! A medium of a board that its own running system writes, and that its boot loader then boots from.

use super::Bench;
use crate::common::boot_file;
use crate::common::job::{LOGIN, boot, deploy, job_file, shipped, smoke, test};

/// The medium: what LAVA calls it, how U-Boot begins to use it and calls it, and its place in the system.
const MEDIUM: [&str; 4] = ["usb", "usb start", "usb", "usb-drive"];

/// The dictionary of the board, with the medium and U-Boot's commands for it.
fn device() -> String {
    let dictionary = std::fs::read_to_string(shipped("qemu-uboot-armhf.yaml")).unwrap();
    let [name, begin, drive, id] = MEDIUM;
    let commands = format!(
        "        {name}:
          commands:
          - {begin}
          - setenv initrd_high 0xffffffffffffffff
          - load {drive} 0:{{ROOT_PART}} {{KERNEL_ADDR}} {{KERNEL}}
          - load {drive} 0:{{ROOT_PART}} {{RAMDISK_ADDR}} {{RAMDISK}}
          - setenv bootargs 'console=ttyAMA0 root={{ROOT}} lavamux.drives=2'
          - bootz {{KERNEL_ADDR}} {{RAMDISK_ADDR}}:$filesize $fdtcontroladdr
        ramdisk:
"
    );
    let media = format!(
        "
parameters:
  media:
    {name}: {{drive: {{uuid: {id}, device_id: 0}}}}
"
    );
    dictionary
        .replace("\nparameters:\n", &media)
        .replace("      tftp:\n", &format!("      tftp:\n      {name}:\n"))
        .replace("'console=ttyAMA0'", "'console=ttyAMA0 lavamux.drives=2 lavamux.dhcp'")
        .replace("        ramdisk:\n", &commands)
}

#[test]
fn a_board_writes_a_drive_of_its_own_and_boots_from_it_with_the_tests_in_it() {
    let bench = Bench::of("drives").with_power();
    let device = bench.lab.write("device.yaml", &device());
    let files = [
        ("kernel", "armhf/Image", ", type: zimage"),
        ("ramdisk", "armhf/drives.cpio.gz", ", compression: gz"),
        ("dtb", "armhf/virt.dtb", ""),
    ];
    let [name, _, _, id] = MEDIUM;
    let write = format!(
        "- deploy:
    to: {name}
    os: oe
    device: drive
    image: {{url: 'file://{}', root_partition: 0}}
    download: {{tool: wget, prompt: wget, options: '-O - {{DOWNLOAD_URL}}'}}
",
        boot_file("armhf/drive.img").display()
    );
    let media = format!(
        "    kernel: /boot/Image
    ramdisk: /boot/drives.cpio.gz
    root_uuid: /dev/disk/by-id/{id}-part1
    boot_part: 1
"
    );
    let on_root =
        format!("lava-test-case root --shell grep -q root=/dev/disk/by-id/{id} /proc/cmdline");
    // A test that has seen enough ends the job.
    let steps = [
        on_root.as_str(),
        "lava-test-case written --shell touch /written",
        "lava-background-process-start load --cmd 'sleep 1000'",
        "lava-background-process-stop load",
        "lava-test-raise enough",
        "lava-test-case never --result pass",
    ];
    let job = job_file(&[
        &deploy("tftp", &files),
        &boot("u-boot", "ramdisk", LOGIN),
        &write,
        &boot("u-boot", name, &(media + LOGIN)),
        &test(&smoke(&steps)),
    ]);
    let done = bench.run(&device, &job);
    done.assert_failed(1, "Test", &["the test ended the job: enough"]);
    for case in ["root", "written", "load-background-process-stop"] {
        assert_eq!(done.result("0_smoke", case), "pass", "{case}: {done:?}");
    }
    assert_eq!(done.result("0_smoke", "never"), "none", "{done:?}");
}
