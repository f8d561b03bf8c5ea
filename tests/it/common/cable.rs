//! The far end of the cable of a simulated serial adapter (`sim:uart,control=PATH`).

use std::io::Write as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::heard::Heard;
use super::wait::{LIMIT, wait_until};

/// Plugged in until it is dropped. What can be ordered and is reported: `src/sim/uart/orders.rs`.
pub(crate) struct Cable {
    path: PathBuf,
    listener: UnixListener,
    plugged: Option<(UnixStream, Heard)>,
    /// How many bytes [`Cable::received`] has given.
    given: usize,
}

impl Cable {
    /// Holds out the cable; the adapter is plugged in as soon as the daemon tries it.
    pub(crate) fn at(path: &Path) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { path: path.to_owned(), listener, plugged: None, given: 0 }
    }

    /// Has something done to the far end.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub(crate) fn order(&mut self, line: &str) {
        let (stream, heard) = self.plugged();
        let done = |heard: &Heard| heard.text().matches("ok\n").count();
        let before = done(heard);
        stream.write_all(format!("{line}\n").as_bytes()).unwrap();
        wait_until(LIMIT, line, || {
            assert!(!heard.text().contains("error"), "{}", heard.text());
            done(heard) > before
        });
    }

    /// Has the device at the far end send bytes.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.order(&format!("send {digits}"));
    }

    /// Waits until the device at the far end has received just these bytes, after others.
    #[track_caller]
    pub(crate) fn expect(&mut self, bytes: &[u8]) {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let heard = self.plugged().1.clone();
        wait_until(LIMIT, &format!("the device hears {digits}"), || {
            let all: String =
                heard.text().lines().filter_map(|line| line.strip_prefix("heard ")).collect();
            all.ends_with(&digits)
        });
    }

    /// How many bytes the device at the far end has received.
    pub(crate) fn heard(&mut self) -> usize {
        let text = self.plugged().1.text();
        text.lines().filter_map(|line| line.strip_prefix("heard ")).map(str::len).sum::<usize>() / 2
    }

    /// What the device at the far end has received since this was asked last.
    pub(crate) fn received(&mut self) -> Vec<u8> {
        let text = self.plugged().1.text();
        // A line that is still coming is for the next time.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let digits: String = whole.lines().filter_map(|line| line.strip_prefix("heard ")).collect();
        let pairs = digits.as_bytes().chunks(2).skip(self.given);
        let pair =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let bytes: Vec<u8> = pairs.map(pair).collect();
        self.given += bytes.len();
        bytes
    }

    /// Waits until the near end is set like this: `9600n8 rtscts dtr=on rts=off break=off`.
    #[track_caller]
    pub(crate) fn expect_line(&mut self, line: &str) {
        self.plugged().1.find(LIMIT, 0, format!("line {line}\n").as_bytes()).unwrap();
    }

    fn plugged(&mut self) -> &mut (UnixStream, Heard) {
        self.plugged.get_or_insert_with(|| {
            let mut stream = None;
            wait_until(LIMIT, "the adapter is plugged in", || {
                stream = self.listener.accept().ok();
                stream.is_some()
            });
            let (stream, _) = stream.unwrap();
            stream.set_nonblocking(false).unwrap();
            let heard = Heard::from(stream.try_clone().unwrap());
            (stream, heard)
        })
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        if let Some((stream, _)) = &self.plugged {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}
