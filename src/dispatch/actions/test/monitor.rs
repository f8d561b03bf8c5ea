//! `lava-test-monitor`: finds results in what the board prints by itself, between two marks.

use std::collections::BTreeSet;

use super::follower::{missing, unexpected};
use super::pattern::{OwnPattern, Reported, Whose};
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::{Found, Patterns};
use crate::dispatch::job::Monitor;
use crate::dispatch::results::CaseResult;
use crate::dispatch::session::Wait;
use crate::dispatch::suite;
use crate::dispatch::watch::Stage;

/// `lava-test-monitor-retry`: watches again when the watching failed.
#[derive(Debug)]
pub struct MonitorRetry(pub Vec<Monitor>);

#[derive(Debug)]
pub(super) struct TestMonitor(pub Vec<Monitor>);

impl Action for MonitorRetry {
    fn name(&self) -> &'static str {
        "lava-test-monitor-retry"
    }

    fn retries(&self) -> bool {
        true
    }

    fn populate(&self, _scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        vec![Box::new(TestMonitor(self.0.clone()))]
    }
}

impl Action for TestMonitor {
    fn name(&self) -> &'static str {
        "lava-test-monitor"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            // What is watched may begin as often as it likes.
            context.session()?.watch().enter(Stage::Tested);
            let mut done = Ok(());
            for monitor in &self.0 {
                match done {
                    Ok(()) => done = watch(monitor, context).await,
                    // What was expected of the others is missing.
                    Err(_) => {
                        let expected = monitor.expected.as_deref().unwrap_or_default();
                        missing(
                            &suite::monitor(&monitor.name),
                            expected,
                            &BTreeSet::new(),
                            context,
                        );
                    }
                }
            }
            done
        })
    }
}

/// Waits for the monitor's start, and takes in results until its end.
async fn watch(monitor: &Monitor, context: &mut Context) -> Result<(), Error> {
    let Monitor { name, start, end, pattern, fixup, expected } = monitor;
    let own = OwnPattern::new(pattern, fixup, Whose::Monitor);
    let start = Patterns::new([start]).map_err(Error::Configuration)?;
    let inside = Patterns::new([end]).and_then(|end| own.join(end));
    let inside = inside.map_err(Error::Configuration)?;
    let mut reported = BTreeSet::new();
    let begun = expect(&start, &format!("the start of the monitor {name:?}"), context).await;
    let mut done = begun.map(|_| context.log.info(format!("the monitor {name:?} has started")));
    while done.is_ok() {
        match expect(&inside, &format!("the end of the monitor {name:?}"), context).await {
            Ok(found) if found.index == 0 => break,
            Ok(found) => report(monitor, &own, &found, &mut reported, context),
            Err(error) => done = Err(error),
        }
    }
    if let Some(expected) = expected {
        missing(&suite::monitor(name), expected, &reported, context);
    }
    done
}

/// Waits, and says on a time-out what it was for. Silence is no error: the board may be at work.
async fn expect(patterns: &Patterns, what: &str, context: &mut Context) -> Result<Found, Error> {
    let what = Some(format!("{what}: {}", patterns.describe()));
    let wait = Wait { connection: None, what, ..context.wait() };
    context.session()?.expect(patterns, &wait).await
}

fn report(
    monitor: &Monitor,
    own: &OwnPattern,
    found: &Found,
    reported: &mut BTreeSet<String>,
    context: &mut Context,
) {
    let name = &monitor.name;
    let Reported { case, result, measurement, units, odd } = match own.report(&found.groups) {
        Ok(Some(said)) => said,
        Ok(None) => {
            context.log.error(format!("{name}: a match without a test case or a result"));
            return;
        }
        Err(why) => {
            context.log.error(format!("{name}: {why}"));
            return;
        }
    };
    if let Some(odd) = odd {
        context.log.error(format!("{name}: {case}: the measurement {odd:?} is no number"));
    }
    let result = unexpected(monitor.expected.as_deref(), &case, result, context);
    reported.insert(case.clone());
    context.result(CaseResult {
        definition: suite::monitor(name),
        case,
        result,
        measurement,
        units,
        level: Some(context.now.level.clone()),
        endtc: Some(context.log.lines()),
        end_offset: found.place.offset,
        ..CaseResult::default()
    });
}
