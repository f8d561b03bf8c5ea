//! Digest authentication (RFC 7616): the answer to a server's challenge.

use digest_auth::{AuthContext, HttpMethod};
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Method, Url};

/// The value of the Authorization header that answers one of the challenges in an answer. `None` when
/// none of them is understood; a server may put several, of different algorithms.
pub(super) fn answer(
    challenges: &HeaderMap,
    (user, password): (&str, &str),
    (method, url, body): (&Method, &Url, Option<&[u8]>),
) -> Option<HeaderValue> {
    let uri = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    challenges.get_all(WWW_AUTHENTICATE).iter().find_map(|challenge| {
        // Only visible ASCII gets to the parser.
        let challenge = challenge.to_str().ok()?;
        let is_digest = challenge.get(..7).is_some_and(|s| s.eq_ignore_ascii_case("digest "));
        let mut prompt = digest_auth::parse(challenge.get(7..).filter(|_| is_digest)?).ok()?;
        let method = HttpMethod::from(method.as_str());
        let context = AuthContext::new_with_method(user, password, &uri, body, method);
        let header = prompt.respond(&context).ok()?.to_header_string();
        let mut header = HeaderValue::from_str(&header).ok()?;
        header.set_sensitive(true);
        Some(header)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answered(challenges: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for challenge in challenges {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(challenge).ok()?);
        }
        let url = Url::parse("http://pdu1/rpc/Switch.Set?id=0&on=true").unwrap();
        let value = answer(&headers, ("admin", "secret"), (&Method::GET, &url, None))?;
        Some(value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_challenge_that_is_understood_is_answered() {
        let sha256 = r#"Digest qop="auth", realm="shelly", nonce="60dc", algorithm=SHA-256"#;
        let said = answered(&[
            "Basic realm=\"x\"",
            "Digest algorithm=MD4, realm=\"x\", nonce=\"1\"",
            sha256,
        ])
        .unwrap();
        assert!(said.starts_with("Digest username=\"admin\""), "{said}");
        assert!(said.contains("uri=\"/rpc/Switch.Set?id=0&on=true\""), "{said}");
        assert!(said.contains("algorithm=SHA-256") && !said.contains("secret"), "{said}");
        assert_eq!(answered(&["Basic realm=\"x\""]), None);
        assert_eq!(answered(&["Digest"]), None);
        assert_eq!(answered(&[]), None);
    }

    proptest! {
        #[test]
        fn no_challenge_does_harm(challenge in "[dD]igest [ -~]{0,60}", rest in "(realm|nonce|qop)=.{0,20}") {
            answered(&[&challenge, &format!("Digest {rest}")]);
        }
    }
}
