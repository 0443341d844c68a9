//! OCSP responses (RFC 6960) to be stapled: what a response says of a certificate, whether to believe it, and how to ask
//! for one.
//!
//! Only as much is read as it takes to know that clients will not be sent something that is for another certificate, out
//! of date, or not signed by the issuer.

use super::authority::algorithms;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use webpki::RawPublicKeyEntity;
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate};

/// What is to be thought of a response that says nothing of when there will be a newer one. Seconds.
const UNLESS_SAID: i64 = 7 * 24 * 60 * 60;
/// `1.3.14.3.2.26`, SHA-1: what responders are asked with, whatever it is good for elsewhere.
const SHA1: [u8; 5] = [0x2b, 0x0e, 0x03, 0x02, 0x1a];
/// `1.3.6.1.5.5.7.48.1`
const RESPONDER: &str = "1.3.6.1.5.5.7.48.1";

const SEQUENCE: u8 = 0x30;
const OCTETS: u8 = 0x04;
const INTEGER: u8 = 0x02;
const OBJECT: u8 = 0x06;
const NULL: u8 = 0x05;
const BITS: u8 = 0x03;
const TIME: u8 = 0x18;
const ENUMERATED: u8 = 0x0a;
const FIRST: u8 = 0xa0;

/// Why a response is not stapled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No response at all.
    #[error("is not an OCSP response")]
    Malformed,
    /// The responder says that it cannot say.
    #[error("says that the responder could not answer")]
    Unanswered,
    /// It speaks of another certificate.
    #[error("is for another certificate")]
    Foreign,
    /// The certificate is revoked, or the responder does not know it.
    #[error("says that the certificate is not good")]
    NotGood,
    /// Its time is over, or has not come.
    #[error("is out of date")]
    OutOfDate,
    /// Nobody vouches for it.
    #[error("is not signed by the issuer of the certificate")]
    Unsigned,
}

/// When a response counts, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// From.
    pub from: i64,
    /// To.
    pub until: i64,
}

/// Sees whether a response in DER is good to be stapled to the first certificate of a chain. Its signature is checked if
/// the chain has the issuer.
///
/// # Errors
/// Why it is not.
pub fn check(response: &[u8], chain: &[CertificateDer<'_>], now: i64) -> Result<Validity, Fault> {
    let basic = open(response)?;
    let leaf = parse(chain.first())?;
    let issuer = chain.get(1).map(|issuer| parse(Some(issuer))).transpose()?;
    if let Some(issuer) = &issuer {
        let signer = basic.signer(issuer, now).ok_or(Fault::Unsigned)?;
        if !is_signed(basic.data.whole, basic.algorithm, basic.signature, &signer) {
            return Err(Fault::Unsigned);
        }
    }
    let single = basic.singles().ok_or(Fault::Malformed)?;
    let single = single.iter().find(|single| single.is_for(&leaf, issuer.as_ref()));
    let single = single.ok_or(Fault::Foreign)?;
    if single.status != 0x80 {
        return Err(Fault::NotGood);
    }
    let validity = Validity {
        from: single.from,
        until: single.until.unwrap_or(single.from + UNLESS_SAID),
    };
    if now > validity.until || now < validity.from - 300 {
        return Err(Fault::OutOfDate);
    }
    Ok(validity)
}

/// The request for the status of the first certificate of a chain. `None`: the chain has not the issuer.
pub fn request(chain: &[CertificateDer<'_>]) -> Option<Vec<u8>> {
    let (leaf, issuer) = (parse(chain.first()).ok()?, parse(chain.get(1)).ok()?);
    let (name, key) = hashes(&leaf, &issuer);
    let algorithm = wrap(SEQUENCE, &[wrap(OBJECT, &SHA1), wrap(NULL, &[])].concat());
    let id = [
        algorithm,
        wrap(OCTETS, &name),
        wrap(OCTETS, &key),
        wrap(INTEGER, leaf.raw_serial()),
    ];
    // The id in a Request in a requestList in a TBSRequest in an OCSPRequest.
    Some((0..5).fold(id.concat(), |inner, _| wrap(SEQUENCE, &inner)))
}

/// Where a certificate says that its status can be asked for over HTTP.
pub fn responder(certificate: &X509Certificate<'_>) -> Option<Box<str>> {
    let access = certificate
        .extensions()
        .iter()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityInfoAccess(access) => Some(access),
            _ => None,
        })?;
    let places = access
        .accessdescs
        .iter()
        .filter(|place| place.access_method.to_id_string() == RESPONDER);
    let mut urls = places.filter_map(|place| match place.access_location {
        GeneralName::URI(url) => Some(url),
        _ => None,
    });
    urls.find(|url| url.starts_with("http://")).map(Into::into)
}

