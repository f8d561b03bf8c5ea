//! Lists of names as clusters write them: `rack[1-3,7],panda01`.
//!
//! A piece is text with numbers in brackets; leading zeros count, so `n[08-10]` is `n08`, `n09` and
//! `n10`. Commas and white space outside of brackets stand between pieces. See powerman(1), "TARGET
//! SPECIFICATION".

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The most names that a list may have.
pub const MAX_NAMES: usize = 4096;
/// The longest piece of a list, and the longest name, in bytes.
const MAX_PIECE: usize = 255;
/// The most digits that a number is counted with; one with more is text.
const MAX_DIGITS: usize = 9;
/// How much of a list a message repeats, in characters.
const SHOWN: usize = 40;

/// What is wrong with a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostlistError {
    #[error("{0:?} has a bracket without its other one")]
    Bracket(String),
    #[error("{0:?} is no range of numbers; write it like 1-8, or 1,3,5-7")]
    Range(String),
    #[error("{0:?}… is longer than {MAX_PIECE} bytes")]
    TooLong(String),
    #[error("it has more than {MAX_NAMES} names")]
    TooMany,
}

/// The names that a list means, in its order. One may be there twice.
///
/// # Errors
/// What is wrong with the first piece that is none.
pub fn expand(list: &str) -> Result<Vec<String>, HostlistError> {
    let mut names = Vec::new();
    let mut depth = 0;
    let separates = |c: char| {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        depth <= 0 && (c == ',' || c.is_whitespace())
    };
    for piece in list.split(separates).filter(|piece| !piece.is_empty()) {
        if piece.len() > MAX_PIECE {
            return Err(HostlistError::TooLong(shown(piece)));
        }
        expand_piece(piece, &mut names)?;
    }
    Ok(names)
}

/// A list of these names, each once, as short as it can be: `panda01,rack[1-3,7]`.
pub fn compress<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: BTreeSet<Numbered<'a>> = names.into_iter().map(Numbered::of).collect();
    let mut list = String::new();
    let mut names = names.into_iter().peekable();
    while let Some(first) = names.next() {
        if !list.is_empty() {
            list.push(',');
        }
        let mut ranges = vec![(first.digits, first.digits)];
        while let Some(next) = names.next_if(|next| next.goes_with(&first)) {
            match ranges.last_mut() {
                Some((_, last)) if follows(last, next.digits) => *last = next.digits,
                _ => ranges.push((next.digits, next.digits)),
            }
        }
        list.push_str(first.prefix);
        match ranges.as_slice() {
            [(only, last)] if only == last => list.push_str(only),
            ranges => {
                let range = |(from, to): &(&str, &str)| {
                    if from == to { (*from).to_owned() } else { format!("{from}-{to}") }
                };
                let ranges: Vec<String> = ranges.iter().map(range).collect();
                // Writing to a string does not fail.
                let _ = write!(list, "[{}]", ranges.join(","));
            }
        }
    }
    list
}

/// A name, cut before the number at its end, if it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Numbered<'a> {
    prefix: &'a str,
    number: Option<u32>,
    digits: &'a str,
}

impl<'a> Numbered<'a> {
    fn of(name: &'a str) -> Self {
        let digits = name.bytes().rev().take(MAX_DIGITS).take_while(u8::is_ascii_digit).count();
        let (prefix, digits) = name.split_at(name.len() - digits);
        Self { prefix, number: digits.parse().ok(), digits }
    }

    fn goes_with(&self, first: &Self) -> bool {
        self.prefix == first.prefix && self.number.is_some() && first.number.is_some()
    }
}

/// Whether one number is written right behind another in a range.
fn follows(number: &str, next: &str) -> bool {
    let width = number.len();
    number.parse::<u32>().is_ok_and(|number| format!("{:0width$}", number + 1) == next)
}

/// The names of one piece. What stands behind a bracket may have brackets, too.
fn expand_piece(piece: &str, names: &mut Vec<String>) -> Result<(), HostlistError> {
    let mut heads = vec![String::new()];
    let mut rest = piece;
    while let Some((prefix, behind)) = rest.split_once('[') {
        let (ranges, behind) = behind
            .split_once(']')
            .filter(|_| !prefix.contains(']'))
            .ok_or_else(|| HostlistError::Bracket(shown(piece)))?;
        let numbers = numbers(ranges)?;
        if heads.len() * numbers.len() + names.len() > MAX_NAMES {
            return Err(HostlistError::TooMany);
        }
        heads = heads
            .iter()
            .flat_map(|head| numbers.iter().map(move |number| format!("{head}{prefix}{number}")))
            .collect();
        rest = behind;
    }
    if rest.contains(']') {
        return Err(HostlistError::Bracket(shown(piece)));
    }
    if heads.len() + names.len() > MAX_NAMES {
        return Err(HostlistError::TooMany);
    }
    names.extend(heads.into_iter().map(|head| head + rest));
    Ok(())
}

