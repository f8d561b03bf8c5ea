//! Somebody at a console: reads all the time, types when told to.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::heard::Heard;
use super::process::{Process, command};
use super::terminal::Terminal;
use super::wait::LIMIT;

/// A client with a cursor: [`Client::expect`] looks at what came after the last thing expected.
pub(crate) struct Client {
    heard: Heard,
    cursor: usize,
    writer: Box<dyn Write + Send>,
    /// The program, where the client is one.
    process: Option<Process>,
    /// Its terminal, where it has one.
    terminal: Option<Terminal>,
    socket: Option<TcpStream>,
}

impl Client {
    /// A plain TCP connection.
    pub(crate) fn raw(address: SocketAddr) -> Self {
        Self::on(TcpStream::connect(address).unwrap())
    }

    /// The other end of a connection that was made to us.
    pub(crate) fn on(socket: TcpStream) -> Self {
        socket.set_nodelay(true).unwrap();
        Self {
            heard: Heard::from(socket.try_clone().unwrap()),
            cursor: 0,
            writer: Box::new(socket.try_clone().unwrap()),
            process: None,
            terminal: None,
            socket: Some(socket),
        }
    }

    /// Whoever is at the other end of a wire: the board.
    pub(crate) fn wire(terminal: &Terminal) -> Self {
        Self {
            heard: Heard::from(terminal.near()),
            cursor: 0,
            writer: Box::new(terminal.near()),
            process: None,
            terminal: None,
            socket: None,
        }
    }

    /// The `telnet` program in a terminal of its own.
    pub(crate) fn telnet(address: SocketAddr) -> Self {
        let mut telnet = command("telnet");
        telnet.arg(address.ip().to_string()).arg(address.port().to_string());
        Self::in_terminal(&mut telnet)
    }

    /// Any program in a terminal of its own, which is its controlling terminal. The command is
    /// one of [`super::TestLab::program`] or [`super::TestLab::tool`].
    pub(crate) fn in_terminal(program: &mut Command) -> Self {
        let terminal = Terminal::new();
        // `setsid` runs the whole command line in a new session on that terminal, in one process.
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(program.get_program()).args(program.get_args());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(dir) = program.get_current_dir() {
            command.current_dir(dir);
        }
        let far = || terminal.far_end();
        let process = Process::spawn(command.stdin(far()).stdout(far()).stderr(far()));
        Self {
            heard: Heard::from(terminal.near()),
            cursor: 0,
            writer: Box::new(terminal.near()),
            process: Some(process),
            terminal: Some(terminal),
            socket: None,
        }
    }

    /// Any program without a terminal, as scripts run it. What it says on standard error is not
    /// heard.
    pub(crate) fn in_pipes(program: &mut Command) -> Self {
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = Process::spawn(program);
        let (input, output) = (process.child().stdin.take(), process.child().stdout.take());
        Self {
            heard: Heard::from(output.unwrap()),
            cursor: 0,
            writer: Box::new(input.unwrap()),
            process: Some(process),
            terminal: None,
            socket: None,
        }
    }

    /// Types text; Enter is `\r`.
    pub(crate) fn type_text(&mut self, text: &str) {
        self.type_bytes(text.as_bytes());
    }

    pub(crate) fn type_bytes(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).unwrap();
        self.writer.flush().unwrap();
    }

    /// Waits for text that comes after everything expected so far.
    ///
    /// # Panics
    /// When it does not come, with what came instead.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) {
        self.expect_within(LIMIT, text);
    }

    #[track_caller]
    pub(crate) fn expect_within(&mut self, limit: Duration, text: &str) {
        match self.heard.find(limit, self.cursor, text.as_bytes()) {
            Ok(end) => self.cursor = end,
            Err(message) => panic!("{message}"),
        }
    }

    /// The same for bytes that are no text.
    #[track_caller]
    pub(crate) fn expect_bytes(&mut self, bytes: &[u8]) {
        match self.heard.find(LIMIT, self.cursor, bytes) {
            Ok(end) => self.cursor = end,
            Err(message) => panic!("{bytes:?}: {message}"),
        }
    }

    pub(crate) fn heard(&self) -> &Heard {
        &self.heard
    }

    /// The program's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().expect("this client is a socket").pid()
    }

    pub(crate) fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("this client is a socket")
    }

    pub(crate) fn terminal(&self) -> &Terminal {
        self.terminal.as_ref().expect("this client is a socket")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(socket) = &self.socket {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}
