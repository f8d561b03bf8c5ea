//! A board behind a simulated UART (`sim:uart`) on lava-serial's console, whose cable the test has in its hands.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use super::dialogue::{HEAD, dispatch};
use super::host_board::{blocks, board_behind, device};
use crate::common::{Cable, Daemon, Heard, Process, TestLab, wait_until};

/// The dispatcher's side is real: its job runs through lava-serial, and the board is a shell that does what is typed.
pub(super) struct UartBoard {
    pub(super) lab: TestLab,
    cable: Cable,
    _serial: Daemon,
    shell: String,
}

impl UartBoard {
    pub(super) fn new() -> Self {
        let lab = TestLab::new();
        let mut cable = Cable::at(&lab.path("cable"));
        let capture = lab.path("capture").display().to_string();
        let port = format!("sim:uart,control={}", lab.path("cable").display());
        let serial = ["--name", "panda01", "--port", &port, "--capture", &capture];
        let listen = ["--http", "127.0.0.1:0", "--raw", "127.0.0.1:0"];
        let serial = lab.start("lava-serial", [&serial[..], &listen[..]].concat());
        cable.order("far 115200n8");
        let shell = board_behind(&lab, serial.address("raw").port());
        Self { lab, cable, _serial: serial, shell }
    }

    /// Runs a job of these tests to its end. `typed` gets what has come over the cable, which it may answer, and
    /// gives what the board's shell is told; `printed` is what goes onto the cable of what the shell prints.
    pub(super) fn run(
        &mut self,
        tests: &str,
        mut typed: impl FnMut(&mut Cable, &[u8]) -> Vec<u8>,
        printed: impl Fn(&[u8]) -> Vec<u8>,
    ) -> Output {
        let job = format!("{HEAD}{}{tests}", blocks(""));
        let (lab, cable) = (&self.lab, &mut self.cable);
        std::thread::scope(|scope| {
            let job = scope.spawn(|| dispatch(lab, &job, &device("docker01")));
            wait_until(Duration::from_secs(60), "the job has a board", || {
                Path::new(&self.shell).exists()
            });
            let mut board = Command::new("sh");
            board.arg(&self.shell);
            board.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut board = Process::spawn(&mut board);
            let says = Heard::from(board.child().stdout.take().unwrap());
            let mut hears = board.child().stdin.take().unwrap();
            let mut said = 0;
            while !job.is_finished() {
                let received = cable.received();
                hears.write_all(&typed(cable, &received)).unwrap();
                let all = says.bytes();
                for piece in all[said..].chunks(512) {
                    cable.send(&printed(piece));
                }
                said = all.len();
                std::thread::sleep(Duration::from_millis(2));
            }
            job.join().unwrap()
        })
    }
}