fn parse<'c>(certificate: Option<&'c CertificateDer<'_>>) -> Result<X509Certificate<'c>, Fault> {
    let certificate = certificate.ok_or(Fault::Foreign)?;
    X509Certificate::from_der(certificate)
        .map(|(_, parsed)| parsed)
        .map_err(|_| Fault::Foreign)
}

fn sha1(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec()
}

/// Of the name and the key of the issuer.
fn hashes(leaf: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> (Vec<u8>, Vec<u8>) {
    let key = &issuer.public_key().subject_public_key.data;
    (sha1(leaf.issuer().as_raw()), sha1(key))
}

/// A BasicOCSPResponse.
struct Basic<'a> {
    data: Element<'a>,
    /// Content of the AlgorithmIdentifier.
    algorithm: &'a [u8],
    signature: &'a [u8],
    certificates: Option<&'a [u8]>,
}

/// What it says of one certificate.
struct Single<'a> {
    algorithm: &'a [u8],
    name: &'a [u8],
    key: &'a [u8],
    serial: &'a [u8],
    /// The tag of the choice.
    status: u8,
    from: i64,
    until: Option<i64>,
}

fn open(response: &[u8]) -> Result<Basic<'_>, Fault> {
    let malformed = Fault::Malformed;
    let (whole, rest) = take(response, SEQUENCE).ok_or(malformed)?;
    if !rest.is_empty() {
        return Err(malformed);
    }
    let (status, rest) = take(whole.content, ENUMERATED).ok_or(malformed)?;
    if status.content != [0] {
        return Err(Fault::Unanswered);
    }
    basic(rest).ok_or(malformed)
}

fn basic(bytes: &[u8]) -> Option<Basic<'_>> {
    let (outer, _) = take(bytes, FIRST)?;
    let (bytes, _) = take(outer.content, SEQUENCE)?;
    let (_kind, rest) = take(bytes.content, OBJECT)?;
    let (octets, _) = take(rest, OCTETS)?;
    let (basic, _) = take(octets.content, SEQUENCE)?;
    let (data, rest) = take(basic.content, SEQUENCE)?;
    let (algorithm, rest) = take(rest, SEQUENCE)?;
    let (signature, rest) = take(rest, BITS)?;
    let certificates = take(rest, FIRST).and_then(|(outer, _)| take(outer.content, SEQUENCE));
    Some(Basic {
        data,
        algorithm: algorithm.content,
        signature: signature.content.strip_prefix(&[0])?,
        certificates: certificates.map(|(list, _)| list.content),
    })
}

impl<'a> Basic<'a> {
    fn singles(&self) -> Option<Vec<Single<'a>>> {
        let mut rest = self.data.content;
        if let Some((_version, after)) = take(rest, FIRST) {
            rest = after;
        }
        // Who answers: by name or by key.
        let (_responder, rest) = any(rest)?;
        let (_produced, rest) = take(rest, TIME)?;
        let (list, _) = take(rest, SEQUENCE)?;
        let (mut rest, mut singles) = (list.content, Vec::new());
        while !rest.is_empty() {
            let (single, after) = take(rest, SEQUENCE)?;
            singles.push(Single::read(single.content)?);
            rest = after;
        }
        Some(singles)
    }

    /// The key that signed: that of the issuer, or of somebody to whom the issuer gave the right to.
    fn signer(&self, issuer: &X509Certificate<'_>, now: i64) -> Option<Vec<u8>> {
        let own = issuer.public_key().raw.to_vec();
        if is_signed(self.data.whole, self.algorithm, self.signature, &own) {
            return Some(own);
        }
        let (_, deputy) = X509Certificate::from_der(self.certificates?).ok()?;
        let may = deputy
            .extended_key_usage()
            .ok()
            .flatten()
            .is_some_and(|usage| usage.value.ocsp_signing);
        let validity = deputy.validity();
        let in_time = (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&now);
        let (outer, _) = take(self.certificates?, SEQUENCE)?;
        let (signed, rest) = take(outer.content, SEQUENCE)?;
        let (algorithm, rest) = take(rest, SEQUENCE)?;
        let (signature, _) = take(rest, BITS)?;
        let signature = signature.content.strip_prefix(&[0])?;
        let issued = is_signed(signed.whole, algorithm.content, signature, &own);
        (may && in_time && issued).then(|| deputy.public_key().raw.to_vec())
    }
}

