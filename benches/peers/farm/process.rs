//! The farm's own process.

use std::io::Write as _;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::event::{Timespec, epoll};

use super::Does;
use super::board::Board;

/// How often a board with a paced rate prints.
const TICK: Duration = Duration::from_millis(10);
/// Events taken at once.
const EVENTS: usize = 256;

/// Is so many boards until standard input is closed.
pub(crate) fn serve(boards: usize) -> Result<()> {
    let boards: Vec<Board> = (0..boards).map(|_| Board::new()).collect::<Result<_>>()?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (at, board) in boards.iter().enumerate() {
        epoll::add(&epoll, board.end(), data(at), epoll::EventFlags::IN)?;
        writeln!(std::io::stdout(), "{}", board.tty())?;
    }
    epoll::add(&epoll, std::io::stdin(), data(boards.len()), epoll::EventFlags::IN)?;
    Process { boards, epoll, orders: String::new(), ticked: None }.run()
}

fn data(at: usize) -> epoll::EventData {
    epoll::EventData::new_u64(at as u64)
}

struct Process {
    boards: Vec<Board>,
    epoll: OwnedFd,
    /// An order that has not come whole.
    orders: String,
    /// When the boards with a paced rate last printed, if there are any.
    ticked: Option<Instant>,
}

impl Process {
    fn run(&mut self) -> Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            events.clear();
            let wait = self.ticked.map(|at| TICK.saturating_sub(at.elapsed()));
            let wait = wait.map(Timespec::try_from).transpose()?;
            epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), wait.as_ref())?;
            for event in &events {
                let (at, flags) = (usize::try_from(event.data.u64())?, event.flags);
                if at == self.boards.len() {
                    if !self.ordered()? {
                        return Ok(());
                    }
                    continue;
                }
                if flags.contains(epoll::EventFlags::IN) {
                    self.boards[at].typed()?;
                }
                if flags.contains(epoll::EventFlags::OUT) {
                    self.boards[at].writable()?;
                }
            }
            self.tick()?;
        }
    }

    fn tick(&mut self) -> Result<()> {
        let Some(ticked) = &mut self.ticked else { return Ok(()) };
        let passed = ticked.elapsed();
        if passed >= TICK {
            *ticked += passed;
            for board in &mut self.boards {
                board.tick(passed.as_secs_f64())?;
            }
        }
        Ok(())
    }

    /// Takes orders; false when there will be no more.
    fn ordered(&mut self) -> Result<bool> {
        let mut bytes = [0; 1024];
        let read = rustix::io::read(std::io::stdin(), &mut bytes)?;
        self.orders.push_str(std::str::from_utf8(&bytes[..read])?);
        while let Some((order, rest)) = self.orders.split_once('\n') {
            let (order, rest) = (order.to_owned(), rest.to_owned());
            self.orders = rest;
            let answer = self.obey(&order).unwrap_or_else(|error| error.to_string());
            writeln!(std::io::stdout(), "{answer}")?;
        }
        Ok(read > 0)
    }

    fn obey(&mut self, order: &str) -> Result<String> {
        let mut words = order.split(' ');
        let mut number =
            || words.next().context("a number is missing")?.parse().context("a number");
        let boards: Range<usize> = number()?..number()?;
        let does = match words.next() {
            Some("printed") => return Ok(self.boards[boards.start].printed().to_string()),
            Some("echo") => Does::Echo,
            Some("print") => Does::Print(words.next().context("a rate is missing")?.parse()?),
            Some("flat-out") => Does::FlatOut,
            Some("stop") => Does::Stop,
            Some("skip") => Does::Skip,
            Some("repeat") => Does::Repeat,
            Some("damage") => Does::Damage,
            word => bail!("{word:?} is no order"),
        };
        for at in boards {
            let board = &mut self.boards[at];
            board.told(does);
            let mut flags = epoll::EventFlags::IN;
            flags.set(epoll::EventFlags::OUT, board.is_flat_out());
            epoll::modify(&self.epoll, board.end(), data(at), flags)?;
        }
        let paced = self.boards.iter().any(Board::is_paced);
        self.ticked = paced.then(|| self.ticked.unwrap_or_else(Instant::now));
        Ok("done".to_owned())
    }
}
