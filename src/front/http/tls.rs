//! TLS for the listener: our certificate, and the certificates of clients.

use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificate::names_of;
use crate::config::{HttpListen, TlsFiles};
use crate::model::{Failure, Kind};

/// Whether a listener speaks TLS, and with which certificate. It can change at any time; those who are
/// connected do not notice.
#[derive(Debug, Clone, Default)]
pub struct Tls(Arc<RwLock<Option<TlsConfig>>>);

/// A certificate and its key, read and checked.
#[derive(Clone)]
pub struct TlsConfig(TlsAcceptor);

impl Tls {
    pub fn new(config: Option<TlsConfig>) -> Self {
        Self(Arc::new(RwLock::new(config)))
    }

    pub fn set(&self, config: Option<TlsConfig>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    pub fn now(&self) -> Option<TlsConfig> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl TlsConfig {
    /// What a listener is to speak.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn of(http: Option<&HttpListen>) -> Result<Option<Self>, Failure> {
        http.and_then(|http| http.tls.as_ref()).map(Self::read).transpose()
    }

    /// Reads the files.
    ///
    /// # Errors
    /// [`Kind::Config`]: which file is wrong, and how.
    fn read(files: &TlsFiles) -> Result<Self, Failure> {
        let TlsFiles { cert, key, client_ca } = files;
        let chain = certificates(cert)?;
        let secret = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| wrong(key, &pem_error(&error, "private key")))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::from_error(Kind::Bug, &error))?;
        let builder = match client_ca {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(file)? {
                    roots.add(certificate).map_err(|error| wrong(file, &error.to_string()))?;
                }
                // Those without one may have a token.
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .allow_unauthenticated()
                        .build()
                        .map_err(|error| wrong(file, &error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, secret).map_err(|error| {
            wrong(cert, &format!("it does not go with the key in {}: {error}", key.display()))
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config).into()))
    }

    /// Shakes hands; gives the connection and the names in the client's certificate. Not cancel safe: the
    /// connection is gone then.
    ///
    /// # Errors
    /// When the client does not want what we have, or is none.
    pub(super) async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<(Box<TlsStream<TcpStream>>, Vec<String>)> {
        let stream = self.0.accept(stream).await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let names = shown.map(names_of).unwrap_or_default();
        Ok((Box::new(stream), names))
    }
}

impl std::fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsConfig")
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<_, _>>);
    let all: Vec<_> = read.map_err(|error| wrong(file, &pem_error(&error, "certificate")))?;
    if all.is_empty() {
        return Err(wrong(file, "there is no certificate in it (-----BEGIN CERTIFICATE-----)"));
    }
    Ok(all)
}

fn pem_error(error: &rustls::pki_types::pem::Error, what: &str) -> String {
    use rustls::pki_types::pem::Error;
    match error {
        Error::Io(error) => error.to_string(),
        Error::NoItemsFound => format!("there is no {what} in it (PEM form)"),
        error => format!("it is no {what} in PEM form: {error}"),
    }
}

fn wrong(file: &Path, what: &str) -> Failure {
    Failure::new(Kind::Config, format!("{}: {what}", file.display()))
}
