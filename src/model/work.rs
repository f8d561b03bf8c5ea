//! What a worker and a server tell each other. Either may be of another version: what one does not know of
//! the other's words it leaves alone, and what is not said has a default.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BoardDescription, LongText, Name, Sha256, WorkScript};

/// The version of these words. It goes up when something is to be understood in another way than before, and
/// is told in each greeting.
pub const PROTOCOL: u32 = 2;

/// Where files of the server's are in a job definition: its worker knows where that is.
pub const LAB_SERVER: &str = "http://lava-server.invalid";

/// What stands before the name of an image of the server's in a job.
pub const IMAGE_SCHEME: &str = "lava-image:";
/// The header that has the pass for a job's images.
pub const IMAGE_PASS: &str = "x-lava-pass";
/// What stands before it in a URL.
const IN_URL: &str = "?pass=";

/// The URL of a file of the image store for a job: with the pass in it, since it may be asked for by anything, also by
/// what a board runs. [`image_passes`] finds it again.
pub fn image_url(job: u64, file: &Sha256, pass: &str) -> String {
    format!("{LAB_SERVER}/jobs/{job}/images/{file}{IN_URL}{pass}")
}

/// The passes in a text that has URLs of [`image_url`], each with where its URL ends without it.
pub fn image_passes(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices(IN_URL).filter_map(|(at, _)| {
        let before = &text[..at];
        let (rest, file) = before.rsplit_once('/')?;
        let is_image = file.parse::<Sha256>().is_ok() && rest.ends_with("/images");
        let pass = &text[at + IN_URL.len()..];
        let is_pass = |c: char| c.is_ascii_hexdigit() || c == '-';
        let pass = &pass[..pass.find(|c| !is_pass(c)).unwrap_or(pass.len())];
        (is_image && !pass.is_empty()).then_some((at, pass))
    })
}

/// A worker's greeting: that it lives, and what it has. The answer comes when there is something to do, or
/// after a while.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkerHello {
    #[serde(default)]
    pub protocol: u32,
    /// Of its program.
    #[serde(default)]
    pub version: String,
    /// Which of the workers of its name it is: the same for as long as its folder lasts.
    pub instance: String,
    /// Goes up with each greeting, so that an old one that is late is known.
    pub number: u64,
    /// So many jobs it runs at a time.
    #[serde(default)]
    pub slots: usize,
    /// The jobs that it has and whose end it has not told yet, 10,000 at most.
    #[serde(default)]
    pub jobs: BTreeSet<u64>,
    /// It runs scripts, too.
    #[serde(default)]
    pub scripts: bool,
    /// Those of them that were never begun: they are when the answer says that they are still its own.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unsure: BTreeSet<u64>,
    /// What a server has told it last of how long it may be silent: by that it goes until it hears otherwise. 0 is
    /// nothing yet.
    #[serde(default)]
    pub gone_s: u64,
    /// Those of them that it ends already as it was told to: it need not be told again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub canceling: BTreeSet<u64>,
    /// Those that it ends and then forgets.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub dropping: BTreeSet<u64>,
    /// The virtual machines that are boards as long as it offers them, 256 at most.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, Machine>)]
    pub machines: BTreeMap<Name, Machine>,
}

/// A virtual machine as the worker describes it that starts it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Machine {
    /// Its device type.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: Name,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// As a board's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub dictionary: Option<LongText>,
}

impl Machine {
    /// Of a board's description what a worker may say of a machine of its own.
    ///
    /// # Errors
    /// Names what only the lab's admin says.
    pub fn of(board: BoardDescription) -> Result<Self, &'static str> {
        let BoardDescription { kind, tags, attributes, dictionary, .. } = board;
        let others = [
            ("console", board.console.is_some()),
            ("outlet", board.outlet.is_some()),
            ("worker", board.worker.is_some()),
            ("health_check", board.health_check.is_some()),
            ("mac", !board.mac.is_empty()),
            ("identity", board.identity.is_some()),
        ];
        match others.into_iter().find(|(_, said)| *said) {
            Some((key, _)) => Err(key),
            None => Ok(Self { kind, tags, attributes, dictionary }),
        }
    }

    /// The board that it is, on the worker of this name.
    pub fn board(&self, worker: &Name) -> BoardDescription {
        let Self { kind, tags, attributes, dictionary } = self.clone();
        BoardDescription {
            kind,
            tags,
            attributes,
            console: None,
            outlet: None,
            dictionary,
            worker: Some(worker.clone()),
            offered: true,
            health_check: None,
            mac: BTreeSet::new(),
            identity: None,
        }
    }
}

