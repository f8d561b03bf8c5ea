//! A board that is held for people after a failure, before everything is cleaned up.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::dispatch::context::Context;

/// Nobody looks at a failure for longer than two weeks.
const LONGEST: Duration = Duration::from_secs(14 * 24 * 3600);

/// Holds the board for as long as the command line or the job says, if they do, with its console open to
/// everybody. What is said there meanwhile is in the log. Who cancels the job ends it.
pub(super) async fn on_failure(context: &mut Context, cancelled: &CancellationToken) {
    let asked = context.settings.pause_on_failure.or(context.job.debug.pause_on_failure);
    let Some(limit) = asked.map(|limit| limit.min(LONGEST)) else { return };
    let (log, id) = (context.log.clone(), context.settings.job_id.clone());
    let Ok(session) = context.session() else {
        log.info("the job is not at the board's console yet, so there is nothing to pause for");
        return;
    };
    let seconds = limit.as_secs();
    log.warning(format!(
        "paused for {seconds} s: the board is as the failure left it, and its console is open (lava attach \
         {id}); cancel the job (Ctrl-C, SIGTERM) to have it cleaned up sooner"
    ));
    if let Err(error) = session.share(true).await {
        log.warning(format!("the console cannot be given to others: {error}"));
    }
    hold(context, limit, cancelled).await;
    if let Ok(session) = context.session()
        && let Err(error) = session.share(false).await
    {
        log.warning(format!("the console is not the job's alone any more: {error}"));
    }
    log.info("the pause is over");
}

/// Leaves the board on. A QEMU of the job's own would end with it: that is held, with its console open to everybody,
/// until somebody cancels the job.
pub(super) async fn when_up(context: &mut Context, cancelled: &CancellationToken) {
    if context.machine.is_none() {
        context.left_on = true;
        return;
    }
    let log = context.log.clone();
    let Ok(session) = context.session() else { return };
    if let Err(error) = session.share(true).await {
        log.warning(format!("the console cannot be given to others: {error}"));
    }
    log.info("the board is up, and is kept so until the job is cancelled");
    hold(context, LONGEST, cancelled).await;
}

async fn hold(context: &mut Context, limit: Duration, cancelled: &CancellationToken) {
    let log = context.log.clone();
    let Ok(session) = context.session() else { return };
    let end = Instant::now() + limit;
    let hold = async {
        // A console that is lost meanwhile is no reason to let go of the board.
        if let Err(error) = session.drain(limit, limit).await {
            log.warning(error.to_string());
        }
        tokio::time::sleep_until(end).await;
    };
    tokio::select! {
        () = hold => {}
        () = cancelled.cancelled() => {}
    }
}
