//! Results on a line that damages them: a board behind a simulated UART with noise (`sim:uart`), on
//! lava-serial's console.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::dialogue::{HEAD, dispatch, noted};
use super::host_board::{blocks, board_behind, device};
use crate::common::{Cable, Heard, Process, TestLab, wait_until};

/// How many cases the board reports.
const CASES: usize = 40;
/// One bit of so many is turned around: about every fifth line is damaged.
const NOISE: u32 = 3000;

#[test]
fn what_noise_damages_is_asked_for_again_until_all_results_are_here() {
    let lab = TestLab::new();
    let mut cable = Cable::at(&lab.path("cable"));
    let capture = lab.path("capture").display().to_string();
    let port = format!("sim:uart,control={}", lab.path("cable").display());
    let serial = ["--name", "panda01", "--port", &port, "--capture", &capture];
    let listen = ["--http", "127.0.0.1:0", "--raw", "127.0.0.1:0"];
    let serial = lab.start("lava-serial", [&serial[..], &listen[..]].concat());
    cable.order("far 115200n8");
    let shell = board_behind(&lab, serial.address("raw").port());
    let job = format!(
        "{HEAD}{}- test:
    definitions:
    - name: many
      from: inline
      path: many.yaml
      repository:
        metadata: {{format: Lava-Test Test Definition 1.0, name: many}}
        run: {{steps: ['for i in $(seq {CASES}); do lava-test-case case-$i --result pass; done']}}
",
        blocks("")
    );
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
        let (mut said, mut noisy) = (0, false);
        while !job.is_finished() {
            use std::io::Write as _;
            let typed = cable.received();
            if !typed.is_empty() {
                if String::from_utf8_lossy(&typed).contains("lava-test-runner") {
                    cable.order(&format!("noise {NOISE}"));
                    noisy = true;
                }
                hears.write_all(&typed).unwrap();
            }
            let all = says.bytes();
            for piece in all[said..].chunks(512) {
                cable.send(piece);
            }
            said = all.len();
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(noisy, "no tests were run");
        let done = job.join().unwrap();
        let log = noted(&lab, "out/output.jsonl");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(0), "{said}\n{log}");
        assert!(log.contains("came damaged"), "nothing was damaged: {log}");
        assert!(log.contains("lava-signals-again"), "{log}");
    });
    let results = noted(&lab, "out/results.yaml");
    let cases: Vec<usize> = results
        .lines()
        .filter_map(|line| line.strip_prefix("  case: case-")?.parse().ok())
        .collect();
    assert_eq!(cases, (1..=CASES).collect::<Vec<_>>(), "{results}");
}
