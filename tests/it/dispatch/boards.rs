//! More boards that follow a script, to the end of their jobs: barebox, depthcharge, a soft reboot, media that are
//! written by U-Boot's `ums` or by the board itself, Qualcomm's download mode. None of them is a real board.

use super::dialogue::Line::{Hear, Keep, Reset, Say};
use super::dialogue::{Dialogue, HEAD, Line, SMOKE, complete, noted, stand_in};
use crate::common::{LIMIT, TestLab, run};

/// A `tftp` block with files that are there.
fn tftp(lab: &TestLab) -> String {
    let kernel = lab.write("files/Image", "a kernel");
    let ramdisk = lab.write("files/initrd.cpio.gz", "a ramdisk");
    format!(
        "{HEAD}- deploy:
    to: tftp
    os: oe
    kernel: {{url: 'file://{kernel}'}}
    ramdisk: {{url: 'file://{ramdisk}', compression: gz}}
"
    )
}

/// An image whose first partition is an empty file system, with room for tests.
fn image(lab: &TestLab, name: &str) -> String {
    tool(lab, &format!("mke2fs -q -F -t ext4 {name}.ext4 8M"));
    let mut disk = vec![0; 1 << 20];
    disk[446 + 8..][..4].copy_from_slice(&2048_u32.to_le_bytes());
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk.extend(std::fs::read(lab.path(&format!("{name}.ext4"))).unwrap());
    std::fs::write(lab.path(name), disk).unwrap();
    lab.path(name).display().to_string()
}

/// Whether the tests are in the first partition of what was written.
#[track_caller]
fn assert_tests_in(lab: &TestLab, disk: &[u8]) {
    std::fs::write(lab.path("partition"), &disk[1 << 20..]).unwrap();
    let listed = tool(lab, "debugfs -R ls${IFS}/lava-7/bin partition");
    assert!(listed.contains("lava-test-runner"), "{listed}");
}

#[track_caller]
fn tool(lab: &TestLab, words: &str) -> String {
    let mut words = words.split(' ').map(|word| word.replace("${IFS}", " "));
    let mut command = lab.tool(words.next().unwrap());
    command.args(words).current_dir(lab.dir()).env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin");
    let done = run(&mut command, "", LIMIT);
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap()
}

const BAREBOX: &[Line] = &[
    Say("\r\n\r\nbarebox 2024.01.0 (scripted)\r\n\r\nHit any key to stop autoboot:    3"),
    Hear(" \n"),
    Say("\r\nbarebox@board:/ "),
    Hear("dhcp\n"),
    Say("\r\nbarebox@board:/ "),
    Hear("global.bootm.image=\"/mnt/tftp/7/kernel/Image\"\n"),
    Say("\r\nbarebox@board:/ "),
    Hear("global.bootm.initrd=\"/mnt/tftp/7/ramdisk/ramdisk.cpio\"\n"),
    Say("\r\nbarebox@board:/ "),
    Hear("bootm\n"),
    Say("\r\nLoading ARM Linux zImage\r\nLinux version 6.1.0 (scripted)\r\n/ # "),
];

#[test]
fn barebox_boots_over_tftp() {
    let lab = TestLab::new();
    let board = Dialogue::start(BAREBOX);
    let device = format!(
        "hostname: sama5
commands: {{connect: telnet 127.0.0.1 {}, hard_reset: 'true', power_off: 'true'}}
actions:
  deploy: {{methods: {{tftp: }}}}
  boot:
    methods:
      barebox:
        parameters: {{bootloader_prompt: 'barebox@'}}
        ramdisk:
          commands:
          - dhcp
          - global.bootm.image=\"/mnt/tftp/{{KERNEL}}\"
          - global.bootm.initrd=\"/mnt/tftp/{{RAMDISK}}\"
          - bootm
constants:
  barebox: {{interrupt-prompt: Hit any key to stop autoboot, interrupt-character: ' '}}
",
        board.port
    );
    complete(
        &lab,
        &(tftp(&lab) + "- boot: {method: barebox, commands: ramdisk, prompts: ['/ # ']}\n"),
        &device,
    );
    assert_eq!(board.end(), Ok(()));
}

const DEPTHCHARGE: &[Line] = &[
    Say("\r\nStarting netboot on veyron_jaq...\r\ndpch: "),
    Hear("tftpboot 10.0.2.2 7/image.itb 7/cmdline \n"),
    Say("\r\nExiting depthcharge\r\nLinux version 6.1.0 (scripted)\r\n/ # "),
];

