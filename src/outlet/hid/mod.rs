//! `driver = "hid"`: outlets and relays that are USB HID devices, through the kernel's hidraw.

mod protocol;

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use futures_util::FutureExt as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::blocking::{Line, Wanted};
use super::way::Way;
use super::{Answer, Outlet, OutletError, Switch};
use crate::config::power::{Hid, HidFamily, OutletConfig};
use crate::model::State;
use crate::sys::{get_feature, set_feature};
use protocol::Exchange;

/// Where the kernel lists them.
const CLASS: &str = "/sys/class/hidraw";
/// The longest report that is read, in bytes.
const MAX_REPORT: usize = 256;
/// How long a device may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How many earlier answers may lie in the queue of a device that somebody else asked.
const MAX_STALE: usize = 16;

/// One outlet of a device. The device is looked for whenever something is asked of it: it may be
/// plugged in at any time, into any socket.
#[derive(Debug)]
pub(super) struct HidOutlet {
    hid: Hid,
    port: u8,
    /// The kernel gives what the device answers to all who have it open.
    line: Line,
}

/// The outlets of a device, in their order.
pub(super) fn open(hid: &Hid, outlets: &[OutletConfig]) -> Vec<Box<dyn Outlet>> {
    let line = Line::default();
    let outlet = |outlet: &OutletConfig| HidOutlet {
        hid: hid.clone(),
        // The configuration has seen to it that it is one; 0 is no device's.
        port: outlet.port.parse().unwrap_or_default(),
        line: line.clone(),
    };
    outlets.iter().map(|config| Box::new(outlet(config)) as Box<dyn Outlet>).collect()
}

impl HidOutlet {
    /// Says something to the device.
    async fn exchange(&self, exchange: Exchange, way: Way) -> Result<Vec<u8>, OutletError> {
        let hid = self.hid.clone();
        let said = self.line.run(way, move |way, wanted: &Wanted| {
            let mut device = find(&hid).map_err(|why| way.unreachable(why))?;
            wanted.sending(way)?;
            carry_out(&mut device, &exchange).map_err(|error| failed(&error))
        });
        said.await
    }

    async fn state(&self, exchange: Exchange) -> Result<State, OutletError> {
        let answer = self.exchange(exchange, Way::reads()).await?;
        let state = protocol::state(self.hid.family, self.port, &answer);
        let why = "the device's answer makes no sense; is it what \"device\" says?";
        state.ok_or_else(|| Way::reads().refused(why))
    }
}

impl Outlet for HidOutlet {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        async move {
            let family = self.hid.family;
            let exchange = protocol::switch(family, self.port, to);
            let answer = self.exchange(exchange, Way::switches()).await?;
            match protocol::is_done(family, &answer) {
                true => Ok(()),
                false => Err(OutletError::said_no("the device refuses")),
            }
        }
        .boxed()
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        let exchange = protocol::status(self.hid.family, self.port)?;
        Some(self.state(exchange).boxed())
    }
}

/// Opens the one device that is meant. Nothing is switched by it.
///
/// # Errors
/// Why it is not found.
fn find(hid: &Hid) -> Result<File, String> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(CLASS).into_iter().flatten().filter_map(Result::ok);
    for entry in entries {
        let uevent =
            std::fs::read_to_string(entry.path().join("device/uevent")).unwrap_or_default();
        let Some(usb_serial) = of_family(&uevent, hid.family) else { continue };
        let path = Path::new("/dev").join(entry.file_name());
        let wanted = hid.serial.as_ref().filter(|_| protocol::ask_serial(hid.family).is_none());
        if wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(&usb_serial)) {
            found.push(path);
        }
    }
    found.sort();
    let told = found.iter().map(|path| told_by_itself(path, hid)).collect();
    the_one(told, hid.serial.as_deref())
}

/// The device that is meant, of all that may be: those that are another one are `None`. One that cannot
/// be asked stands in nobody's way.
fn the_one<T>(told: Vec<Result<Option<T>, String>>, serial: Option<&str>) -> Result<T, String> {
    let mut open = Vec::new();
    let mut mute = Vec::new();
    for told in told {
        match told {
            Ok(device) => open.extend(device),
            Err(why) => mute.push(why),
        }
    }
    // Without a serial number any of them may be it.
    let count = open.len() + if serial.is_none() { mute.len() } else { 0 };
    match (open.pop(), mute.pop(), serial) {
        (Some(device), _, _) if count == 1 => Ok(device),
        (None, Some(why), _) if count <= 1 => Err(why),
        (None, _, Some(serial)) => {
            Err(format!("there is no such USB device with serial {serial:?} here"))
        }
        (None, None, None) => Err("there is no such USB device here".into()),
        (_, _, None) => {
            Err(format!("there are {count} of them here; which one is told by \"serial\""))
        }
        (Some(_), _, Some(serial)) => Err(format!("{count} of them have the serial {serial:?}")),
    }
}

