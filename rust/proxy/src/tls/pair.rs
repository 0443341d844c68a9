//! One certificate chain with its private key.
//!
//! Parsing reads PEM, names and dates, which is cheap. Turning the key into something that signs, and seeing whether it
//! belongs to the certificate, costs much more: that happens once, at the first handshake or in the background.
//! No text made here ever holds bytes of a key.

use fastingress_route::schema;
use rustls::crypto::aws_lc_rs::sign;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use std::net::IpAddr;
use std::sync::atomic::AtomicU8;
use std::sync::{Arc, OnceLock};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Why a chain or key could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// No certificate in the chain, or it is not PEM.
    #[error("the certificate chain {0}")]
    Chain(&'static str),
    /// The first certificate is not X.509.
    #[error("certificate {0} of the chain is not a valid X.509 certificate")]
    X509(usize),
    /// No private key, or it is not PEM.
    #[error("the private key {0}")]
    Key(&'static str),
    /// The key's PEM is fine and its content is not.
    #[error("the private key is damaged or of a kind that is not supported (RSA, ECDSA P-256, P-384, P-521, Ed25519)")]
    UnusableKey,
    /// Key and certificate do not belong together.
    #[error("the private key does not belong to the certificate")]
    Mismatch,
}

impl Invalid {
    /// The code of the problem it makes.
    pub fn code(&self) -> &'static str {
        match self {
            Invalid::Mismatch => "KeyMismatch",
            _ => "InvalidCertificate",
        }
    }
}

/// A parsed chain and its key.
pub struct Pair {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    names: CertificateNames,
    not_after: i64,
    signing: OnceLock<Result<Arc<CertifiedKey>, Invalid>>,
    pub(super) reported: AtomicU8,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            chain,
            names,
            not_after,
            ..
        } = self;
        write!(
            f,
            "Pair({} certificates, {names:?}, not after {not_after}, key withheld)",
            chain.len()
        )
    }
}

impl Pair {
    /// Reads PEM, the names and the expiry.
    ///
    /// # Errors
    /// When there is no certificate, no key, or the first certificate cannot be parsed.
    pub fn parse(source: &schema::Certificate) -> Result<Pair, Invalid> {
        let chain = CertificateDer::pem_slice_iter(&source.chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Invalid::Chain(explain(&error)))?;
        let leaf = chain.first().ok_or(Invalid::Chain("holds no PEM certificate"))?;
        let (names, not_after) = read_leaf(leaf)?;
        for (at, issuer) in chain.iter().enumerate().skip(1) {
            X509Certificate::from_der(issuer).map_err(|_| Invalid::X509(at + 1))?;
        }
        let key = PrivateKeyDer::from_pem_slice(&source.key).map_err(|error| Invalid::Key(explain(&error)))?;
        Ok(Pair {
            chain,
            key,
            names,
            not_after,
            signing: OnceLock::new(),
            reported: AtomicU8::new(0),
        })
    }

    /// Chain and signing key; loaded and checked against each other by whoever comes first.
    ///
    /// # Errors
    /// [`Invalid::UnusableKey`] or [`Invalid::Mismatch`], the same at every call.
    pub fn signing(&self) -> Result<Arc<CertifiedKey>, Invalid> {
        self.signing.get_or_init(|| self.load()).clone()
    }

    fn load(&self) -> Result<Arc<CertifiedKey>, Invalid> {
        let signer = sign::any_supported_type(&self.key).map_err(|_| Invalid::UnusableKey)?;
        let certified = CertifiedKey::new(self.chain.clone(), signer);
        match certified.keys_match() {
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(Invalid::Mismatch),
            // Any other error says that it cannot be known; the first handshake will show.
            _ => Ok(Arc::new(certified)),
        }
    }

    /// What the pair check found, if it has been made.
    pub fn checked(&self) -> Option<Result<(), Invalid>> {
        self.signing
            .get()
            .map(|result| result.as_ref().map(|_| ()).map_err(Clone::clone))
    }

    /// The names it is for.
    pub fn names(&self) -> &CertificateNames {
        &self.names
    }

    /// The last second it is valid, since 1970.
    pub fn not_after(&self) -> i64 {
        self.not_after
    }
}

/// The kind of error, without any of the bytes that the library's own text would show.
fn explain(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::NoItemsFound => "holds no unencrypted PEM private key",
        pem::Error::MissingSectionEnd { .. } => "has a PEM section without its END line",
        pem::Error::IllegalSectionStart { .. } => "has a damaged BEGIN line",
        pem::Error::Base64Decode(_) => "is not valid base64",
        pem::Error::SectionTooLarge => "is too large",
        _ => "is not valid PEM",
    }
}

