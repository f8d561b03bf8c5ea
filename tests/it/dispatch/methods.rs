//! Jobs on boards that follow a script: GRUB, iPXE, a firmware's menus, a boot loader alone, a system
//! that is there already. None of them is a real board.

use super::dialogue::Line::{Begin, Fetch, Hear, Say};
use super::dialogue::{Dialogue, HEAD, Line, SMOKE, complete, dispatch, noted, stand_in};
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

const GRUB: &[Line] = &[
    Say("GNU GRUB (scripted)\r\nPress enter to boot the selected OS, `c' for a command-line.\r\n"),
    Hear("c"),
    Say("\r\ngrub> "),
    Hear("net_bootp\n"),
    Say("net_bootp\r\ngrub> "),
    Hear("linux (tftp,10.0.2.2)/7/kernel/Image console=ttyS0 ip=dhcp\n"),
    Say("\r\ngrub> "),
    Hear("initrd (tftp,10.0.2.2)/7/ramdisk/ramdisk.cpio\n"),
    Say("\r\ngrub> "),
    Hear("boot\n"),
    Say("\r\n[    0.000000] Linux version 6.1.0 (scripted)\r\n\r\n/ # "),
    Hear("/sbin/kexec --load /boot/vmlinux --initrd /boot/initrd --reuse-cmdline\n"),
    Say("\r\n/ # "),
    Hear("/sbin/kexec -e\n"),
    Say("\r\nBooting Linux on physical CPU 0x0\r\nLinux version 6.2.0 (scripted)\r\n/ # "),
];

#[test]
fn grub_boots_over_tftp_and_the_system_starts_the_next_kernel_by_kexec() {
    let lab = TestLab::new();
    let board = Dialogue::start(GRUB);
    let device = format!(
        "hostname: d02
commands: {{connect: telnet 127.0.0.1 {}, hard_reset: 'true', power_off: 'true'}}
actions:
  deploy: {{methods: {{tftp: }}}}
  boot:
    methods:
      grub:
        parameters: {{bootloader_prompt: 'grub>'}}
        ramdisk:
          commands:
          - net_bootp
          - linux (tftp,{{SERVER_IP}})/{{KERNEL}} console=ttyS0 ip=dhcp
          - initrd (tftp,{{SERVER_IP}})/{{RAMDISK}}
          - devicetree (tftp,{{SERVER_IP}})/{{DTB}}
          - boot
constants:
  grub: {{interrupt-prompt: for a command-line, interrupt-character: c, interrupt-newline: false,
    error-messages: ['error: no such device']}}
",
        board.port
    );
    let job = tftp(&lab)
        + "- boot: {method: grub, commands: ramdisk, prompts: ['/ # ']}
- boot:
    method: kexec
    kernel: /boot/vmlinux
    initrd: /boot/initrd
    options: [--reuse-cmdline]
    prompts: ['/ # ']
";
    complete(&lab, &job, &device);
    assert_eq!(board.end(), Ok(()));
}

const INSTALLER: &[Line] = &[
    Say("Welcome to GRUB!\r\nPress enter to boot the selected OS, `c' for a command-line."),
    Hear("c"),
    Say("\r\ngrub> "),
    Hear("boot\n"),
    Say("\r\nLinux version 6.1.0 (scripted)\r\nInstalling the base system\r\n"),
    Say("reboot: Restarting system\r\n"),
];

#[test]
fn an_installer_behind_grub_is_waited_for_and_the_board_switched_off() {
    let lab = TestLab::new();
    let board = Dialogue::start(INSTALLER);
    let off = lab.path("off").display().to_string();
    let device = format!(
        "hostname: d02
commands: {{connect: telnet 127.0.0.1 {}, hard_reset: 'true', power_off: touch {off}}}
actions: {{boot: {{methods: {{grub: {{parameters: {{bootloader_prompt: 'grub>'}}}}}}}}}}
constants:
  grub: {{interrupt-prompt: for a command-line, interrupt-character: c, interrupt-newline: false}}
",
        board.port
    );
    let job = format!(
        "{HEAD}- boot:
    method: grub
    commands: [boot]
    expect_shell: false
    boot_finished: 'reboot: Restarting system'
"
    );
    let log = complete(&lab, &job, &device);
    assert!(log.contains("\"case\":\"installer-wait\""), "{log}");
    assert_eq!(log.matches("\"case\":\"power-off\"").count(), 2, "{log}");
    assert!(lab.path("off").exists());
    assert_eq!(board.end(), Ok(()));
}

