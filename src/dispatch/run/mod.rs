//! Running a pipeline: time limits, tries, results, and the end that always comes.

mod pause;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::actions;
use super::ahead::Ahead;
use super::context::{Context, Now, Open, ShellUse};
use super::error::{Error, TimedOut};
use super::multinode::{Member, calls};
use super::pipeline::{Pipeline, Step};
use super::results::{CaseResult, LAVA};

/// However short its own limit is, the end of the job and all that is in it get this long to switch the
/// board off, even when the job has used up all of its time.
const FINALIZE_LIMIT: Duration = Duration::from_secs(60);
/// A soft time-out warns when so much of a limit is gone: three quarters.
const SOFT: (u32, u32) = (3, 4);
/// What a test that ran out of time still says when it is ended: nothing more after the first of these,
/// and no longer than the second.
const ENDED: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(5)];
/// Of an action that has less time than this nobody is warned.
const WORTH_A_WARNING: Duration = Duration::from_secs(10);

/// When something has to be done, and whose time that is the end of.
#[derive(Debug, Clone, Copy)]
struct Limit {
    at: Instant,
    of: &'static str,
    /// All of the time that it had.
    time: Duration,
}

/// Runs all blocks and then `finalize`, whatever happened before it.
///
/// # Errors
/// Why the job is incomplete.
pub async fn run(
    pipeline: &Pipeline,
    context: &mut Context,
    cancelled: &CancellationToken,
) -> Result<(), Error> {
    let begin = Instant::now();
    let time = Duration::from_secs(context.job.timeouts.job);
    let limit = Limit { at: begin + time, of: "the job", time };
    context.progress.pipeline(&pipeline.describe());
    let member = context.member.clone();
    let done = tokio::select! {
        biased;
        () = cancelled.cancelled() => Err(Error::Cancelled),
        why = lost(member.as_ref()) => Err(Error::Group(why)),
        done = timeout_at(limit.at, unwinding(blocks(pipeline, context, limit))) => {
            done.unwrap_or_else(|_| Err(timed_out("the job", begin, context)))
        }
    };
    context.ahead = Ahead::default();
    if let Err(error) = &done {
        cut_off(context);
        // Those that were cut off in the middle: the innermost was the one at work.
        while let Some(open) = context.open.pop() {
            ended(open, BTreeMap::new(), Some(error), context);
        }
        context.log.error(format!("{} error: {error}", error.class()));
    }
    // A pause and the end are about the board, wherever the tests were.
    context.back_from_aside();
    // The others need not wait until the board is off, nor while somebody looks at it.
    if let Some(member) = member {
        member.end(done.as_ref().err()).await;
    }
    if done.as_ref().is_err_and(|error| *error != Error::Cancelled) {
        pause::on_failure(context, cancelled).await;
    }
    if done.is_ok() && context.settings.leave_on {
        pause::when_up(context, cancelled).await;
    }
    actions::undo(context).await;
    // A device or a job may give switching off longer.
    let longest = pipeline.finalize.walk().into_iter().map(|step| step.timeout).max();
    let least = FINALIZE_LIMIT.max(Duration::from_secs(longest.unwrap_or(0)));
    let end = Limit { at: Instant::now() + least, of: "the end of the job", time: least };
    let finalize = unwinding(run_step(&pipeline.finalize, context, end, least)).await;
    actions::tidy(context).await;
    let done = done.and(finalize);
    context.result(CaseResult::job(done.as_ref().err(), begin.elapsed().as_secs_f64()));
    done
}

/// What a test shell has said counts, also when its action was dropped.
fn cut_off(context: &mut Context) {
    context.end_feedback();
    if let Some(account) = context.account.take()
        && let Err(error) = account.close(context)
    {
        context.log.error(error.to_string());
    }
}

/// Why the job's group is lost, when it is.
async fn lost(member: Option<&Member>) -> String {
    match member {
        Some(member) => member.lost().await,
        None => std::future::pending().await,
    }
}

