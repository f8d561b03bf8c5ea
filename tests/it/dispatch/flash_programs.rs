//! Jobs whose boards are written by programs of the host: J-Link Commander, pyOCD, OpenOCD, dfu-util, gdb, uuu and
//! bcu. Stand-ins for all of these note what they are given; none of them is the real program, and no board is a
//! real one.

use super::dialogue::Line::{Hear, Reset, Say};
use super::dialogue::{Dialogue, HEAD, Line, complete, dispatch, noted, stand_in};
use super::flash::usb_device;
use crate::common::{LIMIT, TestLab, run};

/// A stand-in that notes what it is given, and does more.
pub(super) fn noting(lab: &TestLab, program: &str, more: &str) {
    let notes = lab.path("notes").display().to_string();
    stand_in(lab, program, &format!("echo \"{program} $*\" >> {notes}\n{more}"));
}

/// What the stand-ins have noted, without the folder of the job.
pub(super) fn notes(lab: &TestLab) -> String {
    let scratch = lab.path("out/scratch").display().to_string();
    noted(lab, "notes").replace(&scratch, "SCRATCH")
}

/// A board whose console says this when it was reset.
fn device(lab: &TestLab, port: u16, methods: &str) -> String {
    noting(lab, "relay", "");
    usb_device(lab, "1366", "1024", "001069911711", "cdc_acm");
    format!(
        "hostname: evk
board_id: '001069911711'
usb_vendor_id: '1366'
usb_product_id: '1024'
commands: {{connect: telnet 127.0.0.1 {port}, hard_reset: relay reset, power_off: relay off}}
actions:
  deploy: {{methods: {{image: }}}}
  boot: {{methods: {methods}}}
"
    )
}

const SHELL: &[Line] =
    &[Say("\r\nSHELL>> "), Hear("help\n"), Say("help\r\nUsage: nothing\r\nSHELL>> ")];

const HELP: &str = "- test:
    interactive:
    - name: check
      prompts: ['SHELL>> ']
      script:
      - {command: help, name: help1, successes: [{message: 'Usage:'}]}
";

const JLINK: &str =
    "{jlink: {parameters: {command: JLinkExe, address: 4096, processor: MIMXRT1189XXX8,
    supported_core_types: [M33, M7], erase_command: [erase], reset_command: [r, go],
    options: [-if SWD, -speed 4000]}}}";

#[test]
fn j_link_commander_gets_a_script_of_the_jobs_commands_and_the_shell_answers() {
    let lab = TestLab::new();
    let script = "while [ $# -gt 1 ]; do case $1 in -CommanderScript) cat $2;; esac; shift; done";
    let notes_file = lab.path("notes").display().to_string();
    noting(&lab, "JLinkExe", &format!("{script} >> {notes_file}\necho O.K."));
    let image = lab.write("shell.hex", "i");
    let board = Dialogue::start(SHELL);
    let device = device(&lab, board.port, JLINK);
    let job = format!(
        "{HEAD}- deploy: {{to: tmpfs, images: {{test: {{url: 'file://{image}'}}}}}}
- boot: {{method: jlink, prompts: ['SHELL>>'], coretype: M7, commands: ['loadfile {{test}}', r0]}}
{HELP}"
    );
    complete(&lab, &job, &device);
    assert_eq!(board.end(), Ok(()));
    assert_eq!(
        notes(&lab),
        "relay reset
JLinkExe -device MIMXRT1189XXX8_M7 -if SWD -speed 4000 -autoconnect 1 -NoGui 1 \
-CommanderScript SCRATCH/2.4.jlink -SelectEmuBySN 001069911711
r
h
sleep 500
erase
loadfile SCRATCH/common-test/shell.hex
r0
r
go
qc
relay off
"
    );
}