const IPXE: &[Line] = &[
    Say("iPXE 1.21.1 (scripted)\r\nPress Ctrl-B for the iPXE command line..."),
    Hear("\x02"),
    Say("\r\niPXE> "),
    Hear("dhcp net0\n"),
    Say("\r\nConfiguring (net0)... ok\r\niPXE> "),
    Hear("kernel tftp://10.0.2.2/7/kernel/Image lava_mac=00:11:22:33:44:55\n"),
    Say("\r\n7/kernel/Image... ok\r\niPXE> "),
    Hear("initrd tftp://10.0.2.2/7/ramdisk/ramdisk.cpio\n"),
    Say("\r\niPXE> "),
    Hear("boot\n"),
    Say("\r\nLinux version 6.1.0 (scripted)\r\nlogin: "),
    Hear("root\n"),
    Say("\r\n/ # "),
];

#[test]
fn ipxe_is_called_by_a_control_key_and_boots_over_tftp() {
    boot_by_ipxe(IPXE, "");
}

#[test]
fn ipxe_fetches_its_commands_as_a_script_where_the_job_wants_it() {
    const SCRIPT: &[Line] = &[
        Say("iPXE 1.21.1 (scripted)\r\nPress Ctrl-B for the iPXE command line..."),
        Hear("\x02"),
        Say("\r\niPXE> "),
        Hear("dhcp net0\n"),
        Say("\r\nConfiguring (net0)... ok\r\niPXE> "),
        Hear("chain tftp://10.0.2.2/7/script.ipxe\n"),
        Say("\r\nLinux version 6.1.0 (scripted)\r\nlogin: "),
        Hear("root\n"),
        Say("\r\n/ # "),
    ];
    boot_by_ipxe(SCRIPT, "    use_bootscript: true\n");
}

/// Runs a job whose boot block has more than the others, on a board that has to hear this.
fn boot_by_ipxe(script: &'static [Line], more: &str) {
    let lab = TestLab::new();
    let board = Dialogue::start(script);
    let device = format!(
        "hostname: x86
commands: {{connect: telnet 127.0.0.1 {}, hard_reset: 'true', power_off: 'true'}}
actions:
  deploy: {{methods: {{tftp: }}}}
  boot:
    methods:
      ipxe:
        parameters: {{bootloader_prompt: 'iPXE>', lava_mac: '00:11:22:33:44:55'}}
        ramdisk:
          commands:
          - dhcp net0
          - kernel tftp://{{SERVER_IP}}/{{KERNEL}} lava_mac={{LAVA_MAC}}
          - initrd tftp://{{SERVER_IP}}/{{RAMDISK}}
          - boot
constants:
  ipxe: {{interrupt-prompt: Press Ctrl-B for the iPXE command line, interrupt_ctrl_list: [b],
    error-messages: [Connection timed out]}}
",
        board.port
    );
    let job = tftp(&lab)
        + "- boot:
    method: ipxe
    commands: ramdisk
    auto_login: {login_prompt: 'login:', username: root}
    prompts: ['/ # ']
" + more;
    complete(&lab, &job, &device);
    assert_eq!(board.end(), Ok(()));
}

const UEFI: &[Line] = &[
    Say("The default boot selection will start in   5 seconds\r\n"),
    Hear(" "),
    Say("\r\n[1] Linux\r\n[2] Shell\r\n[3] Boot Manager\r\nStart: "),
    Hear("3\n"),
    Say("\r\n[1] Add Boot Device Entry\r\n[2] Return to main menu\r\nChoice: "),
    Hear("1\n"),
    Say("\r\nArguments to pass to the binary: "),
    // A carriage return alone, as telnet has it (RFC 854).
    Hear("console=ttyAMA0 file=7/kernel/Image\r\0"),
    Say("\r\nDescription for this new Entry: "),
    Hear("LAVA 7 test image\r\0"),
    Say("\r\n[1] Add Boot Device Entry\r\n[2] Return to main menu\r\nChoice: "),
    Hear("2\n"),
    Say("\r\n[1] Linux\r\n[2] LAVA 7 test image\r\n[3] Shell\r\nStart: "),
    Hear("2\n"),
    Say("\r\nLinux version 6.1.0 (scripted)\r\n/ # "),
    Hear("export SHELL=/bin/sh\n"),
    Say("\r\n/ # "),
    Hear(". /lava-7/environment\n"),
    Say("\r\n/ # "),
];

