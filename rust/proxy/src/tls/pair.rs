//! One certificate chain with its private key.
//!
//! Parsing reads PEM, names and dates, which is cheap. Turning the key into something that signs, and seeing whether it
//! belongs to the certificate, costs much more: that happens once, at the first handshake or in the background.
//! No text made here ever holds bytes of a key.

use super::staple::{self, Fault, Validity};
use super::store::seconds_now;
use arc_swap::ArcSwapOption;
use fastingress_route::schema;
use rustls::crypto::aws_lc_rs::sign;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
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
    /// Where its status can be asked for.
    responder: Option<Box<str>>,
    staple: ArcSwapOption<Staple>,
    /// Why there is none, or no newer one.
    no_staple: ArcSwapOption<String>,
    /// Before this second no responder is asked.
    ask_again: AtomicI64,
    pub(super) reported: AtomicU8,
}

/// A response of the certificate's responder, good to be stapled.
struct Staple {
    der: Vec<u8>,
    validity: Validity,
    /// Made when a handshake needs it.
    certified: OnceLock<Arc<CertifiedKey>>,
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
        let (names, not_after, responder) = read_leaf(leaf)?;
        for (at, issuer) in chain.iter().enumerate().skip(1) {
            X509Certificate::from_der(issuer).map_err(|_| Invalid::X509(at + 1))?;
        }
        let key = PrivateKeyDer::from_pem_slice(&source.key).map_err(|error| Invalid::Key(explain(&error)))?;
        let pair = Pair {
            chain,
            key,
            names,
            not_after,
            signing: OnceLock::new(),
            responder,
            staple: ArcSwapOption::empty(),
            no_staple: ArcSwapOption::empty(),
            ask_again: AtomicI64::new(0),
            reported: AtomicU8::new(0),
        };
        if !source.ocsp.is_empty()
            && let Err(fault) = pair.put_staple(source.ocsp.clone(), seconds_now())
        {
            pair.no_staple.store(Some(Arc::new(format!("tls.ocsp {fault}"))));
        }
        Ok(pair)
    }

    /// Chain and signing key; loaded and checked against each other by whoever comes first.
    ///
    /// # Errors
    /// [`Invalid::UnusableKey`] or [`Invalid::Mismatch`], the same at every call.
    pub fn signing(&self) -> Result<Arc<CertifiedKey>, Invalid> {
        self.signing.get_or_init(|| self.load()).clone()
    }

    /// The same with a response stapled to it, if there is one that counts at this second.
    ///
    /// # Errors
    /// As [`Pair::signing`].
    pub fn serving(&self, now: i64) -> Result<Arc<CertifiedKey>, Invalid> {
        let plain = self.signing()?;
        let staple = self.staple.load();
        let Some(staple) = staple.as_ref().filter(|staple| now <= staple.validity.until) else {
            return Ok(plain);
        };
        let certified = staple.certified.get_or_init(|| {
            let mut certified = CertifiedKey::clone(&plain);
            certified.ocsp = Some(staple.der.clone());
            Arc::new(certified)
        });
        Ok(certified.clone())
    }

    fn put_staple(&self, der: Vec<u8>, now: i64) -> Result<(), Fault> {
        let validity = staple::check(&der, &self.chain, now)?;
        self.staple.store(Some(Arc::new(Staple {
            der,
            validity,
            certified: OnceLock::new(),
        })));
        self.no_staple.store(None);
        Ok(())
    }

    /// The responder to ask, if there is none whose answer counts for at least half of its time yet.
    pub fn responder_to_ask(&self, now: i64) -> Option<&str> {
        let staple = self.staple.load();
        let fresh = staple.as_ref().is_some_and(|staple| {
            let Validity { from, until } = staple.validity;
            now < from + (until - from) / 2
        });
        let wanted = !fresh && now >= self.ask_again.load(Ordering::Relaxed) && self.chain.len() > 1;
        self.responder.as_deref().filter(|_| wanted)
    }

    /// Takes what a responder answered. It is not asked again before the second `again`.
    pub fn answered(&self, outcome: Result<Vec<u8>, String>, again: i64) {
        self.ask_again.store(again, Ordering::Relaxed);
        let taken = outcome.and_then(|der| {
            self.put_staple(der, seconds_now())
                .map_err(|fault| format!("its answer {fault}"))
        });
        if let Err(why) = taken {
            let url = self.responder.as_deref().unwrap_or_default();
            let text = format!("no answer of the OCSP responder {url}: {why}");
            self.no_staple.store(Some(Arc::new(text)));
        }
    }

    /// Why there is no response to staple, or no newer one, where there should be.
    pub fn staple_fault(&self, now: i64) -> Option<String> {
        if let Some(why) = self.no_staple.load().as_deref() {
            return Some(why.clone());
        }
        let staple = self.staple.load();
        let over = staple.as_ref().is_some_and(|staple| now > staple.validity.until);
        over.then(|| format!("its OCSP response {}", Fault::OutOfDate))
    }

    /// The chain, the certificate itself first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
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

/// Names, the last second it is valid, and where its status can be asked for.
type Leaf = (CertificateNames, i64, Option<Box<str>>);

fn read_leaf(der: &CertificateDer<'_>) -> Result<Leaf, Invalid> {
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
    let not_after = certificate.validity().not_after.timestamp();
    Ok((names, not_after, staple::responder(&certificate)))
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
mod tests;
