//! URLs of what other daemons serve.

use crate::model::Name;

/// Checks as much of a daemon's URL as can be wrong by a slip of the hand.
///
/// # Errors
/// How to write one.
pub(super) fn daemon(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let host = host.and_then(|host| host.rsplit_once(':'));
    let tcp = host.is_some_and(|(name, port)| !name.is_empty() && port.parse::<u16>().is_ok());
    let socket = text.strip_prefix("unix:").is_some_and(|path| !path.is_empty());
    if tcp || socket {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is no daemon's URL; write it like https://lab:7000 or unix:SOCKET"))
}

/// Checks as much of a resource's URL as can be wrong by a slip of the hand: `what` is `console` or
/// `outlet`, and its daemon serves it below `/consoles` or `/outlets`.
///
/// # Errors
/// How to write one.
pub(super) fn resource_url(text: &str, what: &str) -> Result<String, String> {
    let collection = format!("/{what}s/");
    let daemon = text.rsplit_once(&collection).filter(|(_, name)| name.parse::<Name>().is_ok());
    let sound = daemon.is_some_and(|(daemon, _)| {
        let host = daemon.strip_prefix("http://").or_else(|| daemon.strip_prefix("https://"));
        let host = host.and_then(|host| host.rsplit_once(':'));
        let socket = daemon.strip_prefix("unix:").and_then(|path| path.strip_suffix(':'));
        host.is_some_and(|(name, port)| !name.is_empty() && port.parse::<u16>().is_ok())
            || socket.is_some_and(|path| !path.is_empty())
    });
    if sound {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is no {what}'s URL; write it like http://127.0.0.1:7100{collection}panda01 or \
         unix:SOCKET:{collection}panda01"
    ))
}