#[test]
fn the_way_through_a_firmwares_menus_is_found_by_their_labels() {
    let lab = TestLab::new();
    let board = Dialogue::start(UEFI);
    let device = format!(
        "hostname: mustang
commands: {{connect: telnet 127.0.0.1 {}, hard_reset: 'true', power_off: 'true'}}
actions:
  deploy: {{methods: {{tftp: }}}}
  boot:
    methods:
      uefi-menu:
        parameters: {{interrupt_prompt: The default boot selection will start in,
          interrupt_string: ' ', item_markup: ['[', ']'], item_class: 0-9, separator: ' ',
          bootloader_prompt: 'Start:'}}
        ramdisk:
        - select: {{items: [Boot Manager], wait: 'Choice:'}}
        - select: {{items: [Add Boot Device Entry], wait: 'Arguments to pass to the binary:'}}
        - select: {{enter: 'console=ttyAMA0 file={{KERNEL}}', wait: 'Description for this new Entry:'}}
        - select: {{enter: '{{TEST_MENU_NAME}}', wait: 'Choice:'}}
        - select: {{items: [Return to main menu]}}
        - select: {{items: ['{{TEST_MENU_NAME}}']}}
",
        board.port
    );
    let job = tftp(&lab) + "- boot: {method: uefi-menu, commands: ramdisk, prompts: ['/ # ']}\n";
    complete(&lab, &job, &device);
    assert_eq!(board.end(), Ok(()));
}

