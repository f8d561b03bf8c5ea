//! What the methods have in common by which a program of this host writes a board's flash.

use std::path::PathBuf;

use super::flash_trust;
use super::parts::Actions;
use super::strategies::reset;
use crate::dispatch::action::Scene;
use crate::dispatch::actions::WaitUsb;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::Artefact;
use crate::dispatch::validate::Checks;

/// `reset-device`, where there is an outlet, and what then has to be waited for.
pub(super) fn reset_and_wait(scene: &Scene<'_>, wait: WaitUsb) -> Actions {
    match scene.device.commands.hard_reset.is_empty() {
        true => Vec::new(),
        false => vec![reset(scene), Box::new(wait)],
    }
}

/// Where these files are on this host, by their names in the job.
pub(super) fn files(
    artefacts: &[Artefact],
    context: &mut Context,
) -> Result<Vec<(String, PathBuf)>, Error> {
    let missing = |name: &str| Error::Job(format!("the job deploys no {name:?}"));
    let one = |artefact: &Artefact| {
        let file = context.shared().files.get(&artefact.name).cloned();
        Ok((artefact.name.clone(), file.ok_or_else(|| missing(&artefact.name))?))
    };
    artefacts.iter().map(one).collect()
}

/// A text with the files' paths for `{NAME}`, the names written by `name`.
pub(super) fn filled(
    text: &str,
    files: &[(String, PathBuf)],
    name: impl Fn(&str) -> String,
) -> String {
    files.iter().fold(text.to_owned(), |text, (file, path)| {
        text.replace(&format!("{{{}}}", name(file)), &path.display().to_string())
    })
}

/// Options as a dictionary has them, several words in one text, as words.
pub(super) fn words(options: &[String]) -> Vec<String> {
    options.iter().flat_map(|option| shlex::split(option).unwrap_or_default()).collect()
}

/// The words of a text, with the files' paths in them as in [`filled`]: whatever is in a path, it makes no words of its own.
pub(super) fn filled_words(
    text: &str,
    files: &[(String, PathBuf)],
    name: impl Fn(&str) -> String,
) -> Vec<String> {
    let words = shlex::split(text).unwrap_or_default();
    words.iter().map(|word| filled(word, files, &name)).collect()
}

/// The program of a method must be known, and on this host; and the board known by a name.
pub(super) fn check(method: &str, command: Option<&str>, checks: &mut Checks) {
    let file = checks.device.file.clone();
    match command {
        Some(command) => checks.program(command),
        None => {
            let key = format!("actions: boot: methods: {method}: parameters: command");
            checks.fault(format!("the device ({file}) has no \"{key}\""));
        }
    }
    if let Err(why) = checks.device.flash.board_id(&file) {
        checks.fault(why);
    }
}

/// What a job says to the program of a method must reach nothing of this host but the job's files; `look` gives the
/// reason when it could.
pub(super) fn check_words<'a>(
    method: &str,
    said: impl IntoIterator<Item = (&'a str, &'a str)>,
    look: impl Fn(&str) -> Option<String>,
    checks: &mut Checks,
) {
    if checks.device.flash.trusts.contains(method) {
        return;
    }
    let key = format!("actions: boot: methods: {method}: parameters: trust_jobs: true");
    for (what, text) in said {
        if let Some(why) = look(text) {
            let hint = "a device whose jobs may do anything on this host says";
            checks.fault(format!("{what}: {why}; {hint} \"{key}\""));
        }
    }
}

/// As [`check_words`], of the options for each image.
pub(super) fn check_image_args(method: &str, files: &[Artefact], checks: &mut Checks) {
    let said =
        files.iter().filter_map(|file| Some((file.name.as_str(), file.image_arg.as_deref()?)));
    check_words(method, said, |text| flash_trust::image_arg(method, text), checks);
}

/// There must be something to write.
pub(super) fn check_files(files: &[Artefact], checks: &mut Checks) {
    if files.is_empty() {
        checks.fault("the job deploys no file (\"to: tmpfs\") that could be written");
    }
}

/// The command of a method.
///
/// # Errors
/// That there is none; so for the board's name.
pub(super) fn command(command: Option<&String>) -> Result<String, Error> {
    let missing = || Error::Configuration("the device names no program for this method".into());
    command.cloned().ok_or_else(missing)
}

pub(super) fn board_id(context: &Context) -> Result<String, Error> {
    context.device.flash.board_id(&context.device.file).map_err(Error::Configuration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_part_of_one_word_whatever_is_in_it() {
        let files = [("rom".to_owned(), PathBuf::from("/out of 'it'/a --upload b"))];
        assert_eq!(
            filled_words("--alt 'the rom' -D {rom}", &files, ToOwned::to_owned),
            ["--alt", "the rom", "-D", "/out of 'it'/a --upload b"]
        );
        assert_eq!(
            filled_words("-f={ROM}", &files, str::to_uppercase),
            ["-f=/out of 'it'/a --upload b"]
        );
    }
}
