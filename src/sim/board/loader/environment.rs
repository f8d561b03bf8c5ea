//! The boot loader's environment and command line: variables, quotes, `;`.

use std::collections::BTreeMap;

/// Variables by name, always in order.
#[derive(Debug, Clone)]
pub(super) struct Environment(BTreeMap<String, String>);

/// What a fresh board has.
const DEFAULTS: [(&str, &str); 10] = [
    ("arch", "arm64"),
    ("baudrate", "115200"),
    ("bootargs", "console=ttyAMA0"),
    (
        "bootcmd",
        "load virtio 0 ${kernel_addr_r} /boot/Image; booti ${kernel_addr_r} - ${fdtcontroladdr}",
    ),
    ("bootdelay", "2"),
    ("fdtcontroladdr", "47edf6a0"),
    ("fdt_addr_r", "40000000"),
    ("kernel_addr_r", "40400000"),
    ("ramdisk_addr_r", "44000000"),
    ("stdout", "serial,vidconsole"),
];

impl Environment {
    pub(super) fn new(board: &str) -> Self {
        let defaults = DEFAULTS.into_iter().chain([("hostname", board)]);
        Self(defaults.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Sets a variable, or removes it when the value is empty, as `setenv` does.
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        if value.is_empty() {
            self.0.remove(name);
        } else {
            self.0.insert(name.to_owned(), value);
        }
    }

    /// All variables as `NAME=VALUE` lines.
    pub(super) fn listing(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
    }

    /// The size of [`Self::listing`], in bytes.
    pub(super) fn size(&self) -> usize {
        self.listing().len()
    }

    /// The words of one command, with `$NAME` and `${NAME}` replaced outside single quotes.
    pub(super) fn words(&self, command: &str) -> Vec<String> {
        let mut words = Vec::new();
        let mut word: Option<String> = None;
        let mut quote = None;
        let mut rest = command.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\'' | '"' if quote == Some(c) => quote = None,
                '\'' | '"' if quote.is_none() => {
                    quote = Some(c);
                    word.get_or_insert_default();
                }
                '\\' if quote != Some('\'') => word.get_or_insert_default().extend(rest.next()),
                '$' if quote != Some('\'') => {
                    let braced = rest.next_if_eq(&'{').is_some();
                    let mut name = String::new();
                    while let Some(c) = rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                        name.push(c);
                    }
                    if braced {
                        rest.next_if_eq(&'}');
                    }
                    // A variable that is not set leaves nothing, not even an empty word.
                    if let Some(value) = self.get(&name) {
                        word.get_or_insert_default().push_str(value);
                    }
                }
                c if c.is_whitespace() && quote.is_none() => words.extend(word.take()),
                c => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
        words
    }
}

/// The commands of a line: parted by `;` outside quotes. Words are made of each only when its
/// turn comes, for the one before it may have set a variable.
pub(super) fn commands(line: &str) -> Vec<&str> {
    let (mut commands, mut start, mut quote, mut escaped) = (Vec::new(), 0, None, false);
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\'' | '"' if quote == Some(c) => quote = None,
            '\'' | '"' if quote.is_none() => quote = Some(c),
            ';' if quote.is_none() => {
                commands.push(&line[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    commands.push(&line[start..]);
    commands.retain(|command| !command.trim().is_empty());
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_expand_variables_but_not_in_single_quotes() {
        let mut env = Environment::new("panda01");
        env.set("filesize", "1a2b");
        assert_eq!(
            env.words("booti ${kernel_addr_r} $ramdisk_addr_r:${filesize} $nothing"),
            ["booti", "40400000", "44000000:1a2b"]
        );
        assert_eq!(
            env.words("setenv x 'echo ${filesize}; boot'"),
            ["setenv", "x", "echo ${filesize}; boot"]
        );
        assert_eq!(env.words(r#"echo "a b"c \$d """#), ["echo", "a bc", "$d", ""]);
    }

    #[test]
    fn commands_are_parted_by_semicolons_outside_quotes() {
        assert_eq!(commands("dhcp; setenv x 'a;b' ;;boot"), ["dhcp", " setenv x 'a;b' ", "boot"]);
        assert!(commands("  ").is_empty());
    }

    #[test]
    fn an_empty_value_removes_a_variable() {
        let mut env = Environment::new("panda01");
        env.set("bootdelay", "");
        assert_eq!(env.get("bootdelay"), None);
        assert!(env.listing().contains("hostname=panda01\n"));
    }
}
