//! A real NFS server in user space: nfs-ganesha with one folder. It needs root, as every NFS server does.

use std::path::PathBuf;
use std::process::Stdio;

use super::heard::Heard;
use super::job::shipped;
use super::lab::TestLab;
use super::process::Process;
use super::wait::{LIMIT, wait_until};

pub(crate) struct NfsServer {
    process: Process,
    log: Heard,
    port: u16,
}

impl NfsServer {
    /// Exports a folder of the lab's under its own path, by NFS 4 and at a port of its own.
    pub(crate) fn start(lab: &TestLab, folder: &str) -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "nfs-ganesha needs root: run the tests as root"
        );
        let folder = lab.path(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let (folder, state) = (folder.display(), lab.path("ganesha"));
        std::fs::create_dir(&state).unwrap();
        let config = format!(
            "NFS_CORE_PARAM {{ Protocols = 4; NFS_Port = 0; Bind_addr = 127.0.0.1; Enable_NLM = false; \
             Enable_RQUOTA = false; }}\n\
             NFSV4 {{ Graceless = true; RecoveryBackend = fs; RecoveryRoot = {state}; \
             Only_Numeric_Owners = true; }}\n\
             EXPORT {{ Export_Id = 1; Path = {folder}; Pseudo = {folder}; Access_Type = RW; \
             Squash = No_Root_Squash; SecType = sys; FSAL {{ Name = VFS; }} }}\n",
            state = state.display(),
        );
        let config = lab.write("ganesha.conf", &config);
        let mut ganesha = lab.tool("/usr/bin/ganesha.nfsd");
        ganesha.args(["-F", "-f", &config, "-L", "STDERR", "-p"]).arg(lab.path("ganesha.pid"));
        ganesha.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = Process::spawn(&mut ganesha);
        let log = Heard::from(process.child().stderr.take().unwrap());
        let mut port = None;
        wait_until(LIMIT, "the NFS server is ready", || {
            assert!(process.exited().is_none(), "nfs-ganesha has ended: {}", log.text());
            port = log
                .text()
                .contains("NFS SERVER INITIALIZED")
                .then(|| tcp_port(process.pid()))
                .flatten();
            port.is_some()
        });
        Self { process, log, port: port.unwrap() }
    }

    /// A shipped dictionary, whose board finds this server.
    pub(crate) fn device(&self, lab: &TestLab, device: &str) -> String {
        let dictionary = std::fs::read_to_string(shipped(device)).unwrap();
        let options = format!("{{NFSROOTFS}},vers=4.2,port={}", self.port);
        let found = dictionary.replace("{NFSROOTFS},tcp,hard", &options);
        assert_ne!(found, dictionary);
        lab.write("nfs-device.yaml", &found)
    }
}

impl Drop for NfsServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- nfs-ganesha ({}) said:\n{}", self.process.pid(), self.log.text());
        }
    }
}

/// The TCP port on 127.0.0.1 that a process listens on: it does not tell which it was given.
fn tcp_port(pid: u32) -> Option<u16> {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let sockets: Vec<PathBuf> =
        open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok()).collect();
    let table = std::fs::read_to_string("/proc/net/tcp6").ok()?;
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // It listens, on an IPv4 address that is mapped.
        let port = fields.get(1)?.strip_prefix("0000000000000000FFFF00000100007F:")?;
        let inode = PathBuf::from(format!("socket:[{}]", fields.get(9)?));
        let ours = *fields.get(3)? == "0A" && sockets.contains(&inode);
        u16::from_str_radix(port, 16).ok().filter(|_| ours)
    })
}
