//! What tests on a board get of its dictionary as variables of their shell.

use crate::config::{Node, Value};

/// The keys of the dictionary, and what the names of their variables begin with.
const SOURCES: [(&str, &str); 4] = [
    ("environment", ""),
    ("device_info", "LAVA_DEVICE_INFO"),
    ("static_info", "LAVA_STATIC_INFO"),
    ("storage_info", "LAVA_STORAGE_INFO"),
];

/// The variables in their order: keys of tables and the numbers of a list's entries are joined by `_`, as
/// in `LAVA_STORAGE_INFO_0_SATA`.
pub(super) fn read(dictionary: &Node) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    for (key, prefix) in SOURCES {
        if let Some(node) = dictionary.get(key) {
            flatten(node, prefix, &mut variables);
        }
    }
    variables
}

fn flatten(node: &Node, name: &str, variables: &mut Vec<(String, String)>) {
    let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}_{key}") };
    let text = match &node.value {
        Value::Map(entries) => {
            entries.iter().for_each(|(key, node)| flatten(node, &below(&key.name), variables));
            return;
        }
        Value::List(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(i, item)| flatten(item, &below(&i.to_string()), variables));
            return;
        }
        Value::Text(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(value) => i32::from(*value).to_string(),
        _ => return,
    };
    variables.push((name.to_owned(), text));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{At, Problems};

    #[test]
    fn tables_and_lists_are_flat_as_in_lava() {
        let text = "environment: {LAB: 'my lab', DEBUG: true}
device_info: [{board_id: 7}]
static_info: [{probe_ip: 10.0.0.8}, {probe_channel: 2}]
storage_info: [{SATA: /dev/sda}, {USB: /dev/sdb}]
";
        let problems = Problems::default();
        let node = crate::yaml::parse(text, &At::top("device.yaml", &problems)).unwrap();
        let variables = read(&node);
        let variables: Vec<_> = variables.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(
            variables,
            [
                ("LAB", "my lab"),
                ("DEBUG", "1"),
                ("LAVA_DEVICE_INFO_0_board_id", "7"),
                ("LAVA_STATIC_INFO_0_probe_ip", "10.0.0.8"),
                ("LAVA_STATIC_INFO_1_probe_channel", "2"),
                ("LAVA_STORAGE_INFO_0_SATA", "/dev/sda"),
                ("LAVA_STORAGE_INFO_1_USB", "/dev/sdb"),
            ]
        );
    }
}
