//! `lava serial suggest`: what to add to the configuration.

use clap::Args;
use serde::Serialize;

use super::{Context, Row};
use crate::config::toml::quoted;
use crate::model::{Failure, Name};

/// Prints what to add to lava-serial's configuration, so that the adapters have their boards' names:
/// a [[match]] for each that has none so far.
#[derive(Debug, Args)]
pub(super) struct SuggestArgs {
    /// A [[console]] for each instead, which needs no [discover].
    #[arg(long)]
    console: bool,
    /// Also for the adapters that have a name by configuration.
    #[arg(long)]
    all: bool,
    /// One line of JSON: a list of objects.
    #[arg(long)]
    json: bool,
}

/// What there is to say of one adapter.
#[derive(Debug, Serialize)]
struct Suggestion<'a> {
    tty: &'a Name,
    what: String,
    /// To be replaced by the board's name.
    name: &'a Name,
    /// For a `[[console]]`.
    port: String,
    /// For a `[[match]]`: keys and values.
    r#match: Vec<(&'static str, Value<'a>)>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Text(&'a str),
    Number(u8),
}

pub(super) async fn run(args: &SuggestArgs, rows: &[Row], ctx: &Context) -> Result<(), Failure> {
    let unnamed = |row: &&Row| row.console.as_ref().is_none_or(|console| *console == row.name);
    let rows = rows.iter().filter(|row| !row.adapter.kernel_console);
    let rows = rows.filter(|row| args.all || unnamed(row));
    let suggestions: Vec<Suggestion<'_>> = rows.map(suggestion).collect();
    if args.json {
        return ctx.print_json(&suggestions).await;
    }
    let mut text = if suggestions.is_empty() {
        "# No adapter is without a name of its own; --all prints those that have one.\n".into()
    } else if args.console {
        "# To be added to lava-serial's configuration, with the boards' names.\n".to_owned()
    } else {
        "# To be added to lava-serial's configuration, which has a [discover], with the boards' names.\n"
            .to_owned()
    };
    for suggestion in &suggestions {
        text.push_str(&toml(suggestion, args.console));
    }
    ctx.print(text.as_bytes()).await
}

/// The `[[match]]` of an adapter, to be given its board's name.
pub(in super::super) fn match_of(row: &Row) -> String {
    toml(&suggestion(row), false)
}

fn suggestion(row: &Row) -> Suggestion<'_> {
    let adapter = &row.adapter;
    let mut keys = Vec::new();
    match (&adapter.usb, row.path.contains("/by-id/")) {
        (Some(usb), true) => {
            keys.push(("vendor", Value::Text(usb.vendor_id.as_str())));
            keys.push(("product", Value::Text(&usb.product_id)));
            keys.extend(usb.serial.as_deref().map(|serial| ("serial", Value::Text(serial))));
            if usb.interfaces > 1 {
                keys.push(("interface", Value::Number(usb.interface)));
            }
            if usb.port > 0 {
                let path = adapter.by_path.as_deref();
                keys.extend(path.map(|path| ("path", Value::Text(path))));
            }
        }
        _ => {
            let path = adapter.by_path.as_deref().unwrap_or(adapter.tty.as_str());
            keys.push(("path", Value::Text(path)));
        }
    }
    Suggestion {
        tty: &adapter.tty,
        what: adapter.description(),
        name: &row.name,
        port: format!("tty:{},115200n8", row.path),
        r#match: keys,
    }
}

fn toml(suggestion: &Suggestion<'_>, console: bool) -> String {
    let Suggestion { tty, what, name, port, r#match } = suggestion;
    let mut text = format!("\n# {tty}: {what}\n");
    if console {
        text.push_str(&format!("[[console]]\nname = \"{name}\"\nport = {}\n", quoted(port)));
        return text;
    }
    text.push_str(&format!("[[match]]\nname = \"{name}\"\n"));
    for (key, value) in r#match {
        match value {
            Value::Text(value) => text.push_str(&format!("{key} = {}\n", quoted(value))),
            Value::Number(value) => text.push_str(&format!("{key} = {value}\n")),
        }
    }
    text
}
