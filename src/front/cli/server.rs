//! The command line of `lava-server`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::print;
use crate::config::server::ServerConfig;
use crate::config::{HttpListen, Safety, permit};
use crate::front::http::TlsConfig;
use crate::model::Failure;

/// Knows a lab's boards, gives them to who asks, and tells who waits why.
///
/// Without any option it listens on 127.0.0.1:7000 and keeps what it knows in its state folder.
///
/// Exit codes: 0 ended when told to; 2 wrong usage or configuration; 3 a listener, a folder or the
/// database cannot be used.
#[derive(Debug, Parser)]
#[command(name = "lava-server", version, subcommand_precedence_over_arg = true)]
pub struct ServerArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// A file or a folder of TOML; as often as there are several.
    #[arg(long, value_name = "PATH", global = true)]
    config: Vec<PathBuf>,
    /// Listen there.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Keep everything there: postgres://USER@HOST/NAME or sqlite:FILE. A file of SQLite in the folder
    /// when left out.
    #[arg(long, value_name = "URL", global = true)]
    database: Option<String>,
    /// The folder for what outlives it.
    #[arg(long, value_name = "DIR", global = true)]
    dir: Option<PathBuf>,
    /// Only say what is wrong with the files, and serve nothing.
    #[arg(long, requires = "config")]
    check: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Copy all that a server has into a folder, while it runs: its database, the logs of jobs, and images
    ///
    /// A second backup into the same folder copies only what is new.
    Backup {
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Make of a backup the lab of a server that has none yet, in SQLite or PostgreSQL whatever it was in
    Restore {
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
}

/// What was asked for.
#[derive(Debug)]
pub enum Asked {
    Serve(ServerConfig),
    /// The files were only to be checked, and are good.
    Nothing,
    Backup(ServerConfig, PathBuf),
    Restore(ServerConfig, PathBuf),
}

impl ServerArgs {
    /// What was asked for.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn asked(self) -> Result<Asked, Failure> {
        let config = match self.config.is_empty() {
            true => ServerConfig::default(),
            false => ServerConfig::read(&self.config)?,
        };
        let mut config = config.with_database(self.database)?;
        if let Some(listen) = self.listen {
            config.http = HttpListen { listen, ..config.http };
        }
        config.dir = self.dir.unwrap_or(config.dir);
        if self.check {
            TlsConfig::of(Some(&config.http))?;
            let safety = Safety::of_http(&config.http, &config.access);
            permit("http", config.http.listen, safety)?;
            print(b"good\n")?;
            return Ok(Asked::Nothing);
        }
        Ok(match self.verb {
            None => Asked::Serve(config),
            Some(Verb::Backup { folder }) => Asked::Backup(config, folder),
            Some(Verb::Restore { folder }) => Asked::Restore(config, folder),
        })
    }
}
