//! Jinja2 templates as LAVA renders its device dictionaries: `extends` and `include` over a list of
//! folders, `trim_blocks`, Python's methods of texts and dictionaries, LAVA's own filters, and values
//! written as Python writes them. The only user of the Jinja library.

mod filters;
mod python;

use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, ErrorKind};

use crate::config::{Node, Place, Problem, Value, read_text};

/// How many steps a rendering may take; LAVA's largest device types take some thousands.
const MAX_STEPS: u64 = 5_000_000;

/// The largest text that comes of a template, in bytes.
const MAX_TEXT: usize = 4 << 20;

/// Renders the template in `file` with the keys of `context` as variables. Templates that it
/// extends or includes are looked for in `folders`, the first that has one wins.
///
/// # Errors
/// What is wrong, in which file and where.
pub fn render(file: &Path, folders: &[PathBuf], context: Option<&Node>) -> Result<String, Problem> {
    let text = read_text(file).map_err(|message| at(file, Place::default(), message))?;
    let name = file.display().to_string();
    let sources = Sources::new(folders);
    let environment = environment(&sources);
    let variables = context.map_or_else(nothing, value);
    let mut out = Bounded::default();
    let template = environment.template_from_named_str(&name, &text);
    let rendered = template.and_then(|template| template.render_captured_to(variables, &mut out));
    match rendered {
        Ok(_) => String::from_utf8(out.text)
            .map_err(|_| at(file, Place::default(), "what comes of it is no text".into())),
        Err(_) if out.is_full => Err(at(
            file,
            Place::default(),
            format!("more than {} MiB come of it, which is no device dictionary", MAX_TEXT >> 20),
        )),
        Err(error) => Err(sources.problem(file, &text, &error)),
    }
}

fn environment(sources: &Sources) -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).build();
    environment.set_syntax(syntax.unwrap_or_default());
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.set_formatter(python::format);
    environment.set_fuel(Some(MAX_STEPS));
    filters::add(&mut environment);
    let sources = sources.clone();
    environment.set_loader(move |name| sources.load(name));
    environment
}

/// The folders with templates, and what was read from them.
#[derive(Clone)]
struct Sources {
    folders: Vec<PathBuf>,
    /// The template's name, its file and its text.
    read: Arc<Mutex<Vec<(String, PathBuf, String)>>>,
}

impl Sources {
    fn new(folders: &[PathBuf]) -> Self {
        Self { folders: folders.to_vec(), read: Arc::default() }
    }

    fn load(&self, name: &str) -> Result<Option<String>, minijinja::Error> {
        // A template names no file outside the folders.
        if !Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
            return Ok(None);
        }
        let Some(file) = self.folders.iter().map(|dir| dir.join(name)).find(|file| file.is_file())
        else {
            return Ok(None);
        };
        let text = read_text(&file).map_err(|message| {
            let message = format!("{} {message}", file.display());
            minijinja::Error::new(ErrorKind::InvalidOperation, message)
        })?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.push((name.to_owned(), file, text.clone()));
        Ok(Some(text))
    }

    /// The library's error with the file and the place in it. Of an error inside an included
    /// template the innermost is told.
    fn problem(&self, file: &Path, text: &str, error: &minijinja::Error) -> Problem {
        let mut inner = error;
        while let Some(next) = std::error::Error::source(inner)
            .and_then(|source| source.downcast_ref::<minijinja::Error>())
        {
            inner = next;
        }
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let of = read.iter().find(|(name, ..)| inner.name() == Some(name));
        let (file, text) = of.map_or((file, text), |(_, file, text)| (file.as_path(), text));
        let place = match (inner.range(), inner.line()) {
            (Some(range), _) if !range.is_empty() => Place::of(text, range.start),
            (_, Some(line)) => Place { line: line as u32, column: 1 },
            _ => Place::default(),
        };
        at(file, place, self.message(inner))
    }

    fn message(&self, error: &minijinja::Error) -> String {
        let detail = error.detail().unwrap_or_default();
        match error.kind() {
            ErrorKind::TemplateNotFound => {
                let folders: Vec<String> =
                    self.folders.iter().map(|folder| folder.display().to_string()).collect();
                format!(
                    "{detail}: it is in none of {}; its folder is named with --templates DIR, a lab's with \
                     templates of lava-server's [jobs]; or give the board a dictionary of its own",
                    folders.join(", ")
                )
            }
            ErrorKind::OutOfFuel => "it does not come to an end".into(),
            kind if detail.is_empty() => kind.to_string(),
            kind => format!("{kind}: {detail}"),
        }
    }
}

fn at(file: &Path, place: Place, message: String) -> Problem {
    Problem { file: file.display().to_string(), place, path: String::new(), message }
}

fn value(node: &Node) -> minijinja::Value {
    match &node.value {
        Value::Null => minijinja::Value::from(()),
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::Text(value) => value.as_str().into(),
        Value::List(items) => items.iter().map(value).collect(),
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, node)| (key.name.as_str(), value(node)));
            minijinja::Value::from_pairs(entries)
        }
    }
}

/// No variables.
fn nothing() -> minijinja::Value {
    minijinja::Value::from_pairs(std::iter::empty::<(&str, bool)>())
}

/// What has been rendered so far.
#[derive(Default)]
struct Bounded {
    text: Vec<u8>,
    is_full: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() + bytes.len() > MAX_TEXT {
            self.is_full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
