//! Jobs whose methods call programs of the host, with stand-ins for these programs: `fastboot`, a lab's
//! flasher and relays, `docker` with a model or a shell in it, `ssh` and `scp`. None of them is the
//! real program.

use super::dialogue::Line::Say;
use super::dialogue::{Dialogue, HEAD, Line, SMOKE, complete, dispatch, noted, stand_in};
use crate::common::{LIMIT, TestLab, run};

#[test]
fn fastboot_is_given_the_images_in_the_devices_order_by_a_stand_in() {
    let lab = TestLab::new();
    let notes = lab.path("notes");
    stand_in(&lab, "fastboot", &format!("echo \"fastboot $*\" >> {}", notes.display()));
    stand_in(&lab, "relay", &format!("echo \"relay $*\" >> {}", notes.display()));
    let (boot, root) = (lab.write("boot.img", "b"), lab.write("rootfs.img", "r"));
    let device = "hostname: db845c
fastboot_serial_number: 7c81f8c4
fastboot_options: [-S, 256M]
flash_cmds_order: [boot, rootfs]
actions:
  deploy: {methods: {fastboot: }}
  boot: {methods: {fastboot: [reboot]}}
commands: {power_off: relay off}
";
    let job = format!(
        "{HEAD}- deploy:
    to: fastboot
    images:
      rootfs: {{url: 'file://{root}'}}
      boot: {{url: 'file://{boot}', reboot: fastboot-reboot-bootloader}}
- boot: {{method: fastboot}}
"
    );
    complete(&lab, &job, device);
    let scratch = lab.path("out/scratch");
    let fastboot = "fastboot -s 7c81f8c4 -S 256M";
    let noted = noted(&lab, "notes").replace(&scratch.display().to_string(), "SCRATCH");
    let expected = format!(
        "{fastboot} reboot bootloader
{fastboot} getvar version
{fastboot} flash boot SCRATCH/common-boot/boot.img
{fastboot} reboot bootloader
{fastboot} getvar version
{fastboot} flash rootfs SCRATCH/common-rootfs/rootfs.img
{fastboot} reboot bootloader
{fastboot} reboot
relay off
"
    );
    assert_eq!(noted, expected);
}

