//! Nodebooter, a network boot server in a container: what a device dictionary says of it.

use std::path::PathBuf;

use super::device::values::{filled, present};
use super::job::Text;
use crate::config::Table;

/// Where LAVA has its files on the host, and where its API is.
const HOME: &str = "/data/nodebooter";
const API: &str = "http://localhost:12901/nodebooter/api/v2";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nodebooter {
    /// Its folders on this host.
    pub home: PathBuf,
    pub api: String,
    /// A job may name any image for it, which is then root on this host.
    pub trust_jobs: bool,
}

impl Default for Nodebooter {
    fn default() -> Self {
        Self { home: HOME.into(), api: API.into(), trust_jobs: false }
    }
}

impl Nodebooter {
    /// Reads the boot method's `parameters`, of which LAVA has none.
    pub(in crate::dispatch) fn read(method: &Table<'_>) -> Self {
        let Some(table) = present(method, "parameters") else { return Self::default() };
        let text = |key: &str| filled::<Text>(&table, key).map(|text| text.0);
        let own = Self::default();
        Self {
            home: text("home").map_or(own.home, PathBuf::from),
            api: text("api").unwrap_or(own.api),
            trust_jobs: filled(&table, "trust_jobs").unwrap_or(false),
        }
    }
}
