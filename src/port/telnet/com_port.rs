//! RFC 2217 at a client's end: what is asked of the server's line, and what the server has told.

use bytes::BytesMut;
use serde::{Deserialize, Serialize};

use crate::model::line::{Framing, Inputs, Line, LineErrors, LineSettings, Outputs};
use crate::wire::rfc2217::{Answer, Control, Purge, Request, inputs, line_state};

/// The events of the line that we want to know of.
const LINE_STATES: u8 =
    line_state::OVERRUN | line_state::PARITY | line_state::FRAMING | line_state::BREAK;

/// The server's line as we know it.
///
/// What is asked for counts as done until the server says otherwise: it answers later, and some
/// servers leave out an answer. What other clients of the server change is not told to us.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ComPort {
    line: Line,
    /// How many requests about each of [`Setting`] have no answer yet.
    unanswered: [u8; Setting::COUNT],
    news: bool,
    suspended: bool,
}

/// What a request and its answer are about.
#[derive(Debug, Clone, Copy)]
enum Setting {
    Baud,
    DataBits,
    Parity,
    StopBits,
    Flow,
    Dtr,
    Rts,
}

impl ComPort {
    /// The server has agreed to the option: sets the line, or asks how it is set when that is left
    /// to the server; and asks for everything that happens on it.
    pub(super) fn begin(&mut self, framing: Option<Framing>, out: &mut BytesMut) {
        self.line = Line::default();
        match framing {
            Some(framing) => {
                self.line.settings.framing = framing;
                self.ask(settings(self.line.settings), out);
            }
            None => self.ask(QUESTIONS, out),
        }
        self.ask([Request::Control(Control::Dtr(None)), Request::Control(Control::Rts(None))], out);
        self.ask([Request::LineStateMask(Some(LINE_STATES))], out);
        self.ask([Request::ModemStateMask(Some(u8::MAX)), Request::ModemState], out);
    }

    /// Asks for another setting.
    pub(super) fn set_line(&mut self, wanted: LineSettings, out: &mut BytesMut) {
        let known = settings(self.line.settings);
        let changed = settings(wanted).into_iter().zip(known).filter(|(new, old)| {
            // Before the answer has come it is not known.
            new != old || of_request(*new).is_some_and(|about| self.unanswered[about as usize] > 0)
        });
        let changed: Vec<_> = changed.map(|(new, _)| new).collect();
        self.line.settings = wanted;
        self.ask(changed, out);
    }

    pub(super) fn set_outputs(&mut self, wanted: Outputs, out: &mut BytesMut) {
        self.line.outputs = wanted;
        let Outputs { dtr, rts } = wanted;
        let both = [Control::Dtr(Some(dtr)), Control::Rts(Some(rts))];
        self.ask(both.map(Request::Control), out);
    }

    pub(super) fn set_break(&mut self, on: bool, out: &mut BytesMut) {
        self.ask([Request::Control(Control::Break(Some(on)))], out);
    }

    /// Forgets what waits to be sent to the board.
    pub(super) fn purge(&mut self, out: &mut BytesMut) {
        self.ask([Request::Purge(Purge::Typed)], out);
    }

    /// Takes in what the server says.
    pub(super) fn answered(&mut self, answer: Answer<'_>) {
        let before = self.line;
        match answer {
            Answer::Suspend => self.suspended = true,
            Answer::Resume => self.suspended = false,
            Answer::ModemState(bits) => self.line.inputs = inputs(bits),
            Answer::LineState(bits) => count(&mut self.line.errors, bits),
            _ => self.told(answer),
        }
        self.news |= self.line != before;
    }

    /// Takes in how the server says that something is set. While a later request is on its way, an
    /// answer that differs from it is that to an earlier one.
    fn told(&mut self, answer: Answer<'_>) {
        let mut line = self.line;
        let Some(about) = put(answer, &mut line) else { return };
        let unanswered = &mut self.unanswered[about as usize];
        if *unanswered > 1 && line != self.line {
            *unanswered -= 1;
        } else {
            *unanswered = 0;
            self.line = line;
        }
    }

    /// Whether something was told since this was asked last.
    pub(super) fn news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }

    pub(super) fn line(&self) -> (LineSettings, Outputs) {
        (self.line.settings, self.line.outputs)
    }

    pub(super) fn inputs(&self) -> Inputs {
        self.line.inputs
    }

    pub(super) fn errors(&self) -> LineErrors {
        self.line.errors
    }

    /// Whether the server wants no data now.
    pub(super) fn is_suspended(&self) -> bool {
        self.suspended
    }

    fn ask(&mut self, requests: impl IntoIterator<Item = Request>, out: &mut BytesMut) {
        for request in requests {
            if let Some(about) = of_request(request) {
                let unanswered = &mut self.unanswered[about as usize];
                *unanswered = unanswered.saturating_add(1);
            }
            request.encode(out);
        }
    }
}

impl Setting {
    const COUNT: usize = 7;
}

const QUESTIONS: [Request; 5] = [
    Request::Baud(None),
    Request::DataBits(None),
    Request::Parity(None),
    Request::StopBits(None),
    Request::Control(Control::Flow(None)),
];

/// The requests that set a line, in the order of [`QUESTIONS`].
fn settings(line: LineSettings) -> [Request; 5] {
    let Framing { baud, parity, data_bits, stop_bits } = line.framing;
    [
        Request::Baud(Some(baud)),
        Request::DataBits(Some(data_bits)),
        Request::Parity(Some(parity)),
        Request::StopBits(Some(stop_bits)),
        Request::Control(Control::Flow(Some(line.flow))),
    ]
}