fn read_leaf(der: &CertificateDer<'_>) -> Result<(CertificateNames, i64), Invalid> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| Invalid::X509(1))?;
    let mut names = CertificateNames::default();
    if let Ok(Some(alternatives)) = certificate.subject_alternative_name() {
        for name in &alternatives.value.general_names {
            match name {
                GeneralName::DNSName(name) => names.add(name),
                GeneralName::IPAddress(bytes) => names.add_address(bytes),
                _ => {}
            }
        }
    }
    if names.is_empty() {
        // What browsers no longer do and ingress-nginx does.
        for name in certificate.subject().iter_common_name() {
            if let Ok(name) = name.as_str() {
                names.add(name);
            }
        }
    }
    names.sort();
    Ok((names, certificate.validity().not_after.timestamp()))
}

/// The names a certificate is for, lower case, sorted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CertificateNames {
    exact: Vec<Box<str>>,
    /// What follows `*.`.
    wildcard: Vec<Box<str>>,
}

impl CertificateNames {
    fn add(&mut self, name: &str) {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        match name.strip_prefix("*.") {
            Some(rest) => self.wildcard.push(rest.into()),
            None => self.exact.push(name.into()),
        }
    }

    fn add_address(&mut self, bytes: &[u8]) {
        let address = match bytes.len() {
            4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
            16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
            _ => None,
        };
        self.exact.extend(address.map(|address| address.to_string().into()));
    }

    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.wildcard.is_empty()
    }

    fn sort(&mut self) {
        for list in [&mut self.exact, &mut self.wildcard] {
            list.sort_unstable();
            list.dedup();
        }
    }

    /// Whether the certificate is for `host`: a name in lower case without a trailing dot, or `*.example.com`, which
    /// only a certificate for that very wildcard covers.
    pub fn cover(&self, host: &str) -> bool {
        let has = |list: &[Box<str>], name: &str| list.binary_search_by(|item| (**item).cmp(name)).is_ok();
        if let Some(rest) = host.strip_prefix("*.") {
            return has(&self.wildcard, rest);
        }
        has(&self.exact, host) || host.split_once('.').is_some_and(|(_, rest)| has(&self.wildcard, rest))
    }

    /// All of them as text, `*.` in front of wildcards.
    pub fn list(&self) -> Vec<String> {
        let exact = self.exact.iter().map(|name| name.to_string());
        exact
            .chain(self.wildcard.iter().map(|rest| format!("*.{rest}")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::testing::{Recipe, for_address, for_names, older_form, pem, with_key_of};

    fn names_of(source: &schema::Certificate) -> Vec<String> {
        Pair::parse(source).unwrap().names().list()
    }

    #[test]
    fn every_kind_of_key_in_every_form_signs() {
        let p256 = for_names(&["a.example"]);
        let p384 = Recipe {
            algorithm: &rcgen::PKCS_ECDSA_P384_SHA384,
            ..Recipe::new(&["a.example"])
        }
        .make();
        let ed25519 = Recipe {
            algorithm: &rcgen::PKCS_ED25519,
            ..Recipe::new(&["a.example"])
        }
        .make();
        let rsa = Recipe {
            algorithm: &rcgen::PKCS_RSA_SHA256,
            ..Recipe::new(&["a.example"])
        }
        .make();
        let sec1 = |of: &schema::Certificate| schema::Certificate {
            chain: of.chain.clone(),
            key: older_form(&of.key, "EC PRIVATE KEY"),
        };
        let pkcs1 = schema::Certificate {
            chain: rsa.chain.clone(),
            key: older_form(&rsa.key, "RSA PRIVATE KEY"),
        };
        for source in [&p256, &sec1(&p256), &p384, &sec1(&p384), &ed25519, &rsa, &pkcs1] {
            let pair = Pair::parse(source).unwrap();
            assert_eq!(pair.checked(), None, "the key is not touched before it is needed");
            assert!(pair.signing().is_ok(), "{}", String::from_utf8_lossy(&source.key[..32]));
            assert_eq!(pair.checked(), Some(Ok(())));
        }
    }

    #[test]
    fn text_around_pem_and_parameters_before_a_key_are_skipped() {
        let mut source = for_names(&["a.example"]);
        source.chain = [
            b"subject=CN = a\n\n".to_vec(),
            source.chain,
            b"\ntrailing words\n".to_vec(),
        ]
        .concat();
        source.key = [pem("EC PARAMETERS", &[6, 8, 42, 134, 72, 206, 61, 3, 1, 7]), source.key].concat();
        assert!(Pair::parse(&source).unwrap().signing().is_ok());
    }

    #[test]
    fn a_chain_is_served_whole() {
        let pair = Pair::parse(&Recipe::new(&["a.example"]).make_chain()).unwrap();
        assert_eq!(pair.signing().unwrap().cert.len(), 2);
    }

    #[test]
    fn what_cannot_be_read_says_why_without_a_byte_of_it() {
        let good = for_names(&["a.example"]);
        let text = |bytes: &[u8]| bytes.to_vec();
        let cut = |bytes: &[u8]| bytes[..bytes.len() - 40].to_vec();
        let (not_x509, not_a_key) = (pem("CERTIFICATE", b"secret"), pem("PRIVATE KEY", b"secret"));
        let second_damaged = [good.chain.clone(), not_x509.clone()].concat();
        let cases = [
            (text(b""), text(&good.key), "holds no PEM certificate"),
            (text(b"secret"), text(&good.key), "holds no PEM certificate"),
            (cut(&good.chain), text(&good.key), "without its END line"),
            (text(&good.key), text(&good.key), "holds no PEM certificate"),
            (not_x509, text(&good.key), "certificate 1 of the chain is not"),
            (second_damaged, text(&good.key), "certificate 2 of the chain is not"),
            (text(&good.chain), text(b""), "the private key holds no unencrypted PEM"),
            (
                text(&good.chain),
                cut(&good.key),
                "the private key has a PEM section without",
            ),
            (
                text(&good.chain),
                text(b"-----BEGIN PRIVATE KEY-----\nsec\x01ret\n-----END PRIVATE KEY-----\n"),
                "base64",
            ),
            (
                text(&good.chain),
                text(&good.chain),
                "the private key holds no unencrypted PEM",
            ),
        ];
        for (chain, key, expected) in cases {
            let invalid = Pair::parse(&schema::Certificate { chain, key }).unwrap_err();
            let said = invalid.to_string();
            assert!(said.contains(expected), "{said:?} has no {expected:?}");
            assert!(!said.contains("secret") && !said.contains('\u{1}'), "{said}");
            assert_eq!(invalid.code(), "InvalidCertificate");
        }
        let pair = Pair::parse(&schema::Certificate {
            chain: good.chain,
            key: not_a_key,
        })
        .unwrap();
        assert_eq!(pair.signing().unwrap_err(), Invalid::UnusableKey);
    }

    #[test]
    fn a_key_of_another_certificate_is_a_mismatch() {
        let others = [
            for_names(&["a.example"]),
            Recipe {
                algorithm: &rcgen::PKCS_ED25519,
                ..Recipe::new(&["a.example"])
            }
            .make(),
        ];
        for other in others {
            let pair = Pair::parse(&with_key_of(&for_names(&["a.example"]), &other)).unwrap();
            assert_eq!(pair.signing().unwrap_err(), Invalid::Mismatch);
            assert_eq!(pair.checked(), Some(Err(Invalid::Mismatch)));
            assert_eq!(Invalid::Mismatch.code(), "KeyMismatch");
        }
    }

    #[test]
    fn names_come_from_the_alternatives_and_only_without_them_from_the_subject() {
        assert_eq!(
            names_of(&for_names(&["b.example", "*.A.example", "b.example"])),
            ["b.example", "*.a.example"]
        );
        assert_eq!(names_of(&for_address("2001:db8::1")), ["2001:db8::1"]);
        let both = Recipe {
            common_name: Some("c.example"),
            ..Recipe::new(&["b.example"])
        };
        assert_eq!(names_of(&both.make()), ["b.example"]);
        let subject = Recipe {
            common_name: Some("C.example"),
            ..Recipe::new(&[])
        };
        assert_eq!(names_of(&subject.make()), ["c.example"]);
        assert!(names_of(&Recipe::new(&[]).make()).is_empty());
    }

    #[test]
    fn a_wildcard_covers_one_label() {
        let pair = Pair::parse(&for_names(&["example.com", "*.example.com", "*.b.example.com"])).unwrap();
        for covered in [
            "example.com",
            "a.example.com",
            "*.example.com",
            "x.b.example.com",
            "b.example.com",
        ] {
            assert!(pair.names().cover(covered), "{covered}");
        }
        for foreign in [
            "",
            "com",
            "a.b.c.example.com",
            "*.com",
            "*.a.example.com",
            "example.org",
            "aexample.com",
        ] {
            assert!(!pair.names().cover(foreign), "{foreign}");
        }
    }

    #[test]
    fn debugging_shows_no_key() {
        let source = for_names(&["a.example"]);
        let pair = Pair::parse(&source).unwrap();
        pair.signing().unwrap();
        let key = String::from_utf8(source.key).unwrap();
        let inside = key.lines().nth(1).unwrap();
        let shown = format!("{pair:?}");
        assert!(
            shown.contains("a.example") && shown.contains("withheld") && !shown.contains(inside),
            "{shown}"
        );
        assert!(!shown.contains("PKCS8"), "{shown}");
    }
}
