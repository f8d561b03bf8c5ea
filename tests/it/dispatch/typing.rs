//! Typing at a board that has no room for what comes too fast: a simulated UART (`sim:uart`) whose far end takes a
//! few characters at a time, on lava-serial's console.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::dialogue::{HEAD, SMOKE, dispatch, noted};
use super::host_board::{blocks, board_behind, device};
use crate::common::{Cable, Heard, Process, TestLab, wait_until};

/// So many characters it takes at once; those behind them are lost.
const ROOM: usize = 8;
/// Takes back the line that was begun.
const KILL_LINE: u8 = 0x15;

/// The terminal of a board: it echoes what it takes, and gives its shell whole lines.
#[derive(Default)]
struct Terminal {
    line: Vec<u8>,
    lines: Vec<String>,
    lost: usize,
}

impl Terminal {
    /// Takes what has come in one go, and gives what is echoed.
    fn take(&mut self, typed: &[u8]) -> Vec<u8> {
        let mut echo = Vec::new();
        self.lost += typed.len().saturating_sub(ROOM);
        for &byte in &typed[..typed.len().min(ROOM)] {
            match byte {
                KILL_LINE => self.line.clear(),
                b'\n' | b'\r' => {
                    echo.extend(b"\r\n");
                    let line = String::from_utf8(std::mem::take(&mut self.line)).unwrap();
                    self.lines.push(line);
                }
                _ => {
                    echo.push(byte);
                    self.line.push(byte);
                }
            }
        }
        echo
    }
}

#[test]
fn a_board_that_takes_few_characters_at_a_time_gets_every_line_whole() {
    let lab = TestLab::new();
    let mut cable = Cable::at(&lab.path("cable"));
    let capture = lab.path("capture").display().to_string();
    let port = format!("sim:uart,control={}", lab.path("cable").display());
    let serial = ["--name", "panda01", "--port", &port, "--capture", &capture];
    let listen = ["--http", "127.0.0.1:0", "--raw", "127.0.0.1:0"];
    let serial = lab.start("lava-serial", [&serial[..], &listen[..]].concat());
    cable.order("far 115200n8");
    let shell = board_behind(&lab, serial.address("raw").port());
    let job = format!("{HEAD}{}{SMOKE}", blocks(""));
    let mut terminal = Terminal::default();
    std::thread::scope(|scope| {
        let job = scope.spawn(|| dispatch(&lab, &job, &device("docker01")));
        wait_until(Duration::from_secs(60), "the job has a board", || {
            std::path::Path::new(&shell).exists()
        });
        let mut board = Command::new("sh");
        board.arg(&shell).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut board = Process::spawn(&mut board);
        let says = Heard::from(board.child().stdout.take().unwrap());
        let mut hears = board.child().stdin.take().unwrap();
        let mut said = 0;
        while !job.is_finished() {
            let begun = terminal.lines.len();
            let echo = terminal.take(&cable.received());
            if !echo.is_empty() {
                cable.send(&echo);
            }
            for line in &terminal.lines[begun..] {
                hears.write_all(format!("{line}\n").as_bytes()).unwrap();
            }
            let all = says.bytes();
            for piece in all[said..].chunks(512) {
                cable.send(&String::from_utf8_lossy(piece).replace('\n', "\r\n").into_bytes());
            }
            said = all.len();
            std::thread::sleep(Duration::from_millis(2));
        }
        let done = job.join().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(0), "{said}\n{}", noted(&lab, "out/output.jsonl"));
    });
    let log = noted(&lab, "out/output.jsonl");
    assert!(terminal.lost > 0, "nothing was typed too fast: {log}");
    assert!(log.contains("what was typed came back damaged: it is typed again"), "{log}");
    // What the log says was typed is what the board's shell was given, each line once.
    let lines = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let typed: Vec<String> = lines
        .filter(|line| line["lvl"] == "input" && line["msg"] != "")
        .map(|line| line["msg"].as_str().unwrap().to_owned())
        .collect();
    let given: Vec<String> = terminal.lines.into_iter().filter(|line| !line.is_empty()).collect();
    assert_eq!(given, typed, "{log}");
}
