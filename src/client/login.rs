//! What we show to a daemon to be let in, and by what we know the daemon.

use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use hyper::header::HeaderValue;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::Secret;
use crate::config::lab::{CertFiles, LoginFiles};
use crate::model::{Behalf, Failure, Kind};

/// The largest token file, in bytes.
const MAX_TOKEN_FILE: u64 = 4096;
/// Where the token of a user is, in their folder of configurations.
const USER_TOKEN: &str = "lava/token";

/// Which token and which CA are used with a daemon. What is left out is taken from the environment:
/// `$LAVA_TOKEN`, `$LAVA_TOKEN_FILE` or `~/.config/lava/token`, and `$LAVA_CA` or the CAs of this host.
///
/// The files are read whenever something is connected, so that a renewed token is used at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Login {
    pub token_file: Option<PathBuf>,
    pub ca: Option<PathBuf>,
    /// The certificate that we show to a daemon that asks for one.
    pub cert: Option<Box<CertFiles>>,
    /// For whom we ask, if not for ourselves.
    pub behalf: Option<Arc<Behalf>>,
}

impl From<&LoginFiles> for Login {
    fn from(files: &LoginFiles) -> Self {
        let LoginFiles { token_file, ca, cert } = files.clone();
        Self { token_file, ca, cert: cert.map(Box::new), behalf: None }
    }
}

impl Login {
    /// The value of an Authorization header; `None` when there is no token.
    ///
    /// # Errors
    /// [`Kind::Config`] when a file that is named cannot be read, or others may read it, too.
    pub(super) fn authorization(&self) -> Result<Option<HeaderValue>, Failure> {
        let Some((token, source)) = self.token()? else { return Ok(None) };
        let value = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
        let mut value = value.map_err(|_| {
            Failure::new(Kind::Config, format!("{source} is no token: it is one word of letters"))
        })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// The value of the header that says for whom we ask.
    ///
    /// # Errors
    /// [`Kind::Config`] when it is too long, as with very many patterns of rights.
    pub(super) fn behalf(&self) -> Result<Option<HeaderValue>, Failure> {
        let Some(behalf) = &self.behalf else { return Ok(None) };
        let text = serde_json::to_string(behalf.as_ref());
        let text = text.map_err(|error| Failure::from_error(Kind::Bug, &error))?;
        let value = HeaderValue::from_str(&text).ok();
        value.filter(|value| value.len() <= Behalf::MAX_LENGTH).map(Some).ok_or_else(|| {
            let what = format!("{} has too many rights to be told in a request", behalf.user);
            Failure::new(Kind::Config, what).hint("use fewer and more general patterns")
        })
    }

    /// The token, and where it is from.
    fn token(&self) -> Result<Option<(Secret, String)>, Failure> {
        if let Some(file) = &self.token_file {
            return read_token(file).map(Some);
        }
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        if let Some(token) = set("LAVA_TOKEN") {
            let token = token.to_string_lossy().trim().to_owned();
            return Ok(Some((Secret::new(token), "$LAVA_TOKEN".into())));
        }
        if let Some(file) = set("LAVA_TOKEN_FILE") {
            return read_token(Path::new(&file)).map(Some);
        }
        let config = set("XDG_CONFIG_HOME").map(PathBuf::from);
        let config = config.or_else(|| Some(PathBuf::from(set("HOME")?).join(".config")));
        match config.map(|dir| dir.join(USER_TOKEN)).filter(|file| file.exists()) {
            Some(file) => read_token(&file).map(Some),
            None => Ok(None),
        }
    }

    /// Speaks TLS on a connection to `host`.
    ///
    /// # Errors
    /// When the daemon has no certificate of that name by a CA that we know.
    pub(super) async fn encrypt(
        &self,
        stream: TcpStream,
        host: &str,
    ) -> io::Result<TlsStream<TcpStream>> {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host).map_err(io::Error::other)?;
        let config = match (self.ca.clone().or_else(lab_ca), &self.cert) {
            (Some(file), cert) => with_roots(roots_of(&file)?, cert.as_deref())?,
            (None, None) => system_tls()?,
            (None, cert) => with_roots(system_roots(), cert.as_deref())?,
        };
        TlsConnector::from(config).connect(name, stream).await
    }
}

