//! What somebody is told of others' requests and jobs: nothing of boards that they may not see.

use super::super::ApiError;
use super::super::access::missing;
use super::Caller;
use crate::model::{JobInfo, JobState, Name, RequestInfo, Right};

/// A request as the caller may see it; `None` when it has boards, and the caller may see none of them. Of others'
/// requests that wait, and of those that have more boards, it is told whose they are and how they stand.
pub(super) fn seen(mut info: RequestInfo, caller: &Caller) -> Option<RequestInfo> {
    let holders = || std::iter::once(&info.user).chain(&info.shared_with);
    let sees = |board: &str| caller.may(Right::See, board);
    if sees_all(caller, holders()) {
        return Some(info);
    }
    if !sees_request(caller, holders(), &info.boards) {
        return None;
    }
    let all = info.boards.len();
    info.boards.retain(|board| sees(board.as_str()));
    if all > 0 && info.boards.len() == all {
        return Some(info);
    }
    hide_names(&mut info.specs, caller);
    (info.reason, info.unready) = (None, None);
    if let Some(waiting) = &mut info.waiting {
        waiting.why.clear();
    }
    Some(info)
}

/// A job as the caller may see it, by the same rules: of others' jobs that wait, and of those that have more boards, it
/// is not told what they wait for, nor what has gone wrong.
pub(super) fn seen_job(mut info: JobInfo, caller: &Caller) -> Option<JobInfo> {
    let all: Vec<Name> = info.boards.iter().map(|board| board.name.clone()).collect();
    if info.ci.is_some() || sees_all(caller, std::iter::once(&info.user)) {
        return Some(info);
    }
    if !sees_request(caller, std::iter::once(&info.user), &all) {
        return None;
    }
    let sees = |board: &Name| caller.may(Right::See, board.as_str());
    info.boards.retain(|board| sees(&board.name));
    if !all.is_empty() && info.boards.len() == all.len() {
        return Some(info);
    }
    hide_names(&mut info.specs, caller);
    info.checks = info.checks.filter(sees);
    info.error_msg = None;
    info.waiting = info.waiting.filter(|_| info.worker.is_none()).map(|waiting| {
        // Its place in the queue is told, and not why.
        let queued = info.state == JobState::Submitted && info.request != 0;
        let place = waiting.split_once(": ").filter(|_| queued);
        place.map_or_else(|| waiting.clone(), |(place, _)| place.to_owned())
    });
    Some(info)
}

/// # Errors
/// 403 to who may not read what the board of a boot says: its log goes on for as long as the board is kept.
pub(super) fn check_spies(caller: &Caller, job: &JobInfo) -> Result<(), ApiError> {
    let mut boards = job.boards.iter().filter(|_| job.boot.is_some());
    match boards.find(|board| !caller.may(Right::Spy, board.name.as_str())) {
        None => Ok(()),
        Some(board) => {
            let name = board.name.as_str();
            Err(missing(caller, caller.on(name), Right::Spy, name))
        }
    }
}

/// Leaves out the descriptions that name boards the caller may not see.
fn hide_names(specs: &mut [String], caller: &Caller) {
    let named = |spec: &str| {
        let names = spec.split_whitespace().filter_map(|word| word.strip_prefix("name"));
        let mut names = names.map(|name| name.trim_start_matches(['!', '=']));
        names.any(|name| !caller.may(Right::See, name))
    };
    specs.iter_mut().filter(|spec| named(spec)).for_each(String::clear);
}

/// Whether the caller is told of a request at all.
pub(super) fn sees_request<'a>(
    caller: &Caller,
    holders: impl Iterator<Item = &'a String>,
    boards: &[Name],
) -> bool {
    sees_all(caller, holders)
        || boards.is_empty()
        || boards.iter().any(|board| caller.may(Right::See, board.as_str()))
}

/// Whether it is theirs, or they see everything.
fn sees_all<'a>(caller: &Caller, mut holders: impl Iterator<Item = &'a String>) -> bool {
    caller.on_all() >= Some(Right::See)
        || caller.name().is_some_and(|name| holders.any(|holder| *holder == name))
}
