//! The job's begin and end on the console's timeline, for everyone who looks at it.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::client::{ConsoleRef, Http};
use crate::model::What;
use crate::model::event::Phase;

/// How long a job waits for a daemon to take note of it.
const POST_LIMIT: Duration = Duration::from_secs(2);

/// A console's event list. Posting is best effort: a job does not fail because nobody took note of it.
#[derive(Debug, Clone)]
pub struct Timeline {
    http: Http,
    path: String,
    job: String,
}

#[derive(Debug, Serialize)]
struct Posted<'a> {
    who: &'a str,
    #[serde(flatten)]
    what: What,
}

impl Timeline {
    /// The timeline of a console, for a job.
    pub fn new(console: &ConsoleRef, job: &str) -> Self {
        let http = console.http().with_timeout(POST_LIMIT);
        Self { http, path: format!("{}/events", console.path), job: job.to_owned() }
    }

    /// Posts how far the job is.
    pub async fn job(&self, phase: Phase) {
        let what = What::Job { id: self.job.clone(), phase };
        let who = format!("job:{}", self.job);
        let posted: Result<Value, _> =
            self.http.post(&self.path, &Posted { who: &who, what }).await;
        if let Err(error) = posted {
            tracing::debug!(%error, "the job's event was not taken");
        }
    }
}
