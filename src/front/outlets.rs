//! Outlets as other programs name them: by PDU and port.

use crate::model::{Name, OutletInfo};
use crate::power::Power;

/// The outlet at a port of a PDU. A port that is a number may be written in other ways, as `04`.
pub(super) fn at<'a>(power: &'a Power, pdu: &str, port: &str) -> Option<&'a Name> {
    let number = |text: &str| text.parse::<u32>().ok();
    let on_pdu = || power.outlets().filter(|outlet| outlet.pdu.as_str() == pdu);
    let exact = on_pdu().find(|outlet| outlet.port == port);
    let same = |outlet: &&OutletInfo| {
        number(port).is_some_and(|wanted| number(&outlet.port) == Some(wanted))
    };
    exact.or_else(|| on_pdu().find(same)).map(|outlet| &outlet.name)
}

/// The outlet of a board.
pub(super) fn of<'a>(power: &'a Power, board: &str) -> Option<&'a Name> {
    power.outlet(board).map(|outlet| &outlet.name)
}
