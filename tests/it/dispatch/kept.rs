//! Files that a job keeps by their names (`to: downloads`), what a container makes of them, and blocks that
//! take them (`downloads://`). A stand-in for `docker` runs what a container would run on this host; `fastboot` is
//! the real one, and its board is of TCP.

use std::path::Path;

use super::dialogue::{HEAD, SMOKE, complete, dispatch, noted, stand_in};
use super::fastboot_tcp::board;
use crate::common::{TestLab, needs};

/// Plays containers: the script of a postprocessing runs on this host, in the folder that it would have, and all
/// else comes to its end.
fn docker(lab: &TestLab) {
    let script = format!(
        "echo \"$*\" >> {notes}
case \"$*\" in *lava-downloads/postprocess.sh) ;; *) exit 0;; esac
for word in \"$@\"; do
  case \"$word\" in --volume=*:/lava-downloads) folder=${{word#--volume=}}; folder=${{folder%%:*}};; esac
done
cd \"$folder\" || exit 1
sed \"s,/lava-downloads,$folder,g\" postprocess.sh | sh",
        notes = lab.path("notes").display()
    );
    stand_in(lab, "docker", &script);
}

/// A block that keeps `boot.img` and `vendor.img`, with steps for a container.
fn downloads(lab: &TestLab, steps: &str) -> String {
    let (boot, vendor) = (lab.write("boot.img", "a kernel"), lab.write("vendor.img.gz", "x"));
    let gzip = "printf 'a vendor' | gzip > \"$0\"";
    let packed = std::process::Command::new("sh").args(["-c", gzip, &vendor]).status().unwrap();
    assert!(packed.success());
    let docker = "docker: {image: 'tools:1', local: true, steps: ";
    let postprocess = match steps {
        "" => String::new(),
        steps => format!("    postprocess: {{{docker}{steps}}}}}\n"),
    };
    format!(
        "{HEAD}- deploy:
    to: downloads
    images:
      boot: {{url: 'file://{boot}'}}
      vendor: {{url: 'file://{vendor}', compression: gz}}
{postprocess}"
    )
}

const BOARD: &str = "hostname: db845c
flash_cmds_order: [boot, super]
actions:
  deploy: {methods: {fastboot: }}
  boot: {methods: {fastboot: [reboot]}}
";

#[test]
fn what_a_container_makes_of_downloads_is_flashed_by_the_real_fastboot() {
    needs(Path::new("/usr/bin/fastboot"));
    let lab = TestLab::new();
    let (port, told) = board();
    docker(&lab);
    let steps = "['cat boot.img vendor.img > $PWD/super.img', 'test $LAVA_JOB_ID = 7',
      'mkdir out', 'mv boot.img out']";
    let job = format!(
        "{}- deploy:
    to: fastboot
    images:
      super: {{url: 'downloads://super.img'}}
      boot: {{url: 'downloads://out/boot.img'}}
- boot: {{method: fastboot}}
",
        downloads(&lab, steps)
    );
    let device = format!("{BOARD}fastboot_serial_number: tcp:127.0.0.1:{port}\n");
    complete(&lab, &job, &device);
    let told: Vec<(String, Vec<u8>)> = told.try_iter().collect();
    let flashed: Vec<(&str, &[u8])> = told
        .iter()
        .filter_map(|(done, image)| Some((done.strip_prefix("flash:")?, image.as_slice())))
        .collect();
    assert_eq!(flashed, [("boot", &b"a kernel"[..]), ("super", &b"a kernela vendor"[..])]);
    let folder = lab.path("out/scratch/downloads/common");
    let run = format!("--volume={}:/lava-downloads --workdir=/lava-downloads", folder.display());
    let noted = noted(&lab, "notes");
    assert!(noted.contains(&run), "{noted}");
    assert!(noted.contains("-- tools:1 /lava-downloads/postprocess.sh\n"), "{noted}");
    assert!(!folder.exists(), "the files are still there");
}