const SHELL: &[Line] = &[
    Say("UEFI Interactive Shell v2.2 (scripted)\r\n"),
    Say("Press ESC in 5 seconds to skip startup.nsh or any other key to continue.\r\n"),
    Hear(" "),
    Say("\r\nShell> "),
    Hear("fs2:\r\0\n"),
    Say("\r\nFS2:\\> Shell> "),
    Hear("7/kernel/Image console=ttyAMA0 initrd=7/ramdisk/ramdisk.cpio\r\0\n"),
    Say("\r\nEFI stub: Booting Linux Kernel...\r\nLinux version 6.1.0 (scripted)\r\n/ # "),
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
fn the_shell_of_a_firmware_is_called_and_boots_a_kernel() {
    let lab = TestLab::new();
    let board = Dialogue::start(SHELL);
    let device = format!(
        "hostname: juno
commands: {{connect: telnet 127.0.0.1 {}, hard_reset: 'true', power_off: 'true'}}
actions:
  deploy: {{methods: {{tftp: }}}}
  boot:
    methods:
      uefi:
        parameters: {{bootloader_prompt: Shell>, shell_interrupt_prompt: any other key to continue,
          shell_interrupt_string: ' ', menu_prompt: 'Start:'}}
        ramdisk:
          commands:
          - 'fs2:'
          - '{{KERNEL}} console=ttyAMA0 initrd={{RAMDISK}}'
",
        board.port
    );
    let job = tftp(&lab)
        + "- boot: {method: uefi, commands: ramdisk, shell_menu: '', prompts: ['/ # ']}\n"
        + SMOKE;
    complete(&lab, &job, &device);
    assert_eq!(board.end(), Ok(()));
}

const LOADER: &[Line] = &[
    Say("U-Boot 2023.01 (scripted)\r\nHit any key to stop autoboot:  2 "),
    Hear(" \n"),
    Say("\r\n=> "),
    Hear("run bootcmd\n"),
    // It is asked to be at its prompt again.
    Say("\r\n=> \r\nLinux version 6.1.0 (scripted)\r\n/ # "),
];

#[test]
fn a_boot_loader_alone_is_enough_and_what_it_boots_is_found_without_a_reset() {
    let lab = TestLab::new();
    let board = Dialogue::start(LOADER);
    let device = format!(
        "hostname: b2260
commands: {{connect: telnet 127.0.0.1 {}, hard_reset: 'true', power_off: 'true'}}
actions:
  boot:
    methods:
      minimal:
      u-boot: {{parameters: {{bootloader_prompt: '=>'}}}}
constants:
  u-boot: {{interrupt-prompt: Hit any key to stop autoboot, interrupt-character: ' '}}
",
        board.port
    );
    let job = format!(
        "{HEAD}- boot: {{method: bootloader, bootloader: u-boot, commands: [run bootcmd], prompts: ['=>']}}
- boot: {{method: minimal, reset: false, prompts: ['/ # ']}}
"
    );
    complete(&lab, &job, &device);
    assert_eq!(board.end(), Ok(()));
}

const FLASHER: &[Line] = &[
    Say("Linux version 6.1.0 (scripted)\r\n/ # "),
    Hear("\n"),
    Say("\r\n/ # "),
    Fetch("cd /tmp ; wget "),
    Say("\r\n'overlay-7.tar.gz' saved\r\n/ # "),
    Hear("tar -C / -xzf overlay-7.tar.gz\n"),
    Say("\r\n/ # "),
    Hear("export SHELL=/bin/sh\n"),
    Say("\r\n/ # "),
    Hear(". /lava-7/environment\n"),
    Say("\r\n/ # "),
    Hear("/lava-7/bin/lava-test-runner /lava-7/0\n"),
    Say("\r\n<LAVA_TEST_RUNNER EXIT>\r\n/ # "),
];

const NO_WGET: &[Line] = &[
    Say("Linux version 6.1.0 (scripted)\r\n/ # "),
    Hear("\n"),
    Say("\r\n/ # "),
    Begin("cd /tmp ; wget "),
    Say("\r\nsh: wget: not found\r\n/ # "),
];

const BROKEN: &[Line] = &[
    Say("Linux version 6.1.0 (scripted)\r\n/ # "),
    Hear("\n"),
    Say("\r\n/ # "),
    Fetch("cd /tmp ; wget "),
    Say("\r\n'overlay-7.tar.gz' saved\r\n/ # "),
    Hear("tar -C / -xzf overlay-7.tar.gz\n"),
    Say("\r\ntar: invalid tar magic\r\n/ # "),
];

/// The job and the device of a board that fetches its tests by itself.
fn fetching(lab: &TestLab, board: &Dialogue) -> (String, String) {
    stand_in(lab, "flash", "true");
    let image = lab.write("uImage", "i");
    let device = format!(
        "hostname: b2260
commands: {{connect: telnet 127.0.0.1 {}, hard_reset: 'true', power_off: 'true'}}
actions:
  deploy: {{methods: {{flasher: {{commands: [flash]}}}}}}
  boot: {{methods: {{minimal: }}}}
",
        board.port
    );
    let job = format!(
        "{HEAD}- deploy: {{to: flasher, images: {{kernel: {{url: 'file://{image}'}}}}}}
- boot:
    method: minimal
    prompts: ['/ # ']
    transfer_overlay: {{download_command: cd /tmp ; wget, unpack_command: tar -C / -xzf}}
{SMOKE}"
    );
    (job, device)
}

#[test]
fn a_board_fetches_the_overlay_by_itself_and_unpacks_it() {
    let lab = TestLab::new();
    let board = Dialogue::start(FLASHER);
    let (job, device) = fetching(&lab, &board);
    complete(&lab, &job, &device);
    assert_eq!(board.end(), Ok(()));
}

#[test]
fn an_overlay_that_is_not_fetched_or_not_unpacked_is_told_at_once_in_the_boards_words() {
    for (script, told) in [
        (NO_WGET, ["the board has not fetched the overlay", "sh: wget: not found"]),
        (BROKEN, ["the board has not unpacked the overlay", "tar: invalid tar magic"]),
    ] {
        let lab = TestLab::new();
        let board = Dialogue::start(script);
        let (job, device) = fetching(&lab, &board);
        let done = dispatch(&lab, &job, &device);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success() && told.iter().all(|what| said.contains(what)), "{said}");
        let results = std::fs::read_to_string(lab.path("out/results.yaml")).unwrap();
        assert!(results.contains("error_type: Infrastructure"), "{results}");
        assert_eq!(board.end(), Ok(()));
    }
}

