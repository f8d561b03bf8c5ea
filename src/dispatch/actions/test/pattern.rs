//! Results that a test definition's or a monitor's own pattern finds in what the board prints.

use std::collections::BTreeMap;

use crate::dispatch::expect::Patterns;
use crate::dispatch::{signals, suite};

/// A regular expression with the named groups `test_case_id`, `result`, `measurement` and `units`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnPattern {
    regex: String,
    /// The same, wherever it ends.
    candidate: String,
    /// The groups' names in their order; `None` for one without a name.
    names: Vec<Option<String>>,
    /// What the words that are found mean, as `PASSED: pass`.
    fixup: BTreeMap<String, String>,
    whose: Whose,
}

/// Whose pattern it is: LAVA has rules of its own for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Definition,
    Monitor,
}

/// What a match says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reported {
    pub(super) case: String,
    pub(super) result: String,
    pub(super) measurement: Option<f64>,
    pub(super) units: Option<String>,
    /// What was said as the measurement and is none.
    pub(super) odd: Option<String>,
}

impl OwnPattern {
    /// Takes a pattern as LAVA's users write it. It matches only in lines that are whole: `\w+` must
    /// not take the first half of a word for all of it. `^` and `$` are the ends of lines. In a monitor's
    /// `.*?` goes on over the end of a line, as in LAVA; `.*` does not, though it would there: it would take
    /// as much as has come by chance.
    pub(super) fn new(pattern: &str, fixup: &BTreeMap<String, String>, whose: Whose) -> Self {
        let whole_line = r"(?:(?<=[\r\n])|(?=[^\r\n]*[\r\n]))";
        let lines = |end| ends_of_lines(pattern, end, whose == Whose::Monitor);
        let regex = format!("(?m)(?:{}){whole_line}", lines(r"(?=\r*$)"));
        let candidate = format!("(?m)(?:{})", lines(""));
        Self { regex, candidate, names: group_names(pattern), fixup: fixup.clone(), whose }
    }

    /// Adds it to what is looked for.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn join(&self, others: Patterns) -> Result<Patterns, String> {
        others.and_where(&self.regex, &self.candidate)
    }

    /// Understands a match by its groups, of which the first is the whole of it; `None` when it names
    /// no case, or one that LAVA does not report.
    ///
    /// # Errors
    /// What is wrong with it, for the log.
    pub(super) fn report(&self, groups: &[String]) -> Result<Option<Reported>, String> {
        let value = |name: &str| {
            let index = self.names.iter().position(|known| known.as_deref() == Some(name))?;
            groups.get(index + 1).filter(|text| !text.is_empty()).cloned()
        };
        let Some(case) = value("test_case_id") else { return Ok(None) };
        let case = match self.whose {
            Whose::Monitor => suite::monitors_case(&case),
            Whose::Definition => match suite::patterns_case(&case) {
                Some(case) => case,
                None => return Ok(None),
            },
        };
        let has = |name: &str| self.names.iter().any(|known| known.as_deref() == Some(name));
        let word = match (value("result"), self.whose) {
            (Some(word), _) => word,
            // A measurement that was made is a pass.
            (None, Whose::Monitor) if !has("result") => match value("measurement") {
                Some(_) => "pass".into(),
                None => return Ok(None),
            },
            (None, _) => "unknown".into(),
        };
        let meant = self.fixup.get(&word).cloned().unwrap_or(word);
        let result = meant.to_lowercase();
        if !matches!(result.as_str(), "pass" | "fail" | "skip" | "unknown") {
            return Err(format!(
                "{case}: {meant:?} is none of pass, fail, skip and unknown, and \"fixupdict\" does not \
                 say what it means"
            ));
        }
        let (measurement, odd) = signals::measurement(value("measurement").as_deref());
        Ok(Some(Reported { case, result, measurement, units: value("units"), odd }))
    }
}

/// Has `end` for `$`, which is to match before the carriage return that a console has at the end of a
/// line, and lets a lazy `.`, if it is asked for, match a line's end.
fn ends_of_lines(pattern: &str, end: &str, lazy: bool) -> String {
    let mut changed = String::new();
    let mut characters = pattern.chars();
    let mut in_class = false;
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                changed.push(character);
                changed.extend(characters.next());
                continue;
            }
            '[' => in_class = true,
            ']' => in_class = false,
            '.' if lazy
                && !in_class
                && ["*?", "+?"].iter().any(|q| characters.as_str().starts_with(q)) =>
            {
                changed.push_str("(?s:.)");
                continue;
            }
            '$' if !in_class => {
                changed.push_str(end);
                continue;
            }
            _ => {}
        }
        changed.push(character);
    }
    changed
}

