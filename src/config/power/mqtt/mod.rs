//! The keys of `driver = "mqtt"`: which broker, who we are to it, and the device behind it.

mod profile;

pub(super) use profile::BUILT_IN;
pub use profile::{Alive, Message, MqttProfile, Wait};

use super::tls::TlsKeys;
use crate::config::{Secret, Table};

/// A device that listens at an MQTT broker (version 3.1.1).
#[derive(Debug, Clone)]
pub struct Mqtt {
    pub host: String,
    pub port: u16,
    /// Whether it is TLS.
    pub encrypted: bool,
    pub tls: TlsKeys,
    pub user: String,
    pub password: Option<Secret>,
    /// The device's own part of the topics: `{topic}` in the profile.
    pub topic: String,
    pub profile: MqttProfile,
}

const DEFAULT_PORT: u16 = 1883;
const DEFAULT_TLS_PORT: u16 = 8883;
/// MQTT's own limit is 65535 bytes for a whole topic.
const MAX_TOPIC: usize = 1024;

impl Mqtt {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        table.required::<String>("broker");
        let broker = table.parsed("broker", broker);
        let user = table.optional::<String>("user").unwrap_or_default();
        let password = Secret::of(table, "password");
        if password.is_some() && user.is_empty() {
            table.problem("user", "it goes with \"password\", and is missing");
        }
        table.required::<String>("topic");
        let topic = table.parsed("topic", topic);
        let encrypted = broker.as_ref().is_none_or(|(encrypted, ..)| *encrypted);
        let tls = TlsKeys::read(table, encrypted);
        let profile = MqttProfile::named_in(table);
        let (encrypted, host, port) = broker?;
        let (topic, profile) = (topic?, profile?);
        Some(Self { host, port, encrypted, tls, user, password, topic, profile })
    }
}

/// A topic, or a part of one, that stands for itself alone.
pub(super) fn topic(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > MAX_TOPIC || text.contains(['+', '#', '\0']) {
        return Err(format!("{text:?} is no topic; it has neither + nor #"));
    }
    Ok(text.trim_matches('/').to_owned())
}

/// Whether it is TLS, the host, and the port.
fn broker(text: &str) -> Result<(bool, String, u16), String> {
    let wrong = || {
        format!("{text:?} is no broker; write it like mqtt://10.0.0.2 or mqtts://broker.lab:8883")
    };
    let (encrypted, rest) = match (text.strip_prefix("mqtt://"), text.strip_prefix("mqtts://")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ => return Err(wrong()),
    };
    if rest.contains('@') {
        return Err(
            "a URL is shown to people: give \"user\" and \"password\" as keys of their own".into(),
        );
    }
    let rest = rest.trim_end_matches('/');
    let default = if encrypted { DEFAULT_TLS_PORT } else { DEFAULT_PORT };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !rest.ends_with(']') => (host, port.parse().map_err(|_| wrong())?),
        _ => (rest, default),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.is_empty() || !host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:".contains(c))
    {
        true => Err(wrong()),
        false => Ok((encrypted, host.to_owned(), port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_has_the_port_of_its_scheme() {
        assert_eq!(broker("mqtt://10.0.0.2"), Ok((false, "10.0.0.2".into(), 1883)));
        assert_eq!(broker("mqtts://b.lab/"), Ok((true, "b.lab".into(), 8883)));
        assert_eq!(broker("mqtt://[::1]:1884"), Ok((false, "::1".into(), 1884)));
        for wrong in
            ["10.0.0.2", "http://b", "mqtt://", "mqtt://b:x", "mqtt://u:p@b", "mqtt://b/x y"]
        {
            assert!(broker(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_topic_is_for_one_device() {
        assert_eq!(topic("tasmota_1234"), Ok("tasmota_1234".into()));
        for wrong in ["", "+", "shellies/#", "a\0"] {
            assert!(topic(wrong).is_err(), "{wrong}");
        }
    }
}
