//! The boards: a process of their own with so many ptys, told what to print over its standard
//! input. It ends when that is closed, so it does not outlive the bench.

mod board;
mod process;

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::ops::Range;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail};

pub(crate) use process::serve;

pub(crate) struct Farm {
    child: Child,
    orders: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    /// The paths of the boards' terminals.
    pub ttys: Vec<String>,
}

/// What a board does from now on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Does {
    /// Says back what it gets; printing goes on.
    Echo,
    /// Prints so many bytes per second, a little every 10 ms. What the terminal does not take is
    /// printed later.
    Print(u64),
    /// Prints as fast as the terminal takes it.
    FlatOut,
    /// Prints no more.
    Stop,
    /// Leaves out three records.
    Skip,
    /// Prints the last two records again.
    Repeat,
    /// Prints a record with one byte wrong.
    Damage,
}

impl Farm {
    /// Starts so many boards; they print nothing, and swallow what they get.
    pub(crate) fn start(boards: usize) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--farm", &boards.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take();
        let answers = child.stdout.take().context("the farm has a standard output")?;
        let answers = BufReader::new(answers).lines();
        let mut farm = Self { child, orders, answers, ttys: Vec::new() };
        for _ in 0..boards {
            let tty = farm.answer()?;
            farm.ttys.push(tty);
        }
        Ok(farm)
    }

    pub(crate) fn tell(&mut self, boards: Range<usize>, does: Does) -> Result<()> {
        let word = match does {
            Does::Echo => "echo".to_owned(),
            Does::Print(rate) => format!("print {rate}"),
            Does::FlatOut => "flat-out".to_owned(),
            Does::Stop => "stop".to_owned(),
            Does::Skip => "skip".to_owned(),
            Does::Repeat => "repeat".to_owned(),
            Does::Damage => "damage".to_owned(),
        };
        let answer = self.ask(&format!("{} {} {word}", boards.start, boards.end))?;
        if answer != "done" {
            bail!("the farm, asked for {word}: {answer}");
        }
        Ok(())
    }

    /// How much a board has printed so far, in bytes.
    pub(crate) fn printed(&mut self, board: usize) -> Result<u64> {
        Ok(self.ask(&format!("{board} {} printed", board + 1))?.parse()?)
    }

    fn ask(&mut self, order: &str) -> Result<String> {
        let orders = self.orders.as_mut().context("the farm has a standard input")?;
        orders.write_all(format!("{order}\n").as_bytes())?;
        self.answer()
    }

    fn answer(&mut self) -> Result<String> {
        Ok(self.answers.next().context("the farm has ended")??)
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