fn group_names(pattern: &str) -> Vec<Option<String>> {
    let mut names = Vec::new();
    let bytes = pattern.as_bytes();
    let mut in_class = false;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'(' if !in_class => {
                let rest = &pattern[at + 1..];
                let named = rest.strip_prefix("?P<").or_else(|| rest.strip_prefix("?<"));
                match named.filter(|name| !name.starts_with(['=', '!'])) {
                    Some(name) => {
                        names.push(name.split_once('>').map(|(name, _)| name.to_owned()));
                    }
                    None if rest.starts_with('?') => {}
                    None => names.push(None),
                }
            }
            _ => {}
        }
        at += 1;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::expect::{Patterns, Place, Window};
    use proptest::prelude::*;

    /// What a pattern reports of a console's output that comes in pieces.
    fn reports(pattern: &str, fixup: &[(&str, &str)], pieces: &[&str]) -> Vec<String> {
        let fixup = fixup.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let own = OwnPattern::new(pattern, &fixup, Whose::Definition);
        let patterns = own.join(Patterns::new::<&str>([]).unwrap()).unwrap();
        let mut window = Window::default();
        let mut reports = Vec::new();
        for piece in pieces {
            window.push(Place { offset: None, time_us: 0 }, piece.as_bytes());
            while let Some(found) = window.find(&patterns) {
                reports.push(match own.report(&found.groups) {
                    Ok(Some(said)) => {
                        format!("{}={} {:?}", said.case, said.result, said.measurement)
                    }
                    Ok(None) => "no case".into(),
                    Err(why) => why,
                });
            }
        }
        reports
    }

    #[test]
    fn groups_are_counted_as_the_expression_counts_them() {
        let pattern = r"^(?P<test_case_id>\w+[(]):\s+(?:x|(y))\s(?P<result>(pass|fail))\(";
        let names = group_names(pattern);
        let named: Vec<Option<&str>> = names.iter().map(Option::as_deref).collect();
        assert_eq!(named, [Some("test_case_id"), None, Some("result"), None]);
    }

    #[test]
    fn words_mean_what_fixupdict_says() {
        let pattern = r"^(?P<test_case_id>[a-z ]+): (?P<result>\w+)( (?P<measurement>\S+) ms)?$";
        let said =
            "boot: OK 4.5 ms\r\nboot up: OK\r\nnet: PASS\r\nusb: GOOD\r\nmmc: OK fast ms\r\n";
        assert_eq!(
            reports(pattern, &[("OK", "pass")], &[said]),
            [
                "boot=pass Some(4.5)",
                "no case",
                "net=pass None",
                "usb: \"GOOD\" is none of pass, fail, skip and unknown, and \"fixupdict\" does not say \
                 what it means",
                "mmc=pass None",
            ]
        );
    }

    proptest! {
        #[test]
        fn a_word_is_never_cut_where_the_stream_was(cut in 0_usize..34) {
            let said = "PASS - test_alpha\r\nFAIL - test_b\r\n";
            let (first, second) = said.split_at(cut);
            let pattern = r"(?P<result>(PASS|FAIL))\s-\s(?P<test_case_id>\w+)";
            let reports = reports(pattern, &[], &[first, second]);
            prop_assert_eq!(reports, ["test_alpha=pass None", "test_b=fail None"]);
        }
    }

    proptest! {
        // Each case compiles sixteen expressions.
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn what_is_looked_for_quickly_is_found_all_the_same(text in "[ab:= \r\n]{0,60}", at in 0_usize..60) {
            for pattern in [
                r"^(?P<test_case_id>a+): (?P<result>\w+)$",
                r"(?P<test_case_id>a+).*?(?P<result>b)$",
                r"(?P<test_case_id>a(?!b$)b*)",
                r"(?P<test_case_id>(?>a$|ab))=",
            ] {
                for whose in [Whose::Definition, Whose::Monitor] {
                    let own = OwnPattern::new(pattern, &BTreeMap::new(), whose);
                    let ways = [own.join(Patterns::new::<&str>([]).unwrap()), Patterns::new([&own.regex])];
                    let found = ways.map(|patterns| {
                        let (patterns, mut window) = (patterns.unwrap(), Window::default());
                        let mut found = Vec::new();
                        for piece in [&text[..at.min(text.len())], &text[at.min(text.len())..]] {
                            window.push(Place { offset: None, time_us: 0 }, piece.as_bytes());
                            found.extend(std::iter::from_fn(|| window.find(&patterns)));
                        }
                        found
                    });
                    prop_assert_eq!(&found[0], &found[1], "{}", pattern);
                }
            }
        }
    }
}
