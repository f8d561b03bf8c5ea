//! All consoles of a daemon at a glance, for as long as somebody looks.

use std::time::Duration;

use super::Http;
use super::json_lines::JsonLines;
use crate::model::Failure;
use crate::wire::feed::Told;

/// A daemon says something every 5 s; one that has said nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(15);

/// What a daemon tells of its consoles.
#[derive(Debug)]
pub struct Feed(JsonLines);

impl Feed {
    /// Asks a daemon to tell each console, and then each that has changed, every so often.
    ///
    /// # Errors
    /// The daemon's own failure where it refused; else [`crate::model::Kind::Lab`].
    pub async fn begin(daemon: Http, every: Duration) -> Result<Self, Failure> {
        let path = format!("/feed?every={}ms", every.as_millis());
        let body = daemon.with_timeout(SILENCE).body(&path).await?;
        Ok(Self(JsonLines::new("a feed", body)))
    }

    /// The next console that has changed; `None` when the daemon ends. Cancel safe.
    ///
    /// # Errors
    /// [`crate::model::Kind::Lab`] when the daemon is gone, or is not understood.
    pub async fn next(&mut self) -> Result<Option<Told>, Failure> {
        self.0.next().await
    }
}