#[test]
fn without_commands_j_link_loads_and_verifies_and_a_probe_that_is_not_there_fails_the_job() {
    let lab = TestLab::new();
    let copy = format!("cp $8 {}", lab.path("script").display());
    noting(
        &lab,
        "JLinkExe",
        &format!("{copy}\necho 'Connecting to J-Link via USB...FAILED: none'"),
    );
    let image = lab.write("a.bin", "i");
    let methods = "{jlink: {parameters: {command: JLinkExe, address: 4096, processor: MK64,
    supported_core_types: , erase_command: [erase], reset_command: [r]}}}";
    let board = Dialogue::start(&[]);
    let device = device(&lab, board.port, methods);
    let job = format!(
        "{HEAD}- deploy: {{to: tmpfs, images: {{a: {{url: 'file://{image}'}}}}}}
- boot: {{method: jlink}}
"
    );
    let done = dispatch(&lab, &job, &device);
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains("JLinkExe\" said \"Connecting to J-Link via USB...FAILED\""), "{said}");
    let file = lab.path("out/scratch/common-a/a.bin").display().to_string();
    let script = noted(&lab, "script");
    assert_eq!(
        script,
        format!("r\nh\nsleep 500\nerase\nloadfile {file} 0x1000\nverifybin {file} 0x1000\nr\nqc\n")
    );
}

#[test]
fn what_a_job_may_not_say_to_such_a_program_is_refused_and_so_is_a_core_that_is_not_there() {
    let lab = TestLab::new();
    for program in ["JLinkExe", "pyocd", "openocd", "dfu-util", "uuu"] {
        noting(&lab, program, "");
    }
    let image = lab.write("a.bin", "i");
    let methods =
        "{jlink: {parameters: {command: JLinkExe, processor: P, supported_core_types: [M33]}},
    pyocd: {parameters: {command: pyocd}}, openocd: {parameters: {command: openocd}},
    dfu: {parameters: {command: dfu-util}}, uuu: {options: {usb_otg_path: '2:112',
    corrupt_boot_media_command: [mmc erase]}}, u-boot: {parameters: {bootloader_prompt: '=>'}}}";
    let device = device(&lab, 1, methods);
    let job = format!(
        "{HEAD}- deploy:
    namespace: a
    to: tmpfs
    images:
      openocd_script: {{url: 'file://{image}', image_arg: --upload /etc/shadow}}
- boot: {{namespace: a, method: jlink, coretype: M36, commands: [savebin /etc/x 0 1]}}
- boot: {{namespace: a, method: pyocd}}
- boot: {{namespace: a, method: openocd}}
- boot: {{namespace: a, method: dfu}}
- deploy: {{namespace: b, to: uuu, images: {{boot: {{url: 'file://{image}'}}}}}}
- boot: {{namespace: b, method: uuu, commands: [{{SHELL: id}}, {{uuu: -b sd /etc/shadow}}]}}
"
    );
    let done = dispatch(&lab, &job, &device);
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(2), "{said}");
    for why in [
        "\"coretype\": \"M36\" is none of the device's (\"supported_core_types\": M33)",
        "commands: \"savebin\" is none of ",
        "flash-pyocd: openocd_script: \"--upload\" is none of ",
        "flash-openocd: openocd_script: a script of the job's can run any program",
        "flash-dfu: openocd_script: \"--upload\" is none of ",
        "uuu runs programs of this host that a job names: give it a container",
    ] {
        assert!(said.contains(why), "no {why} in\n{said}");
    }
}

