//! What consoles printed before: read and searched by their daemons.

use std::collections::HashMap;

use super::{Common, News, PaneNews};
use crate::client::history::Held;
use crate::client::search::{Query, Search};
use crate::client::{ConsoleRef, history};
use crate::front::tui::app::MAX_FOUND;
use crate::front::tui::app::boards::Id;
use crate::front::tui::app::past::{Line, Page, Want};
use crate::model::Failure;
use crate::wire::lines::{self, Lines};
use crate::wire::plain::plain;
use crate::wire::search::Match;

/// So many bytes are read at a time.
const CHUNK: u64 = 64 * 1024;
/// The most characters of a line that are shown.
const MAX_TEXT: usize = 2000;
/// The most consoles that one search names.
const NAMED: usize = 100;
/// What is found is told in pieces of so many lines.
const BATCH: usize = 256;

/// What is in a range of a record, and which range that is.
struct Part {
    lines: Vec<Line>,
    from: u64,
    to: u64,
}

/// Reads a part of a console's record. What is not held, within it or beside it, is passed over.
pub(super) async fn page(console: &ConsoleRef, want: Want) -> Result<Page, Failure> {
    let Held { first, head } = history::held(console).await?;
    let first = first.min(head);
    let (from, to) = match want {
        Want::Before(to) => (to.min(head).saturating_sub(CHUNK), to),
        Want::After(from) => (from, from.saturating_add(CHUNK)),
        Want::Around(at) => (at.saturating_sub(CHUNK / 2), at.saturating_add(CHUNK / 2)),
    };
    let (from, to) = (from.clamp(first, head), to.clamp(first, head));
    let begins = |from| from == first || matches!(want, Want::After(_));
    let ends = |to| to == head || matches!(want, Want::Before(_));
    let mut part = read(console, from, to, begins(from), ends(to)).await?;
    if part.lines.is_empty() {
        part = match want {
            Want::Before(_) => match last_held(console, first, from).await? {
                Some(end) => {
                    let from = end.saturating_sub(CHUNK).max(first);
                    Part { to, ..read(console, from, end, begins(from), true).await? }
                }
                None => Part { lines: Vec::new(), from: first, to },
            },
            Want::After(_) | Want::Around(_) => match next_held(console, to, head).await? {
                Some(next) => {
                    let to = next.saturating_add(CHUNK).min(head);
                    Part { from, ..read(console, next, to, true, ends(to)).await? }
                }
                None => Part { lines: Vec::new(), from, to: head },
            },
        };
    }
    let Part { lines, from, to } = part;
    Ok(Page { want, lines, from, to, first, head })
}

/// The offset of the first byte that is held of a range.
async fn next_held(console: &ConsoleRef, from: u64, to: u64) -> Result<Option<u64>, Failure> {
    if from >= to {
        return Ok(None);
    }
    let frame = history::past(console, from, Some(to)).await?.next().await?;
    Ok(frame.map(|frame| frame.offset))
}

/// An offset behind the last byte that is held of a range, and less than a chunk behind it: found by
/// halving.
async fn last_held(console: &ConsoleRef, from: u64, to: u64) -> Result<Option<u64>, Failure> {
    let Some(mut from) = next_held(console, from, to).await? else { return Ok(None) };
    let mut to = to;
    while to - from > CHUNK {
        let middle = from + (to - from) / 2;
        match next_held(console, middle, to).await? {
            Some(held) => from = held,
            None => to = middle,
        }
    }
    Ok(Some(to))
}

/// The lines of a range. Unless it begins with a whole one the first is left out; so for the last.
async fn read(
    console: &ConsoleRef,
    from: u64,
    to: u64,
    begins: bool,
    ends: bool,
) -> Result<Part, Failure> {
    let mut lines = Vec::new();
    let mut cutter = Lines::default();
    let mut past = history::past(console, from, Some(to)).await?;
    while let Some(frame) = past.next().await? {
        cutter.push(&frame, |line| lines.push(shown(&line)));
    }
    let mut part = Part { lines, from, to };
    let rest = cutter.finish().map(|line| shown(&line));
    if ends || part.lines.is_empty() {
        part.lines.extend(rest);
    } else if let Some(rest) = rest {
        part.to = rest.offset;
    }
    if !begins && part.lines.len() > 1 && part.lines[0].offset == from {
        part.lines.remove(0);
        part.from = part.lines[0].offset;
    }
    Ok(part)
}

