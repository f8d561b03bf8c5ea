//! The words of a `conserver.cf`: blocks of keywords and values.
//!
//! `{`, `}` and `;` end words. Blanks do so only where a block's type or a keyword is looked for: in
//! names and values they are characters like others, but for those around. `\` quotes a character,
//! `"…"` all but `\"`. `#` begins a comment; `#include FILE` in the first column reads a file.

use super::super::{DEPTH, INCLUDED, ImportError, Include};
use crate::import::found::Origin;

/// One piece of the file, with where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) origin: Origin,
    pub(super) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// `type name {`
    Begin { kind: String, name: String },
    /// `keyword value;`
    Item { key: String, value: String },
    /// `}`
    End,
    /// `}` in the middle of something: the block is void.
    Void,
    /// Something that is out of place; it was passed over.
    Wrong { text: String, why: String },
}

/// Splits a file, and those that it includes, into statements.
///
/// # Errors
/// When it ends inside of a block or of a quoted text.
pub(super) fn statements(
    file: &str,
    text: &str,
    include: &mut Include<'_>,
) -> Result<Vec<Statement>, ImportError> {
    let mut parser = Parser {
        file: file.to_owned(),
        line: 1,
        want: Want::Kind,
        before: (0, String::new()),
        word: Word::default(),
        open: None,
        found: Vec::new(),
        included: 0,
    };
    parser.file(file, text, include, 0)?;
    match parser.open {
        Some(origin) => Err(ImportError::new(&origin.file, origin.line, "the block has no end")),
        None => Ok(parser.found),
    }
}

/// What the next word is to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    Kind,
    Name,
    Key,
    Value,
}

struct Parser {
    file: String,
    line: u32,
    want: Want,
    /// A block's type or a keyword, and the line that it is on, until its name or value is known.
    before: (u32, String),
    word: Word,
    /// Where the block that is open began.
    open: Option<Origin>,
    found: Vec<Statement>,
    included: usize,
}

#[derive(Default)]
struct Word {
    text: String,
    line: u32,
    /// Something was there, if only an empty quoted text.
    some: bool,
    /// Blanks behind this many bytes are not part of it.
    kept: usize,
}

impl Parser {
    fn file(
        &mut self,
        file: &str,
        text: &str,
        include: &mut Include<'_>,
        depth: usize,
    ) -> Result<(), ImportError> {
        let mut rest = text;
        let mut first_column = true;
        while let Some(c) = rest.chars().next() {
            let mut length = c.len_utf8();
            match c {
                '#' => {
                    length = rest.find('\n').map_or(rest.len(), |end| end + 1);
                    let comment = rest[..length].trim_end_matches('\n');
                    if let Some(path) = comment.strip_prefix("#include").filter(|_| first_column)
                        && path.starts_with(char::is_whitespace)
                    {
                        self.include(path.trim(), include, depth)?;
                        file.clone_into(&mut self.file);
                    }
                }
                '"' => length = self.quoted(rest)?,
                '\\' => {
                    let quoted = rest[1..].chars().next();
                    length += quoted.map_or(0, char::len_utf8);
                    self.keep(quoted);
                }
                '{' | '}' | ';' => self.token(c),
                c if c.is_ascii_whitespace() || c == '\x0b' => self.blank(c),
                c => self.keep(Some(c)),
            }
            self.line += rest[..length].matches('\n').count() as u32;
            first_column = rest[..length].ends_with('\n');
            rest = &rest[length..];
        }
        Ok(())
    }

    fn include(
        &mut self,
        path: &str,
        include: &mut Include<'_>,
        depth: usize,
    ) -> Result<(), ImportError> {
        let line = self.line;
        self.included += 1;
        let read = match () {
            () if depth >= DEPTH => Err(format!("files include each other more than {DEPTH} deep")),
            () if self.included > INCLUDED => {
                Err(format!("more than {INCLUDED} files are included"))
            }
            () => include(path),
        };
        match read {
            Ok(files) => {
                for (file, text) in files {
                    self.line = 1;
                    file.clone_into(&mut self.file);
                    self.file(&file, &text, include, depth + 1)?;
                }
            }
            Err(why) => self.wrong(&format!("#include {path}"), &why),
        }
        self.line = line;
        Ok(())
    }

