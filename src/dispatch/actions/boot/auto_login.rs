//! `auto-login-action` and `login-action`: from the kernel's first line to a shell.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::alarm;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::{Found, Patterns};
use crate::dispatch::job::{AutoLogin, Boot};
use crate::dispatch::session::{Session, Wait};
use crate::dispatch::validate::Checks;

/// What a login says when it does not let us in.
const REFUSED: [&str; 2] = ["Login incorrect", "Login timed out"];

#[derive(Debug)]
pub(super) struct AutoLoginAction {
    pub boot: Boot,
}

impl Action for AutoLoginAction {
    fn name(&self) -> &'static str {
        "auto-login-action"
    }

    fn retries(&self) -> bool {
        true
    }

    /// Only a new boot helps a dead board, and that is the matter of the boot action.
    fn retries_on(&self, error: &Error) -> bool {
        error.is_worth_a_retry() && !matches!(error, Error::Dead(_))
    }

    fn populate(&self, _scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        vec![Box::new(LoginAction { boot: self.boot.clone() })]
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let login = self.boot.auto_login.iter();
            let asked = login.flat_map(|login| {
                std::iter::once(&login.login_prompt).chain(&login.password_prompt)
            });
            for pattern in self.boot.prompts.iter().chain(asked) {
                checks.pattern("the boot block", pattern);
            }
        })
    }
}

#[derive(Debug)]
struct LoginAction {
    boot: Boot,
}

impl Action for LoginAction {
    fn name(&self) -> &'static str {
        "login-action"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let delay = Duration::from_millis(context.device.boot_character_delay);
            let wait = context.wait();
            // What comes after the login talks to the same shell.
            context.shared().prompts = self.boot.prompts.clone();
            let session = context.session()?;
            let login = Login { session, wait, delay, prompts: &self.boot.prompts };
            match &self.boot.auto_login {
                None => login.reach_prompt(&[]).await.map(drop),
                Some(auto) => login.log_in(auto).await,
            }
        })
    }
}

/// One login under way.
struct Login<'a> {
    session: &'a mut Session,
    wait: Wait,
    delay: Duration,
    prompts: &'a [String],
}

impl Login<'_> {
    async fn log_in(mut self, auto: &AutoLogin) -> Result<(), Error> {
        self.expect(std::slice::from_ref(&auto.login_prompt), &[]).await?;
        self.session.send_line(&auto.username, self.delay).await?;
        if let (Some(prompt), Some(password)) = (&auto.password_prompt, &auto.password) {
            self.expect(std::slice::from_ref(prompt), &REFUSED).await?;
            // Not logged: it is a password.
            let line = format!("{password}\n").into_bytes();
            self.session.type_bytes(line.into()).await?;
        }
        let mut login = self.reach_prompt(&REFUSED).await?;
        for command in &auto.login_commands {
            login.session.send_line(command, login.delay).await?;
            login = login.reach_prompt(&[]).await?;
        }
        Ok(())
    }

    async fn reach_prompt(mut self, refused: &[&str]) -> Result<Self, Error> {
        let prompts = self.prompts;
        self.expect(prompts, refused).await?;
        Ok(self)
    }

    /// Waits for one of `wanted`; what tells that the board is dead, or that it does not let us in,
    /// ends the wait at once.
    async fn expect(&mut self, wanted: &[String], refused: &[&str]) -> Result<Found, Error> {
        let all = wanted.iter().map(String::as_str).chain(refused.iter().copied());
        let patterns = Patterns::new(all.chain(alarm::BOOT)).map_err(Error::Configuration)?;
        let found = self.session.expect(&patterns, &self.wait).await;
        let found = found.map_err(|error| match error {
            // The alarms would only distract in the message.
            Error::Timeout { action, seconds, seen, .. } => {
                let waited_for: Vec<String> =
                    wanted.iter().map(|pattern| format!("{pattern:?}")).collect();
                let waited_for = waited_for.join(" or ");
                Error::Timeout { action, seconds, waited_for, seen }
            }
            other => other,
        })?;
        let said = found.groups.first().map(|text| text.trim().to_owned()).unwrap_or_default();
        match found.index.checked_sub(wanted.len()) {
            None => Ok(found),
            Some(index) if index < refused.len() => {
                Err(Error::Job(format!("the board does not let us in: {said:?}")))
            }
            Some(_) => Err(alarm::error(&said, found.place)),
        }
    }
}
