//! One conversation with an SNMP agent; the only user of the SNMP library.
//!
//! The library has no time limits, and gives an agent's refusal as a success with an error status in
//! it. Both are dealt with here and in the caller.

use std::fmt;

use snmp2::v3::{self, AuthErrorKind};
use snmp2::{AsyncSession, Error, Oid, Value};

use crate::config::power::{Access, AuthProtocol, Cipher, User};
use crate::model::units;
use crate::outlet::OutletError;
use crate::outlet::way::Way;

/// How often a version 3 agent may set our clock before it answers a question.
const SYNC_ATTEMPTS: usize = 3;
/// sysObjectID.0, which every agent has: asked for where only the answer's authenticity counts.
pub(super) const SYS_OBJECT_ID: &[u64] = &[1, 3, 6, 1, 2, 1, 1, 2, 0];
/// The error status of version 1 for an object that is not there (RFC 1157).
const NO_SUCH_NAME: u32 = 2;
/// Those that do not tell what was done: RFC 3416, section 4.2.5.
const GEN_ERR: u32 = 5;
const COMMIT_FAILED: u32 = 14;
const UNDO_FAILED: u32 = 15;

pub(super) struct Session {
    way: Way,
    inner: AsyncSession,
    /// The user of version 3.
    user: Option<User>,
}

impl Session {
    /// Finds the agent; with version 3 it tells who it is. Switches nothing. Cancel safe.
    pub(super) async fn open(
        address: &str,
        access: &Access,
        way: Way,
    ) -> Result<Self, OutletError> {
        // Only has to differ from that of the session before, whose answers do not come here anyway.
        let first_id = (units::now_us() & 0x3fff_ffff) as i32;
        let (inner, user) = match access {
            Access::V1(community) => {
                (AsyncSession::new_v1(address, community.expose().as_bytes(), first_id).await, None)
            }
            Access::V2c(community) => (
                AsyncSession::new_v2c(address, community.expose().as_bytes(), first_id).await,
                None,
            ),
            Access::V3(user) => {
                (AsyncSession::new_v3(address, first_id, security(user)).await, Some(user.clone()))
            }
        };
        let inner = inner.map_err(|error| way.unreachable(format!("no way there: {error}")))?;
        let mut session = Self { way, inner, user };
        match session.inner.init().await {
            Ok(()) => Ok(session),
            Err(error) => Err(session.failed(&error)),
        }
    }

