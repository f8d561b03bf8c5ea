//! Results on a line that damages them: a board behind a simulated UART with noise (`sim:uart`), on
//! lava-serial's console.

use super::dialogue::noted;
use super::uart_board::UartBoard;
use crate::common::Cable;

/// How many cases the board reports.
const CASES: usize = 40;
/// One bit of so many is turned around: about every fifth line is damaged.
const NOISE: u32 = 3000;

#[test]
fn what_noise_damages_is_asked_for_again_until_all_results_are_here() {
    let mut board = UartBoard::new();
    let tests = format!(
        "- test:
    definitions:
    - name: many
      from: inline
      path: many.yaml
      repository:
        metadata: {{format: Lava-Test Test Definition 1.0, name: many}}
        run: {{steps: ['for i in $(seq {CASES}); do lava-test-case case-$i --result pass; done']}}
"
    );
    let mut noisy = false;
    let typed = |cable: &mut Cable, typed: &[u8]| {
        if String::from_utf8_lossy(typed).contains("lava-test-runner") {
            cable.order(&format!("noise {NOISE}"));
            noisy = true;
        }
        typed.to_vec()
    };
    let done = board.run(&tests, typed, <[u8]>::to_vec);
    assert!(noisy, "no tests were run");
    let log = noted(&board.lab, "out/output.jsonl");
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{said}\n{log}");
    assert!(log.contains("came damaged"), "nothing was damaged: {log}");
    assert!(log.contains("lava-signals-again"), "{log}");
    let results = noted(&board.lab, "out/results.yaml");
    let cases: Vec<usize> = results
        .lines()
        .filter_map(|line| line.strip_prefix("  case: case-")?.parse().ok())
        .collect();
    assert_eq!(cases, (1..=CASES).collect::<Vec<_>>(), "{results}");
}
