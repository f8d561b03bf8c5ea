//! A PDU of our own: a program that keeps its outlets in files, and can be dead, slow or lying.

use std::path::PathBuf;

use crate::common::TestLab;

/// The outlets `1` to `9` of it. All are off at first.
pub(super) struct Relays {
    folder: PathBuf,
    program: String,
}

/// While `dead` is there nothing is answered; what was asked is carried out when it is gone. While
/// `stuck` is there requests are taken, and nothing is switched.
const PROGRAM: &str = r#"#!/bin/sh
cd "${0%/*}" || exit 3
while test -e dead; do sleep 0.02; done
case "$1" in
status) if test -e "on.$2"; then echo on; else echo off; fi ;;
on) echo "on $2" >> log; test -e stuck || : > "on.$2" ;;
off) echo "off $2" >> log; test -e stuck || rm -f "on.$2" ;;
esac
"#;

impl Relays {
    pub(super) fn new(lab: &TestLab, name: &str) -> Self {
        let program = lab.write(&format!("{name}/relays"), PROGRAM);
        let folder = lab.path(name);
        Self { folder, program }
    }

    /// The `[[pdu]]`; a request may take so long.
    pub(super) fn pdu(&self, name: &str, timeout: &str) -> String {
        let words =
            |verb: &str| format!("[\"sh\", \"{}\", \"{verb}\", \"{{port}}\"]", self.program);
        format!(
            "[[pdu]]\nname = \"{name}\"\ndriver = \"exec\"\ntimeout = \"{timeout}\"\n\
             verify = \"2s\"\non = {}\noff = {}\nstatus = {}\n",
            words("on"),
            words("off"),
            words("status")
        )
    }

    pub(super) fn is_on(&self, port: u32) -> bool {
        self.folder.join(format!("on.{port}")).exists()
    }

    /// Somebody walks up to it.
    pub(super) fn set(&self, port: u32, on: bool) {
        let file = self.folder.join(format!("on.{port}"));
        let _ = if on { std::fs::write(file, "") } else { std::fs::remove_file(file) };
    }

    /// `dead` or `stuck`.
    pub(super) fn is(&self, what: &str, so: bool) {
        let file = self.folder.join(what);
        let _ = if so { std::fs::write(file, "") } else { std::fs::remove_file(file) };
    }

    /// What it was asked to switch, in order.
    pub(super) fn log(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }
}

/// An `[[outlet]]`; `more` are the rest of its keys.
pub(super) fn outlet(name: &str, pdu: &str, port: u32, more: &str) -> String {
    format!("[[outlet]]\nname = \"{name}\"\npdu = \"{pdu}\"\nport = {port}\n{more}")
}
