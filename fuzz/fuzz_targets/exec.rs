//! A command at a board's shell, whatever the board prints: no panic, and it always waits or ends.
#![no_main]

use std::time::Duration;

use lavamux::wire::exec::{Exec, Next, Shell};
use lavamux::wire::heard::Heard;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &str, Vec<&[u8]>)| {
    let (shell, command, pieces) = input;
    let shells = [None, Some(Shell::Posix), Some(Shell::UBoot), Some(Shell::Plain)];
    let shell = shells[usize::from(shell % 4)];
    let Ok(mut exec) = Exec::new(command, shell, None, "M1x") else { return };
    let mut heard = Heard::default();
    heard.push(0, b"=> ");
    for piece in pieces {
        heard.push(heard.end(), piece);
        for quiet in [Duration::ZERO, Duration::from_secs(9)] {
            let mut steps = 0;
            loop {
                steps += 1;
                assert!(steps < 1000, "it goes on for ever");
                match exec.next(&mut heard, quiet) {
                    Next::Type(_) | Next::Show { .. } => {}
                    Next::Wait(_) => break,
                    Next::Done(_) | Next::Failed(_) => return,
                }
            }
        }
    }
});
