//! A real boot loader, and a real kernel if it is given one, in QEMU: an arm64 board with U-Boot.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::line::Uart;
use super::machine::Machine;
use crate::model::{Failure, Kind};
use crate::sys::die_with_parent;

const QEMU: &str = "qemu-system-aarch64";
const U_BOOT: &str = "/usr/lib/u-boot/qemu_arm64/u-boot.bin";
const INSTALL: &str = "apt-get install -y --no-install-recommends qemu-system-arm u-boot-qemu";
/// The largest piece of output, in bytes.
const PIECE: usize = 4096;
/// How much of QEMU's last words is shown, in bytes.
const LAST_WORDS: u64 = 1024;

/// The board. Each power-on is a new QEMU, each power-off kills it.
#[derive(Debug, Clone)]
pub struct Qemu {
    tftp: PathBuf,
}

/// A running QEMU; killed when dropped.
#[derive(Debug)]
pub struct Powered {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: ChildStderr,
}

impl Qemu {
    /// A board whose TFTP server serves the folder `tftp`. It sees no other network.
    ///
    /// # Errors
    /// [`Kind::Infra`] when QEMU or U-Boot is not installed.
    pub fn new(tftp: PathBuf) -> Result<Self, Failure> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let has =
            |program: &&str| std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
        let programs = [QEMU].into_iter().filter(|program| !has(program));
        let missing: Vec<&str> = programs
            .chain([U_BOOT].into_iter().filter(|file| !Path::new(file).is_file()))
            .collect();
        if missing.is_empty() {
            return Ok(Self { tftp });
        }
        let what = format!("the board in QEMU needs {}: not installed", missing.join(" and "));
        Err(Failure::new(Kind::Infra, what).hint(INSTALL))
    }

    fn command(&self) -> Command {
        // In QEMU's options a comma is written twice.
        let tftp = self.tftp.display().to_string().replace(',', ",,");
        let mut command = Command::new(QEMU);
        command.args(["-M", "virt", "-cpu", "cortex-a53", "-m", "512", "-accel", "tcg"]);
        command.args(["-bios", U_BOOT, "-display", "none", "-monitor", "none", "-serial", "stdio"]);
        command.arg("-netdev").arg(format!("user,id=n0,tftp={tftp},restrict=on"));
        command.args(["-device", "virtio-net-pci,netdev=n0,romfile="]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A Ctrl-C at our terminal is ours alone.
        command.process_group(0).kill_on_drop(true);
        die_with_parent(&mut command);
        command
    }
}

impl Machine for Qemu {
    type Powered = Powered;

    async fn start(&self) -> Result<Powered, String> {
        let mut child =
            self.command().spawn().map_err(|error| format!("cannot start {QEMU}: {error}"))?;
        match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(stdin), Some(stdout), Some(stderr)) => {
                Ok(Powered { child, stdin, stdout, stderr })
            }
            _ => Err(format!("{QEMU} was started without pipes")),
        }
    }

    async fn run(&self, powered: &mut Powered, uart: &mut Uart) -> Infallible {
        let mut typed = Bytes::new();
        let mut buffer = [0; PIECE];
        loop {
            // A board that does not read what is typed is still heard.
            tokio::select! {
                read = powered.stdout.read(&mut buffer) => match read {
                    Ok(length @ 1..) => uart.put(Bytes::copy_from_slice(&buffer[..length])),
                    _ => break,
                },
                piece = uart.read_piece(), if typed.is_empty() => typed = piece,
                written = powered.stdin.write(&typed), if !typed.is_empty() => match written {
                    Ok(length) => typed.advance(length),
                    Err(_) => break,
                },
            }
        }
        // Power is still there, but the board is not: as when its processor has died.
        let mut words = String::new();
        let _ = (&mut powered.stderr).take(LAST_WORDS).read_to_string(&mut words).await;
        let words = words.trim();
        tracing::warn!(words, "QEMU has ended while its power was on");
        uart.print(&format!("\n[QEMU has ended. {words}]\n")).await;
        uart.ignore_input().await
    }

    async fn stop(&self, mut powered: Powered) {
        if let Err(error) = powered.child.kill().await {
            tracing::warn!(%error, "cannot kill QEMU");
        }
    }
}
