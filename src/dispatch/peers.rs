//! What a device dictionary says of boards that are no boards: a machine behind ssh, a container.

use super::job::{Text, Texts};
use crate::config::{Node, Table, Value};

/// How to reach a machine by ssh.
#[derive(Debug, Clone, Default)]
pub struct Ssh {
    pub host: String,
    pub port: u16,
    pub user: String,
    /// What `ssh` and `scp` are always given.
    pub options: Vec<String>,
    /// The file of the private key; the user's own keys without it.
    pub identity: Option<String>,
}

/// The limits and additions of a container.
#[derive(Debug, Clone, Default)]
pub struct DockerOptions {
    /// How many processors; 0 for no limit.
    pub cpus: f64,
    /// 0 for no limit.
    pub memory_mib: u64,
    pub privileged: bool,
    pub capabilities: Vec<String>,
    pub devices: Vec<String>,
    pub networks: Vec<String>,
    pub volumes: Vec<String>,
    pub extra: Vec<String>,
}

/// What `docker` is given for a container that tests run in.
#[derive(Debug, Clone, Default)]
pub struct TestContainer {
    /// Before `run`.
    pub global: Vec<String>,
    /// After it.
    pub run: Vec<String>,
}

impl TestContainer {
    pub(super) fn read(method: &Table<'_>) -> Self {
        let words = |key: &str| method.node(key).map(flat).unwrap_or_default();
        Self { global: words("global_options"), run: words("options") }
    }
}

/// The texts of a list with lists and gaps in it, which templates leave there.
fn flat(node: &Node) -> Vec<String> {
    match &node.value {
        Value::List(items) => items.iter().flat_map(flat).collect(),
        _ => node.as_text().map(ToOwned::to_owned).into_iter().collect(),
    }
}

impl Ssh {
    pub(super) fn read(table: &Table<'_>) -> Self {
        let text = |key: &str| {
            let node = table.node(key).filter(|node| node.value != Value::Null)?;
            let text = table.optional::<Text>(key).filter(|_| node.value != Value::Null)?;
            Some(text.0).filter(|text| !text.is_empty())
        };
        // LAVA ships a key of this name that everybody knows; it is of no use as a file of ours.
        let identity = text("identity_file").filter(|file| file.starts_with('/'));
        let options = table.node("options").filter(|node| node.value != Value::Null);
        Self {
            host: text("host").unwrap_or_default(),
            port: text("port").and_then(|port| port.parse().ok()).unwrap_or(22),
            user: text("user").unwrap_or_else(|| "root".into()),
            options: options.and_then(|_| table.optional::<Texts>("options")).unwrap_or_default().0,
            identity,
        }
    }

    /// As `root@board01`.
    pub fn login(&self) -> String {
        format!("{}@{}", self.user, self.host)
    }
}

impl DockerOptions {
    /// Reads the `options` of a boot method.
    pub(super) fn read(method: &Table<'_>) -> Self {
        let table = method.node("options").filter(|node| node.value != Value::Null);
        let Some(table) = table.and_then(|_| method.table("options")) else {
            return Self::default();
        };
        let texts = |key: &str| {
            let node = table.node(key).filter(|node| node.value != Value::Null);
            node.and_then(|_| table.optional::<Texts>(key)).unwrap_or_default().0
        };
        let number = |key: &str| {
            let text = table.optional::<Text>(key).map(|text| text.0);
            text.and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0)
        };
        Self {
            cpus: number("cpus"),
            memory_mib: number("memory") as u64,
            privileged: table.optional("privileged").unwrap_or(false),
            capabilities: texts("capabilities"),
            devices: texts("devices"),
            networks: texts("networks"),
            volumes: texts("volumes"),
            extra: texts("extra_arguments"),
        }
    }

    /// As the words of `docker run`.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if self.cpus > 0.0 {
            words.push(format!("--cpus={}", self.cpus));
        }
        if self.memory_mib > 0 {
            words.push(format!("--memory={}m", self.memory_mib));
        }
        if self.privileged {
            words.push("--privileged".into());
        }
        let lists = [
            ("cap-add", &self.capabilities),
            ("device", &self.devices),
            ("network", &self.networks),
            ("volume", &self.volumes),
        ];
        for (option, values) in lists {
            words.extend(values.iter().map(|value| format!("--{option}={value}")));
        }
        words.extend(self.extra.iter().cloned());
        words
    }
}
