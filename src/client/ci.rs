//! CI jobs of a server.

use serde::de::IgnoredAny;

use super::percent_encoded;
use super::server::{LabServer, by};
use crate::model::{CiInfo, CiJob, CiRun, Failure, JobInfo, Name};

/// # Errors
/// As all that is asked of a server.
impl LabServer {
    pub async fn ci_jobs(&self) -> Result<Vec<CiInfo>, Failure> {
        self.http.get("/ci").await
    }

    pub async fn ci_job(&self, name: &Name) -> Result<CiInfo, Failure> {
        self.http.get(&path(name)).await
    }

    pub async fn put_ci(&self, name: &Name, job: &CiJob, user: &str) -> Result<CiInfo, Failure> {
        self.http.put(&by(&path(name), user), job).await
    }

    pub async fn remove_ci(&self, name: &Name, user: &str) -> Result<(), Failure> {
        self.http.delete::<IgnoredAny>(&by(&path(name), user)).await.map(|_| ())
    }

    /// Has one run: the job that the run is.
    pub async fn run_ci(&self, name: &Name, run: &CiRun) -> Result<JobInfo, Failure> {
        self.http.post(&format!("{}/run", path(name)), run).await
    }
}

fn path(name: &Name) -> String {
    format!("/ci/{}", percent_encoded(name.as_str()))
}
