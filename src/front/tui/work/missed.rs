//! Boards of daemons that do not answer at the moment: nobody lists them, and they are not gone.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use crate::client::lab::Board;
use crate::client::{Login, Resource};

/// A daemon that is away for so long takes its boards off the list.
const KEEP: Duration = Duration::from_secs(3600);
/// So long a daemon may take to say that it is there.
const THERE: Duration = Duration::from_secs(2);

/// What was known when it was looked last, and since when some of it is missed.
#[derive(Debug, Default)]
pub(super) struct Missed {
    known: Vec<Board>,
    since: HashMap<Resource, Instant>,
}

impl Missed {
    pub(super) fn is_empty(&self) -> bool {
        self.since.is_empty()
    }

    /// The boards that are listed, and those that were, with the consoles and outlets of daemons that do
    /// not answer.
    pub(super) async fn kept(&mut self, listed: Vec<Board>) -> Vec<Board> {
        let there = things(&listed);
        let missing = things(&self.known).into_iter().filter(|thing| !there.contains(thing));
        let daemons: HashSet<Resource> = missing.map(daemon).collect();
        let is_away = async |daemon: Resource| {
            let http = daemon.http().with_timeout(THERE);
            http.is_there("/healthz").await.is_err().then_some(daemon)
        };
        let away: HashSet<Resource> =
            join_all(daemons.into_iter().map(is_away)).await.into_iter().flatten().collect();
        let now = Instant::now();
        let mut since = HashMap::new();
        let mut is_missed = |thing: &Resource| {
            if !away.contains(&daemon(thing)) {
                return false;
            }
            let from = self.since.get(thing).copied().unwrap_or(now);
            since.insert(thing.clone(), from);
            now.duration_since(from) < KEEP
        };
        let boards = with_missed(&self.known, &listed, &mut is_missed);
        (self.known, self.since) = (boards.clone(), since);
        boards
    }
}

/// The daemon of a console or an outlet.
fn daemon(thing: &Resource) -> Resource {
    let login = Login { behalf: None, ..thing.login.clone() };
    Resource { endpoint: thing.endpoint.clone(), path: String::new(), login }
}

/// The consoles and outlets of some boards.
fn things(boards: &[Board]) -> HashSet<&Resource> {
    boards.iter().flat_map(|board| board.console.iter().chain(&board.outlet)).collect()
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Console,
    Outlet,
}

impl Part {
    fn of(self, board: &Board) -> &Option<Resource> {
        match self {
            Self::Console => &board.console,
            Self::Outlet => &board.outlet,
        }
    }

    fn of_mut(self, board: &mut Board) -> &mut Option<Resource> {
        match self {
            Self::Console => &mut board.console,
            Self::Outlet => &mut board.outlet,
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Console => Self::Outlet,
            Self::Outlet => Self::Console,
        }
    }
}

/// Adds to the boards that are listed what is missed of those that were known. A daemon that was started
/// again is somewhere else, and what it lists stands for what was there by the same name.
fn with_missed(
    known: &[Board],
    listed: &[Board],
    is_missed: &mut impl FnMut(&Resource) -> bool,
) -> Vec<Board> {
    let mut boards = listed.to_owned();
    let (there, before) = (things(listed), things(known));
    for part in [Part::Console, Part::Outlet] {
        let mut new: Vec<&Board> = listed
            .iter()
            .filter(|b| part.of(b).as_ref().is_some_and(|thing| !before.contains(thing)))
            .collect();
        for board in known {
            let Some(thing) = part.of(board).as_ref().filter(|thing| !there.contains(thing)) else {
                continue;
            };
            if let Some(at) = new.iter().position(|new| new.name == board.name) {
                new.swap_remove(at);
                continue;
            }
            if !is_missed(thing) {
                continue;
            }
            // It stands where its other half is, if that is still there.
            let other = part.other().of(board);
            let half = |half: &Board| {
                let here = other.is_none() || part.other().of(half) == other;
                half.name == board.name && part.of(half).is_none() && here
            };
            let at = boards.iter().position(half).unwrap_or_else(|| {
                boards.push(Board { name: board.name.clone(), console: None, outlet: None });
                boards.len() - 1
            });
            *part.of_mut(&mut boards[at]) = Some(thing.clone());
        }
    }
    boards
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `panda01 1 9`: a board with a console at the daemon 1 and an outlet at 9; 0 is none.
    fn boards(text: &str) -> Vec<Board> {
        let thing = |collection: &str, daemon: &str, name: &str| {
            let url = format!("http://127.0.0.1:{daemon}/{collection}/{name}");
            (daemon != "0").then(|| url.parse().unwrap())
        };
        let board = |line: &str| {
            let [name, console, outlet] =
                line.split_whitespace().collect::<Vec<_>>().try_into().unwrap();
            Board {
                name: name.parse().unwrap(),
                console: thing("consoles", console, name),
                outlet: thing("outlets", outlet, name),
            }
        };
        text.split(',').filter(|line| !line.trim().is_empty()).map(board).collect()
    }

    /// What is shown of those that were known and are listed now, while these daemons are away.
    fn kept(known: &str, listed: &str, away: &[u16]) -> Vec<Board> {
        let mut is_missed = |thing: &Resource| {
            away.iter().any(|port| thing.to_string().contains(&format!(":{port}/")))
        };
        with_missed(&boards(known), &boards(listed), &mut is_missed)
    }

    #[test]
    fn what_a_daemon_serves_that_is_away_stays_where_it_was() {
        let both = "a 1 9, b 2 9";
        assert_eq!(kept(both, "b 2 9, a 0 9", &[1]), boards("b 2 9, a 1 9"));
        assert_eq!(kept(both, "a 1 0, b 2 0", &[9]), boards(both));
        assert_eq!(kept(both, "", &[1, 2, 9]), boards(both));
        assert_eq!(kept("a 1 0, b 2 0", "b 2 0", &[1]), boards("b 2 0, a 1 0"));
        // It serves other consoles by now, or the inventory has none.
        assert_eq!(kept(both, "b 2 9, a 0 9", &[]), boards("b 2 9, a 0 9"));
    }

    #[test]
    fn a_daemon_that_was_started_again_stands_for_itself() {
        assert_eq!(kept("a 1 9, b 1 9", "a 3 9, b 3 9", &[1]), boards("a 3 9, b 3 9"));
        // Of two with a board of one name one is back.
        assert_eq!(kept("a 1 0, a 2 0", "a 2 0", &[1]), boards("a 2 0, a 1 0"));
        assert_eq!(kept("a 2 0, a 1 0", "a 2 0, a 3 0", &[1]), boards("a 2 0, a 3 0"));
    }
}