#[test]
fn pyocd_is_given_each_image_and_openocd_its_scripts_and_commands() {
    let lab = TestLab::new();
    for program in ["pyocd", "openocd"] {
        noting(&lab, program, "");
    }
    let (one, two) = (lab.write("one.hex", "1"), lab.write("two.bin", "2"));
    let methods = "{pyocd: {parameters: {command: pyocd, options: [load, -t k64f, -f 3000000]}},
    openocd: {board_selection_cmd: adapter serial 7, parameters: {command: openocd,
    options: {file: [board/ti.cfg], debug: 2, search: [/opt/scripts],
    command: [init, 'program {ZEPHYR} verify']}}}}";
    let board = Dialogue::start(&[]);
    let device = device(&lab, board.port, methods);
    let job = format!(
        "{HEAD}- deploy:
    to: tmpfs
    images:
      zephyr: {{url: 'file://{one}'}}
      data: {{url: 'file://{two}', image_arg: '-a 0x1000 {{data}}'}}
- boot: {{method: pyocd}}
- boot: {{method: openocd}}
"
    );
    complete(&lab, &job, &device);
    let scratch = "SCRATCH/common";
    assert_eq!(
        notes(&lab),
        format!(
            "relay reset
pyocd load -t k64f -f 3000000 --uid 001069911711 {scratch}-zephyr/one.hex
pyocd load -t k64f -f 3000000 --uid 001069911711 -a 0x1000 {scratch}-data/two.bin
relay reset
openocd -f board/ti.cfg -f SCRATCH/board_selection.cfg -d2 -s /opt/scripts -c init -c program \
{scratch}-zephyr/one.hex verify
relay off
"
        )
    );
}

#[test]
fn a_path_makes_no_words_of_its_own() {
    let lab = TestLab::new();
    for program in ["pyocd", "openocd", "flash"] {
        noting(
            &lab,
            program,
            &format!("for word; do echo \"<$word>\"; done >> {}", lab.path("words").display()),
        );
    }
    let image = lab.write("one.hex", "1");
    let methods = "{pyocd: {parameters: {command: pyocd}},
    openocd: {parameters: {command: openocd, options: {command: ['program {ZEPHYR} verify']}}}}";
    let board = Dialogue::start(&[]);
    let device = device(&lab, board.port, methods)
        .replace("{image: }", "{image: , flasher: {commands: ['flash {ZEPHYR}']}}");
    let images =
        format!("images: {{zephyr: {{url: 'file://{image}', image_arg: '-a 0 {{zephyr}}'}}}}");
    let job = format!(
        "{HEAD}- deploy: {{to: tmpfs, {images}}}
- boot: {{method: pyocd}}
- boot: {{method: openocd}}
- deploy: {{to: flasher, {images}}}
"
    );
    let (job, device) = (lab.write("job.yaml", &job), lab.write("device.yaml", &device));
    let path = format!("{}:{}", lab.path("bin").display(), std::env::var("PATH").unwrap());
    let mut command = lab.program("lava-dispatcher");
    command.env("PATH", path).args(["run", &job, "--device", &device]);
    command.args(["--output", "Bob's [exit] job", "--sysfs"]).arg(lab.path("sys"));
    let done = run(&mut command, "", LIMIT);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let words = noted(&lab, "words");
    let folder = lab.dir().canonicalize().unwrap().display().to_string();
    let file = |folder: &str| format!("{folder}/scratch/common-zephyr/one.hex");
    let plain = file(&format!("{folder}/Bob's [exit] job"));
    let tcl = file(&format!("{folder}/Bob\\'s\\ \\[exit\\]\\ job"));
    for given in [format!("<0>\n<{plain}>\n"), format!("<program {tcl} verify>\n")] {
        assert!(words.contains(&given), "no {given} in\n{words}");
    }
    assert!(words.ends_with(&format!("<{plain}>\n")), "{words}");
}

const DFU: &[Line] = &[
    Reset,
    Say("U-Boot 2023.01 (scripted)\r\nHit any key to stop autoboot: 2"),
    Hear(" \n"),
    Say("\r\n=> "),
    Hear("setenv dfu_alt_info x\n"),
    Say("setenv dfu_alt_info x\r\n=> "),
    Hear("dfu 0 mmc 0\n"),
    Say("dfu 0 mmc 0\r\n#DOWNLOAD ... OK\r\nCtrl+C to exit ...\r\n"),
    Say("#DOWNLOAD ... OK\r\nCtrl+C to exit ...\r\n"),
];