async fn blocks(pipeline: &Pipeline, context: &mut Context, limit: Limit) -> Result<(), Error> {
    calls::start(context).await?;
    for step in &pipeline.steps {
        for inner in step.walk() {
            inner.action.ahead(at(inner, context, limit.at));
        }
        match run_step(step, context, limit, Duration::ZERO).await {
            Err(error @ Error::Timeout(_)) if step.skip && Instant::now() < limit.at => {
                skipped(&error, context).await?;
            }
            done => done?,
        }
        context.ahead = Ahead::default();
    }
    Ok(())
}

/// A block of tests has run out of time, and the job goes on: the board's shell is to be free for what is
/// next.
async fn skipped(error: &Error, context: &mut Context) -> Result<(), Error> {
    context.log.warning(format!("{error}; as the job wants it, it goes on with the next block"));
    // A container that it was in is removed at the end of the job.
    context.back_from_aside();
    if !context.is_connected() {
        return Ok(());
    }
    let [quiet, limit] = ENDED;
    if let ShellUse::Runner(_) = context.shared().shell {
        // What follows tries it again, for as long as it has.
        return match actions::test::free_shell(context, Instant::now() + limit * 2).await {
            Err(Error::Timeout(_)) => Ok(()),
            done => done,
        };
    }
    let session = context.session()?;
    session.type_bytes(actions::test::CTRL_C).await?;
    session.drain(quiet, limit).await
}

/// A mistake of ours in an action is that action's failure: the board is switched off all the same.
async fn unwinding(actions: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let done = AssertUnwindSafe(actions).catch_unwind().await;
    done.unwrap_or_else(|_| {
        Err(Error::Bug("an action has panicked; standard error tells where".into()))
    })
}

/// Runs a step and all that is inside it, until it is done, has failed for good, or its time is over.
/// It has its own limit, but `least` at least.
fn run_step<'a>(
    step: &'a Step,
    context: &'a mut Context,
    parent: Limit,
    least: Duration,
) -> BoxFuture<'a, Result<(), Error>> {
    async move {
        let (begin, name) = (Instant::now(), step.action.name());
        let time = Duration::from_secs(step.timeout).max(least);
        let own = Limit { at: begin + time, of: name, time };
        let limit = if own.at <= parent.at { own } else { parent };
        let deadline = limit.at;
        // Both lines as LAVA has them, for who reads its logs.
        let (level, left) = (&step.level, clock(deadline - begin));
        let said = format!("start: {level} {name} (timeout {left}) [{}]", step.namespace);
        say(level, said, context);
        context.open.push(Open {
            level: step.level.clone(),
            name,
            namespace: step.namespace.clone(),
            begin,
        });
        let done = tries(step, context, limit, least).await;
        let done = done.map_err(|error| classed(error, step, limit));
        if let Some(open) = context.open.pop() {
            let extra = std::mem::take(&mut at(step, context, deadline).shared().extra);
            ended(open, extra, done.as_ref().err(), context);
        }
        done
    }
    .boxed()
}

/// Tells everyone that an action has ended, and how.
fn ended(
    open: Open,
    extra: BTreeMap<String, String>,
    error: Option<&Error>,
    context: &mut Context,
) {
    let Open { level, name, namespace, begin } = open;
    let took = begin.elapsed();
    context.progress.end(&level, name, took, error);
    let said = format!("end: {level} {name} (duration {}) [{namespace}]", clock(took));
    say(&level, said, context);
    context.result(CaseResult {
        definition: LAVA.into(),
        case: name.into(),
        result: if error.is_none() { "pass" } else { "fail" }.into(),
        level: Some(level),
        duration: Some(took.as_secs_f64()),
        namespace: Some(namespace),
        error_type: error.map(|error| error.class().to_owned()),
        error_msg: error.map(ToString::to_string),
        extra,
        ..CaseResult::default()
    });
}

/// Of the outermost actions for everyone, of the others for who wants to know.
fn say(level: &str, said: String, context: &Context) {
    match level.contains('.') {
        false => context.log.info(said),
        true => context.log.debug(said),
    }
}

/// As `00:02:05`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// What only the step knows of the end of its time.
fn classed(error: Error, step: &Step, limit: Limit) -> Error {
    let Error::Timeout(mut over) = error else { return error };
    let name = step.action.name();
    if over.action == name {
        over.of_lab = step.action.is_of_lab();
        if limit.of != name && Instant::now() >= limit.at {
            over.end_of = Some((limit.of, limit.time.as_secs()));
        }
    }
    Error::Timeout(over)
}

