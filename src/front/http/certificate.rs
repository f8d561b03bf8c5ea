//! The names in a certificate: those that it is an alternative name of, and its subject's common name.
//!
//! Only certificates come here whose signature was checked. What cannot be read has no name.

use rustls::pki_types::CertificateDer;

/// The tags of DER (X.690 section 8.1.2) that lead to a common name.
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const IA5_STRING: u8 = 0x16;
/// id-at-commonName, 2.5.4.3 (RFC 5280 appendix A.1).
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// DNS names first, then the common name.
pub(super) fn names_of(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else { return Vec::new() };
    let mut names: Vec<String> = certificate.valid_dns_names().map(Into::into).collect();
    names.extend(common_name(certificate.subject()).map(Into::into));
    names
}

/// The last common name of a subject, given the parts of its `Name` (RFC 5280 section 4.1.2.4).
fn common_name(mut subject: &[u8]) -> Option<&str> {
    let mut found = None;
    while let Some((tag, set, rest)) = item(subject) {
        subject = rest;
        if tag != SET {
            continue;
        }
        let Some((SEQUENCE, attribute, _)) = item(set) else { continue };
        let Some((OBJECT_IDENTIFIER, kind, value)) = item(attribute) else { continue };
        let text = match item(value) {
            Some((UTF8_STRING | PRINTABLE_STRING | IA5_STRING, text, _)) => text,
            _ => continue,
        };
        if kind == COMMON_NAME {
            found = std::str::from_utf8(text).ok();
        }
    }
    found
}

/// Tag, contents, and what comes behind.
fn item(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 | 0x82 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((tag, contents, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// C = DE, CN = alice
    const SUBJECT: &[u8] = b"\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02DE\
                             \x31\x0e\x30\x0c\x06\x03\x55\x04\x03\x0c\x05alice";

    #[test]
    fn the_common_name_is_found_among_the_rest() {
        assert_eq!(common_name(SUBJECT), Some("alice"));
        assert_eq!(common_name(b""), None);
        assert_eq!(common_name(&SUBJECT[..SUBJECT.len() - 1]), None);
    }

    proptest! {
        #[test]
        fn nothing_in_a_certificate_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64), at in 0..28usize, byte: u8) {
            common_name(&bytes);
            let mut subject = SUBJECT.to_vec();
            subject[at] = byte;
            common_name(&subject);
            names_of(&CertificateDer::from(bytes));
        }
    }
}
