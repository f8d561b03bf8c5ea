//! Source files as the rules look at them: code without comments, strings and test modules.

use std::path::Path;

/// One file.
pub(super) struct Source {
    /// From the package's folder, as `src/wire/frame.rs`.
    pub(super) path: String,
    /// All of its lines.
    pub(super) lines: usize,
    /// The code, with blanks in place of comments, the insides of strings, and unit tests.
    pub(super) code: String,
    /// The same with its comments and strings.
    pub(super) text: String,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let mut code = blank_comments_and_strings(text);
        if path.starts_with("src/") && path.ends_with("/tests.rs") {
            code.clear();
        } else if let Some(tests) = code.find("#[cfg(test)]\nmod tests {") {
            code.truncate(tests);
        }
        // Without unit tests, as the code is.
        let kept = code.lines().count();
        let lines = text.lines().count();
        let text = text.lines().take(kept).map(|line| format!("{line}\n")).collect();
        Self { path: path.into(), lines, code, text }
    }

    /// The module in `src/lib.rs` that it belongs to; `None` for programs and `lib.rs` itself.
    pub(super) fn module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let module = inside.split('/').next()?.trim_end_matches(".rs");
        (!matches!(module, "lib" | "bin")).then_some(module)
    }

    /// Whether it is in one of these folders of `src` (or is that file).
    pub(super) fn is_in(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| {
            let rest = self.path.strip_prefix("src/").and_then(|path| path.strip_prefix(folder));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest == ".rs")
        })
    }

    /// Where each whole word of the code begins that equals `word`.
    pub(super) fn words<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        let part = |c: char| c.is_alphanumeric() || c == '_';
        self.code.match_indices(word).map(|(at, _)| at).filter(move |at| {
            !self.code[..*at].ends_with(part) && !self.code[at + word.len()..].starts_with(part)
        })
    }

    /// `path:line` of a position in the code.
    pub(super) fn place(&self, at: usize) -> String {
        format!("{}:{}", self.path, self.code[..at].matches('\n').count() + 1)
    }

    /// The first names of what is imported from the package's own root, each with its position:
    /// `wire` and `model` of `use crate::{wire::frame, model::Name}`.
    pub(super) fn own_modules(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for root in self.words("crate").chain(self.words("lavamux")) {
            let after = &self.code[root..];
            let Some(path) = after.find("::").filter(|at| after[..*at].trim_end().len() <= 7)
            else {
                continue;
            };
            let path = after[path + 2..].trim_start();
            if let Some(group) = path.strip_prefix('{') {
                found.extend(top_names(group).into_iter().map(|name| (root, name)));
            } else {
                found.push((root, first_name(path)));
            }
        }
        found.retain(|(_, name)| !name.is_empty());
        found
    }
}

/// Every Rust file below a folder of the package, in order.
pub(super) fn all(folder: &str) -> Vec<Source> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![package.join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(package).unwrap().to_str().unwrap();
                found.push(Source::new(path, &text));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty());
    found
}

/// The modules in the order of the list in the documentation of `src/lib.rs`.
pub(super) fn module_order() -> Vec<String> {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let text = std::fs::read_to_string(lib).unwrap();
    let entries = text.lines().filter_map(|line| line.strip_prefix("//! - [`"));
    entries.filter_map(|entry| Some(entry.split_once('`')?.0.to_owned())).collect()
}

fn first_name(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first name of each element of an import group, given what comes after its brace.
fn top_names(group: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut depth, mut begin) = (0, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begin = true,
            c if begin && !c.is_whitespace() => {
                names.push(first_name(&group[at..]));
                begin = false;
            }
            _ => {}
        }
    }
    names
}

/// Blanks out what is not code; line breaks stay, so that places do.
fn blank_comments_and_strings(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if c == '"' {
            string(rest)
        } else if let Some(length) = raw_string(rest).filter(|_| !code.ends_with(is_name)) {
            length
        } else if c == '\'' {
            character(rest)
        } else {
            0
        };
        let (skipped, after) = rest.split_at(skip);
        code.extend(skipped.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = after;
        if skip == 0 {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    code
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let hashes = text.strip_prefix('r')?;
    let body = hashes.trim_start_matches('#');
    let fence = &hashes[..hashes.len() - body.len()];
    let body = body.strip_prefix('"')?;
    let end = format!("\"{fence}");
    let head = text.len() - body.len();
    Some(body.find(&end).map_or(text.len(), |at| head + at + end.len()))
}

/// The length of a character literal; 0 when the quote begins a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => text[2..]
            .char_indices()
            .skip(1)
            .find(|(_, c)| *c == '\'')
            .map_or(0, |(at, _)| 2 + at + 1),
        Some(_) => chars.next().filter(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1),
        None => 0,
    }
}
