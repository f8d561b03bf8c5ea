//! Where boards are looked up.

use std::path::PathBuf;

use clap::Args;

use crate::client::lab::Lab;
use crate::model::Failure;

/// Which lab is meant.
#[derive(Debug, Args)]
pub(super) struct LabArgs {
    /// Look boards up in this inventory. Else: $LAVA_SERVER, $LAVA_LAB, ~/.config/lava/lab.toml,
    /// /etc/lava/lab.toml, the daemons of this host.
    #[arg(long, value_name = "FILE", conflicts_with = "server")]
    lab: Option<PathBuf>,
    /// Look boards up at this server.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
}

impl LabArgs {
    /// The lab, for who started this process.
    ///
    /// # Errors
    /// As [`Lab::locate`].
    pub(super) fn here(&self) -> Result<Lab, Failure> {
        Lab::locate(self.server.as_deref(), self.lab.clone())
    }
}
