//! How a line is, in words.

use crate::wire::line::LineState;

/// `9600e7 rtscts, DTR on, RTS off; CTS on, DSR on, RI off, CD on; overruns 0, …`
pub(in crate::front) fn text(line: &LineState) -> String {
    let on = |on: bool| if on { "on" } else { "off" };
    let mut text = format!("{}, DTR {}, RTS {}", line.settings, on(line.dtr), on(line.rts));
    if line.remembered {
        text.push_str(" (only remembered: the port cannot be set so now)");
    }
    if line.breaking {
        text.push_str(", sending a break");
    }
    if let Some(inputs) = line.inputs {
        let wires =
            [("CTS", inputs.cts), ("DSR", inputs.dsr), ("RI", inputs.ri), ("CD", inputs.cd)];
        let wires = wires.map(|(name, state)| format!("{name} {}", on(state)));
        text.push_str(&format!("; {}", wires.join(", ")));
    }
    if let Some(errors) = line.errors {
        text.push_str(&format!(
            "; overruns {}, parity errors {}, framing errors {}, breaks {}",
            errors.overruns, errors.parity, errors.framing, errors.breaks
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::line::{Known, Line};

    #[test]
    fn what_a_port_cannot_tell_is_not_made_up() {
        let line = Line::default();
        assert_eq!(text(&line.into()), "115200n8, DTR on, RTS on");
        let known = Known { inputs: true, errors: true, remembered: false };
        assert_eq!(
            text(&Line { known, breaking: true, ..line }.into()),
            "115200n8, DTR on, RTS on, sending a break; CTS on, DSR on, RI off, CD on; \
             overruns 0, parity errors 0, framing errors 0, breaks 0"
        );
    }
}
