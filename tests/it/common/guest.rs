//! A real host: QEMU running Debian's kernel, systemd and udev, with our programs and units as they
//! would be installed, and USB adapters that are plugged in and out.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::heard::Heard;
use super::lab::{TestLab, run};
use super::process::{Process, command, needs, program};
use super::wait::{LIMIT, wait_until};

/// How long things may take there: the processor is emulated, and the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// What is installed beside the programs, from the package's folder to the host's.
const INSTALLED: &[(&str, &str)] = &[
    ("systemd/lava-serial.service", "usr/lib/systemd/system/lava-serial.service"),
    ("systemd/lava-serial@.service", "usr/lib/systemd/system/lava-serial@.service"),
    ("systemd/sysusers.d/lavamux.conf", "usr/lib/sysusers.d/lavamux.conf"),
    ("systemd/tmpfiles.d/lavamux.conf", "usr/lib/tmpfiles.d/lavamux.conf"),
    ("systemd/udev/70-lava-serial.rules", "usr/lib/udev/rules.d/70-lava-serial.rules"),
    ("conf/serial.d/discover.toml", "etc/lava/serial.d/discover.toml"),
];

/// The host. It has port 7100 for HTTP, and 15 USB sockets.
pub(crate) struct Guest {
    qemu: Process,
    /// The lines of a shell of root.
    typed: UnixStream,
    said: Heard,
    kernel: Heard,
    control: BufReader<UnixStream>,
    dir: PathBuf,
    plugged: usize,
}

impl Guest {
    /// Boots it, with these files in addition: paths without the first slash, and texts.
    pub(crate) fn boot(lab: &TestLab, files: &[(&str, &str)]) -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let prepared = package.join("target/rig/guest");
        needs(&prepared.join("made-from"));
        let dir = lab.path("guest");
        let overlay = dir.join("overlay");
        for (from, to) in INSTALLED {
            put(&overlay, to, &std::fs::read(package.join(from)).unwrap());
        }
        for (path, text) in files {
            put(&overlay, path, text.as_bytes());
        }
        for name in ["lava", "lava-power", "lava-serial"] {
            let to = overlay.join("usr/bin").join(name);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            done(Command::new("strip").arg("-o").arg(to).arg(program(name)));
        }
        let initrd = dir.join("initrd");
        let pack = format!(
            "cd {} && (find . | cpio -o -H newc --quiet -R 0:0; cat {}) > {}",
            overlay.display(),
            prepared.join("root.cpio").display(),
            initrd.display()
        );
        done(Command::new("sh").args(["-c", &pack]));

