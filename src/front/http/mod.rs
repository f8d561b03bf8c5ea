//! HTTP for the daemons: the listener that closes bad clients, and failures as JSON.

pub mod access;
mod carried;
mod certificate;
mod either;
mod error;
mod failed;
mod pages;
pub mod pdudaemon;
pub mod power;
mod query;
pub mod serial;
mod serve;
pub mod server;
mod socket;
mod tls;
mod websocket;

use carried::to_the_end;
pub use either::Other;
pub use error::ApiError;
use failed::failed;
pub use pages::{refuse_browsers, refuse_foreign_pages};
pub use query::Params;
pub use serve::{Ending, Listener, Peer, Place, serve};
pub use socket::Socket;
pub use tls::{Tls, TlsConfig};

/// What a daemon serves by HTTP.
pub type App = axum::Router;

/// Whether nobody can read along on a connection; an extension of every request.
#[derive(Debug, Clone, Copy)]
pub struct Encrypted(pub bool);

/// How clients log in, for the descriptions.
struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
        let how = "Without a [[token]] in the configuration, and for the daemon's own user on its Unix \
                   socket, nobody has to log in. conf/rights.md tells which request needs which right: \
                   401 is an unknown client, 403 a known one that may not, 429 too many wrong tokens.";
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(how));
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme.build()));
    }
}
