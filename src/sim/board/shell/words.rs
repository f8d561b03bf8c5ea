//! Splits shell text into words and operators. Expands nothing.

/// A word is several of these side by side: `"$HOME"/x` has two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text {
        text: String,
        quoted: bool,
    },
    Variable {
        name: String,
        quoted: bool,
    },
    /// `$(…)` or `` `…` ``.
    Command {
        text: String,
        quoted: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Word(Vec<Piece>),
    /// One of [`OPERATORS`]; a line's end is `;`.
    Operator(&'static str),
}

/// Longest first.
const OPERATORS: [&str; 13] =
    ["2>&1", "2>>", "2>", "&&", "||", ";;", ">>", ">", "<", ";", "|", "&", "\n"];

/// The text ends inside a quote or a `$(`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unterminated {0}")]
pub(super) struct Unterminated(char);

/// Splits a script.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Unterminated> {
    let mut lexer = Lexer { rest: text, word: None, tokens: Vec::new() };
    while let Some(c) = lexer.rest.chars().next() {
        lexer.token(c)?;
    }
    lexer.end_word();
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    rest: &'a str,
    word: Option<Vec<Piece>>,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn token(&mut self, c: char) -> Result<(), Unterminated> {
        // The 2 of "2>" is only one at a word's start: "a2>x" writes to x.
        let operator = OPERATORS.iter().find(|op| {
            self.rest.starts_with(**op) && (!op.starts_with('2') || self.word.is_none())
        });
        if let Some(operator) = operator {
            self.end_word();
            self.rest = &self.rest[operator.len()..];
            self.tokens.push(Token::Operator(if *operator == "\n" { ";" } else { operator }));
            return Ok(());
        }
        match c {
            '#' if self.word.is_none() => {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.rest = &self.rest[end..];
            }
            c if c.is_whitespace() => {
                self.rest = &self.rest[c.len_utf8()..];
                self.end_word();
            }
            '\'' => {
                let quoted = self.until('\'')?.to_owned();
                self.push(Piece::Text { text: quoted, quoted: true });
            }
            '"' => self.double_quoted()?,
            '\\' => self.escaped(false),
            '$' | '`' => self.expansion(false)?,
            c => {
                self.rest = &self.rest[c.len_utf8()..];
                self.character(c, false);
            }
        }
        Ok(())
    }

    fn double_quoted(&mut self) -> Result<(), Unterminated> {
        self.rest = &self.rest[1..];
        self.push(Piece::Text { text: String::new(), quoted: true });
        loop {
            match self.rest.chars().next().ok_or(Unterminated('"'))? {
                '"' => {
                    self.rest = &self.rest[1..];
                    return Ok(());
                }
                '\\' => self.escaped(true),
                '$' | '`' => self.expansion(true)?,
                c => {
                    self.rest = &self.rest[c.len_utf8()..];
                    self.character(c, true);
                }
            }
        }
    }

    /// A backslash: inside double quotes it only escapes what is special there.
    fn escaped(&mut self, quoted: bool) {
        self.rest = &self.rest[1..];
        let Some(c) = self.rest.chars().next() else { return self.character('\\', true) };
        self.rest = &self.rest[c.len_utf8()..];
        if c == '\n' {
            return;
        }
        if quoted && !"$`\"\\".contains(c) {
            self.character('\\', true);
        }
        self.character(c, true);
    }

    fn expansion(&mut self, quoted: bool) -> Result<(), Unterminated> {
        if self.rest.starts_with('`') {
            let text = self.until('`')?.to_owned();
            self.push(Piece::Command { text, quoted });
        } else if self.rest.starts_with("$(") {
            let text = self.parenthesized()?.to_owned();
            self.push(Piece::Command { text, quoted });
        } else if self.rest.starts_with("${") {
            self.rest = &self.rest[1..];
            let name = self.until('}')?.to_owned();
            self.push(Piece::Variable { name, quoted });
        } else {
            let name =
                self.rest[1..].split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
            let name = match name.unwrap_or_default() {
                "" if self.rest[1..].starts_with(['?', '#', '$', '*', '@']) => &self.rest[1..2],
                name => name,
            };
            let name = name.to_owned();
            self.rest = &self.rest[1 + name.len()..];
            match name.as_str() {
                "" => self.character('$', quoted),
                _ => self.push(Piece::Variable { name, quoted }),
            }
        }
        Ok(())
    }

    /// Skips one character and takes all up to the next `end`.
    fn until(&mut self, end: char) -> Result<&str, Unterminated> {
        let (text, rest) = self.rest[1..].split_once(end).ok_or(Unterminated(end))?;
        self.rest = rest;
        Ok(text)
    }

    /// What is inside `$(…)`, with parentheses inside it.
    fn parenthesized(&mut self) -> Result<&str, Unterminated> {
        let mut depth = 0;
        for (at, c) in self.rest.char_indices() {
            match c {
                '(' => depth += 1,
                ')' if depth == 1 => {
                    let text = &self.rest[2..at];
                    self.rest = &self.rest[at + 1..];
                    return Ok(text);
                }
                ')' => depth -= 1,
                _ => {}
            }
        }
        Err(Unterminated(')'))
    }

    fn character(&mut self, c: char, as_quoted: bool) {
        match self.word.get_or_insert_default().last_mut() {
            Some(Piece::Text { text, quoted }) if *quoted == as_quoted => text.push(c),
            _ => self.push(Piece::Text { text: c.into(), quoted: as_quoted }),
        }
    }

    fn push(&mut self, piece: Piece) {
        self.word.get_or_insert_default().push(piece);
    }

    fn end_word(&mut self) {
        self.tokens.extend(self.word.take().map(Token::Word));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens in a form that can be read: words in `[]`, quoted text in `""`.
    fn shown(text: &str) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text { text, quoted: true } => format!("{text:?}"),
            Piece::Text { text, quoted: false } => text.clone(),
            Piece::Variable { name, quoted } => format!("<{name} {quoted}>"),
            Piece::Command { text, quoted } => format!("({text} {quoted})"),
        };
        let token = |token: &Token| match token {
            Token::Word(pieces) => format!("[{}]", pieces.iter().map(piece).collect::<String>()),
            Token::Operator(operator) => (*operator).to_owned(),
        };
        tokens(text).unwrap().iter().map(token).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn words_operators_and_comments_are_told_apart() {
        assert_eq!(shown("echo a#b # c\nls"), "[echo] [a#b] ; [ls]");
        assert_eq!(shown("a&&b||c;d|e >f 2>&1"), "[a] && [b] || [c] ; [d] | [e] > [f] 2>&1");
        assert_eq!(shown("a2>x 2>y"), "[a2] > [x] 2> [y]");
    }

    #[test]
    fn quotes_keep_what_is_in_them() {
        assert_eq!(
            shown(r#"echo 'a $b' "c d""#),
            r#"[echo] ["a $b"] ["""c d"]"#.replace(r#"["""c"#, r#"["c"#)
        );
        assert_eq!(shown(r#""<$A ${B}>\n""#), r#"["<"<A true>" "<B true>">\\n"]"#);
        assert_eq!(
            shown("A=`cat uuid` $(echo $(pwd))"),
            "[A=(cat uuid false)] [(echo $(pwd) false)]"
        );
        assert_eq!(shown(r"a\ b \$c 5$"), r#"[a" "b] ["$"c] [5$]"#);
    }

    #[test]
    fn a_quote_without_an_end_is_an_error() {
        assert_eq!(tokens("echo 'a"), Err(Unterminated('\'')));
        assert_eq!(tokens("echo $(a"), Err(Unterminated(')')));
    }
}