/// The device, opened, if its serial number is the right one as far as it tells that itself.
fn told_by_itself(path: &Path, hid: &Hid) -> Result<Option<File>, String> {
    let cannot = |error: io::Error| {
        let path = path.display();
        format!("{path}: {error}; may this user read and write it?")
    };
    let nonblock = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let opened = File::options().read(true).write(true).custom_flags(nonblock).open(path);
    let mut device = opened.map_err(cannot)?;
    let (Some(wanted), Some(ask)) = (&hid.serial, protocol::ask_serial(hid.family)) else {
        return Ok(Some(device));
    };
    let answer = carry_out(&mut device, &ask).map_err(cannot)?;
    let serial = protocol::serial(hid.family, &answer);
    Ok(serial.is_some_and(|serial| serial.eq_ignore_ascii_case(wanted)).then_some(device))
}

/// The serial number (or an empty text) of a device that belongs to the family, from what the kernel
/// tells: `HID_ID=0003:000004D8:0000F2F7`, and `HID_UNIQ=`.
fn of_family(uevent: &str, family: HidFamily) -> Option<String> {
    let value = |key: &str| uevent.lines().find_map(|line| line.strip_prefix(key));
    let mut numbers = value("HID_ID=")?.split(':').skip(1);
    let mut number = || u16::from_str_radix(numbers.next()?.trim_start_matches('0'), 16).ok();
    let product = (number()?, number()?);
    let known = protocol::products(family).contains(&product);
    known.then(|| value("HID_UNIQ=").unwrap_or_default().to_owned())
}

fn carry_out(device: &mut File, exchange: &Exchange) -> io::Result<Vec<u8>> {
    match exchange {
        Exchange::Write(report) => device.write_all(report).map(|()| Vec::new()),
        Exchange::Ask(report) => {
            drain(device);
            device.write_all(report)?;
            let timeout = Timespec::try_from(ANSWER_TIMEOUT).ok();
            let mut ready = [PollFd::new(device, PollFlags::IN)];
            if poll(&mut ready, timeout.as_ref())? == 0 {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let mut answer = vec![0; MAX_REPORT];
            let length = device.read(&mut answer)?;
            answer.truncate(length);
            Ok(answer)
        }
        Exchange::SetFeature(report) => {
            set_feature(&*device, &mut report.clone())?;
            Ok(Vec::new())
        }
        Exchange::GetFeature(number, length) => {
            let mut report = vec![0; *length];
            report[0] = *number;
            let got = get_feature(&*device, &mut report)?;
            report.truncate(got);
            Ok(report)
        }
    }
}

/// Forgets answers to what somebody else has asked.
fn drain(device: &mut File) {
    let mut stale = [0; MAX_REPORT];
    for _ in 0..MAX_STALE {
        if !matches!(device.read(&mut stale), Ok(1..)) {
            break;
        }
    }
}

fn failed(error: &io::Error) -> OutletError {
    match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::PIPE) => OutletError::said_no("the device does not understand us"),
        _ => OutletError::Unclear(format!("the device does not answer: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_device_stands_in_no_others_way() {
        let why = "/dev/hidraw0: Permission denied".to_owned();
        let broken = || Err(why.clone());
        assert_eq!(the_one(vec![broken(), Ok(None), Ok(Some(7)), broken()], Some("HURTM")), Ok(7));
        assert_eq!(the_one::<u8>(vec![Ok(None), broken()], Some("HURTM")), Err(why.clone()));
        assert_eq!(the_one::<u8>(vec![broken()], None), Err(why.clone()));
        let several = the_one(vec![broken(), Ok(Some(7))], None).unwrap_err();
        assert!(several.starts_with("there are 2 of them here"), "{several}");
        let twice = the_one(vec![Ok(Some(7)), Ok(Some(8))], Some("HURTM")).unwrap_err();
        assert!(twice.starts_with("2 of them have the serial"), "{twice}");
        let none = the_one::<u8>(vec![Ok(None)], Some("HURTM")).unwrap_err();
        assert!(none.ends_with("with serial \"HURTM\" here"), "{none}");
    }

    #[test]
    fn a_device_is_known_by_its_numbers() {
        let uevent = "DRIVER=hid-generic\nHID_ID=0003:000004D8:0000F2F7\nHID_NAME=Yepkit\nHID_UNIQ=YK25236\n";
        assert_eq!(of_family(uevent, HidFamily::Ykush).as_deref(), Some("YK25236"));
        assert_eq!(of_family(uevent, HidFamily::Ykush3), None);
        assert_eq!(
            of_family("HID_ID=0003:000016C0:000005DF\n", HidFamily::VusbHid).as_deref(),
            Some("")
        );
        for odd in ["", "HID_ID=", "HID_ID=0003", "HID_ID=0003:x:y", "HID_ID=0003:FFFFFFFF:1"] {
            assert_eq!(of_family(odd, HidFamily::Ykush), None);
        }
    }
}
