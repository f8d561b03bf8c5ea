//! What is said to each family of devices, and what its answers mean. Bytes only; no device.
//!
//! Sources: YKUSH and its like: Yepkit's ykushcmd. Cleware: clewarecontrol and pdudaemon's driver. V-USB
//! relays: vusb.wikidot.com/project:driver-less-usb-relays-hid-interface. EG-PMS: sispmctl, pysispm.

use crate::config::power::HidFamily;
use crate::model::State;
use crate::outlet::Switch;

/// One exchange with a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Exchange {
    /// An output report without an answer.
    Write(Vec<u8>),
    /// An output report, answered by an input report.
    Ask(Vec<u8>),
    /// A feature report to the device.
    SetFeature(Vec<u8>),
    /// A feature report from it: its number and its length with that.
    GetFeature(u8, usize),
}

/// The length of a YKUSH's reports, without their number, which is 0.
const YKUSH_REPORT: usize = 64;
/// What a YKUSH answers first when it has done as it was told.
const YKUSH_DONE: u8 = 1;

/// The product numbers (vendor first) that a family has.
pub(super) fn products(family: HidFamily) -> &'static [(u16, u16)] {
    match family {
        HidFamily::Ykush => &[(0x04d8, 0xf2f7)],
        HidFamily::Ykush3 => &[(0x04d8, 0xf11b)],
        HidFamily::YkushXs => &[(0x04d8, 0xf0cd)],
        HidFamily::ClewareSwitch4 => &[(0x0d50, 0x0008)],
        HidFamily::ClewareSwitch8 => &[(0x0d50, 0x0030)],
        HidFamily::VusbHid => &[(0x16c0, 0x05df)],
        HidFamily::EgPms => &[
            (0x04b4, 0xfd10),
            (0x04b4, 0xfd11),
            (0x04b4, 0xfd12),
            (0x04b4, 0xfd13),
            (0x04b4, 0xfd15),
        ],
    }
}

/// What switches an outlet; outlets are counted from 1.
pub(super) fn switch(family: HidFamily, port: u8, to: Switch) -> Exchange {
    let on = to == Switch::On;
    match family {
        HidFamily::Ykush | HidFamily::Ykush3 | HidFamily::YkushXs => {
            ykush(if on { 0x10 } else { 0x00 } | port)
        }
        HidFamily::ClewareSwitch4 => Exchange::Write(vec![0, 0, 0x10 + port - 1, u8::from(on)]),
        HidFamily::ClewareSwitch8 => {
            let mask = 1u8 << (port - 1);
            Exchange::Write(vec![0, 3, 0, if on { mask } else { 0 }, 0, mask])
        }
        HidFamily::VusbHid => {
            let command = if on { 0xff } else { 0xfd };
            Exchange::SetFeature(vec![0, command, port, 0, 0, 0, 0, 0, 0])
        }
        HidFamily::EgPms => Exchange::SetFeature(vec![3 * port, if on { 3 } else { 0 }, 0, 0, 0]),
    }
}

/// What asks for an outlet's state. `None` where nothing does.
pub(super) fn status(family: HidFamily, port: u8) -> Option<Exchange> {
    Some(match family {
        HidFamily::Ykush | HidFamily::Ykush3 | HidFamily::YkushXs => ykush(0x20 | port),
        HidFamily::ClewareSwitch4 | HidFamily::ClewareSwitch8 => return None,
        HidFamily::VusbHid => Exchange::GetFeature(0, 9),
        HidFamily::EgPms => Exchange::GetFeature(3 * port, 5),
    })
}

/// Whether an answer to [`switch`] says that it was done.
pub(super) fn is_done(family: HidFamily, answer: &[u8]) -> bool {
    match family {
        HidFamily::Ykush | HidFamily::Ykush3 | HidFamily::YkushXs => {
            answer.first() == Some(&YKUSH_DONE)
        }
        _ => true,
    }
}

/// What an answer to [`status`] says. `None` when it makes no sense.
pub(super) fn state(family: HidFamily, port: u8, answer: &[u8]) -> Option<State> {
    let on = match family {
        HidFamily::Ykush | HidFamily::Ykush3 | HidFamily::YkushXs => match answer {
            [YKUSH_DONE, said, ..] if said & 0x0f == port => said >> 4 != 0,
            _ => return None,
        },
        // After the report's number: five characters of a serial number, a zero, a byte, the relays.
        HidFamily::VusbHid => answer.get(8)? >> (port - 1) & 1 != 0,
        HidFamily::EgPms => answer.get(1)? & 1 != 0,
        HidFamily::ClewareSwitch4 | HidFamily::ClewareSwitch8 => return None,
    };
    Some(if on { State::On } else { State::Off })
}

