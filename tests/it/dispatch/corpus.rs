//! Real jobs of LAVA's own, and whether we make the same pipelines of them.
//!
//! They are not part of the project: `$LAVA_CORPUS` or `../shared/corpus` has them, where it has.

use std::path::PathBuf;

use lavamux::config::{At, Node, Problems, Value};
use lavamux::dispatch::load::load;
use lavamux::dispatch::pipeline::Description;
use serde_json::{Value as Json, json};

/// YAML text as JSON.
pub(super) fn value(text: &str, file: &str) -> Option<Json> {
    let problems = Problems::default();
    Some(json_of(&lavamux::yaml::parse(text, &At::top(file, &problems))?))
}

fn json_of(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Float(value) => json!(value),
        Value::Text(value) => json!(value),
        Value::List(items) => items.iter().map(json_of).collect(),
        Value::Map(entries) => {
            entries.iter().map(|(key, node)| (key.name.clone(), json_of(node))).collect()
        }
    }
}

/// What a case came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Score {
    Wrong,
    /// The files were understood, but a block has no strategy yet.
    Parsed,
    /// There is a pipeline, and its names are LAVA's.
    Names,
    /// Names, levels, tries, limits and URLs are LAVA's.
    Equal,
    Different,
}

#[test]
fn the_pipelines_of_lavas_own_jobs_are_lavas() {
    let folder = std::env::var_os("LAVA_CORPUS").map_or("../shared/corpus".into(), PathBuf::from);
    let Ok(entries) = std::fs::read_dir(folder.join("lava")) else {
        eprintln!("no corpus in {}: nothing to compare with", folder.display());
        return;
    };
    let mut scores: Vec<(String, Score)> = entries
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), score(&entry.path())))
        .collect();
    scores.sort_by(|a, b| a.0.cmp(&b.0));
    let count =
        |wanted: &[Score]| scores.iter().filter(|(_, score)| wanted.contains(score)).count();
    let with_strategies = [Score::Names, Score::Equal, Score::Different];
    eprintln!(
        "corpus: {} cases; {} parsed; {} with all strategies; {} with equal names; {} equal",
        scores.len(),
        scores.len() - count(&[Score::Wrong]),
        count(&with_strategies),
        count(&[Score::Names, Score::Equal]),
        count(&[Score::Equal]),
    );
    let bad = scores.iter().filter(|(_, score)| !matches!(score, Score::Parsed | Score::Equal));
    let bad: Vec<_> = bad.collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

fn score(case: &std::path::Path) -> Score {
    let loaded = match load(&case.join("job.yaml"), &case.join("device.yaml")) {
        Ok(loaded) => loaded,
        Err(failure) => {
            // Reasons are on lines of their own, indented.
            let mut problems = failure.message.lines().filter(|line| !line.starts_with("    "));
            let only_strategies = problems.all(|line| line.ends_with("strategy fits:"));
            return if only_strategies { Score::Parsed } else { Score::Wrong };
        }
    };
    let expected = std::fs::read_to_string(case.join("pipeline.yaml")).unwrap();
    let expected = value(&expected, "pipeline.yaml").unwrap();
    let built = loaded.pipeline.describe();
    if serde_json::to_value(&built).unwrap() == expected {
        Score::Equal
    } else if names(&built) == names_of(&expected) {
        Score::Names
    } else {
        Score::Different
    }
}

fn names(steps: &[Description]) -> Vec<String> {
    let one = |step: &Description| [vec![step.name.clone()], names(&step.pipeline)].concat();
    steps.iter().flat_map(one).collect()
}

fn names_of(steps: &Json) -> Vec<String> {
    let steps = steps.as_array().map(Vec::as_slice).unwrap_or_default();
    let one = |step: &Json| {
        [vec![step["name"].as_str().unwrap().to_owned()], names_of(&step["pipeline"])].concat()
    };
    steps.iter().flat_map(one).collect()
}