#[test]
fn the_tests_get_into_sparse_images_and_partitions_that_a_stand_in_flashes() {
    let lab = TestLab::new();
    let tool = |words: &str| {
        let mut words = words.split_whitespace();
        let mut command = lab.tool(words.next().unwrap());
        command.args(words).current_dir(lab.dir()).env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin");
        let done = run(&mut command, "", LIMIT);
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    tool("mke2fs -q -F -t ext4 system.raw 8M");
    tool("img2simg system.raw system.img");
    // A disk whose second partition is a file system.
    let mut disk = vec![0; 1 << 20];
    for (entry, begin) in [(0, 64_u32), (1, 2048)] {
        disk[446 + 16 * entry + 8..][..4].copy_from_slice(&begin.to_le_bytes());
    }
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk.extend(std::fs::read(lab.path("system.raw")).unwrap());
    std::fs::write(lab.path("disk.img"), disk).unwrap();
    let place = lab.dir().display().to_string();
    stand_in(
        &lab,
        "fastboot",
        &format!(
            "for file do :; done; case \"$*\" in *flash*) cp $file {place}/flashed-${{file##*/}};; esac"
        ),
    );
    let device = "hostname: db845c
commands: {connect: telnet 127.0.0.1 1}
actions:
  deploy: {methods: {fastboot: }}
  boot: {connections: {serial: }, methods: {fastboot: [reboot]}}
";
    let job = format!(
        "{HEAD}- deploy:
    to: fastboot
    images:
      system: {{url: 'file://{place}/system.img', apply-overlay: true}}
      disk: {{url: 'file://{place}/disk.img', apply-overlay: true, sparse: false, root_partition: 1}}
- boot: {{method: fastboot, prompts: ['# ']}}
{SMOKE}"
    );
    // Nobody is there to boot it.
    assert!(!dispatch(&lab, &job, device).status.success());
    tool("simg2img flashed-system.img system.raw");
    let disk = std::fs::read(lab.path("flashed-disk.img")).unwrap();
    std::fs::write(lab.path("partition.raw"), &disk[1 << 20..]).unwrap();
    lab.write("question", "ls /lava-7/bin\n");
    for image in ["system.raw", "partition.raw"] {
        let listed = tool(&format!("debugfs -f question {image}"));
        assert!(listed.contains("lava-test-runner"), "{image}: {listed}");
    }
}

#[test]
fn a_flasher_and_the_recovery_mode_are_the_labs_own_programs() {
    let lab = TestLab::new();
    let notes = lab.path("notes");
    for program in ["flash", "relay"] {
        stand_in(&lab, program, &format!("echo \"{program} $*\" >> {}", notes.display()));
    }
    let image = lab.write("uImage", "i");
    let device = "hostname: x15
actions:
  deploy:
    methods:
      flasher: {commands: ['flash --on {POWER_ON_COMMAND} {KERNEL}']}
      recovery: {commands: {recovery_mode: [relay 1 off], recovery_exit: relay 1 on}}
commands: {power_on: relay 8 on, power_off: relay 8 off}
";
    let job = format!(
        "{HEAD}- deploy: {{to: flasher, images: {{kernel: {{url: 'file://{image}'}}}}}}
- deploy: {{to: recovery, images: {{mlo: {{url: 'file://{image}'}}}}}}
- boot: {{method: recovery, commands: recovery}}
- boot: {{method: recovery, commands: exit}}
"
    );
    complete(&lab, &job, device);
    let scratch = lab.path("out/scratch");
    let noted = noted(&lab, "notes").replace(&scratch.display().to_string(), "SCRATCH");
    assert_eq!(
        noted,
        "flash --on relay 8 on SCRATCH/common-kernel/uImage
relay 8 off
relay 1 off
relay 8 on
relay 8 off
relay 1 on
relay 8 on
relay 8 off
"
    );
}

const MODEL: &[Line] = &[Say("Linux version 6.1.0 (scripted)\r\n\r\nroot@fvp:~# ")];

#[test]
fn a_model_runs_in_a_container_that_a_stand_in_plays_and_its_console_is_a_port() {
    let lab = TestLab::new();
    let model = Dialogue::start(MODEL);
    let secure = Dialogue::start(&[Say("secure world\r\n")]);
    let docker = format!(
        "echo \"$*\" >> {notes}
case \"$*\" in
*--version*) echo 'Fast Models [11.8]';;
inspect*) echo 127.0.0.1;;
run*) echo 'terminal_1: Listening for serial connection on port {other}'
  echo 'terminal_0: Listening for serial connection on port {port}'; exec sleep 60;;
esac",
        notes = lab.path("notes").display(),
        port = model.port,
        other = secure.port
    );
    stand_in(&lab, "docker", &docker);
    let image = lab.write("bl1.bin", "i");
    let device = "hostname: fvp
actions:
  deploy: {methods: {fvp: }}
  boot: {methods: {fvp: {options: {cpus: 0.0, memory: 2048, privileged: false}}}}
";
    let job = format!(
        "{HEAD}- deploy: {{to: fvp, images: {{bl1: {{url: 'file://{image}'}}}}}}
- boot:
    method: fvp
    docker: {{name: 'foundation:11.8', local: true}}
    image: /opt/model/Foundation_Platform
    version_string: 'Fast Models [^\\n]+'
    console_string: 'terminal_0: Listening for serial connection on port (?P<PORT>\\d+)'
    feedbacks: ['(?P<NAME>terminal_1): Listening for serial connection on port (?P<PORT>\\d+)']
    arguments: [--cores=4, '--data={{BL1}}@0x0']
    prompts: ['root@fvp:~# ']
"
    );
    let log = complete(&lab, &job, device);
    assert!(log.contains("root@fvp"), "{log}");
    let feedback = "\"lvl\":\"feedback\",\"msg\":\"secure world\",\"ns\":\"terminal_1\"";
    assert!(log.contains(feedback), "{log}");
    secure.end().unwrap();
    let scratch = lab.path("out/scratch");
    let noted = noted(&lab, "notes").replace(&scratch.display().to_string(), "SCRATCH");
    let run = "run --rm --init --pull=never --interactive --tty --name=lava-fvp-7 \
               --volume=SCRATCH:SCRATCH --memory=2048m -- foundation:11.8 \
               /opt/model/Foundation_Platform --cores=4 \
               --data=SCRATCH/common-bl1/bl1.bin@0x0\n";
    assert!(noted.contains(run), "{noted}");
    assert!(noted.ends_with("rm --force lava-fvp-7\n"), "the container was left behind: {noted}");
    assert_eq!(model.end(), Ok(()));
}