    /// With version 3, agrees on the clock: asks until one authenticated question was answered. A
    /// request that changes something must not be the one that tells us that our clock is wrong.
    pub(super) async fn agree(&mut self) -> Result<(), OutletError> {
        if self.user.is_none() {
            return Ok(());
        }
        let oid = Oid::from(SYS_OBJECT_ID).map_err(|_| not_an_oid(SYS_OBJECT_ID))?;
        for _ in 1..SYNC_ATTEMPTS {
            match self.inner.get(&oid).await {
                Err(Error::AuthUpdated) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(self.failed(&error)),
            }
        }
        match self.inner.get(&oid).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Writes a value, once. An error that is [`OutletError::is_unclear`] leaves open whether.
    pub(super) async fn set(&mut self, oid: &[u64], value: &Write) -> Result<(), Failed> {
        let name = Oid::from(oid).map_err(|_| not_an_oid(oid))?;
        let written = match value {
            Write::Number(number) => Value::Integer(*number),
            Write::Text(text) => Value::OctetString(text.as_bytes()),
        };
        let what = format!("to set {} to {value}", dotted(oid));
        self.way.sending();
        let (status, written) = match self.inner.set(&[(&name, written)]).await {
            Ok(mut answer) => (answer.error_status, answer.varbinds.next().map(|(_, v)| read(&v))),
            Err(error) => return Err(self.failed(&error).into()),
        };
        check(&self.way, status, &what)?;
        // Some agents call it a success to write to nothing.
        if written == Some(Read::Absent) {
            let text = format!("the SNMP agent refuses {what}: noSuchObject");
            return Err(Failed::Absent(OutletError::said_no(text)));
        }
        Ok(())
    }

    /// Reads an object.
    pub(super) async fn get(&mut self, oid: &[u64]) -> Result<Read, OutletError> {
        let name = Oid::from(oid).map_err(|_| not_an_oid(oid))?;
        self.way.sending();
        let (status, value) = match self.inner.get(&name).await {
            Ok(mut answer) => (answer.error_status, answer.varbinds.next().map(|(_, v)| read(&v))),
            Err(error) => return Err(self.failed(&error)),
        };
        match status {
            // Version 1 has no other word for it.
            NO_SUCH_NAME => return Ok(Read::Absent),
            _ => check(&self.way, status, &format!("to read {}", dotted(oid)))?,
        }
        Ok(value.unwrap_or(Read::Absent))
    }

    /// The object that comes after an OID, and its value; `None` at the end.
    pub(super) async fn next(
        &mut self,
        oid: &[u64],
    ) -> Result<Option<(Vec<u64>, Read)>, OutletError> {
        let name = Oid::from(oid).map_err(|_| not_an_oid(oid))?;
        self.way.sending();
        let (status, next) = match self.inner.getnext(&name).await {
            Ok(mut answer) => {
                let next = answer.varbinds.next();
                (answer.error_status, next.map(|(name, value)| (numbers(&name), read(&value))))
            }
            Err(error) => return Err(self.failed(&error)),
        };
        if status == NO_SUCH_NAME {
            return Ok(None);
        }
        check(&self.way, status, &format!("to read what comes after {}", dotted(oid)))?;
        // An agent that goes backwards would be asked for ever.
        Ok(next.filter(|(name, value)| *value != Read::Absent && name.as_slice() > oid))
    }

    /// What an error of the library means. A bad answer to an order is no denial: our name and our keys
    /// were known to be right before.
    fn failed(&mut self, error: &Error) -> OutletError {
        let without_auth = self.user.as_ref().is_some_and(|user| user.auth.is_none());
        let denied = |why: &str| self.way.denied(denied(why));
        match error {
            // A report instead of an answer: without authentication it can only mean one thing.
            Error::AsnWrongType if without_auth => {
                denied("unknown user, or it wants authentication")
            }
            Error::AuthFailure(
                AuthErrorKind::NotAuthenticated | AuthErrorKind::SignatureMismatch,
            ) => denied("unknown user, or wrong authentication passphrase or protocol"),
            Error::AuthFailure(AuthErrorKind::ReplyNotEncrypted) => {
                denied("wrong privacy passphrase or protocol")
            }
            // The system had an ICMP message for us, or there is no way there: what was sent has not
            // arrived, for nothing is sent twice.
            Error::Send | Error::Receive => {
                self.way.turned_back();
                self.way.unreachable("no SNMP agent listens there")
            }
            error => self.way.unclear(format!("the SNMP agent is not understood: {error}")),
        }
    }
}

/// What an answer's error status says (RFC 3416, section 3).
fn check(way: &Way, status: u32, what: &str) -> Result<(), Failed> {
    let name = match status {
        0 => return Ok(()),
        1 => "tooBig",
        NO_SUCH_NAME => "noSuchName",
        3 => "badValue",
        4 => "readOnly",
        GEN_ERR => "genErr",
        6 => "noAccess",
        7 => "wrongType",
        8 => "wrongLength",
        9 => "wrongEncoding",
        10 => "wrongValue",
        11 => "noCreation",
        12 => "inconsistentValue",
        13 => "resourceUnavailable",
        COMMIT_FAILED => "commitFailed",
        UNDO_FAILED => "undoFailed",
        16 => "authorizationError",
        17 => "notWritable",
        18 => "inconsistentName",
        _ => "an unknown error",
    };
    let text = format!("the SNMP agent refuses {what}: {name}");
    Err(match status {
        6 | 16 => OutletError::said_nobody(text).into(),
        NO_SUCH_NAME | 11 | 17 | 18 => Failed::Absent(OutletError::said_no(text)),
        GEN_ERR | COMMIT_FAILED | UNDO_FAILED | 19.. => {
            let text = format!("the SNMP agent failed {what}: {name}");
            way.refused(text).into()
        }
        _ => OutletError::said_no(text).into(),
    })
}

/// What to say of an agent that tells who it is, and nothing else.
pub(super) fn silent_to_us() -> String {
    denied("it is there and does not answer; wrong privacy passphrase or protocol")
}

fn denied(why: &str) -> String {
    format!("the SNMP agent denies us: {why}")
}

/// What an object holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Read {
    Number(i64),
    /// Made readable where it is no UTF-8.
    Text(String),
    Oid(Vec<u64>),
    /// The agent says that there is no such object.
    Absent,
    Other,
}

