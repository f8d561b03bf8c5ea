//! Which folders of a repository a test definition needs on the board.
//!
//! Collections of test definitions are large, and a board unpacks its ramdisk into memory. A small
//! repository goes there whole. Of a large one the definition's own folder does, and every path that
//! its steps, its parameters and its files name. Where something names a path that cannot be known here, the
//! whole repository goes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Component, Path, PathBuf};

use super::{DefinitionFile, OWN_FOLDERS};

/// A repository up to this size, in bytes, is not worth the thought.
const SMALL: u64 = 4 * 1024 * 1024;
/// Larger files are data, and name no paths.
const MAX_TEXT: u64 = 256 * 1024;
/// What tells that a script looks for the repository's root itself.
const ROOT_SEEKERS: [&str; 2] = ["show-toplevel", "../$"];
/// What of git looks at the history, or for the root, of the repository that a script is in.
const OF_HISTORY: [&str; 17] = [
    "archive",
    "blame",
    "branch",
    "cat-file",
    "describe",
    "diff",
    "log",
    "ls-files",
    "ls-tree",
    "name-rev",
    "remote",
    "rev-list",
    "rev-parse",
    "shortlog",
    "show",
    "status",
    "tag",
];
/// Folders that these lead to are no repository's.
const ELSEWHERE: [&str; 4] = ["HOME", "OLDPWD", "PWD", "TMPDIR"];

/// The folders that are needed, relative to the repository; `""` alone is the whole of it.
/// `parameters` are the job's.
pub fn needed(
    repository: &Path,
    definition: &str,
    file: &DefinitionFile,
    parameters: &BTreeMap<String, String>,
) -> Vec<String> {
    let whole = vec![String::new()];
    let own = Path::new(definition.trim_start_matches('/')).parent();
    let Some(own) = own.and_then(|own| normal(Path::new(""), own)) else { return whole };
    if own.as_os_str().is_empty() || size(repository) <= SMALL || !is_there(repository, &own) {
        return whole;
    }
    let folders = closure(repository, &own, file, parameters);
    folders.map_or(whole, |folders| {
        let inside_another = |folder: &Path| {
            folders.iter().any(|other| other != folder && folder.starts_with(other))
        };
        let kept = folders.iter().filter(|folder| !inside_another(folder));
        kept.map(|folder| folder.to_string_lossy().into_owned()).collect()
    })
}

/// Whether a definition asks git for something of its repository.
pub fn asks_for_history(repository: &Path, definition: &str, file: &DefinitionFile) -> bool {
    let asks_one = |command: &str| {
        let mut words = command.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        words.any(|word| word == "git") && words.any(|word| OF_HISTORY.contains(&word))
    };
    let asks = |text: &str| text.split(['\n', ';', '|', '&']).any(asks_one);
    let own = Path::new(definition.trim_start_matches('/')).parent();
    let Some(own) = own.and_then(|own| normal(Path::new(""), own)) else { return false };
    let steps = file.install_steps.iter().chain(&file.run_steps);
    steps.into_iter().any(|step| asks(step))
        || is_there(repository, &own)
            && files(&repository.join(own))
                .iter()
                .any(|file| std::fs::read_to_string(file).is_ok_and(|text| asks(&text)))
}

