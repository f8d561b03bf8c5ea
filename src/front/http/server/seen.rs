//! What somebody is told of others' requests: nothing of boards that they may not see.

use super::Caller;
use crate::model::{Name, RequestInfo, Right};

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
    let named = |spec: &str| {
        let names = spec.split_whitespace().filter_map(|word| word.strip_prefix("name"));
        names.map(|name| name.trim_start_matches(['!', '='])).any(|name| !sees(name))
    };
    info.specs.iter_mut().filter(|spec| named(spec)).for_each(String::clear);
    (info.reason, info.unready) = (None, None);
    if let Some(waiting) = &mut info.waiting {
        waiting.why.clear();
    }
    Some(info)
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
