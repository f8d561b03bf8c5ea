//! A job on a machine that is reached by ssh: OpenSSH's own `ssh` and `scp`, and its server in front of a machine,
//! which is a folder with busybox.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use crate::common::job::{Done, job_file, smoke, test};
use crate::common::{LIMIT, Port, Process, TestLab, boot_file, run, wait_until};

/// Serves a folder, which is mounted where every folder above is root's alone, as sshd wants it. All that is mounted
/// is gone with the program.
const SERVE: &str = r#"
mount --rbind /dev "$0/dev" && mount -t tmpfs run /run && mkdir /run/sshd && mount --bind "$0" /mnt || exit 1
chroot /mnt /bin/busybox --install -s /bin
exec /usr/sbin/sshd -D -e -f "$1"
"#;

/// The machine, and the server in front of it.
struct Machine {
    _sshd: Process,
    port: Port,
}

impl Machine {
    fn start(lab: &TestLab) -> Self {
        assert!(rustix::process::geteuid().is_root(), "a machine's root needs root: run as root");
        let root = lab.path("machine");
        std::fs::create_dir(&root).unwrap();
        let mut tar = lab.tool("tar");
        tar.arg("-xzf").arg(boot_file("amd64/root.tar.gz")).arg("-C").arg(&root);
        assert!(run(&mut tar, "", LIMIT).status.success());
        // The shell that root has on this host.
        let users = std::fs::read_to_string("/etc/passwd").unwrap();
        let shell = users.lines().find(|line| line.starts_with("root:")).unwrap();
        let shell = lab.path("machine").join(shell.rsplit(':').next().unwrap().trim_matches('/'));
        if !shell.exists() {
            std::fs::create_dir_all(shell.parent().unwrap()).unwrap();
            std::fs::write(&shell, "#!/bin/sh\nexec /bin/sh \"$@\"\n").unwrap();
            executable(&shell);
        }
        for key in ["host", "user"] {
            let mut keygen = lab.tool("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(lab.path(key));
            assert!(run(&mut keygen, "", LIMIT).status.success());
        }
        let (port, dir) = (Port::take(), lab.dir().display().to_string());
        let config = format!(
            "ListenAddress {}\nHostKey {dir}/host\nPidFile none\nStrictModes no\n\
             AuthorizedKeysFile {dir}/user.pub\nPermitRootLogin yes\nChrootDirectory /mnt\n\
             Subsystem sftp internal-sftp\nSetEnv PS1='board# '\n",
            port.address()
        );
        let mut sshd = lab.tool("unshare");
        sshd.args(["--mount", "sh", "-c", SERVE]).arg(&root).arg(lab.write("sshd.conf", &config));
        sshd.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let mut sshd = Process::spawn(&mut sshd);
        wait_until(LIMIT, "sshd listens", || {
            assert!(sshd.exited().is_none(), "sshd has ended");
            std::net::TcpStream::connect(port.address()).is_ok()
        });
        Self { _sshd: sshd, port }
    }
}

fn executable(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn tests_run_on_a_machine_behind_openssh_and_have_the_overlay() {
    let lab = TestLab::new();
    let machine = Machine::start(&lab);
    let key = lab.path("user").display().to_string();
    let device = format!(
        "hostname: host01
actions:
  deploy: {{methods: {{ssh: {{host: 127.0.0.1, port: {}, user: root, identity_file: '{key}'}}}}}}
  boot: {{methods: {{ssh: }}}}
",
        machine.port.address().port()
    );
    let steps = [
        "lava-test-case remote --shell 'test -n \"$SSH_CONNECTION\"'",
        "lava-test-case machine --shell test -e /etc/root-file-system",
    ];
    let blocks = [
        "- deploy: {to: ssh, os: oe}\n",
        "- boot: {method: ssh, connection: ssh, prompts: ['board# ']}\n",
        &test(&smoke(&steps)),
    ];
    let mut dispatcher = lab.program("lava-dispatcher");
    dispatcher.args(["run", &lab.write("job.yaml", &job_file(&blocks))]);
    dispatcher.args(["--device", &lab.write("device.yaml", &device), "--job-id", "7"]);
    dispatcher.arg("--output").arg(lab.path("out"));
    Done::run(&mut dispatcher, lab.path("out")).assert_passed(&["remote", "machine"]);
    let left = std::fs::read_dir(lab.path("machine/tmp")).unwrap().count();
    assert_eq!(left, 0, "the archive is still on the machine");
}