/// What a worker is to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkerOrders {
    #[serde(default)]
    pub protocol: u32,
    #[serde(default)]
    pub version: String,
    /// To begin. One that it has already goes on as it is.
    #[serde(default)]
    pub start: Vec<Work>,
    /// Of those that it has and is unsure of, the ones to begin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub begin: Vec<u64>,
    /// To end in good order, and to be told of.
    #[serde(default)]
    pub cancel: Vec<u64>,
    /// To end and to forget: they are not its own any more.
    #[serde(default)]
    pub drop: Vec<u64>,
    /// The number of the newest greeting: the next one's is higher.
    #[serde(default)]
    pub number: u64,
    /// After so long a silence, in seconds, the server gives up what the worker has: [`super::CutOff`].
    #[serde(default)]
    pub gone_s: u64,
}

/// A job with everything that it needs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Work {
    pub id: u64,
    /// The job definition, YAML.
    pub definition: String,
    pub boards: Vec<WorkBoard>,
    /// What lets the job in at the daemons that serve its boards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// It is this script to be run, and no job of LAVA's; the token is for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<WorkScript>,
    /// Its boards stay on when it is complete.
    #[serde(default)]
    pub leave_on: bool,
}

/// A board for a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkBoard {
    #[schema(value_type = String)]
    pub name: Name,
    /// What its dictionary calls it.
    pub hostname: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The device dictionary, YAML.
    pub dictionary: String,
    /// Where its console is: `http://HOST:PORT/consoles/NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlet: Option<String>,
}

/// How much of a log a server has, in bytes: where to go on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogHeld {
    pub held: u64,
    /// It takes no more of it.
    #[serde(default)]
    pub full: bool,
}

/// A job has ended on its worker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkEnd {
    /// How long the log of each board is, in bytes.
    #[serde(default)]
    pub logs: BTreeMap<String, u64>,
    /// What went wrong, where no log tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<WorkFailure>,
}

/// What went wrong, in LAVA's classes of errors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkFailure {
    /// `Infrastructure`, `Configuration`, …
    pub class: String,
    pub message: String,
}

/// A worker as a server knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkerInfo {
    #[schema(value_type = String)]
    pub name: Name,
    pub version: String,
    pub protocol: u32,
    /// It was heard of lately.
    pub live: bool,
    pub seen_us: u64,
    /// So many jobs it runs at a time.
    pub slots: usize,
    /// The jobs that were given to it.
    pub jobs: Vec<u64>,
    /// The machines that it offers, …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub machines: Vec<Name>,
    /// … and why some of them are no boards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<String>,
}

/// Without the token, and without what may be secret in the job.
impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pass_for_images_is_found_in_whatever_stands_around_it() {
        let file: Sha256 = "0123456789abcdef".repeat(4).parse().unwrap();
        let url = image_url(7, &file, "4f8a-7e");
        let found = |text: &str| -> Vec<String> {
            image_passes(text).map(|(at, pass)| format!("{} {pass}", &text[..at])).collect()
        };
        let plain = url.strip_suffix("?pass=4f8a-7e").unwrap();
        assert_eq!(found(&url), [format!("{plain} 4f8a-7e")]);
        let twice = format!("a: \"{url}\"\nb: 'wget {url}; x'\n");
        assert_eq!(found(&twice).len(), 2);
        assert!(found(&twice).iter().all(|found| found.ends_with("4f8a-7e")));
        for other in
            ["http://host/a?pass=1", "?pass=1", "http://host/jobs/7/images/x?pass=1", plain]
        {
            assert!(found(other).is_empty(), "{other}");
        }
    }
}