fn shown(line: &lines::Line) -> Line {
    let text = plain(&line.bytes).chars().take(MAX_TEXT).collect();
    Line { offset: line.offset, end: line.end, time_us: line.time_us, text }
}

/// As with other pagers: letters mean both cases, unless there is a capital among them.
fn ignores_case(pattern: &str) -> bool {
    !pattern.contains(char::is_uppercase)
}

fn query<'a>(pattern: &'a str, consoles: &'a [&'a str], limit: usize) -> Query<'a> {
    let (ignore_case, limit) = (ignores_case(pattern), limit as u64);
    Query { grep: pattern, ignore_case, from: None, to: None, consoles, limit }
}

/// Searches a console's whole record.
pub(super) async fn search(
    common: Common,
    pane: u64,
    ticket: u64,
    console: ConsoleRef,
    pattern: String,
) {
    let found = async {
        let names = [console.name()];
        let query = query(&pattern, &names, MAX_FOUND);
        let mut search = Search::begin(&console.http(), &query).await?;
        let mut offsets = Vec::new();
        loop {
            let found = search.next().await?;
            let ended = found.is_none();
            offsets.extend(found.map(|found| found.offset));
            if offsets.len() == BATCH || ended {
                let offsets = std::mem::take(&mut offsets);
                common.tell(News::Pane(pane, PaneNews::Found { ticket, offsets })).await;
            }
            if ended {
                return Ok::<bool, Failure>(search.end().is_some_and(|end| end.more));
            }
        }
    };
    let (more, trouble) = match found.await {
        Ok(more) => (more, None),
        Err(failure) => (false, Some(failure)),
    };
    common.tell(News::Pane(pane, PaneNews::Searched { ticket, more, trouble })).await;
}

/// Searches the records of many consoles, one daemon after the other.
pub(super) async fn search_all(
    common: Common,
    ticket: u64,
    consoles: Vec<(Id, ConsoleRef)>,
    pattern: String,
    limit: usize,
) {
    let mut rest = consoles;
    let (mut left, mut trouble) = (limit, None);
    while let Some((_, first)) = rest.first().cloned() {
        let (mut here, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(|(_, console)| {
            console.endpoint == first.endpoint && console.login == first.login
        });
        let surplus = here.split_off(here.len().min(NAMED));
        rest = [surplus, others].concat();
        match search_daemon(&common, ticket, &here, &pattern, left).await {
            Ok(found) => left = left.saturating_sub(found),
            Err(failure) => trouble = trouble.or(Some(failure.message)),
        }
        if left == 0 {
            trouble = Some(format!("there are more than {limit}"));
            break;
        }
    }
    common.tell(News::Searched { ticket, trouble }).await;
}

async fn search_daemon(
    common: &Common,
    ticket: u64,
    consoles: &[(Id, ConsoleRef)],
    pattern: &str,
    limit: usize,
) -> Result<usize, Failure> {
    let ids: HashMap<&str, &Id> = consoles.iter().map(|(id, c)| (c.name(), id)).collect();
    let names: Vec<&str> = consoles.iter().map(|(_, console)| console.name()).collect();
    let Some((_, first)) = consoles.first() else { return Ok(0) };
    let mut search = Search::begin(&first.http(), &query(pattern, &names, limit)).await?;
    let (mut count, mut rows) = (0, Vec::new());
    loop {
        let found = search.next().await?;
        let ended = found.is_none();
        let row = |found: Match| Some(((*ids.get(found.console.as_str())?).clone(), found));
        rows.extend(found.and_then(row));
        if rows.len() == BATCH || (ended && !rows.is_empty()) {
            count += rows.len();
            let rows = std::mem::take(&mut rows);
            common.tell(News::Found { ticket, rows }).await;
        }
        if ended {
            return Ok(count);
        }
    }
}
