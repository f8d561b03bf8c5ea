//! The rows of the table.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;

use crate::board::{Board, Play};
use crate::dispatcher::Dispatcher;
use crate::files::{self, Does};
use crate::{qemu, usage};

/// Commands of an interactive job.
const COMMANDS: usize = 200;
/// How long a job with a panicked board may wait for its login, in seconds; LAVA does wait.
const PATIENCE: u32 = 20;
/// How often memory of many jobs is added up.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Row {
    /// A job on a board that takes no time
    Overhead,
    /// A job on a QEMU of its own
    Qemu,
    /// A board that prints and prints
    Lines,
    /// Interactive jobs at once
    Many,
    /// Checking a job
    Validate,
    /// From a kernel's panic to the failed job
    Panic,
}

/// How large the rows are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) lines: usize,
    pub(crate) jobs: usize,
}

#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) aim: &'static str,
}

impl Row {
    pub(crate) fn figures(self, size: Size) -> Vec<Figure> {
        let figure = |what: &str, unit, aim| Figure { what: what.to_owned(), unit, aim };
        let Size { lines, jobs } = size;
        match self {
            Self::Overhead => vec![
                figure("a job on a board that takes no time", "ms", "100 ms"),
                figure("its memory", "MB", "15 MB"),
            ],
            Self::Qemu => vec![
                figure("a QEMU job, outside of its guest", "ms", "100 ms"),
                figure("all of it, less what its QEMU takes by itself", "ms", ""),
                figure("its memory", "MB", "15 MB"),
            ],
            Self::Lines => vec![
                figure(&format!("{lines} console lines, per second"), "lines/s", "400,000"),
                figure("its memory", "MB", "15 MB"),
            ],
            Self::Many => vec![
                figure(&format!("{jobs} jobs of {COMMANDS} commands each at once"), "s", "2 s"),
                figure("their memory together (PSS)", "MB", ""),
            ],
            Self::Validate => vec![figure("--validate", "ms", "20 ms")],
            Self::Panic => vec![figure("from a panic to the end of the job", "s", "1 s")],
        }
    }

    /// The row's figures, once.
    pub(crate) fn measure(self, dispatcher: &Dispatcher, size: Size) -> Result<Vec<f64>> {
        let dir = tempfile::tempdir()?;
        let dir = dir.path();
        match self {
            Self::Overhead => {
                let board = Board::start(Play::Shell)?;
                files::device(dir, board.port)?;
                files::job(dir, Does::LogsIn { limit: 60 })?;
                let done = dispatcher.run(dir, &[])?.good()?;
                Ok(vec![ms(done.took), done.memory])
            }
            Self::Qemu => qemu::measure(dispatcher, dir),
            Self::Lines => {
                let board = Board::start(Play::Prints(size.lines))?;
                files::device(dir, board.port)?;
                files::job(dir, Does::Watches)?;
                let done = dispatcher.run(dir, &[])?.good()?;
                let begin = board.moment().context("the board was not connected to")?;
                // LAVA listens to the board for one more second at the end of a job.
                let rest = if let Dispatcher::Lava(_) = dispatcher { 1.1 } else { 0.0 };
                let took = (done.end - begin).as_secs_f64() - rest;
                Ok(vec![size.lines as f64 / took, done.memory])
            }
            Self::Many => many(dispatcher, dir, size.jobs),
            Self::Validate => {
                files::device(dir, 9)?;
                files::job(dir, Does::Watches)?;
                let done = dispatcher.run(dir, &["--validate"])?.good()?;
                Ok(vec![ms(done.took)])
            }
            Self::Panic => {
                let board = Board::start(Play::Panics)?;
                files::device(dir, board.port)?;
                files::job(dir, Does::LogsIn { limit: PATIENCE })?;
                let done = dispatcher.run(dir, &[])?;
                ensure!(!done.success, "the job did not notice the panic");
                let panicked = board.moment().context("the board was not connected to")?;
                Ok(vec![(done.end - panicked).as_secs_f64()])
            }
        }
    }
}

/// Jobs at once, each with a board of its own.
fn many(dispatcher: &Dispatcher, dir: &std::path::Path, jobs: usize) -> Result<Vec<f64>> {
    let mut boards = Vec::new();
    for at in 0..jobs {
        let board = Board::start(Play::Shell)?;
        let dir = dir.join(at.to_string());
        std::fs::create_dir(&dir)?;
        files::device(&dir, board.port)?;
        files::job(&dir, Does::Types { commands: COMMANDS })?;
        boards.push((board, dir));
    }
    let begin = Instant::now();
    let started = boards.iter().map(|(_, dir)| dispatcher.start(dir, &[]));
    let mut running = started.collect::<Result<Vec<_>>>()?;
    let mut memory = 0.0_f64;
    loop {
        let mut ended = 0;
        for run in &mut running {
            ended += usize::from(run.ended()?);
        }
        if ended == running.len() {
            break;
        }
        // Adding it up takes time of its own, so once is enough: when the first ones are done.
        if memory == 0.0 && ended > 0 {
            memory = running.iter().map(|run| usage::pss(run.id())).sum();
        }
        std::thread::sleep(LOOK / 10);
    }
    let took = begin.elapsed().as_secs_f64();
    for run in running {
        run.wait()?.good()?;
    }
    Ok(vec![took, memory])
}

pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
