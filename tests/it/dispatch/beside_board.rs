//! Jobs that have programs of the host do something beside the board: docker compose, a USB gadget, a lab's own
//! commands, containers. Stand-ins for all of these note what they are given; none of them is the real program.

use super::dialogue::{HEAD, complete, dispatch, noted};
use super::flash_programs::{notes, noting};
use crate::common::TestLab;

#[test]
fn an_image_becomes_a_usb_disk_and_commands_of_the_lab_are_undone_at_the_end() {
    let lab = TestLab::new();
    noting(&lab, "laacli", "");
    noting(&lab, "mux", "");
    noting(&lab, "relay", "");
    let image = lab.write("disk.img", "d");
    let device = "hostname: rpi4
commands:
  power_off: relay off
  pre_os_command: relay otg off
  users:
    usb: {do: [mux usb on, mux led on], undo: mux usb off}
actions:
  deploy: {methods: {usbg-ms: {disable: [laacli, usbg-ms, 'off'], enable: [laacli, usbg-ms, 'on', '{IMAGE}']}}}
  boot: {methods: {minimal: }}
";
    let job = format!(
        "{HEAD}- deploy: {{to: usbg-ms, image: {{url: 'file://{image}'}}}}
- command: {{name: usb}}
- command: {{name: pre_os_command}}
- command: {{name: usbg_ms_commands_disable}}
"
    );
    complete(&lab, &job, device);
    assert_eq!(
        notes(&lab),
        "laacli usbg-ms off
laacli usbg-ms on SCRATCH/common-image/disk.img
mux usb on
mux led on
relay otg off
laacli usbg-ms off
mux usb off
laacli usbg-ms off
relay off
"
    );
    let wrong = job.replace("name: usb}", "name: ubs}");
    let done = dispatch(&lab, &wrong, device);
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(
        said.contains("\"ubs\" is none of usb, ") && said.contains("did you mean \"usb\""),
        "{said}"
    );
}

#[test]
fn docker_compose_starts_services_for_the_tests_and_ends_them_when_the_job_says_so() {
    let lab = TestLab::new();
    noting(&lab, "docker", "");
    lab.write("srv/compose.yaml", "services: {}");
    let place = lab.dir().display().to_string();
    let mut tar = lab.tool("tar");
    assert!(tar.args(["-czf", "srv.tar.gz", "-C", "srv", "."]).status().unwrap().success());
    let device = |allowed: &str| {
        format!(
            "hostname: board
commands: {{power_off: 'true'}}
parameters: {{{allowed}}}
actions:
  deploy: {{methods: {{image: }}}}
  boot: {{methods: {{minimal: }}}}
"
        )
    };
    let job = format!(
        "{HEAD}- test:
    services:
    - {{name: iperf, from: url, repository: 'file://{place}/srv.tar.gz', path: compose.yaml, service: server}}
    - {{name: dns, from: url, repository: 'file://{place}/srv.tar.gz', path: compose.yaml}}
- command: {{name: stop_test_services}}
"
    );
    complete(&lab, &job, &device("allow_test_services: true"));
    let compose = |number: u32, name: &str| {
        format!(
            "docker compose --project-name lava-7-1-{number}-1-test-service-{name} \
             --file SCRATCH/service-{name}/compose.yaml"
        )
    };
    let (one, two) = (compose(1, "iperf"), compose(2, "dns"));
    let expected = format!("{one} up --detach server\n{two} up --detach\n{two} down\n{one} down\n");
    assert_eq!(notes(&lab), expected);
    let done = dispatch(&lab, &job, &device(""));
    assert_eq!(done.status.code(), Some(2), "{done:?}");
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(said.contains("does not let jobs start containers of their own"), "{said}");
}

