//! Boards, and the daemons that serve them, as `lava-server` knows them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Lease, LongText, Mac, Name};

/// Whether a board is fit for use; the words are LAVA's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BoardHealth {
    Good,
    /// It is given to nobody.
    Bad,
    /// It is given to nobody, because somebody works on it.
    Maintenance,
    /// It will not come back.
    Retired,
    /// It is given to nobody: its health check is run again and again, whatever comes of it.
    Looping,
    /// Nobody has looked yet. It is given to people.
    Unknown,
}

/// What a board does at the moment; the words are LAVA's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BoardState {
    Idle,
    /// Somebody has leased it.
    Reserved,
    /// A job runs on it.
    Running,
}

/// A board as its admin describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BoardDescription {
    /// Its device type.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: Name,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// What requests can ask for: `arch = "armv7"`, `ram = "1GB"`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// `HOST/NAME` or `NAME` of one that a daemon has announced, or a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<String>,
    /// The same; `PDU/PORT`, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlet: Option<String>,
    /// For jobs: LAVA's device dictionary of the board, YAML or a Jinja2 template. Without one it is what its
    /// type's template says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub dictionary: Option<LongText>,
    /// The one worker that can run jobs on it; any when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub worker: Option<Name>,
    /// It is a machine that its worker offers, and there as long as that does; nobody else says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offered: bool,
    /// The job that tells whether it is in order, a LAVA job definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub health_check: Option<LongText>,
    /// The hardware addresses that are its own; learned from what it tells when none is set.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub mac: BTreeSet<Mac>,
    /// What it says of itself: the text of its /etc/lava-identity, or its serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

impl BoardDescription {
    /// With what is known of the board of this name, where this does not say it: who it is, and that the console
    /// and the outlet of its name are its own.
    #[must_use]
    pub fn knowing(mut self, name: &Name, before: &Self) -> Self {
        if self.mac.is_empty() {
            self.mac.clone_from(&before.mac);
        }
        self.identity = self.identity.or_else(|| before.identity.clone());
        let own = |part: &Option<String>| part.clone().filter(|part| part == name.as_str());
        self.console = self.console.or_else(|| own(&before.console));
        self.outlet = self.outlet.or_else(|| own(&before.outlet));
        self
    }
}

/// In one line for people: `panda, tags hdmi usb, arch=armv7, console farm1/panda01`.
impl fmt::Display for BoardDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        let words = |words: &mut dyn Iterator<Item = String>| words.collect::<Vec<_>>().join(" ");
        let lists = [
            ("tags ", words(&mut self.tags.iter().cloned())),
            ("", words(&mut self.attributes.iter().map(|(key, value)| format!("{key}={value}")))),
            ("console ", self.console.clone().unwrap_or_default()),
            ("outlet ", self.outlet.clone().unwrap_or_default()),
            ("worker ", self.worker.as_ref().map(Name::to_string).unwrap_or_default()),
            ("MAC ", words(&mut self.mac.iter().map(Mac::to_string))),
            ("identity ", self.identity.clone().unwrap_or_default()),
        ];
        lists.iter().filter(|(_, text)| !text.is_empty()).try_for_each(|(called, text)| {
            write!(f, ", {called}{}", text.replace(char::is_control, " "))
        })
    }
}

/// A board as a server tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BoardInfo {
    #[schema(value_type = String)]
    pub name: Name,
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: Name,
    #[serde(default)]
    pub tags: BTreeSet<String>,
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    pub state: BoardState,
    pub health: BoardHealth,
    /// Why it is so healthy, in the words of who has said so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Why it cannot be used now although it is healthy: its console is not announced any more, say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away: Option<String>,
    /// As described.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlet: Option<String>,
    /// Where its console is, as far as that is known: `http://HOST:PORT/consoles/NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlet_url: Option<String>,
    /// As described, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub dictionary: Option<LongText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub worker: Option<Name>,
    /// It is a machine that its worker offers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offered: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub health_check: Option<LongText>,
    /// As described or learned.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub mac: BTreeSet<Mac>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// When it is in maintenance, from and until, in seconds since the Unix epoch: what is not over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub maintenance: Vec<(u64, u64)>,
    /// The job that runs on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<BoardLease>,
}

impl BoardInfo {
    /// Where its SSH server is when a system runs on it.
    pub fn ssh(&self) -> Option<SshPlace> {
        SshPlace::of(&self.attributes)
    }

    /// Until when it is in maintenance at this time, both in seconds since the Unix epoch.
    pub fn maintained_until(&self, now: u64) -> Option<u64> {
        let now_in = |(from, until): &&(u64, u64)| (*from..*until).contains(&now);
        self.maintenance.iter().find(now_in).map(|(_, until)| *until)
    }
}

/// Where a board's SSH server is, as its attributes `address`, `ssh-port` and `ssh-user` say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshPlace {
    pub host: String,
    pub port: u16,
    pub user: String,
}

impl SshPlace {
    /// `None` without an address, or with a port that is none.
    pub fn of(attributes: &BTreeMap<String, String>) -> Option<Self> {
        let host = attributes.get("address")?.clone();
        let port = attributes.get("ssh-port").map_or(Ok(22), |port| port.parse()).ok()?;
        let user = attributes.get("ssh-user").map_or("root", String::as_str).to_owned();
        Some(Self { host, port, user })
    }
}

