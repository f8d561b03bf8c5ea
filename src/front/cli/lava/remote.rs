//! The same verbs for somebody who has come over the network.

use std::any::TypeId;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{
    ArgMatches, Command, CommandFactory as _, Error, FromArgMatches as _, Parser, Subcommand,
};

use super::{Context, LabVerb, power};

/// Boards, their power, their consoles and what they printed.
///
/// Exit codes: 0 done; 1 the thing asked for failed; 2 wrong usage or unknown board; 3 a daemon or a
/// PDU is at fault; 4 refused.
#[derive(Debug, Parser)]
#[command(name = "lava", next_display_order = None)]
struct RemoteArgs {
    #[command(subcommand)]
    verb: RemoteVerb,
}

/// All that somebody may ask for who has no account on this host: what is done with boards.
#[derive(Debug, Subcommand)]
enum RemoteVerb {
    #[command(flatten)]
    Lab(LabVerb),
    Power(power::RemotePowerArgs),
}

/// Runs one command of a client, without the program's name, and gives its exit code. Everything is
/// said to the client. To interrupt it, drop it.
///
/// Options that name files of this host, or another lab, are not there for clients.
pub async fn run_remote(words: &[String], ctx: &Context) -> u8 {
    let verb = match parse(words, ctx) {
        Ok(verb) => verb,
        Err(error) => {
            let text = error.render();
            let text = match ctx.screen().colours {
                true => text.ansi().to_string(),
                false => text.to_string(),
            };
            match error.use_stderr() {
                true => ctx.tell(&text).await,
                false => drop(ctx.print(text.as_bytes()).await),
            }
            return u8::try_from(error.exit_code()).unwrap_or(1);
        }
    };
    let ended = match verb {
        RemoteVerb::Lab(verb) => verb.run(ctx).await,
        RemoteVerb::Power(args) => power::run_remote(args, ctx).await,
    };
    match ended {
        Ok(()) => 0,
        Err(failure) => {
            ctx.tell(&format!("{failure}\n")).await;
            failure.kind.exit_code()
        }
    }
}

/// Whether a word is the name of one of these commands.
pub fn is_remote_verb(word: &str) -> bool {
    word == "help" || RemoteArgs::command().find_subcommand(word).is_some()
}

fn parse(words: &[String], ctx: &Context) -> Result<RemoteVerb, Error> {
    let columns = ctx.screen().columns.unwrap_or(0);
    let mut command = narrowed(RemoteArgs::command()).term_width(columns.into());
    let words = std::iter::once("lava").chain(words.iter().map(String::as_str));
    let mut matches = command.try_get_matches_from_mut(words)?;
    if let Some(option) = foreign(&command, &matches) {
        let mut error = Error::new(ErrorKind::UnknownArgument).with_cmd(&command);
        let option = ContextValue::String(option);
        error.insert(ContextKind::InvalidArg, option);
        return Err(error);
    }
    RemoteArgs::from_arg_matches_mut(&mut matches)
        .map(|args| args.verb)
        .map_err(|error| error.format(&mut command))
}

/// The commands without help for what clients do not have.
fn narrowed(command: Command) -> Command {
    let command = command.mut_args(|arg| match is_foreign(&arg) {
        true => arg.hide(true),
        false => arg,
    });
    command.mut_subcommands(narrowed)
}

/// What says something of this host's files, or names another lab.
fn is_foreign(arg: &clap::Arg) -> bool {
    arg.get_value_parser().type_id() == TypeId::of::<PathBuf>() || arg.get_id() == "server"
}

