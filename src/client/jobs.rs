//! Jobs of a lab's server, for those who hand them in and for workers.

use bytes::Bytes;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::json_lines::JsonLines;
use super::server::{LabServer, SILENCE, by};
use super::{Body, percent_encoded};
use crate::model::{
    BootRequest, Failure, JobInfo, JobSubmit, LeaseChange, LogHeld, Name, WorkEnd, WorkerHello,
    WorkerInfo, WorkerOrders,
};

/// A server keeps a worker waiting for 20 s.
const POLL: std::time::Duration = std::time::Duration::from_secs(35);

/// The lines of a job's log, as they come.
#[derive(Debug)]
pub struct FollowLog(JsonLines);

impl LabServer {
    pub async fn submit_job(&self, job: &JobSubmit) -> Result<JobInfo, Failure> {
        self.http.post("/jobs", job).await
    }

    /// Has a board that one has leased boot something; the job does it.
    pub async fn boot(&self, board: &Name, asked: &BootRequest) -> Result<JobInfo, Failure> {
        self.http.post(&format!("/boards/{board}/boot"), asked).await
    }

    /// The newest jobs, so many at most.
    pub async fn jobs(&self, most: u32, user: &str) -> Result<Vec<JobInfo>, Failure> {
        self.http.get(&format!("{}&limit={most}", by("/jobs", user))).await
    }

    pub async fn job(&self, id: u64, user: &str) -> Result<JobInfo, Failure> {
        self.http.get(&by(&format!("/jobs/{id}"), user)).await
    }

    /// `cancel` or `resubmit`.
    pub async fn change_job(&self, id: u64, how: &str, user: &str) -> Result<JobInfo, Failure> {
        let change = LeaseChange { user: Some(user.to_owned()), ..LeaseChange::default() };
        self.http.post(&format!("/jobs/{id}/{how}"), &change).await
    }

    /// Has a board's health check run.
    pub async fn check_board(&self, name: &Name, user: &str) -> Result<JobInfo, Failure> {
        let change = LeaseChange { user: Some(user.to_owned()), ..LeaseChange::default() };
        self.http.post(&format!("/boards/{name}/check"), &change).await
    }

    /// The job as it was handed in.
    pub async fn job_definition(&self, id: u64, user: &str) -> Result<Bytes, Failure> {
        self.http.get_bytes(&by(&format!("/jobs/{id}/definition"), user)).await
    }

    /// The results of a board of a job, in a format.
    pub async fn job_results(
        &self,
        id: u64,
        board: Option<&Name>,
        format: &str,
        user: &str,
    ) -> Result<Bytes, Failure> {
        let path = of_board(&format!("/jobs/{id}/results"), board, user);
        self.http.get_bytes(&format!("{path}&format={format}")).await
    }

    /// The log of a board of a job, as far as it is.
    pub async fn job_log(
        &self,
        id: u64,
        board: Option<&Name>,
        user: &str,
    ) -> Result<Body, Failure> {
        self.http.body(&of_board(&format!("/jobs/{id}/log"), board, user)).await
    }

    /// Follows the log of a board of a job from a line on, until the job has ended.
    pub async fn follow_log(
        &self,
        id: u64,
        board: Option<&Name>,
        line: u64,
        user: &str,
    ) -> Result<FollowLog, Failure> {
        let path = of_board(&format!("/jobs/{id}/log/follow"), board, user);
        let http = self.http.clone().with_timeout(SILENCE);
        Ok(FollowLog(JsonLines::new(
            "a job's log",
            http.body(&format!("{path}&line={line}")).await?,
        )))
    }

    pub async fn workers(&self) -> Result<Vec<WorkerInfo>, Failure> {
        self.http.get("/workers").await
    }

    /// Says that a worker lives, and waits for what there is to do.
    pub async fn poll(&self, worker: &Name, hello: &WorkerHello) -> Result<WorkerOrders, Failure> {
        self.http.clone().with_timeout(POLL).post(&format!("/workers/{worker}/poll"), hello).await
    }

    /// Sends a piece of a log; how much of it there is then.
    pub async fn send_log(
        &self,
        worker: &Name,
        job: u64,
        board: &Name,
        offset: u64,
        bytes: Vec<u8>,
    ) -> Result<LogHeld, Failure> {
        let path = format!("/workers/{worker}/jobs/{job}/log?board={board}&offset={offset}");
        self.http.post_bytes(&path, bytes).await
    }

    /// Tells that a job has ended.
    pub async fn end_work(&self, worker: &Name, job: u64, end: &WorkEnd) -> Result<(), Failure> {
        let path = format!("/workers/{worker}/jobs/{job}/end");
        self.http.post::<IgnoredAny>(&path, end).await.map(|_| ())
    }
}

impl FollowLog {
    /// The next line; `None` when the job has ended, or the server ends. Cancel safe.
    ///
    /// # Errors
    /// [`Kind::Lab`](crate::model::Kind) when the server is gone, or is not understood.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Failure> {
        self.0.next_event().await
    }
}

fn of_board(path: &str, board: Option<&Name>, user: &str) -> String {
    let board = board.map(|board| format!("&board={}", percent_encoded(board.as_str())));
    by(path, user) + &board.unwrap_or_default()
}
