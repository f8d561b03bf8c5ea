//! What the boards print: numbered records, so that a reader sees what is lost, repeated or damaged.
//!
//! ```text
//! 0000000042 lazy dog 0000000042
//! ```
//! The number stands at both ends: two halves that were not printed together are no record.

/// The length of a record in bytes, its line end included.
pub(crate) const RECORD: usize = 32;
const DIGITS: usize = 10;
const TEXT: &[u8; 10] = b" lazy dog ";
const END: &[u8; 2] = b"\r\n";

/// A record. Counting on is much cheaper than formatting: a board that prints as fast as it can
/// must not be what is measured.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    bytes: [u8; RECORD],
}

impl Record {
    pub(crate) fn number(mut number: u64) -> Self {
        let mut digits = [0; DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
        let mut bytes = [0; RECORD];
        let parts: [&[u8]; 4] = [&digits, TEXT, &digits, END];
        for (byte, part) in bytes.iter_mut().zip(parts.concat()) {
            *byte = part;
        }
        Self { bytes }
    }

    pub(crate) fn bytes(&self) -> &[u8; RECORD] {
        &self.bytes
    }

    pub(crate) fn next(&mut self) {
        const AGAIN: usize = DIGITS + TEXT.len();
        for at in (0..DIGITS).rev() {
            let carries = self.bytes[at] == b'9';
            let digit = if carries { b'0' } else { self.bytes[at] + 1 };
            self.bytes[at] = digit;
            self.bytes[AGAIN + at] = digit;
            if !carries {
                return;
            }
        }
    }
}

/// The number of a record, if these bytes are one.
fn parse(bytes: &[u8]) -> Option<u64> {
    let number = std::str::from_utf8(bytes.get(..DIGITS)?).ok()?.parse().ok()?;
    (bytes == Record::number(number).bytes()).then_some(number)
}

/// What a reader was given, held against what the board printed from its record 0 on.
#[derive(Debug)]
pub(crate) struct Check {
    pub tally: Tally,
    /// The record that comes next if all is well, and its number.
    next: Record,
    due: u64,
    /// The beginning of a record that is not whole yet.
    part: Vec<u8>,
    /// Whether a record can begin at the next byte. Before the first one anything may come, such
    /// as a greeting.
    aligned: bool,
    begun: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    /// All that came, in bytes.
    pub bytes: u64,
    /// Bytes that the board had printed before others that came, and that did not come.
    pub lost: u64,
    /// Bytes that came a second time.
    pub repeated: u64,
    /// Places where something else than a record came.
    pub damaged: u64,
}

impl Check {
    pub(crate) fn new() -> Self {
        Self {
            tally: Tally::default(),
            next: Record::number(0),
            due: 0,
            part: Vec::with_capacity(RECORD),
            aligned: true,
            begun: false,
        }
    }

    /// What did not come of so many bytes that the board has printed by now.
    pub(crate) fn missed(&self, printed: u64) -> u64 {
        let position = self.due * RECORD as u64 + self.part.len() as u64;
        self.tally.lost + printed.saturating_sub(position)
    }

    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        self.tally.bytes += bytes.len() as u64;
        while !self.part.is_empty() {
            let missing = (RECORD - self.part.len()).min(bytes.len());
            self.part.extend_from_slice(&bytes[..missing]);
            bytes = &bytes[missing..];
            if self.part.len() < RECORD {
                return;
            }
            let mut part = std::mem::take(&mut self.part);
            let used = self.take(&part);
            part.drain(..used);
            self.part = part;
        }
        let used = self.take(bytes);
        self.part.extend_from_slice(&bytes[used..]);
    }

    /// Takes all but the beginning of a last record, and tells how much that was.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            if !self.aligned {
                let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
                    return bytes.len();
                };
                self.aligned = true;
                at += end + 1;
            } else if rest.len() < RECORD {
                return at;
            } else if rest.starts_with(self.next.bytes()) {
                self.came();
                at += RECORD;
            } else if let Some(number) = parse(&rest[..RECORD]) {
                self.jumped(number);
                at += RECORD;
            } else {
                self.tally.damaged += u64::from(self.begun);
                self.aligned = false;
            }
        }
    }

    fn jumped(&mut self, number: u64) {
        let distance = number.abs_diff(self.due) * RECORD as u64;
        if number > self.due {
            self.tally.lost += distance;
        } else {
            self.tally.repeated += distance;
        }
        self.due = number;
        self.next = Record::number(number);
        self.came();
    }

    fn came(&mut self) {
        self.begun = true;
        self.due += 1;
        self.next.next();
    }
}