#[test]
fn depthcharge_gets_one_image_and_its_command_line_as_a_file() {
    let lab = TestLab::new();
    let board = Dialogue::start(DEPTHCHARGE);
    // As the program does, with the file that is its last word.
    stand_in(
        &lab,
        "mkimage",
        &format!(
            "echo \"$*\" >> {}; for to do :; done; echo fit > $to",
            lab.path("notes").display()
        ),
    );
    let device = format!(
        "hostname: jaq
commands: {{connect: telnet 127.0.0.1 {}, hard_reset: 'true', power_off: 'true'}}
parameters: {{load_address: '0'}}
actions:
  deploy: {{methods: {{tftp: }}, parameters: {{mkimage_arch: arm}}}}
  boot:
    methods:
      depthcharge:
        parameters: {{start_message: Starting netboot on veyron_jaq..., bootloader_prompt: 'dpch:'}}
        ramdisk:
          cmdline: console=ttyS2,115200n8 root=/dev/ram0
          commands: ['tftpboot {{SERVER_IP}} {{DEPTHCHARGE_KERNEL}} {{CMDLINE}} {{DEPTHCHARGE_RAMDISK}}']
constants:
  depthcharge: {{final-message: Exiting depthcharge, error-messages: [Tftp failed.]}}
",
        board.port
    );
    let job = tftp(&lab) + "- boot: {method: depthcharge, commands: ramdisk, prompts: ['/ # ']}\n";
    complete(&lab, &job, &device);
    assert_eq!(board.end(), Ok(()));
    let made = noted(&lab, "notes");
    assert!(made.contains("-A arm") && made.contains("ramdisk.cpio"), "{made}");
}

const REBOOTED: &[Line] = &[
    Say("/ # "),
    Hear("sync\n"),
    Say("sync\r\n/ # "),
    Hear("reboot\n"),
    Say(
        "reboot\r\nThe system is going down for reboot NOW!\r\n[   60.0] reboot: Restarting system\r\n",
    ),
    Say("\r\nU-Boot 2023.01 (scripted)\r\nLinux version 6.1.0 (scripted)\r\nlogin: "),
    Hear("root\n"),
    Say("root\r\n/ # "),
];

/// Its shell shows a prompt once more before it is down.
const GOING_DOWN: &[Line] = &[
    Say("/ # "),
    Hear("reboot\n"),
    Say("reboot\r\n/ # "),
    Say("Broadcast message: going down NOW\r\nLinux version 6.1.0 (scripted)\r\nlogin: "),
    Hear("root\n"),
    Say("root\r\n/ # "),
];
/// The same without the system's words: the kernel's do.
const RESTARTING: &[Line] = &[
    Say("/ # "),
    Hear("reboot\n"),
    Say("reboot\r\n/ # "),
    Say("[   60.0] reboot: Restarting system\r\nLinux version 6.1.0 (scripted)\r\nlogin: "),
    Hear("root\n"),
    Say("root\r\n/ # "),
];

#[test]
fn what_a_device_says_when_it_goes_down_is_waited_for_where_the_job_says_nothing() {
    for script in [GOING_DOWN, RESTARTING] {
        let lab = TestLab::new();
        let board = Dialogue::start(script);
        let device = format!(
            "hostname: board
commands: {{connect: telnet 127.0.0.1 {}}}
actions: {{boot: {{methods: {{minimal: }}}}}}
constants: {{shutdown-message: going down NOW}}
",
            board.port
        );
        let job = format!(
            "{HEAD}- boot: {{method: minimal, reset: false, prompts: ['/ # ']}}
- boot:
    method: minimal
    soft_reboot: reboot
    auto_login: {{login_prompt: 'login:', username: root}}
    prompts: ['/ # ']
"
        );
        complete(&lab, &job, &device);
        assert_eq!(board.end(), Ok(()));
    }
}

