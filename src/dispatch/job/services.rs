//! A test block with `services`: programs in containers of this host that tests of the board need.

use super::artefact::{none_of, one_of};
use super::{Source, Text};
use crate::config::Table;

/// One that docker compose starts.
#[derive(Debug, Clone)]
pub struct Service {
    pub name: String,
    /// A git repository, or an archive at a URL.
    pub source: Source,
    /// The compose file in it.
    pub path: String,
    /// The one of its services that is wanted; all without it.
    pub only: Option<String>,
}

impl Service {
    /// Reads the services of a test block.
    pub(super) fn read_all(block: &Table<'_>) -> Vec<Self> {
        block.optional::<Text>("name");
        let services: Vec<Self> =
            block.tables("services").into_iter().filter_map(Self::read).collect();
        for (i, service) in services.iter().enumerate() {
            if services[..i].iter().any(|other| other.name == service.name) {
                block.problem("services", format!("two services are called {:?}", service.name));
            }
        }
        services
    }

    fn read(table: Table<'_>) -> Option<Self> {
        let name: String = table.required("name").unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            table.problem("name", "a service's name has letters, digits, '-' and '_'");
        }
        let text = |key: &str| table.optional::<Text>(key).map(|text| text.0);
        let (branch, revision) = (text("branch"), text("revision"));
        let shallow = Some(table.optional("shallow").unwrap_or(true) && revision.is_none());
        let history = Some(table.optional("history").unwrap_or(true));
        let recursive = table.optional("recursive").unwrap_or(false);
        let repository: String = table.required("repository").unwrap_or_default();
        let from: String = table.required("from").unwrap_or_default();
        one_of(&table, "compression", &["bz2", "gz", "xz", "zip", "zstd"]);
        let source = match from.as_str() {
            "url" => Some(Source::Url { repository, strip: None }),
            "git" => {
                Some(Source::Git { repository, branch, revision, history, recursive, shallow })
            }
            "" => None,
            other => {
                table.problem("from", none_of(other, &["git", "url"]));
                None
            }
        };
        let (path, only) = (table.required("path"), text("service"));
        // docker compose would take it for an option.
        if only.as_ref().is_some_and(|only| only.starts_with('-')) {
            table.problem("service", "the name of a service does not begin with \"-\"");
        }
        table.finish();
        Some(Self { name, source: source?, path: path.unwrap_or_default(), only })
    }
}
