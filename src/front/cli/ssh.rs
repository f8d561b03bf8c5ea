//! The command line of `lava-ssh`.

use std::path::PathBuf;

use clap::Parser;

use super::print;
use crate::config::ssh::SshConfig;
use crate::model::Failure;

/// The lab by SSH: consoles, the verbs of lava, and captures as files, for users who have keys.
///
/// Exit codes: 0 ended when told to; 2 wrong usage or configuration; 3 a listener or the host key cannot
/// be used.
#[derive(Debug, Parser)]
#[command(name = "lava-ssh", version)]
pub struct SshArgs {
    /// Files or folders of TOML that tell where to listen, and who is let in.
    #[arg(long, value_name = "PATH", num_args = 1.., required = true)]
    config: Vec<PathBuf>,
    /// Only say what is wrong with the files, and serve nothing.
    #[arg(long)]
    check: bool,
}

impl SshArgs {
    /// The files and folders to read.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.config.clone()
    }

    /// What is to be served; `None` when the files were only to be checked.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn into_config(self) -> Result<Option<SshConfig>, Failure> {
        let config = SshConfig::read(&self.config)?;
        if self.check {
            let (users, forwards) = (config.users.len(), config.forwards.len());
            print(format!("good: {users} users, {forwards} forwards\n").as_bytes())?;
        }
        Ok((!self.check).then_some(config))
    }
}
