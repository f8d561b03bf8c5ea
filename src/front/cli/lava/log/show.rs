//! A console's stream on standard output: its bytes, its lines, or a recording.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::super::Context;
use super::super::context::Stop;
use super::timeline::Timeline;
use super::{LogArgs, Source};
use crate::client::attach::{From, Item, Options};
use crate::client::{Attachment, history};
use crate::front::cli::clock::local;
use crate::front::cli::last_words;
use crate::model::event::Mode;
use crate::model::{Event, Failure, Point, What, goes_by};
use crate::wire::asciicast::Asciicast;
use crate::wire::frame::Frame;
use crate::wire::lines::{Line, Lines};
use crate::wire::pattern::Pattern;
use crate::wire::plain::plain;
use crate::wire::tame::Tame;

/// A line without an end is shown to a person when nothing came for so long: a prompt.
const PROMPT: Duration = Duration::from_millis(300);

/// In which form a stream is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Bytes,
    Lines,
    Cast,
}

/// One console's stream, shown.
#[derive(Debug)]
pub(super) struct Show<'a> {
    ctx: &'a Context,
    source: Source,
    form: Form,
    /// Whether lines have their board's name in front.
    named: bool,
    timestamps: bool,
    json: bool,
    /// Whose lines are shown; everybody's when it is empty.
    who: Option<String>,
    pattern: Option<Arc<Pattern>>,
    terminal: bool,
    lines: Lines,
    timeline: Timeline,
    cast: Asciicast,
    tame: Tame,
    /// The offset of the next byte, if there was one before.
    next: Option<u64>,
    /// Whether the line that has no end yet is on the screen.
    prompted: bool,
    /// The board's bytes are on this process's terminal, and what they have set is not undone.
    touched: bool,
}

impl<'a> Show<'a> {
    pub(super) fn new(
        ctx: &'a Context,
        args: &LogArgs,
        source: &Source,
        form: Form,
        named: bool,
    ) -> Self {
        Self {
            ctx,
            source: source.clone(),
            form,
            named,
            timestamps: args.timestamps,
            json: args.json,
            who: args.who.clone(),
            pattern: None,
            terminal: ctx.screen().is_terminal,
            lines: Lines::default(),
            timeline: Timeline::new(&source.console),
            cast: Asciicast::default(),
            tame: Tame::default(),
            next: None,
            prompted: false,
            touched: false,
        }
    }

    /// Shows only lines that match, and when they came.
    pub(super) fn grep(mut self, pattern: Arc<Pattern>) -> Self {
        self.timestamps |= self.named;
        self.pattern = Some(pattern);
        self
    }

    /// Shows what is held between two offsets.
    pub(super) async fn past(&mut self, from: u64, to: Option<u64>) -> Result<(), Stop> {
        let head = history::held(&self.source.console).await?.head;
        let end = to.unwrap_or(head).min(head);
        let mut past = history::past(&self.source.console, from, Some(end)).await?;
        while let Some(frame) = past.next().await? {
            self.frame(&frame, end).await?;
        }
        self.finish(end).await
    }

    /// Attaches, for what came from an offset on and what will come.
    pub(super) async fn attach(&self, from: u64) -> Result<Attachment, Failure> {
        let from = From::Past(Point::Offset(from));
        let user = Some(self.ctx.user().to_owned());
        let options = Options { mode: Mode::Spy, from, user, size: None, stay: false };
        Attachment::open(self.source.console.clone(), options).await
    }

    /// Shows what comes, across restarts of the daemon.
    pub(super) async fn follow(&mut self, mut attachment: Attachment) -> Result<(), Stop> {
        loop {
            let prompt = self.terminal && !self.prompted && !self.lines.pending().is_empty();
            let item = tokio::select! {
                item = attachment.next() => item,
                () = tokio::time::sleep(PROMPT), if prompt && self.pattern.is_none() => {
                    self.prompt().await?;
                    continue;
                }
            };
            let told = match item {
                Item::Bytes(frame) => {
                    self.frame(&frame, frame.end()).await?;
                    continue;
                }
                Item::Lost { reason } => format!("lost: {reason}; reconnecting"),
                Item::Resumed(_) => {
                    self.timeline = Timeline::new(attachment.console());
                    "back".to_owned()
                }
                Item::Renumbered { .. } => {
                    self.next = None;
                    "the console's record is a new one; something may be missing".to_owned()
                }
                _ => continue,
            };
            self.ctx.note(&format!("{}: {told}", self.source.board)).await;
        }
    }

    /// Shows a piece. Everything that happened before the offset `end` is known to the daemon.
    async fn frame(&mut self, frame: &Frame, end: u64) -> Result<(), Stop> {
        if let Some(next) = self.next.replace(frame.end()).filter(|next| *next < frame.offset) {
            let missing = frame.offset - next;
            let what = format!("{}: {missing} bytes are not held", self.source.board);
            self.ctx.note(&what).await;
        }
        match self.form {
            Form::Bytes if self.terminal => {
                self.touched = self.ctx.is_local();
                self.ctx.out_beside(&self.tame.feed(&frame.bytes)).await
            }
            Form::Bytes => self.ctx.out(&frame.bytes).await,
            Form::Cast => self.recorded(frame, end).await,
            Form::Lines => {
                let mut lines = Vec::new();
                self.lines.push(frame, |line| lines.push(line));
                for line in lines {
                    self.line(&line, end).await?;
                }
                Ok(())
            }
        }
    }

