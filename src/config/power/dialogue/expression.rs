//! `{kind:name=default+1}`: the values that texts of a profile have places for.

use std::collections::BTreeMap;
use std::fmt;

/// What a PDU's keys and an outlet's port say, by name: `port`, its parts, `user` and `password`.
pub(super) type Values = BTreeMap<String, String>;

/// A place for a value, perhaps after some arithmetic: `port`, `byte:port+100`, `bit:relay%8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expression {
    form: Form,
    name: String,
    /// Taken where the value is not there: a part of the port that was left out.
    default: Option<String>,
    /// Done from left to right.
    arithmetic: Vec<(Operator, i64)>,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As it was given; after arithmetic as a decimal number.
    Text,
    /// One byte.
    Byte,
    /// Two bytes, the high one first.
    Word,
    /// One byte with this bit set, 0 to 7.
    Bit,
    /// One of 0-9 and A-Z.
    Digit,
    /// Lower case hexadecimal, without zeros in front.
    Hex,
    /// Two decimal digits at least.
    Two,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Plus,
    Minus,
    Divide,
    Modulo,
}

const FORMS: &[(&str, Form)] = &[
    ("byte", Form::Byte),
    ("word", Form::Word),
    ("bit", Form::Bit),
    ("digit", Form::Digit),
    ("hex", Form::Hex),
    ("two", Form::Two),
];

