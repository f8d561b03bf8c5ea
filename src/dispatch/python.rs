//! Regular expressions as job files have them, which are Python's, in the words of our library.
//!
//! What Python takes as it stands and our library as something else is escaped: a brace that counts
//! nothing, `[`, `&&`, `--` and `~~` within brackets, and `\<`, `\>`, which have no meaning in Python.

/// Translates an expression.
pub(super) fn translated(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        let after = &rest[letter.len_utf8()..];
        rest = match letter {
            '\\' => escape(after, &mut text),
            '[' => class(after, &mut text),
            '{' if !counts(after) => {
                text.push_str(r"\{");
                after
            }
            '{' => {
                let end = after.find('}').map_or(after.len(), |end| end + 1);
                // Python may leave out the least.
                let body = &after[..end];
                text.push('{');
                text.push_str(if body.starts_with(',') { "0" } else { "" });
                text.push_str(body);
                &after[end..]
            }
            _ => {
                text.push(letter);
                after
            }
        };
    }
    text
}

/// Whether what stands behind a brace is a number of times.
fn counts(after: &str) -> bool {
    let Some((body, _)) = after.split_once('}') else { return false };
    let (least, most) = body.split_once(',').unwrap_or((body, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    is_number(least) && is_number(most) && body.bytes().any(|byte| byte.is_ascii_digit())
}

/// What stands behind a backslash outside of brackets; gives the rest.
fn escape<'a>(after: &'a str, text: &mut String) -> &'a str {
    let Some(letter) = after.chars().next() else {
        text.push('\\');
        return after;
    };
    match letter {
        '<' | '>' => text.push(letter),
        // The end of all text, which has another name.
        'Z' => text.push_str(r"\z"),
        // Braces of `\p{…}` and `\x{…}` belong to them; Python has neither, but our users may.
        'p' | 'P' | 'x' | 'u' | 'k' if after[1..].starts_with('{') => {
            let end = after.find('}').map_or(after.len(), |end| end + 1);
            text.push('\\');
            text.push_str(&after[..end]);
            return &after[end..];
        }
        _ => {
            text.push('\\');
            text.push(letter);
        }
    }
    &after[letter.len_utf8()..]
}

/// What stands in brackets; gives the rest.
fn class<'a>(after: &'a str, text: &mut String) -> &'a str {
    text.push('[');
    let mut rest = after;
    if let Some(inverted) = rest.strip_prefix('^') {
        text.push('^');
        rest = inverted;
    }
    // As the first it stands for itself.
    if let Some(first) = rest.strip_prefix(']') {
        text.push_str(r"\]");
        rest = first;
    }
    while let Some(letter) = rest.chars().next() {
        let after = &rest[letter.len_utf8()..];
        match letter {
            ']' => {
                text.push(']');
                return after;
            }
            '\\' => {
                let escaped = after.chars().next().map_or(0, char::len_utf8);
                text.push('\\');
                text.push_str(&after[..escaped]);
                rest = &after[escaped..];
                continue;
            }
            '[' if !after.starts_with(':') => text.push_str(r"\["),
            '&' | '~' | '-' if after.starts_with(letter) => {
                text.push('\\');
                text.push(letter);
            }
            _ => text.push(letter),
        }
        rest = after;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use fancy_regex::Regex;
    use proptest::prelude::*;

    #[test]
    fn what_python_takes_as_it_stands_is_taken_so() {
        for (pattern, text) in [
            ("root@{host}:~# ", "root@{host}:~# "),
            (r"\<end\>", "<end>"),
            (r"[[a]+#", "[a#"),
            (r"[]x]+y", "]xy"),
            (r"[&&]", "&"),
            (r"a{2}b{1,}c{,3}", "aabcc"),
            (r"\{x\}", "{x}"),
            (r"^[^\]]+\[\d{1,3}\]$", "a[12]"),
            (r"(?P<a>[\w.-]+)", "x-y"),
            ("x{", "x{"),
        ] {
            let regex =
                Regex::new(&translated(pattern)).unwrap_or_else(|e| panic!("{pattern}: {e}"));
            let found = regex.find(text).unwrap().map(|found| found.as_str());
            assert_eq!(found, Some(text), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn what_is_no_special_case_stays_as_it_is(pattern in r"[a-z0-9 .*+?()|^$]{0,40}") {
            prop_assert_eq!(translated(&pattern), pattern);
        }

        #[test]
        fn no_expression_makes_it_fail(pattern in r".{0,40}") {
            let _ = translated(&pattern);
        }
    }
}
