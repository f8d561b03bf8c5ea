//! Running the power commands of a device dictionary.
//!
//! `lava power cycle panda01` is done here, through lava-power's HTTP interface. Everything else is a
//! program of the lab's: split into words as a shell would, and executed without one.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::context::{Context, Settings};
use super::error::Error;
use super::lab;
use crate::client::outlet::operate;
use crate::model::{PowerRequest, Verb};

/// The longest that one command may take; the action's own limit may end it before.
const COMMAND_LIMIT: Duration = Duration::from_secs(120);
/// The most that is kept of what a program says, in bytes.
const MAX_OUTPUT: u64 = 16 * 1024;

/// One command, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PowerCommand {
    /// `lava [--lab FILE] power VERB BOARD`.
    Native {
        lab: Option<String>,
        verb: Verb,
        board: String,
    },
    Program {
        words: Vec<String>,
    },
}

impl PowerCommand {
    /// # Errors
    /// What is wrong with the command.
    pub(super) fn parse(command: &str) -> Result<Self, String> {
        let words = shlex::split(command)
            .ok_or_else(|| format!("{command:?} has a quotation mark that is not closed"))?;
        let words_are: Vec<&str> = words.iter().map(String::as_str).collect();
        let (lab, rest) = match words_are.as_slice() {
            ["lava", "--lab", lab, rest @ ..] => (Some((*lab).to_owned()), rest),
            ["lava", rest @ ..] => (None, rest),
            [] => return Err("the command is empty".into()),
            _ => return Ok(Self::Program { words }),
        };
        let native = |lab, verb, board: &str| Ok(Self::Native { lab, verb, board: board.into() });
        match rest {
            ["power", "on", board] => native(lab, Verb::On, board),
            ["power", "off", board] => native(lab, Verb::Off, board),
            ["power", "cycle", board] => native(lab, Verb::Cycle, board),
            _ => Err(format!("{command:?}: expected lava power on|off|cycle BOARD")),
        }
    }
}

/// Runs commands one after another.
///
/// # Errors
/// [`Error::Infrastructure`] for the first that fails. Cancel safe: a program is killed.
pub(super) async fn run(commands: &[String], context: &mut Context) -> Result<(), Error> {
    for command in commands {
        let parsed = PowerCommand::parse(command).map_err(Error::Configuration)?;
        context.log.info(format!("power: {command}"));
        let said = match &parsed {
            PowerCommand::Native { lab, verb, board } => {
                switch(lab.as_deref(), *verb, board, &context.settings.clone()).await?
            }
            PowerCommand::Program { words } => program(words, &context.settings.job_id).await?,
        };
        for line in said.lines() {
            context.log.debug(format!("power: {line}"));
        }
    }
    Ok(())
}

async fn switch(
    lab: Option<&str>,
    verb: Verb,
    board: &str,
    settings: &Settings,
) -> Result<String, Error> {
    let lab = lab.map(std::path::PathBuf::from).or_else(|| settings.lab.clone());
    let outlet = lab::outlet(board, lab.as_deref()).await?;
    let id = &settings.job_id;
    let (user, reason) = (Some(user(id)), Some(format!("job {id}")));
    let request = PowerRequest { user, reason, force: false };
    let report = operate(&outlet, verb, &request).await?;
    let (state, verified) = (report.state, report.verified);
    Ok(format!("{board} is {state} ({verified}) after {} ms", report.took_ms))
}

/// Who a job is to everybody else: who holds its board's console.
fn user(job_id: &str) -> String {
    format!("job:{job_id}")
}

async fn program(words: &[String], job_id: &str) -> Result<String, Error> {
    let failed = |what: &dyn std::fmt::Display| {
        Error::Infrastructure(format!("the power command {:?} failed: {what}", words.join(" ")))
    };
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        // A script that calls our own programs is the job, which holds the board.
        .env("LAVA_USER", user(job_id))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(&error))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let exit = async {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        // What it says is for the log only; its exit status is what counts.
        let reading = async {
            if let Some(stdout) = stdout {
                let _ = stdout.take(MAX_OUTPUT).read_to_end(&mut out).await;
            }
        };
        let complaining = async {
            if let Some(stderr) = stderr {
                let _ = stderr.take(MAX_OUTPUT).read_to_end(&mut err).await;
            }
        };
        let (status, (), ()) = tokio::join!(child.wait(), reading, complaining);
        (status, out, err)
    };
    let Ok((status, mut out, err)) = tokio::time::timeout(COMMAND_LIMIT, exit).await else {
        return Err(failed(&format!("not done after {} s", COMMAND_LIMIT.as_secs())));
    };
    out.extend(err);
    let said = String::from_utf8_lossy(&out).into_owned();
    match status.map_err(|error| failed(&error))? {
        status if status.success() => Ok(said),
        status => Err(failed(&format!("{status}: {}", said.trim()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_command_is_understood_and_others_are_split_without_a_shell() {
        let native = |lab: Option<&str>, verb: Verb| PowerCommand::Native {
            lab: lab.map(Into::into),
            verb,
            board: "panda01".into(),
        };
        assert_eq!(PowerCommand::parse("lava power cycle panda01"), Ok(native(None, Verb::Cycle)));
        assert_eq!(
            PowerCommand::parse("lava --lab 'my lab.toml' power off panda01"),
            Ok(native(Some("my lab.toml"), Verb::Off))
        );
        assert!(PowerCommand::parse("lava power explode panda01").is_err());
        assert_eq!(
            PowerCommand::parse("pduclient --port '0 8' ; rm"),
            Ok(PowerCommand::Program {
                words: ["pduclient", "--port", "0 8", ";", "rm"].map(Into::into).to_vec()
            })
        );
        assert!(PowerCommand::parse("x 'y").is_err());
    }

    #[tokio::test]
    async fn a_program_that_fails_is_told_with_its_words() {
        let words: Vec<String> =
            ["sh", "-c", "echo no such port >&2; exit 3"].map(Into::into).into();
        let told = program(&words, "7").await.unwrap_err().to_string();
        assert!(told.contains("exit status: 3") && told.contains("no such port"), "{told}");
    }

    #[tokio::test]
    async fn a_program_calls_ours_as_the_job_that_holds_the_board() {
        let words: Vec<String> = ["sh", "-c", "echo $LAVA_USER"].map(Into::into).into();
        assert_eq!(program(&words, "7").await.unwrap(), "job:7\n");
    }
}