    /// Takes a text in double quotes, and gives its length with them.
    fn quoted(&mut self, rest: &str) -> Result<usize, ImportError> {
        self.keep(None);
        let mut chars = rest.char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => return Ok(at + 1),
                '\\' if chars.next_if(|(_, next)| *next == '"').is_some() => self.keep(Some('"')),
                c => self.keep(Some(c)),
            }
        }
        Err(ImportError::new(&self.file, self.line, "the quote that opens here has no end"))
    }

    /// A character that is part of a word, whatever it is.
    fn keep(&mut self, c: Option<char>) {
        self.begin();
        self.word.text.extend(c);
        self.word.kept = self.word.text.len();
    }

    fn begin(&mut self) {
        if !self.word.some {
            self.word.some = true;
            self.word.line = self.line;
        }
    }

    fn blank(&mut self, c: char) {
        if !self.word.some {
            return;
        }
        match self.want {
            Want::Kind | Want::Key => {
                self.before = (self.word.line, std::mem::take(&mut self.word).text);
                self.want = if self.want == Want::Kind { Want::Name } else { Want::Value };
            }
            Want::Name | Want::Value => self.word.text.push(c),
        }
    }

    fn token(&mut self, token: char) {
        let mut word = std::mem::take(&mut self.word);
        word.text.truncate(word.kept);
        let (line, before) = std::mem::take(&mut self.before);
        let want = std::mem::replace(
            &mut self.want,
            if self.open.is_some() { Want::Key } else { Want::Kind },
        );
        let line = if line > 0 { line } else { word.line };
        match (token, want) {
            ('{', Want::Name) if word.some => {
                self.want = Want::Key;
                self.open = Some(Origin::new(&self.file, line));
                self.push(line, What::Begin { kind: before, name: word.text });
            }
            (';', Want::Value) if word.some => {
                self.push(line, What::Item { key: before, value: word.text });
            }
            ('}', Want::Key) if !word.some => {
                self.want = Want::Kind;
                self.open = None;
                self.push(self.line, What::End);
            }
            // An empty statement.
            (';', Want::Key | Want::Kind) if !word.some => {}
            _ => {
                let text = format!("{before} {}", word.text);
                self.wrong(text.trim(), &format!("{token:?} is not expected there"));
                if token == '}' && self.open.take().is_some() {
                    self.want = Want::Kind;
                    self.push(self.line, What::Void);
                }
            }
        }
    }

    fn wrong(&mut self, text: &str, why: &str) {
        self.push(self.line, What::Wrong { text: text.to_owned(), why: why.to_owned() });
    }

    fn push(&mut self, line: u32, what: What) {
        self.found.push(Statement { origin: Origin::new(&self.file, line.max(1)), what });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<What> {
        let none: &mut Include<'_> = &mut |_| Err("there is none".into());
        statements("c.cf", text, none).unwrap().into_iter().map(|found| found.what).collect()
    }

    #[test]
    fn the_manuals_example_is_read_as_the_manual_says() {
        let plain = read("default my defs { rw *; include other defs  ; }");
        let quoted = read("\"defa\"ult my\\ defs { rw *; # x {\n in\\clude \"other defs\"\t; }");
        assert_eq!(plain, quoted);
        assert_eq!(plain[0], What::Begin { kind: "default".into(), name: "my defs".into() });
        assert_eq!(plain[2], What::Item { key: "include".into(), value: "other defs".into() });
        assert_eq!(plain[3], What::End);
    }

    #[test]
    fn what_is_quoted_stays() {
        let read = read(r#"break 1 { string "\r\"x{;\\ " ; delay "" ; s \;\ ; }"#);
        let item = |key: &str, value: &str| What::Item { key: key.into(), value: value.into() };
        assert_eq!(read[1], item("string", "\\r\"x{;\\\\ "));
        assert_eq!(read[2], item("delay", ""));
        assert_eq!(read[3], item("s", "; "));
    }

    #[test]
    fn included_files_are_read_in_place_and_have_their_own_lines() {
        let files: &mut Include<'_> = &mut |path| match path {
            "b c.cf" => Ok(vec![("b c.cf".into(), "\nconsole b { }\n".into())]),
            "loop.cf" => Ok(vec![("loop.cf".into(), "#include loop.cf\n".into())]),
            _ => Err("cannot be read: No such file".into()),
        };
        let text = "#include b c.cf\n #include no\nconsole a { }\n#include loop.cf\n";
        let found = statements("a.cf", text, files).unwrap();
        assert_eq!(found[0].origin, Origin::new("b c.cf", 2));
        assert_eq!(found[2].origin, Origin::new("a.cf", 3));
        assert!(matches!(&found[4].what, What::Wrong { why, .. } if why.contains("deep")));
    }

    #[test]
    fn a_file_that_ends_too_early_is_an_error_with_the_line_where_it_began() {
        let none: &mut Include<'_> = &mut |_| Ok(Vec::new());
        let error = statements("c.cf", "\nconsole a {\n type exec;\n", none).unwrap_err();
        assert_eq!(error.to_string(), "c.cf:2: the block has no end");
        let error = statements("c.cf", "console a {\n exec \"x;\n}\n", none).unwrap_err();
        assert_eq!(error.to_string(), "c.cf:2: the quote that opens here has no end");
    }
}
