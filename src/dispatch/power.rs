//! Running the power commands of a device dictionary.
//!
//! `lava power cycle panda01` is done here, through lava-power's HTTP interface, and so is pduclient where
//! it means the board's own outlet. Everything else is a program of the lab's: split into words as a shell
//! would, and executed without one.

use std::path::PathBuf;
use std::time::Duration;

use super::context::{Context, Settings};
use super::error::Error;
use super::lab;
use super::log::Log;
use crate::client::OutletRef;
use crate::client::outlet::{info, operate};
use crate::model::{PowerRequest, Verb};
use crate::sys::{Ended, Program};

/// The longest that one command may take where the device does not give its action longer; the action's own
/// limit may end it before.
pub(super) const COMMAND_LIMIT: Duration = Duration::from_secs(120);
/// So long after a failure switching off is tried once more: a daemon may just be starting again.
const AGAIN: Duration = Duration::from_secs(2);

/// One command, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PowerCommand {
    /// `lava power VERB BOARD… [--lab FILE] [--reason TEXT]`, the options anywhere.
    Native {
        lab: Option<String>,
        verb: Verb,
        boards: Vec<String>,
        reason: Option<String>,
    },
    /// `pduclient --hostname PDU --port PORT --command COMMAND`: where that is the board's own outlet, it
    /// is switched as the job, which holds the board; pduclient itself could not say for whom it asks.
    Pduclient {
        pdu: String,
        port: String,
        verb: Verb,
        words: Vec<String>,
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
        match words.first().map(String::as_str) {
            None => Err("the command is empty".into()),
            Some("lava") => native(&words[1..]).ok_or_else(|| {
                format!(
                    "{command:?}: expected lava power on|off|cycle BOARD…, with --lab and --reason"
                )
            }),
            Some(program) if program == "pduclient" || program.ends_with("/pduclient") => {
                Ok(pduclient(&words).unwrap_or(Self::Program { words }))
            }
            Some(_) => Ok(Self::Program { words }),
        }
    }
}

/// What follows on `lava`.
fn native(words: &[String]) -> Option<PowerCommand> {
    let (mut lab, mut reason, mut plain) = (None, None, Vec::new());
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word.split_once('=').unwrap_or((word, "")) {
            ("--lab", "") => lab = Some(words.next()?.to_owned()),
            ("--lab", file) => lab = Some(file.to_owned()),
            ("--reason", "") => reason = Some(words.next()?.to_owned()),
            ("--reason", text) => reason = Some(text.to_owned()),
            _ if word.starts_with('-') => return None,
            _ => plain.push(word),
        }
    }
    let ["power", verb, boards @ ..] = plain.as_slice() else { return None };
    let verb = match *verb {
        "on" => Verb::On,
        "off" => Verb::Off,
        "cycle" => Verb::Cycle,
        _ => return None,
    };
    let boards: Vec<String> = boards.iter().map(|board| (*board).to_owned()).collect();
    (!boards.is_empty()).then_some(PowerCommand::Native { lab, verb, boards, reason })
}

/// pduclient's options, long ones only, as it has them itself.
fn pduclient(words: &[String]) -> Option<PowerCommand> {
    let value = |option: &str| {
        let mut rest = words.iter().skip_while(|word| {
            *word != option && !word.strip_prefix(option).is_some_and(|rest| rest.starts_with('='))
        });
        let found = rest.next()?;
        found.split_once('=').map(|(_, value)| value.to_owned()).or_else(|| rest.next().cloned())
    };
    let verb = match value("--command")?.as_str() {
        "on" => Verb::On,
        "off" => Verb::Off,
        "reboot" => Verb::Cycle,
        _ => return None,
    };
    let (pdu, port, words) = (value("--hostname")?, value("--port")?, words.to_vec());
    Some(PowerCommand::Pduclient { pdu, port, verb, words })
}

/// Runs commands one after another.
///
/// # Errors
/// [`Error::Infrastructure`] for the first that fails. Cancel safe: a program is killed.
pub(super) async fn run(commands: &[String], context: &mut Context) -> Result<(), Error> {
    let asking = Asking::of(context);
    for command in commands {
        run_one(command, &asking).await?;
    }
    Ok(())
}