#[test]
fn a_board_without_an_outlet_is_rebooted_by_its_own_system() {
    let lab = TestLab::new();
    let board = Dialogue::start(REBOOTED);
    let device = format!(
        "hostname: board
commands: {{connect: telnet 127.0.0.1 {}}}
actions: {{boot: {{methods: {{minimal: }}}}}}
",
        board.port
    );
    let job = format!(
        "{HEAD}- boot: {{method: minimal, reset: false, prompts: ['/ # ']}}
- boot:
    method: minimal
    soft_reboot: [sync, reboot]
    parameters: {{shutdown-message: going down for reboot}}
    auto_login: {{login_prompt: 'login:', username: root}}
    prompts: ['/ # ']
"
    );
    complete(&lab, &job, &device);
    assert_eq!(board.end(), Ok(()));
}

const UMS: &[Line] = &[
    Reset,
    Say("\r\nU-Boot 2023.01 (scripted)\r\nHit any key to stop autoboot:  2 "),
    Hear(" \n"),
    Say("\r\n=> "),
    Hear("ums 0 mmc 0\n"),
    Say("ums 0 mmc 0\r\nUMS: LUN 0, dev mmc 0, hwpart 0, sector 0x0, count 0x748000\r\n"),
    Reset,
    Say(
        "\r\nU-Boot 2023.01 (scripted)\r\nHit any key to stop autoboot:  0\r\nLinux version 6.1.0 (scripted)\r\n/ # ",
    ),
    Hear("\n"),
    Say("\r\n/ # "),
    Hear("export SHELL=/bin/sh\n"),
    Say("\r\n/ # "),
    Hear(". /lava-7/environment\n"),
    Say("\r\n/ # "),
    Hear("/lava-7/bin/lava-test-runner /lava-7/0\n"),
    Say("\r\n<LAVA_TEST_RUNNER EXIT>\r\n/ # "),
];

#[test]
fn the_medium_that_u_boot_shows_this_host_gets_an_image_with_the_tests() {
    let lab = TestLab::new();
    let image = image(&lab, "sdcard");
    // As the link that udev makes for the disk.
    let disk = lab.write("disk-0:0", "");
    let board = Dialogue::powered(&lab, UMS);
    let device = format!(
        "hostname: warp7
commands: {{connect: telnet 127.0.0.1 {}, hard_reset: {:?}, power_off: 'true'}}
actions:
  deploy: {{methods: {{u-boot-ums: }}}}
  boot:
    methods:
      u-boot:
        parameters: {{bootloader_prompt: '=>', uboot_ums_flash: true, uboot_mass_storage_device: '{disk}'}}
        ums: {{commands: [ums 0 mmc 0]}}
constants:
  u-boot: {{interrupt-prompt: Hit any key to stop autoboot, interrupt-character: ' '}}
",
        board.port, board.reset
    );
    let job = format!(
        "{HEAD}- deploy: {{to: u-boot-ums, os: oe, image: {{url: 'file://{image}', root_partition: 0}}}}
- boot: {{method: u-boot, commands: ums, prompts: ['/ # ']}}
{SMOKE}"
    );
    complete(&lab, &job, &device);
    assert_eq!(board.end(), Ok(()));
    assert_tests_in(&lab, &std::fs::read(disk).unwrap());
    let given = std::fs::read(lab.path("sdcard.ext4")).unwrap();
    assert_eq!(
        std::fs::read(image).unwrap()[1 << 20..],
        given,
        "the job has written into the image it was given"
    );
}

const STICK: &[Line] = &[
    Say("/ # "),
    Hear("\n"),
    Say("\r\n/ # "),
    Hear("export SHELL=/bin/sh\n"),
    Say("\r\n/ # "),
    Hear(". /lava-7/environment\n"),
    Say("\r\n/ # "),
    Keep("wget -O - "),
    Say("\r\n0+9 records in\r\n0+9 records out\r\n/ # "),
    Hear("reboot\n"),
    Say("\r\n[   60.0] reboot: Restarting system\r\nLinux version 6.1.0 (scripted)\r\n/ # "),
    Hear("\n"),
    Say("\r\n/ # "),
    Hear("export SHELL=/bin/sh\n"),
    Say("\r\n/ # "),
    Hear(". /lava-7/environment\n"),
    Say("\r\n/ # "),
    Hear("/lava-7/bin/lava-test-runner /lava-7/0\n"),
    Say("\r\n<LAVA_TEST_RUNNER EXIT>\r\n/ # "),
];