impl<'a> Single<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (id, rest) = take(bytes, SEQUENCE)?;
        let (status, rest) = any(rest)?;
        let (from, rest) = take(rest, TIME)?;
        let until = take(rest, FIRST).map(|(outer, _)| outer);
        let (algorithm, id) = take(id.content, SEQUENCE)?;
        let (algorithm, _) = take(algorithm.content, OBJECT)?;
        let (name, id) = take(id, OCTETS)?;
        let (key, id) = take(id, OCTETS)?;
        let (serial, _) = take(id, INTEGER)?;
        Some(Self {
            algorithm: algorithm.content,
            name: name.content,
            key: key.content,
            serial: serial.content,
            status: status.tag,
            from: seconds(from.content)?,
            until: match until {
                Some(outer) => Some(seconds(take(outer.content, TIME)?.0.content)?),
                None => None,
            },
        })
    }

    /// Serial numbers are those of an issuer: names and keys by other hashes than ours go by the serial number, and,
    /// where the issuer is known, by its signature.
    fn is_for(&self, leaf: &X509Certificate<'_>, issuer: Option<&X509Certificate<'_>>) -> bool {
        if self.serial != leaf.raw_serial() {
            return false;
        }
        if self.algorithm != SHA1 {
            return true;
        }
        let same_key = issuer.is_none_or(|issuer| self.key == hashes(leaf, issuer).1);
        same_key && self.name == sha1(leaf.issuer().as_raw())
    }
}

/// Whether a key (SubjectPublicKeyInfo) made a signature by an algorithm (content of an AlgorithmIdentifier).
fn is_signed(message: &[u8], algorithm: &[u8], signature: &[u8], key: &[u8]) -> bool {
    let key = SubjectPublicKeyInfoDer::from(key);
    let Ok(key) = RawPublicKeyEntity::try_from(&key) else {
        return false;
    };
    algorithms()
        .all
        .iter()
        .filter(|known| known.signature_alg_id().as_ref() == algorithm)
        .any(|known| key.verify_signature(*known, message, signature).is_ok())
}

/// One element of DER.
#[derive(Clone, Copy)]
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    /// With tag and length.
    whole: &'a [u8],
}

/// The first element and what follows it.
fn any(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            let length = digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    let whole = &bytes[..bytes.len() - rest.len()];
    Some((Element { tag, content, whole }, rest))
}

/// The same for an element of a kind.
fn take(bytes: &[u8], tag: u8) -> Option<(Element<'_>, &[u8])> {
    any(bytes).filter(|(element, _)| element.tag == tag)
}

fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let digits = length.to_be_bytes();
        let digits = &digits[digits.iter().take_while(|digit| **digit == 0).count()..];
        out.push(0x80 | digits.len() as u8);
        out.extend_from_slice(digits);
    }
    out.extend_from_slice(content);
    out
}

/// `20261123054500Z` in seconds since 1970.
fn seconds(text: &[u8]) -> Option<i64> {
    let (digits, zone) = text.split_at_checked(14)?;
    if zone != b"Z" || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |from: usize, to: usize| {
        digits[from..to]
            .iter()
            .fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'))
    };
    let (year, month, day) = (number(0, 4), number(4, 6), number(6, 8));
    // Days of the civil calendar, with years that begin in March.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days * 86_400 + number(8, 10) * 3_600 + number(10, 12) * 60 + number(12, 14))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_since_1970() {
        assert_eq!(seconds(b"19700101000000Z"), Some(0));
        assert_eq!(seconds(b"20240229235959Z"), Some(1_709_251_199));
        assert_eq!(seconds(b"20000301000000Z"), Some(951_868_800));
        for wrong in [
            &b"20240229235959"[..],
            b"20240229235959+",
            b"2024022923595Z",
            b"",
            b"2024022923595xZ",
        ] {
            assert_eq!(seconds(wrong), None);
        }
    }

    #[test]
    fn lengths_of_every_form_are_read_as_they_are_written() {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let content = vec![7; length];
            let written = [wrap(SEQUENCE, &content), vec![9]].concat();
            let (element, rest) = take(&written, SEQUENCE).unwrap();
            assert_eq!(
                (element.content, element.whole.len(), rest),
                (&*content, written.len() - 1, &[9][..])
            );
            assert!(take(&written[..written.len() - 2], SEQUENCE).is_none(), "{length}");
        }
        assert!(any(&[SEQUENCE, 0x80]).is_none() && any(&[SEQUENCE, 0x84, 0, 0, 0, 0]).is_none() && any(&[]).is_none());
    }

    #[test]
    fn rubbish_is_no_response() {
        let chain = crate::tls::testing::Clients::new("root").sub("second").issue("a");
        let empty = wrap(SEQUENCE, &[]);
        let refused = wrap(SEQUENCE, &wrap(ENUMERATED, &[6]));
        let hollow = wrap(SEQUENCE, &wrap(ENUMERATED, &[0]));
        for (response, fault) in [
            (&b""[..], Fault::Malformed),
            (b"rubbish", Fault::Malformed),
            (&empty, Fault::Malformed),
            (&refused, Fault::Unanswered),
            (&hollow, Fault::Malformed),
        ] {
            assert_eq!(check(response, &chain, 0), Err(fault));
        }
        assert!(request(&chain).is_some_and(|request| request.len() > 60));
        assert!(request(&chain[..1]).is_none());
    }
}