    /// Shows what is left when the past ends.
    async fn finish(&mut self, end: u64) -> Result<(), Stop> {
        match self.form {
            // The past may end in the middle of a colour, or of an editor.
            Form::Bytes if self.terminal => {
                self.touched = false;
                self.ctx.out_beside(&self.tame.undo()).await
            }
            Form::Lines => match self.lines.finish() {
                Some(line) => self.line(&line, end).await,
                None => Ok(()),
            },
            Form::Bytes | Form::Cast => Ok(()),
        }
    }

    /// Shows a line, if it is one of those that are asked for.
    pub(super) async fn line(&mut self, line: &Line, end: u64) -> Result<(), Stop> {
        let prompted = std::mem::take(&mut self.prompted);
        if self.pattern.as_ref().is_some_and(|pattern| !pattern.matches(&line.bytes)) {
            return Ok(());
        }
        self.any_line(line, end, prompted).await
    }

    /// Shows a line whether it matches or not.
    pub(super) async fn any_line(
        &mut self,
        line: &Line,
        end: u64,
        prompted: bool,
    ) -> Result<(), Stop> {
        let mut typists = None;
        if let Some(wanted) = &self.who {
            let who = self.timeline.typists(line.offset..line.end, end.max(line.end)).await?;
            if !wanted.is_empty() && !who.iter().any(|who| goes_by(who, wanted)) {
                return Ok(());
            }
            typists = Some(who);
        }
        if self.json {
            let mut value = json!({
                "console": self.source.board,
                "offset": line.offset,
                "end": line.end,
                "time_us": line.time_us,
                "line": String::from_utf8_lossy(&line.bytes),
            });
            if let Some(typists) = typists {
                value["who"] = json!(typists);
            }
            return self.ctx.out_json(&value).await;
        }
        let mut text = self.front(line.time_us, typists.as_deref()).into_bytes();
        if prompted {
            text.insert(0, b'\r');
        }
        text.extend(self.shown(&line.bytes));
        text.push(b'\n');
        self.ctx.out(&text).await
    }

    /// Shows the line that has no end yet.
    async fn prompt(&mut self) -> Result<(), Stop> {
        self.prompted = true;
        if self.form != Form::Lines || self.json || self.who.is_some() {
            return Ok(());
        }
        let mut text = self.front(self.lines.pending_since(), None).into_bytes();
        text.extend(self.shown(self.lines.pending()));
        self.ctx.out(&text).await
    }

    /// What a line has in front: board, time, who typed.
    fn front(&self, time_us: u64, typists: Option<&[String]>) -> String {
        let mut front = String::new();
        if self.named {
            front.push_str(&format!("{}  ", self.source.board));
        }
        if self.timestamps {
            front.push_str(&format!("{}  ", local(time_us)));
        }
        match typists {
            Some([]) => front.push_str("-  "),
            Some(typists) => front.push_str(&format!("{}  ", plain(typists.join(",").as_bytes()))),
            None => {}
        }
        front
    }

    fn shown(&self, line: &[u8]) -> Vec<u8> {
        if self.terminal { plain(line).into_bytes() } else { line.to_vec() }
    }

    /// Adds a piece to the recording, and what happened before it.
    async fn recorded(&mut self, frame: &Frame, end: u64) -> Result<(), Stop> {
        let mut text = String::new();
        if self.cast == Asciicast::default() {
            text = self.cast.header(self.source.board.as_str(), frame.time_us);
        }
        for event in self.timeline.events(frame.offset..frame.end(), end).await? {
            match (&event.what, label(event)) {
                (What::Input { text: typed }, _) if self.who.is_some() => {
                    let typed: Vec<u8> = typed.chars().map(|c| c as u8).collect();
                    let typed = String::from_utf8_lossy(&typed);
                    text.push_str(&self.cast.input(event.time_us, &typed));
                }
                (_, Some(label)) => text.push_str(&self.cast.marker(event.time_us, &label)),
                _ => {}
            }
        }
        text.push_str(&self.cast.output(frame.time_us, &frame.bytes));
        self.ctx.out(text.as_bytes()).await
    }
}

/// However it ends, the terminal is left as a shell likes it.
impl Drop for Show<'_> {
    fn drop(&mut self) {
        if self.touched {
            last_words::print(self.tame.undo());
        }
    }
}

/// What a recording's mark says of an event; `None` for what needs no mark.
fn label(event: &Event) -> Option<String> {
    let what = match &event.what {
        What::Power { verb, phase, .. } => format!("power {verb} {phase:?}").to_lowercase(),
        What::Break { ms } => format!("break {ms} ms"),
        What::Job { id, phase } => format!("job {id} {phase:?}").to_lowercase(),
        _ => return None,
    };
    let who = event.who.as_deref().map(|who| format!(" ({who})")).unwrap_or_default();
    Some(what + &who)
}
