//! The keys of `driver = "ipmi"`: boards with a BMC, by ipmitool.

use super::common::{host_port, one_of};
use crate::config::{Secret, Table};

/// A BMC that speaks IPMI 2.0 over the network. Its one outlet is the chassis, whatever its port is called.
#[derive(Debug, Clone)]
pub struct Ipmi {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: Secret,
    /// As ipmitool calls it.
    pub privilege: &'static str,
    /// The cipher suite (IPMI 2.0, table 22-20); `None` for ipmitool's own choice.
    pub cipher: Option<u8>,
    /// Whether a cycle is the BMC's own, which cannot be verified, instead of off and on.
    pub native_cycle: bool,
    /// The program, by its name or path.
    pub ipmitool: String,
}

const DEFAULT_PORT: u16 = 623;
/// IPMI 2.0 has no longer passwords.
const MAX_PASSWORD: usize = 20;
const LAST_CIPHER: u8 = 17;

const PRIVILEGES: &[(&str, &str)] =
    &[("user", "USER"), ("operator", "OPERATOR"), ("administrator", "ADMINISTRATOR")];

impl Ipmi {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        table.required::<String>("address");
        let address = table.parsed("address", address);
        let user = table.optional::<String>("user").unwrap_or_default();
        let password = Secret::required(table, "password");
        let unfit = |text: &str| text.len() > MAX_PASSWORD || text.contains(['\0', '\n']);
        if password.as_ref().is_some_and(|password| unfit(password.expose())) {
            let inline = table.node("password").is_some();
            let key = if inline { "password" } else { "password_file" };
            table.problem(
                key,
                format!("IPMI takes passwords of at most {MAX_PASSWORD} bytes, in one line"),
            );
        }
        if user.starts_with('-') || unfit(&user) {
            table.problem("user", format!("{user:?} can be no user's name"));
        }
        let privilege = table.parsed("privilege", |text| one_of(text, PRIVILEGES));
        let cipher = table.optional::<u8>("cipher");
        if cipher.is_some_and(|cipher| cipher > LAST_CIPHER) {
            table.problem("cipher", format!("there are the suites 0 to {LAST_CIPHER}"));
        }
        let native_cycle = table.optional("native_cycle").unwrap_or(false);
        let ipmitool =
            table.optional::<String>("ipmitool").unwrap_or_else(|| "ipmitool".to_owned());
        if ipmitool.is_empty() || ipmitool.contains('\0') {
            table.problem("ipmitool", "the program is missing");
        }
        let (host, port) = address?;
        let privilege = privilege.unwrap_or("OPERATOR");
        let password = password?;
        Some(Self { host, port, user, password, privilege, cipher, native_cycle, ipmitool })
    }
}

fn address(text: &str) -> Result<(String, u16), String> {
    host_port(text, DEFAULT_PORT)
        .ok_or_else(|| format!("{text:?} is no address; write it like bmc1.lab or 10.0.0.7:623"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_the_port_of_ipmi() {
        assert_eq!(address("bmc1.lab"), Ok(("bmc1.lab".into(), 623)));
        assert_eq!(address("10.0.0.7:9001"), Ok(("10.0.0.7".into(), 9001)));
        assert_eq!(address("[fd00::7]:9001"), Ok(("fd00::7".into(), 9001)));
        assert_eq!(address("fd00::7"), Ok(("fd00::7".into(), 623)));
        for wrong in ["", "-H", "a b", "bmc;reboot", "bmc:x"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
