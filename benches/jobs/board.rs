//! Stand-in boards behind telnet ports: they take no time of their own, so that what is measured is the
//! dispatcher's. What is typed comes back at once, as from a terminal.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Instant;

use anyhow::Result;

/// What both dispatchers take for the kernel's beginning.
const KERNEL: &str = "Linux version 6.1.0 (a board that is played)\r\n";
/// How a line begins, and what the rest of its about ninety characters is.
const TEXT: &str = "virtio_blk virtio1: [vda] 8192 512-byte logical blocks (4.19 MB)";

#[derive(Debug, Clone, Copy)]
pub(crate) enum Play {
    /// Prints so many lines between the marks of a monitor.
    Prints(usize),
    /// Asks for a login, and has a shell that answers every line at once with its prompt.
    Shell,
    /// Its kernel panics and would reboot at once (`panic=-1`): the line that ends a panic never comes.
    Panics,
}

/// A board that plays for one client.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) port: u16,
    moments: mpsc::Receiver<Instant>,
}

impl Board {
    pub(crate) fn start(play: Play) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let (tell, moments) = mpsc::channel();
        // It ends with its client.
        std::thread::spawn(move || {
            if let Ok((client, _)) = listener.accept() {
                let _ = act(client, play, &tell);
            }
        });
        Ok(Self { port, moments })
    }

    /// When it panicked, or began to print.
    pub(crate) fn moment(&self) -> Option<Instant> {
        self.moments.try_recv().ok()
    }
}

fn act(mut client: TcpStream, play: Play, tell: &mpsc::Sender<Instant>) -> Result<()> {
    client.set_nodelay(true)?;
    let mut typed = [0; 4096];
    client.write_all(KERNEL.as_bytes())?;
    match play {
        Play::Prints(lines) => {
            let mut text = String::from("MONITOR BEGINS\r\n");
            for at in 0..lines {
                text.push_str(&format!("[{at:12}.000000] {TEXT}\r\n"));
            }
            text.push_str("printed PASS\r\nMONITOR ENDS\r\n");
            tell.send(Instant::now())?;
            client.write_all(text.as_bytes())?;
        }
        Play::Shell => {
            client.write_all(b"board login: ")?;
            loop {
                let length = client.read(&mut typed)?;
                if length == 0 {
                    return Ok(());
                }
                let echo: Vec<&[u8]> = typed[..length]
                    .iter()
                    .map(|byte| match byte {
                        b'\n' => b"\r\n# ".as_slice(),
                        byte => std::slice::from_ref(byte),
                    })
                    .collect();
                client.write_all(&echo.concat())?;
            }
        }
        Play::Panics => {
            tell.send(Instant::now())?;
            let panic =
                "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)";
            client.write_all(format!("[    1.0] {panic}\r\n").as_bytes())?;
        }
    }
    // Silence, until the client has gone.
    while client.read(&mut typed)? > 0 {}
    Ok(())
}
