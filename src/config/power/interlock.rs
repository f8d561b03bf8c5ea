//! `[interlock]`, `[leases]` and `[state]`: what counts as use of a board, and what is remembered of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::common::duration;
use super::one;
use crate::config::Table;
use crate::config::capture::state_dir;

/// What counts as use of a board, beside a lease and an exclusive session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterlockConfig {
    /// Whoever is attached and has typed so recently uses the board. Zero: typing is no use.
    pub typing: Duration,
    /// Also who came by telnet or raw TCP, of whom nobody knows who they are: not even themselves may
    /// switch the board then, unless by force.
    pub nameless: bool,
}

/// Where what outlives the daemon is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// The journals of the outlets.
    pub state: PathBuf,
    /// The leases, which all daemons of a host may have in common.
    pub leases: PathBuf,
}

const TYPING: Duration = Duration::from_secs(600);
const LONGEST_TYPING: Duration = Duration::from_secs(24 * 3600);

impl Default for InterlockConfig {
    fn default() -> Self {
        Self { typing: TYPING, nameless: false }
    }
}

impl Default for Folders {
    fn default() -> Self {
        let state = state_dir();
        Self { state: state.join("power"), leases: state.join("leases") }
    }
}

impl InterlockConfig {
    pub(super) fn read(table: &Table<'_>) -> Self {
        Self {
            typing: duration(table, "typing", TYPING, Duration::ZERO..=LONGEST_TYPING),
            nameless: table.optional("nameless").unwrap_or(false),
        }
    }
}

impl Folders {
    /// What the tables `[state]` and `[leases]` say, each in one of the files. A path is seen from the
    /// folder of that file.
    pub(super) fn read(tops: &[Table<'_>]) -> Self {
        let dir = |table: &Table<'_>| {
            let folder = Path::new(table.at().file).parent().unwrap_or(Path::new(""));
            table.optional::<PathBuf>("dir").map(|dir| folder.join(dir))
        };
        let Self { state, leases } = Self::default();
        Self {
            state: one(tops, "state", dir).flatten().unwrap_or(state),
            leases: one(tops, "leases", dir).flatten().unwrap_or(leases),
        }
    }
}
