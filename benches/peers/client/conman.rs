//! ConMan's protocol: two requests of a line each, and after that the bytes as they are.

use anyhow::Result;

use super::{Client, greeted};

pub(crate) fn attach(
    port: u16,
    console: &str,
    watches: bool,
    buffer: Option<usize>,
) -> Result<Client> {
    let client = greeted(port, buffer)?;
    client.ask("HELLO USER='bench' TTY='pts/0'\n", "OK")?;
    // QUIET: nothing is said to the others about this one.
    let verb = if watches { "MONITOR OPTION=QUIET" } else { "CONNECT OPTION=QUIET OPTION=JOIN" };
    client.ask(&format!("{verb} CONSOLE='{console}'\n"), "OK")?;
    Ok(client)
}