#[test]
fn a_step_that_fails_is_the_jobs_and_so_is_a_file_that_no_step_has_made() {
    let told = |steps: &str, name: &str| {
        let lab = TestLab::new();
        docker(&lab);
        stand_in(&lab, "fastboot", "true");
        let job = format!(
            "{}- deploy: {{to: fastboot, images: {{boot: {{url: 'downloads://{name}'}}}}}}\n",
            downloads(&lab, steps)
        );
        let done = dispatch(&lab, &job, BOARD);
        assert_ne!(done.status.code(), Some(0), "{steps} {name}");
        String::from_utf8_lossy(&done.stderr).into_owned()
    };
    let failed = told("['echo no space left; false']", "boot.img");
    assert!(failed.contains("no space left"), "{failed}");
    let missing = told("['touch new.img']", "other.img");
    assert!(missing.contains("there is no such file"), "{missing}");
    assert!(missing.contains("boot.img, new.img, postprocess.sh, vendor.img"), "{missing}");
    // Whatever a container leaves there, nothing else of this host is read.
    let outside = told("['ln -s /etc/passwd leak']", "leak");
    assert!(outside.contains("a job may not read this"), "{outside}");
    // Without a container it is known beforehand.
    let unknown = told("", "vendor.img.gz");
    assert!(
        unknown.contains("keeps no file of this name; it keeps boot.img, vendor.img"),
        "{unknown}"
    );
    let wrong = told("['true']", "../../job.yaml");
    assert!(wrong.contains("expected downloads://NAME"), "{wrong}");
}

#[test]
fn files_that_nobody_keeps_or_by_one_name_are_told_before_the_job() {
    let lab = TestLab::new();
    stand_in(&lab, "fastboot", "true");
    let job = format!(
        "{HEAD}- deploy: {{to: fastboot, images: {{boot: {{url: 'downloads://boot.img'}}}}}}\n"
    );
    let told = String::from_utf8(dispatch(&lab, &job, BOARD).stderr).unwrap();
    assert!(told.contains("no block before this one deploys \"to: downloads\""), "{told}");
    std::fs::create_dir(lab.path("a")).unwrap();
    let (one, other) = (lab.write("boot.img", "1"), lab.write("a/boot.img", "2"));
    let job = format!(
        "{HEAD}- deploy:
    to: downloads
    images: {{one: {{url: 'file://{one}'}}, other: {{url: 'file://{other}'}}}}
"
    );
    let told = String::from_utf8(dispatch(&lab, &job, BOARD).stderr).unwrap();
    assert!(told.contains("one and other would both be kept as boot.img"), "{told}");
    complete(&lab, &job.replace("to: downloads", "to: downloads\n    uniquify: true"), BOARD);
}

#[test]
fn containers_of_tests_have_the_files_of_their_namespace_or_of_another() {
    let shell = "printf 'docker-test-shell:$ '
while read line; do
  case \"$line\" in
  *lava-test-runner*)
    echo '<LAVA_SIGNAL_STARTRUN 0_smoke 7_1>'
    echo '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=linux RESULT=pass>'
    echo '<LAVA_SIGNAL_ENDRUN 0_smoke 7_1>'
    echo '<LAVA_TEST_RUNNER EXIT>';;
  esac
  printf 'docker-test-shell:$ '
done";
    let lab = TestLab::new();
    let notes = lab.path("notes").display().to_string();
    let docker =
        format!("echo \"$*\" >> {notes}\ncase \"$1\" in run) ;; *) exit 0;; esac\n{shell}");
    stand_in(&lab, "docker", &docker);
    let boot = lab.write("boot.img", "a kernel");
    let test = SMOKE.replacen("- test:\n", "- test:\n    docker: {image: 'tools:1'}\nMORE", 1);
    let job = format!(
        "{HEAD}- deploy:
    namespace: phone
    to: downloads
    images: {{boot: {{url: 'file://{boot}'}}}}
{}{}",
        test.replace("MORE", "    namespace: phone\n"),
        test.replace("MORE", "    namespace: host\n    downloads-namespace: phone\n"),
    );
    let done = dispatch(&lab, &job, "hostname: none\n");
    let noted = noted(&lab, "notes");
    let volume =
        format!("--volume={}:/lava-downloads ", lab.path("out/scratch/downloads/phone").display());
    assert_eq!(noted.matches(&volume).count(), 2, "{noted}\n{done:?}");
}
