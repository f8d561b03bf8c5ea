//! Where this host's Python is: the one in the path may be a script that leads to it, as pyenv's is.

use std::path::PathBuf;
use std::process::Stdio;

use crate::sys::{Program, with_few_variables};

/// Python, and the folders that it needs.
#[derive(Debug)]
pub(super) struct Python {
    pub(super) program: PathBuf,
    pub(super) folders: Vec<PathBuf>,
}

/// Tells it, a line each; a venv has a prefix of its own.
const ASKED: &str = "import sys; print(sys.executable, sys.prefix, sys.base_prefix, sep='\\n')";

impl Python {
    /// # Errors
    /// When there is none.
    pub(super) async fn find() -> Result<Self, String> {
        let mut command = with_few_variables("python3");
        command.args(["-I", "-c", ASKED]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let failed = |error: std::io::Error| format!("python3: {error}");
        let ended = Program::spawn(command).map_err(failed)?.ended().await.map_err(failed)?;
        let mut lines = ended.output.lines().map(PathBuf::from);
        match lines.next().filter(|program| program.is_absolute()) {
            Some(program) if ended.status.success() => {
                Ok(Self { program, folders: lines.filter(|it| it.is_absolute()).collect() })
            }
            _ => Err(ended.failure("python3")),
        }
    }
}