/// The numbers of `1-3,07` as they are written. The brackets of a piece have at least one.
fn numbers(ranges: &str) -> Result<Vec<String>, HostlistError> {
    let mut numbers = Vec::new();
    for range in ranges.split(',') {
        let wrong = || HostlistError::Range(shown(range));
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let number = |text: &str| {
            let plain = text.len() <= MAX_DIGITS && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<u32>().ok().filter(|_| plain)
        };
        let (first, last) = (number(from).ok_or_else(wrong)?, number(to).ok_or_else(wrong)?);
        let count = last.checked_sub(first).ok_or_else(wrong)?;
        if numbers.len() + count as usize >= MAX_NAMES {
            return Err(HostlistError::TooMany);
        }
        let width = from.len();
        numbers.extend((first..=last).map(|number| format!("{number:0width$}")));
    }
    Ok(numbers)
}

/// The beginning of a text, without what would spoil a line.
fn shown(text: &str) -> String {
    text.chars().take(SHOWN).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(list: &str) -> String {
        expand(list).map_or_else(|error| error.to_string(), |names| names.join(" "))
    }

    #[test]
    fn the_manuals_examples_are_understood() {
        assert_eq!(names("bar,baz,foo[01-05]"), "bar baz foo01 foo02 foo03 foo04 foo05");
        assert_eq!(names("bar,foo[7,9-10]"), "bar foo7 foo9 foo10");
        assert_eq!(names("foo[0,4-5]"), "foo0 foo4 foo5");
        assert_eq!(names("  foo[19]\tbar "), "foo19 bar");
        assert_eq!(names("r[1-2]p[08-09]x"), "r1p08x r1p09x r2p08x r2p09x");
        assert_eq!(names(" , "), "");
    }

    #[test]
    fn what_is_no_list_is_told() {
        for (list, told) in [
            ("a[1", "\"a[1\" has a bracket without its other one"),
            ("a1]", "\"a1]\" has a bracket without its other one"),
            ("a[3-1]", "\"3-1\" is no range of numbers; write it like 1-8, or 1,3,5-7"),
            ("a[]", "\"\" is no range of numbers; write it like 1-8, or 1,3,5-7"),
            ("a[+1-2]", "\"+1-2\" is no range of numbers; write it like 1-8, or 1,3,5-7"),
            ("a[0-999999999]", "it has more than 4096 names"),
            ("a[0-99]b[0-99]", "it has more than 4096 names"),
        ] {
            assert_eq!(names(list), told, "{list}");
        }
        assert!(names(&"a".repeat(300)).ends_with("is longer than 255 bytes"));
    }

    #[test]
    fn a_list_is_as_short_as_it_can_be() {
        let list = |names: &str| compress(names.split(' '));
        assert_eq!(list("t7 t0 t1 t08 abc a1 a2 a3 n1x2"), "a[1-3],abc,n1x2,t[0-1,7,08]");
        assert_eq!(list("t8 t9 t10 t10"), "t[8-10]");
        assert_eq!(list("t08 t09 t10"), "t[08-10]");
        assert_eq!(list("t9 t010"), "t[9,010]");
        assert_eq!(list("panda panda1"), "panda,panda1");
        assert_eq!(compress([]), "");
    }

    proptest! {
        #[test]
        fn what_is_compressed_is_expanded_to_itself(
            names in prop::collection::btree_set("[a-c]{1,2}[0-9]{0,4}", 0..40)
        ) {
            let list = compress(names.iter().map(String::as_str));
            prop_assert_eq!(BTreeSet::from_iter(expand(&list).unwrap()), names);
        }

        #[test]
        fn any_text_is_a_list_or_is_refused(list in "[a-c0-9\\[\\],\\- ]{0,60}|\\PC{0,40}") {
            if let Ok(names) = expand(&list) {
                prop_assert!(names.len() <= MAX_NAMES);
            }
        }
    }
}
