//! Where an outlet is, however it is written: two boards on one socket are found out by it.

use super::{Driver, Family, Numbering, OutletConfig, Snmp};

impl Driver {
    /// The outlet of the PDU, in the one way that all spellings of its port have in common. For comparing;
    /// nobody else understands it. What only the PDU itself knows is not known here: the number of a GPIO
    /// line and its name (the kernel lets nobody take it twice), the name of a domain and its UUID.
    pub(super) fn place_of(&self, outlet: &OutletConfig) -> String {
        let port = outlet.port.as_str();
        match self {
            Self::Dialogue(dialogue) => dialogue.said(port).unwrap_or_else(|_| numbers(port)),
            // Programs that are not told which outlet switch one.
            Self::Exec(exec) if !exec.knows_outlet() => String::new(),
            Self::EgPmsLan(_)
            | Self::Exec(_)
            | Self::Gpio(_)
            | Self::Hid(_)
            | Self::Http(_)
            | Self::Sim
            | Self::UsbHub(_) => numbers(port),
            // There is one chassis.
            Self::Ipmi(_) => String::new(),
            Self::Libvirt(_) => port.to_owned(),
            // Slashes at the ends of a topic are left out.
            Self::Mqtt(_) => numbers(port.trim_matches('/')),
            Self::Qmp(qmp) => match qmp.socket(port, outlet.name.as_str()) {
                Some(socket) => socket.display().to_string(),
                None => port.to_owned(),
            },
            Self::Snmp(snmp) => snmp_place(snmp, port),
        }
    }
}

fn snmp_place(snmp: &Snmp, port: &str) -> String {
    let any = Numbering::new(None, 1);
    let (numbering, known) = match &snmp.family {
        Family::Known(profile) => (&profile.numbering, true),
        Family::Auto => (&any, false),
    };
    let Ok(place) = numbering.port(port) else { return numbers(port) };
    let mut unit = place.unit.as_slice();
    // A unit that is left out is 0s and 1s, whatever the family.
    if !known && unit.iter().all(|number| *number < 2) {
        unit = &[];
    }
    format!("{unit:?} {}", place.outlet)
}

/// `01` is `1`, in each part.
fn numbers(port: &str) -> String {
    let part = |part: &str| part.parse::<u64>().map_or_else(|_| part.to_owned(), |n| n.to_string());
    port.split('.').map(part).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::super::PowerConfig;

    /// What is said of two boards on these ports of one PDU.
    fn two_on(pdu: &str, ports: [&str; 2]) -> Result<PowerConfig, String> {
        let [one, two] = ports;
        let text = format!(
            "[[pdu]]\nname = 'r'\n{pdu}\n[[outlet]]\nname = 'a'\npdu = 'r'\nport = '{one}'\n\
             [[outlet]]\nname = 'b'\npdu = 'r'\nport = '{two}'\n"
        );
        PowerConfig::parse("power.toml", &text).map_err(|failure| failure.message)
    }

    const SNMP: &str = "driver = 'snmp'\naddress = 'pdu1'\ncommunity = 'x'";

    #[test]
    fn one_socket_is_one_however_it_is_written() {
        let snmp = |profile: &str| format!("{SNMP}\nprofile = '{profile}'");
        let talk = "driver = 'dialogue'\nconnect = 'tcp:pdu1:1'";
        let modbus = format!("{talk}\nprofile = 'modbus-tcp'");
        let sentry = format!("{talk}\nprofile = 'sentry-cli'\nuser = 'x'\npassword = 'x'");
        let exec = "driver = 'exec'\non = ['relay', '1']\noff = ['relay', '0']".to_owned();
        let ipmi = "driver = 'ipmi'\naddress = 'bmc'\npassword = 'x'".to_owned();
        let qmp = "driver = 'qmp'\nsocket = '/run/qmp'".to_owned();
        let gpio = "driver = 'gpio'\nchip = 'gpiochip0'".to_owned();
        for (pdu, ports) in [
            (snmp("sentry4"), ["3", "1.1.3"]),
            (snmp("auto"), ["3", "1.1.3"]),
            (snmp("eaton-epdu"), ["0.3", "03"]),
            (modbus, ["3", "1.3"]),
            (sentry, ["AA1", ".AA1"]),
            (exec, ["1", "2"]),
            (ipmi, ["chassis", "1"]),
            (qmp, ["1", "2"]),
            (gpio, ["017", "17"]),
        ] {
            let told = two_on(&pdu, ports).unwrap_err();
            assert!(told.contains("outlet[1].port: outlet \"a\" is on r port"), "{told}");
            assert!(told.ends_with("all say shared = true"), "{told}");
        }
    }

    #[test]
    fn two_sockets_are_two() {
        let exec = "driver = 'exec'\non = ['relay', '{port}']\noff = ['relay', '{port}']";
        let qmp = "driver = 'qmp'\nsocket = '/run/{port}.qmp'";
        let gpio = "driver = 'gpio'\nchip = 'gpiochip0'";
        for (pdu, ports) in [
            (format!("{SNMP}\nprofile = 'sentry4'"), ["3", "2.1.3"]),
            (SNMP.to_owned(), ["3", "2.3"]),
            (exec.to_owned(), ["1", "2"]),
            (qmp.to_owned(), ["1", "2"]),
            (gpio.to_owned(), ["17", "GPIO17"]),
            (gpio.to_owned(), ["0", "1"]),
        ] {
            two_on(&pdu, ports).unwrap();
        }
    }
}