#[test]
fn dfu_util_writes_each_image_to_a_board_whose_u_boot_waits_for_them() {
    let lab = TestLab::new();
    noting(
        &lab,
        "dfu-util",
        "printf 'state(2) = dfuIDLE, status(0) = No error condition is present\\nDone!\\n'",
    );
    let (one, two) = (lab.write("one.bin", "1"), lab.write("two.bin", "2"));
    let board = Dialogue::powered(&lab, DFU);
    let methods =
        "{dfu: {implementation: u-boot, reset_works: true, parameters: {command: dfu-util,
    options: [-v], enter-commands: [setenv dfu_alt_info x, dfu 0 mmc 0]}},
    u-boot: {parameters: {bootloader_prompt: '=> '}}}";
    let device = device(&lab, board.port, methods).replace("relay reset", &board.reset)
        + "constants: {u-boot: {interrupt-prompt: Hit any key to stop autoboot, interrupt-character: ' ',
    dfu-download: 'DOWNLOAD \\.\\.\\. OK\\r\\nCtrl\\+C to exit \\.\\.\\.'}}\n";
    let job = format!(
        "{HEAD}- deploy:
    to: tmpfs
    images:
      rom: {{url: 'file://{one}', image_arg: '--alt rom --download {{rom}}'}}
      app: {{url: 'file://{two}', image_arg: '--alt app --download {{app}}'}}
- boot: {{method: dfu}}
"
    );
    complete(&lab, &job, &device);
    assert_eq!(board.end(), Ok(()));
    let dfu = "dfu-util -v --serial 001069911711 --device 1366:1024";
    assert_eq!(
        notes(&lab),
        format!(
            "{dfu} --alt rom --download SCRATCH/common-rom/one.bin
{dfu} --alt app --download SCRATCH/common-app/two.bin --reset
relay off
"
        )
    );
}

#[test]
fn a_dfu_util_that_ends_well_and_has_written_nothing_fails_the_job() {
    let lab = TestLab::new();
    noting(&lab, "dfu-util", "echo 'Cannot open DFU device'");
    let image = lab.write("one.bin", "1");
    let board = Dialogue::start(&[]);
    let device = device(&lab, board.port, "{dfu: {parameters: {command: dfu-util}}}");
    let job = format!(
        "{HEAD}- deploy: {{to: tmpfs, images: {{rom: {{url: 'file://{image}', image_arg: '-D {{rom}}'}}}}}}
- boot: {{method: dfu}}
"
    );
    let done = dispatch(&lab, &job, &device);
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(3), "{said}");
    assert!(said.contains("its last line: \"Cannot open DFU device\""), "{said}");
}

#[test]
fn gdb_loads_the_image_and_lets_the_board_go_on() {
    let lab = TestLab::new();
    noting(&lab, "gdb-multiarch", "printf '(gdb) '
while read line; do echo \"gdb: $line\" >> LAB/notes; case $line in continue) exec sleep 60;; esac; printf '(gdb) '; done"
        .replace("LAB", &lab.dir().display().to_string()).as_str());
    let image = lab.write("zephyr.elf", "i");
    let board = Dialogue::start(&SHELL[1..]);
    let methods = "{gdb: {parameters: {command: gdb-multiarch, wait_before_continue: 0},
    zephyr: {arguments: ['-ex \"set pagination off\"', '{ZEPHYR}'],
    commands: ['target extended-remote :3333', 'load {ZEPHYR}']}}}";
    let device = device(&lab, board.port, methods);
    let job = format!(
        "{HEAD}- deploy: {{to: tmpfs, images: {{zephyr: {{url: 'file://{image}'}}}}}}
- boot: {{method: gdb, commands: zephyr}}
{HELP}"
    );
    complete(&lab, &job, &device);
    assert_eq!(board.end(), Ok(()));
    let file = "SCRATCH/common-zephyr/zephyr.elf";
    assert_eq!(
        notes(&lab),
        format!(
            "relay reset
gdb-multiarch -ex set pagination off {file}
gdb: target extended-remote :3333
gdb: load {file}
gdb: continue
relay off
"
        )
    );
}

