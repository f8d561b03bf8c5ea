//! A service manager that keeps open files, as systemd does: the protocol of sd_notify(3) and
//! sd_listen_fds(3).

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::daemon::Daemon;
use super::lab::TestLab;
use super::process::program;

/// Files are inherited by numbers from here on, out of the way of those that they become.
const INHERITED: i32 = 500;

/// Starts one process of a service after the other.
pub(crate) struct Manager {
    socket: PathBuf,
    store: Arc<Mutex<Vec<Stored>>>,
}

struct Stored {
    name: String,
    file: OwnedFd,
    /// It is dropped when its other end is gone.
    polled: bool,
}

impl Manager {
    pub(crate) fn new(lab: &TestLab) -> Self {
        let socket = lab.path("notify");
        let listener = UnixDatagram::bind(&socket).unwrap();
        // Ends soon after its test.
        listener.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let store = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::downgrade(&store);
        std::thread::spawn(move || {
            while let Some(store) = kept.upgrade() {
                if let Some((text, files)) = receive(&listener) {
                    told(&mut store.lock().unwrap(), &text, files);
                }
            }
        });
        Self { socket, store }
    }

    /// The names of what it keeps.
    pub(crate) fn stored(&self) -> Vec<String> {
        self.store.lock().unwrap().iter().map(|stored| stored.name.clone()).collect()
    }

    /// A process of the service, with the files that were stored.
    pub(crate) fn next(&self, lab: &TestLab, arguments: &[&str]) -> Command {
        let mut store = self.store.lock().unwrap();
        store.retain(|stored| !stored.polled || !hung_up(&stored.file));
        let (mut moves, mut names) = (String::new(), Vec::new());
        for (at, stored) in store.iter_mut().enumerate() {
            // By another number than before: the one before it is closed.
            let file = fcntl_dupfd_cloexec(&stored.file, INHERITED).unwrap();
            fcntl_setfd(&file, FdFlags::empty()).unwrap();
            let from = file.as_raw_fd();
            moves.push_str(&format!("exec {}<&{from} {from}<&-; ", at + 3));
            names.push(stored.name.clone());
            stored.file = file;
        }
        let mut command = lab.tool("bash");
        let script = format!("{moves} export LISTEN_PID=$$; exec \"$0\" \"$@\"");
        command.args(["-c", &script]).arg(program("lava-serial")).args(arguments);
        command.env("NOTIFY_SOCKET", &self.socket).env("FDSTORE", "64");
        if !names.is_empty() {
            command.env("LISTEN_FDS", names.len().to_string());
            command.env("LISTEN_FDNAMES", names.join(":"));
        }
        command
    }

    /// The same, started and ready.
    #[track_caller]
    pub(crate) fn start(&self, lab: &TestLab, arguments: &[&str]) -> Daemon {
        Daemon::start("lava-serial", &mut self.next(lab, arguments))
    }
}

fn receive(listener: &UnixDatagram) -> Option<(String, Vec<OwnedFd>)> {
    let mut bytes = [0; 1024];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut into = [IoSliceMut::new(&mut bytes)];
    let got = recvmsg(listener, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC).ok()?;
    let files = control.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => files.collect(),
        _ => Vec::new(),
    });
    let files = files.collect();
    Some((String::from_utf8_lossy(&bytes[..got.bytes]).into_owned(), files))
}

fn told(store: &mut Vec<Stored>, text: &str, files: Vec<OwnedFd>) {
    let says = |line: &str| text.lines().any(|told| told == line);
    let name = text.lines().find_map(|line| line.strip_prefix("FDNAME=")).unwrap_or("stored");
    if says("FDSTORE=1") {
        let (name, polled) = (name.to_owned(), !says("FDPOLL=0"));
        store.extend(files.into_iter().map(|file| Stored { name: name.clone(), file, polled }));
    } else if says("FDSTOREREMOVE=1") {
        store.retain(|stored| stored.name != name);
    }
    // The file of a barrier is closed: what was told before has been heard.
}

fn hung_up(file: &OwnedFd) -> bool {
    let mut files = [PollFd::new(file, PollFlags::empty())];
    poll(&mut files, Some(&rustix::time::Timespec::default())).unwrap() > 0
}