fn of_request(request: Request) -> Option<Setting> {
    Some(match request {
        Request::Baud(_) => Setting::Baud,
        Request::DataBits(_) => Setting::DataBits,
        Request::Parity(_) => Setting::Parity,
        Request::StopBits(_) => Setting::StopBits,
        Request::Control(Control::Flow(_)) => Setting::Flow,
        Request::Control(Control::Dtr(_)) => Setting::Dtr,
        Request::Control(Control::Rts(_)) => Setting::Rts,
        _ => return None,
    })
}

/// Notes an answer about a setting in a line, and tells what it is about.
fn put(answer: Answer<'_>, line: &mut Line) -> Option<Setting> {
    let LineSettings { framing, flow } = &mut line.settings;
    Some(match answer {
        Answer::Baud(baud) => {
            framing.baud = baud;
            Setting::Baud
        }
        Answer::DataBits(bits) => {
            framing.data_bits = bits;
            Setting::DataBits
        }
        Answer::Parity(parity) => {
            framing.parity = parity;
            Setting::Parity
        }
        Answer::StopBits(bits) => {
            framing.stop_bits = bits;
            Setting::StopBits
        }
        Answer::Flow(told) => {
            *flow = told;
            Setting::Flow
        }
        Answer::Dtr(on) => {
            line.outputs.dtr = on;
            Setting::Dtr
        }
        Answer::Rts(on) => {
            line.outputs.rts = on;
            Setting::Rts
        }
        _ => return None,
    })
}

/// A notification tells that something has happened since the one before, not how often.
fn count(errors: &mut LineErrors, bits: u8) {
    for (counter, bit) in [
        (&mut errors.overruns, line_state::OVERRUN),
        (&mut errors.parity, line_state::PARITY),
        (&mut errors.framing, line_state::FRAMING),
        (&mut errors.breaks, line_state::BREAK),
    ] {
        *counter = counter.wrapping_add(u32::from(bits & bit != 0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn framing(text: &str) -> Framing {
        text.parse().unwrap()
    }

    fn agreed(framing: Option<Framing>) -> ComPort {
        let mut com_port = ComPort::default();
        com_port.begin(framing, &mut BytesMut::new());
        com_port
    }

    fn baud(com_port: &ComPort) -> u32 {
        com_port.line().0.framing.baud
    }

    #[test]
    fn the_line_is_as_asked_until_the_server_says_otherwise() {
        let mut com_port = agreed(Some(framing("9600e72")));
        assert_eq!(com_port.line().0.framing, framing("9600e72"));
        com_port.answered(Answer::Baud(9600));
        assert!(!com_port.news());
        com_port.answered(Answer::Parity(crate::model::line::Parity::None));
        assert!(com_port.news() && !com_port.news());
        assert_eq!(com_port.line().0.framing, framing("9600n72"));
    }

    #[test]
    fn a_late_answer_does_not_undo_a_later_request() {
        let mut com_port = agreed(None);
        let mut out = BytesMut::new();
        for baud in [19_200, 9600] {
            com_port.set_line(
                LineSettings {
                    framing: Framing { baud, ..Framing::default() },
                    ..LineSettings::default()
                },
                &mut out,
            );
        }
        // To the question, to the first request, and to the second.
        for answer in [115_200, 19_200] {
            com_port.answered(Answer::Baud(answer));
            assert_eq!(baud(&com_port), 9600);
        }
        com_port.answered(Answer::Baud(4800));
        assert_eq!(baud(&com_port), 4800, "the server could not do 9600");
    }

    #[test]
    fn only_what_changes_is_asked_for() {
        let mut com_port = agreed(Some(framing("115200n8")));
        let wanted = LineSettings { framing: framing("9600n8"), ..LineSettings::default() };
        for answer in [
            Answer::Baud(115_200),
            Answer::DataBits(8),
            Answer::Parity(crate::model::line::Parity::None),
            Answer::StopBits(crate::model::line::StopBits::One),
            Answer::Flow(crate::model::line::Flow::None),
        ] {
            com_port.answered(answer);
        }
        let (mut asked, mut expected) = (BytesMut::new(), BytesMut::new());
        com_port.set_line(wanted, &mut asked);
        Request::Baud(Some(9600)).encode(&mut expected);
        assert_eq!(asked, expected);
    }

    #[test]
    fn what_happens_on_the_line_is_news() {
        let mut com_port = agreed(None);
        com_port.answered(Answer::ModemState(0x11));
        assert!(com_port.news());
        assert_eq!(com_port.inputs(), inputs(0x10));
        com_port.answered(Answer::ModemState(0x10));
        assert!(!com_port.news(), "nothing is new");
        for _ in 0..2 {
            com_port.answered(Answer::LineState(line_state::BREAK | line_state::EMPTY));
            assert!(com_port.news());
        }
        assert_eq!(com_port.errors(), LineErrors { breaks: 2, ..LineErrors::default() });
        com_port.answered(Answer::Suspend);
        assert!(com_port.is_suspended());
        com_port.answered(Answer::Resume);
        assert!(!com_port.is_suspended());
    }

    proptest! {
        #[test]
        fn no_server_makes_it_panic(
            told in proptest::collection::vec(
                (100..=112_u8, proptest::collection::vec(0..20_u8, 0..6)), 0..40,
            ),
        ) {
            let mut com_port = agreed(None);
            for (command, value) in told {
                if let Some(answer) = Answer::decode(&[&[command], &value[..]].concat()) {
                    com_port.answered(answer);
                }
            }
        }
    }
}
