//! Which family a web server belongs to that nobody has configured yet, where it tells anybody.

use std::time::Duration;

use super::HttpOutlet;
use crate::config::power::{Http, HttpAuth, HttpProfile, Ports, TlsKeys, drivers};
use crate::model::{Reading, State, shown};
use crate::outlet::probe::{Found, FoundOutlet};
use crate::outlet::way::Way;
use crate::outlet::{OutletError, answer};

/// The most outlets that are looked for.
const MAX_OUTLETS: usize = 64;
/// How long one connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// Asks a server what it is. Nothing is switched, and nobody is told a secret. `None` of a server that is
/// none of ours, or does not say.
///
/// # Errors
/// When there is no server.
pub(in crate::outlet) async fn probe(url: &str) -> Result<Option<Found>, OutletError> {
    for (name, profile) in HttpProfile::that_probe() {
        let Some((request, finder)) = &profile.probe else { continue };
        let anybody = outlet(url, &profile, "");
        let said = match anybody.exchange(request, "", &mut Way::reads()).await {
            Ok(said) => said,
            Err(error @ OutletError::Unreachable(_)) => return Err(error),
            Err(_) => continue,
        };
        let who = answer::find(finder, &anybody.values(&anybody.words("")), &said);
        let Some(who) = who.filter(|who| !who.is_empty()) else { continue };
        let about = drivers().into_iter().find(|known| known.profile == Some(name));
        return Ok(Some(Found {
            driver: "http",
            profile: name.to_owned(),
            about: about.map(|known| known.about).unwrap_or_default(),
            by: "what it tells anybody".to_owned(),
            description: shown(&who),
            outlets: outlets(url, &profile).await,
        }));
    }
    Ok(None)
}

/// Those that tell their state, as far as they do so without a login.
async fn outlets(url: &str, profile: &HttpProfile) -> Vec<FoundOutlet> {
    let mut found = Vec::new();
    let Ports::Numbers { first, last } = profile.ports else { return found };
    for port in (first..=last).take(MAX_OUTLETS) {
        let port = port.to_string();
        match outlet(url, profile, &port).state().await {
            Ok(state @ (State::On | State::Off)) => {
                found.push(FoundOutlet { port, name: None, state, reading: Reading::default() });
            }
            _ => break,
        }
    }
    found
}

fn outlet(url: &str, profile: &HttpProfile, port: &str) -> HttpOutlet {
    let pdu = Http {
        url: url.to_owned(),
        auth: HttpAuth::None,
        user: String::new(),
        password: None,
        token: None,
        // Whoever it is: it is told nothing.
        tls: TlsKeys { ca: None, insecure: true },
        profile: profile.clone(),
        native_cycle: false,
    };
    HttpOutlet { pdu, port: port.to_owned(), name: String::new(), connect: CONNECT }
}
