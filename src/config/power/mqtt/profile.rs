//! MQTT devices as data: what is published where, and where the device tells what it did.

use crate::config::power::answer::{Check, Finder, Meaning};
use crate::config::power::ports::Ports;
use crate::config::power::profile::{self, BuiltIn, built_in};
use crate::config::power::template::Template;
use crate::config::{At, Table, toml};

/// How a family of devices is switched over MQTT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MqttProfile {
    pub ports: Ports,
    pub on: Message,
    pub off: Message,
    /// Without it nothing can be verified.
    pub status: Option<Wait>,
    /// Where the broker keeps whether the device is there.
    pub alive: Option<Alive>,
}

/// What the device says when it connects, and the broker for it when it is gone (its "last will").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alive {
    pub topic: Template,
    pub check: Check,
}

/// A message to the device, and what it has to say to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub publish: Template,
    pub payload: Template,
    /// Where the device answers, and with what. Without it nobody knows more than that the broker has it.
    pub answer: Option<(Template, Check)>,
}

/// Where the device tells its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// A topic and a payload that make it tell. Without them what the broker keeps of it (a retained
    /// message) is its state as long as it is [`Alive`], which nobody else can know.
    pub ask: Option<(Template, Template)>,
    pub topic: Template,
    pub meaning: Meaning,
}

/// The profiles that come with the program: `conf/profiles/mqtt`.
pub(in crate::config::power) const BUILT_IN: &[BuiltIn] = built_in!("mqtt": "esphome" "home-assistant" "shelly-gen1" "shelly-gen2" "tasmota" "zigbee2mqtt");

/// What may stand in the texts of a profile beside ports. `{us}` is new with every request, for devices
/// that answer to a topic which the request names.
const WORDS: &[&str] = &["topic", "us"];

impl MqttProfile {
    /// The profile that a PDU's `profile` key names.
    pub(super) fn named_in(table: &Table<'_>) -> Option<Self> {
        profile::named_in(table, BUILT_IN, Self::parse)
    }

    fn parse(text: &str, at: &At<'_>) -> Option<Self> {
        let node = toml::parse(text, at)?;
        let table = Table::new(&node, at.clone())?;
        // For people; asked for so that nobody adds a profile out of thin air.
        table.required::<String>("about");
        table.required::<String>("source");
        let ports = table.parsed("ports", Ports::parse);
        let message = |key: &str| table.table(key).map(Message::read);
        let (on, off) = (message("on"), message("off"));
        let status = table.table("status").map(Wait::read);
        let alive = table.table("alive").map(Alive::read);
        for (key, missing) in [("on", on.is_none()), ("off", off.is_none())] {
            if missing && table.node(key).is_none() {
                at.problem(table.place(), format!("the table [{key}] is missing"));
            }
        }
        table.finish();
        let ports = ports.unwrap_or(Ports::Numbers { first: 0, last: u32::MAX });
        let (status, alive) = (status.flatten(), alive.flatten());
        Some(Self { ports, on: on??, off: off??, status, alive })
    }
}

impl Message {
    fn read(table: Table<'_>) -> Option<Self> {
        table.required::<String>("publish");
        table.required::<String>("payload");
        let publish = topic(&table, "publish");
        let payload = table.parsed("payload", |text| Template::parse(text, WORDS));
        let answer = topic(&table, "topic");
        let check = Check::read(&table, WORDS);
        if answer.is_some() && check.is_none() && table.node("is").is_none() {
            table.problem("topic", "\"is\", what the device answers there, is missing");
        }
        if answer.is_none() && check.is_some() && table.node("topic").is_none() {
            table.problem("is", "\"topic\", where the device answers, is missing");
        }
        table.finish();
        Some(Self { publish: publish?, payload: payload?, answer: answer.zip(check) })
    }
}

impl Alive {
    fn read(table: Table<'_>) -> Option<Self> {
        table.required::<String>("topic");
        let topic = topic(&table, "topic");
        let check = Check::read(&table, WORDS);
        if check.is_none() && table.node("is").is_none() {
            table.problem("is", "\"is\", what is kept there of a device that is there, is missing");
        }
        table.finish();
        Some(Self { topic: topic?, check: check? })
    }
}

impl Wait {
    fn read(table: Table<'_>) -> Option<Self> {
        let asked = (
            topic(&table, "publish"),
            table.parsed("payload", |text| Template::parse(text, WORDS)),
        );
        let empty = || Template::parse("", &[]).ok();
        let ask = match asked {
            (Some(publish), payload) => payload.or_else(empty).map(|payload| (publish, payload)),
            (None, Some(_)) => {
                table.problem("payload", "\"publish\", where it goes, is missing");
                None
            }
            (None, None) => None,
        };
        table.required::<String>("topic");
        let topic = topic(&table, "topic");
        let meaning = Meaning::read(&table, WORDS);
        table.finish();
        Some(Self { ask, topic: topic?, meaning: meaning? })
    }

    pub fn finder(&self) -> &Finder {
        &self.meaning.finder
    }
}

/// A topic with places in it.
fn topic(table: &Table<'_>, key: &str) -> Option<Template> {
    table.parsed(key, |text| {
        super::topic(text)?;
        Template::parse(text, WORDS)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Problems;

    #[test]
    fn the_profiles_that_come_with_the_program_are_sound() {
        for (name, text) in BUILT_IN {
            let problems = Problems::default();
            let profile = MqttProfile::parse(text, &At::top(name, &problems));
            let profile = problems.check(profile).unwrap();
            assert_ne!(profile.on, profile.off, "{name}");
            assert!(profile.status.is_some(), "{name}");
            assert!(profile.on.publish.has("topic"), "{name}");
        }
    }

    #[test]
    fn a_profile_says_what_is_wrong_with_it() {
        let problems = Problems::default();
        let text = "about = \"x\"\nsource = \"x\"\n[on]\npublish = \"a/+\"\npayload = \"{oops}\"\n\
                    [off]\npublish = \"a\"\npayload = \"0\"\nis = \"0\"\n\
                    [status]\npayload = \"?\"\non = 1\noff = 0\n";
        assert_eq!(MqttProfile::parse(text, &At::top("d.toml", &problems)), None);
        let told = problems.check(None::<MqttProfile>).unwrap_err().to_string();
        for line in [
            "d.toml:4:11: on.publish: \"a/+\" is no topic; it has neither + nor #",
            "d.toml:9:6: off.is: \"topic\", where the device answers, is missing",
            "d.toml:11:11: status.payload: \"publish\", where it goes, is missing",
            "d.toml:10:1: status: \"topic\" is missing",
        ] {
            assert!(told.lines().any(|told| told == line), "{line}\nis not in\n{told}");
        }
        assert!(told.contains("on.payload: {oops} stands for nothing"), "{told}");
    }
}
