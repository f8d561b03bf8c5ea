//! The shell's commands.

use std::time::Duration;

use super::super::{End, kernel};
use super::{Flow, Leave, Run, Step, lava};

const HELP: &str = "\
This shell is simulated. It knows:
  . [ cat cd command date dmesg echo env eval exit export false grep head help hostname id ls
  mkdir poweroff printf ps pwd reboot rm sh set sleep test true uname unset uptime wc
and ; && || | > >> < 2> $VAR $(...) quotes, scripts, and LAVA's helpers of an overlay:
  lava-test-runner lava-test-case lava-test-set lava-test-raise lava-test-reference
'echo c > /proc/sysrq-trigger' panics its kernel.
";

impl Run<'_> {
    /// Runs a command that has its arguments.
    pub(super) fn command(&mut self, name: &str, arguments: &[&str]) -> Flow {
        // What `command` stands before is no function, and here nothing is.
        let (mut name, mut arguments) = (name, arguments);
        while let ("command", [first, rest @ ..]) = (name, arguments) {
            (name, arguments) = (first, rest);
        }
        if name == "eval" && !arguments.is_empty() {
            return self.script(&arguments.join(" "));
        }
        let input = self.input.take();
        let status = match name {
            "." | "source" => return self.source(arguments),
            "sh" | "/bin/sh" | "ash" | "bash" => return self.sh(arguments),
            "exit" | "logout" => {
                self.shell.status =
                    arguments.first().and_then(|text| text.parse().ok()).unwrap_or(0);
                return Err(Leave::Script);
            }
            // Of LAVA's functions, which a test's script has sourced.
            "lava_signal" => {
                self.signal(&arguments.join(" "));
                0
            }
            "reboot" => return self.end(End::Reboot),
            "poweroff" | "halt" => return self.end(End::Halt),
            "sleep" => self.sleep(arguments),
            ":" | "command" | "eval" | "true" | "sync" | "stty" | "chmod" | "mkdir" | "mount" => 0,
            "false" => 1,
            "[" | "test" => u8::from(!self.test(arguments)),
            "cat" => self.cat(arguments, input),
            "cd" => self.cd(arguments),
            "export" => self.export(arguments),
            "unset" => {
                for name in arguments {
                    self.shell.env.remove(*name);
                }
                0
            }
            "grep" => self.grep(arguments, input),
            "head" => self.head(arguments, input),
            "ls" => self.ls(arguments),
            "rm" => {
                for path in arguments.iter().filter(|path| !path.starts_with('-')) {
                    let path = self.path(path);
                    self.shell.files.remove(&path);
                }
                0
            }
            "set" => {
                for argument in arguments {
                    let on = argument.starts_with('-');
                    self.shell.stop_on_error =
                        if argument.contains('e') { on } else { self.shell.stop_on_error };
                    self.shell.trace = if argument.contains('x') { on } else { self.shell.trace };
                }
                0
            }
            "echo" => {
                let (text, end) = match arguments {
                    ["-n", rest @ ..] => (rest, ""),
                    all => (all, "\n"),
                };
                self.print(&format!("{}{end}", text.join(" ")));
                0
            }
            "printf" => {
                self.printf(arguments);
                0
            }
            _ => match self.told(name, arguments, input) {
                Some(text) => {
                    self.print(&text);
                    0
                }
                None => return self.program(name, arguments),
            },
        };
        self.shell.status = status;
        Ok(())
    }

    /// Commands that only tell something.
    fn told(&self, name: &str, arguments: &[&str], input: Option<String>) -> Option<String> {
        let uptime = self.log.uptime() + self.ahead;
        Some(match name {
            "date" => {
                let now =
                    jiff::Timestamp::now() + jiff::SignedDuration::try_from(self.ahead).ok()?;
                format!("{}\n", now.strftime("%a %b %e %H:%M:%S UTC %Y"))
            }
            "dmesg" => self.log.text(),
            "env" => {
                self.shell.env.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
            }
            "help" => HELP.to_owned(),
            "hostname" => format!("{}\n", self.shell.name),
            "id" => "uid=0(root) gid=0(root) groups=0(root)\n".to_owned(),
            "ps" => {
                "  PID USER     COMMAND\n    1 root     /init\n    2 root     [kthreadd]\n   64 \
                     root     -sh\n   65 root     ps\n"
                    .to_owned()
            }
            "pwd" => format!("{}\n", self.shell.folder),
            "uname" => {
                let host = &self.shell.name;
                let (release, version) = (kernel::RELEASE, kernel::VERSION);
                match arguments.first() {
                    Some(&"-a") => format!("Linux {host} {release} {version} aarch64 GNU/Linux\n"),
                    Some(&"-r") => format!("{release}\n"),
                    Some(&"-m") => "aarch64\n".to_owned(),
                    Some(&"-n") => format!("{host}\n"),
                    Some(&"-v") => format!("{version}\n"),
                    _ => "Linux\n".to_owned(),
                }
            }
            "uptime" => {
                let (minutes, seconds) = (uptime.as_secs() / 60, uptime.as_secs() % 60);
                format!("up {minutes} min {seconds} s, load average: 0.00, 0.00, 0.00\n")
            }
            "wc" => format!("{}\n", input.unwrap_or_default().lines().count()),
            "whoami" => "root\n".to_owned(),
            _ => return None,
        })
    }

    /// A program of the board's files: one of LAVA's helpers, which are simulated, or a script.
    fn program(&mut self, name: &str, arguments: &[&str]) -> Flow {
        let path = self.shell.env.get("PATH").cloned().unwrap_or_default();
        let found = if name.contains('/') {
            Some(self.path(name)).filter(|path| self.shell.files.read(path).is_some())
        } else {
            let places = path.split(':').map(|folder| format!("{folder}/{name}"));
            places.into_iter().find(|path| self.shell.files.read(path).is_some())
        };
        let Some(path) = found else {
            return self.fail(127, &format!("sh: {name}: not found"));
        };
        if let Some(helper) = lava::Helper::of(&path) {
            return self.helper(helper, arguments);
        }
        match self.text(&path) {
            Some(text) if text.starts_with("#!") => self.sh(&[&path]),
            _ => self.fail(126, &format!("sh: {name}: cannot be run on a simulated board")),
        }
    }

    fn source(&mut self, arguments: &[&str]) -> Flow {
        let Some(path) = arguments.first() else { return self.fail(2, "sh: .: filename missing") };
        match self.text(path) {
            // Functions are not simulated; those of LAVA are commands here.
            Some(_) if path.ends_with("/lava-common-functions") => {
                self.shell.status = 0;
                Ok(())
            }
            Some(text) => {
                self.shell.status = 0;
                self.script(&text)
            }
            None => self.fail(1, &format!("sh: .: can't open '{path}'")),
        }
    }

    /// A script in a shell of its own: what it sets is gone after it.
    pub(super) fn sh(&mut self, arguments: &[&str]) -> Flow {
        let (options, arguments) = match arguments {
            [option, rest @ ..] if option.starts_with('-') => (*option, rest),
            all => ("", all),
        };
        let Some(first) = arguments.first() else {
            return self.fail(2, "sh: a shell in this simulated shell would be the same again");
        };
        let text = if options.contains('c') { Some((*first).to_owned()) } else { self.text(first) };
        let Some(text) = text else {
            return self.fail(127, &format!("sh: can't open '{first}'"));
        };
        let outer = (self.shell.env.clone(), self.shell.folder.clone());
        let set = (self.shell.stop_on_error, self.shell.trace);
        self.shell.stop_on_error = options.contains('e');
        self.shell.trace = options.contains('x');
        self.shell.status = 0;
        let flow = self.script(&text);
        (self.shell.env, self.shell.folder) = outer;
        (self.shell.stop_on_error, self.shell.trace) = set;
        match flow {
            Err(Leave::Script) => Ok(()),
            flow => flow,
        }
    }

    fn end(&mut self, end: End) -> Flow {
        self.steps.push(Step::End(end));
        Err(Leave::All)
    }

    fn sleep(&mut self, arguments: &[&str]) -> u8 {
        let seconds = arguments.first().and_then(|text| text.parse().ok());
        let Some(Ok(time)) = seconds.map(Duration::try_from_secs_f64) else {
            self.complain("sleep: how many seconds?");
            return 1;
        };
        self.ahead = self.ahead.saturating_add(time);
        self.steps.push(Step::Sleep(time));
        0
    }

    fn test(&self, arguments: &[&str]) -> bool {
        let arguments = arguments.strip_suffix(&["]"]).unwrap_or(arguments);
        let number = |text: &str| text.parse::<i64>().ok();
        match arguments {
            ["!", rest @ ..] => !self.test(rest),
            ["-n", text] | [text] => !text.is_empty(),
            ["-z", text] => text.is_empty(),
            ["-f" | "-e" | "-r" | "-x", path]
                if self.shell.files.read(&self.path(path)).is_some() =>
            {
                true
            }
            ["-d" | "-e", path] => self.shell.files.is_folder(&self.path(path)),
            [left, "=" | "==", right] => left == right,
            [left, "!=", right] => left != right,
            [left, operator, right] => match (number(left), *operator, number(right)) {
                (Some(left), "-eq", Some(right)) => left == right,
                (Some(left), "-ne", Some(right)) => left != right,
                (Some(left), "-lt", Some(right)) => left < right,
                (Some(left), "-le", Some(right)) => left <= right,
                (Some(left), "-gt", Some(right)) => left > right,
                (Some(left), "-ge", Some(right)) => left >= right,
                _ => false,
            },
            _ => false,
        }
    }

    fn cat(&mut self, arguments: &[&str], input: Option<String>) -> u8 {
        if arguments.is_empty() {
            self.print(&input.unwrap_or_default());
        }
        let mut status = 0;
        for path in arguments {
            match self.text(path) {
                Some(text) => self.print(&text),
                None => {
                    self.complain(&format!("cat: can't open '{path}': No such file or directory"));
                    status = 1;
                }
            }
        }
        status
    }

    fn cd(&mut self, arguments: &[&str]) -> u8 {
        let folder = self.path(arguments.first().unwrap_or(&"/root"));
        if folder != "/root" && !self.shell.files.is_folder(&folder) {
            self.complain(&format!("sh: cd: can't cd to {folder}"));
            return 1;
        }
        self.shell.folder = folder;
        0
    }

    fn export(&mut self, arguments: &[&str]) -> u8 {
        for (name, value) in arguments.iter().filter_map(|argument| argument.split_once('=')) {
            self.shell.env.insert(name.to_owned(), value.to_owned());
        }
        0
    }

    fn grep(&mut self, arguments: &[&str], input: Option<String>) -> u8 {
        let (options, rest): (Vec<&str>, Vec<&str>) =
            arguments.iter().partition(|argument| argument.starts_with('-'));
        let has = |option: char| options.iter().any(|options| options.contains(option));
        let Some((pattern, files)) = rest.split_first() else { return 2 };
        let mut text = input.unwrap_or_default();
        text.extend(files.iter().filter_map(|path| self.text(path)));
        let fold = |text: &str| if has('i') { text.to_lowercase() } else { text.to_owned() };
        let pattern = fold(pattern);
        // Patterns are plain text here.
        let found: Vec<&str> =
            text.lines().filter(|line| fold(line).contains(&pattern) != has('v')).collect();
        if has('c') {
            self.print(&format!("{}\n", found.len()));
        } else if !has('q') {
            found.iter().for_each(|line| self.print(&format!("{line}\n")));
        }
        u8::from(found.is_empty())
    }

    fn head(&mut self, arguments: &[&str], input: Option<String>) -> u8 {
        let count = arguments.iter().find_map(|argument| {
            argument.trim_start_matches("-n").trim_start_matches('-').parse().ok()
        });
        for line in input.unwrap_or_default().split_inclusive('\n').take(count.unwrap_or(10)) {
            self.print(line);
        }
        0
    }

    fn ls(&mut self, arguments: &[&str]) -> u8 {
        let path = arguments.iter().find(|argument| !argument.starts_with('-')).unwrap_or(&".");
        let whole = self.path(path);
        if self.shell.files.read(&whole).is_some() {
            self.print(&format!("{path}\n"));
            return 0;
        }
        if !self.shell.files.is_folder(&whole) && whole != "/root" {
            self.complain(&format!("ls: {path}: No such file or directory"));
            return 1;
        }
        let names = self.shell.files.names(&whole).join("\n");
        if !names.is_empty() {
            self.print(&format!("{names}\n"));
        }
        0
    }

    /// `%s`, `%d`, `%%` and the escapes `\n`, `\t` and `\\`.
    fn printf(&mut self, arguments: &[&str]) {
        let Some((format, arguments)) = arguments.split_first() else { return };
        let mut arguments = arguments.iter();
        let mut out = String::new();
        let mut rest = format.chars();
        while let Some(c) = rest.next() {
            match (c, rest.clone().next()) {
                ('%', Some('s' | 'd')) => out.push_str(arguments.next().unwrap_or(&"")),
                ('%', Some('%')) => out.push('%'),
                ('\\', Some('n')) => out.push('\n'),
                ('\\', Some('t')) => out.push('\t'),
                ('\\', Some('\\')) => out.push('\\'),
                (c, _) => {
                    out.push(c);
                    continue;
                }
            }
            rest.next();
        }
        self.print(&out);
    }
}
