//! QEMUs of a job's own whose root is not in the job's images: it is a folder on an NFS server, or a disk that
//! an installer has written.

use crate::common::job::{LOGIN, job_file, shipped, smoke, test};
use crate::common::{NfsServer, TestLab, boot_file};
use crate::qemu_jobs::spied;

#[test]
fn a_qemu_has_its_root_by_nfs_with_the_tests_in_it() {
    let lab = TestLab::new();
    let server = NfsServer::start(&lab, "exported");
    let device = server.device(&lab, "qemu-amd64.yaml");
    let deploy = format!(
        "- deploy:
    to: nfs
    os: oe
    images:
      nfsrootfs: {{url: 'file://{}', compression: gz, image_arg: 'nfsroot={{NFS_SERVER_IP}}:{{nfsrootfs}},tcp,hard'}}
      kernel: {{url: 'file://{}', image_arg: '-kernel {{kernel}}'}}
      initrd: {{url: 'file://{}', image_arg: '-initrd {{initrd}}'}}
",
        boot_file("amd64/root.tar.gz").display(),
        boot_file("amd64/Image").display(),
        boot_file("amd64/nfs.cpio.gz").display(),
    );
    let boot = format!("- boot:\n    method: qemu-nfs\n{LOGIN}");
    let steps = [
        "lava-test-case root --shell 'grep \"10.0.2.2:.*/exported/7/root / nfs4\" /proc/mounts'",
        "lava-test-case written --shell touch /written",
    ];
    let job = lab.write("job.yaml", &job_file(&[&deploy, &boot, &test(&smoke(&steps))]));
    let mut dispatcher = lab.program("lava-dispatcher");
    dispatcher.args(["run", &job, "--device", &device, "--job-id", "7"]);
    dispatcher.args(["--dispatcher-ip", "10.0.2.2"]);
    dispatcher.arg("--nfs-dir").arg(lab.path("exported")).arg("--output").arg(lab.path("out"));
    spied(&lab, "qemu-amd64.yaml", &mut dispatcher).assert_passed(&["root", "written"]);
    assert_eq!(
        std::fs::read_dir(lab.path("exported")).unwrap().count(),
        0,
        "the root is still there"
    );
}

#[test]
fn an_installer_gets_its_answers_and_what_it_has_installed_runs_the_tests() {
    let lab = TestLab::new();
    let device = std::fs::read_to_string(shipped("qemu-amd64.yaml")).unwrap();
    let device =
        lab.write("device.yaml", &device.replace("-nic none", "-nic user,model=virtio-net-pci"));
    let answers = lab.write("preseed.cfg", "d-i netcfg/get_hostname string board\n");
    let deploy = |kernel: &str| {
        format!(
            "- deploy:
    to: iso-installer
    os: debian_installer
    images:
      iso:
        url: file://{}
        image_arg: -drive file={{iso}},format=raw,if=virtio,readonly=on
      preseed: {{url: 'file://{answers}'}}
    iso: {{kernel: {kernel}, initrd: /install/initrd.gz, installation_size: 64M}}
",
            boot_file("amd64/installer.iso").display(),
        )
    };
    let boot = format!("- boot:\n    method: qemu-iso\n    media: img\n{LOGIN}");
    let steps = ["lava-test-case installed --shell grep -w installed /proc/cmdline"];
    let run = |kernel: &str| {
        let job = job_file(&[&deploy(kernel), &boot, &test(&smoke(&steps))]);
        let mut dispatcher = lab.program("lava-dispatcher");
        dispatcher.args([
            "run",
            &lab.write("job.yaml", &job),
            "--device",
            &device,
            "--job-id",
            "7",
        ]);
        dispatcher.args(["--dispatcher-ip", "10.0.2.2"]).arg("--output").arg(lab.path("out"));
        spied(&lab, "qemu-amd64.yaml", &mut dispatcher)
    };
    let missing = run("/install.amd/vmlinuz");
    missing.assert_failed(1, "Job", &["iso: there is no \"/install.amd/vmlinuz\" in it"]);

    let done = run("/install/vmlinuz");
    done.assert_passed(&["installed"]);
    let log = done.log();
    let said = |text: &str| {
        log.iter().any(|line| line["msg"].as_str().is_some_and(|said| said.contains(text)))
    };
    assert!(said("the answers are: d-i netcfg/get_hostname string board"), "{done:?}");
    assert!(said("the installer has ended"), "{done:?}");
}
