//! The virtual board's files: a few built in, or those of the ramdisk it was given.

use std::collections::BTreeMap;
use std::process::Stdio;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::cpio;

/// The first bytes of a gzip stream, and of U-Boot's header with its length.
const GZIP: [u8; 2] = [0x1f, 0x8b];
const U_BOOT: [u8; 4] = [0x27, 0x05, 0x19, 0x56];
const U_BOOT_HEADER: usize = 64;
/// The largest ramdisk when unpacked, in bytes.
const MAX_UNPACKED: u64 = 256 << 20;
/// The most a board may write into files while it is on, names and all, in bytes.
const MAX_WRITTEN: usize = 1 << 20;

const BUILT_IN: [(&str, &str); 3] = [
    (
        "etc/motd",
        "This board is simulated by Lavamux: its shell knows a few commands only (try help).\n",
    ),
    ("etc/os-release", "ID=lavamux\nNAME=\"Lavamux virtual board\"\n"),
    ("proc/cpuinfo", "processor\t: 0\nmodel name\t: Lavamux virtual processor\n"),
];

/// Regular files by absolute path without the leading `/`. Folders exist when a file is in them.
#[derive(Debug)]
pub(super) struct Files {
    held: BTreeMap<String, Bytes>,
    /// What may still be written, in bytes.
    room: usize,
}

impl Files {
    pub(super) fn built_in() -> Self {
        let files =
            BUILT_IN.map(|(path, text)| (path.to_owned(), Bytes::from_static(text.as_bytes())));
        Self { held: files.into(), room: MAX_WRITTEN }
    }

    /// Those built in and those of a ramdisk: archives one after the other, with or without U-Boot's
    /// header. The first may be packed by gzip, as when an overlay was appended to it.
    ///
    /// # Errors
    /// When it is no archive.
    pub(super) async fn of(ramdisk: Option<Bytes>) -> Result<Self, String> {
        let mut files = Self::built_in();
        let Some(mut archive) = ramdisk else { return Ok(files) };
        if archive.starts_with(&U_BOOT) && archive.len() > U_BOOT_HEADER {
            archive = archive.slice(U_BOOT_HEADER..);
        }
        let mut held = BTreeMap::new();
        if archive.starts_with(&GZIP) {
            let appended = cpio::appended(&archive);
            let unpacked = gunzip(archive.slice(..appended)).await?;
            held = cpio::files(&unpacked).map_err(|error| error.to_string())?;
            archive = archive.slice(appended..);
        }
        held.extend(cpio::files(&archive).map_err(|error| error.to_string())?);
        files.held.extend(held);
        Ok(files)
    }

    /// A file by its absolute path.
    pub(super) fn read(&self, path: &str) -> Option<&Bytes> {
        self.held.get(path.trim_start_matches('/'))
    }

    pub(super) fn is_folder(&self, path: &str) -> bool {
        !self.names(path).is_empty() || path == "/"
    }

    /// The names in a folder.
    pub(super) fn names(&self, path: &str) -> Vec<&str> {
        let folder = path.trim_matches('/');
        let mut names: Vec<&str> = self
            .held
            .keys()
            .filter_map(|name| match folder {
                "" => Some(name.as_str()),
                folder => name.strip_prefix(folder)?.strip_prefix('/'),
            })
            .filter_map(|rest| rest.split('/').next())
            .collect();
        names.dedup();
        names
    }

    /// Writes a file, or appends to it.
    ///
    /// # Errors
    /// When the board's small disk is full.
    pub(super) fn write(
        &mut self,
        path: &str,
        text: &str,
        append: bool,
    ) -> Result<(), &'static str> {
        let path = path.trim_start_matches('/');
        let cost = path.len() + text.len();
        self.room = self.room.checked_sub(cost).ok_or("No space left on device")?;
        let old = self.held.get(path).filter(|_| append).cloned().unwrap_or_default();
        self.held.insert(path.to_owned(), [old.as_ref(), text.as_bytes()].concat().into());
        Ok(())
    }

    /// Removes a file; whether there was one.
    pub(super) fn remove(&mut self, path: &str) -> bool {
        self.held.remove(path.trim_start_matches('/')).is_some()
    }
}

/// Unpacks with the host's gzip, to a limit.
async fn gunzip(packed: Bytes) -> Result<Bytes, String> {
    let failed = |error: std::io::Error| format!("gzip: {error}");
    let mut command = Command::new("gzip");
    command.arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.kill_on_drop(true).spawn().map_err(failed)?;
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("gzip has no pipes".to_owned());
    };
    let mut unpacked = Vec::new();
    let feed = async move {
        // Gzip may end early; its exit status tells then.
        let _ = stdin.write_all(&packed).await;
        drop(stdin);
    };
    let mut limited = stdout.take(MAX_UNPACKED);
    let ((), read) = tokio::join!(feed, limited.read_to_end(&mut unpacked));
    read.map_err(failed)?;
    match child.wait().await {
        Ok(status) if status.success() => Ok(unpacked.into()),
        Ok(_) => Err("the gzip data is broken".to_owned()),
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_exist_by_the_files_in_them() {
        let mut files = Files::built_in();
        files.write("/etc/sub/x", "1", false).unwrap();
        assert_eq!(files.names("/etc"), ["motd", "os-release", "sub"]);
        assert_eq!(files.names("/"), ["etc", "proc"]);
        assert!(files.is_folder("/etc/sub") && !files.is_folder("/et"));
    }

    #[test]
    fn appending_adds_and_writing_replaces_and_the_disk_has_an_end() {
        let mut files = Files::built_in();
        files.write("/a", "1", true).unwrap();
        files.write("/a", "2", true).unwrap();
        assert_eq!(files.read("/a").unwrap(), "12");
        files.write("/a", "3", false).unwrap();
        assert_eq!(files.read("/a").unwrap(), "3");
        assert!(files.write("/a", &"x".repeat(MAX_WRITTEN), true).is_err());
    }

    #[tokio::test]
    async fn a_ramdisk_is_read_in_every_form_that_jobs_give_it() {
        let archive = cpio::tests::entry("lava-1/environment", 0o100_644, "export A=1\n");
        let overlay = cpio::tests::entry("lava-1/overlay", 0o100_644, "here");
        let mut gzip = std::process::Command::new("gzip")
            .args(["-c"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut gzip.stdin.take().unwrap(), &archive).unwrap();
        let packed = gzip.wait_with_output().unwrap().stdout;
        let mut padded = packed.clone();
        padded.resize(packed.len().next_multiple_of(4), 0);

        let header = [&U_BOOT[..], &[0; U_BOOT_HEADER - 4]].concat();
        for (form, overlaid) in [
            (archive.clone(), false),
            (packed.clone(), false),
            ([&archive[..], &overlay].concat(), true),
            ([&padded[..], &overlay].concat(), true),
            ([&header[..], &padded, &overlay].concat(), true),
        ] {
            let files = Files::of(Some(form.into())).await.unwrap();
            assert_eq!(files.read("/lava-1/environment").unwrap(), "export A=1\n");
            assert_eq!(files.read("/lava-1/overlay").is_some(), overlaid);
        }
        assert!(Files::of(Some(packed[..packed.len() / 2].to_vec().into())).await.is_err());
    }
}
