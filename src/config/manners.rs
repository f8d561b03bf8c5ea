//! How a console treats its board and its clients: the keys of `[[console]]` beside its port.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{FromNode, Table};
use crate::model::{Keys, Name, Pace};

/// The shortest time after which somebody, or a line, counts as idle.
const MIN_IDLE: Duration = Duration::from_secs(1);
/// The most break sequences that a table has.
const MAX_BREAKS: usize = 64;

/// What can be sent as a break, by name.
pub type Breaks = BTreeMap<Name, Keys>;

/// How a console treats its board and its clients.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manners {
    /// How fast what is typed goes to the board.
    pub pace: Pace,
    /// What becomes of a session that types nothing.
    pub idle: Option<Idle>,
    /// What is sent to a board that is quiet.
    pub idle_send: Option<IdleSend>,
    /// What is sent whenever the port is opened.
    pub on_open: Option<Keys>,
    /// The one named `default` is sent for a break without name and length.
    pub breaks: Breaks,
}

/// What becomes of a session that could type, and does not for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idle {
    pub after: Duration,
    /// Whether it is let go; else it becomes a spy.
    pub leaves: bool,
}

/// What is sent to a board after nothing went over its line, in either direction, for so long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdleSend {
    pub keys: Keys,
    pub after: Duration,
}

impl Manners {
    /// Reads them from a console's table.
    pub(super) fn from_table(table: &Table<'_>) -> Self {
        let pace = Pace {
            byte: table.parsed("pace", str::parse).unwrap_or_default(),
            line: table.parsed("line_pace", str::parse).unwrap_or_default(),
        };
        let leaves = table.parsed("idle_then", |then| match then {
            "spy" => Ok(false),
            "leave" => Ok(true),
            _ => Err(format!("{then:?} is neither \"spy\" nor \"leave\"")),
        });
        belongs_to(table, "idle_then", "idle");
        let idle = idle_time(table, "idle");
        let idle = idle.map(|after| Idle { after, leaves: leaves.unwrap_or(false) });
        belongs_to(table, "idle_send", "idle_send_after");
        belongs_to(table, "idle_send_after", "idle_send");
        let idle_send = table.parsed("idle_send", str::parse);
        let idle_send = idle_send.zip(idle_time(table, "idle_send_after"));
        let idle_send = idle_send.map(|(keys, after)| IdleSend { keys, after });
        let on_open = table.parsed("on_open", str::parse);
        let breaks = table.table("break").map(|breaks| read_breaks(&breaks)).unwrap_or_default();
        Self { pace, idle, idle_send, on_open, breaks }
    }

    /// Adds the break sequences of all consoles; its own have precedence.
    pub(super) fn add_breaks(&mut self, common: &Breaks) {
        for (name, keys) in common {
            self.breaks.entry(name.clone()).or_insert_with(|| keys.clone());
        }
    }
}

/// Reads `[break]`: names, and what is sent for each.
pub(super) fn read_breaks(table: &Table<'_>) -> Breaks {
    let mut breaks = Breaks::new();
    for (key, node) in table.entries() {
        let at = table.at().key(&key.name);
        let name =
            key.name.parse::<Name>().map_err(|error| at.problem(key.place, error.to_string()));
        let keys = String::from_node(node, &at).and_then(|text| {
            text.parse::<Keys>().map_err(|error| at.problem(node.place, error.to_string())).ok()
        });
        breaks.extend(name.ok().zip(keys));
    }
    if breaks.len() > MAX_BREAKS {
        let count = breaks.len();
        table.at().problem(table.place(), format!("{count} sequences; {MAX_BREAKS} are the most"));
    }
    breaks
}

fn idle_time(table: &Table<'_>, key: &str) -> Option<Duration> {
    let time = table.optional::<Duration>(key)?;
    if time < MIN_IDLE {
        table.problem(key, "that is no time to be idle; 1s is the shortest");
    }
    Some(time)
}

/// Notes when a key is there without the one that it belongs to.
fn belongs_to(table: &Table<'_>, key: &str, other: &str) {
    if table.node(key).is_some() && table.node(other).is_none() {
        table.problem(key, format!("it needs {other:?} beside it"));
    }
}
