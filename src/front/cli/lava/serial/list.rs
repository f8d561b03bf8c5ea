//! `lava serial list`: which adapters there are, and what they are used for.

use clap::Args;

use super::{Context, Row};
use crate::adapter::Owner;
use crate::model::{Failure, shown};
use crate::wire::attach::PortState;

/// Lists the serial adapters of this host: which console each is, how it is, and who else has it.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// One line of JSON: a list of objects.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &ListArgs, rows: &[Row], ctx: &Context) -> Result<(), Failure> {
    match args.json {
        true => ctx.print_json(&rows).await,
        false => ctx.print(table(rows).as_bytes()).await,
    }
}

fn table(rows: &[Row]) -> String {
    let head = ["DEVICE", "NAME", "CONSOLE", "STATE", "ADAPTER"].map(str::to_owned);
    let lines = rows.iter().map(|row| {
        let console = row.console.as_ref().map_or("-", |name| name.as_str());
        let texts = [row.adapter.tty.as_str(), row.name.as_str(), console];
        let [device, name, console] = texts.map(str::to_owned);
        [device, name, console, state(row), row.adapter.description()]
    });
    let lines: Vec<[String; 5]> = std::iter::once(head).chain(lines).collect();
    let width = |column: usize| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
    };
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut text = String::new();
    for line in &lines {
        let columns = line.iter().zip(widths).map(|(column, width)| format!("{column:width$}"));
        text.push_str(columns.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn state(row: &Row) -> String {
    let owners: Vec<String> = row.owners.iter().map(owner).collect();
    let owners = owners.join(", ");
    match &row.state {
        Some(PortState::Open) if row.attached.is_empty() => "open".into(),
        Some(PortState::Open) => {
            let attached: Vec<String> = row.attached.iter().map(|user| shown(user)).collect();
            format!("open, {} attached", attached.join(" and "))
        }
        Some(PortState::Starting) => "starting".into(),
        Some(PortState::Closed { .. }) if !owners.is_empty() => format!("closed: {owners} has it"),
        Some(PortState::Closed { reason }) => format!("closed: {}", shown(reason)),
        None if row.adapter.kernel_console => "the kernel's console".into(),
        None if owners.is_empty() => "free".into(),
        None => format!("busy: {owners} has it"),
    }
}

/// `minicom (pid 4711, user 1000)`
fn owner(owner: &Owner) -> String {
    format!("{} (pid {}, user {})", shown(&owner.program), owner.pid, owner.uid)
}
