//! Where a command's output and complaints go, and what a path names.

use super::super::End;
use super::{Errors, Flow, Leave, MAX_OUTPUT, Run, Step};

impl Run<'_> {
    /// Prints on standard output.
    pub(super) fn print(&mut self, text: &str) {
        self.printed += text.len();
        if self.printed > MAX_OUTPUT {
            return;
        }
        match (self.captures.last_mut(), self.steps.last_mut()) {
            (Some(capture), _) => capture.push_str(text),
            (None, Some(Step::Print(last))) => last.push_str(text),
            (None, _) => self.steps.push(Step::Print(text.to_owned())),
        }
    }

    /// Prints a line on standard error.
    pub(super) fn complain(&mut self, line: &str) {
        match self.errors {
            Errors::Nowhere => {}
            Errors::Output => self.print(&format!("{line}\n")),
            Errors::Console => {
                let captures = std::mem::take(&mut self.captures);
                self.print(&format!("{line}\n"));
                self.captures = captures;
            }
        }
    }

    /// Complains and leaves an exit status.
    pub(super) fn fail(&mut self, status: u8, line: &str) -> Flow {
        self.complain(line);
        self.shell.status = status;
        Ok(())
    }

    /// Writes what was redirected.
    pub(super) fn store(&mut self, path: &str, text: &str, append: bool) -> Flow {
        match path {
            "/dev/null" => {}
            "/dev/console" | "/dev/ttyAMA0" | "/dev/stdout" => self.print(text),
            "/proc/sysrq-trigger" if text.starts_with('c') => {
                self.steps.push(Step::End(End::Panic));
                return Err(Leave::All);
            }
            path => {
                if let Err(error) = self.shell.files.write(path, text, append) {
                    return self.fail(1, &format!("sh: {path}: {error}"));
                }
            }
        }
        Ok(())
    }

    /// A path as it stands from the root, without `.` and `..`.
    pub(super) fn path(&self, path: &str) -> String {
        let whole = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("{}/{path}", self.shell.folder)
        };
        let mut parts: Vec<&str> = Vec::new();
        for part in whole.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        format!("/{}", parts.join("/"))
    }

    /// A file's text.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let bytes = self.shell.files.read(&self.path(path))?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    }
}