/// A shell that a script plays, with the signals of a test that has passed.
const SHELL: &str = "printf 'board# '
while read line; do
  case \"$line\" in
  *lava-test-runner*)
    echo '<LAVA_SIGNAL_STARTRUN 0_smoke 7_1>'
    echo '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=linux RESULT=pass>'
    echo '<LAVA_SIGNAL_ENDRUN 0_smoke 7_1>'
    echo '<LAVA_TEST_RUNNER EXIT>';;
  esac
  printf 'board# '
done";

#[test]
fn tests_run_in_a_container_that_a_stand_in_plays_and_has_the_overlay() {
    let lab = TestLab::new();
    let docker = format!(
        "echo \"$*\" >> {notes}
case \"$1\" in run) ;; *) exit 0;; esac
for word in \"$@\"; do
  case \"$word\" in --volume=*) folder=${{word#--volume=}}; folder=${{folder%%:*}};; esac
done
find $folder -type f | sed s,$folder,, | sort > {files}
{SHELL}",
        notes = lab.path("notes").display(),
        files = lab.path("files").display(),
    );
    stand_in(&lab, "docker", &docker);
    let device = "hostname: docker
actions:
  deploy: {methods: {docker: {options: {remote: }}}}
  boot: {methods: {docker: {options: {cpus: 1.5, volumes: ['/srv:/srv']}}}}
";
    let job = format!(
        "{HEAD}- deploy: {{to: docker, image: archlinux, os: archlinux}}
- boot: {{method: docker, command: bash -l, prompts: ['board# ']}}
{SMOKE}"
    );
    complete(&lab, &job, device);
    let noted = noted(&lab, "notes");
    assert!(noted.contains("--cpus=1.5 --volume=/srv:/srv"), "{noted}");
    assert!(noted.contains(":/lava-7 -- archlinux bash -l\n"), "{noted}");
    let files = std::fs::read_to_string(lab.path("files")).unwrap();
    for file in ["/bin/lava-test-runner", "/environment", "/0/tests/0_smoke/run.sh"] {
        assert!(files.lines().any(|line| line == file), "no {file} in:\n{files}");
    }
}

#[test]
fn tests_run_on_a_machine_behind_ssh_that_a_stand_in_plays() {
    let lab = TestLab::new();
    let notes = lab.path("notes").display().to_string();
    stand_in(&lab, "scp", &format!("echo \"scp $*\" >> {notes}"));
    let ssh =
        format!("echo \"ssh $*\" >> {notes}\ncase \"$*\" in *-tt*) ;; *) exit;; esac\n{SHELL}");
    stand_in(&lab, "ssh", &ssh);
    let device = "hostname: host01
actions:
  deploy: {methods: {ssh: {host: host01, port: 8022, user: root, options: [-o, Compression=yes],
    identity_file: dynamic_vm_keys/lava}}}
  boot: {methods: {ssh: }}
";
    let job = format!(
        "{HEAD}- deploy: {{to: ssh, os: oe}}
- boot: {{method: ssh, connection: ssh, prompts: ['board# ']}}
{SMOKE}"
    );
    complete(&lab, &job, device);
    let options = "-o Compression=yes -o BatchMode=yes -o StrictHostKeyChecking=no \
                   -o UserKnownHostsFile=/dev/null";
    let scratch = lab.path("out/scratch");
    let noted = noted(&lab, "notes").replace(&scratch.display().to_string(), "SCRATCH");
    let archive = "/tmp/lava-7.tar.gz";
    assert_eq!(
        noted,
        format!(
            "scp {options} -P 8022 SCRATCH/overlay-7.tar.gz root@host01:{archive}
ssh {options} -p 8022 root@host01 tar --no-same-owner -C / -xzf {archive} && rm -f {archive}
ssh {options} -p 8022 -tt root@host01
"
        )
    );
}