/// What is written to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Write {
    Number(i64),
    Text(String),
}

/// Why a request came to nothing.
#[derive(Debug)]
pub(super) enum Failed {
    /// There is no such object, as where another PDU is at the address now. Nothing was switched.
    Absent(OutletError),
    Other(OutletError),
}

impl From<OutletError> for Failed {
    fn from(error: OutletError) -> Self {
        Self::Other(error)
    }
}

impl From<Failed> for OutletError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Absent(error) | Failed::Other(error) => error,
        }
    }
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => fmt::Debug::fmt(text, f),
        }
    }
}

fn read(value: &Value<'_>) -> Read {
    match value {
        Value::Integer(value) => Read::Number(*value),
        Value::Unsigned32(value) | Value::Counter32(value) => Read::Number(i64::from(*value)),
        Value::OctetString(bytes) => Read::Text(String::from_utf8_lossy(bytes).into_owned()),
        Value::ObjectIdentifier(oid) => Read::Oid(numbers(oid)),
        Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView => Read::Absent,
        _ => Read::Other,
    }
}

/// No numbers of an OID that has one beyond 64 bits, which is none of ours.
fn numbers(oid: &Oid<'_>) -> Vec<u64> {
    oid.iter().map(Iterator::collect).unwrap_or_default()
}

pub(super) fn dotted(oid: &[u64]) -> String {
    let parts: Vec<String> = oid.iter().map(u64::to_string).collect();
    parts.join(".")
}

fn not_an_oid(oid: &[u64]) -> OutletError {
    Way::reads().refused(format!("{} is no OID", dotted(oid)))
}

fn security(user: &User) -> v3::Security {
    let Some(auth) = &user.auth else {
        return v3::Security::new(user.name.as_bytes(), b"")
            .with_auth(v3::Auth::NoAuthNoPriv)
            .with_context_name(&user.context);
    };
    let level = match &auth.privacy {
        None => v3::Auth::AuthNoPriv,
        Some(privacy) => v3::Auth::AuthPriv {
            cipher: match privacy.cipher {
                Cipher::Des => v3::Cipher::Des,
                Cipher::Aes128 => v3::Cipher::Aes128,
                Cipher::Aes192 => v3::Cipher::Aes192,
                Cipher::Aes256 => v3::Cipher::Aes256,
            },
            privacy_password: privacy.passphrase.expose().as_bytes().to_vec(),
        },
    };
    let protocol = match auth.protocol {
        AuthProtocol::Md5 => v3::AuthProtocol::Md5,
        AuthProtocol::Sha1 => v3::AuthProtocol::Sha1,
        AuthProtocol::Sha224 => v3::AuthProtocol::Sha224,
        AuthProtocol::Sha256 => v3::AuthProtocol::Sha256,
        AuthProtocol::Sha384 => v3::AuthProtocol::Sha384,
        AuthProtocol::Sha512 => v3::AuthProtocol::Sha512,
    };
    v3::Security::new(user.name.as_bytes(), auth.passphrase.expose().as_bytes())
        .with_auth_protocol(protocol)
        .with_auth(level)
        .with_context_name(&user.context)
        // Only used where a hash is too short for a key; this is the way of net-snmp.
        .with_key_extension_method(v3::KeyExtension::Blumenthal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_agent_did_for_certain_not_is_refused() {
        let told = |status| {
            let mut way = Way::switches();
            way.sending();
            OutletError::from(check(&way, status, "to set 1.3 to 1").unwrap_err())
        };
        for unclear in [GEN_ERR, COMMIT_FAILED, UNDO_FAILED, 99] {
            assert!(told(unclear).is_unclear(), "{unclear}");
        }
        assert!(matches!(told(10), OutletError::Refused(_)));
        assert!(matches!(told(16), OutletError::Denied(_)));
        assert!(!told(NO_SUCH_NAME).is_unclear());
    }
}
