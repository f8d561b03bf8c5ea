//! Requests that somebody has passed on: a `lava-server` that stands by, or a proxy.
//!
//! Where such a request comes from tells nothing of who asks: whoever reaches the proxy reaches our loopback, our Unix
//! socket, and has its certificate. So only what the request itself shows counts, a token or a page's login. Where nobody has to
//! log in, those are let in as well who were on the proxy's own host, as it says: they could have come by themselves.
//! A proxy that says nothing at all cannot be told from a client.

use std::net::{IpAddr, Ipv4Addr};

use axum::http::header::{FORWARDED, VIA};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::Origin;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// In place of an address (RFC 7239, 6.3): a process of the proxy's own host, on its Unix socket.
const ON_UNIX: &str = "_unix";

impl Origin {
    /// Where one request of a connection is from. `everyone` may come here, wherever they are.
    pub(in crate::front::http) fn of_request(&self, headers: &HeaderMap, everyone: bool) -> Self {
        if ![VIA, FORWARDED, X_FORWARDED_FOR].iter().any(|name| headers.contains_key(name)) {
            return self.clone();
        }
        let near = is_near(headers);
        match self {
            Self::Tcp { address, may_be_open, .. } => {
                Self::Passed { by: *address, near, may_be_open: *may_be_open && (near || everyone) }
            }
            Self::Unix { .. } => {
                Self::Passed { by: Ipv4Addr::LOCALHOST.into(), near, may_be_open: near }
            }
            Self::Passed { .. } => self.clone(),
        }
    }

    /// What is told of it to whom a request is passed on to: `for="192.0.2.7"` (RFC 7239).
    pub(in crate::front::http) fn told(&self, encrypted: bool) -> Option<HeaderValue> {
        let from = match self {
            Self::Unix { .. } => ON_UNIX.to_owned(),
            // Who has passed it on to us may have said nothing of where it began.
            Self::Passed { near: false, .. } => "unknown".to_owned(),
            Self::Tcp { address, .. } | Self::Passed { by: address, .. } => {
                match address.to_canonical() {
                    IpAddr::V4(address) => address.to_string(),
                    IpAddr::V6(address) => format!("[{address}]"),
                }
            }
        };
        let proto = if encrypted { "https" } else { "http" };
        HeaderValue::from_str(&format!("for=\"{from}\";proto={proto}")).ok()
    }
}

/// Whether each hand through which a request has gone says that it came from its own host, and at least one does.
fn is_near(headers: &HeaderMap) -> bool {
    let texts = |name: &HeaderName| -> Option<Vec<String>> {
        let all = headers.get_all(name).iter();
        all.map(|value| value.to_str().ok().map(str::to_owned)).collect()
    };
    let (Some(forwarded), Some(addresses)) = (texts(&FORWARDED), texts(&X_FORWARDED_FOR)) else {
        return false;
    };
    let of_forwarded = forwarded.iter().flat_map(|text| text.split(','));
    let of_forwarded = of_forwarded.map(|hand| {
        let mut pairs = hand.split(';').filter_map(|pair| pair.trim().split_once('='));
        let from = pairs.find(|(key, _)| key.eq_ignore_ascii_case("for"));
        from.map_or("", |(_, value)| value.trim_matches('"'))
    });
    let of_addresses = addresses.iter().flat_map(|text| text.split(',')).map(str::trim);
    let mut hands = of_forwarded.chain(of_addresses).peekable();
    hands.peek().is_some() && hands.all(is_own)
}

/// Whether an address is one that a host has for itself alone.
fn is_own(text: &str) -> bool {
    let address = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = address.parse::<IpAddr>();
    text == ON_UNIX || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(HeaderName, &'static str)]) -> HeaderMap {
        let lines = lines.iter().cloned();
        lines.map(|(name, value)| (name, HeaderValue::from_static(value))).collect()
    }

    fn tcp(address: &str, certificate: &[&str]) -> Origin {
        let certificate = certificate.iter().map(ToString::to_string).collect();
        Origin::Tcp { address: address.parse().unwrap(), may_be_open: true, certificate }
    }

    #[test]
    fn what_was_passed_on_is_not_trusted_for_where_it_comes_from() {
        let passed = |lines: &[(HeaderName, &'static str)], everyone| {
            let origin = tcp("127.0.0.1", &["farm"]).of_request(&headers(lines), everyone);
            match origin {
                Origin::Passed { may_be_open, .. } => may_be_open,
                other => panic!("{lines:?} is {other:?}"),
            }
        };
        for near in [
            &[(FORWARDED, "for=127.0.0.1")][..],
            &[(FORWARDED, "for=\"[::1]\";proto=https"), (VIA, "1.1 x")],
            &[(FORWARDED, "proto=http; For=_unix")],
            &[(X_FORWARDED_FOR, "127.0.0.1, ::1")],
        ] {
            assert!(passed(near, false), "{near:?}");
        }
        for far in [
            &[(FORWARDED, "for=192.0.2.7")][..],
            &[(FORWARDED, "for=127.0.0.1, for=192.0.2.7")],
            &[(FORWARDED, "for=127.0.0.1"), (FORWARDED, "for=\"[2001:db8::7]\"")],
            &[(FORWARDED, "for=127.0.0.1"), (X_FORWARDED_FOR, "192.0.2.7")],
            &[(FORWARDED, "for=127.0.0.1,")],
            &[(FORWARDED, "for=unknown")],
            &[(FORWARDED, "proto=https")],
            &[(FORWARDED, "for=127.0.0.1.example")],
            &[(X_FORWARDED_FOR, "")],
            &[(VIA, "1.1 proxy")],
        ] {
            assert!(!passed(far, false), "{far:?}");
            assert!(passed(far, true), "{far:?}: everyone may come here anyhow");
        }
    }

    #[test]
    fn nobody_is_who_owns_the_socket_or_has_a_certificate_through_somebody_else() {
        let via = headers(&[(VIA, "1.1 proxy"), (FORWARDED, "for=192.0.2.7")]);
        let root = Origin::Unix { uid: 0 };
        let passed =
            Origin::Passed { by: Ipv4Addr::LOCALHOST.into(), near: false, may_be_open: false };
        assert_eq!(root.of_request(&via, false), passed);
        assert_eq!(root.of_request(&HeaderMap::new(), false), root);
        let farm = tcp("127.0.0.1", &["farm"]);
        assert_eq!(farm.of_request(&via, false), passed);
        assert_eq!(farm.of_request(&HeaderMap::new(), false), farm);
    }

    #[test]
    fn what_one_says_of_a_client_the_other_one_understands() {
        for (origin, near) in [
            (tcp("127.0.0.1", &[]), true),
            (tcp("::1", &[]), true),
            (tcp("::ffff:127.0.0.1", &[]), true),
            (Origin::Unix { uid: 7 }, true),
            (tcp("192.0.2.7", &[]), false),
            (tcp("2001:db8::7", &[]), false),
            (tcp("127.0.0.1", &[]).of_request(&headers(&[(VIA, "1.1 proxy")]), true), false),
        ] {
            let told = HeaderMap::from_iter([(FORWARDED, origin.told(true).unwrap())]);
            assert_eq!(is_near(&told), near, "{told:?}");
        }
    }
}
