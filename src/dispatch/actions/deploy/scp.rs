//! `scp-download`: a file of another host, by the `scp` program with the keys of the user that runs jobs.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use super::download::fetch_error;
use crate::dispatch::error::Error;
use crate::image::{Digest, Fetch, Files, Got, Wanted};
use crate::sys::{Program, Reach, confined};

/// Nobody is there to answer a question, and a host that says nothing is not waited for.
const OPTIONS: [&str; 8] = [
    "-q",
    "-B",
    "-o",
    "ConnectTimeout=15",
    "-o",
    "ServerAliveInterval=20",
    // It could make no socket for others to share its connection.
    "-o",
    "ControlMaster=no",
];

/// The words that copy what a URL names: `scp://[USER@]HOST[:PORT]/PATH`.
///
/// # Errors
/// What is wrong with the URL.
pub(super) fn words(url: &str, to: &Path) -> Result<Vec<String>, String> {
    let wrong = || format!("{url:?}: expected scp://[USER@]HOST[:PORT]/PATH");
    let rest = url.strip_prefix("scp://").ok_or_else(wrong)?;
    let (place, path) = rest.split_once('/').ok_or_else(wrong)?;
    let (place, port) = match place.rsplit_once(':') {
        Some((place, port)) => (place, port.parse::<u16>().map_err(|_| wrong())?.to_string()),
        None => (place, "22".into()),
    };
    // What follows is no option, and nothing for a shell: an old scp hands the path to one.
    let is_plain = |text: &str, more: &str| {
        !text.is_empty()
            && !text.starts_with('-')
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c) || more.contains(c))
    };
    if !is_plain(place, "@") || !is_plain(path, "/+~=,@%:") {
        return Err(wrong());
    }
    let mut words = vec!["scp".to_owned()];
    words.extend(OPTIONS.map(ToOwned::to_owned));
    words.extend(["-P".into(), port, "--".into(), format!("{place}:/{path}")]);
    words.push(to.display().to_string());
    Ok(words)
}

/// That a worker's jobs, which may read but some files of it, do not use its keys either.
pub(super) const NOT_WORKERS: &str =
    "a job may not use the keys of its worker; serve the file by HTTP, and say http://";

/// Gets a file; it is not there when this fails. Cancel safe: the program is killed.
///
/// # Errors
/// With what scp said, or that it is not what the checksum says.
pub(super) async fn get(url: &str, digest: Option<&Digest>, to: &Path) -> Result<Got, Error> {
    let part = to.with_extension("scp");
    let words = words(url, &part).map_err(Error::Job)?;
    let failed =
        |what: &dyn std::fmt::Display| Error::Infrastructure(format!("{url}: scp: {what}"));
    let folder = to.parent().unwrap_or(to);
    let mut command = confined(&words[0], &Reach::of_network().writing(&[folder]));
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let program = Program::spawn(command).map_err(|error| failed(&error))?;
    let ended = program.ended().await.map_err(|error| failed(&error))?;
    if !ended.status.success() {
        return Err(failed(&ended.errors.trim().replace('\n', "; ")));
    }
    // From here on it is a file of this host's, whose checksum is looked at as any other's.
    let files = Files::only(vec![folder.to_owned()]);
    let (own, headers) = (format!("file://{}", part.display()), BTreeMap::new());
    let wanted = Wanted { url: &own, headers: &headers, digest, to };
    let fetch = Fetch::default().with_files(files);
    let got = fetch.get(&wanted, &|_, _| {}).await.map_err(|error| fetch_error(&error));
    let removed = std::fs::remove_file(&part);
    removed.map_err(|error| failed(&error))?;
    got
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_gives_scps_words_and_none_of_them_is_an_option_or_anything_for_a_shell() {
        let said = words("scp://lab@files:2222/srv/images/boot.img", Path::new("/s/boot")).unwrap();
        assert_eq!(
            said.join(" "),
            "scp -q -B -o ConnectTimeout=15 -o ServerAliveInterval=20 -o ControlMaster=no -P 2222 -- \
             lab@files:/srv/images/boot.img /s/boot"
        );
        for wrong in [
            "scp://files",
            "scp://-oProxyCommand=x/y",
            "scp://files/$(reboot)",
            "scp://files/a b",
            "scp://files:port/a",
            "scp:///etc/passwd",
        ] {
            assert!(
                words(wrong, Path::new("x")).unwrap_err().contains("expected scp://"),
                "{wrong}"
            );
        }
    }
}
