//! Results as JUnit XML, as Jenkins, GitLab and the others read it.
//!
//! A suite per test definition, and `lava` for the actions; `fail` is a failure, `unknown` an error.

use std::fmt::Write as _;

use super::{Report, Suite, Timed};

/// The whole document. Writing to a String cannot fail.
pub fn junit(report: &Report) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for suite in &report.suites {
        write_suite(suite, report, &mut xml);
    }
    if report.left_out > 0 {
        let _ = writeln!(xml, "  <!-- {} more results were left out -->", report.left_out);
    }
    xml.push_str("</testsuites>\n");
    xml
}

// Writing to a String cannot fail.
fn write_suite(suite: &Suite, report: &Report, xml: &mut String) {
    let begin = report.begin.as_deref().unwrap_or_default();
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" \
         time=\"{:.3}\" timestamp=\"{}\">",
        escaped(&suite.name),
        suite.cases.len(),
        suite.count("fail"),
        suite.count("unknown"),
        suite.count("skip"),
        suite.seconds(),
        // The schema knows no zone; the time is UTC.
        escaped(begin.trim_end_matches('Z')),
    );
    for timed in &suite.cases {
        write_case(timed, xml);
    }
    xml.push_str("  </testsuite>\n");
}

fn write_case(timed: &Timed, xml: &mut String) {
    let case = &timed.case;
    let class = case
        .set
        .as_ref()
        .map_or_else(|| case.definition.clone(), |set| format!("{}.{set}", case.definition));
    let (class, name) = (escaped(&class), escaped(&case.case));
    let seconds = timed.seconds.unwrap_or(0.0);
    let _ =
        write!(xml, "    <testcase classname=\"{class}\" name=\"{name}\" time=\"{seconds:.3}\"");
    let mut inner = String::new();
    let facts = [
        ("level", case.level.clone()),
        ("measurement", case.measurement.map(|number| number.to_string())),
        ("units", case.units.clone()),
        ("reference", case.reference.clone()),
    ];
    let mut facts = facts.into_iter().filter_map(|(key, value)| Some((key, value?))).peekable();
    if facts.peek().is_some() {
        inner.push_str("      <properties>\n");
        for (key, value) in facts {
            let value = escaped(&value);
            let _ = writeln!(inner, "        <property name=\"{key}\" value=\"{value}\"/>");
        }
        inner.push_str("      </properties>\n");
    }
    let message = escaped(case.error_msg.as_deref().unwrap_or(&case.result));
    let kind = escaped(case.error_type.as_deref().unwrap_or(&case.result));
    let _ = match case.result.as_str() {
        "pass" => Ok(()),
        "skip" => writeln!(inner, "      <skipped/>"),
        "fail" => writeln!(inner, "      <failure type=\"{kind}\" message=\"{message}\"/>"),
        _ => writeln!(inner, "      <error type=\"{kind}\" message=\"{message}\"/>"),
    };
    if inner.is_empty() {
        xml.push_str("/>\n");
    } else {
        let _ = write!(xml, ">\n{inner}    </testcase>\n");
    }
}

/// A text for an attribute. What XML 1.0 cannot hold at all becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(xml, "&#{};", u32::from(c));
            }
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => xml.push('\u{fffd}'),
            c => xml.push(c),
        }
    }
    xml
}
