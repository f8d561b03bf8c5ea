//! The command line of `lava-server`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

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
#[command(name = "lava-server", version)]
pub struct ServerArgs {
    /// Files or folders of TOML.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    config: Vec<PathBuf>,
    /// Listen there.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Keep everything there: postgres://USER@HOST/NAME or sqlite:FILE. A file of SQLite in the folder
    /// when left out.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// The folder for what outlives it.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Only say what is wrong with the files, and serve nothing.
    #[arg(long, requires = "config")]
    check: bool,
}

impl ServerArgs {
    /// What was asked for; `None` when the files were only to be checked.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn into_config(self) -> Result<Option<ServerConfig>, Failure> {
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
        }
        Ok((!self.check).then_some(config))
    }
}
