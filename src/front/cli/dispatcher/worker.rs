//! `lava-dispatcher worker`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::client::server::LabServer;
use crate::client::{Endpoint, Login};
use crate::config::lab::CertFiles;
use crate::config::{board, state_dir};
use crate::dispatch::guard;
use crate::dispatch::worker::{Scripts, Settings, Worker};
use crate::model::{Failure, Kind, Machine, Name, units};

/// It asks the server, and is asked by nobody: it works from behind a firewall or NAT. Its token there is one of its
/// own (lava user token root --worker NAME); it is taken from --token-file, $LAVA_TOKEN, $LAVA_TOKEN_FILE or
/// ~/.config/lava/token. It can show a certificate (--cert, --key) instead. Jobs outlive it: one that is started in its place goes on with them.
#[derive(Debug, Args)]
pub struct WorkerArgs {
    /// The lava-server. Else: $LAVA_SERVER.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// What it is called; no two workers of a server have the same name [default: this host's name].
    #[arg(long, value_name = "NAME")]
    name: Option<Name>,
    /// So many jobs at a time.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    jobs: u16,
    /// The folder of its jobs, with what is needed to go on with them [default: worker in the state folder].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The file with its token, which only its owner may read.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The CA of the server's certificate. Jobs know by it the daemons of their boards, too, and the server's
    /// images, unless $LAVA_CA names another one.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The certificate that it shows to the server instead of a token: a [[certificate]] there says worker = NAME.
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The certificate's key.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// A folder of this host, or a file or a device, that jobs may name and read: with file: URLs, with
    /// repositories of this host and with devices for their containers; may be repeated. Without it there is
    /// none.
    #[arg(long, value_name = "DIR")]
    files: Vec<PathBuf>,
    /// Run the scripts of CI jobs, too (lava ci). They are kept to folders of their own as far as this kernel can
    /// (Landlock), and may do else what this user may, on sockets of this host, too: let it be a user of its own.
    #[arg(long)]
    scripts: bool,
    /// How much the files of a script's run may take on the disk: one that takes more is ended.
    #[arg(long, value_name = "SIZE", default_value = "10GiB", value_parser = units::size)]
    script_space: u64,
    /// A folder of virtual machines, each a NAME.toml as lava board export writes them (type, tags, attributes,
    /// dictionary): boards of the server's, on this worker alone, for as long as it is heard of. The console of a machine
    /// is the one of its name that the lava-serial of a host of this worker's name announces.
    #[arg(long, value_name = "DIR")]
    machines: Option<PathBuf>,
    /// Options of lava-dispatcher run that all of its jobs get, behind --, as in
    /// -- --tftp-dir /srv/tftp --dispatcher-ip 10.0.0.1
    #[arg(last = true, value_name = "OPTION")]
    options: Vec<OsString>,
}

impl WorkerArgs {
    /// Works until it is cancelled.
    ///
    /// # Errors
    /// When its folder is another worker's, or cannot be used.
    pub async fn run(self, cancelled: &CancellationToken) -> Result<(), Failure> {
        let name = match self.name {
            Some(name) => name,
            None => own_name()?,
        };
        let program = guard::program().ok_or_else(|| {
            Failure::new(Kind::Infra, "there is no lava-dispatcher beside this program or in $PATH")
        })?;
        let absolute = |path: PathBuf| {
            std::path::absolute(&path)
                .map_err(|error| Failure::new(Kind::User, format!("{}: {error}", path.display())))
        };
        let machines = self.machines.as_deref().map(machines).transpose()?.unwrap_or_default();
        let files = self.files.into_iter().map(absolute).collect::<Result<_, _>>()?;
        let dir = absolute(self.dir.unwrap_or_else(|| state_dir().join("worker")))?;
        let server = server(self.server)?;
        let own_ca = self.ca.clone().map(absolute).transpose()?;
        let of_jobs = std::env::var_os("LAVA_CA").filter(|file| !file.is_empty());
        let of_jobs = of_jobs.map(|file| absolute(file.into())).transpose()?;
        // A script asks the server as we do.
        let of_scripts = own_ca.clone().or_else(|| of_jobs.clone());
        let (ca, space) = (of_scripts, self.script_space);
        let scripts = self.scripts.then(|| Scripts { server: server.to_string(), ca, space });
        let cert = self.cert.zip(self.key).map(|(cert, key)| Box::new(CertFiles { cert, key }));
        let login = Login { token_file: self.token_file, ca: self.ca, cert, behalf: None };
        let settings = Settings {
            server: LabServer::new(server, login),
            name: name.clone(),
            slots: usize::from(self.jobs),
            dir: dir.clone(),
            program,
            files,
            ca: of_jobs.or(own_ca),
            scripts,
            machines,
            options: self.options,
        };
        let worker = Worker::open(settings)?;
        let _ = writeln!(std::io::stdout(), "ready: worker={name} dir={}", dir.display());
        worker.run(cancelled).await
    }
}

/// The machines of a folder.
fn machines(folder: &Path) -> Result<BTreeMap<Name, Machine>, Failure> {
    let of = |(name, board): (Name, _)| match Machine::of(board) {
        Ok(machine) => Ok((name, machine)),
        Err(key) => {
            let what = format!(
                "{}: {key} is for the lab's admin to say",
                folder.join(format!("{name}.toml")).display()
            );
            let hint = "a machine has a type, tags, attributes and a dictionary; lava board add describes others";
            Err(Failure::new(Kind::Config, what).hint(hint))
        }
    };
    board::read(folder)?.into_iter().map(of).collect()
}

fn server(named: Option<String>) -> Result<Endpoint, Failure> {
    let set = || std::env::var("LAVA_SERVER").ok().filter(|url| !url.is_empty());
    let url = named.or_else(set).ok_or_else(|| {
        Failure::new(Kind::User, "no lava-server is named").hint("--server https://HOST:PORT")
    })?;
    url.parse().map_err(|error: String| Failure::new(Kind::User, error))
}

fn own_name() -> Result<Name, Failure> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    host.parse().map_err(|error| {
        let what = format!("this host's name cannot be a worker's: {error}");
        Failure::new(Kind::Config, what).hint("name it: --name NAME")
    })
}