#[test]
fn an_archive_is_deployed_as_a_folder_and_a_file_of_another_host_comes_by_a_stand_in_for_scp() {
    let lab = TestLab::new();
    let place = lab.dir().display().to_string();
    let notes = lab.path("notes").display().to_string();
    stand_in(&lab, "flash", &format!("cat \"$1\"/part/one \"$2\" > {notes}"));
    // It has all of its options, and copies from this host.
    stand_in(&lab, "scp", "for from do to=$file; file=$from; done; cp \"${to#*:}\" \"$file\"");
    std::fs::create_dir(lab.path("part")).unwrap();
    lab.write("part/one", "in the archive, ");
    lab.write("two", "from elsewhere");
    let mut tar = lab.tool("tar");
    tar.args(["-C", &place, "-czf", &format!("{place}/all.tar.gz"), "part"]);
    assert!(run(&mut tar, "", LIMIT).status.success());
    let device = "hostname: x15
actions: {deploy: {methods: {flasher: {commands: ['flash {ALL} {TWO}']}}}}
";
    let job = format!(
        "{HEAD}- deploy:
    to: flasher
    images:
      all: {{url: 'file://{place}/all.tar.gz', compression: gz, archive: tar}}
      two: {{url: 'scp://lab@files{place}/two', use_cache: false}}
"
    );
    let log = complete(&lab, &job, device);
    assert_eq!(noted(&lab, "notes"), "in the archive, from elsewhere");
    assert!(log.contains("\"case\":\"scp-download\""), "{log}");
    for (url, why) in [
        ("rclone://files/a", "serve the file by HTTP"),
        ("lxc:///a", "use downloads:// and docker"),
        ("scp://files/$(reboot)", "expected scp://"),
    ] {
        let job = job.replace(&format!("scp://lab@files{place}/two"), url);
        let told = String::from_utf8(dispatch(&lab, &job, device).stderr).unwrap();
        assert!(told.contains(why), "{url}: {told}");
    }
}

#[test]
fn a_chroot_of_a_machine_behind_ssh_is_entered_by_a_stand_ins_schroot() {
    let lab = TestLab::new();
    let notes = lab.path("notes").display().to_string();
    let shell = SHELL.replace(
        "*lava-test-runner*)",
        "schroot*) echo \"$line\" >> NOTES; printf '(sid)';;\n  *lava-test-runner*)",
    );
    let ssh =
        format!("case \"$*\" in *-tt*) ;; *) exit;; esac\n{}", shell.replace("NOTES", &notes));
    stand_in(&lab, "ssh", &ssh);
    stand_in(&lab, "scp", "true");
    let device = "hostname: host01
actions:
  deploy: {methods: {ssh: {host: host01, user: root}}}
  boot: {methods: {ssh: , schroot: }}
";
    let job = |chroot: &str| {
        format!(
            "{HEAD}- deploy: {{to: ssh, os: oe}}
- boot: {{method: ssh, connection: ssh, prompts: ['board# ']}}
- boot: {{method: schroot, schroot: {chroot}, prompts: ['\\(sid\\)board# ']}}
{SMOKE}"
        )
    };
    complete(&lab, &job("sid"), device);
    assert_eq!(noted(&lab, "notes"), "schroot -c sid\n");
    let done = dispatch(&lab, &job("'sid; reboot'"), device);
    assert_eq!(done.status.code(), Some(2), "{done:?}");
}
