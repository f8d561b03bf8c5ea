//! The menus of a UEFI firmware: what a device dictionary says of them, and finding an entry in what
//! the firmware prints.

use std::collections::BTreeMap;

use fancy_regex::Regex;

use super::job::Text;
use crate::config::{Node, Table, Value};

/// A boot method that goes through menus.
#[derive(Debug, Clone, Default)]
pub struct Menus {
    /// What the firmware says when its menu can be called; a regular expression.
    pub interrupt_prompt: String,
    /// What calls it.
    pub interrupt_string: String,
    /// What the menu ends with; a regular expression.
    pub prompts: Vec<String>,
    /// What stands around an entry's number, as `[` and `]`.
    pub markup: [String; 2],
    /// The characters of a number, as `0-9`.
    pub class: String,
    /// What stands between number and label.
    pub separator: String,
    /// What ends a line: `dos` for a carriage return with a line feed.
    pub line_separator: Option<String>,
    /// The ways through the menus by name.
    pub ways: BTreeMap<String, Vec<Choice>>,
}

/// One step of the way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Entries of which one is chosen, the first that is there.
    pub items: Vec<String>,
    /// Taken when none of them is there.
    pub fallback: Option<String>,
    /// Typed instead of an entry's number, and entered.
    pub enter: Option<String>,
    /// Esc is typed instead.
    pub escape: bool,
    /// What comes then; the menu's own prompt without it.
    pub wait: Option<String>,
}

impl Menus {
    pub(super) fn read(method: &Table<'_>) -> Self {
        let mut menus = Self {
            markup: ["[".into(), "]".into()],
            class: "0-9".into(),
            separator: " ".into(),
            ..Self::default()
        };
        if let Some(table) = method.node("parameters").and_then(|_| method.table("parameters")) {
            let text = |key: &str| table.optional::<Text>(key).map(|text| text.0);
            menus.interrupt_prompt = text("interrupt_prompt").unwrap_or_default();
            menus.interrupt_string = text("interrupt_string").unwrap_or_else(|| " ".into());
            menus.prompts = text("menu_prompt").or(text("bootloader_prompt")).into_iter().collect();
            if let Some(Value::List(marks)) = table.node("item_markup").map(|node| &node.value)
                && let [before, after] = marks.as_slice()
            {
                let mark = |node: &Node| node.as_text().unwrap_or_default().to_owned();
                menus.markup = [mark(before), mark(after)];
            }
            menus.class = text("item_class").unwrap_or(menus.class);
            menus.separator = text("separator").unwrap_or(menus.separator);
            menus.line_separator = text("line_separator");
        }
        for (key, node) in method.entries() {
            if let Value::List(steps) = &node.value {
                let choices = steps.iter().filter_map(|step| step.get("select")).map(Choice::read);
                menus.ways.insert(key.name.clone(), choices.collect());
            }
        }
        menus
    }

    /// The number of the entry `label` in what the firmware has printed, the last menu first.
    pub fn number(&self, printed: &str, label: &str) -> Option<String> {
        let escaped = |text: &str| fancy_regex::escape(text).into_owned();
        let [before, after] = &self.markup;
        let pattern = format!(
            r"{}\s*([{}]+){}{}\s*{}(?![^\s\x1b])",
            escaped(before),
            self.class,
            escaped(after),
            escaped(&self.separator),
            escaped(label)
        );
        let found = Regex::new(&pattern).ok()?;
        let numbers = found.captures_iter(printed).filter_map(Result::ok);
        numbers.last().and_then(|found| Some(found.get(1)?.as_str().to_owned()))
    }
}

impl Choice {
    fn read(node: &Node) -> Self {
        let text = |key: &str| node.get(key).and_then(Node::as_text).map(ToOwned::to_owned);
        let items = match node.get("items").map(|items| &items.value) {
            Some(Value::List(items)) => {
                items.iter().filter_map(Node::as_text).map(ToOwned::to_owned).collect()
            }
            _ => Vec::new(),
        };
        let enter = node.get("enter").and_then(|node| match &node.value {
            Value::Int(number) => Some(number.to_string()),
            _ => node.as_text().map(ToOwned::to_owned),
        });
        Self {
            items,
            fallback: text("fallback"),
            enter,
            escape: node.get("escape").is_some(),
            wait: text("wait"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{At, Problems};

    fn menus() -> Menus {
        let problems = Problems::default();
        let at = At::top("device.yaml", &problems);
        let text = "
parameters: {interrupt_prompt: will start in, interrupt_string: ' ', item_markup: ['[', ']'],
    item_class: '0-9', separator: ' ', bootloader_prompt: 'Start:'}
nfs:
- select: {items: [Boot Manager], wait: 'Choice:'}
- select: {enter: 3, wait: 'Arguments:'}
- select: {items: [LAVA], fallback: Return}
";
        let node = crate::yaml::parse(text, &at).unwrap();
        Menus::read(&Table::new(&node, at.clone()).unwrap())
    }

    #[test]
    fn the_way_through_the_menus_is_read() {
        let menus = menus();
        assert_eq!(menus.prompts, ["Start:"]);
        let way = &menus.ways["nfs"];
        assert_eq!(way[0].items, ["Boot Manager"]);
        assert_eq!(way[0].wait.as_deref(), Some("Choice:"));
        assert_eq!(way[1].enter.as_deref(), Some("3"));
        assert_eq!(way[2].fallback.as_deref(), Some("Return"));
    }

    #[test]
    fn an_entry_is_found_by_its_whole_label_in_the_last_menu() {
        let printed = "[1] Shell\r\n[2] LAVA old\r\n[12] LAVA\r\nStart: 1\r\n[3] LAVA\r\n";
        assert_eq!(menus().number(printed, "LAVA").as_deref(), Some("3"));
        assert_eq!(menus().number(printed, "LAVA old").as_deref(), Some("2"));
        assert_eq!(menus().number(printed, "Boot Manager"), None);
    }
}
