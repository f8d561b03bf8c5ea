//! The command line of `lava-power`.

use std::path::PathBuf;

use clap::Parser;

use super::print;
use crate::config::permit_all_power;
use crate::config::power::PowerConfig;
use crate::front::http::TlsConfig;
use crate::model::Failure;

/// Switches the outlets of power units by name, and says what it verified.
///
/// Exit codes: 0 ended when told to; 2 wrong usage or configuration; 3 a listener or a folder cannot
/// be used.
#[derive(Debug, Parser)]
#[command(name = "lava-power", version)]
pub struct PowerArgs {
    /// Files or folders of TOML that describe PDUs and outlets.
    #[arg(long, value_name = "PATH", num_args = 1.., required = true)]
    config: Vec<PathBuf>,
    /// Only say what is wrong with the files, and serve nothing.
    #[arg(long)]
    check: bool,
}

impl PowerArgs {
    /// The files and folders to read.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.config.clone()
    }

    /// What was asked for; `None` when the files were only to be checked.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn into_config(self) -> Result<Option<PowerConfig>, Failure> {
        let config = PowerConfig::read(&self.config)?;
        if self.check {
            TlsConfig::of(config.http.as_ref())?;
            permit_all_power(&config)?;
            let outlets: usize = config.pdus.iter().map(|pdu| pdu.outlets.len()).sum();
            print(format!("good: {} PDUs, {outlets} outlets\n", config.pdus.len()).as_bytes())?;
        }
        Ok((!self.check).then_some(config))
    }
}
