//! Who serves the lab: does everybody answer, and the PDUs behind them?

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Deserialize;
use tokio::net::UnixStream;

use super::{Finding, quoted};
use crate::client::lab::{Board, Lab};
use crate::client::{
    Endpoint, Listing, OutletRef, Resource, host_sockets, outlet, user_token_file,
};
use crate::config::runtime_dir;
use crate::model::{Failure, Name, PowerRequest, Verb};
use crate::sys::user_name;

/// How long a daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a PDU may take.
const PDU_PATIENCE: Duration = Duration::from_secs(15);

/// As much of an outlet as says where it is.
#[derive(Debug, Clone, Deserialize)]
struct Outlet {
    pdu: Name,
}

pub(super) async fn look(lab: Result<Lab, Failure>, findings: &mut Vec<Finding>) {
    sockets(&runtime_dir(), findings).await;
    let lab = match lab {
        Ok(lab) => lab,
        Err(failure) => {
            return findings.push(Finding::failed("inventory", failure, "unset LAVA_SERVER"));
        }
    };
    let boards = match lab.boards().await {
        Ok(boards) => boards,
        Err(failure) => {
            let mend = match &lab {
                Lab::File(path) => format!("${{EDITOR:-vi}} {}", quoted(path)),
                Lab::Host(_) | Lab::Server(_) | Lab::For(..) => {
                    "sudo systemctl start lava-serial".into()
                }
            };
            return findings.push(Finding::wrong("inventory", failure.message, mend));
        }
    };
    findings.push(Finding::good("inventory", format!("{} boards {lab}", boards.len())));
    tokens(&boards, findings);
    reachable(&boards, findings).await;
    pdus(&boards, findings).await;
}

/// The sockets of this host's daemons.
async fn sockets(dir: &Path, findings: &mut Vec<Finding>) {
    let mut live = 0;
    for path in host_sockets(dir) {
        let shown = path.display();
        let connected = tokio::time::timeout(PATIENCE, UnixStream::connect(&path)).await;
        match connected.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())) {
            Ok(_) => live += 1,
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                let what = format!("{shown} was left by a daemon that is gone");
                findings.push(Finding::wrong("daemons", what, format!("rm {}", quoted(&path))));
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                let user = user_name(rustix::process::getuid().as_raw());
                let what = format!("{user} may not use {shown}");
                let mend = format!("sudo usermod -aG lava {user}   # and log in again");
                findings.push(Finding::wrong("daemons", what, mend));
            }
            Err(error) => {
                let what = format!("{shown}: {error}");
                findings.push(Finding::wrong(
                    "daemons",
                    what,
                    "sudo systemctl restart lava-serial",
                ));
            }
        }
    }
    let what = format!("{live} run on this host ({})", dir.display());
    findings.push(match live {
        0 => Finding::unknown("daemons", what),
        _ => Finding::good("daemons", what),
    });
}

/// The daemons that boards are at.
async fn reachable(boards: &[Board], findings: &mut Vec<Finding>) {
    let mut daemons: BTreeMap<String, &Resource> = BTreeMap::new();
    for thing in boards.iter().flat_map(|board| board.console.iter().chain(&board.outlet)) {
        daemons.entry(thing.endpoint.to_string()).or_insert(thing);
    }
    async fn ask((name, thing): (String, &Resource)) -> (String, &Resource, Result<(), Failure>) {
        let http = thing.http().with_timeout(PATIENCE);
        (name, thing, http.get_bytes("/healthz").await.map(drop))
    }
    let count = daemons.len();
    let mut silent = 0;
    for (name, thing, answer) in join_all(daemons.into_iter().map(ask)).await {
        if let Err(failure) = answer {
            silent += 1;
            let mend = mend(thing, &failure);
            findings.push(Finding::wrong("daemons", format!("{name}: {}", failure.message), mend));
        }
    }
    if silent == 0 && count > 0 {
        findings.push(Finding::good("daemons", format!("{count} of the inventory answer")));
    }
}

