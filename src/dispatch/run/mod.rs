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

use super::context::{Context, Now, Open};
use super::error::Error;
use super::multinode::{Member, calls};
use super::pipeline::{Pipeline, Step};
use super::results::{CaseResult, LAVA};

/// However short its own limit is, the end of the job and all that is in it get this long to switch the
/// board off, even when the job has used up all of its time.
const FINALIZE_LIMIT: Duration = Duration::from_secs(60);
/// A soft time-out warns when so much of a limit is gone: three quarters.
const SOFT: (u32, u32) = (3, 4);
/// Of an action that has less time than this nobody is warned.
const WORTH_A_WARNING: Duration = Duration::from_secs(10);

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
    let limit = Duration::from_secs(context.job.timeouts.job);
    let deadline = begin + limit;
    context.progress.pipeline(&pipeline.describe());
    let member = context.member.clone();
    let done = tokio::select! {
        biased;
        () = cancelled.cancelled() => Err(Error::Cancelled),
        why = lost(member.as_ref()) => Err(Error::Group(why)),
        done = timeout_at(deadline, unwinding(blocks(pipeline, context, deadline))) => {
            done.unwrap_or_else(|_| Err(timed_out("the job", limit.as_secs(), context)))
        }
    };
    if let Err(error) = &done {
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
    let end = Instant::now() + FINALIZE_LIMIT;
    let finalize = unwinding(run_step(&pipeline.finalize, context, end, FINALIZE_LIMIT)).await;
    let done = done.and(finalize);
    context.result(CaseResult::job(done.as_ref().err(), begin.elapsed().as_secs_f64()));
    done
}

/// Why the job's group is lost, when it is.
async fn lost(member: Option<&Member>) -> String {
    match member {
        Some(member) => member.lost().await,
        None => std::future::pending().await,
    }
}

async fn blocks(
    pipeline: &Pipeline,
    context: &mut Context,
    deadline: Instant,
) -> Result<(), Error> {
    calls::start(context).await?;
    for step in &pipeline.steps {
        run_step(step, context, deadline, Duration::ZERO).await?;
    }
    Ok(())
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
    parent: Instant,
    least: Duration,
) -> BoxFuture<'a, Result<(), Error>> {
    async move {
        let begin = Instant::now();
        let deadline = parent.min(begin + Duration::from_secs(step.timeout).max(least));
        let name = step.action.name();
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
        let done = tries(step, context, deadline, least).await;
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

async fn tries(
    step: &Step,
    context: &mut Context,
    deadline: Instant,
    least: Duration,
) -> Result<(), Error> {
    let mut attempt = 0;
    let mut failed = None;
    loop {
        attempt += 1;
        context.progress.begin(&step.level, step.action.name(), attempt);
        let limit = step.timeout;
        let tried = warned(step, context, deadline, least).await;
        let done = tried.unwrap_or_else(|_| Err(timed_out(step.action.name(), limit, context)));
        let more = attempt < step.tries && Instant::now() < deadline;
        match done {
            Ok(()) if step.repeat && more => {}
            Ok(()) => return failed.map_or(Ok(()), Err),
            Err(error) if more && step.action.retries_on(&error) => {
                let name = step.action.name();
                context.progress.retry(&step.level, name, &error);
                let of = step.tries;
                context.log.warning(format!(
                    "{name}: try {attempt} of {of} failed, trying again: {error}"
                ));
                step.action.cleanup(at(step, context, deadline));
                failed = step.repeat.then_some(error).or(failed);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Runs a step once, within its limit; warns when most of that is gone.
async fn warned(
    step: &Step,
    context: &mut Context,
    deadline: Instant,
    least: Duration,
) -> Result<Result<(), Error>, Elapsed> {
    let (log, name, begin) = (context.log.clone(), step.action.name(), Instant::now());
    log.waits_for(None);
    let limit = deadline.saturating_duration_since(begin);
    let mut tried = std::pin::pin!(once(step, context, deadline, least));
    // Of the actions around it, the innermost tells.
    if step.steps.is_empty() && limit >= WORTH_A_WARNING {
        let soft = limit * SOFT.0 / SOFT.1;
        if let Ok(done) = timeout_at(begin + soft, &mut tried).await {
            return Ok(done);
        }
        let (gone, limit) = (soft.as_secs(), limit.as_secs());
        let waiting = log.waiting().map(|what| format!(", waiting for {what}")).unwrap_or_default();
        log.warning(format!("soft time-out: {name} has used {gone} of its {limit} s{waiting}"));
    }
    timeout_at(deadline, tried).await
}

async fn once(
    step: &Step,
    context: &mut Context,
    deadline: Instant,
    least: Duration,
) -> Result<(), Error> {
    calls::before(&step.requests, at(step, context, deadline)).await?;
    step.action.run(at(step, context, deadline)).await?;
    for inner in &step.steps {
        run_step(inner, context, deadline, least).await?;
    }
    step.action.finish(at(step, context, deadline)).await?;
    calls::after(&step.requests, at(step, context, deadline)).await
}

/// The context, with this step as the one that runs now.
fn at<'a>(step: &Step, context: &'a mut Context, deadline: Instant) -> &'a mut Context {
    context.now = Now {
        action: step.action.name(),
        level: step.level.clone(),
        namespace: step.namespace.clone(),
        deadline,
        connection: step.connection_timeout.map(Duration::from_secs),
    };
    context
}

fn timed_out(action: &str, seconds: u64, context: &Context) -> Error {
    let seen = context.last_seen();
    Error::Timeout { action: action.into(), seconds, waited_for: String::new(), seen }
}

#[cfg(test)]
mod tests;