#[test]
fn services_are_taken_down_each_also_when_another_cannot_be() {
    let lab = TestLab::new();
    // The one that is taken down first cannot be, the first time.
    let failed = lab.path("failed").display().to_string();
    let fails = format!(
        "case \"$*\" in *service-dns*down) [ -e {failed} ] || {{ touch {failed}; exit 1; }};; esac"
    );
    noting(&lab, "docker", &fails);
    lab.write("srv/compose.yaml", "services: {}");
    let place = lab.dir().display().to_string();
    let mut tar = lab.tool("tar");
    assert!(tar.args(["-czf", "srv.tar.gz", "-C", "srv", "."]).status().unwrap().success());
    let device = "hostname: board
commands: {power_off: 'true'}
parameters: {allow_test_services: true}
actions: {deploy: {methods: {image: }}, boot: {methods: {minimal: }}}
";
    let service = |name: &str| {
        format!(
            "{{name: {name}, from: url, repository: 'file://{place}/srv.tar.gz', path: compose.yaml}}"
        )
    };
    let job = format!(
        "{HEAD}- test:\n    services: [{}, {}]\n- command: {{name: stop_test_services}}\n",
        service("web"),
        service("dns")
    );
    let done = dispatch(&lab, &job, device);
    assert_eq!(done.status.code(), Some(3), "{done:?}");
    let noted = notes(&lab);
    let down = noted.lines().filter(|line| line.ends_with(" down"));
    let down: Vec<&str> = down.filter_map(|line| line.split("-test-service-").nth(1)).collect();
    let named = |name: &str| down.iter().filter(|line| line.starts_with(name)).count();
    // The one that could not be is tried again at the job's end.
    assert_eq!((down.len(), named("dns"), named("web")), (3, 2, 1), "{noted}");
}

#[test]
fn downloads_are_worked_on_in_a_container_and_deployed_from_there() {
    let lab = TestLab::new();
    // In place of the container: the script's last line, in the folder that the container would have.
    let docker = "for word in \"$@\"; do case $word in --volume=*) folder=${word#--volume=}; folder=${folder%:*};; esac; done
cd $folder && tail -n 1 postprocess.sh | sh";
    noting(&lab, "docker", docker);
    noting(
        &lab,
        "flash",
        "cat $2 >> LAB/written".replace("LAB", &lab.dir().display().to_string()).as_str(),
    );
    let image = lab.write("kernel.bin", "a kernel");
    let device = "hostname: board
commands: {power_off: 'true'}
actions:
  deploy: {methods: {flasher: {commands: ['flash it {BOOT}']}}}
  boot: {methods: {minimal: }}
";
    let job = format!(
        "{HEAD}- deploy:
    to: downloads
    images: {{kernel: {{url: 'file://{image}'}}}}
    postprocess:
      docker: {{image: tools, local: true, steps: ['mkdir -p out; cat kernel.bin > out/boot.img']}}
- deploy: {{to: flasher, images: {{boot: {{url: 'downloads://out/boot.img'}}}}}}
"
    );
    complete(&lab, &job, device);
    assert_eq!(noted(&lab, "written"), "a kernel");
    let noted = notes(&lab);
    assert!(
        noted.contains(
            ":/lava-downloads --workdir=/lava-downloads -- tools /lava-downloads/postprocess.sh\n"
        ),
        "{noted}"
    );
    let missing = job.replace("downloads://out/boot.img", "downloads://../../../job.yaml");
    let done = dispatch(&lab, &missing, device);
    assert_eq!(done.status.code(), Some(2), "{done:?}");
}

/// A system that a script plays on QEMU's input and output.
const SYSTEM: &str = "case $1 in run) ;; *) exit;; esac
printf 'Linux version 6.1.0 (scripted)\\n/ # '
while read line; do printf '/ # '; done";

#[test]
fn a_qemu_runs_in_a_container_that_has_the_jobs_files_and_is_removed() {
    let lab = TestLab::new();
    noting(&lab, "docker", SYSTEM);
    let image = lab.write("Image", "a kernel");
    let device = "hostname: qemu01
actions:
  deploy: {methods: {image: }}
  boot: {methods: {qemu: {parameters: {command: qemu-system-none, options: [-m 64, -nographic]}}}}
";
    let job = format!(
        "{HEAD}- deploy: {{to: tmpfs, images: {{kernel: {{url: 'file://{image}', image_arg: '-kernel {{kernel}}'}}}}}}
- boot: {{method: qemu, docker: {{image: 'qemu:8', local: true, binary: /opt/qemu}}, prompts: ['/ # ']}}
"
    );
    complete(&lab, &job, device);
    let noted = notes(&lab);
    let run = "docker run --rm --init --interactive --pull=never --name=lava-docker-qemu-7-2.1.1 ";
    assert!(noted.starts_with(run), "{noted}");
    let rest = " --volume=SCRATCH:SCRATCH -- qemu:8 /opt/qemu -m 64 -nographic";
    assert!(noted.contains(rest), "{noted}");
    assert!(noted.contains(" -kernel SCRATCH/common-kernel/Image"), "{noted}");
    assert!(noted.ends_with("docker rm --force lava-docker-qemu-7-2.1.1\n"), "{noted}");
}
