//! What the job file has its actions ask of the group: `protocols: lava-multinode` of a block.

use std::collections::BTreeMap;
use std::time::Duration;

use super::group::Ask;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::{Call, LAVA_START, MULTINODE_TEST, Request};

/// Waits until the job may begin, where its role waits for another one.
///
/// # Errors
/// When the others do not let it begin.
pub(in crate::dispatch) async fn start(context: &mut Context) -> Result<(), Error> {
    let Some(member) = context.member.clone() else { return Ok(()) };
    let Some(role) = member.seat.start_after.clone() else { return Ok(()) };
    context.log.info(format!("the job begins when {role} lets it: waiting for {LAVA_START:?}"));
    let limit = member.seat.start_timeout.map(Duration::from_secs);
    let ask = Ask::WaitAll { id: LAVA_START.into(), role: Some(role) };
    member.call(ask, limit).await.map(drop)
}

/// Makes the requests of an action that begins.
///
/// # Errors
/// When one is not answered as the job wants it.
pub(in crate::dispatch) async fn before(
    requests: &[Request],
    context: &mut Context,
) -> Result<(), Error> {
    for request in requests.iter().filter(|request| !is_last(request)) {
        call(request, context).await?;
    }
    Ok(())
}

/// Makes those of an action that is done.
///
/// # Errors
/// As [`before`].
pub(in crate::dispatch) async fn after(
    requests: &[Request],
    context: &mut Context,
) -> Result<(), Error> {
    for request in requests.iter().filter(|request| is_last(request)) {
        call(request, context).await?;
    }
    Ok(())
}

/// A test that lets others begin sends that by itself when it wants to; at its end at the latest.
fn is_last(request: &Request) -> bool {
    request.call == Call::Start && request.action == MULTINODE_TEST
}

async fn call(request: &Request, context: &mut Context) -> Result<(), Error> {
    let alone = || Error::Configuration("the job asks a group, and runs without one".into());
    let member = context.member.clone().ok_or_else(alone)?;
    let id = request.id.clone();
    let ask = match request.call {
        Call::Start => Ask::Send { id, data: BTreeMap::new() },
        Call::Send => Ask::Send { id, data: filled(&request.message, &context.learned)? },
        Call::Wait => Ask::Wait { id },
        Call::WaitAll => Ask::WaitAll { id, role: None },
        Call::Sync => Ask::Sync { id },
    };
    let called = ask.called();
    context.log.info(format!("{called}, as the job wants it before {} goes on", request.action));
    let entries = member.call(ask, request.limit.map(Duration::from_secs)).await?;
    if request.call == Call::Send {
        return Ok(());
    }
    for (key, name) in &request.message {
        let Some(entry) = entries.iter().find(|entry| entry.key == *key) else {
            return Err(Error::Job(format!("{called}: there is no {key:?} in what came")));
        };
        context.log.info(format!("{key} is {:?}, from {}", entry.value, entry.member));
        let name = name.strip_prefix('$').unwrap_or(key);
        context.learned.insert(name.to_owned(), entry.value.clone());
    }
    Ok(())
}

/// A message whose `$name`s are replaced by what was learned from the others.
fn filled(
    message: &BTreeMap<String, String>,
    learned: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Error> {
    let value = |text: &String| match text.strip_prefix('$') {
        None => Ok(text.clone()),
        Some(name) => learned.get(name).cloned().ok_or_else(|| {
            Error::Job(format!("{text} is to be sent, and nobody has said what it is"))
        }),
    };
    message.iter().map(|(key, text)| Ok((key.clone(), value(text)?))).collect()
}
