//! Which texts a line must have for a regular expression to match it.

use regex_syntax::hir::{Class, Hir, HirKind};

use super::Case;

/// The most texts of which one is needed; where there are more, less is known.
const MOST: usize = 16;
/// The longest needed text, in bytes.
const LONGEST: usize = 64;
/// So many last bytes of a text are remembered when it would become too many: the texts that go on
/// from it overlap it by this.
const OVERLAP: usize = 3;

/// Texts without which a line does not match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    /// Nothing is known to be needed.
    Nothing,
    Text(Vec<u8>),
    All(Vec<Needs>),
    OneOf(Vec<Needs>),
}

/// What is known of a part of an expression.
struct Part {
    /// The texts that it matches, if these are few: each of them, and no other.
    exact: Option<Vec<Vec<u8>>>,
    needs: Needs,
}

impl Needs {
    /// What a parsed expression needs.
    pub(super) fn of(expression: &Hir, case: Case) -> Self {
        part(expression, case).needs()
    }

    /// The texts of which one is in every line that matches; where there is a choice, those that are
    /// likely to be rare.
    pub(super) fn rarest(&self) -> Option<Vec<Vec<u8>>> {
        match self {
            Self::Nothing => None,
            Self::Text(text) => Some(vec![text.clone()]),
            Self::All(all) => {
                let choices = all.iter().filter_map(Self::rarest);
                choices.max_by_key(|texts| texts.iter().map(Vec::len).min())
            }
            Self::OneOf(several) => {
                let each: Option<Vec<Vec<Vec<u8>>>> = several.iter().map(Self::rarest).collect();
                Some(each?.concat()).filter(|texts| texts.len() <= MOST)
            }
        }
    }

    fn text(text: Vec<u8>) -> Self {
        if text.is_empty() { Self::Nothing } else { Self::Text(text) }
    }

    fn one_of(mut several: Vec<Self>) -> Self {
        if several.contains(&Self::Nothing) || several.is_empty() {
            return Self::Nothing;
        }
        if several.len() == 1 { several.swap_remove(0) } else { Self::OneOf(several) }
    }

    fn all(mut all: Vec<Self>) -> Self {
        all.retain(|needs| *needs != Self::Nothing);
        match all.len() {
            0 => Self::Nothing,
            1 => all.swap_remove(0),
            _ => Self::All(all),
        }
    }

    /// Whether a line has what is needed.
    #[cfg(test)]
    pub(super) fn are_in(&self, line: &[u8]) -> bool {
        match self {
            Self::Nothing => true,
            Self::Text(text) => line.windows(text.len()).any(|window| window == text),
            Self::All(all) => all.iter().all(|needs| needs.are_in(line)),
            Self::OneOf(several) => several.iter().any(|needs| needs.are_in(line)),
        }
    }
}

impl Part {
    fn exact(texts: Vec<Vec<u8>>) -> Self {
        Self { exact: Some(texts), needs: Needs::Nothing }
    }

    fn inexact(needs: Needs) -> Self {
        Self { exact: None, needs }
    }

    fn needs(self) -> Needs {
        match self.exact {
            Some(texts) => Needs::one_of(texts.into_iter().map(Needs::text).collect()),
            None => self.needs,
        }
    }
}

/// As deep as expressions are nested, which the parser bounds.
fn part(expression: &Hir, case: Case) -> Part {
    match expression.kind() {
        HirKind::Empty | HirKind::Look(_) => Part::exact(vec![Vec::new()]),
        HirKind::Literal(literal) => literal_part(&literal.0, case),
        HirKind::Class(class) => class_part(class, case),
        HirKind::Capture(capture) => part(&capture.sub, case),
        HirKind::Repetition(repetition) => match (repetition.min, repetition.max) {
            (0, _) => Part::inexact(Needs::Nothing),
            (1, Some(1)) => part(&repetition.sub, case),
            _ => Part::inexact(part(&repetition.sub, case).needs()),
        },
        HirKind::Concat(parts) => concatenated(parts, case),
        HirKind::Alternation(parts) => {
            let parts: Vec<Part> = parts.iter().map(|each| part(each, case)).collect();
            let exact: Option<Vec<&Vec<Vec<u8>>>> =
                parts.iter().map(|part| part.exact.as_ref()).collect();
            let exact = exact.map(|texts| unique(texts.into_iter().flatten().cloned()));
            match exact.filter(|texts| texts.len() <= MOST) {
                Some(texts) => Part::exact(texts),
                None => Part::inexact(Needs::one_of(parts.into_iter().map(Part::needs).collect())),
            }
        }
    }
}

