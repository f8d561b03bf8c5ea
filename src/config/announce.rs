//! `[server]`: the `lava-server` that a daemon announces itself to.

use super::lab::LoginFiles;
use super::{Table, url};
use crate::model::Name;

/// Where a daemon announces itself, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnounceConfig {
    /// `https://HOST:PORT`
    pub url: String,
    pub login: LoginFiles,
    /// What this host is called in the lab; its own name when left out.
    pub host: Option<Name>,
    /// Where clients find the daemon: `https://HOST:PORT`. Its listener's address when left out.
    pub here: Option<String>,
}

impl AnnounceConfig {
    pub(super) fn from_table(table: &Table<'_>) -> Option<Self> {
        let read = |key| table.parsed(key, url::daemon);
        let at = read("url");
        if table.node("url").is_none() {
            table.required::<String>("url");
        }
        let (login, here) = (LoginFiles::from_table(table), read("here"));
        Some(Self { url: at?, login, host: table.optional("host"), here })
    }
}
