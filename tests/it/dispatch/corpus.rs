//! Real jobs of LAVA's own, and whether `lava-dispatcher pipeline` makes the same pipelines of them.
//!
//! They are not part of the project: `$LAVA_CORPUS` or `../shared/corpus` has them, where it has. Whoever names the
//! folder wants them compared: then it has to be there.

use std::path::{Path, PathBuf};

use lavamux::config::{At, Node, Problems, Value};
use serde_json::{Value as Json, json};

use crate::common::TestLab;

/// YAML text as JSON.
pub(super) fn value(text: &str, file: &str) -> Option<Json> {
    let problems = Problems::default();
    Some(json_of(&lavamux::yaml::parse(text, &At::top(file, &problems))?))
}

pub(super) fn json_of(node: &Node) -> Json {
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

/// What a case came to, from bad to good.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Score {
    /// The files were not understood.
    Wrong(String),
    /// The files were understood, but a block has no strategy.
    Parsed(String),
    /// There is a pipeline; where it first differs.
    Different(String),
    /// Its names are LAVA's; where it first differs.
    Names(String),
    /// Names, levels, tries, limits and URLs are LAVA's.
    Equal,
}

/// So many trees are equal, and so many jobs are understood. It only goes up.
const FLOOR: usize = 59;
const JOBS_FLOOR: usize = 40;

fn corpus(part: &str) -> Option<Vec<PathBuf>> {
    let named = std::env::var_os("LAVA_CORPUS");
    let folder = named.clone().map_or("../shared/corpus".into(), PathBuf::from).join(part);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        assert!(named.is_none(), "$LAVA_CORPUS: there is no folder {}", folder.display());
        eprintln!("no corpus in {}: nothing to compare with", folder.display());
        return None;
    };
    // The program is started in another folder.
    let absolute = |path: PathBuf| path.canonicalize().unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| absolute(entry.unwrap().path())).collect();
    paths.sort();
    Some(paths)
}

#[test]
fn the_pipelines_of_lavas_own_jobs_are_lavas() {
    let Some(cases) = corpus("lava") else { return };
    let name = |case: &Path| case.file_name().unwrap().to_str().unwrap().to_owned();
    let lab = TestLab::new();
    let mut scores: Vec<(Score, String)> =
        cases.iter().map(|case| (score(&lab, case), name(case))).collect();
    scores.sort();
    for (score, case) in scores.iter().filter(|(score, _)| *score != Score::Equal) {
        eprintln!("{case}: {score:?}");
    }
    let count = |at_least: Score| scores.iter().filter(|(score, _)| *score >= at_least).count();
    let equal = count(Score::Equal);
    eprintln!(
        "corpus: {} cases; {} parsed; {} with all strategies; {} with equal names; {equal} equal",
        scores.len(),
        count(Score::Parsed(String::new())),
        count(Score::Different(String::new())),
        count(Score::Names(String::new())),
    );
    assert!(equal >= FLOOR, "{equal} trees are equal; they were {FLOOR}");
}

#[test]
fn jobs_that_others_generate_are_understood() {
    let Some(jobs) = corpus("jobs") else { return };
    let lab = TestLab::new();
    // They come without their devices: of one that offers nothing, only that is told.
    let device = lab.path("device.yaml");
    std::fs::write(&device, "hostname: none\n").unwrap();
    let problems_of = |path: &Path| {
        let told = pipeline(&lab, path, &device).err()?;
        (!lacks_only_strategies(&told)).then_some(told)
    };
    let wrong: Vec<String> = jobs.iter().filter_map(|path| problems_of(path)).collect();
    let good = jobs.len() - wrong.len();
    eprintln!("{}\njobs: {good} of {} parsed", wrong.join("\n"), jobs.len());
    assert!(good >= JOBS_FLOOR, "{good} jobs are understood; they were {JOBS_FLOOR}");
}

/// The pipeline that the program prints, or what it says is wrong.
fn pipeline(lab: &TestLab, job: &Path, device: &Path) -> Result<Json, String> {
    let (job, device) = (job.to_str().unwrap(), device.to_str().unwrap());
    let args = ["pipeline", job, "--device", device, "--format", "json"];
    let done = lab.run("lava-dispatcher", args, "");
    match done.status.success() {
        true => Ok(serde_json::from_slice(&done.stdout).unwrap()),
        false => Err(String::from_utf8_lossy(&done.stderr).into_owned()),
    }
}

/// Whether a job was understood, and only the device does not do it. Reasons are on lines of their own, indented.
fn lacks_only_strategies(told: &str) -> bool {
    let mut problems = told.lines().filter(|line| !line.starts_with("    "));
    problems.all(|line| line.ends_with("strategy fits:"))
}

fn score(lab: &TestLab, case: &Path) -> Score {
    let built = match pipeline(lab, &case.join("job.yaml"), &case.join("device.yaml")) {
        Ok(built) => built,
        Err(told) => {
            let kind = if lacks_only_strategies(&told) { Score::Parsed } else { Score::Wrong };
            return kind(told);
        }
    };
    let expected = std::fs::read_to_string(case.join("pipeline.yaml")).unwrap();
    let expected = value(&expected, "pipeline.yaml").unwrap();
    match difference(&built, &expected) {
        None => Score::Equal,
        Some(at) if names_of(&built) == names_of(&expected) => Score::Names(at),
        Some(at) => Score::Different(at),
    }
}

/// Where two trees first differ.
fn difference(built: &Json, expected: &Json) -> Option<String> {
    let shown = |step: &Json| {
        let mut step = step.clone();
        if let Some(fields) = step.as_object_mut() {
            fields.remove("pipeline");
        }
        step.to_string()
    };
    let steps = |tree: &Json| tree.as_array().cloned().unwrap_or_default();
    let (ours, theirs) = (steps(built), steps(expected));
    for i in 0..ours.len().max(theirs.len()) {
        let (Some(our), Some(their)) = (ours.get(i), theirs.get(i)) else {
            let (our, their) = (ours.get(i).map(shown), theirs.get(i).map(shown));
            return Some(format!("ours {our:?}, LAVA's {their:?}"));
        };
        if shown(our) != shown(their) {
            return Some(format!("ours {}, LAVA's {}", shown(our), shown(their)));
        }
        if let Some(inner) = difference(&our["pipeline"], &their["pipeline"]) {
            return Some(inner);
        }
    }
    None
}

fn names_of(steps: &Json) -> Vec<String> {
    let steps = steps.as_array().map(Vec::as_slice).unwrap_or_default();
    let one = |step: &Json| {
        [vec![step["name"].as_str().unwrap().to_owned()], names_of(&step["pipeline"])].concat()
    };
    steps.iter().flat_map(one).collect()
}
