//! RFC 2217 for one telnet connection: its requests become changes of the console's line.
//!
//! Each answer tells how the line is after the request. So a client that may not write, or whose
//! port refused, learns from it what the truth is.
//!
//! There is one line for all clients: of two that set it differently the later one wins, unless one
//! holds the console exclusively. The other is not told here, since RFC 2217 has no word for it that
//! clients would not take for an answer; but the event says who has set what, to everyone. What only
//! says again how the line is set changes nothing: labgrid does so all the time.

use bytes::BytesMut;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::console::{LineChange, Session};
use crate::model::line::{Line, LineErrors};
use crate::wire::rfc2217::{Answer, Control, Purge, Request, line_state, modem_state};

/// What belongs to one connection.
#[derive(Debug)]
pub(super) struct ComPort {
    line: watch::Receiver<Line>,
    state: ComPortState,
}

/// What was agreed with a client.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct ComPortState {
    /// What it was told last.
    told: Line,
    line_mask: u8,
    modem_mask: u8,
}

impl ComPort {
    /// A client has agreed to the option. It is told the modem lines once without asking, since
    /// some wait for that.
    pub(super) async fn begin(session: &Session, out: &mut BytesMut) -> Self {
        let mut line = session.watch_line().await;
        let told = *line.borrow_and_update();
        let state = ComPortState { told, line_mask: 0, modem_mask: u8::MAX };
        state.modem_state(told).encode(out);
        Self { line, state }
    }

    /// Goes on with a client of another process, that has agreed to the option there.
    pub(super) async fn resume(session: &Session, state: ComPortState) -> Self {
        Self { line: session.watch_line().await, state }
    }

    pub(super) fn into_state(self) -> ComPortState {
        self.state
    }

    /// Carries out what a client asks, and appends the answer.
    pub(super) async fn answer(&mut self, session: &Session, request: Request, out: &mut BytesMut) {
        if let Some(change) = change(request)
            && let Err(reason) = session.change_line(change).await
        {
            tracing::debug!(user = session.user(), ?change, reason, "the line is not changed");
        }
        let line = session.line();
        let settings = line.settings;
        let name;
        let answer = match request {
            Request::Signature => {
                name = format!("lavamux {}", session.console().name());
                Answer::Signature(name.as_bytes())
            }
            Request::Baud(_) => Answer::Baud(settings.framing.baud),
            Request::DataBits(_) => Answer::DataBits(settings.framing.data_bits),
            Request::Parity(_) => Answer::Parity(settings.framing.parity),
            Request::StopBits(_) => Answer::StopBits(settings.framing.stop_bits),
            Request::Control(Control::Flow(_)) => Answer::Flow(settings.flow),
            Request::Control(Control::InboundFlow) => Answer::InboundFlow(settings.flow),
            Request::Control(Control::Break(_)) => Answer::Break(line.breaking),
            Request::Control(Control::Dtr(_)) => Answer::Dtr(line.outputs.dtr),
            Request::Control(Control::Rts(_)) => Answer::Rts(line.outputs.rts),
            Request::LineState => Answer::LineState(line_state::EMPTY),
            Request::ModemState => {
                let answer = self.state.modem_state(line);
                // It is not told of that again.
                self.state.told.inputs = line.inputs;
                answer
            }
            Request::LineStateMask(mask) => {
                self.state.line_mask = mask.unwrap_or(self.state.line_mask);
                Answer::LineStateMask(self.state.line_mask)
            }
            Request::ModemStateMask(mask) => {
                self.state.modem_mask = mask.unwrap_or(self.state.modem_mask);
                Answer::ModemStateMask(self.state.modem_mask)
            }
            Request::Purge(purge) => Answer::Purge(purge),
            Request::ClientSignature | Request::Suspend | Request::Resume => return,
        };
        answer.encode(out);
    }

    /// Waits until the line has changed; for ever when the console is gone. Cancel safe.
    pub(super) async fn changed(&mut self) {
        if self.line.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Appends what the client wants to know of since it was told last.
    pub(super) fn notify(&mut self, out: &mut BytesMut) {
        let now = *self.line.borrow_and_update();
        let before = std::mem::replace(&mut self.state.told, now);
        let modem = modem_state(before.inputs, now.inputs);
        let wires = modem ^ modem_state(before.inputs, before.inputs);
        if wires & self.state.modem_mask != 0 {
            Answer::ModemState(modem & self.state.modem_mask).encode(out);
        }
        let errors = line_errors(before.errors, now.errors) & self.state.line_mask;
        if errors != 0 {
            Answer::LineState(errors).encode(out);
        }
    }
}

impl ComPortState {
    fn modem_state(&self, line: Line) -> Answer<'static> {
        Answer::ModemState(modem_state(self.told.inputs, line.inputs) & self.modem_mask)
    }
}

/// What a request does to the line.
fn change(request: Request) -> Option<LineChange> {
    match request {
        Request::Baud(baud) => baud.map(LineChange::Baud),
        Request::DataBits(bits) => bits.map(LineChange::DataBits),
        Request::Parity(parity) => parity.map(LineChange::Parity),
        Request::StopBits(bits) => bits.map(LineChange::StopBits),
        Request::Control(Control::Flow(flow)) => flow.map(LineChange::Flow),
        Request::Control(Control::Break(on)) => on.map(LineChange::Break),
        Request::Control(Control::Dtr(on)) => on.map(LineChange::Dtr),
        Request::Control(Control::Rts(on)) => on.map(LineChange::Rts),
        Request::Purge(Purge::Typed | Purge::Both) => Some(LineChange::PurgeTyped),
        Request::ModemState => Some(LineChange::Watch),
        _ => None,
    }
}

/// The bits of the line state for what has been counted since.
fn line_errors(before: LineErrors, now: LineErrors) -> u8 {
    let bit = |before: u32, now: u32, bit: u8| if now == before { 0 } else { bit };
    bit(before.overruns, now.overruns, line_state::OVERRUN)
        | bit(before.parity, now.parity, line_state::PARITY)
        | bit(before.framing, now.framing, line_state::FRAMING)
        | bit(before.breaks, now.breaks, line_state::BREAK)
}