/// The definition's folder and all that are named from it; `None` when that cannot be known.
fn closure(
    repository: &Path,
    own: &Path,
    file: &DefinitionFile,
    parameters: &BTreeMap<String, String>,
) -> Option<BTreeSet<PathBuf>> {
    let mut folders = BTreeSet::new();
    let mut todo = VecDeque::from([own.to_owned()]);
    let steps = || file.install_steps.iter().chain(&file.run_steps);
    let is_known = |variable: &str| {
        file.parameters.contains_key(variable)
            || parameters.contains_key(variable)
            || ELSEWHERE.contains(&variable)
    };
    for step in steps() {
        if entered(step).into_iter().any(|variable| !is_known(variable)) {
            return None;
        }
        todo.extend(of_root(step, repository)?);
        todo.extend(named(step, Path::new(""), own, repository)?);
    }
    for value in file.parameters.values().chain(parameters.values()) {
        todo.extend(named(value, Path::new(""), own, repository)?);
        // A folder's name alone is a path here.
        let alone = Path::new(value.trim());
        let paths = [Path::new(""), own].into_iter().filter_map(|base| normal(base, alone));
        let there = paths.filter(|path| !path.as_os_str().is_empty() && is_there(repository, path));
        todo.extend(there.filter(|path| repository.join(path).is_dir()));
    }
    while let Some(folder) = todo.pop_front() {
        if folder.as_os_str().is_empty() {
            return None;
        }
        if !folders.insert(folder.clone()) {
            continue;
        }
        for (at, target) in links(&repository.join(&folder)) {
            let at = at.strip_prefix(repository).ok()?.to_owned();
            // One that leads out of the repository leads nowhere on the board, with all of it, too.
            if let Some(target) = normal(&at, &target).filter(|t| repository.join(t).exists()) {
                todo.push_back(self::folder(repository, &target));
            }
        }
        for text_file in files(&repository.join(&folder)) {
            let Ok(text) = std::fs::read_to_string(&text_file) else { continue };
            let at = text_file.parent()?.strip_prefix(repository).ok()?.to_owned();
            todo.extend(named(&text, &at, own, repository)?);
        }
    }
    Some(folders)
}

/// The variables whose folders a line goes to, or runs something of: `cd $NAME`, `"${NAME}/run.sh"`.
fn entered(line: &str) -> Vec<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (at, _) in line.match_indices('$') {
        let rest = line[at + 1..].strip_prefix('{').unwrap_or(&line[at + 1..]);
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let before = line[..at].trim_end_matches('"').trim_end_matches(' ');
        let goes = ["cd", "pushd", ".", "source"].iter().any(|verb| {
            before
                .strip_suffix(verb)
                .is_some_and(|rest| !rest.ends_with(|c| is_name(c) || c == '.'))
        });
        let begins = before.is_empty() || before.ends_with([';', '&', '|']);
        let runs = begins && after.trim_start_matches(['}', '"']).starts_with('/');
        if (goes || runs) && name.starts_with(|c: char| !c.is_ascii_digit()) {
            found.push(name);
        }
    }
    found
}

/// The folders of the repository's root that a step names, which is run there; `None` when it names a file there, which only
/// the whole repository has.
fn of_root(step: &str, repository: &Path) -> Option<Vec<PathBuf>> {
    let mut found = Vec::new();
    for word in step.split(|c| !is_path(c)) {
        let Some(path) = normal(Path::new(""), Path::new(word)) else { continue };
        if path.components().count() != 1 || word.starts_with('/') || !is_there(repository, &path) {
            continue;
        }
        match repository.join(&path).is_dir() {
            true => found.push(path),
            false => return None,
        }
    }
    Some(found)
}

/// What paths are made of.
fn is_path(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-/+".contains(c)
}

/// The folders that a text names, if it stands in the folder `at` or the definition's `own`; `None`
/// when it cannot be known.
fn named(text: &str, at: &Path, own: &Path, repository: &Path) -> Option<Vec<PathBuf>> {
    if ROOT_SEEKERS.iter().any(|seeker| text.contains(seeker)) {
        return None;
    }
    let mut found = Vec::new();
    for word in text.split(|c| !is_path(c)).filter(|word| word.contains('/') || *word == "..") {
        // A path that begins with a variable is taken as one from the file's own folder.
        let word = Path::new(word.trim_start_matches('/'));
        let bases = [at, own, Path::new("")].into_iter();
        let paths: Vec<PathBuf> = bases.filter_map(|base| normal(base, word)).collect();
        let existing = paths.iter().filter(|path| is_there(repository, path));
        let folders: Vec<PathBuf> = existing.map(|path| folder(repository, path)).collect();
        let climbs = word.components().any(|component| component == Component::ParentDir);
        if climbs && (folders.is_empty() || folders.iter().any(|f| f.as_os_str().is_empty())) {
            return None;
        }
        found.extend(folders.into_iter().filter(|folder| !folder.as_os_str().is_empty()));
    }
    Some(found)
}

/// Whether a repository has this path itself: not through a link, which may lead to the host's own files.
fn is_there(repository: &Path, path: &Path) -> bool {
    let mut whole = repository.to_owned();
    path.components().all(|component| {
        whole.push(component);
        std::fs::symlink_metadata(&whole).is_ok_and(|found| !found.is_symlink())
    })
}

