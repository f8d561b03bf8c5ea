//! A job that boots a QEMU of its own: what it takes outside of the guest, and beside the same QEMU without a job.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::dispatcher::{Dispatcher, Done};
use crate::files;
use crate::row::ms;

/// QEMU's words but for the files.
const QEMU: [&str; 12] = [
    "-machine",
    "q35,accel=tcg",
    "-cpu",
    "qemu64",
    "-m",
    "512",
    "-nographic",
    "-nic",
    "none",
    "-monitor",
    "none",
    "-no-reboot",
];

/// The job's time until QEMU is started and after the guest's last output, its time less that of QEMU alone, and its
/// memory.
pub(crate) fn measure(dispatcher: &Dispatcher, dir: &Path) -> Result<Vec<f64>> {
    if let Dispatcher::Lava(_) = dispatcher {
        bail!("LAVA's job for a QEMU needs libguestfs, which is not there");
    }
    let (kernel, ramdisk) = (boot_file("Image")?, boot_file("ramdisk.cpio.gz")?);
    let options: String =
        QEMU.chunks(2).map(|words| format!("          - {}\n", words.join(" "))).collect();
    files::write(
        dir,
        "device.yaml",
        &format!(
            "hostname: qemu02
devicetype: qemu
actions:
  deploy: {{methods: {{image: {{parameters: {{}}}}}}}}
  boot:
    connections: {{serial: null}}
    methods:
      qemu:
        parameters:
          command: qemu-system-x86_64
          options:
{options}"
        ),
    )?;
    files::write(
        dir,
        "job.yaml",
        &format!(
            "job_name: a bench
device_type: qemu
visibility: public
timeouts: {{job: {{minutes: 4}}, action: {{minutes: 3}}}}
actions:
- deploy:
    to: tmpfs
    os: oe
    images:
      kernel:
        image_arg: -kernel {{kernel}} -append console=ttyS0
        url: file://{kernel}
      ramdisk:
        image_arg: -initrd {{ramdisk}}
        url: file://{ramdisk}
        format: cpio.newc
        overlays: {{lava: true}}
- boot:
    method: qemu
    media: tmpfs
    auto_login: {{login_prompt: 'board login:', username: root}}
    prompts: ['board# ']
- test:
    definitions:
    - name: smoke
      from: inline
      path: inline/smoke.yaml
      repository:
        metadata: {{format: Lava-Test Test Definition 1.0, name: smoke}}
        run: {{steps: [lava-test-case linux --shell uname -a]}}
",
            kernel = kernel.display(),
            ramdisk = ramdisk.display()
        ),
    )?;
    let alone = alone(&kernel, &ramdisk)?;
    let done = dispatcher.run(dir, &[])?.good()?;
    Ok(vec![outside(&done)?, ms(done.took) - ms(alone), done.memory])
}

/// How long a job took while there was no guest, or none that said anything more, in ms.
fn outside(done: &Done) -> Result<f64> {
    let log = std::fs::read_to_string(done.output.join("output.jsonl"))?;
    let lines = log.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let starting =
        |line: &&Value| line["msg"].as_str().is_some_and(|msg| msg.starts_with("starting: "));
    let time = |line: Option<&Value>, key: &str| -> Result<SystemTime> {
        let text =
            line.and_then(|line| line[key].as_str()).context("the log says nothing of QEMU")?;
        Ok(text.parse::<jiff::Timestamp>()?.into())
    };
    let started = time(lines.iter().find(starting), "dt")?;
    let last = time(lines.iter().rfind(|line| line["lvl"] == "target"), "time")?;
    let (before, after) = (started.duration_since(done.begun)?, done.ended.duration_since(last)?);
    Ok(ms(before) + ms(after))
}

/// What tests/rig/prepare has made.
fn boot_file(name: &str) -> Result<PathBuf> {
    let rig = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/boot/amd64");
    let file = rig.join(name);
    ensure!(file.exists(), "{} is missing: tests/rig/prepare makes it", file.display());
    Ok(file)
}

/// Killed at the end.
struct Qemu(Child);

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How long the board takes from its start to the answer to a command.
fn alone(kernel: &Path, ramdisk: &Path) -> Result<Duration> {
    let begin = Instant::now();
    let mut command = Command::new("qemu-system-x86_64");
    command.args(QEMU).arg("-kernel").arg(kernel).args(["-append", "console=ttyS0"]);
    command.arg("-initrd").arg(ramdisk).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut qemu = Qemu(command.stderr(Stdio::null()).spawn().context("qemu-system-x86_64")?);
    let mut typed = qemu.0.stdin.take().context("a pipe")?;
    let mut printed = qemu.0.stdout.take().context("a pipe")?;
    let (mut heard, mut piece) = (String::new(), [0; 4096]);
    for (wanted, answer) in
        [("board login:", "root\n"), ("board# ", "uname -a\n"), ("x86_64", ""), ("board# ", "")]
    {
        while !heard.contains(wanted) {
            let length = printed.read(&mut piece)?;
            ensure!(length > 0, "QEMU has ended: {heard}");
            heard.push_str(&String::from_utf8_lossy(&piece[..length]));
        }
        heard.clear();
        typed.write_all(answer.as_bytes())?;
    }
    Ok(begin.elapsed())
}
