//! `driver = "exec"`: outlets switched by programs.
//!
//! A program that fails may have switched before, as when a connection broke after the command. So that
//! is no refusal: the state is read, where there is a way.

use futures_util::FutureExt as _;

use super::program::{Ended, run};
use super::way::Way;
use super::{Answer, Outlet, Switch, answer};
use crate::config::power::{Exec, OutletConfig};
use crate::model::State;

/// One outlet's programs, with its port filled in. Not empty.
#[derive(Debug)]
pub(super) struct ExecOutlet {
    on: Vec<String>,
    off: Vec<String>,
    status: Option<Vec<String>>,
}

impl ExecOutlet {
    pub(super) fn new(config: &Exec, outlet: &OutletConfig) -> Self {
        let fill = |words: &[String]| -> Vec<String> {
            let fill = |word: &String| {
                word.replace("{port}", &outlet.port).replace("{outlet}", outlet.name.as_str())
            };
            words.iter().map(fill).collect()
        };
        let status = config.status.as_deref().map(fill);
        Self { on: fill(&config.on), off: fill(&config.off), status }
    }
}

impl Outlet for ExecOutlet {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        let words = if to == Switch::On { &self.on } else { &self.off };
        async move {
            let mut way = Way::switches();
            let ended = run(words, &[], &mut way).await?;
            match ended.status.success() {
                true => Ok(()),
                false => Err(way.refused(ended.failure(&words[0]))),
            }
        }
        .boxed()
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        let words = self.status.as_ref()?;
        let told = async move {
            let mut way = Way::reads();
            let ended = run(words, &[], &mut way).await?;
            state(&ended, &words[0]).map_err(|why| way.refused(why))
        };
        Some(told.boxed())
    }
}

/// The state that a status program tells: by its output, `on` or `off` (or 1 or 0); and when it
/// prints nothing at all by its exit status, 0 for on and 1 for off, as `grep -q` would.
fn state(ended: &Ended, program: &str) -> Result<State, String> {
    let silent = ended.output.trim().is_empty() && ended.errors.trim().is_empty();
    match (ended.output.trim().to_ascii_lowercase().as_str(), ended.status.code()) {
        ("on" | "1", Some(0)) => Ok(State::On),
        ("off" | "0", Some(0)) => Ok(State::Off),
        (_, Some(0)) if silent => Ok(State::On),
        (_, Some(1)) if silent => Ok(State::Off),
        (_, Some(0)) => {
            let output = ended.output.trim();
            Err(format!("{program} printed {}, neither on nor off", answer::shown(output, [])))
        }
        _ => Err(ended.failure(program)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::OutletError;
    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    fn outlet(on: &str, status: &str) -> ExecOutlet {
        ExecOutlet { on: shell(on), off: shell("exit 0"), status: Some(shell(status)) }
    }

    async fn told(script: &str) -> Result<State, OutletError> {
        outlet("", script).status().unwrap().await
    }

    #[tokio::test]
    async fn a_program_tells_the_state_by_its_output_or_by_its_exit_status() {
        assert_eq!(told("echo On").await, Ok(State::On));
        assert_eq!(told("echo 0").await, Ok(State::Off));
        assert_eq!(told("exit 0").await, Ok(State::On));
        assert_eq!(told("exit 1").await, Ok(State::Off));
    }

    #[tokio::test]
    async fn a_program_that_fails_tells_no_state() {
        let failed = told("echo cannot connect >&2; exit 1").await.unwrap_err();
        assert_eq!(failed, OutletError::Refused("sh failed: \"cannot connect\"".into()));
        assert!(told("echo maybe").await.is_err());
        assert!(told("echo on; exit 2").await.is_err());
        assert!(told("exit 2").await.is_err());
    }

    #[tokio::test]
    async fn a_program_may_leave_something_behind_and_say_a_lot() {
        let background = outlet("sleep 60 & echo $!", "");
        background.switch(Switch::On).await.unwrap();
        let loud = outlet("yes | head -c 1000000; exit 3", "");
        assert!(loud.switch(Switch::On).await.is_err());
    }

    #[tokio::test]
    async fn a_program_that_fails_may_have_switched() {
        for end in ["exit 1", "exit 255", "kill -KILL $$"] {
            let failed = outlet(&format!("echo the link broke >&2; {end}"), "");
            let error = failed.switch(Switch::On).await.unwrap_err();
            assert_eq!(
                error,
                OutletError::Unclear("sh failed: \"the link broke\"".into()),
                "{end}"
            );
        }
    }

    #[tokio::test]
    async fn a_missing_program_is_told_by_name() {
        let missing = ExecOutlet { on: vec!["/no/such".into()], off: Vec::new(), status: None };
        let error = missing.switch(Switch::On).await.unwrap_err();
        assert!(error.to_string().starts_with("cannot run /no/such: "), "{error}");
        assert!(!error.is_unclear());
        assert!(missing.status().is_none());
    }
}
