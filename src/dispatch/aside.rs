//! Work that blocks, on a thread of its own: limits, cancelling, and what the job serves go on meanwhile.

use std::io;

/// Does the work to its end, also when nobody waits for it any more.
///
/// # Errors
/// What the work says.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error)))
}