#[test]
fn a_running_system_writes_an_image_with_the_tests_to_its_medium_and_boots_it() {
    for to in ["usb", "sata", "sd"] {
        let lab = TestLab::new();
        let image = image(&lab, "disk");
        let board = Dialogue::start(STICK);
        let device = format!(
            "hostname: cubie
commands: {{connect: telnet 127.0.0.1 {}}}
parameters: {{media: {{{to}: {{stick: {{uuid: usb-SanDisk_Ultra-0:0, device_id: 0}}}}}}}}
actions:
  deploy: {{methods: {{{to}: }}}}
  boot: {{methods: {{minimal: }}}}
",
            board.port
        );
        let job = format!(
            "{HEAD}- boot: {{method: minimal, reset: false, prompts: ['/ # ']}}
- deploy:
    to: {to}
    os: oe
    device: stick
    image: {{url: 'file://{image}', root_partition: 0}}
    download: {{tool: wget, prompt: 'wget', options: '-O - {{DOWNLOAD_URL}}'}}
- boot: {{method: minimal, soft_reboot: [reboot], prompts: ['/ # ']}}
{SMOKE}"
        );
        complete(&lab, &job, &device);
        assert_tests_in(&lab, &board.kept().unwrap());
    }
}

const QDL: &[Line] = &[
    Hear("reboot edl\n"),
    Say("reboot edl\r\n"),
    Reset,
    Say("Linux version 6.1.0 (scripted)\r\n/ # "),
    Hear("\n"),
    Say("\r\n/ # "),
    Hear("export SHELL=/bin/sh\n"),
    Say("\r\n/ # "),
    Hear(". /lava-7/environment\n"),
    Say("\r\n/ # "),
    Hear("/lava-7/bin/lava-test-runner /lava-7/0\n"),
    Say("\r\n<LAVA_TEST_RUNNER EXIT>\r\n/ # "),
];

#[test]
fn qualcomms_download_mode_gets_an_archive_with_the_tests_in_its_root_by_a_stand_in() {
    let lab = TestLab::new();
    let board = Dialogue::powered(&lab, QDL);
    tool(&lab, "mke2fs -q -F -t ext4 rootfs.img 8M");
    for name in ["prog_firehose_ddr.elf", "rawprogram0.xml", "patch0.xml"] {
        lab.write(name, "x");
    }
    tool(&lab, "tar -czf flash.tar.gz rootfs.img prog_firehose_ddr.elf rawprogram0.xml patch0.xml");
    let (notes, flashed) = (lab.path("notes"), lab.path("flashed"));
    stand_in(&lab, "relay", &format!("echo \"relay $*\" >> {}", notes.display()));
    // It restarts the board when it is done.
    let qdl = "echo \"qdl $*: $(ls | tr '\\n' ' ')\" >> NOTES; cp rootfs.img FLASHED; RESET";
    let qdl = qdl.replace("NOTES", &notes.display().to_string()).replace("RESET", &board.reset);
    stand_in(&lab, "qdl", &qdl.replace("FLASHED", &flashed.display().to_string()));
    let device = format!(
        "hostname: rb3
board_qdl_id: '8ef5c9a1'
commands: {{connect: telnet 127.0.0.1 {}, soft_reboot: [reboot edl]}}
actions:
  deploy: {{methods: {{qdl: }}}}
  boot: {{methods: {{minimal: , qdl: {{parameters: {{command: qdl, enter-commands: [relay edl on]}}}}}}}}
",
        board.port
    );
    let job = format!(
        "{HEAD}- deploy:
    to: qdl
    os: oe
    rootfs_image: rootfs.img
    qcomflash: {{url: 'file://{}', apply-overlay: true}}
- boot:
    method: qdl
    firehose_program: prog_firehose_ddr.elf
    rawprogram: rawprogram0.xml
    patch: patch0.xml
    storage: ufs
    path: .
- boot: {{method: minimal, reset: false, prompts: ['/ # ']}}
{SMOKE}",
        lab.path("flash.tar.gz").display()
    );
    complete(&lab, &job, &device);
    assert_eq!(board.end(), Ok(()));
    assert_eq!(
        noted(&lab, "notes"),
        "relay edl on
qdl --storage ufs --serial 8ef5c9a1 prog_firehose_ddr.elf rawprogram0.xml patch0.xml: \
         patch0.xml prog_firehose_ddr.elf rawprogram0.xml rootfs.img \n"
    );
    let listed = tool(&lab, "debugfs -R ls${IFS}/lava-7/bin flashed");
    assert!(listed.contains("lava-test-runner"), "{listed}");
}
