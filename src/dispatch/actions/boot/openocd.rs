//! `flash-openocd`: `OpenOCD` writes the images, by the dictionary's or the job's script.

use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;

use super::flash_parts::{check, check_files, check_words, command, files, filled};
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::device::Openocd;
use crate::dispatch::error::Error;
use crate::dispatch::host;
use crate::dispatch::job::Artefact;
use crate::dispatch::validate::Checks;

/// The artefact that is a script in place of the device's.
const SCRIPT: &str = "openocd_script";

#[derive(Debug)]
pub(super) struct FlashOpenocd {
    pub files: Vec<Artefact>,
}

impl Action for FlashOpenocd {
    fn name(&self) -> &'static str {
        "flash-openocd"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            check("openocd", checks.device.flash.openocd.command.clone().as_deref(), checks);
            check_files(&self.files, checks);
            let script = self.files.iter().filter(|file| file.name == SCRIPT);
            let said = script.map(|file| (file.name.as_str(), file.url.as_str()));
            let why = |_: &str| Some("a script of the job's can run any program".to_owned());
            check_words("openocd", said, why, checks);
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let mut openocd = context.device.flash.openocd.clone();
            let files = files(&self.files, context)?;
            let own = files.iter().find(|(name, _)| name == SCRIPT);
            let own = own.map(|(_, file)| file.display().to_string());
            let selection = match &openocd.selection {
                None => None,
                Some(script) => {
                    let file = context.scratch().join("board_selection.cfg");
                    let failed =
                        |error| Error::Infrastructure(format!("{}: {error}", file.display()));
                    std::fs::write(&file, script).map_err(failed)?;
                    Some(file.display().to_string())
                }
            };
            // A path is a word of the command that it is put into.
            let quoted: Vec<(String, PathBuf)> =
                files.iter().map(|(name, file)| (name.clone(), tcl_word(file).into())).collect();
            for command in &mut openocd.commands {
                *command = filled(command, &quoted, str::to_uppercase);
            }
            let line = line(&command(openocd.command.as_ref())?, &openocd, own, selection);
            let line: Vec<String> =
                line.iter().map(|word| filled(word, &files, str::to_uppercase)).collect();
            host::run(&line, context).await.map(drop)
        })
    }
}

/// A path as a word of Tcl, which `OpenOCD`'s commands are (Tcl(n), rule 9: a character behind a backslash is itself).
fn tcl_word(path: &Path) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:=@%,".contains(c);
    let escaped = path.display().to_string();
    let escaped = escaped.chars().map(|c| match c {
        '\n' => "\\n".to_owned(),
        c if is_plain(c) => c.to_string(),
        c => format!("\\{c}"),
    });
    escaped.collect()
}

/// `OpenOCD` with all of its options, in LAVA's order.
fn line(
    program: &str,
    openocd: &Openocd,
    own: Option<String>,
    selection: Option<String>,
) -> Vec<String> {
    let mut scripts = own.map_or_else(|| openocd.files.clone(), |own| vec![own]);
    scripts.extend(selection);
    let each = |option: &str, values: &[String]| -> Vec<String> {
        values.iter().flat_map(|value| [option.to_owned(), value.clone()]).collect()
    };
    let mut line = vec![program.to_owned()];
    line.extend(each("-f", &scripts));
    line.extend(openocd.debug.iter().map(|level| format!("-d{level}")));
    line.extend(each("-s", &openocd.searches));
    line.extend(each("-c", &openocd.commands));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_a_command_and_runs_nothing() {
        assert_eq!(tcl_word(Path::new("/srv/job/one.hex")), "/srv/job/one.hex");
        assert_eq!(tcl_word(Path::new("/a b/[exit]$x;")), "/a\\ b/\\[exit\\]\\$x\\;");
    }
}
