//! Which lines of a log are wanted.

use super::Entry;
use crate::dispatch::results::LAVA;
use crate::wire::pattern::Pattern;

/// Who said a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The board.
    Target,
    /// The dispatcher, typing at the board.
    Input,
    /// The dispatcher, about what it does.
    Dispatcher,
}

/// What lines must have; what is empty or `None` is no condition.
#[derive(Debug, Default)]
pub struct Filter {
    /// LAVA's levels.
    pub levels: Vec<String>,
    /// Actions by name or level; the ones inside them count too.
    pub actions: Vec<String>,
    pub origins: Vec<Origin>,
    pub pattern: Option<Pattern>,
    /// From when on and until when, in microseconds since the epoch.
    pub since: Option<u64>,
    pub until: Option<u64>,
}

impl Filter {
    pub fn wants(&self, entry: &Entry) -> bool {
        (self.levels.is_empty() || self.levels.contains(&entry.lvl))
            && (self.origins.is_empty() || self.origins.contains(&origin(entry)))
            && (self.actions.is_empty() || self.actions.iter().any(|name| is_of(entry, name)))
            && self.is_in_time(entry)
            && self.pattern.as_ref().is_none_or(|p| p.matches(entry.text().as_bytes()))
    }

    fn is_in_time(&self, entry: &Entry) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        // A line without a time that can be read is shown rather than hidden.
        let Some(time) = entry.time_us() else { return true };
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }
}

fn origin(entry: &Entry) -> Origin {
    match entry.lvl.as_str() {
        "target" | "feedback" => Origin::Target,
        "input" => Origin::Input,
        _ => Origin::Dispatcher,
    }
}

/// Whether a line belongs to the action of this name or level. An action's own result comes after its
/// end.
fn is_of(entry: &Entry, action: &str) -> bool {
    let under_way = entry.actions.iter().any(|(level, name)| level == action || name == action);
    let of = |key: &str| entry.msg.get(key).and_then(|value| value.as_str());
    let result = of("definition") == Some(LAVA)
        && (of("case") == Some(action) || of("level") == Some(action));
    under_way || result
}
