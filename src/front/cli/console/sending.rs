//! `~$send`: a file goes to the board, and whoever sends it sees how far it is.

use std::path::Path;
use std::time::{Duration, Instant};

use super::session::{Running, Session};
use super::streams::At;
use crate::client::send::Outgoing;
use crate::model::{Interval, Kind};
use crate::wire::attach::{Answer, Verb};

/// How many pieces are under way: one is sent while the next one waits.
const UNDER_WAY: usize = 2;
/// How often it is told how far it is.
const TOLD: Duration = Duration::from_secs(5);

/// A file on its way.
#[derive(Debug)]
pub(super) struct Sending {
    outgoing: Outgoing,
    name: String,
    /// The requests that are not answered yet, oldest first.
    asked: Vec<u64>,
    begun: Instant,
    told: Instant,
    /// Nothing more is sent, because of this.
    ended: Option<String>,
    cancelled: bool,
}

impl Sending {
    /// What is known when the connection is lost.
    pub(super) fn lost(&self) -> String {
        let (sent, more) = (self.outgoing.sent(), self.outgoing.uncertain());
        format!("{}: {sent} bytes were sent, and perhaps {more} more", self.name)
    }

    /// `boot.scr: 40 %, 400 of 1000 bytes, 35 s left`
    fn progress(&self) -> String {
        let sent = self.outgoing.sent();
        let Some(length) = self.outgoing.length().filter(|length| *length > 0) else {
            return format!("{}: {sent} bytes", self.name);
        };
        let elapsed = self.begun.elapsed().as_secs_f64();
        let left = elapsed / sent.max(1) as f64 * length.saturating_sub(sent) as f64;
        let percent = sent * 100 / length;
        format!("{}: {percent} %, {sent} of {length} bytes, {left:.0} s left", self.name)
    }
}

impl Session {
    pub(super) fn begin_sending(
        &mut self,
        file: &Path,
        pace: Option<Interval>,
        line_pace: Option<Interval>,
    ) {
        if matches!(self.terminal, At::Elsewhere) {
            let told = "send: your files are not here; type one from there: ssh … panda01 < FILE";
            return self.fail(Kind::User, &told.replace("panda01", self.target.board.as_str()));
        }
        if self.spy {
            let told = self.words().read_only(self.holder.as_ref());
            return self.fail(Kind::Refused, &told);
        }
        let outgoing = match Outgoing::file(file) {
            Ok(outgoing) => outgoing.paced(pace, line_pace),
            Err(error) => {
                return self.fail(Kind::User, &format!("send: {}: {error}", file.display()));
            }
        };
        let name = outgoing.name().unwrap_or("the file").to_owned();
        if self.interactive {
            self.output.say(&format!("[sending {name}; Ctrl-C ends it]"));
        }
        let now = Instant::now();
        let (asked, ended) = (Vec::new(), None);
        self.running = Some(Running::Send(Box::new(Sending {
            outgoing,
            name,
            asked,
            begun: now,
            told: now,
            ended,
            cancelled: false,
        })));
    }

    /// Gets on with sending: there is always a piece that waits for the one before it.
    pub(super) fn send_on(&mut self) {
        loop {
            let Some(Running::Send(sending)) = &mut self.running else { return };
            if sending.ended.is_some() || sending.cancelled || sending.asked.len() >= UNDER_WAY {
                break;
            }
            match sending.outgoing.next_piece() {
                Ok(Some(piece)) => match self.attachment.ask_later(Verb::Send(piece)) {
                    Ok(id) => sending.asked.push(id),
                    // That the connection is lost is told with what is known then.
                    Err(_) => return,
                },
                Ok(None) => break,
                Err(error) => sending.ended = Some(error.to_string()),
            }
        }
        let Some(Running::Send(sending)) = &mut self.running else { return };
        if sending.cancelled && sending.ended.is_none() {
            sending.ended = Some("cancelled".into());
            // Both are called back: the first is sent at present, the other one waits.
            for id in sending.asked.clone() {
                let _ = self.attachment.ask_later(Verb::Cancel { send: id });
            }
        }
        self.end_sending();
    }

    /// Whether an answer is about what is being sent; takes note of it then.
    pub(super) fn sent(&mut self, id: u64, answer: &Answer) -> bool {
        let Some(Running::Send(sending)) = &mut self.running else { return false };
        let Some(at) = sending.asked.iter().position(|asked| *asked == id) else {
            // The answer to having called something back says nothing new.
            return sending.cancelled;
        };
        sending.asked.remove(at);
        match answer {
            Answer::Sent { bytes, missing, reason, again } => {
                sending.outgoing.settled(*bytes);
                if *missing > 0 && !*again {
                    sending.ended = sending.ended.take().or(reason.clone());
                }
            }
            Answer::Refused { reason } => {
                sending.outgoing.settled(0);
                sending.ended = sending.ended.take().or(Some(reason.clone()));
            }
            _ => {}
        }
        if self.interactive && sending.told.elapsed() >= TOLD {
            sending.told = Instant::now();
            let line = format!("[{}]", sending.progress());
            self.output.say(&line);
        }
        true
    }

    /// Stops sending; false when nothing is being sent, or that was said already.
    pub(super) fn cancel_sending(&mut self) -> bool {
        match &mut self.running {
            Some(Running::Send(sending)) if !sending.cancelled => {
                sending.cancelled = true;
                true
            }
            _ => false,
        }
    }

    /// Tells what was sent, once nothing is under way any more.
    fn end_sending(&mut self) {
        let Some(Running::Send(sending)) = &self.running else { return };
        if !sending.asked.is_empty() {
            return;
        }
        let (name, sent) = (&sending.name, sending.outgoing.sent());
        let line = match &sending.ended {
            None => Ok(format!("[{name}: {sent} bytes are sent]")),
            Some(why) => Err(format!("[{name}: only {sent} bytes were sent: {why}]")),
        };
        self.running = None;
        self.ending.acted = tokio::time::Instant::now();
        self.ending.typed = true;
        match line {
            Ok(line) => self.output.say(&line),
            Err(line) => self.fail(Kind::Failed, &line),
        }
    }
}
