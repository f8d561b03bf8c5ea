//! `driver = "usb-hub"`: ports of USB hubs that switch their power.
//!
//! Many hubs take the request and leave the power on; that is for people to find out with a meter. What
//! is verified here is what the hub says of its port.

use std::io::{self, Write as _};
use std::path::PathBuf;

use futures_util::FutureExt as _;

use super::blocking::Line;
use super::program::run;
use super::way::Way;
use super::{Answer, Outlet, OutletError, Switch};
use crate::config::power::{OutletConfig, SwitchedBy, UsbHub};
use crate::model::State;

/// One port, of both hubs where a hub is two.
#[derive(Debug)]
pub(super) struct UsbHubOutlet {
    hub: UsbHub,
    port: String,
    /// The kernel writes as slowly as the hub answers.
    line: Line,
}

/// The outlets of a hub, in their order.
pub(super) fn open(hub: &UsbHub, outlets: &[OutletConfig]) -> Vec<Box<dyn Outlet>> {
    let line = Line::default();
    let outlet = |outlet: &OutletConfig| UsbHubOutlet {
        hub: hub.clone(),
        port: outlet.port.clone(),
        line: line.clone(),
    };
    outlets.iter().map(|config| Box::new(outlet(config)) as Box<dyn Outlet>).collect()
}

impl UsbHubOutlet {
    /// The kernel's switch of the port: `Documentation/ABI/testing/sysfs-bus-usb`, `.../port<X>/disable`.
    fn attribute(&self, hub: &str) -> PathBuf {
        let interface = match hub.strip_prefix("usb") {
            Some(bus) => format!("{bus}-0:1.0"),
            None => format!("{hub}:1.0"),
        };
        let devices = self.hub.sysfs.join("bus/usb/devices");
        devices.join(interface).join(format!("{hub}-port{}", self.port)).join("disable")
    }

    /// All halves are told, also when one of them fails: after an "off", nobody wants half of it.
    async fn set(&self, to: Switch) -> Result<(), OutletError> {
        match self.hub.by {
            SwitchedBy::Kernel => {
                let disable: &[u8] = if to == Switch::On { b"0" } else { b"1" };
                let paths: Vec<_> = self.hub.hubs.iter().map(|hub| self.attribute(hub)).collect();
                let written = self.line.run(Way::switches(), move |way, wanted| {
                    let mut all = Ok(());
                    for path in &paths {
                        let file = std::fs::File::options().write(true).open(path);
                        let write = |file: io::Result<std::fs::File>, way: &mut Way| {
                            let mut file =
                                file.map_err(|error| way.unreachable(no_switch(path, &error)))?;
                            wanted.sending(way)?;
                            file.write_all(disable).map_err(|error| {
                                way.unclear(format!("{} was not written: {error}", path.display()))
                            })
                        };
                        all = all.and(write(file, way));
                    }
                    as_a_whole(all, way)
                });
                written.await
            }
            SwitchedBy::Uhubctl => {
                let action = if to == Switch::On { "on" } else { "off" };
                let mut way = Way::switches();
                let mut all = Ok(());
                for hub in &self.hub.hubs {
                    all = all.and(self.uhubctl(hub, &["-a", action], &mut way).await.map(drop));
                }
                as_a_whole(all, &way)
            }
        }
    }

    async fn state(&self) -> Result<State, OutletError> {
        let mut on = false;
        let mut way = Way::reads();
        for hub in &self.hub.hubs {
            on |= match self.hub.by {
                SwitchedBy::Kernel => {
                    let path = self.attribute(hub);
                    let text = tokio::fs::read_to_string(&path).await;
                    match text.map_err(|error| way.unreachable(no_switch(&path, &error)))?.trim() {
                        "0" => true,
                        "1" => false,
                        _ => return Ok(State::Unknown),
                    }
                }
                SwitchedBy::Uhubctl => {
                    let said = self.uhubctl(hub, &[], &mut way).await?;
                    powered(&said, &self.port).ok_or_else(|| {
                        let port = &self.port;
                        way.refused(format!("uhubctl does not tell of port {port} of hub {hub}"))
                    })?
                }
            };
        }
        Ok(if on { State::On } else { State::Off })
    }

