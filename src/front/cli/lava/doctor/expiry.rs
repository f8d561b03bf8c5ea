//! When a certificate ends (RFC 5280, 4.1).

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// When the first certificate of a PEM file ends, in seconds since the Unix epoch.
pub(super) fn of_pem(pem: &[u8]) -> Option<i64> {
    of_der(&CertificateDer::from_pem_slice(pem).ok()?)
}

fn of_der(der: &[u8]) -> Option<i64> {
    let (certificate, _) = value(der, SEQUENCE)?;
    let (mut fields, _) = value(certificate, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        (_, fields) = value(fields, VERSION)?;
    }
    // Serial number, signature algorithm, issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        (_, fields) = value(fields, tag)?;
    }
    let (validity, _) = value(fields, SEQUENCE)?;
    let (_, not_after) = time(validity)?;
    let (seconds, _) = time(not_after)?;
    Some(seconds)
}

/// A time, and what follows it.
fn time(der: &[u8]) -> Option<(i64, &[u8])> {
    let tag = *der.first()?;
    let (text, rest) = value(der, tag)?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let text = match tag {
        // Two digits of the year: those from 50 on are of the last century.
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", &text).ok()?;
    Some((time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second(), rest))
}

/// The contents of a DER value of this tag, and what follows it.
fn value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match *length {
        short @ ..0x80 => (usize::from(short), rest),
        long => {
            let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            let length = bytes.iter().try_fold(0_usize, |length, byte| {
                length.checked_mul(256)?.checked_add(usize::from(*byte))
            })?;
            (length, rest)
        }
    };
    (*first == tag).then_some(())?;
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The beginning of a certificate up to its validity, with a serial number, and names left out.
    fn certificate(end: &[u8]) -> Vec<u8> {
        let wrap = |tag: u8, bytes: &[u8]| [&[tag, bytes.len() as u8], bytes].concat();
        let validity = [wrap(UTC_TIME, b"250102030405Z"), end.to_vec()].concat();
        let fields = [
            wrap(VERSION, &wrap(INTEGER, &[2])),
            wrap(INTEGER, &[7]),
            wrap(SEQUENCE, b""),
            wrap(SEQUENCE, b""),
            wrap(SEQUENCE, &validity),
        ];
        wrap(SEQUENCE, &wrap(SEQUENCE, &fields.concat()))
    }

    #[test]
    fn the_end_of_a_certificate_is_read_in_both_forms() {
        let utc = [&[UTC_TIME, 13][..], b"301121100000Z"].concat();
        assert_eq!(of_der(&certificate(&utc)), Some(1_921_485_600));
        let general = [&[GENERALIZED_TIME, 15][..], b"20501121100000Z"].concat();
        assert_eq!(of_der(&certificate(&general)), Some(2_552_637_600));
        assert_eq!(of_der(&certificate(b"")), None);
    }

    proptest! {
        #[test]
        fn nothing_in_a_certificate_makes_it_panic(at in 0..50_usize, byte: u8, length in 0..60_usize) {
            let utc = [&[UTC_TIME, 13][..], b"301121100000Z"].concat();
            let mut der = certificate(&utc);
            let at = at % der.len();
            der[at] = byte;
            der.truncate(length);
            of_der(&der);
            of_pem(&der);
        }
    }
}
