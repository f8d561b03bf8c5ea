//! A PostgreSQL of a test's own, Debian's, reached by its socket alone. The library's own tests have it, too: nothing
//! here is of this crate.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Where the socket of a running one is that every `lava-server` of these tests is to have a database of.
#[allow(dead_code, reason = "the library's own tests start no server")]
pub(crate) const EVERYWHERE: &str = "LAVA_TEST_POSTGRES";
/// Debian 12's.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";
/// It is there within this time, on a host that has much else to do.
const LIMIT: Duration = Duration::from_secs(120);

pub(crate) struct Postgres {
    dir: tempfile::TempDir,
    process: Option<Child>,
}

impl Postgres {
    /// One that answers.
    pub(crate) fn start() -> Self {
        let mut postgres = Self::made();
        postgres.serve();
        postgres.wait();
        postgres
    }

    /// One that does not run yet.
    pub(crate) fn made() -> Self {
        assert!(
            Path::new(PROGRAMS).join("initdb").exists(),
            "{PROGRAMS}/initdb is missing: run tests/run, which installs postgresql-15"
        );
        let dir = tempfile::tempdir().unwrap();
        // It does not run as root.
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
        let postgres = Self { dir, process: None };
        let mut init = program(postgres.dir(), "initdb");
        init.args(["-U", "lava", "-A", "trust", "--locale=C", "-E", "UTF8", "--no-sync", "-D"]);
        done(init.arg(postgres.cluster()));
        postgres
    }

    /// Has it run, whenever it answers.
    pub(crate) fn serve(&mut self) {
        let mut serve = program(self.dir(), "postgres");
        serve.arg("-D").arg(self.cluster()).arg("-k").arg(self.dir());
        serve.args(["-c", "listen_addresses=", "-c", "fsync=off"]);
        let serve = serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(serve.spawn().unwrap());
    }

    fn wait(&self) {
        let begun = Instant::now();
        let ready =
            || program(self.dir(), "pg_isready").arg("-h").arg(self.dir()).output().unwrap().status;
        while !ready().success() {
            assert!(begun.elapsed() < LIMIT, "PostgreSQL does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A database that is there from the beginning.
    pub(crate) fn url(&self) -> String {
        url_of(self.dir(), "postgres")
    }

    /// A new database.
    #[allow(dead_code, reason = "not every test binary needs several")]
    pub(crate) fn database(&self, name: &str) -> String {
        create(self.dir(), name)
    }

    /// The folder of its socket.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The databases that were made in it.
    #[allow(dead_code, reason = "not every test binary asks")]
    pub(crate) fn databases(&self) -> usize {
        let mut ask = program(self.dir(), "psql");
        ask.arg("-h").arg(self.dir()).args(["-U", "lava", "-At", "-d", "postgres", "-c"]);
        let Output { stdout, .. } = ask.arg("SELECT datname FROM pg_database").output().unwrap();
        let names = String::from_utf8(stdout).unwrap();
        names.lines().filter(|name| !name.starts_with("template") && *name != "postgres").count()
    }

    fn cluster(&self) -> PathBuf {
        self.dir.path().join("cluster")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A new database of the PostgreSQL whose socket is there.
pub(crate) fn create(dir: &Path, name: &str) -> String {
    let mut create = program(dir, "createdb");
    done(create.arg("-h").arg(dir).args(["-U", "lava", name]));
    url_of(dir, name)
}

pub(crate) fn url_of(dir: &Path, database: &str) -> String {
    format!("postgres://lava@localhost/{database}?host={}", dir.display())
}

/// A program of PostgreSQL's, which the kernel kills with us.
fn program(dir: &Path, name: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if rustix::process::geteuid().is_root() {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    command.arg("--").arg(Path::new(PROGRAMS).join(name)).current_dir(dir);
    command
}

fn done(command: &mut Command) {
    let Output { status, stderr, .. } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
}