#[test]
fn another_console_of_the_board_is_listened_to_beside_the_first() {
    let lab = TestLab::new();
    let linux = Dialogue::start(&[Say("board# ")]);
    let firmware = Dialogue::start(&[Say("m4: ready\r\nm4: begin\r\ncase-a: PASS\r\nm4: end\r\n")]);
    let device = format!(
        "hostname: board
device_type: board
actions: {{boot: {{methods: {{minimal: }}}}}}
commands:
  connections:
    uart1: {{connect: telnet 127.0.0.1 {}}}
    uart0: {{connect: telnet 127.0.0.1 {}, tags: [primary]}}
",
        firmware.port, linux.port
    );
    let job = format!(
        "{HEAD}- boot: {{method: minimal, reset: false, prompts: ['board# '], namespace: linux}}
- boot: {{method: new_connection, connection: uart1, prompts: ['m4: ready'], namespace: m4}}
- test:
    namespace: m4
    monitors:
    - {{name: m4, start: 'm4: begin', end: 'm4: end', pattern: '(?P<test_case_id>[a-z-]+): (?P<result>PASS|FAIL)'}}
"
    );
    let log = complete(&lab, &job, &device);
    // Each line says whose console it is from, in the log and in what is made of it.
    let of = |what: &str| log.lines().find(|line| line.contains(what)).unwrap();
    assert!(of("m4: begin").ends_with(r#","ns":"m4"}"#), "{log}");
    assert!(of(r#""board# "#).ends_with(r#","ns":"linux"}"#), "{log}");
    let shown = |format: &str| {
        let mut show = lab.program("lava-dispatcher");
        show.args(["show", "--format", format, "--grep", "m4: begin", "--source", "target"]);
        show.arg(lab.path("out"));
        String::from_utf8(run(&mut show, "", LIMIT).stdout).unwrap()
    };
    assert!(shown("jsonl").ends_with(",\"ns\":\"m4\"}\n"), "{}", shown("jsonl"));
    assert!(shown("lava").ends_with(", \"ns\": \"m4\"}\n"), "{}", shown("lava"));
    assert!(shown("log").contains("[m4] m4: begin"), "{}", shown("log"));
    let results = std::fs::read_to_string(lab.path("out/results.yaml")).unwrap();
    assert!(results.contains("case: case_a\n  result: pass"), "{results}");
    linux.end().unwrap();
    firmware.end().unwrap();
}

#[test]
fn a_boot_leads_to_the_console_that_its_block_names() {
    let lab = TestLab::new();
    let other = Dialogue::start(&[Say("linux# ")]);
    let device = format!(
        "hostname: board
actions: {{boot: {{methods: {{minimal: , grub: {{parameters: {{bootloader_prompt: 'grub>'}}}}}}}}}}
commands:
  connections:
    uart0: {{connect: telnet 127.0.0.1 1, tags: [primary]}}
    uart1: {{connect: telnet 127.0.0.1 {}}}
",
        other.port
    );
    let job = format!(
        "{HEAD}- boot: {{method: minimal, reset: false, connection: uart1, prompts: ['linux# ']}}\n"
    );
    complete(&lab, &job, &device);
    other.end().unwrap();
}

/// A disk with a boot sector that is no system: it prints this on its first serial port.
fn monitor(said: &str) -> Vec<u8> {
    let mut sector = vec![
        0x31, 0xc0, // xor ax, ax
        0x8e, 0xd8, // mov ds, ax
        0xbe, 0x16, 0x7c, // mov si, the text
        0xfc, // cld
        0xac, // next: lodsb
        0x84, 0xc0, // test al, al
        0x74, 0x06, // jz end
        0xba, 0xf8, 0x03, // mov dx, 0x3f8
        0xee, // out dx, al
        0xeb, 0xf5, // jmp next
        0xf4, // end: hlt
        0xeb, 0xfd, // jmp end
    ];
    sector.extend(said.as_bytes());
    sector.resize(510, 0);
    sector.extend([0x55, 0xaa]);
    // A firmware boots nothing that is smaller than a disk.
    sector.resize(1 << 20, 0);
    sector
}

#[test]
fn a_program_that_is_no_system_is_booted_in_qemu_and_listened_to() {
    let lab = TestLab::new();
    let image = lab.path("monitor.img");
    std::fs::write(&image, monitor("begin\r\ncase-a: PASS\r\ncase-b: FAIL\r\nend\r\n")).unwrap();
    let job = format!(
        "{HEAD}- deploy:
    to: tmpfs
    images:
      disk: {{image_arg: '-drive file={{disk}},format=raw', url: 'file://{}'}}
- boot: {{method: monitor}}
- test:
    monitors:
    - {{name: bare, start: begin, end: end, pattern: '(?P<test_case_id>[a-z-]+): (?P<result>PASS|FAIL)'}}
",
        image.display()
    );
    let device = include_str!("../../../conf/devices/qemu-amd64.yaml");
    let done = dispatch(&lab, &job, device);
    let log = noted(&lab, "out/output.jsonl");
    // One of its cases has failed.
    assert_eq!(done.status.code(), Some(1), "{}{log}", String::from_utf8_lossy(&done.stderr));
    let results = noted(&lab, "out/results.yaml");
    for case in ["case: case_a\n  result: pass", "case: case_b\n  result: fail"] {
        assert!(results.contains(case), "no {case:?} in {results}");
    }
    assert!(results.contains("case: execute-qemu\n  result: pass"), "{results}");
}
