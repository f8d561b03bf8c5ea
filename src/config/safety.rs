//! Where listeners may be: nothing listens beyond loopback without tokens and TLS, unless it is to.

use std::net::SocketAddr;

use super::discover::Discover;
use super::power::PowerConfig;
use super::serial::{Protocol, SerialConfig};
use super::{AccessConfig, HttpListen};
use crate::model::{Failure, Kind};

/// What a listener does against those who should not be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// Nothing can be done: its protocol knows no login.
    None,
    /// HTTP: whether clients have to log in, and whether nobody can read along.
    Http { login: bool, tls: bool },
    /// It is open to everyone who reaches it: `insecure = true`.
    Insecure,
}

impl Safety {
    /// Of a listener for HTTP.
    pub fn of_http(http: &HttpListen, access: &AccessConfig) -> Self {
        match http.insecure {
            true => Self::Insecure,
            false => Self::Http { login: !access.is_open(), tls: http.tls.is_some() },
        }
    }

    /// Of a listener whose clients cannot log in.
    pub fn of_line(insecure: bool) -> Self {
        if insecure { Self::Insecure } else { Self::None }
    }
}

/// Whether a listener may be at an address. `purpose` names it in messages, as `http` or `telnet of
/// panda01`.
///
/// # Errors
/// [`Kind::Config`] when the address is not loopback, and what is needed for that is not there.
pub fn permit(purpose: &str, address: SocketAddr, safety: Safety) -> Result<(), Failure> {
    let (why, how) = match safety {
        _ if address.ip().is_loopback() => return Ok(()),
        Safety::Insecure | Safety::Http { login: true, tls: true } => return Ok(()),
        Safety::None => (
            "nobody has to log in there",
            "listen on 127.0.0.1 and reach it through ssh -L, or set `insecure = true`",
        ),
        Safety::Http { login: false, .. } => (
            "nobody has to log in",
            "let people in by name: a [[token]] each (`lava token new NAME` makes one), and TLS \
             ([http] cert and key); or listen on 127.0.0.1 and reach it through ssh -L, or set \
             `insecure = true`",
        ),
        Safety::Http { login: true, tls: false } => (
            "tokens could be read on the way",
            "use TLS: [http] cert = FILE, key = FILE; or listen on 127.0.0.1 and reach it through \
             ssh -L or a proxy that speaks TLS, or set `insecure = true`",
        ),
    };
    let what = format!("{purpose}: {address} is open to the network, and {why}");
    Err(Failure::new(Kind::Config, what).hint(how))
}

/// Whether all listeners of a `lava-serial` may be where they are to be.
///
/// # Errors
/// [`Kind::Config`] with each of those that may not.
pub fn permit_all(config: &SerialConfig) -> Result<(), Failure> {
    let mut refused = Vec::new();
    let mut check = |purpose: &str, address: SocketAddr, safety: Safety| {
        refused.extend(permit(purpose, address, safety).err());
    };
    if let Some(http) = &config.http {
        check("http", http.listen, Safety::of_http(http, &config.access));
    }
    if let Some(discover) = &config.discover {
        for (protocol, address) in Discover::addresses(discover) {
            let safety = Safety::of_line(discover.insecure);
            check(&format!("{protocol} of adapters"), address, safety);
        }
    }
    if let Some(conmux) = &config.conmux {
        check("conmux's registry", conmux.registry, Safety::of_line(conmux.insecure));
    }
    let open_conmux = config.conmux.as_ref().is_some_and(|conmux| conmux.insecure);
    for console in &config.consoles {
        for (protocol, address) in console.lines() {
            let insecure = console.insecure || protocol == Protocol::Conmux && open_conmux;
            let purpose = format!("{protocol} of {}", console.name);
            check(&purpose, address, Safety::of_line(insecure));
        }
    }
    all_of(refused)
}

/// Whether all listeners of a `lava-power` may be where they are to be.
///
/// # Errors
/// As [`permit_all`].
pub fn permit_all_power(config: &PowerConfig) -> Result<(), Failure> {
    let http = config.http.as_ref();
    let http = http.map(|http| ("http", http.listen, Safety::of_http(http, &config.access)));
    let pdudaemon = config.pdudaemon.iter().flat_map(|front| {
        let safety = Safety::of_line(front.insecure);
        let tcp = front.tcp.map(|address| ("pdudaemon.tcp", address, safety));
        front.http.map(|address| ("pdudaemon", address, safety)).into_iter().chain(tcp)
    });
    let powerman = config.powerman.iter();
    let powerman = powerman.map(|it| ("powerman", it.listen, Safety::of_line(it.insecure)));
    let all = http.into_iter().chain(pdudaemon).chain(powerman);
    all_of(all.filter_map(|(purpose, at, safety)| permit(purpose, at, safety).err()).collect())
}

/// What is wrong, as one.
fn all_of(mut refused: Vec<Failure>) -> Result<(), Failure> {
    let Some(first) = refused.pop() else { return Ok(()) };
    if refused.is_empty() {
        return Err(first);
    }
    refused.push(first);
    let messages: Vec<&str> = refused.iter().map(|failure| failure.message.as_str()).collect();
    let mut hints: Vec<&str> = refused.iter().filter_map(|it| it.hint.as_deref()).collect();
    hints.sort_unstable();
    hints.dedup();
    Err(Failure::new(Kind::Config, messages.join("\n")).hint(hints.join("; for HTTP: ")))
}
