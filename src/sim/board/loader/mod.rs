//! The boot loader: a banner, a countdown that can be stopped, and a prompt that looks like U-Boot's.

mod commands;
mod environment;
mod memory;
mod network;

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

use super::editor::{Editor, Typed, ask};
use crate::sim::line::Uart;
use environment::Environment;
use memory::Memory;

pub(super) const PROMPT: &str = "=> ";
/// From power to the first byte, and while the devices are probed.
const PROBE_TIME: Duration = Duration::from_millis(60);
/// How deep `run` may call itself, in commands.
const MAX_DEPTH: u8 = 8;

/// The boot loader of a board that has just got power.
#[derive(Debug)]
pub(super) struct Loader {
    env: Environment,
    memory: Memory,
    /// What its "network" has: the folder that `tftpboot` reads from.
    files: Option<PathBuf>,
}

/// What is booted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Booted {
    pub bootargs: String,
    /// The archive that `booti` was given.
    pub ramdisk: Option<Bytes>,
}

/// What comes after a command.
enum Next {
    /// The next one; whether this one did what it should.
    Command(bool),
    /// The prompt: Ctrl-C was typed.
    Prompt,
    Reset,
    Boot(Booted),
}

impl Loader {
    pub(super) fn new(board: &str, files: Option<PathBuf>) -> Self {
        let env = Environment::new(board);
        Self { env, memory: Memory::default(), files }
    }

    /// Runs until something is booted.
    pub(super) async fn run(mut self, uart: &mut Uart) -> Booted {
        let board = self.env.get("hostname").unwrap_or_default().to_owned();
        loop {
            self = Self::new(&board, self.files);
            if let Next::Boot(booted) = self.boot_or_reset(uart).await {
                return booted;
            }
        }
    }

    /// From the banner to a boot or a reset.
    async fn boot_or_reset(&mut self, uart: &mut Uart) -> Next {
        tokio::time::sleep(PROBE_TIME).await;
        let version = commands::VERSION;
        uart.print(&format!("\n\n{version}\n\n")).await;
        uart.print("DRAM:  512 MiB\nCore:  51 devices, 14 uclasses, devicetree: board\n").await;
        tokio::time::sleep(PROBE_TIME).await;
        uart.print("Loading Environment from nowhere... OK\nIn:    serial\nOut:   serial\n").await;
        uart.print("Err:   serial\nNet:   eth0: virtual-net#32\n").await;
        if !self.stopped(uart).await {
            let bootcmd = self.env.get("bootcmd").unwrap_or_default().to_owned();
            match Box::pin(self.line(uart, &bootcmd, 0)).await {
                Next::Command(_) | Next::Prompt => {}
                over => return over,
            }
        }
        let mut editor = Editor::default();
        loop {
            let Typed::Line(line) = ask(uart, PROMPT, &mut editor).await else { continue };
            match Box::pin(self.line(uart, &line, 0)).await {
                Next::Command(_) | Next::Prompt => {}
                over => return over,
            }
        }
    }

    /// Counts down; says whether a key stopped it.
    async fn stopped(&mut self, uart: &mut Uart) -> bool {
        let seconds = self.env.get("bootdelay").and_then(|text| text.parse().ok()).unwrap_or(2);
        uart.print(&format!("Hit any key to stop autoboot: {seconds:2} ")).await;
        let mut stopped = false;
        for left in (0..seconds).rev() {
            let second = tokio::time::timeout(Duration::from_secs(1), uart.read());
            stopped = second.await.is_ok();
            if stopped {
                break;
            }
            uart.print(&format!("\x08\x08\x08{left:2} ")).await;
        }
        if stopped {
            uart.print("\x08\x08\x08 0 ").await;
        }
        uart.print("\n").await;
        stopped
    }

    /// Runs a line's commands one after the other, whether or not they do what they should.
    async fn line(&mut self, uart: &mut Uart, line: &str, depth: u8) -> Next {
        let mut last = Next::Command(true);
        for command in environment::commands(line) {
            let words = self.env.words(command);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            last = Box::pin(self.command(uart, &words, depth)).await;
            if !matches!(last, Next::Command(_)) {
                break;
            }
        }
        last
    }
}
