//! `lava-dispatcher script`: how workers run the scripts of CI jobs.

use std::path::PathBuf;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::run::absolute;
use crate::dispatch::script::Script;
use crate::dispatch::worker::claim::Claim;
use crate::model::{Failure, Kind, WorkScript};

#[derive(Debug, Args)]
pub struct ScriptArgs {
    /// What a server says of the script, JSON.
    work: PathBuf,
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    #[arg(long, value_name = "ID")]
    job_id: String,
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    #[arg(long, value_name = "URL")]
    server: String,
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    #[arg(long, value_name = "DIR")]
    files: Vec<PathBuf>,
    #[arg(long, conflicts_with = "files")]
    no_files: bool,
    #[arg(long, value_name = "FILE")]
    pub(super) contact: Option<PathBuf>,
    /// How much its files may take, in bytes.
    #[arg(long, value_name = "BYTES")]
    space: u64,
}

impl ScriptArgs {
    /// # Errors
    /// What was wrong before the script, or how it ended.
    pub async fn run(self, cancelled: &CancellationToken) -> Result<(), Failure> {
        let output = absolute(&self.output)?;
        let _claim = Claim::take(&output).await?;
        let unread = |error: &dyn std::fmt::Display| {
            Failure::new(Kind::Infra, format!("{}: {error}", self.work.display()))
        };
        let work = std::fs::read(&self.work).map_err(|error| unread(&error))?;
        let work: WorkScript = serde_json::from_slice(&work).map_err(|error| unread(&error))?;
        let script = Script {
            job_id: self.job_id,
            work,
            output,
            token_file: absolute(&self.token_file)?,
            server: self.server,
            ca: self.ca.as_deref().map(absolute).transpose()?,
            files: self.files,
            contact: self.contact,
            space: self.space,
        };
        script.run(cancelled).await
    }
}
