//! Typing at a board that has no room for what comes too fast: a simulated UART (`sim:uart`) whose far end takes a
//! few characters at a time, on lava-serial's console.

use super::dialogue::{SMOKE, noted};
use super::uart_board::UartBoard;
use crate::common::Cable;

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
    let mut board = UartBoard::new();
    let mut terminal = Terminal::default();
    let typed = |cable: &mut Cable, typed: &[u8]| {
        let begun = terminal.lines.len();
        let echo = terminal.take(typed);
        if !echo.is_empty() {
            cable.send(&echo);
        }
        terminal.lines[begun..].iter().flat_map(|line| format!("{line}\n").into_bytes()).collect()
    };
    let printed = |piece: &[u8]| String::from_utf8_lossy(piece).replace('\n', "\r\n").into_bytes();
    let done = board.run(SMOKE, typed, printed);
    let log = noted(&board.lab, "out/output.jsonl");
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{said}\n{log}");
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
