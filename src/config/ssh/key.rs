//! Public keys, as authorized_keys files have them: a kind, the key in base64, a comment. See sshd(8),
//! "AUTHORIZED_KEYS FILE FORMAT", and RFC 4253, section 6.6.

/// The kinds of keys that let somebody in.
const KINDS: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];
/// The shortest modulus of an RSA key, in bits.
const MIN_RSA: usize = 2048;
/// The longest key, in bytes; one of RSA with 16,384 bits fits.
const MAX_KEY: usize = 4096;
/// Options of authorized_keys that forbid what nobody is offered here.
const HARMLESS: [&str; 4] = ["no-x11-forwarding", "no-agent-forwarding", "no-user-rc", "no-pty"];

/// A key that lets somebody in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// As RFC 4253 encodes it.
    pub blob: Vec<u8>,
    /// Who shows it is not forwarded anywhere (`no-port-forwarding`, `restrict`).
    pub stays: bool,
}

/// Why a line is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("expected a public key, as \"ssh-ed25519 AAAA… alice@laptop\"")]
    NoKey,
    #[error("this is a private key; the file beside it that ends in .pub has the public one")]
    Private,
    #[error("keys of kind {0:?} let nobody in here; make one with ssh-keygen -t ed25519")]
    Kind(String),
    #[error("what stands after {0:?} is no key of that kind")]
    Broken(&'static str),
    #[error("an RSA key of {0} bits is too weak; {MIN_RSA} are needed")]
    Weak(usize),
    #[error("the option {0:?} is not heeded here; leave the key out, or the option")]
    Option(String),
}

impl PublicKey {
    /// Reads a line; `None` for an empty one and a comment.
    ///
    /// # Errors
    /// What is wrong with it. An option that would be passed over is an error: it may restrict.
    pub fn of_line(line: &str) -> Result<Option<Self>, KeyError> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        if line.contains("PRIVATE KEY-") {
            return Err(KeyError::Private);
        }
        let first = line.split_whitespace().next().unwrap_or_default();
        let (options, rest) = match KINDS.contains(&first) {
            true => ("", line),
            false => split_options(line).ok_or(KeyError::NoKey)?,
        };
        let mut words = rest.split_whitespace();
        let kind = words.next().ok_or(KeyError::NoKey)?;
        let Some(kind) = KINDS.iter().find(|known| **known == kind) else {
            // Without options in front, the first word is what was meant to be the kind.
            let meant = if options.contains(['=', ',', '"']) { kind } else { first };
            return Err(match meant.contains("ssh") || meant.contains("ecdsa") {
                true => KeyError::Kind(meant.to_owned()),
                false => KeyError::NoKey,
            });
        };
        let stays = restricted(options)?;
        let blob = words.next().and_then(base64).filter(|blob| blob.len() <= MAX_KEY);
        let blob = blob.ok_or(KeyError::Broken(kind))?;
        check(kind, &blob)?;
        Ok(Some(Self { blob, stays }))
    }
}

/// What stands before the kind of a key, and the rest. Blanks within quotes belong to an option.
fn split_options(line: &str) -> Option<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    let end = line.char_indices().find(|(_, c)| {
        let ends = c.is_whitespace() && !quoted;
        quoted ^= *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    let (at, _) = end?;
    Some((&line[..at], line[at..].trim_start()))
}

/// Whether the options forbid forwarding.
fn restricted(options: &str) -> Result<bool, KeyError> {
    let mut stays = false;
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option.to_ascii_lowercase().as_str() {
            "no-port-forwarding" | "restrict" => stays = true,
            "port-forwarding" => stays = false,
            "pty" => {}
            known if HARMLESS.contains(&known) => {}
            _ => {
                let name = option.split('=').next().unwrap_or(option);
                return Err(KeyError::Option(name.to_owned()));
            }
        }
    }
    Ok(stays)
}

