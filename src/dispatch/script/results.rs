//! What a script tells of its tests, as it tells it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::dispatch::log::Log;
use crate::dispatch::results::CaseResult;
use crate::model::{Name, ScriptResult};

/// The longest line, in bytes, and so many results at most: the rest is told once and left out.
const MAX_LINE: usize = 4096;
const MAX_RESULTS: usize = 100_000;
/// So many more keys may a result have.
const MAX_EXTRA: usize = 16;
/// So much is read at a time, in bytes.
const PIECE: usize = 1 << 20;
/// … and so often at one look.
const PIECES: usize = 8;
/// What a result can be.
const RESULTS: [&str; 4] = ["pass", "fail", "skip", "unknown"];

/// The file of the results, and how far it was read.
#[derive(Debug)]
pub(super) struct Told {
    /// As it was made. By its name the script could have us read what it may not.
    file: File,
    suite: String,
    offset: u64,
    count: usize,
}

impl Told {
    /// Makes the file.
    pub(super) fn new(path: &Path, ci: &Name) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        Ok(Self { file, suite: format!("0_{ci}"), offset: 0, count: 0 })
    }

    /// Takes the lines that are whole by now.
    pub(super) fn look(&mut self, log: &Log) {
        for _ in 0..PIECES {
            let Ok(text) = self.piece() else { return };
            if text.is_empty() {
                return;
            }
            let Some(end) = text.iter().rposition(|byte| *byte == b'\n') else {
                // A line that never ends would be looked at for ever.
                if text.len() == PIECE {
                    log.warning("a result is too long: it and what follows is left out");
                    self.offset = u64::MAX;
                }
                return;
            };
            self.offset += end as u64 + 1;
            text[..end].split(|byte| *byte == b'\n').for_each(|line| self.take(line, log));
        }
    }

    fn piece(&self) -> io::Result<Vec<u8>> {
        let mut text = vec![0; PIECE];
        let read = self.file.read_at(&mut text, self.offset)?;
        text.truncate(read);
        Ok(text)
    }

    fn take(&mut self, line: &[u8], log: &Log) {
        self.count += 1;
        if self.count > MAX_RESULTS {
            if self.count == MAX_RESULTS + 1 {
                log.warning(format!("only the first {MAX_RESULTS} results count"));
            }
            return;
        }
        let read = serde_json::from_slice::<ScriptResult>(&line[..line.len().min(MAX_LINE)]);
        let ScriptResult { case, result, measurement, units, extra } = match read {
            Ok(told)
                if RESULTS.contains(&told.result.as_str())
                    && is_name(&told.case)
                    && told.extra.len() <= MAX_EXTRA =>
            {
                told
            }
            _ => {
                let line = String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned();
                log.warning(format!("this is no result: {line:?}"));
                return;
            }
        };
        let definition = self.suite.clone();
        let mut told = CaseResult {
            definition,
            case,
            result,
            measurement,
            units,
            extra,
            ..CaseResult::default()
        };
        log.mask(&mut told);
        log.results(&told);
    }
}

fn is_name(case: &str) -> bool {
    !case.is_empty() && case.len() <= 200 && !case.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;

    use super::*;
    use crate::dispatch::progress::Silent;

    #[test]
    fn results_are_taken_when_their_line_is_whole_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::create(&dir.path().join("log"), &[], Arc::new(Silent)).unwrap();
        let path = dir.path().join("results");
        let mut told = Told::new(&path, &"smoke".parse().unwrap()).unwrap();
        let mut file = File::options().append(true).open(&path).unwrap();
        let mut say = |text: &str| {
            file.write_all(text.as_bytes()).unwrap();
            told.look(&log);
            let text = std::fs::read_to_string(dir.path().join("log")).unwrap();
            text.lines().filter(|line| line.contains("\"lvl\":\"results\"")).count()
        };
        assert_eq!(say("{\"case\":\"a\",\"result\":\"pass\"}\n{\"case\":\"b\","), 1);
        assert_eq!(say("\"result\":\"fail\"}\n"), 2);
        for bad in ["{}", "x", "{\"case\":\"c\",\"result\":\"good\"}", "\u{0}", ""] {
            assert_eq!(say(&format!("{bad}\n")), 2, "{bad}");
        }
        assert_eq!(say(&format!("{{\"case\":\"{}\",\"result\":\"pass\"}}\n", "d".repeat(5000))), 2);
        assert_eq!(
            say("{\"case\":\"e\",\"result\":\"skip\",\"measurement\":1.5,\"units\":\"s\"}\n"),
            3
        );
    }
}
