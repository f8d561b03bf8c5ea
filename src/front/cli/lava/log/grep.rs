//! `lava log --grep`: the lines that match, found by the daemons.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use futures_util::future::try_join_all;

use super::super::Context;
use super::super::context::Stop;
use super::show::{Form, Show};
use super::{LogArgs, Source};
use crate::client::search::{Query, Search};
use crate::client::{Endpoint, Http, Login, history};
use crate::model::{Failure, Kind};
use crate::wire::lines::{Line, Lines, MAX_LINE};
use crate::wire::pattern::Pattern;
use crate::wire::search::Match;

/// The most lines that are printed for a daemon.
const LIMIT: u64 = 1_000_000;
/// The most consoles that one request names.
const NAMED: usize = 100;
/// So many bytes around a line are looked at for each line of its context.
const BYTES_PER_LINE: u64 = 512;

/// A daemon, and how it lets us in.
type Daemon<'a> = (&'a Endpoint, &'a Login);

/// The consoles of one board each, and how their lines are shown.
struct Grep<'a> {
    ctx: &'a Context,
    args: &'a LogArgs,
    sources: &'a [Source],
    shows: Vec<Show<'a>>,
    /// Where a live part begins, for each console, when there is one.
    live: Vec<u64>,
    /// Up to where each console's lines are shown with their context.
    shown: Vec<u64>,
}

pub(super) async fn run(
    ctx: &Context,
    args: &LogArgs,
    sources: &[Source],
    text: &str,
) -> Result<(), Stop> {
    let pattern = Pattern::new(text, args.ignore_case);
    let pattern = Arc::new(pattern.map_err(|error| Failure::from_error(Kind::User, &error))?);
    let several = sources.len() > 1;
    let show = |source| Show::new(ctx, args, source, Form::Lines, several).grep(pattern.clone());
    let shows: Vec<Show<'_>> = sources.iter().map(show).collect();
    let (mut live, mut attachments) = (Vec::new(), Vec::new());
    for (source, show) in sources.iter().zip(&shows).filter(|_| args.follow) {
        let from = whole_lines(source).await?;
        // Before the search: whatever happens to the daemon meanwhile, nothing is missed.
        attachments.push(show.attach(from).await?);
        live.push(from);
    }
    let mut grep = Grep { ctx, args, sources, shows, live, shown: vec![0; sources.len()] };
    let failed = grep.past(text).await?;
    if args.follow {
        let following = grep.shows.iter_mut().zip(attachments);
        try_join_all(following.map(|(show, attachment)| show.follow(attachment))).await?;
    }
    failed.map_or(Ok(()), |failure| Err(failure.into()))
}