#[test]
fn a_gdb_in_a_container_that_has_failed_leaves_its_name_to_the_next_try() {
    let lab = TestLab::new();
    // Of the first try there is a container, though its client has ended.
    let there = lab.path("there").display().to_string();
    let script = format!(
        "case $1 in rm) rm {there}; exit;; run) ;; *) exit;; esac
[ ! -e {there} ] || {{ echo 'Conflict. The container name is already in use'; exit 125; }}
touch {there}
[ -e {there}.tried ] || {{ touch {there}.tried; exit 1; }}
printf '(gdb) '
while read line; do case $line in continue) exec sleep 60;; esac; printf '(gdb) '; done"
    );
    noting(&lab, "docker", &script);
    let image = lab.write("zephyr.elf", "i");
    let board = Dialogue::start(&SHELL[1..]);
    let methods = "{gdb: {parameters: {command: gdb-multiarch, wait_before_continue: 0},
    zephyr: {docker: {use: true, container: gdb}, arguments: ['{ZEPHYR}'], commands: ['load {ZEPHYR}']}}}";
    let device = device(&lab, board.port, methods);
    let job = format!(
        "{HEAD}- deploy: {{to: tmpfs, images: {{zephyr: {{url: 'file://{image}'}}}}}}
- boot: {{method: gdb, commands: zephyr, failure_retry: 2}}
{HELP}"
    );
    complete(&lab, &job, &device);
    assert_eq!(board.end(), Ok(()));
    let noted = notes(&lab);
    let steps: Vec<&str> = noted.lines().filter_map(|line| line.strip_prefix("docker ")).collect();
    let verbs: Vec<&str> = steps.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(verbs, ["run", "rm", "run", "rm"], "{noted}");
}

const UBOOT: &[Line] = &[
    Say("U-Boot 2023.01 (scripted)\r\nHit any key to stop autoboot: 2"),
    Hear(" \n"),
    Say("\r\n=> "),
    Hear("mmc erase 0 400\n"),
    Say("mmc erase 0 400\r\n=> "),
];

#[test]
fn uuu_writes_to_a_board_that_was_kept_from_booting_and_bcu_sets_its_switches_back() {
    let lab = TestLab::new();
    let there = lab.path("there").display().to_string();
    // The first look finds nobody.
    noting(&lab, "uuu", &format!("[ -e {there} ] || {{ touch {there}; exec sleep 60; }}"));
    noting(&lab, "bcu", "");
    let (boot, system) = (lab.write("flash.bin", "b"), lab.write("system.wic", "s"));
    let board = Dialogue::start(UBOOT);
    let methods = "{uuu: {parameters: {trust_jobs: true},
    options: {usb_otg_path: '2:112', corrupt_boot_media_command: [mmc erase 0 400],
    bcu_board_name: imx8mpevk, bcu_board_id: 2-1.3, additional_bcu_cleanup_commands: [set_boot_mode emmc]}},
    u-boot: {parameters: {bootloader_prompt: '=> '}}}";
    let device = device(&lab, board.port, methods)
        + "constants: {u-boot: {interrupt-prompt: Hit any key to stop autoboot, interrupt-character: ' '}}\n";
    let job = format!(
        "{HEAD}- deploy:
    to: uuu
    images: {{boot: {{url: 'file://{boot}'}}, system: {{url: 'file://{system}'}}}}
- boot:
    method: uuu
    commands: [{{bcu: set_boot_mode usb}}, {{uuu: '-b sd_all {{boot}} {{system}}'}}, {{FB: done}}]
"
    );
    complete(&lab, &job, &device);
    assert_eq!(board.end(), Ok(()));
    let (bcu, boot) = ("-board=imx8mpevk -id=2-1.3", "SCRATCH/common-boot/flash.bin");
    assert_eq!(
        notes(&lab),
        format!(
            "relay reset
uuu -m 2:112 {boot}
relay reset
relay reset
bcu set_boot_mode usb {bcu}
uuu -m 2:112 -b sd_all {boot} SCRATCH/common-system/system.wic
uuu -m 2:112 FB: done
bcu deinit {bcu}
bcu set_boot_mode emmc {bcu}
relay off
"
        )
    );
}