/// The path itself, or the folder of the file that it is.
fn folder(repository: &Path, path: &Path) -> PathBuf {
    match repository.join(path).is_dir() {
        true => path.to_owned(),
        false => path.parent().map(Path::to_owned).unwrap_or_default(),
    }
}

/// The path without `.` and `..`; `None` when it leads out of the repository.
fn normal(base: &Path, path: &Path) -> Option<PathBuf> {
    let mut normal = base.to_owned();
    for component in path.components() {
        match component {
            Component::Normal(name) => normal.push(name),
            Component::ParentDir if !normal.pop() => return None,
            _ => {}
        }
    }
    Some(normal)
}

/// The files below a folder that are small enough to be scripts. Links are not followed.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !is_own(&entry) => {
                found.extend(files(&entry.path()));
            }
            Ok(kind) if kind.is_file() => {
                let small = entry.metadata().is_ok_and(|meta| meta.len() <= MAX_TEXT);
                found.extend(small.then(|| entry.path()));
            }
            _ => {}
        }
    }
    found
}

/// The relative links below a folder: the folder of each, and its target.
fn links(folder: &Path) -> Vec<(PathBuf, PathBuf)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !is_own(&entry) => found.extend(links(&entry.path())),
            Ok(kind) if kind.is_symlink() => {
                let target = std::fs::read_link(entry.path()).ok();
                let target = target.filter(|target| target.is_relative());
                found.extend(target.map(|target| (folder.to_owned(), target)));
            }
            _ => {}
        }
    }
    found
}

/// The size of all files below a folder, in bytes, without the repository's own.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() && !is_own(&entry) => size(&entry.path()),
        Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |meta| meta.len()),
        _ => 0,
    });
    sizes.sum()
}

