//! Accepting clients, and waiting for their ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

/// How long to wait when no client can be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts the clients of a listener until `stop`. `begin` spawns a task for each; returns when all of
/// them have ended. `what` names the listener in messages.
pub(super) async fn serve(
    listener: Arc<TcpListener>,
    what: &str,
    stop: impl Future<Output = ()>,
    mut begin: impl FnMut(&TaskTracker, TcpStream, SocketAddr),
) {
    let clients = TaskTracker::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => begin(&clients, stream, peer),
            // Out of file descriptors: wait for some to come free instead of spinning.
            Err(error) => {
                tracing::warn!(%what, %error, "cannot accept a client");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    clients.close();
    clients.wait().await;
}