        let mut qemu = command("qemu-system-x86_64");
        qemu.args(["-machine", "q35", "-accel", "tcg,tb-size=64", "-m", "1024"]);
        qemu.args(["-display", "none", "-nodefaults", "-no-reboot"]);
        qemu.arg("-kernel").arg(prepared.join("vmlinuz")).arg("-initrd").arg(initrd);
        let append = "console=ttyS0 panic=-1 quiet net.ifnames=0 systemd.show_status=0";
        qemu.args(["-append", append, "-serial", "stdio"]);
        let socket = |name: &str| format!("{},server=on,wait=off", dir.join(name).display());
        let shell = format!("socket,id=shell,path={}", socket("shell"));
        qemu.args(["-chardev", &shell, "-serial", "chardev:shell"]);
        qemu.args(["-qmp", &format!("unix:{}", socket("control"))]);
        qemu.args(["-device", "qemu-xhci,id=usb,p2=15,p3=0"]);
        qemu.args(["-netdev", "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:7100"]);
        qemu.args(["-device", "virtio-net-pci,netdev=net,romfile="]);
        let mut qemu = Process::spawn(
            qemu.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()),
        );
        let kernel = Heard::from(qemu.child().stdout.take().unwrap());

        let typed = connect(&dir.join("shell"));
        let said = Heard::from(typed.try_clone().unwrap());
        let control = BufReader::new(connect(&dir.join("control")));
        let mut guest = Self { qemu, typed, said, kernel, control, dir, plugged: 0 };
        guest.answer();
        guest.control("qmp_capabilities", &json!({}));
        if let Err(message) = guest.said.find(PATIENCE, 0, b"READY") {
            panic!("it did not boot: {message}\n{}", guest.kernel.text());
        }
        guest.run("PS1=; export SYSTEMD_PAGER=");
        guest
    }

    /// Runs a command there and gives what it printed.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub(crate) fn run(&mut self, command: &str) -> String {
        let (code, said) = self.try_run(command);
        assert_eq!(code, 0, "{command}: {said}");
        said
    }

    /// The same with its exit code.
    #[track_caller]
    pub(crate) fn try_run(&mut self, command: &str) -> (i32, String) {
        let begin = self.said.len();
        self.typed.write_all(format!("{command}\necho '<end' $? '>'\n").as_bytes()).unwrap();
        let found = self.said.find(PATIENCE, begin, b"<end ").and_then(|end| {
            let last = self.said.find(PATIENCE, end, b" >\n")?;
            let text = self.said.text();
            Ok((text[end..last - 3].trim().parse().unwrap(), text[begin..end - 5].to_owned()))
        });
        found.unwrap_or_else(|message| panic!("{command}: {message}\n{}", self.kernel.text()))
    }

    /// Waits until a command there succeeds.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, command: &str) {
        wait_until(PATIENCE, command, || self.try_run(command).0 == 0);
    }

    /// Where its port 7100 is reached.
    pub(crate) fn http(&mut self) -> SocketAddr {
        let table = self.control("human-monitor-command", &json!({"command-line": "info usernet"}));
        let line = table.as_str().unwrap().lines().find(|line| line.contains("HOST_FORWARD"));
        let words: Vec<&str> = line.unwrap().split_whitespace().collect();
        format!("{}:{}", words[2], words[3]).parse().unwrap()
    }

    /// Plugs an FTDI adapter with this serial number into a socket (1 to 15). Gives the wire at its
    /// other end.
    pub(crate) fn plug(&mut self, socket: u8, serial: &str) -> UnixStream {
        self.plugged += 1;
        let (id, path) =
            (format!("wire{}", self.plugged), self.dir.join(format!("w{}", self.plugged)));
        let address = json!({"type": "unix", "data": {"path": path}});
        let data = json!({"addr": address, "server": true, "wait": false});
        let backend = json!({"type": "socket", "data": data});
        self.control("chardev-add", &json!({"id": id, "backend": backend}));
        // Connected before the adapter is there: no byte is lost.
        let wire = connect(&path);
        let device = format!("adapter{socket}");
        self.control(
            "device_add",
            &json!({"driver": "usb-serial", "id": device, "chardev": id, "serial": serial,
                   "bus": "usb.0", "port": socket.to_string(), "always-plugged": true}),
        );
        wire
    }

    pub(crate) fn unplug(&mut self, socket: u8) {
        self.control("device_del", &json!({"id": format!("adapter{socket}")}));
    }

    fn control(&mut self, verb: &str, arguments: &Value) -> Value {
        let request = json!({"execute": verb, "arguments": arguments});
        self.control.get_mut().write_all(format!("{request}\n").as_bytes()).unwrap();
        loop {
            let mut answer = self.answer();
            assert!(answer.get("error").is_none(), "{request}: {answer}");
            if let Some(value) = answer.get_mut("return") {
                return value.take();
            }
        }
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.control.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if std::thread::panicking() && self.qemu.exited().is_none() {
            let (_, journal) =
                self.try_run("journalctl -b --no-pager -o short-monotonic | tail -80");
            eprintln!("--- the host's journal:\n{journal}");
        }
    }
}

fn put(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[track_caller]
fn done(command: &mut Command) {
    let output = run(command, "", LIMIT);
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn connect(path: &Path) -> UnixStream {
    let mut stream = None;
    wait_until(PATIENCE, &format!("{} listens", path.display()), || {
        stream = UnixStream::connect(path).ok();
        stream.is_some()
    });
    stream.unwrap()
}
