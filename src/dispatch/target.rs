//! What the tests on a board may know of it from its dictionary, by `lava-target-ip` and its like.

use std::collections::BTreeMap;

use super::job::Text;
use crate::config::{Node, Table, Value};

/// The single values that are handed on, by their keys in the dictionary.
const VALUES: [&str; 4] = ["device_ip", "device_mac", "probe_ip", "probe_channel"];
/// The list of `{METHOD: DEVICE}` that `lava-target-storage` shows.
const STORAGE: &str = "storage_info";

/// The values as files for the board: name and text, a line for each value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target(pub BTreeMap<&'static str, String>);

impl Target {
    /// Reads them from the top of a dictionary, or from the entries of its `static_info`.
    pub(super) fn read(top: &Table<'_>) -> Self {
        let mut files = BTreeMap::new();
        let mut add = |table: &Table<'_>| {
            for key in VALUES {
                let filled = table.node(key).is_some_and(|node| node.value != Value::Null);
                if let Some(Text(text)) = filled.then(|| table.optional(key)).flatten() {
                    files.insert(key, format!("{text}\n"));
                }
            }
        };
        if matches!(top.node("static_info").map(|node| &node.value), Some(Value::List(_))) {
            top.tables("static_info").iter().for_each(&mut add);
        }
        add(top);
        // Where LAVA's dictionaries have them; what is at the top goes before it.
        let interfaces = top.node("parameters").and_then(|node| node.get("interfaces"));
        let target = interfaces.and_then(|node| node.get("target"));
        for (key, name) in [("ip", "device_ip"), ("mac", "device_mac")] {
            if let Some(text) = target.and_then(|target| target.get(key)).and_then(Node::as_text) {
                files.entry(name).or_insert_with(|| format!("{text}\n"));
            }
        }
        let storage: String = match top.node(STORAGE).map(|node| &node.value) {
            Some(Value::List(_)) => top.tables(STORAGE).iter().map(lines).collect(),
            _ => String::new(),
        };
        if !storage.is_empty() {
            files.insert("storage", storage);
        }
        Self(files)
    }
}

/// A line of method and device for each entry.
fn lines(table: &Table<'_>) -> String {
    let entries = table.entries().iter();
    let text = |key: &str| table.optional::<Text>(key).map(|text| text.0).unwrap_or_default();
    entries.map(|(key, _)| format!("{}\t{}\n", key.name, text(&key.name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{At, Problems};

    #[test]
    fn the_address_of_the_boards_interface_is_in_its_parameters() {
        let text = "device_mac: '00:00:00:00:00:01'\nparameters: {interfaces: {target: {ip: 10.0.0.9, \
                    mac: '00:00:00:00:00:02'}}}\n";
        let problems = Problems::default();
        let at = At::top("device.yaml", &problems);
        let node = crate::yaml::parse(text, &at).unwrap();
        let Target(files) = Target::read(&Table::new(&node, at).unwrap());
        assert_eq!(files["device_ip"], "10.0.0.9\n");
        assert_eq!(files["device_mac"], "00:00:00:00:00:01\n");
    }

    #[test]
    fn the_values_are_at_the_top_or_in_static_info() {
        let text = "device_ip: 10.0.0.7\nstatic_info: [{device_mac: '00:90:05:af:00:7d'}]\n\
                    storage_info: [{SATA: /dev/sda}, {USB: /dev/sdb}]\nprobe_channel: 3\n";
        let problems = Problems::default();
        let at = At::top("device.yaml", &problems);
        let node = crate::yaml::parse(text, &at).unwrap();
        let Target(files) = Target::read(&Table::new(&node, at).unwrap());
        let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        assert_eq!(
            files,
            [
                ("device_ip", "10.0.0.7\n"),
                ("device_mac", "00:90:05:af:00:7d\n"),
                ("probe_channel", "3\n"),
                ("storage", "SATA\t/dev/sda\nUSB\t/dev/sdb\n"),
            ]
        );
    }
}
