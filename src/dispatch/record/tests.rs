use std::ops::ControlFlow;

use super::*;

/// A log as a job leaves it, killed in the middle of its last line.
const LOG: &str = r#"{"dt":"2026-11-21T10:00:00.000Z","lvl":"info","msg":"start: 3.1 lava-test-shell (timeout 00:01:00) [common]"}
{"dt":"2026-11-21T10:00:01.500Z","lvl":"target","msg":"<LAVA_SIGNAL_STARTTC a&b>","time":"2026-11-21T10:00:01.000Z","offset":7}
{"dt":"2026-11-21T10:00:03.500Z","lvl":"target","msg":"odd \u007f \u009b <\"'>","time":"2026-11-21T10:00:03.250Z","offset":9,"ns":"m4"}
{"dt":"2026-11-21T10:00:03.600Z","lvl":"results","msg":{"definition":"0_smoke","case":"a&b","result":"fail","measurement":4.5,"units":"s","starttc":1,"endtc":2,"start_offset":7}}
{"dt":"2026-11-21T10:00:03.700Z","lvl":"results","msg":{"definition":"0_smoke","case":"c #1","result":"skip","set":"net"}}
{"dt":"2026-11-21T10:00:03.800Z","lvl":"results","msg":{"definition":"0_smoke","case":"d","result":"unknown"}}
{"dt":"2026-11-21T10:00:04.000Z","lvl":"debug","msg":"end: 3.1 lava-test-shell (duration 00:00:04) [common]"}
{"dt":"2026-11-21T10:00:04.000Z","lvl":"results","msg":{"definition":"lava","case":"lava-test-shell","result":"pass","level":"3.1","duration":4.004,"namespace":"common"}}
{"dt":"2026-11-21T10:00:05.000Z","lvl":"info","msg":"start: 4 finalize (timeout 00:01:00) [common]"}
{"dt":"2026-11-21T10:00:06.000Z","lvl":"results","msg":{"definition":"lava","case":"job","result":"fail","duration":6.0,"error_type":"Job","error_msg":"it \"hung\"","extra":{"job":"incomplete"}}}
{"dt":"2026-11-21T10:00:0"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("output.jsonl"), LOG).unwrap();
    folder
}

