//! One board of the farm.

use std::os::fd::OwnedFd;

use anyhow::{Result, bail};
use rustix::io::Errno;

use super::Does;
use crate::common::{Tty, board};
use crate::record::{RECORD, Record};

/// The most that is written at once, in bytes.
const CHUNK: usize = 128 * RECORD;

pub(crate) struct Board {
    /// The board's own end.
    end: OwnedFd,
    tty: Tty,
    echoes: bool,
    pace: Pace,
    /// What may be printed now at a paced rate, in bytes.
    credit: f64,
    next: Record,
    number: u64,
    fault: Option<Does>,
    /// What is to be printed next, from `taken` on.
    ahead: Vec<u8>,
    taken: usize,
    printed: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Pace {
    Quiet,
    /// In bytes per second.
    Paced(f64),
    FlatOut,
}

impl Board {
    pub(crate) fn new() -> Result<Self> {
        let (end, tty) = board()?;
        rustix::io::ioctl_fionbio(&end, true)?;
        Ok(Self {
            end,
            tty,
            echoes: false,
            pace: Pace::Quiet,
            credit: 0.0,
            next: Record::number(0),
            number: 0,
            fault: None,
            ahead: Vec::new(),
            taken: 0,
            printed: 0,
        })
    }

    pub(crate) fn tty(&self) -> &str {
        &self.tty.path
    }

    pub(crate) fn end(&self) -> &OwnedFd {
        &self.end
    }

    pub(crate) fn printed(&self) -> u64 {
        self.printed
    }

    pub(crate) fn is_flat_out(&self) -> bool {
        self.pace == Pace::FlatOut
    }

    pub(crate) fn is_paced(&self) -> bool {
        matches!(self.pace, Pace::Paced(_))
    }

    pub(crate) fn told(&mut self, does: Does) {
        match does {
            Does::Echo => self.echoes = true,
            Does::Print(rate) => (self.pace, self.credit) = (Pace::Paced(rate as f64), 0.0),
            Does::FlatOut => self.pace = Pace::FlatOut,
            Does::Stop => self.pace = Pace::Quiet,
            Does::Skip | Does::Repeat | Does::Damage => self.fault = Some(does),
        }
    }

    /// Takes what was typed.
    pub(crate) fn typed(&mut self) -> Result<()> {
        let mut keys = [0; 16 * 1024];
        let read = match rustix::io::read(&self.end, &mut keys) {
            Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
            read => read?,
        };
        if self.echoes && rustix::io::write(&self.end, &keys[..read])? < read {
            bail!("{}: the echo does not fit: a key at a time, please", self.tty());
        }
        Ok(())
    }

    /// The terminal takes more.
    pub(crate) fn writable(&mut self) -> Result<()> {
        if self.is_flat_out() {
            self.print(CHUNK)?;
        }
        Ok(())
    }

    /// So many seconds have passed since the last time.
    pub(crate) fn tick(&mut self, seconds: f64) -> Result<()> {
        let Pace::Paced(rate) = self.pace else { return Ok(()) };
        self.credit += rate * seconds;
        while self.credit >= 1.0 {
            let printed = self.print(self.credit as usize)?;
            if printed == 0 {
                break;
            }
            self.credit -= printed as f64;
        }
        Ok(())
    }

    /// Prints at most so many bytes, and tells how many it were.
    fn print(&mut self, most: usize) -> Result<usize> {
        if self.taken == self.ahead.len() {
            self.think_ahead();
        }
        let end = self.ahead.len().min(self.taken.saturating_add(most));
        let written = match rustix::io::write(&self.end, &self.ahead[self.taken..end]) {
            Err(Errno::AGAIN | Errno::INTR) => 0,
            written => written?,
        };
        self.taken += written;
        self.printed += written as u64;
        Ok(written)
    }

    fn think_ahead(&mut self) {
        self.ahead.clear();
        self.taken = 0;
        match self.fault {
            Some(Does::Skip) => self.number += 3,
            Some(Does::Repeat) => self.number = self.number.saturating_sub(2),
            _ => {}
        }
        if self.fault.is_some() {
            self.next = Record::number(self.number);
        }
        while self.ahead.len() < CHUNK {
            self.ahead.extend_from_slice(self.next.bytes());
            self.next.next();
            self.number += 1;
        }
        if let Some(Does::Damage) = self.fault.take() {
            self.ahead[RECORD + RECORD / 2] ^= 1;
        }
    }
}
