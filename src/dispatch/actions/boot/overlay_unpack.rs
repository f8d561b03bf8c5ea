//! `overlay-unpack`: the booted system fetches the overlay, or takes it over its console, and unpacks it.

use std::path::Path;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::overlay_files::Packing;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::Patterns;
use crate::dispatch::job::Transfer;
use crate::dispatch::serve::Served;
use crate::dispatch::session::{SENDER, Session, Wait};
use crate::dispatch::validate::Checks;

/// Where a board has no room for the tests, none of them will be there to run.
const FULL: &str = "No space left on device";

/// So much of what the board answers is told, in characters.
const SHOWN: usize = 400;
/// Who says that an archive was not unpacked: shells, and the programs that unpack.
const UNPACKERS: [&str; 12] = [
    "ash", "bash", "busybox", "cpio", "dash", "gunzip", "gzip", "sh", "tar", "unzstd", "xz", "zstd",
];
/// What they say then.
const BROKEN: [&str; 8] = [
    ": not found",
    "No such file",
    "can't open",
    "Cannot open",
    "short read",
    "not in gzip format",
    "invalid ",
    "not recoverable",
];

/// What takes a file by ZMODEM on the board, and how it begins: with a header that says so (ZRINIT).
const RZ: &str = "rz";
const RECEIVER: &str = r"\*\*\x18B01";

#[derive(Debug)]
pub(super) struct OverlayUnpack {
    pub transfer: Transfer,
}

impl OverlayUnpack {
    fn packing(&self) -> Packing {
        Packing::of(&self.transfer.unpack_command)
    }

    /// Whether it goes over the console.
    fn is_zmodem(&self) -> bool {
        self.transfer.method.as_deref() == Some("zmodem")
    }

    /// What the board types to fetch it, and what serves that.
    async fn by_http(&self, archive: &Path, context: &mut Context) -> Result<(), Error> {
        let host = context.settings.dispatcher_ip.clone();
        let served = Served::new(archive, &host).await.map_err(|error| {
            Error::Infrastructure(format!("the overlay cannot be served: {error}"))
        })?;
        let mut shell = Shell::of(context)?;
        let line = format!("{} {}", self.transfer.download_command, served.url(&host));
        let said = tokio::select! {
            said = shell.run(&line) => said?,
            () = served.serve() => {
                return Err(Error::Bug("the overlay is not served any more".into()));
            }
        };
        match served.is_taken() {
            true => Ok(()),
            false => Err(shell.failed("the board has not fetched the overlay", &line, &said)),
        }
    }

    /// The board's `rz` takes it; LAVA's worker goes around its own console for that, and so needs to know the UART.
    async fn by_zmodem(&self, archive: &Path, context: &mut Context) -> Result<(), Error> {
        let shell = Shell::of(context)?;
        let prompts = patterns(&shell.texts)?;
        let either = Patterns::new([RECEIVER]).and_then(|p| p.and(&shell.texts));
        let either = either.map_err(Error::Configuration)?;
        shell.session.send_line(RZ, shell.delay).await?;
        let found = shell.session.expect(&either, &shell.wait).await?;
        if found.index > 0 {
            let what =
                format!("the board has no {RZ} (Debian: lrzsz): it said {:?}", found.before.trim());
            return Err(Error::Job(shell.session.told(&what, &prompts, &shell.wait)));
        }
        shell.session.send_file(archive).await?;
        shell.session.expect(&prompts, &shell.wait).await.map(drop)
    }
}

/// The board's shell, at its prompt.
struct Shell<'a> {
    session: &'a mut Session,
    /// The prompts.
    texts: Vec<String>,
    delay: Duration,
    wait: Wait,
}

impl<'a> Shell<'a> {
    fn of(context: &'a mut Context) -> Result<Self, Error> {
        let texts = context.shared().prompts.clone();
        let delay = Duration::from_millis(context.device.boot_character_delay);
        let wait = context.wait();
        let session = context.session()?;
        session.forget();
        Ok(Self { session, texts, delay, wait })
    }

    /// Types a line, and gives what is said until the prompt is there again.
    async fn run(&mut self, line: &str) -> Result<String, Error> {
        let prompts = patterns(&self.texts)?;
        self.session.send_line(line, self.delay).await?;
        let found = self.session.expect(&prompts, &self.wait).await?;
        match found.before.contains(FULL) {
            false => Ok(found.before),
            true => {
                let what = format!("the board said {FULL:?} to {line:?}");
                Err(Error::Job(self.session.told(&what, &prompts, &self.wait)))
            }
        }
    }
}

impl Shell<'_> {
    /// The failure of a line that the board has answered with this.
    fn failed(&self, what: &str, line: &str, said: &str) -> Error {
        let said = said.trim().strip_prefix(line).unwrap_or(said).trim();
        let said: String = said.chars().take(SHOWN).collect();
        let (action, last) = (self.wait.action, self.session.last_line());
        Error::Infrastructure(format!(
            "{what}: {action} typed {line:?}, and the board said {said:?}; its last line: {last:?}"
        ))
    }
}

/// Whether a line of the board's says that an archive was not unpacked. Others may say something meanwhile, as the kernel.
fn is_broken(line: &str) -> bool {
    let who = line.trim().split(':').next().unwrap_or_default().trim_start_matches('-');
    let who = who.rsplit('/').next().unwrap_or_default();
    UNPACKERS.contains(&who) && BROKEN.iter().any(|words| line.contains(words))
}

fn patterns(texts: &[String]) -> Result<Patterns, Error> {
    Patterns::new(texts).map_err(Error::Configuration)
}

impl Action for OverlayUnpack {
    fn name(&self) -> &'static str {
        "overlay-unpack"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            checks.program("tar");
            if self.packing() == Packing::Zstd {
                checks.program("zstd");
            }
            if self.is_zmodem() {
                checks.program(SENDER);
            }
            if self.transfer.method.as_deref() == Some("nfs") {
                checks.fault("cannot be run: \"transfer_method: nfs\"; use http or zmodem");
            }
            let download = ("download_command", &self.transfer.download_command);
            let unpack = ("unpack_command", &self.transfer.unpack_command);
            let needed = if self.is_zmodem() { vec![unpack] } else { vec![download, unpack] };
            for (key, command) in needed {
                if command.is_empty() {
                    checks.fault(format!("\"transfer_overlay\" has no \"{key}\""));
                }
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let missing = || Error::Bug("there is no overlay".into());
            let archive = super::overlay_files::archive(self.packing(), context)
                .await?
                .ok_or_else(missing)?;
            match self.is_zmodem() {
                true => self.by_zmodem(&archive, context).await?,
                false => self.by_http(&archive, context).await?,
            }
            let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let line = format!("{} {name}", self.transfer.unpack_command);
            let mut shell = Shell::of(context)?;
            let said = shell.run(&line).await?;
            match said.lines().any(is_broken) {
                true => Err(shell.failed("the board has not unpacked the overlay", &line, &said)),
                false => Ok(()),
            }
        })
    }
}
