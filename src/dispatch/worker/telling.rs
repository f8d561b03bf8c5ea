//! What the server is told of a job: its log, and its end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use super::AGAIN;
use super::folder::JobFolder;
use super::job::{LOOK, blocking};
use crate::client::server::LabServer;
use crate::model::{Failure, Kind, Name, WorkEnd, WorkFailure};

/// So much of a log is sent at once, in bytes.
const PIECE: u64 = 1 << 20;

/// How far it was told.
pub(super) struct Telling<'a> {
    server: &'a LabServer,
    worker: &'a Name,
    folder: &'a JobFolder,
    /// How much of each board's log the server has.
    held: BTreeMap<Name, u64>,
    /// These logs are longer than it takes.
    full: Vec<Name>,
}

impl<'a> Telling<'a> {
    pub(super) fn new(server: &'a LabServer, worker: &'a Name, folder: &'a JobFolder) -> Self {
        Self { server, worker, folder, held: BTreeMap::new(), full: Vec::new() }
    }

    /// Sends the log as it grows, and never ends. Cancel safe: the server says where to go on.
    pub(super) async fn as_it_comes(&mut self) {
        let mut pause = LOOK;
        loop {
            tokio::time::sleep(pause).await;
            pause = match self.send().await {
                Ok(()) => LOOK,
                Err(failure) => self.later(pause, &failure),
            };
        }
    }

    /// Sends what is left, and tells the end, until the server has heard it. Cancel safe.
    pub(super) async fn finish(&mut self, failure: &WorkFailure) {
        let mut pause = LOOK;
        loop {
            let told = match self.send().await {
                Ok(()) => self.tell_end(failure).await,
                Err(failure) => Err(failure),
            };
            match told {
                Ok(()) => return,
                Err(failure) => pause = self.later(pause, &failure),
            }
            tokio::time::sleep(pause).await;
        }
    }

    fn later(&self, pause: Duration, failure: &Failure) -> Duration {
        tracing::debug!(job = self.folder.id(), "not sent: {failure}");
        (pause * 2).clamp(AGAIN[0], AGAIN[1])
    }

    /// Sends what the server does not have yet.
    async fn send(&mut self) -> Result<(), Failure> {
        let id = self.folder.id();
        for board in &self.folder.logs() {
            loop {
                let known = self.held.get(board).copied();
                let bytes = match known {
                    // The server says where to go on.
                    None => Vec::new(),
                    Some(held) => {
                        let log = self.folder.log(board);
                        blocking(move || piece(&log, held)).await.map_err(|e| unreadable(&e))?
                    }
                };
                if known.is_some() && (bytes.is_empty() || self.full.contains(board)) {
                    break;
                }
                let from = known.unwrap_or(0);
                let answer = self.server.send_log(self.worker, id, board, from, bytes).await;
                let answer = match answer {
                    Err(failure) => {
                        self.held.remove(board);
                        return Err(failure);
                    }
                    Ok(answer) => answer,
                };
                self.held.insert(board.clone(), answer.held);
                if answer.full {
                    self.full.push(board.clone());
                }
            }
        }
        Ok(())
    }

    /// Tells the server that the job has ended.
    async fn tell_end(&mut self, failure: &WorkFailure) -> Result<(), Failure> {
        let length =
            |board: &Name| std::fs::metadata(self.folder.log(board)).map_or(0, |meta| meta.len());
        let logs = self.folder.logs();
        let logs = logs.iter().map(|board| (board.to_string(), length(board))).collect();
        let end = WorkEnd { logs, failure: Some(failure.clone()) };
        let told = self.server.end_work(self.worker, self.folder.id(), &end).await;
        if told.is_err() {
            self.held.clear();
        }
        told
    }
}

/// What there is of a log from an offset on, so much at most.
fn piece(log: &Path, offset: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = match File::open(log) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(bytes),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(offset))?;
    file.take(PIECE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::new(Kind::Infra, format!("the job's log cannot be read: {error}"))
}