/// The option that was given and clients do not have.
fn foreign(command: &Command, matches: &ArgMatches) -> Option<String> {
    let given = command.get_arguments().filter(|arg| is_foreign(arg));
    let mut given = given.filter(|arg| matches.contains_id(arg.get_id().as_str()));
    if let Some(arg) = given.next() {
        return Some(arg.get_long().map_or(arg.get_id().to_string(), |long| format!("--{long}")));
    }
    let (name, matches) = matches.subcommand()?;
    foreign(command.find_subcommand(name)?, matches)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::mpsc;

    use super::super::{Said, Screen};
    use super::*;
    use crate::client::lab::Lab;
    use crate::model::{Behalf, Right, Rights};

    /// What a command says to alice, who may look at panda01 and nothing else, and its exit code.
    async fn said(lab: Lab, words: &[&str]) -> (String, String, u8) {
        let mut rights = Rights::default();
        rights.grant("panda01".parse().unwrap(), Right::See);
        let behalf = Behalf { user: "alice".parse().unwrap(), from: None, rights };
        let (to, mut from) = mpsc::channel(8);
        let ctx = Context::of_client(
            "alice".into(),
            lab.on_behalf_of(Arc::new(behalf)),
            to,
            Screen { columns: Some(80), ..Screen::default() },
        );
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        // A server carries it on any of its threads.
        fn any_thread<F: Future<Output = u8> + Send>(future: F) -> F {
            future
        }
        let run = async move { any_thread(run_remote(&words, &ctx)).await };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let listen = async {
            while let Some(said) = from.recv().await {
                match said {
                    Said::Out(bytes) => out.extend(bytes),
                    Said::Err(bytes) => err.extend(bytes),
                }
            }
        };
        let (code, ()) = tokio::join!(run, listen);
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), code)
    }

    fn lab(dir: &tempfile::TempDir) -> Lab {
        let file = dir.path().join("lab.toml");
        let board = |name: &str| {
            format!("[[board]]\nname = \"{name}\"\nconsole = \"unix:/gone:/consoles/{name}\"\n")
        };
        std::fs::write(&file, board("panda01") + &board("secret7")).unwrap();
        Lab::File(file)
    }

    #[tokio::test]
    async fn help_and_mistakes_are_told_to_the_client() {
        let dir = tempfile::tempdir().unwrap();
        let (out, err, code) = said(lab(&dir), &["help"]).await;
        assert!(out.contains("boards") && err.is_empty() && code == 0, "{out}{err}");
        for absent in ["demo", "import", "serial", "token", "console", "--version"] {
            let listed =
                out.lines().any(|line| line.trim_start().split(' ').next() == Some(absent));
            assert!(!listed, "{absent}: {out}");
        }
        let (out, err, code) = said(lab(&dir), &["baords"]).await;
        assert!(out.is_empty() && err.contains("'boards'") && code == 2, "{out}{err}");
        let (out, _, _) = said(lab(&dir), &["send", "--help"]).await;
        assert!(out.contains("--pace") && !out.contains("--file <FILE>"), "{out}");
    }

    #[tokio::test]
    async fn a_client_names_no_file_and_no_other_lab() {
        let dir = tempfile::tempdir().unwrap();
        for (words, option) in [
            (&["boards", "--lab", "/etc/passwd"][..], "--lab"),
            (&["send", "panda01", "--file", "/etc/passwd"], "--file"),
            (&["power", "list", "--server", "http://h"], "--server"),
        ] {
            let (out, err, code) = said(lab(&dir), words).await;
            let told = format!("unexpected argument '{option}' found");
            assert!(out.is_empty() && err.contains(&told) && code == 2, "{out}{err}");
        }
    }

    #[tokio::test]
    async fn a_client_has_its_rights_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let (out, _, code) = said(lab(&dir), &["boards"]).await;
        assert!(out.contains("panda01") && !out.contains("secret7") && code == 0, "{out}");
        let (_, err, code) = said(lab(&dir), &["log", "secret7"]).await;
        assert!(err.starts_with("there is no board \"secret7\" here") && code == 2, "{err}");
        assert!(!err.contains(&*dir.path().to_string_lossy()), "{err}");
        let (_, err, code) = said(lab(&dir), &["send", "panda0*", "reboot"]).await;
        assert_eq!(err, "this needs the right to write panda01; you have see\n");
        assert_eq!(code, 4);
    }
}