/// What asks a device for its serial number, where that is not among USB's own texts.
pub(super) fn ask_serial(family: HidFamily) -> Option<Exchange> {
    match family {
        HidFamily::VusbHid => Some(Exchange::GetFeature(0, 9)),
        HidFamily::EgPms => Some(Exchange::GetFeature(1, 5)),
        _ => None,
    }
}

/// The serial number in the answer to [`ask_serial`]: of EG-PMS its bytes, as `01:02:0a:0b:0c`.
pub(super) fn serial(family: HidFamily, answer: &[u8]) -> Option<String> {
    match family {
        HidFamily::VusbHid => Some(String::from_utf8_lossy(answer.get(1..6)?).into_owned()),
        HidFamily::EgPms => {
            let bytes: Vec<String> = answer.iter().map(|byte| format!("{byte:02x}")).collect();
            Some(bytes.join(":"))
        }
        _ => None,
    }
}

fn ykush(command: u8) -> Exchange {
    let mut report = vec![0; 1 + YKUSH_REPORT];
    report[1] = command;
    report[2] = command;
    Exchange::Ask(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_is_told_in_its_own_bytes() {
        let Exchange::Ask(up) = switch(HidFamily::Ykush, 2, Switch::On) else { panic!() };
        assert_eq!((up.len(), &up[..4]), (65, &[0, 0x12, 0x12, 0][..]));
        let Exchange::Ask(down) = switch(HidFamily::YkushXs, 1, Switch::Off) else { panic!() };
        assert_eq!(&down[..3], [0, 0x01, 0x01]);
        let said = |family, port, to| match switch(family, port, to) {
            Exchange::Write(bytes) | Exchange::SetFeature(bytes) => bytes,
            other => panic!("{other:?}"),
        };
        assert_eq!(said(HidFamily::ClewareSwitch4, 4, Switch::On), [0, 0, 0x13, 1]);
        assert_eq!(said(HidFamily::ClewareSwitch8, 8, Switch::On), [0, 3, 0, 0x80, 0, 0x80]);
        assert_eq!(said(HidFamily::ClewareSwitch8, 1, Switch::Off), [0, 3, 0, 0, 0, 1]);
        assert_eq!(said(HidFamily::VusbHid, 3, Switch::On)[..3], [0, 0xff, 3]);
        assert_eq!(said(HidFamily::VusbHid, 3, Switch::Off)[..3], [0, 0xfd, 3]);
        assert_eq!(said(HidFamily::EgPms, 4, Switch::On), [12, 3, 0, 0, 0]);
        assert_eq!(said(HidFamily::EgPms, 1, Switch::Off), [3, 0, 0, 0, 0]);
    }

    #[test]
    fn every_family_tells_in_its_own_bytes() {
        assert_eq!(state(HidFamily::Ykush3, 2, &[1, 0x12, 0]), Some(State::On));
        assert_eq!(state(HidFamily::Ykush3, 2, &[1, 0x02, 0]), Some(State::Off));
        for wrong in [&[1, 0x13][..], &[0, 0x12], &[1], &[]] {
            assert_eq!(state(HidFamily::Ykush3, 2, wrong), None);
        }
        let relays = [0, b'H', b'U', b'R', b'T', b'M', 0, 0, 0b101];
        assert_eq!(state(HidFamily::VusbHid, 3, &relays), Some(State::On));
        assert_eq!(state(HidFamily::VusbHid, 2, &relays), Some(State::Off));
        assert_eq!(state(HidFamily::VusbHid, 2, &relays[..8]), None);
        assert_eq!(serial(HidFamily::VusbHid, &relays).as_deref(), Some("HURTM"));
        assert_eq!(state(HidFamily::EgPms, 1, &[3, 0x0b, 0, 0, 0]), Some(State::On));
        assert_eq!(state(HidFamily::EgPms, 1, &[3, 0x0a, 0, 0, 0]), Some(State::Off));
        assert_eq!(
            serial(HidFamily::EgPms, &[1, 2, 10, 11, 12]).as_deref(),
            Some("01:02:0a:0b:0c")
        );
        assert!(is_done(HidFamily::Ykush, &[1]) && !is_done(HidFamily::Ykush, &[0]));
    }
}
