//! `driver = "usb-hub"`: ports of USB hubs that switch their power.
//!
//! Many hubs take the request and leave the power on; that is for people to find out with a meter. What
//! is verified here is what the hub says of its port.

use std::io;
use std::path::PathBuf;

use futures_util::FutureExt as _;
use tokio::io::AsyncWriteExt as _;

use super::program::run;
use super::{Answer, Outlet, OutletError, Switch};
use crate::config::power::{SwitchedBy, UsbHub};
use crate::model::State;

/// One port, of both hubs where a hub is two.
#[derive(Debug)]
pub(super) struct UsbHubOutlet {
    hub: UsbHub,
    port: String,
}

impl UsbHubOutlet {
    pub(super) fn new(hub: &UsbHub, port: &str) -> Self {
        Self { hub: hub.clone(), port: port.to_owned() }
    }

    /// The kernel's switch of the port: `Documentation/ABI/testing/sysfs-bus-usb`, `.../port<X>/disable`.
    fn attribute(&self, hub: &str) -> PathBuf {
        let interface = match hub.strip_prefix("usb") {
            Some(bus) => format!("{bus}-0:1.0"),
            None => format!("{hub}:1.0"),
        };
        let devices = self.hub.sysfs.join("bus/usb/devices");
        devices.join(interface).join(format!("{hub}-port{}", self.port)).join("disable")
    }

    async fn set(&self, to: Switch) -> Result<(), OutletError> {
        for hub in &self.hub.hubs {
            match self.hub.by {
                SwitchedBy::Kernel => {
                    let disable = if to == Switch::On { b"0" } else { b"1" };
                    let path = self.attribute(hub);
                    let file = tokio::fs::File::options().write(true).open(&path).await;
                    let mut file = file.map_err(|error| no_switch(&path, &error))?;
                    let written = async {
                        file.write_all(disable).await?;
                        file.flush().await
                    };
                    written.await.map_err(|error| {
                        OutletError::Unclear(format!("{} was not written: {error}", path.display()))
                    })?;
                }
                SwitchedBy::Uhubctl => {
                    let action = if to == Switch::On { "on" } else { "off" };
                    self.uhubctl(hub, &["-a", action]).await?;
                }
            }
        }
        Ok(())
    }

    async fn state(&self) -> Result<State, OutletError> {
        let mut on = false;
        for hub in &self.hub.hubs {
            on |= match self.hub.by {
                SwitchedBy::Kernel => {
                    let path = self.attribute(hub);
                    let text = tokio::fs::read_to_string(&path).await;
                    match text.map_err(|error| no_switch(&path, &error))?.trim() {
                        "0" => true,
                        "1" => false,
                        _ => return Ok(State::Unknown),
                    }
                }
                SwitchedBy::Uhubctl => match powered(&self.uhubctl(hub, &[]).await?, &self.port) {
                    Some(powered) => powered,
                    None => {
                        let what =
                            format!("uhubctl does not tell of port {} of hub {hub}", self.port);
                        return Err(OutletError::Refused(what));
                    }
                },
            };
        }
        Ok(if on { State::On } else { State::Off })
    }

    /// `-e`: of this hub alone, not of its other half as uhubctl guesses it.
    async fn uhubctl(&self, hub: &str, action: &[&str]) -> Result<String, OutletError> {
        let hub = hub.strip_prefix("usb").unwrap_or(hub);
        let words = [&self.hub.uhubctl, "-e", "-l", hub, "-p", &self.port];
        let words: Vec<String> =
            words.iter().chain(action).map(|word| (*word).to_owned()).collect();
        let ended = run(&words, &[]).await?;
        match ended.status.success() {
            true => Ok(ended.output),
            false => Err(ended.refusal("uhubctl")),
        }
    }
}

/// Whether uhubctl says that a port has power: `  Port 4: 0503 power highspeed enable connect`.
fn powered(said: &str, port: &str) -> Option<bool> {
    let start = format!("Port {port}: ");
    let status = said.lines().rev().find_map(|line| line.trim_start().strip_prefix(&start))?;
    Some(status.split_whitespace().any(|word| word == "power"))
}

fn no_switch(path: &std::path::Path, error: &io::Error) -> OutletError {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "; is the hub there, and the kernel Linux 6.0 or newer?",
        io::ErrorKind::PermissionDenied => "; may this user write it?",
        _ => "",
    };
    OutletError::Unreachable(format!("{}: {error}{hint}", path.display()))
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
        UsbHubOutlet::new(&hub, "4")
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