impl Expression {
    /// Reads what stands between the braces.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn parse(text: &str, known: &[String]) -> Result<Self, String> {
        let (form, rest) = match text.split_once(':') {
            Some((word, rest)) => {
                let form = FORMS.iter().find(|(known, _)| *known == word);
                let words: Vec<&str> = FORMS.iter().map(|(word, _)| *word).collect();
                let unknown = || format!("{{{text}}}: {word:?} is none of {}", words.join(", "));
                (form.ok_or_else(unknown)?.1, rest)
            }
            None => (Form::Text, text),
        };
        let end = rest.find(['+', '-', '/', '%']).unwrap_or(rest.len());
        let (operand, mut rest) = rest.split_at(end);
        let (name, default) = match operand.split_once('=') {
            Some((name, default)) => (name, Some(default.to_owned())),
            None => (operand, None),
        };
        if !known.iter().any(|known| known == name) {
            return Err(format!(
                "{{{text}}} has no value; there is {} (a brace itself is \\{{)",
                known.join(", ")
            ));
        }
        let mut arithmetic = Vec::new();
        while let Some(sign) = rest.chars().next() {
            let operator = match sign {
                '+' => Operator::Plus,
                '-' => Operator::Minus,
                '/' => Operator::Divide,
                _ => Operator::Modulo,
            };
            let digits = &rest[1..];
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            let number: Option<u16> = digits[..end].parse().ok();
            match number {
                Some(number) if number != 0 => arithmetic.push((operator, i64::from(number))),
                _ => {
                    return Err(format!("{{{text}}}: {rest:?} is no arithmetic, such as +1 or %8"));
                }
            }
            rest = &digits[end..];
            if rest.chars().next().is_some_and(|c| !"+-/%".contains(c)) {
                return Err(format!("{{{text}}}: {rest:?} is no arithmetic, such as +1 or %8"));
            }
        }
        Ok(Self { form, name: name.to_owned(), default, arithmetic })
    }

    /// The bytes that it stands for.
    ///
    /// # Errors
    /// When the value is not there, is no number where one is needed, or is too large for its form.
    pub(super) fn bytes(&self, values: &Values) -> Result<Vec<u8>, String> {
        if self.form == Form::Text && self.arithmetic.is_empty() {
            return Ok(self.value(values)?.as_bytes().to_vec());
        }
        let number = self.number(values)?;
        let too_large = || format!("{self} becomes {number}, which has no place there");
        Ok(match self.form {
            Form::Text => number.to_string().into_bytes(),
            Form::Byte => vec![u8::try_from(number).map_err(|_| too_large())?],
            Form::Word => u16::try_from(number).map_err(|_| too_large())?.to_be_bytes().to_vec(),
            Form::Bit if (0..8).contains(&number) => vec![1 << number],
            Form::Digit => match number {
                0..=9 => vec![b'0' + number as u8],
                10..=35 => vec![b'A' + (number - 10) as u8],
                _ => return Err(too_large()),
            },
            Form::Hex if number >= 0 => format!("{number:x}").into_bytes(),
            Form::Two if number >= 0 => format!("{number:02}").into_bytes(),
            Form::Bit | Form::Hex | Form::Two => return Err(too_large()),
        })
    }

    /// The number that it stands for.
    ///
    /// # Errors
    /// When the value is not there or is no number.
    pub(super) fn number(&self, values: &Values) -> Result<i64, String> {
        let value = self.value(values)?;
        let number: i64 =
            value.parse().map_err(|_| format!("{self} wants a number, and {value:?} is none"))?;
        let mut number = number;
        for (operator, by) in &self.arithmetic {
            number = match operator {
                Operator::Plus => number.checked_add(*by),
                Operator::Minus => number.checked_sub(*by),
                Operator::Divide => number.checked_div_euclid(*by),
                Operator::Modulo => number.checked_rem_euclid(*by),
            }
            .ok_or_else(|| format!("{self}: {value:?} is too large"))?;
        }
        Ok(number)
    }

    pub(super) fn names(&self, name: &str) -> bool {
        self.name == name
    }

    fn value<'a>(&'a self, values: &'a Values) -> Result<&'a str, String> {
        let value = values.get(&self.name).or(self.default.as_ref());
        value.map(String::as_str).ok_or_else(|| format!("{self} has no value here"))
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn known() -> Vec<String> {
        vec!["port".to_owned(), "card".to_owned()]
    }

    fn of(text: &str, port: &str) -> Result<Vec<u8>, String> {
        let values = Values::from([("port".to_owned(), port.to_owned())]);
        Expression::parse(text, &known())?.bytes(&values)
    }

    #[test]
    fn a_port_becomes_what_the_pdu_wants() {
        for (text, port, bytes) in [
            ("port", "A1", &b"A1"[..]),
            ("port-1", "3", b"2"),
            ("byte:port+100", "3", b"\x67"),
            ("word:port", "258", b"\x01\x02"),
            ("bit:port-1", "8", b"\x80"),
            ("bit:port%8", "9", b"\x02"),
            ("byte:port/8+1", "17", b"\x03"),
            ("digit:port-1", "32", b"V"),
            ("hex:port-1", "16", b"f"),
            ("two:port-1", "8", b"07"),
            ("byte:card=1", "8", b"\x01"),
        ] {
            assert_eq!(of(text, port).as_deref(), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_has_no_place_is_no_value() {
        for (text, port) in [
            ("byte:port+250", "6"),
            ("byte:port-1", "0"),
            ("bit:port", "8"),
            ("digit:port", "36"),
            ("port-1", "A1"),
            ("card", "1"),
            ("port+1", "9223372036854775807"),
        ] {
            assert!(of(text, port).is_err(), "{text} of {port}");
        }
        for wrong in ["", "prt", "bytes:port", "port+", "port+x", "port+1x", "port/0", "port*2"] {
            assert!(Expression::parse(wrong, &known()).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_and_no_port_makes_it_panic(text in ".{0,20}", port in ".{0,20}") {
            let _ = of(&text, &port);
        }

        #[test]
        fn arithmetic_is_done_from_left_to_right(
            port in 0_u16..2000,
            form in "|byte:|word:|bit:|digit:|hex:|two:",
            plus in 1_u16..300,
            by in 1_u16..16,
        ) {
            let text = format!("{form}port+{plus}/{by}%{by}");
            let number = (i64::from(port) + i64::from(plus)) / i64::from(by) % i64::from(by);
            let values = Values::from([("port".to_owned(), port.to_string())]);
            let expression = Expression::parse(&text, &known()).unwrap();
            prop_assert_eq!(expression.number(&values), Ok(number));
            let _ = expression.bytes(&values);
        }
    }
}
