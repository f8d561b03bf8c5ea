//! Results as the Test Anything Protocol, version 13 (<https://testanything.org/tap-version-13-specification.html>).

use std::fmt::Write as _;

use super::{Report, Timed};

/// The whole text: one test point per case, with what else is known as YAML below it.
pub fn tap(report: &Report) -> String {
    let cases = || report.suites.iter().flat_map(|suite| &suite.cases);
    // Writing to a String cannot fail.
    let mut text = format!("TAP version 13\n1..{}\n", cases().count());
    for (number, timed) in (1..).zip(cases()) {
        let case = &timed.case;
        let (ok, directive) = match case.result.as_str() {
            "pass" => ("ok", ""),
            "skip" => ("ok", " # SKIP"),
            _ => ("not ok", ""),
        };
        let set = case.set.as_ref().map(|set| format!("{set}/")).unwrap_or_default();
        let name = description(&format!("{}/{set}{}", case.definition, case.case));
        let _ = writeln!(text, "{ok} {number} - {name}{directive}");
        diagnosis(timed, &mut text);
    }
    if report.left_out > 0 {
        let _ = writeln!(text, "# {} more results were left out", report.left_out);
    }
    text
}

fn diagnosis(timed: &Timed, text: &mut String) {
    let case = &timed.case;
    let number = |number: Option<f64>| number.map(|number| number.to_string());
    let quoted = |text: &Option<String>| {
        text.as_ref().map(|text| serde_json::Value::from(text.as_str()).to_string())
    };
    let shown = !matches!(case.result.as_str(), "pass" | "skip");
    let facts = [
        ("result", shown.then(|| case.result.clone())),
        ("error_type", quoted(&case.error_type)),
        ("message", quoted(&case.error_msg)),
        ("measurement", number(case.measurement)),
        ("units", quoted(&case.units)),
        ("duration_ms", number(timed.seconds.map(|seconds| (seconds * 1000.0).round()))),
    ];
    let mut facts = facts.into_iter().filter_map(|(key, value)| Some((key, value?))).peekable();
    if facts.peek().is_none() {
        return;
    }
    text.push_str("  ---\n");
    for (key, value) in facts {
        let _ = writeln!(text, "  {key}: {value}");
    }
    text.push_str("  ...\n");
}

/// A name on one line in which nothing looks like a directive.
fn description(name: &str) -> String {
    let plain = |c: char| if c.is_control() { '?' } else { c };
    name.chars().map(plain).collect::<String>().replace('#', "\\#")
}
