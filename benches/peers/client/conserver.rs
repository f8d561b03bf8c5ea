//! conserver's protocol: the master tells which of its processes has the console; that process
//! then attaches the client. Each request is a line, and so is each answer.

use anyhow::{Context as _, Result};

use super::{Client, greeted};

/// The escape sequence which asks for the console's output to begin.
const BEGIN: &str = "\u{5}c;";

pub(crate) fn attach(master: u16, console: &str, buffer: Option<usize>) -> Result<Client> {
    let call = format!("call {console}\n");
    let client = logged_in(master, None)?;
    let port = client.ask(&call, "")?;
    let port = port.parse().with_context(|| format!("{port:?} is not a port"))?;
    drop(client);
    let client = logged_in(port, buffer)?;
    // Who comes first is attached, all others are spies.
    client.ask(&call, "[")?;
    client.ask(BEGIN, "connected")?;
    Ok(client)
}

fn logged_in(port: u16, buffer: Option<usize>) -> Result<Client> {
    let client = greeted(port, buffer)?;
    client.expect("ok")?;
    client.ask("login bench\n", "ok")?;
    Ok(client)
}
