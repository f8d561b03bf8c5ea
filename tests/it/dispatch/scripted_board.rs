//! A board that is played by a script: it says what U-Boot, Linux and a shell say, behind a telnet
//! port. No real board; those are in `real_board`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};

use crate::common::{LIMIT, TestLab};

/// What the board does once its kernel is started.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Play {
    /// Comes up and runs tests; the signals that its test runner gives.
    Tests(&'static str),
    Panic,
    /// Has an Oops, and comes up all the same; the signals that its test runner gives.
    Oops(&'static str),
    /// Begins again.
    Reboot,
    /// Says nothing any more.
    Hang,
}

/// The board, played by a thread for one power cycle and one client.
pub(crate) struct ScriptedBoard {
    /// Where its serial line is.
    pub(crate) port: u16,
    heard: Arc<Mutex<Vec<String>>>,
    power: mpsc::Sender<()>,
}

const WILL_ECHO: [u8; 3] = [255, 251, 1];

impl ScriptedBoard {
    /// A board behind a telnet port whose power works, and the device dictionary that leads to it.
    pub(crate) fn start(lab: &TestLab, play: Play) -> (Self, String) {
        let board = Self::new(lab, play, true);
        board.let_power_work();
        let device = device(lab, &format!("telnet 127.0.0.1 {}", board.port));
        (board, device)
    }

    /// A board behind a telnet or a raw port; its outlet switches only when it is let.
    pub(crate) fn new(lab: &TestLab, play: Play, telnet: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let fifo = lab.path("power");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let (lines, tftp) = (heard.clone(), lab.path("tftp"));
        let (power, let_work) = mpsc::channel();
        std::thread::spawn(move || {
            let (mut line, _) = listener.accept().unwrap();
            line.set_read_timeout(Some(LIMIT)).unwrap();
            if telnet {
                line.write_all(&WILL_ECHO).unwrap();
            }
            // Whoever switches the outlet hangs until there is somebody to read.
            if let_work.recv().is_err() {
                return;
            }
            let mut word = String::new();
            BufReader::new(std::fs::File::open(fifo).unwrap()).read_line(&mut word).unwrap();
            assert_eq!(word, "cycle\n");
            Player { line, heard: lines, tftp }.play(play);
        });
        Self { port, heard, power }
    }

    pub(crate) fn let_power_work(&self) {
        self.power.send(()).unwrap();
    }

    /// The lines that were typed at the board.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

/// Writes the device dictionary of a scripted board that is reached by `connect`.
pub(crate) fn device(lab: &TestLab, connect: &str) -> String {
    let power = lab.path("power");
    let example = include_str!("../../../conf/devices/qemu-uboot.yaml");
    let device = example
        .replace("lava-console panda01", connect)
        .replace("lava power cycle panda01", &tell(&power, "cycle"))
        .replace("lava power on panda01", &tell(&power, "on"))
        .replace("lava power off panda01", &format!("touch {}", lab.path("off").display()));
    lab.write("device.yaml", &device)
}

fn tell(power: &Path, word: &str) -> String {
    format!("sh -c \"echo {word} > {}\"", power.display())
}

const OOPS: &str =
    "[    1.2] Unable to handle kernel NULL pointer dereference at virtual address 8\r
[    1.2] Internal error: Oops: 0000000096000004 [#1] SMP\r
[    1.2] ---[ end trace 0000000000000000 ]---\r
";

struct Player {
    line: TcpStream,
    heard: Arc<Mutex<Vec<String>>>,
    tftp: PathBuf,
}

impl Player {
    fn play(mut self, play: Play) -> Option<()> {
        self.say("\r\nU-Boot 2023.01 (scripted)\r\n\r\nHit any key to stop autoboot:  2 ")?;
        self.key()?;
        self.say("\r\n=> ")?;
        loop {
            let typed = self.typed()?;
            match typed.split(' ').next()? {
                "" => self.say("=> ")?,
                "tftpboot" => {
                    let file = self.tftp.join(typed.split(' ').nth(2)?);
                    let size = std::fs::metadata(&file).map_or(0, |meta| meta.len());
                    match size {
                        0 => self.say("\r\nTFTP error: 'File not found' (1)\r\n=> ")?,
                        size => self.say(&format!("\r\nBytes transferred = {size}\r\n=> "))?,
                    }
                }
                "booti" => break,
                _ => self.say("\r\n=> ")?,
            }
        }
        self.say(
            "\r\nStarting kernel ...\r\n\r\n[    0.000000] Linux version 6.1.0 (scripted)\r\n",
        )?;
        let signals = match play {
            Play::Tests(signals) => signals,
            Play::Oops(signals) => {
                self.say(OOPS)?;
                signals
            }
            Play::Reboot => {
                self.say("\r\nU-Boot 2023.01 (scripted)\r\n\r\nHit any key to stop autoboot:  2 ")?;
                return self.typed().map(drop);
            }
            Play::Panic => {
                self.say("[    1.2] Kernel panic - not syncing: No working init found.\r\n")?;
                return self.typed().map(drop);
            }
            Play::Hang => return self.typed().map(drop),
        };
        self.say("\r\nboard login: ")?;
        self.typed()?;
        self.say("\r\nboard# \x1b[6n")?;
        loop {
            let typed = self.typed()?;
            self.say("\r\n")?;
            if typed.contains("lava-test-runner") {
                self.say(signals)?;
            }
            self.say("board# \x1b[6n")?;
        }
    }

    fn say(&mut self, text: &str) -> Option<()> {
        self.line.write_all(text.as_bytes()).ok()
    }

    /// The next key, without the answers to telnet's options.
    fn key(&mut self) -> Option<u8> {
        let mut byte = [0];
        self.line.read_exact(&mut byte).ok()?;
        if byte[0] == 255 {
            self.line.read_exact(&mut [0, 0]).ok()?;
            return self.key();
        }
        Some(byte[0])
    }

    /// The next line, each key echoed; `None` when nobody is there any more.
    fn typed(&mut self) -> Option<String> {
        let mut typed = Vec::new();
        loop {
            match self.key()? {
                b'\n' | b'\r' => break,
                0x15 => typed.clear(),
                key => {
                    typed.push(key);
                    self.line.write_all(&[key]).ok()?;
                }
            }
        }
        let typed = String::from_utf8(typed).ok()?;
        self.heard.lock().unwrap().push(typed.clone());
        Some(typed)
    }
}
