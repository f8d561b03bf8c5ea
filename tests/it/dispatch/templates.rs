//! LAVA's own templates of device types, and whether we make dictionaries of all of them.
//!
//! They are not part of the project: `$LAVA_TEMPLATES`, or where Debian's lava-server has them. Whoever names the
//! folder wants them rendered: then it has to be there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lavamux::config::{At, Node, Problems};
use lavamux::dispatch::device::Device;
use lavamux::dispatch::render::render;

const INSTALLED: &str = "/usr/share/lava-server/device-types";

/// The contexts of the corpus' jobs, each once, and none.
fn contexts() -> Vec<(String, Node)> {
    let folder = std::env::var_os("LAVA_CORPUS").map_or("../shared/corpus".into(), PathBuf::from);
    let cases = std::fs::read_dir(folder.join("lava")).into_iter().flatten();
    let cases = cases.map(|entry| entry.unwrap().path().join("job.yaml"));
    let jobs = std::fs::read_dir(folder.join("jobs")).into_iter().flatten();
    let mut files: Vec<PathBuf> = cases.chain(jobs.map(|entry| entry.unwrap().path())).collect();
    files.sort();
    let problems = Problems::default();
    let none = lavamux::yaml::parse("{}", &At::top("none", &problems)).unwrap();
    let mut seen = BTreeSet::new();
    let jobs = files.iter().filter_map(|file| {
        let job = lavamux::yaml::read_file(file, &problems)?;
        let context = format!("{:?}", job.get("context").map(super::corpus::json_of));
        seen.insert(context).then(|| (file.display().to_string(), job))
    });
    std::iter::once(("no context".to_owned(), none)).chain(jobs).collect()
}

/// What is wrong with a template, or with what comes of it.
fn problems_of(template: &Path, folder: &Path, job: &Node) -> Vec<String> {
    let text = match render(template, &[folder.to_owned()], Some(job)) {
        Ok(text) => text,
        Err(problem) => return vec![problem.to_string()],
    };
    let problems = Problems::default();
    let name = format!("{} (rendered)", template.file_name().unwrap().to_string_lossy());
    let at = At::top(&name, &problems);
    let device = lavamux::yaml::parse(&text, &at).and_then(|node| Device::read(&node, &at));
    let told = problems.check(device).err().map(|failure| failure.message);
    told.iter().flat_map(|told| told.lines()).map(ToOwned::to_owned).collect()
}

#[test]
fn lavas_own_device_types_are_understood() {
    let named = std::env::var_os("LAVA_TEMPLATES");
    let folder = named.clone().map_or(INSTALLED.into(), PathBuf::from);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        assert!(named.is_none(), "$LAVA_TEMPLATES: there is no folder {}", folder.display());
        eprintln!("no templates in {}: nothing to render", folder.display());
        return;
    };
    let mut templates: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    templates.retain(|path| path.extension().is_some_and(|extension| extension == "jinja2"));
    templates.sort();
    assert!(!templates.is_empty(), "there are no templates in {}", folder.display());
    let contexts = contexts();
    let mut wrong = BTreeSet::new();
    let (none, others) = contexts.split_first().unwrap();
    for (i, template) in templates.iter().enumerate() {
        // The contexts take turns: all with all would take minutes.
        let another = others.get(i % others.len().max(1));
        for (job, context) in std::iter::once(none).chain(another) {
            let told = problems_of(template, &folder, context);
            if !told.is_empty() && wrong.insert(template.clone()) {
                eprintln!("with {job}:\n{}", told.join("\n"));
            }
        }
    }
    let (all, good) = (templates.len(), templates.len() - wrong.len());
    eprintln!("templates: {good} of {all} understood, with {} contexts in turn", others.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}
