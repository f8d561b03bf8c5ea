//! `lava power drivers`: how PDUs can be talked to.

use clap::Args;

use super::Context;
use crate::config::power::{Abilities, DriverInfo, drivers};
use crate::model::Failure;

/// Lists the drivers of power units and their profiles, with what each can do.
#[derive(Debug, Args)]
pub(super) struct DriversArgs {
    /// One line of JSON: a list of objects.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &DriversArgs, ctx: &Context) -> Result<(), Failure> {
    let drivers = drivers();
    match args.json {
        true => ctx.print_json(&drivers).await,
        false => ctx.print(table(&drivers).as_bytes()).await,
    }
}

fn table(drivers: &[DriverInfo]) -> String {
    let head = ["DRIVER", "PROFILE", "CAN", "ABOUT"].map(str::to_owned);
    let rows = drivers.iter().map(|driver| {
        let profile = driver.profile.unwrap_or("-").to_owned();
        [driver.driver.to_owned(), profile, can(driver.can), driver.about.clone()]
    });
    let rows: Vec<[String; 4]> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths: [usize; 4] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let columns = row.iter().zip(widths).map(|(column, width)| format!("{column:width$}"));
        text.push_str(columns.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text + "cycle is always possible, as off and on; native: by the PDU itself, if native_cycle is set\n"
}

/// `on off cycle status meter native`
fn can(abilities: Option<Abilities>) -> String {
    let mut words = vec!["on", "off", "cycle"];
    match abilities {
        None => words.push("(more as configured)"),
        Some(Abilities { native_cycle, status, meter }) => {
            let more = [(status, "status"), (meter, "meter"), (native_cycle, "native")];
            words.extend(more.into_iter().filter(|(can, _)| *can).map(|(_, word)| word));
        }
    }
    words.join(" ")
}