/// What helps where a daemon does not answer: it is started, where it is; or, where it is something else, what
/// was said of that.
fn mend(thing: &Resource, failure: &Failure) -> String {
    let gone = ["refused", "No such file"].iter().any(|what| failure.message.contains(what));
    let (host, port) = match &thing.endpoint {
        Endpoint::Unix(_) => ("localhost", None),
        Endpoint::Tcp(at) | Endpoint::Tls(at) => {
            at.rsplit_once(':').map_or((at.as_str(), None), |(host, port)| (host, Some(port)))
        }
    };
    let host = host.trim_matches(['[', ']']);
    let ip = host.parse::<IpAddr>();
    let here = host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
    match (gone, &failure.hint) {
        (false, Some(hint)) => hint.clone(),
        (false, None) if here => "journalctl -u 'lava-*' -n 20".into(),
        (false, None) => format!("ping -c 3 {host}"),
        (true, _) if here => format!("sudo systemctl start {}", unit(thing)),
        (true, _) => {
            let at = port.map(|port| format!("   # or what else has port {port} there"));
            format!("ssh {host} sudo systemctl start {}{}", unit(thing), at.unwrap_or_default())
        }
    }
}

/// The unit that may serve it. Those of PDUs are named by their files.
fn unit(thing: &Resource) -> String {
    if thing.path.starts_with("/consoles") {
        return "lava-serial".into();
    }
    let files = Path::new("/etc/lava/power").read_dir().into_iter().flatten().flatten();
    let names = files.filter_map(|file| file.path().file_stem()?.to_str().map(str::to_owned));
    let mut units: Vec<String> = names.map(|name| format!("lava-power@{name}")).collect();
    units.sort();
    if units.is_empty() { "lava-power@rack1".into() } else { units.join(" ") }
}

/// One outlet of each PDU is asked for its state.
async fn pdus(boards: &[Board], findings: &mut Vec<Finding>) {
    let outlets = || boards.iter().filter_map(|board| board.outlet.as_ref());
    let listing = Listing::<Outlet>::of(outlets(), PATIENCE).await;
    let mut pdus: BTreeMap<(String, Name), &OutletRef> = BTreeMap::new();
    for outlet in outlets() {
        if let Ok(Outlet { pdu }) = listing.get(outlet) {
            pdus.entry((outlet.endpoint.to_string(), pdu)).or_insert(outlet);
        }
    }
    let ask = |((_, pdu), at): ((String, Name), &OutletRef)| {
        let (at, request) = (at.clone(), PowerRequest::default());
        async move {
            let asked = outlet::operate(&at, Verb::Status, &request);
            (pdu, at.name().to_owned(), tokio::time::timeout(PDU_PATIENCE, asked).await)
        }
    };
    let (count, before) = (pdus.len(), findings.len());
    for (pdu, outlet, answer) in join_all(pdus.into_iter().map(ask)).await {
        let what = match answer {
            Ok(Ok(_)) => continue,
            Ok(Err(failure)) => failure.message,
            Err(_) => format!("no answer within {} s", PDU_PATIENCE.as_secs()),
        };
        let mend = format!("lava status {outlet}   # when its address and login are right");
        findings.push(Finding::wrong("pdus", format!("{pdu}: {what}"), mend));
    }
    if findings.len() == before && count > 0 {
        findings.push(Finding::good("pdus", format!("{count} answer")));
    }
}

/// The files of tokens, which nobody else may read.
fn tokens(boards: &[Board], findings: &mut Vec<Finding>) {
    let things = boards.iter().flat_map(|board| board.console.iter().chain(&board.outlet));
    let mut files: Vec<_> = things.filter_map(|thing| thing.login.token_file.clone()).collect();
    files.extend(user_token_file());
    files.sort();
    files.dedup();
    findings.extend(files.iter().filter_map(|file| super::configs::secret("tokens", file)));
}
