//! Telling somebody at the door that they are not listened to, so that their client shows why.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::doors::Turned;

/// How long telling may take.
const TELLING: Duration = Duration::from_secs(1);
/// The longest first line of a client, in bytes (RFC 4253, section 4.2).
const FIRST_LINE: usize = 255;
/// So much of what a client says further is thrown away, in bytes: it shows our reason only when it has said
/// what it wants to say.
const REST: u64 = 64 * 1024;
/// `SSH_MSG_DISCONNECT`, and its `SSH_DISCONNECT_TOO_MANY_CONNECTIONS` (RFC 4253, section 11.1).
const DISCONNECT: u8 = 1;
const TOO_MANY_CONNECTIONS: u32 = 12;

/// Tells why, within a second.
pub(super) async fn away(stream: impl AsyncRead + AsyncWrite + Unpin, version: &str, why: Turned) {
    // Who does not listen is not told.
    let _ = tokio::time::timeout(TELLING, tell(stream, version, why)).await;
}

async fn tell(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    version: &str,
    why: Turned,
) -> io::Result<()> {
    stream.write_all(format!("{version}\r\n").as_bytes()).await?;
    let mut first = [0];
    for _ in 0..FIRST_LINE {
        stream.read_exact(&mut first).await?;
        if first == *b"\n" {
            break;
        }
    }
    stream.write_all(&packet(&why.to_string())).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(REST), &mut tokio::io::sink()).await.map(drop)
}

/// A packet as it is before keys are exchanged (RFC 4253, section 6).
fn packet(why: &str) -> Vec<u8> {
    let text = |text: &str| [&length(text.len())[..], text.as_bytes()].concat();
    let payload =
        [&[DISCONNECT][..], &TOO_MANY_CONNECTIONS.to_be_bytes(), &text(why), &text("")].concat();
    // The whole is a multiple of 8, with at least 4 bytes of padding.
    let padding = 4 + (8 - (5 + payload.len() + 4) % 8) % 8;
    let whole = 1 + payload.len() + padding;
    [&length(whole)[..], &[padding as u8], &payload, &vec![0; padding]].concat()
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_as_long_as_they_say_and_a_multiple_of_eight() {
        for length in 0..32 {
            let packet = packet(&"x".repeat(length));
            let told = u32::from_be_bytes(packet[..4].try_into().unwrap()) as usize;
            assert_eq!((packet.len() % 8, told), (0, packet.len() - 4));
            assert!(packet[4] >= 4 && packet[5] == DISCONNECT);
        }
    }

    #[tokio::test]
    async fn a_client_hears_why_after_it_has_said_its_version() {
        let (mut client, ours) = tokio::io::duplex(1024);
        client.write_all(b"SSH-2.0-OpenSSH_9.2\r\nkeys").await.unwrap();
        let mut heard = String::new();
        let listen = async {
            client.shutdown().await.unwrap();
            client.read_to_string(&mut heard).await.unwrap();
        };
        tokio::join!(away(ours, "SSH-2.0-us", Turned::Barred), listen);
        assert!(heard.starts_with("SSH-2.0-us\r\n"), "{heard:?}");
        assert!(heard.contains("too many logins from there have failed"), "{heard:?}");
    }
}