fn entries() -> Vec<Entry> {
    let folder = folder();
    let mut entries = Vec::new();
    read(&folder.path().join("output.jsonl"), 0, |entry| {
        entries.push(entry);
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
    entries
}

#[test]
fn junit_has_a_suite_per_definition_with_what_failed() {
    let xml = junit(&Report::read(folder().path()).unwrap());
    for part in [
        "<testsuite name=\"0_smoke\" tests=\"3\" failures=\"1\" errors=\"1\" skipped=\"1\" time=\"2.250\" \
         timestamp=\"2026-11-21T10:00:00.000\">",
        "<testcase classname=\"0_smoke\" name=\"a&amp;b\" time=\"2.250\">",
        "<property name=\"measurement\" value=\"4.5\"/>",
        "<failure type=\"fail\" message=\"fail\"/>",
        "<testcase classname=\"0_smoke.net\" name=\"c #1\" time=\"0.000\">\n      <skipped/>",
        "<error type=\"unknown\" message=\"unknown\"/>",
        "<failure type=\"Job\" message=\"it &quot;hung&quot;\"/>",
    ] {
        assert!(xml.contains(part), "no {part:?} in:\n{xml}");
    }
}

#[test]
fn tap_numbers_all_cases() {
    let text = tap(&Report::read(folder().path()).unwrap());
    let begin = "TAP version 13\n1..5\nnot ok 1 - 0_smoke/a&b\n  ---\n  result: fail\n  measurement: 4.5\n  \
                 units: \"s\"\n  duration_ms: 2250\n  ...\nok 2 - 0_smoke/net/c \\#1 # SKIP\nnot ok 3 - 0_smoke/d\n";
    assert!(text.starts_with(begin), "{text}");
    assert!(text.contains("\nok 4 - lava/lava-test-shell\n"), "{text}");
}

#[test]
fn json_says_how_the_job_ended() {
    let json = serde_json::to_value(Report::read(folder().path()).unwrap()).unwrap();
    assert_eq!(json["job"], "incomplete");
    assert_eq!(json["error_msg"], "it \"hung\"");
    assert_eq!(json["suites"][0]["cases"][0]["seconds"], 2.25);
    assert_eq!(json["suites"][1]["name"], "lava");
}

#[test]
fn the_log_is_lavas_line_for_line() {
    let text: String = entries().iter().map(log_line).collect();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 10);
    assert_eq!(
        lines[2],
        r#"- {"dt": "2026-11-21T10:00:03.500000", "lvl": "target", "msg": "odd \u007f \u009b <\"'>", "ns": "m4"}"#
    );
    let again = serde_json::to_string(&entries()[2]).unwrap();
    assert!(again.ends_with(r#""offset":9,"ns":"m4"}"#), "{again}");
    assert!(
        lines[7].contains(r#""duration": "4.00""#) && lines[7].contains(r#""level": "3.1""#),
        "{}",
        lines[7]
    );
    assert!(!lines[9].contains("duration") && !lines[3].contains("offset"), "{text}");
    // The export is the same, with the place of each line in the index.
    let folder = folder();
    let into = folder.path().join("lava");
    export(folder.path(), &into).unwrap();
    assert_eq!(std::fs::read_to_string(into.join("output.yaml")).unwrap(), text);
    let index = std::fs::read(into.join("output.idx")).unwrap();
    assert_eq!(index.len(), 10 * 8);
    let third = u64::from_le_bytes(index[16..24].try_into().unwrap()) as usize;
    assert!(text[third..].starts_with(lines[2]), "{third}");
    // It is one YAML list of maps.
    let problems = crate::config::Problems::default();
    let at = crate::config::At::top("output.yaml", &problems);
    let node = crate::yaml::parse(&text, &at).unwrap();
    let crate::config::Value::List(items) = node.value else { panic!("{text}") };
    assert!(items.iter().all(|item| item.get("lvl").is_some()));
}

#[test]
fn a_filter_finds_an_actions_lines_and_a_time() {
    let entries = entries();
    let found = |filter: Filter| -> Vec<u64> {
        entries.iter().filter(|entry| filter.wants(entry)).map(|entry| entry.index).collect()
    };
    let of = |action: &str| found(Filter { actions: vec![action.into()], ..Filter::default() });
    assert_eq!(of("3.1"), (0..8).collect::<Vec<_>>());
    assert_eq!(of("lava-test-shell"), (0..8).collect::<Vec<_>>());
    assert_eq!(of("finalize"), [8, 9]);
    assert_eq!(found(Filter { origins: vec![Origin::Target], ..Filter::default() }), [1, 2]);
    let since = entries[2].time_us();
    assert_eq!(found(Filter { since, levels: vec!["target".into()], ..Filter::default() }), [2]);
}

#[test]
fn what_is_no_log_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("output.jsonl");
    let told = |path: &std::path::Path| {
        read(path, 0, |_| Ok(ControlFlow::Continue(()))).unwrap_err().to_string()
    };
    assert!(told(&path).contains("give a job's output folder"));
    std::fs::write(&path, format!("{}\nnothing\n", LOG.lines().next().unwrap())).unwrap();
    assert!(
        told(&path).ends_with("output.jsonl:2:2: is no line of a job's log"),
        "{}",
        told(&path)
    );
}

/// A log with these lines: level and message.
fn log_of(lines: impl Iterator<Item = (&'static str, serde_json::Value)>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let dt = "2026-11-21T10:00:00.000Z";
    let line = |(lvl, msg)| serde_json::json!({"dt": dt, "lvl": lvl, "msg": msg}).to_string();
    let text: Vec<String> = lines.map(line).chain([String::new()]).collect();
    std::fs::write(folder.path().join("output.jsonl"), text.join("\n")).unwrap();
    folder
}

fn case(definition: &str, case: &str) -> serde_json::Value {
    serde_json::json!({"definition": definition, "case": case, "result": "pass"})
}

#[test]
fn of_too_many_results_the_first_and_the_jobs_own_are_kept_and_all_are_counted() {
    let many = (0..100_500).map(|number| ("results", case(&format!("d{}", number % 50_000), "a")));
    let folder = log_of(many.chain([("results", case("lava", "job"))]));
    let report = Report::read(folder.path()).unwrap();
    let kept: usize = report.suites.iter().map(|suite| suite.cases.len()).sum();
    assert_eq!((kept, report.left_out, report.job.as_str()), (100_001, 500, "complete"));
    assert_eq!((report.suites[0].name.as_str(), report.suites[0].cases.len()), ("d0", 2));
    assert_eq!(report.suites.last().unwrap().name, "lava");
    assert!(junit(&report).contains("<!-- 500 more results"));
    let mut reading = Reading::default();
    let outcome = reading.read_on(&folder.path().join("output.jsonl")).unwrap().unwrap();
    assert_eq!((outcome.complete, outcome.tally.pass), (Some(true), 100_500));
    // The page of the job reads it otherwise, and knows the same.
    let mut view = View::new(folder.path().join("output.jsonl"));
    view.grow().unwrap();
    assert_eq!(*view.report(), report);
}

#[test]
fn results_with_a_lot_in_them_take_no_more_memory_than_there_is_for_them() {
    let extra: serde_json::Map<_, _> = (0..2000).map(|i| (i.to_string(), "".into())).collect();
    let mut large = case("d", "a");
    large["extra"] = extra.into();
    let report = Report::read(log_of([("results", large)].into_iter()).path()).unwrap();
    assert!(report.suites[0].cases[0].case.extra.is_empty());
    let mut report = Report::read(log_of(std::iter::empty()).path()).unwrap();
    for number in 0..3000 {
        let text = Some(format!("{number}{}", "x".repeat(50_000)));
        let own = crate::dispatch::results::CaseResult { error_msg: text, ..Default::default() };
        report.add(own, None);
    }
    let kept = report.suites[0].cases.len() as u64;
    assert!(report.memory() <= 96 << 20, "{}", report.memory());
    assert!(kept > 1000 && kept + report.left_out == 3000, "{kept}");
}

#[test]
fn actions_that_are_only_begun_are_followed_some_levels_deep() {
    let begun = (0..100_000).map(|_| ("info", "start: 1 boot (timeout 00:01:00)".into()));
    let folder = log_of(begun.chain([("target", "hello".into())]));
    let mut deepest = 0;
    read(&folder.path().join("output.jsonl"), 0, |entry| {
        deepest = deepest.max(entry.actions.len());
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
    assert_eq!(deepest, 64);
}

#[test]
fn what_a_log_comes_to_is_known_as_it_grows_and_no_line_is_read_twice() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("output.jsonl");
    let mut reading = Reading::default();
    assert!(reading.read_on(&path).unwrap().is_none(), "there is none");
    let folder =
        log_of([("results", case("d", "a")), ("results", case("lava", "job"))].into_iter());
    let text = std::fs::read_to_string(folder.path().join("output.jsonl")).unwrap();
    let first = text.find('\n').unwrap() + 1;
    let mut after = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let outcome = reading.read_on(&path).unwrap();
        outcome.map(|outcome| (outcome.tally.pass, outcome.complete))
    };
    assert_eq!(after(&text[..first - 9]), Some((0, None)), "the end of the line has not come");
    assert_eq!(after(&text[..first + 9]), Some((1, None)));
    let later = format!("{}{}", "x".repeat(first), &text[first..]);
    assert_eq!(after(&later), Some((1, Some(true))), "what was read is not looked at again");
    assert_eq!(after(&format!("{later}nothing\n")), None, "that is no log");
    assert_eq!(after(&text), None);
}