impl Grep<'_> {
    /// Prints what is found. A daemon that does not answer is told, and is no reason to keep from
    /// others' lines, nor from those to come; gives the last such failure.
    async fn past(&mut self, text: &str) -> Result<Option<Failure>, Stop> {
        let mut daemons: Vec<(Daemon<'_>, HashMap<&str, usize>)> = Vec::new();
        for (at, source) in self.sources.iter().enumerate() {
            let endpoint = (&source.console.endpoint, &source.console.login);
            let room = |(known, consoles): &&mut (Daemon<'_>, HashMap<&str, usize>)| {
                *known == endpoint && consoles.len() < NAMED
            };
            match daemons.iter_mut().find(room) {
                Some((_, consoles)) => consoles.insert(source.console.name(), at),
                None => {
                    daemons.push((endpoint, HashMap::from([(source.console.name(), at)])));
                    None
                }
            };
        }
        let mut failed = None;
        let mut last: VecDeque<(usize, Match)> = VecDeque::new();
        for (daemon, consoles) in daemons {
            let mut names: Vec<&str> = consoles.keys().copied().collect();
            names.sort_unstable();
            let query = Query {
                grep: text,
                ignore_case: self.args.ignore_case,
                from: self.args.since,
                to: self.args.until,
                consoles: &names,
                limit: LIMIT,
            };
            let searched = self.daemon(daemon, &query, &consoles, &mut last).await;
            match searched {
                Err(Stop::Failed(failure))
                    if (self.sources.len() > 1 || self.args.follow)
                        && failure.kind == Kind::Lab =>
                {
                    self.ctx.note(&failure.message).await;
                    failed = Some(failure);
                }
                searched => searched?,
            }
        }
        for (at, found) in last {
            self.show(at, found).await?;
        }
        Ok(failed)
    }

    async fn daemon(
        &mut self,
        (daemon, login): Daemon<'_>,
        query: &Query<'_>,
        consoles: &HashMap<&str, usize>,
        last: &mut VecDeque<(usize, Match)>,
    ) -> Result<(), Stop> {
        let daemon = Http::new(daemon.clone()).with_login(login.clone());
        let mut search = Search::begin(&daemon, query).await?;
        while let Some(found) = search.next().await? {
            let Some(&at) = consoles.get(found.console.as_str()) else { continue };
            if self.live.get(at).is_some_and(|live| found.offset >= *live) {
                continue;
            }
            match self.args.last {
                None => self.show(at, found).await?,
                Some(most) => {
                    last.push_back((at, found));
                    if last.len() > most {
                        last.pop_front();
                    }
                }
            }
        }
        if search.end().is_some_and(|end| end.more) {
            let what = format!("there are more; these are the first {LIMIT} lines");
            self.ctx.note(&what).await;
        }
        Ok(())
    }

    /// Shows a line and its context.
    async fn show(&mut self, at: usize, found: Match) -> Result<(), Stop> {
        let line = Line {
            offset: found.offset,
            time_us: found.time_us,
            bytes: found.line.into(),
            end: found.end,
        };
        let head = line.end;
        let context = self.args.context;
        if context == 0 {
            return self.shows[at].line(&line, head).await;
        }
        let around = self.around(at, &line).await?;
        let before = around.iter().filter(|other| other.end <= line.offset).count();
        let after = around.iter().skip_while(|other| other.offset < line.end).take(context);
        let before = around[before.saturating_sub(context)..before].iter();
        let group: Vec<&Line> = before.chain([&line]).chain(after).collect();
        let apart = group.first().is_some_and(|first| first.offset > self.shown[at]);
        if apart && self.shown.iter().any(|shown| *shown > 0) && !self.args.json {
            self.ctx.out(b"--\n").await?;
        }
        for line in group {
            if line.offset >= self.shown[at] {
                self.shows[at].any_line(line, head, false).await?;
                self.shown[at] = line.end;
            }
        }
        Ok(())
    }

    /// The lines around a line, without those that are cut.
    async fn around(&self, at: usize, line: &Line) -> Result<Vec<Line>, Failure> {
        let reach = self.args.context as u64 * BYTES_PER_LINE;
        let from = line.offset.saturating_sub(reach);
        let to = line.end + reach;
        let mut past = history::past(&self.sources[at].console, from, Some(to)).await?;
        let (mut lines, mut around) = (Lines::default(), Vec::new());
        while let Some(frame) = past.next().await? {
            lines.push(&frame, |line| around.push(line));
        }
        if from > 0 && around.first().is_some_and(|first| first.offset == from) {
            around.remove(0);
        }
        Ok(around)
    }
}

/// Where the line begins that a console has not ended yet, or the head.
async fn whole_lines(source: &Source) -> Result<u64, Failure> {
    let held = history::held(&source.console).await?;
    let from = held.head.saturating_sub(MAX_LINE as u64).max(held.first);
    let mut past = history::past(&source.console, from, Some(held.head)).await?;
    let (mut lines, mut ended) = (Lines::default(), from);
    while let Some(frame) = past.next().await? {
        lines.push(&frame, |line| ended = line.end);
    }
    Ok(ended)
}