/// Switches a board off: runs all commands, also when one fails, which is tried once more.
///
/// # Errors
/// That of the first which has failed twice; the others' are in the log. Cancel safe: a program is killed.
pub(super) async fn off(commands: &[String], asking: &Asking<'_>) -> Result<(), Error> {
    let mut failed = None;
    for command in commands {
        let mut done = run_one(command, asking).await;
        if let Err(error @ Error::Infrastructure(_)) = &done {
            asking.log.warning(format!("trying again to switch off: {error}"));
            tokio::time::sleep(AGAIN).await;
            done = run_one(command, asking).await;
        }
        if let Err(error) = done {
            asking.log.error(error.to_string());
            failed = failed.or(Some(error));
        }
    }
    failed.map_or(Ok(()), Err)
}

/// For whom power commands are run.
#[derive(Debug)]
pub(super) struct Asking<'a> {
    pub log: &'a Log,
    pub settings: &'a Settings,
    /// The board that the job is about.
    pub board: &'a str,
    /// How long one command may take.
    pub limit: Duration,
}

impl<'a> Asking<'a> {
    /// The job, for the action that runs now.
    pub(super) fn of(context: &'a Context) -> Self {
        let device = &context.device;
        let own = device.action_timeouts.get(context.now.action).copied();
        let limit = COMMAND_LIMIT.max(Duration::from_secs(own.unwrap_or(0)));
        Self { log: &context.log, settings: &context.settings, board: &device.hostname, limit }
    }
}

/// Runs one command.
///
/// # Errors
/// As [`run`]. Cancel safe: a program is killed.
pub(super) async fn run_one(command: &str, asking: &Asking<'_>) -> Result<(), Error> {
    let Asking { log, settings, board, limit } = *asking;
    let parsed = PowerCommand::parse(command).map_err(Error::Configuration)?;
    log.info(format!("power: {command}"));
    let said = match &parsed {
        PowerCommand::Native { lab, verb, boards, reason } => {
            let mut said = Vec::new();
            for board in boards {
                let outlet = outlet_of(lab.as_deref(), board, settings).await?;
                said.push(switch(&outlet, *verb, reason.as_deref(), settings).await?);
            }
            said.join("\n")
        }
        PowerCommand::Pduclient { pdu, port, verb, words } => {
            match own_outlet(pdu, port, board, settings).await {
                Some(outlet) => switch(&outlet, *verb, None, settings).await?,
                None => program(words, &settings.job_id, limit).await?,
            }
        }
        PowerCommand::Program { words } => program(words, &settings.job_id, limit).await?,
    };
    for line in said.lines() {
        log.debug(format!("power: {line}"));
    }
    Ok(())
}

async fn outlet_of(
    lab: Option<&str>,
    board: &str,
    settings: &Settings,
) -> Result<OutletRef, Error> {
    let lab = lab.map(PathBuf::from).or_else(|| settings.lab.clone());
    lab::outlet(board, lab.as_deref()).await
}

/// The board's own outlet, if that is what a PDU's port is. pdudaemon does not mind zeros before a port.
pub(super) async fn own_outlet(
    pdu: &str,
    port: &str,
    board: &str,
    settings: &Settings,
) -> Option<OutletRef> {
    let outlet = outlet_of(None, board, settings).await.ok()?;
    let info = info(&outlet).await.ok()??;
    let same = |own: &str| own.trim_start_matches('0') == port.trim_start_matches('0');
    // Only the first of several is in `port`, and pduclient switches one.
    let is_it = info.feeds.is_empty() && info.pdu.as_str() == pdu && same(&info.port);
    is_it.then_some(outlet)
}

