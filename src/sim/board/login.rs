//! The login prompt and the session behind it.

use std::time::Duration;

use super::End;
use super::editor::{Editor, Typed, ask};
use super::files::Files;
use super::kernel::Log;
use super::shell::{Shell, Step};
use crate::sim::line::Uart;

/// From the kernel's last message to the login prompt, and what a wrong password costs.
const START_TIME: Duration = Duration::from_millis(400);
const WRONG_TIME: Duration = Duration::from_secs(2);

/// Lets people log in until the system ends.
pub(super) async fn run(uart: &mut Uart, name: &str, log: &mut Log, files: Files) -> End {
    let mut shell = Shell::new(name, files);
    loop {
        tokio::time::sleep(START_TIME).await;
        uart.print(&format!("\nLavamux virtual board (simulated) {name} ttyAMA0\n\n")).await;
        log_in(uart, name).await;
        if let Some(motd) = shell.motd() {
            uart.print(&motd).await;
        }
        if let Some(end) = session(uart, &mut shell, log).await {
            return end;
        }
    }
}

/// Asks until root logs in, who needs no password.
async fn log_in(uart: &mut Uart, name: &str) {
    let mut editor = Editor::default();
    loop {
        match ask(uart, &format!("{name} login: "), &mut editor).await {
            Typed::Line(user) if user.trim() == "root" => return,
            Typed::Line(user) if user.trim().is_empty() => {}
            Typed::Line(_) => {
                let mut hidden = Editor::hidden();
                ask(uart, "Password: ", &mut hidden).await;
                tokio::time::sleep(WRONG_TIME).await;
                uart.print("\nLogin incorrect\n").await;
            }
            Typed::Interrupt | Typed::End => uart.print("\n").await,
        }
    }
}

/// Runs what is typed until logout (None) or the end of the system.
async fn session(uart: &mut Uart, shell: &mut Shell, log: &mut Log) -> Option<End> {
    let mut editor = Editor::default();
    loop {
        let line = match ask(uart, &shell.prompt(), &mut editor).await {
            Typed::Line(line) => line,
            Typed::Interrupt => continue,
            Typed::End => "exit".to_owned(),
        };
        for step in shell.run(&line, log) {
            let interrupted = match step {
                Step::Print(text) => interrupted(uart, &text).await,
                Step::Sleep(time) => uart.pause(time).await,
                Step::Logout => return None,
                Step::End(end) => return Some(end),
            };
            if interrupted {
                uart.print("^C\n").await;
                break;
            }
        }
    }
}

/// Prints line by line, until Ctrl-C is typed; says whether it was.
async fn interrupted(uart: &mut Uart, text: &str) -> bool {
    for line in text.split_inclusive('\n') {
        if uart.interrupted() {
            return true;
        }
        uart.print(line).await;
    }
    false
}