    /// `-e`: of this hub alone, not of its other half as uhubctl guesses it.
    async fn uhubctl(
        &self,
        hub: &str,
        action: &[&str],
        way: &mut Way,
    ) -> Result<String, OutletError> {
        let hub = hub.strip_prefix("usb").unwrap_or(hub);
        let words = [&self.hub.uhubctl, "-e", "-l", hub, "-p", &self.port];
        let words: Vec<String> =
            words.iter().chain(action).map(|word| (*word).to_owned()).collect();
        let ended = run(&words, &[], way).await?;
        match ended.status.success() {
            true => Ok(ended.output),
            false => Err(way.refused(ended.failure("uhubctl"))),
        }
    }
}

/// Whether uhubctl says that a port has power: `  Port 4: 0503 power highspeed enable connect`.
fn powered(said: &str, port: &str) -> Option<bool> {
    let start = format!("Port {port}: ");
    let status = said.lines().rev().find_map(|line| line.trim_start().strip_prefix(&start))?;
    Some(status.split_whitespace().any(|word| word == "power"))
}

/// What has become of all halves: if one was told, the whole is not as it was, whatever the first
/// failure says.
fn as_a_whole(told: Result<(), OutletError>, way: &Way) -> Result<(), OutletError> {
    told.map_err(|error| match error.is_unclear() {
        true => error,
        false => way.unreachable(error.to_string()),
    })
}

fn no_switch(path: &std::path::Path, error: &io::Error) -> String {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "; is the hub there, and the kernel Linux 6.0 or newer?",
        io::ErrorKind::PermissionDenied => "; may this user write it?",
        _ => "",
    };
    format!("{}: {error}{hint}", path.display())
}

impl Outlet for UsbHubOutlet {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        self.set(to).boxed()
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        Some(self.state().boxed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlet(hub: &str) -> UsbHubOutlet {
        let hub = UsbHub {
            hubs: vec![hub.into()],
            by: SwitchedBy::Kernel,
            uhubctl: "uhubctl".into(),
            sysfs: "/sys".into(),
        };
        UsbHubOutlet { hub, port: "4".into(), line: Line::default() }
    }

    /// A hub of two halves, of which these have the port.
    fn halves(there: &[&str]) -> (tempfile::TempDir, UsbHubOutlet) {
        let dir = tempfile::tempdir().unwrap();
        let mut outlet = outlet("1-1");
        outlet.hub.hubs.push("2-1".into());
        outlet.hub.sysfs = dir.path().into();
        for hub in there {
            let path = outlet.attribute(hub);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "0").unwrap();
        }
        (dir, outlet)
    }

    #[tokio::test]
    async fn a_hub_half_of_which_is_switched_is_not_as_it_was() {
        for (there, is_unclear) in [(&["1-1"][..], true), (&["2-1"], true), (&[], false)] {
            let (_dir, outlet) = halves(there);
            let error = outlet.switch(Switch::Off).await.unwrap_err();
            assert_eq!(error.is_unclear(), is_unclear, "{there:?}: {error}");
            assert!(error.to_string().contains("is the hub there"), "{error}");
            for hub in there {
                assert_eq!(std::fs::read_to_string(outlet.attribute(hub)).unwrap(), "1", "{hub}");
            }
        }
        let (_dir, mut outlet) = halves(&[]);
        outlet.hub.by = SwitchedBy::Uhubctl;
        outlet.hub.uhubctl = "false".into();
        assert!(outlet.switch(Switch::Off).await.unwrap_err().is_unclear());
    }

    #[test]
    fn a_port_is_where_the_kernel_shows_it() {
        let path = |hub: &str| outlet(hub).attribute(hub).display().to_string();
        assert_eq!(path("1-1.2"), "/sys/bus/usb/devices/1-1.2:1.0/1-1.2-port4/disable");
        assert_eq!(path("usb2"), "/sys/bus/usb/devices/2-0:1.0/usb2-port4/disable");
    }

    #[test]
    fn uhubctl_tells_of_power_in_a_word() {
        let said = "Current status for hub 1-1 [05e3:0608 USB2.0 Hub, USB 2.00, 4 ports, ppps]\n\
                    \x20 Port 1: 0100 power\n  Port 4: 0000 off\n";
        assert_eq!(powered(said, "1"), Some(true));
        assert_eq!(powered(said, "4"), Some(false));
        assert_eq!(powered(said, "2"), None);
    }
}