async fn switch(
    outlet: &OutletRef,
    verb: Verb,
    reason: Option<&str>,
    settings: &Settings,
) -> Result<String, Error> {
    let id = &settings.job_id;
    let reason = reason.map_or_else(|| format!("job {id}"), |reason| format!("job {id}: {reason}"));
    let request = PowerRequest { user: Some(user(id)), reason: Some(reason), force: false };
    let report = operate(outlet, verb, &request).await?;
    let (board, state, verified) = (outlet.name(), report.state, report.verified);
    Ok(format!("{board} is {state} ({verified}) after {} ms", report.took_ms))
}

/// Who a job is to everybody else: who holds its board's console.
pub(super) fn user(job_id: &str) -> String {
    format!("job:{job_id}")
}

async fn program(words: &[String], job_id: &str, limit: Duration) -> Result<String, Error> {
    let failed = |what: &dyn std::fmt::Display| {
        Error::Infrastructure(format!("the power command {:?} failed: {what}", words.join(" ")))
    };
    // A script that calls our own programs is the job, which holds the board.
    let user = user(job_id);
    let program = Program::start(words, &[("LAVA_USER", user.as_ref())]);
    let program = program.map_err(|error| failed(&error))?;
    let Ok(ended) = tokio::time::timeout(limit, program.ended()).await else {
        return Err(failed(&format!("not done after {} s", limit.as_secs())));
    };
    let Ended { status, output, errors } = ended.map_err(|error| failed(&error))?;
    let said = output + &errors;
    if status.success() { Ok(said) } else { Err(failed(&format!("{status}: {}", said.trim()))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_command_is_understood_and_others_are_split_without_a_shell() {
        let native = |lab: Option<&str>, verb, boards: &[&str], reason: Option<&str>| {
            let boards = boards.iter().map(|board| (*board).to_owned()).collect();
            Ok(PowerCommand::Native {
                lab: lab.map(Into::into),
                verb,
                boards,
                reason: reason.map(Into::into),
            })
        };
        let panda = &["panda01"][..];
        for (command, understood) in [
            ("lava power cycle panda01", native(None, Verb::Cycle, panda, None)),
            (
                "lava --lab 'my lab.toml' power off panda01",
                native(Some("my lab.toml"), Verb::Off, panda, None),
            ),
            (
                "lava power on --lab=lab.toml panda01 panda02 --reason 'a test'",
                native(Some("lab.toml"), Verb::On, &["panda01", "panda02"], Some("a test")),
            ),
        ] {
            assert_eq!(PowerCommand::parse(command), understood);
        }
        for wrong in ["explode panda01", "cycle", "cycle --force panda01", "cycle panda01 --lab"] {
            let told = PowerCommand::parse(&format!("lava power {wrong}")).unwrap_err();
            assert!(told.contains("expected lava power on|off|cycle BOARD"), "{told}");
        }
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(
            PowerCommand::parse("relay --port '0 8' ; rm"),
            Ok(PowerCommand::Program { words: words(&["relay", "--port", "0 8", ";", "rm"]) })
        );
        let reboot = ["pduclient", "--daemon", "lab", "--hostname=rack1", "--port", "04"];
        let reboot = [&reboot[..], &["--command", "reboot"]].concat();
        assert_eq!(
            PowerCommand::parse(&reboot.join(" ")),
            Ok(PowerCommand::Pduclient {
                pdu: "rack1".into(),
                port: "04".into(),
                verb: Verb::Cycle,
                words: words(&reboot)
            })
        );
        assert!(PowerCommand::parse("x 'y").is_err());
    }

    #[tokio::test]
    async fn a_program_that_fails_is_told_with_its_words() {
        let words: Vec<String> =
            ["sh", "-c", "echo no such port >&2; exit 3"].map(Into::into).into();
        let told = program(&words, "7", COMMAND_LIMIT).await.unwrap_err().to_string();
        assert!(told.contains("exit status: 3") && told.contains("no such port"), "{told}");
    }

    #[tokio::test]
    async fn a_program_calls_ours_as_the_job_that_holds_the_board() {
        let words: Vec<String> = ["sh", "-c", "echo $LAVA_USER"].map(Into::into).into();
        assert_eq!(program(&words, "7", COMMAND_LIMIT).await.unwrap(), "job:7\n");
    }
}
