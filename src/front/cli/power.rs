//! The command line of `lava-power`.

use std::path::PathBuf;

use clap::Parser;

use crate::config::power::PowerConfig;
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
}

impl PowerArgs {
    /// The files and folders to read.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.config.clone()
    }

    /// What was asked for.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn into_config(self) -> Result<PowerConfig, Failure> {
        PowerConfig::read(&self.config)
    }
}
