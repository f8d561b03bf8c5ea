//! Who is let in: `[[user]]`, and the folder that has a file of keys for each user.

use std::path::{Path, PathBuf};

use super::super::access::rights;
use super::super::{
    At, FromNode as _, Place, Problem, Problems, Table, Value, credential, read_text,
};
use super::PublicKey;
use crate::model::{Behalf, Name, Rights};

/// Somebody who may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshUser {
    pub name: Name,
    pub keys: Vec<PublicKey>,
    /// By the names of boards.
    pub rights: Rights,
}

/// `[keys]`
pub(super) struct Folder {
    dir: PathBuf,
    /// Of those for whom there is no `[[user]]`.
    rights: Rights,
}

/// Reads a `[[user]]`.
pub(super) fn of_table(table: &Table<'_>) -> Option<SshUser> {
    let name: Option<Name> = table.required("name");
    let mut keys = Vec::new();
    if let Some(node) = table.node("keys") {
        let at = table.at().key("keys");
        let one = [node.clone()];
        let (nodes, listed) = match &node.value {
            Value::List(nodes) => (nodes.as_slice(), true),
            _ => (one.as_slice(), false),
        };
        for (index, node) in nodes.iter().enumerate() {
            let at: At<'_> = if listed { at.index(index) } else { at.clone() };
            let Some(text) = String::from_node(node, &at) else { continue };
            match PublicKey::of_line(&text) {
                Ok(key) => keys.extend(key),
                Err(error) => at.problem(node.place, error.to_string()),
            }
        }
    }
    if let Some(file) = credential::file(table, "keys_file") {
        match keys_of(&file) {
            Ok(found) => keys.extend(found),
            Err(wrong) => {
                for (line, what) in wrong {
                    table.problem("keys_file", format!("{}:{line}: {what}", file.display()));
                }
            }
        }
    }
    let rights = rights(table);
    let user = SshUser { name: name?, keys, rights };
    let told = serde_json::to_string(&Behalf {
        user: user.name.clone(),
        from: None,
        rights: user.rights.clone(),
    });
    // An address is told with it.
    if told.is_ok_and(|told| told.len() + 200 > Behalf::MAX_LENGTH) {
        let what = "so many patterns cannot be told to the daemons; use fewer, more general ones";
        table.at().problem(table.place(), what);
    }
    Some(user)
}

impl Folder {
    pub(super) fn of_table(table: &Table<'_>) -> Option<Self> {
        let dir = credential::file(table, "dir");
        if table.node("dir").is_none() {
            table.required::<PathBuf>("dir");
        }
        if let Some(Err(error)) = dir.as_ref().map(std::fs::read_dir) {
            let what = format!("this folder of keys cannot be read: {error}");
            table.problem("dir", what);
        }
        let rights = rights(table);
        Some(Self { dir: dir?, rights })
    }

    /// Adds the keys of each file to the user of its name; `alice` and `alice.pub` are alice's. Files
    /// that begin with a dot are nobody's.
    pub(super) fn add_to(self, users: &mut Vec<SshUser>, problems: &Problems) {
        let wrong_at = |path: &Path, line: u32, message: String| {
            let (file, place) = (path.display().to_string(), Place { line, column: 1 });
            problems.add(Problem { file, place, path: String::new(), message });
        };
        let wrong = |path: &Path, message: String| wrong_at(path, 1, message);
        let files = std::fs::read_dir(&self.dir).and_then(|entries| {
            entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>, _>>()
        });
        // One that cannot be read was told of where it is named.
        let mut files = files.unwrap_or_default();
        files.sort();
        for path in files {
            let named = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if named.starts_with('.') {
                continue;
            }
            let name = named.strip_suffix(".pub").unwrap_or(named).parse();
            let name: Name = match name {
                Ok(name) => name,
                Err(error) => {
                    wrong(&path, format!("the file is called as no user can be: {error}"));
                    continue;
                }
            };
            match keys_of(&path) {
                Ok(keys) => {
                    let user = SshUser { name, keys, rights: self.rights.clone() };
                    self.add(users, user, |what| wrong(&path, what));
                }
                Err(all) => all.into_iter().for_each(|(line, what)| wrong_at(&path, line, what)),
            }
        }
    }

    fn add(&self, users: &mut Vec<SshUser>, user: SshUser, wrong: impl Fn(String)) {
        let Some(at) = users.iter().position(|known| known.name == user.name) else {
            return add(users, user, |_, what| wrong(what));
        };
        for key in user.keys {
            match owner(users, &key) {
                Some(other) if other != user.name => wrong(taken(&other)),
                Some(_) => {}
                None => users[at].keys.push(key),
            }
        }
    }
}

/// Adds a user whose name and keys are nobody else's; else says to `wrong` at which key they are not.
pub(super) fn add(users: &mut Vec<SshUser>, user: SshUser, wrong: impl Fn(&str, String)) {
    if users.iter().any(|known| known.name == user.name) {
        return wrong("name", format!("there is a user {} already", user.name));
    }
    for key in &user.keys {
        if let Some(other) = owner(users, key) {
            wrong("keys", taken(&other));
        }
    }
    users.push(user);
}

fn owner(users: &[SshUser], key: &PublicKey) -> Option<Name> {
    let has = |user: &&SshUser| user.keys.iter().any(|known| known.blob == key.blob);
    users.iter().find(has).map(|user| user.name.clone())
}

fn taken(other: &Name) -> String {
    format!("a key lets in one user, and this is one of {other}")
}

/// The keys of a file, or everything that is wrong with it, each with its line.
fn keys_of(path: &Path) -> Result<Vec<PublicKey>, Vec<(u32, String)>> {
    let text = read_text(path).map_err(|why| vec![(1, why)])?;
    let (mut keys, mut wrong) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        match PublicKey::of_line(line) {
            Ok(key) => keys.extend(key),
            Err(error) => wrong.push((number, error.to_string())),
        }
    }
    if wrong.is_empty() { Ok(keys) } else { Err(wrong) }
}