/// What one types to log in.
impl fmt::Display for SshPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ssh -p {} {}@{}", self.port, self.user, self.host)
    }
}

/// Who has a board by a lease of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BoardLease {
    /// The number of the request and of its lease.
    pub id: u64,
    #[serde(flatten)]
    pub lease: Lease,
}

/// Something that has happened to a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BoardRecord {
    /// In microseconds since the Unix epoch.
    pub time_us: u64,
    pub who: String,
    /// `added`, `changed`, `removed`, `health`, `identity`, `leased`, `released`.
    pub what: String,
    /// Of `added` and `changed` the description, a JSON document; of others a text.
    pub detail: String,
}

impl BoardRecord {
    /// The detail for people.
    pub fn told(&self) -> String {
        let described = serde_json::from_str::<BoardDescription>(&self.detail);
        described.map_or_else(|_| self.detail.clone(), |description| description.to_string())
    }
}

/// A board's new health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthChange {
    pub health: BoardHealth,
    /// Why; others see it.
    #[serde(default)]
    pub reason: String,
    /// Who says so, where nobody logs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// What a board tells of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BoardIdentity {
    /// Its hardware addresses; those that are not its maker's are passed over.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub mac: BTreeSet<Mac>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// That is right, whatever was known before. Needs control of the board.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept: bool,
    /// Who says so, where nobody logs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// What comes of comparing that with what is known of the board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IdentityVerdict {
    pub verdict: Verdict,
    pub why: String,
}

impl IdentityVerdict {
    pub fn new(verdict: Verdict, why: impl Into<String>) -> Self {
        Self { verdict, why: why.into() }
    }
}

/// Whether a board is the one that it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Same,
    /// It was not known before.
    Learned,
    /// The board is bad now.
    Another,
    /// It has told nothing that only one board can be.
    Nothing,
}

/// What a daemon serves.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum DaemonKind {
    /// `lava-serial`.
    Serial,
    /// `lava-power`.
    Power,
}

/// What a daemon tells a server of itself, again and again: so it is known to live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Announcement {
    pub kind: DaemonKind,
    /// What its host is called.
    #[schema(value_type = String)]
    pub host: Name,
    /// Where clients find it: `https://farm1:7100`.
    pub url: String,
    #[serde(default)]
    pub version: String,
    /// Which process of all that there are or were, in words of its own: another one after a restart.
    #[serde(default)]
    pub instance: String,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub consoles: Vec<Name>,
    #[serde(default)]
    pub outlets: Vec<AnnouncedOutlet>,
    /// When somebody typed at a console last, or the power of its board was switched, in microseconds since the Unix
    /// epoch.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, u64>)]
    pub used: BTreeMap<Name, u64>,
}

/// One outlet of an [`Announcement`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AnnouncedOutlet {
    #[schema(value_type = String)]
    pub name: Name,
    #[schema(value_type = String)]
    pub pdu: Name,
    pub port: String,
    /// Who has leased its board there, if somebody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
}

/// A server's answer to an [`Announcement`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Announced {
    /// Within so many seconds it wants to hear of the daemon again.
    pub again_s: u64,
}

/// A daemon as a server knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DaemonInfo {
    pub kind: DaemonKind,
    #[schema(value_type = String)]
    pub host: Name,
    pub url: String,
    pub version: String,
    /// It was heard of lately.
    pub live: bool,
    pub seen_us: u64,
}

/// A console or an outlet that a daemon has announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Announcee {
    #[schema(value_type = String)]
    pub host: Name,
    #[schema(value_type = String)]
    pub name: Name,
    pub url: String,
    pub live: bool,
    /// The board that it belongs to; of none it can be given to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub board: Option<Name>,
}

impl BoardHealth {
    pub const ALL: [Self; 6] =
        [Self::Good, Self::Bad, Self::Maintenance, Self::Retired, Self::Looping, Self::Unknown];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Maintenance => "maintenance",
            Self::Retired => "retired",
            Self::Looping => "looping",
            Self::Unknown => "unknown",
        }
    }

    /// Whether somebody may be given a board of this health.
    pub fn is_usable(self) -> bool {
        matches!(self, Self::Good | Self::Unknown)
    }
}

impl fmt::Display for BoardHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for BoardHealth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|health| health.as_str() == text);
        found.ok_or_else(|| {
            format!(
                "{text:?} is no health: write good, bad, maintenance, retired, looping or unknown"
            )
        })
    }
}

impl BoardState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Reserved => "reserved",
            Self::Running => "running",
        }
    }
}

impl DaemonKind {
    pub const ALL: [Self; 2] = [Self::Serial, Self::Power];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Serial => "serial",
            Self::Power => "power",
        }
    }

    /// What the last part but one of its things' URLs is.
    pub fn collection(self) -> &'static str {
        match self {
            Self::Serial => "consoles",
            Self::Power => "outlets",
        }
    }

    /// Where the things are of a daemon that is found at a URL: theirs have a `/` and their names behind it.
    pub fn place(self, url: &str) -> String {
        let separator = if url.starts_with("unix:") { ":" } else { "" };
        format!("{url}{separator}/{}", self.collection())
    }
}
