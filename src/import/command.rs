//! Commands that take a person to a line, as ports.
//!
//! `cu -l /dev/ttyUSB0 -s 115200` and its like become a native serial port, with everything that
//! such a program cannot do; any other command runs on a pty as it did.

/// A port, and what has to be said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) port: String,
    /// What the command did not tell, and is guessed.
    pub(super) guess: Option<&'static str>,
}

/// The characters that only a shell understands.
pub(super) const SHELL: &[char] = &[
    ';', '&', '|', '<', '>', '(', ')', '$', '`', '*', '?', '[', ']', '{', '}', '~', '#', '\n', '=',
];

/// Programs within programs: `exec sg dialout '…'` has two. More than this is no command of a person.
const NESTED: usize = 4;

/// The port of a command line that a shell was to run.
///
/// # Errors
/// Why it is none.
pub(super) fn port(command: &str) -> Result<Port, &'static str> {
    let words = shlex::split(command).ok_or("a quote is open in it")?;
    if let Some(port) = native(&words, 0) {
        return Ok(port);
    }
    let joined = if command.contains(SHELL) {
        shlex::try_join(["sh", "-c", command.trim()])
    } else {
        shlex::try_join(words.iter().map(String::as_str))
    };
    match joined.map_err(|_| "it has a zero byte")? {
        words if words.is_empty() => Err("the command is empty"),
        words => Ok(Port { port: format!("exec:{words}"), guess: None }),
    }
}

/// A telnet server as a port. IPv6 addresses get brackets.
pub(super) fn address(kind: &str, host: &str, port: &str) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("{kind}:[{host}]:{port}")
    } else {
        format!("{kind}:{host}:{port}")
    }
}

/// A console behind a BMC. The password is read from a file that only its reader may see.
pub(super) fn ipmi(host: &str, user: Option<&str>, console: &str) -> Option<(String, String)> {
    let password = format!("/etc/lava/{}.pass", console.replace('/', "-"));
    let mut words = vec!["ipmitool", "-I", "lanplus", "-H", host];
    if let Some(user) = user.filter(|user| !user.is_empty()) {
        words.extend(["-U", user]);
    }
    words.extend(["-f", &password, "sol", "activate"]);
    let joined = shlex::try_join(words).ok()?;
    Some((format!("exec:{joined}"), password))
}

fn native(words: &[String], depth: usize) -> Option<Port> {
    let (program, arguments) = words.split_first()?;
    let program = program.rsplit('/').next().unwrap_or_default();
    match (program, arguments) {
        ("exec", command) if depth < NESTED => native(command, depth + 1),
        ("sg", [_group, command]) if depth < NESTED => native(&shlex::split(command)?, depth + 1),
        ("sg", [_group, c, command]) if c == "-c" && depth < NESTED => {
            native(&shlex::split(command)?, depth + 1)
        }
        ("cu", arguments) => cu(arguments),
        ("cu-loop", [device]) => tty(device, None),
        ("cu-loop", [device, speed]) => tty(device, Some(speed)),
        ("telnet", [host]) => telnet(host, "23"),
        ("telnet", [host, port]) => telnet(host, port),
        _ => None,
    }
}

/// `cu`'s line and speed, when there is nothing else that matters among its options.
fn cu(arguments: &[String]) -> Option<Port> {
    let (mut line, mut speed) = (None, None);
    let mut rest = arguments.iter().map(String::as_str);
    while let Some(word) = rest.next() {
        let (option, joined) = match word.split_once('=') {
            Some((option, value)) if word.starts_with("--") => (option, Some(value)),
            _ if word.starts_with('-') && !word.starts_with("--") && word.len() > 2 => {
                (word.get(..2)?, word.get(2..))
            }
            _ => (word, None),
        };
        match option {
            "-l" | "--line" => line = Some(joined.or_else(|| rest.next())?),
            "-s" | "--speed" | "--baud" => speed = Some(joined.or_else(|| rest.next())?),
            // How it treats the person's terminal, and the flow control that we do not use.
            "-E" | "--escape" => drop(joined.or_else(|| rest.next())?),
            "-h" | "--halfduplex" | "--nostop" | "-f" | "--nortscts" | "dir"
                if joined.is_none() => {}
            _ => return None,
        }
    }
    let line = line?;
    let device = if line.starts_with('/') { line.to_owned() } else { format!("/dev/{line}") };
    tty(&device, speed)
}

fn tty(device: &str, speed: Option<&str>) -> Option<Port> {
    if !device.starts_with('/') || device.contains(',') || device.contains(SHELL) {
        return None;
    }
    let guess = speed.is_none().then_some("it tells no speed; 115200n8 is taken");
    let speed = speed.unwrap_or("115200");
    if speed.parse::<u32>().ok()? == 0 {
        return None;
    }
    Some(Port { port: format!("tty:{device},{speed}n8"), guess })
}

fn telnet(host: &str, port: &str) -> Option<Port> {
    let is_host = !host.starts_with('-') && !host.contains(char::is_whitespace);
    let is_host = is_host && !host.is_empty() && !host.contains(SHELL);
    let port = port.parse::<u16>().ok().filter(|port| *port != 0 && is_host)?;
    Some(Port { port: address("telnet", host, &port.to_string()), guess: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(command: &str) -> String {
        port(command).unwrap().port
    }

    #[test]
    fn programs_that_open_a_line_become_the_line() {
        for (command, expected) in [
            ("cu -l /dev/ttyUSB0 -s 115200", "tty:/dev/ttyUSB0,115200n8"),
            ("cu --nostop --line=ttyS1 --speed 9600", "tty:/dev/ttyS1,9600n8"),
            ("/usr/bin/cu -lttyS1 -s9600 dir", "tty:/dev/ttyS1,9600n8"),
            ("exec sg dialout \"cu-loop /dev/panda01 115200\"", "tty:/dev/panda01,115200n8"),
            ("sg dialout -c 'cu -l /dev/x -s 1200'", "tty:/dev/x,1200n8"),
            ("telnet ts1", "telnet:ts1:23"),
            ("telnet fd00::1 2001", "telnet:[fd00::1]:2001"),
        ] {
            assert_eq!(text(command), expected, "{command}");
        }
        assert!(port("cu -l /dev/ttyUSB0").unwrap().guess.unwrap().contains("115200n8"));
    }

    #[test]
    fn other_programs_run_as_they_did() {
        for (command, expected) in [
            ("cu -e -l /dev/ttyUSB0 -s 9600", "exec:cu -e -l /dev/ttyUSB0 -s 9600"),
            ("ssh  admin@ts1 'port 3'", "exec:ssh admin@ts1 'port 3'"),
            ("telnet -l root ts1", "exec:telnet -l root ts1"),
            ("cu -l /dev/x -s fast", "exec:cu -l /dev/x -s fast"),
            ("sleep 1; cu -l /dev/x", "exec:sh -c 'sleep 1; cu -l /dev/x'"),
            ("cu-loop /dev/tty$N 9600", "exec:sh -c 'cu-loop /dev/tty$N 9600'"),
            ("TERM=vt100 ssh ts1", "exec:sh -c 'TERM=vt100 ssh ts1'"),
        ] {
            assert_eq!(text(command), expected, "{command}");
        }
        assert!(port("  ").is_err());
        assert!(port("ssh 'ts1").is_err());
        assert!(port("ssh \0").is_err());
    }
}