/// The file that the user's token is in, if there is one: `$LAVA_TOKEN_FILE`, else `~/.config/lava/token`.
pub fn user_token_file() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("LAVA_TOKEN_FILE").or_else(|| {
        let config = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
        Some(config.join(USER_TOKEN)).filter(|file| file.exists())
    })
}

/// Reads a file that nobody else may read.
fn read_token(file: &Path) -> Result<(Secret, String), Failure> {
    use std::io::Read as _;
    let shown = file.display();
    let wrong = |what: String| Failure::new(Kind::Config, what);
    let cannot = |error: io::Error| wrong(format!("the token in {shown} cannot be read: {error}"));
    let nonblock = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let opened = std::fs::File::options().read(true).custom_flags(nonblock).open(file);
    let opened = opened.map_err(cannot)?;
    let mode = opened.metadata().map_err(cannot)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        let what = format!("the token in {shown} may be read by others (mode {mode:03o})");
        return Err(wrong(what).hint(format!("chmod 600 {shown}")));
    }
    let mut text = String::new();
    opened.take(MAX_TOKEN_FILE).read_to_string(&mut text).map_err(cannot)?;
    match text.trim() {
        "" => Err(wrong(format!("there is no token in {shown}"))),
        token => Ok((Secret::new(token), format!("what is in {shown}"))),
    }
}

/// TLS with whom the CAs of this host know. They are read once, which takes some milliseconds.
///
/// # Errors
/// Never, as far as is known: a host without CAs knows nobody.
pub fn system_tls() -> io::Result<Arc<ClientConfig>> {
    static SYSTEM: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = SYSTEM.get() {
        return Ok(config.clone());
    }
    let config = with_roots(system_roots(), None)?;
    Ok(SYSTEM.get_or_init(|| config).clone())
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // Some of them may be of a kind that is not known; the others do.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// The same, and with whom the CA of the lab knows: `$LAVA_CA`. For files, which are anywhere.
///
/// # Errors
/// When there is no certificate in that file.
pub fn lab_and_system_tls() -> io::Result<Arc<ClientConfig>> {
    let Some(file) = lab_ca() else { return system_tls() };
    let mut roots = roots_of(&file)?;
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    with_roots(roots, None)
}

/// The CA that the environment names.
fn lab_ca() -> Option<PathBuf> {
    std::env::var_os("LAVA_CA").filter(|file| !file.is_empty()).map(PathBuf::from)
}

fn roots_of(file: &Path) -> io::Result<RootCertStore> {
    let wrong = |what: String| io::Error::other(format!("{}: {what}", file.display()));
    let mut roots = RootCertStore::empty();
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<_, _>>);
    let certificates: Vec<_> = read.map_err(|error| wrong(error.to_string()))?;
    for certificate in certificates {
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("there is no certificate in it".into()));
    }
    Ok(roots)
}

fn with_roots(roots: RootCertStore, cert: Option<&CertFiles>) -> io::Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(io::Error::other)?.with_root_certificates(roots);
    let Some(CertFiles { cert, key }) = cert else {
        return Ok(Arc::new(builder.with_no_client_auth()));
    };
    let wrong = |file: &Path, why: &dyn std::fmt::Display| {
        io::Error::other(format!("{}: {why}", file.display()))
    };
    let chain = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect::<Result<_, _>>);
    let chain: Vec<_> = chain.map_err(|error| wrong(cert, &error))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
    let config = builder.with_client_auth_cert(chain, secret);
    Ok(Arc::new(config.map_err(|error| wrong(cert, &error))?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_file_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "lava_secret\n").unwrap();
        let login = Login { token_file: Some(file.clone()), ..Login::default() };
        let set = |mode| std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        set(0o600);
        let value = login.authorization().unwrap().unwrap();
        assert_eq!(value.to_str().unwrap(), "Bearer lava_secret");
        assert!(!format!("{value:?} {login:?}").contains("lava_secret"));
        set(0o640);
        let refused = login.authorization().unwrap_err();
        assert!(refused.to_string().contains("(mode 640)"), "{refused}");
        assert!(refused.to_string().contains("chmod 600"), "{refused}");
        set(0o600);
        std::fs::write(&file, "two\nlines").unwrap();
        assert!(login.authorization().unwrap_err().to_string().contains("is no token"));
        std::fs::write(&file, "\n").unwrap();
        assert!(login.authorization().unwrap_err().to_string().contains("there is no token in"));
    }
}