fn literal_part(literal: &[u8], case: Case) -> Part {
    let mut text = literal.to_vec();
    if case == Case::Folded {
        text.make_ascii_lowercase();
    }
    if text.len() <= LONGEST {
        return Part::exact(vec![text]);
    }
    Part::inexact(Needs::all(text.chunks(LONGEST).map(|text| Needs::text(text.to_vec())).collect()))
}

fn class_part(class: &Class, case: Case) -> Part {
    let folded = |byte: u8| if case == Case::Folded { byte.to_ascii_lowercase() } else { byte };
    let members: Vec<Vec<u8>> = match class {
        Class::Bytes(class) => {
            let members = class.ranges().iter().flat_map(|range| range.start()..=range.end());
            unique(members.take(2 * MOST + 1).map(|byte| vec![folded(byte)]))
        }
        // Not with Unicode off.
        Class::Unicode(_) => return Part::inexact(Needs::Nothing),
    };
    let count: usize = match class {
        Class::Bytes(class) => {
            class.ranges().iter().map(regex_syntax::hir::ClassBytesRange::len).sum()
        }
        Class::Unicode(_) => usize::MAX,
    };
    if count <= 2 * MOST && members.len() <= MOST && !members.is_empty() {
        Part::exact(members)
    } else {
        Part::inexact(Needs::Nothing)
    }
}

fn concatenated(parts: &[Hir], case: Case) -> Part {
    let mut needs = Vec::new();
    // The texts that end where the next part begins.
    let mut texts: Vec<Vec<u8>> = vec![Vec::new()];
    let mut exact = true;
    for each in parts {
        let next = part(each, case);
        let Some(endings) = next.exact else {
            needs.push(Part::exact(std::mem::replace(&mut texts, vec![Vec::new()])).needs());
            needs.push(next.needs);
            exact = false;
            continue;
        };
        if !fits(&texts, &endings) {
            needs.push(Part::exact(texts.clone()).needs());
            exact = false;
            let tails =
                texts.iter().map(|text| text[text.len().saturating_sub(OVERLAP)..].to_vec());
            texts = unique(tails);
            if !fits(&texts, &endings) {
                texts = vec![Vec::new()];
            }
        }
        let longer = texts
            .iter()
            .flat_map(|text| endings.iter().map(move |ending| [text.as_slice(), ending].concat()));
        texts = unique(longer);
    }
    if exact {
        return Part::exact(texts);
    }
    needs.push(Part::exact(texts).needs());
    Part::inexact(Needs::all(needs))
}

fn fits(texts: &[Vec<u8>], endings: &[Vec<u8>]) -> bool {
    let longest = |texts: &[Vec<u8>]| texts.iter().map(Vec::len).max().unwrap_or(0);
    texts.len() * endings.len() <= MOST && longest(texts) + longest(endings) <= LONGEST
}

fn unique(texts: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut texts: Vec<Vec<u8>> = texts.collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

#[cfg(test)]
mod tests {
    use super::super::Pattern;
    use super::*;

    fn needs(text: &str) -> Needs {
        Pattern::new(text, false).unwrap().needs()[0].0.clone()
    }

    fn text(text: &str) -> Needs {
        Needs::Text(text.as_bytes().to_vec())
    }

    #[test]
    fn a_line_needs_what_every_match_has() {
        assert_eq!(needs("Oops"), text("Oops"));
        assert_eq!(needs("^(Kernel) panic$"), text("Kernel panic"));
        assert_eq!(needs("Oops: .+ at"), Needs::All(vec![text("Oops: "), text(" at")]));
        assert_eq!(needs("BUG|panic"), Needs::OneOf(vec![text("BUG"), text("panic")]));
        assert_eq!(needs("(BUG|panic)!"), Needs::OneOf(vec![text("BUG!"), text("panic!")]));
        assert_eq!(needs("(panic)+"), text("panic"));
        for nothing in ["", "(panic)*", "panic|", "[^a]", "."] {
            assert_eq!(needs(nothing), Needs::Nothing, "{nothing}");
        }
    }

    #[test]
    fn folded_case_makes_few_texts_of_many() {
        let pattern = Pattern::new("Kernel Panic", true).unwrap();
        let folded = pattern.needs().iter().find(|(_, case)| *case == Case::Folded).unwrap();
        assert_eq!(folded.0, text("kernel panic"));
        assert_eq!(pattern.next(b"xx KERNEL PANIC", 0), Some(3));
    }

    #[test]
    fn texts_that_become_too_many_overlap() {
        // Of 2^8 texts only pieces are known, but a piece for each place.
        let Needs::All(pieces) = needs("[ab][cd][ef][gh][ij][kl][mn][op]") else { panic!() };
        assert!(pieces.len() > 2, "{pieces:?}");
    }
}
