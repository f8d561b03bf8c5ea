//! `auto-login-action` and `login-action`: from the kernel's first line to a shell.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::{Found, Patterns};
use crate::dispatch::job::{AutoLogin, Boot};
use crate::dispatch::results::{CaseResult, LAVA};
use crate::dispatch::session::{Session, Wait};
use crate::dispatch::validate::Checks;
use crate::dispatch::watch::Stage;

/// The methods that attach to boards which may be up already.
const ATTACHED: [&str; 2] = ["minimal", "new_connection"];
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
            // Nobody may have listened when the board showed its prompt.
            let nudge = ATTACHED.contains(&self.boot.method.as_str());
            let wait = Wait { nudge, ..context.wait() };
            // What comes after the login talks to the same shell.
            context.has_booted(self.boot.prompts.clone());
            let session = context.session()?;
            session.watch().wake(self.boot.ignore_kernel_messages);
            let login = Login { session, wait, delay, prompts: &self.boot.prompts, asked: None };
            let done = match &self.boot.auto_login {
                None => login.reach_prompt(&[]).await.map(drop),
                Some(auto) => login.log_in(auto).await,
            };
            if !self.boot.ignore_kernel_messages {
                report(context)?;
            }
            done
        })
    }
}

/// Puts what the kernel said of its troubles into the results, as LAVA does. It fails no job: a panic
/// does, and has.
fn report(context: &mut Context) -> Result<(), Error> {
    let watch = context.session()?.watch();
    let counts = watch.messages().counts().clone();
    let messages = watch.messages().all().to_vec();
    watch.enter(Stage::System);
    for message in &messages {
        let (kind, line) = (message.kind.name(), &message.line);
        context.log.warning(format!("kernel message ({kind}): {line}"));
    }
    let extra = counts.iter().map(|(kind, count)| {
        let first = messages.iter().find(|message| message.kind == *kind);
        let line = first.map_or("", |message| message.line.as_str());
        (kind.name().to_owned(), format!("{count}: {line}"))
    });
    let extra = extra.collect();
    let (level, namespace) = (context.now.level.clone(), context.now.namespace.clone());
    context.result(CaseResult {
        definition: LAVA.into(),
        case: "kernel-messages".into(),
        result: if messages.is_empty() { "pass" } else { "fail" }.into(),
        level: Some(level),
        namespace: Some(namespace),
        extra,
        ..CaseResult::default()
    });
    Ok(())
}

/// One login under way.
struct Login<'a> {
    session: &'a mut Session,
    wait: Wait,
    delay: Duration,
    prompts: &'a [String],
    /// The login prompt that was answered: a board that waits at it again lets nobody in.
    asked: Option<&'a str>,
}

impl<'a> Login<'a> {
    async fn log_in(mut self, auto: &'a AutoLogin) -> Result<(), Error> {
        let login = Patterns::new([&auto.login_prompt]);
        let either = login.and_then(|login| login.or_at_rest(self.prompts));
        let either = either.map_err(Error::Configuration)?;
        let found = self.session.expect(&either, &self.wait).await?;
        self.wait.nudge = false;
        if found.index > 0 {
            self.session.note("the board is logged in already");
            return self.commands(auto).await;
        }
        self.session.send_line(&auto.username, self.delay).await?;
        self.asked = Some(&auto.login_prompt);
        if let (Some(prompt), Some(password)) = (&auto.password_prompt, &auto.password) {
            self.expect(std::slice::from_ref(prompt), &REFUSED).await?;
            // Not logged: it is a password.
            self.session.type_secret(&format!("{password}\n"), self.delay).await?;
        }
        self.reach_prompt(&REFUSED).await?.commands(auto).await
    }

    async fn commands(mut self, auto: &AutoLogin) -> Result<(), Error> {
        for command in &auto.login_commands {
            // They may print the kernel's log.
            self.session.watch().enter(Stage::System);
            self.session.send_line(command, self.delay).await?;
            self = self.reach_prompt(&[]).await?;
        }
        Ok(())
    }

    async fn reach_prompt(mut self, refused: &[&str]) -> Result<Self, Error> {
        let prompts = self.prompts;
        self.expect(prompts, refused).await?;
        Ok(self)
    }

    /// Waits for one of `wanted`; what tells that the board does not let us in ends the wait at once.
    async fn expect(&mut self, wanted: &[String], refused: &[&str]) -> Result<Found, Error> {
        let patterns = Patterns::new(wanted).and_then(|patterns| patterns.and(refused));
        let patterns = patterns.and_then(|patterns| patterns.or_at_rest(self.asked));
        let patterns = patterns.map_err(Error::Configuration)?;
        let found = self.session.expect(&patterns, &self.wait).await?;
        if found.index < wanted.len() {
            return Ok(found);
        }
        let said = found.groups.first().map(|text| text.trim().to_owned()).unwrap_or_default();
        let what = match patterns.is_at_rest(found.index) {
            true => format!("the board does not let us in and asks again: {said:?}"),
            false => format!("the board does not let us in: {said:?}"),
        };
        Err(Error::Job(self.session.told(&what, &patterns, &self.wait)))
    }
}