/// Whether a blob is a key of its kind, as far as can be told from its form.
fn check(kind: &'static str, blob: &[u8]) -> Result<(), KeyError> {
    let broken = KeyError::Broken(kind);
    let (named, rest) = piece(blob).ok_or(broken.clone())?;
    if named != kind.as_bytes() {
        return Err(broken);
    }
    if kind == "ssh-rsa" {
        let (modulus, _) = piece(rest).and_then(|(_, rest)| piece(rest)).ok_or(broken.clone())?;
        let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
        let bits = match modulus.get(zeros) {
            Some(first) => (modulus.len() - zeros) * 8 - first.leading_zeros() as usize,
            None => return Err(broken),
        };
        return if bits < MIN_RSA { Err(KeyError::Weak(bits)) } else { Ok(()) };
    }
    piece(rest).filter(|(value, _)| !value.is_empty()).map(|_| ()).ok_or(broken)
}

/// A length of four bytes, and so many bytes; and what follows.
fn piece(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

/// Base64 with its padding (RFC 4648, section 4).
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if text.len() - digits.len() > 2 || !text.len().is_multiple_of(4) {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
        bits &= 0xff;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Made by `ssh-keygen -t ed25519` and `ssh-keygen -t rsa -b 1024`.
    const ED25519: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIL44yhUMZVAZGDeF5Kkp4YH0zzVN7YGIaHXKVHfnnKC";
    const RSA_1024: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDF";

    fn read(line: &str) -> Result<Option<PublicKey>, String> {
        PublicKey::of_line(line).map_err(|error| error.to_string())
    }

    #[test]
    fn a_line_is_a_key_with_its_comment_and_options() {
        let key = read(ED25519).unwrap().unwrap();
        assert_eq!((key.blob.len(), key.stays), (51, false));
        assert_eq!(read(&format!("  {ED25519} alice of rack 7 \r")), Ok(Some(key.clone())));
        let restricted = read(&format!("restrict,no-pty {ED25519} alice")).unwrap().unwrap();
        assert_eq!(restricted, PublicKey { stays: true, ..key });
        assert_eq!((read(""), read("# alice")), (Ok(None), Ok(None)));
    }

    #[test]
    fn what_is_wrong_with_a_line_is_told() {
        for (line, told) in [
            ("alice", "expected a public key"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----", "this is a private key"),
            ("ssh-dss AAAA alice", "keys of kind \"ssh-dss\" let nobody in"),
            ("ssh-ed25519", "what stands after \"ssh-ed25519\" is no key"),
            ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 alice", "is no key of that kind"),
            (&ED25519.replace("ssh-ed25519", "ssh-rsa"), "is no key of that kind"),
            (&format!("from=\"10.0.0.0/8, x\" {ED25519}"), "the option \"from\" is not heeded"),
            (&format!("command=\"a \\\" b\" {ED25519}"), "the option \"command\" is not heeded"),
            (&format!("cert-authority {ED25519}"), "the option \"cert-authority\" is not heeded"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(told), "{line}: {error}");
        }
    }

    #[test]
    fn a_weak_rsa_key_lets_nobody_in() {
        let blob = |bits: usize| {
            let mut modulus = vec![0; 1 + bits / 8];
            modulus[1] = 0x80;
            let mut blob = Vec::new();
            for piece in [b"ssh-rsa".as_slice(), &[1, 0, 1], &modulus] {
                blob.extend((piece.len() as u32).to_be_bytes());
                blob.extend(piece);
            }
            blob
        };
        assert_eq!(check("ssh-rsa", &blob(1024)), Err(KeyError::Weak(1024)));
        assert_eq!(check("ssh-rsa", &blob(2048)), Ok(()));
        assert!(read(RSA_1024).is_err());
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(options in "[a-z\"\\\\=, ]{0,20}", key in "[A-Za-z0-9+/=]{0,80}") {
            let _ = PublicKey::of_line(&format!("{options} ssh-ed25519 {key}"));
            let _ = PublicKey::of_line(&format!("{options}{key}"));
        }
    }
}
