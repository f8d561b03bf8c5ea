//! `lava power history BOARD...`: what was done to boards' power, by whom, and what came of it.

use clap::Args;
use serde::Deserialize;

use super::{Context, LabArgs};
use crate::client::OutletRef;
use crate::model::{Failure, Kind, Right, units};

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// The boards: names, or patterns such as 'rack*'.
    #[arg(required = true, value_name = "BOARD")]
    boards: Vec<String>,
    #[command(flatten)]
    lab: LabArgs,
    /// A line of JSON for each board: its list, as lava-power has it.
    #[arg(long)]
    json: bool,
}

/// One operation, as much of it as is shown.
#[derive(Debug, Deserialize)]
struct Operation {
    begin_us: u64,
    /// Not while it is under way.
    end_us: Option<u64>,
    who: String,
    verb: String,
    result: String,
    state: Option<String>,
    reason: Option<String>,
    error: Option<String>,
}

pub(super) async fn run(args: HistoryArgs, ctx: &Context) -> Result<(), Failure> {
    let lab = args.lab.locate(ctx)?;
    let boards = lab.select(&args.boards, Right::See).await?;
    let several = boards.len() > 1;
    for board in boards {
        let none = || Failure::new(Kind::User, format!("board {} has no outlet {lab}", board.name));
        let outlet = board.outlet.as_ref().ok_or_else(none)?;
        let list = list(outlet).await?;
        if args.json {
            ctx.print_json(&list).await?;
            continue;
        }
        if several {
            ctx.print(format!("{}:\n", board.name).as_bytes()).await?;
        }
        let wrong = |error| Failure::from_error(Kind::Lab, &error);
        let operations: Vec<Operation> = serde_json::from_value(list).map_err(wrong)?;
        let text: String = operations.iter().map(line).collect();
        ctx.print(text.as_bytes()).await?;
    }
    Ok(())
}

async fn list(outlet: &OutletRef) -> Result<serde_json::Value, Failure> {
    outlet.http().get(&format!("{}/history", outlet.path)).await
}

fn line(operation: &Operation) -> String {
    let Operation { begin_us, end_us, who, verb, result, state, reason, error } = operation;
    let took = end_us.map(|end| format!(", {:.1} s", end.saturating_sub(*begin_us) as f64 / 1e6));
    let state = state.as_ref().map(|state| format!("{state}, ")).unwrap_or_default();
    let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let error = error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    let took = took.unwrap_or_default();
    format!(
        "{}  {verb:6} by {who}{reason}: {state}{result}{took}{error}\n",
        units::time_text(*begin_us)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_a_line() {
        let operation = |json: &str| line(&serde_json::from_str(json).unwrap());
        let done = operation(
            r#"{"verb":"cycle","who":"alice","reason":"stuck","begin_us":0,"end_us":2034000,
                "result":"verified","state":"on"}"#,
        );
        assert!(done.ends_with("  cycle  by alice (stuck): on, verified, 2.0 s\n"), "{done}");
        let failed = operation(
            r#"{"verb":"off","who":"job:7","begin_us":0,"end_us":100000,"result":"failed",
                "error":"no answer within 5s"}"#,
        );
        assert!(
            failed.ends_with("  off    by job:7: failed, 0.1 s: no answer within 5s\n"),
            "{failed}"
        );
        let going = operation(r#"{"verb":"on","who":"bob","begin_us":0,"result":"under-way"}"#);
        assert!(going.ends_with("  on     by bob: under-way\n"), "{going}");
    }
}