/// Whether a repository keeps its history there.
fn is_own(entry: &std::fs::DirEntry) -> bool {
    OWN_FOLDERS.iter().any(|own| entry.file_name() == *own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(files: &[(&str, &str)], ballast: usize) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let ballast = "x".repeat(ballast);
        for (path, text) in files.iter().chain(&[("other/ballast", ballast.as_str())]) {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    fn steps(steps: &[&str]) -> DefinitionFile {
        let run_steps = steps.iter().map(|step| (*step).to_owned()).collect();
        DefinitionFile { run_steps, ..DefinitionFile::default() }
    }

    const LARGE: usize = SMALL as usize + 1;

    /// What is needed without parameters of the job's.
    fn needed(repository: &Path, definition: &str, file: &DefinitionFile) -> Vec<String> {
        super::needed(repository, definition, file, &BTreeMap::new())
    }

    #[test]
    fn what_parameters_name_is_needed_and_for_an_unknown_variable_all_is() {
        let files = [("a/t.yaml", ""), ("b/x/run.sh", ""), ("suite/run.sh", ""), ("c/y", "")];
        let repository = repository(&files, LARGE);
        let table = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let file = DefinitionFile {
            parameters: table("TEST_DIR", "b/x"),
            ..steps(&["cd $TEST_DIR", "cd \"${HOME}\"", "cd \"$SUITE\" && ./run.sh"])
        };
        let of =
            |name, value| super::needed(repository.path(), "a/t.yaml", &file, &table(name, value));
        assert_eq!(of("SUITE", "suite"), ["a", "b/x", "suite"]);
        assert_eq!(of("OTHER", "suite"), [""]);
        for step in
            ["D=c; cd $D", "cd $DIR", ". ${LIB}/x.sh", "x; \"$TOP/run.sh\"", "make && cd \"$DIR\""]
        {
            assert_eq!(needed(repository.path(), "a/t.yaml", &steps(&[step])), [""], "{step}");
        }
        for step in ["abcd $DIR", "echo $DIR/x", "./t.sh -o $OUT", "cd $1"] {
            assert_eq!(needed(repository.path(), "a/t.yaml", &steps(&[step])), ["a"], "{step}");
        }
    }

    #[test]
    fn what_asks_git_for_something_of_its_repository_gets_its_history() {
        let repository = repository(&[("a/t.yaml", "")], 10);
        let asks = |step: &str| asks_for_history(repository.path(), "a/t.yaml", &steps(&[step]));
        for step in [
            "v=$(git describe --tags)",
            "git  log -1",
            "cd `git rev-parse --show-toplevel`",
            "cd \"$(git -C \"$(dirname \"$0\")\" rev-parse --show-toplevel)\"",
            "git -c safe.directory=* --no-pager log",
        ] {
            assert!(asks(step), "{step}");
        }
        for step in ["git clone https://x/y; ./show", "apt-get install git tar", "digit log"] {
            assert!(!asks(step), "{step}");
        }
    }

    #[test]
    fn of_a_large_repository_only_what_is_named_goes_to_the_board() {
        let files = [
            ("linux/smoke/smoke.yaml", ""),
            ("linux/smoke/smoke.sh", ". ../../lib/sh-test-lib\n"),
            ("lib/sh-test-lib", ". ${D}/../data/tables/x\n"),
            ("data/tables/x", ""),
            ("utils/send.sh", ""),
        ];
        let repository = repository(&files, LARGE);
        let file = steps(&["cd ./linux/smoke/", "./smoke.sh", "../../utils/send.sh out"]);
        let needed = needed(repository.path(), "linux/smoke/smoke.yaml", &file);
        assert_eq!(needed, ["data/tables", "lib", "linux/smoke", "utils"]);
    }

    #[test]
    fn steps_are_run_in_the_root_and_may_name_what_is_there() {
        let files = [("defs/x.yaml", ""), ("run-all.sh", ""), ("VERSION", ""), ("suite/t.sh", "")];
        let repository = repository(&files, LARGE);
        let needed = |step: &str| needed(repository.path(), "defs/x.yaml", &steps(&[step]));
        for step in ["./run-all.sh", "sh run-all.sh -v", "v=$(cat VERSION)"] {
            assert_eq!(needed(step), [""], "{step}");
        }
        assert_eq!(needed("cd suite && ./t.sh"), ["defs", "suite"]);
        assert_eq!(needed("cat /VERSION; cd /tmp"), ["defs"]);
    }

    #[test]
    fn a_link_of_the_repository_brings_nothing_of_this_host_to_the_board() {
        let host = tempfile::tempdir().unwrap();
        std::fs::create_dir(host.path().join(".ssh")).unwrap();
        std::fs::write(host.path().join(".ssh/id_rsa"), "secret").unwrap();
        let files = [("a/t.yaml", ""), ("a/t.sh", "cat h/.ssh/id_rsa k/id_rsa f/x\n"), ("f/x", "")];
        let repository = repository(&files, LARGE);
        for (target, link) in [(host.path().to_owned(), "h"), (host.path().join(".ssh"), "k")] {
            std::os::unix::fs::symlink(target, repository.path().join(link)).unwrap();
        }
        assert_eq!(needed(repository.path(), "a/t.yaml", &steps(&[])), ["a", "f"]);
        // A definition whose own folder is a link: all of the repository goes, and the link as a link.
        assert_eq!(needed(repository.path(), "k/t.yaml", &steps(&[])), [""]);
    }

    #[test]
    fn what_a_link_leads_to_goes_with_it() {
        let files = [("a/t.yaml", ""), ("common/lib.sh", ""), ("common/more/x", "")];
        let large = repository(&files, LARGE);
        let link = |target: &str, name: &str| {
            std::os::unix::fs::symlink(target, large.path().join(name)).unwrap();
        };
        link("../common/more", "a/more");
        assert_eq!(needed(large.path(), "a/t.yaml", &steps(&[])), ["a", "common/more"]);
        link("../common/lib.sh", "a/lib.sh");
        link("../../elsewhere", "a/nowhere");
        assert_eq!(needed(large.path(), "a/t.yaml", &steps(&[])), ["a", "common"]);
    }

    #[test]
    fn what_cannot_be_known_or_is_small_goes_whole() {
        let files = [("a/t.yaml", ""), ("a/t.sh", "cd $(git rev-parse --show-toplevel)")];
        let large = repository(&files, LARGE);
        assert_eq!(needed(large.path(), "a/t.yaml", &steps(&[])), [""]);
        let small = repository(&[("a/t.yaml", "")], 10);
        assert_eq!(needed(small.path(), "a/t.yaml", &steps(&[])), [""]);
        let large = repository(&[("a/t.yaml", ""), ("a/t.sh", "cd ../.. && ls")], LARGE);
        assert_eq!(needed(large.path(), "a/t.yaml", &steps(&[])), [""]);
    }
}