async fn tries(
    step: &Step,
    context: &mut Context,
    limit: Limit,
    least: Duration,
) -> Result<(), Error> {
    let begin = Instant::now();
    let pause = Duration::from_secs(step.retry_interval);
    let mut attempt = 0;
    let mut failed = None;
    loop {
        attempt += 1;
        context.progress.begin(&step.level, step.action.name(), attempt);
        let tried = warned(step, context, limit, least).await;
        let done = tried.unwrap_or_else(|_| Err(timed_out(step.action.name(), begin, context)));
        let done = done.map_err(|error| context.log.masked_error(error));
        if done.is_err() {
            cut_off(context);
        }
        let more = attempt < step.tries && Instant::now() < limit.at;
        match done {
            Ok(()) if step.repeat && more => {}
            Ok(()) => return failed.map_or(Ok(()), Err),
            Err(error)
                if more && helps(step, &error, context) && Instant::now() + pause < limit.at =>
            {
                let name = step.action.name();
                context.progress.retry(&step.level, name, &error);
                let of = step.tries;
                context.log.warning(format!(
                    "{name}: try {attempt} of {of} failed, trying again: {error}"
                ));
                context.forget_lost_console();
                failed = step.repeat.then_some(error).or(failed);
                tokio::time::sleep(pause).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether another try can help after this error. Without a console it needs one that opens another.
fn helps(step: &Step, error: &Error, context: &Context) -> bool {
    let connects = || step.walk().iter().any(|step| step.action.connects());
    step.action.retries_on(error) && (!context.has_lost_console() || connects())
}

/// Runs a step once, within its limit; warns when most of that is gone.
async fn warned(
    step: &Step,
    context: &mut Context,
    limit: Limit,
    least: Duration,
) -> Result<Result<(), Error>, Elapsed> {
    let (log, name, begin) = (context.log.clone(), step.action.name(), Instant::now());
    log.waits_for(None);
    let left = limit.at.saturating_duration_since(begin);
    let mut tried = std::pin::pin!(once(step, context, limit, least));
    // Of the actions around it, the innermost tells.
    if step.steps.is_empty() && left >= WORTH_A_WARNING {
        let soft = left * SOFT.0 / SOFT.1;
        if let Ok(done) = timeout_at(begin + soft, &mut tried).await {
            return Ok(done);
        }
        let (gone, left) = (soft.as_secs(), left.as_secs());
        let waiting = log.waiting().map(|what| format!(", waiting for {what}")).unwrap_or_default();
        log.warning(format!("soft time-out: {name} has used {gone} of its {left} s{waiting}"));
    }
    timeout_at(limit.at, tried).await
}

async fn once(
    step: &Step,
    context: &mut Context,
    limit: Limit,
    least: Duration,
) -> Result<(), Error> {
    calls::before(&step.requests, at(step, context, limit.at)).await?;
    step.action.run(at(step, context, limit.at)).await?;
    if !step.action.skips_steps(at(step, context, limit.at)) {
        for inner in &step.steps {
            run_step(inner, context, limit, least).await?;
        }
        step.action.finish(at(step, context, limit.at)).await?;
    }
    calls::after(&step.requests, at(step, context, limit.at)).await
}

/// The context, with this step as the one that runs now.
fn at<'a>(step: &Step, context: &'a mut Context, deadline: Instant) -> &'a mut Context {
    context.now = Now {
        action: step.action.name(),
        level: step.level.clone(),
        namespace: step.namespace.clone(),
        line: step.connection_namespace.clone(),
        deadline,
        connection: step.connection_timeout.map(Duration::from_secs),
    };
    context
}

/// What had its time since `begin`.
fn timed_out(action: &str, begin: Instant, context: &Context) -> Error {
    Error::Timeout(Box::new(TimedOut {
        action: action.into(),
        seconds: begin.elapsed().as_secs(),
        waited_for: context.log.waiting(),
        seen: context.last_seen(),
        held_by: context.console_holder(),
        ..TimedOut::default()
    }))
}

#[cfg(test)]
mod tests;
