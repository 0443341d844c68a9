//! Whom to trust: certificates of authorities and revocation lists by key, replaced while handshakes go on.
//!
//! Who asks for which authority is not known here. An authority that is absent or cannot be read is found by nobody, so
//! whoever needs one refuses.

use super::store::Scoped;
use arc_swap::ArcSwap;
use fastingress_route::schema::{self, Problem};
use hashbrown::HashMap;
use rustls::DistinguishedName;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, TrustAnchor, UnixTime};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use webpki::{
    CertRevocationList, EndEntityCert, Error, ExpirationPolicy, KeyUsage, OwnedCertRevocationList,
    RevocationCheckDepth, RevocationOptionsBuilder, UnknownStatusPolicy, VerifiedPath,
};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Why an authority could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// No certificate, or no PEM.
    #[error("ca.crt {0}")]
    Roots(&'static str),
    /// A certificate that cannot be trusted as it is.
    #[error("certificate {0} of ca.crt is not a valid X.509 certificate")]
    X509(usize),
    /// Lists that are no PEM.
    #[error("ca.crl {0}")]
    Lists(&'static str),
    /// A list that is none.
    #[error("list {0} of ca.crl is not a valid X.509 revocation list")]
    List(usize),
}

/// The authorities of one key as they are at one moment. A changed one is another value, so a pointer is a version.
pub struct Trust {
    certificates: Vec<CertificateDer<'static>>,
    /// Those that issued themselves; all of them if none did.
    anchors: Vec<TrustAnchor<'static>>,
    /// The others: a link of a chain that clients need not send.
    links: Vec<CertificateDer<'static>>,
    lists: Vec<CertRevocationList<'static>>,
    subjects: Vec<DistinguishedName>,
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Trust({} certificates, {} lists)",
            self.certificates.len(),
            self.lists.len()
        )
    }
}

impl Trust {
    /// Reads PEM.
    ///
    /// # Errors
    /// There is no certificate, or one or a list cannot be read: to go on without it would let in or lock out others
    /// than its owner thinks.
    pub fn parse(source: &schema::Authority) -> Result<Self, Invalid> {
        let certificates = CertificateDer::pem_slice_iter(&source.roots)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Invalid::Roots(explain(&error)))?;
        if certificates.is_empty() {
            return Err(Invalid::Roots("holds no PEM certificate"));
        }
        let mut own = Vec::with_capacity(certificates.len());
        let mut subjects = Vec::with_capacity(certificates.len());
        for (at, certificate) in certificates.iter().enumerate() {
            let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| Invalid::X509(at + 1))?;
            own.push(parsed.subject().as_raw() == parsed.issuer().as_raw());
            subjects.push(DistinguishedName::from(parsed.subject().as_raw().to_vec()));
        }
        let any_own = own.contains(&true);
        let (mut anchors, mut links) = (Vec::new(), Vec::new());
        for (at, certificate) in certificates.iter().enumerate() {
            if own[at] || !any_own {
                let anchor = webpki::anchor_from_trusted_cert(certificate).map_err(|_| Invalid::X509(at + 1))?;
                anchors.push(anchor.to_owned());
            } else {
                links.push(certificate.clone());
            }
        }
        Ok(Self {
            lists: parse_lists(&source.revocations)?,
            certificates,
            anchors,
            links,
            subjects,
        })
    }

    /// Sees whether a client's chain, its own certificate first, leads to one of the authorities, with at most `depth`
    /// certificates between the client's and theirs.
    ///
    /// Where there are revocation lists, each issuer in the chain needs one that is in date.
    ///
    /// # Errors
    /// What the chain lacks.
    pub fn verify_client(&self, chain: &[CertificateDer<'_>], depth: u8, now: UnixTime) -> Result<(), Error> {
        let (leaf, sent) = chain.split_first().ok_or(Error::UnknownIssuer)?;
        let leaf = EndEntityCert::try_from(leaf)?;
        self.verify(&leaf, sent, depth, now, KeyUsage::client_auth())
    }

    /// The same for the chain of a server, which must be for `name`. A certificate that is itself among the authorities
    /// needs no issuer.
    ///
    /// # Errors
    /// What the chain lacks.
    pub fn verify_server(
        &self,
        leaf: &CertificateDer<'_>,
        sent: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        depth: u8,
        now: UnixTime,
    ) -> Result<(), Error> {
        let parsed = EndEntityCert::try_from(leaf)?;
        if self.certificates.contains(leaf) {
            check_dates(leaf, now)?;
        } else {
            self.verify(&parsed, sent, depth, now, KeyUsage::server_auth())?;
        }
        parsed.verify_is_valid_for_subject_name(name)
    }

    fn verify(
        &self,
        leaf: &EndEntityCert<'_>,
        sent: &[CertificateDer<'_>],
        depth: u8,
        now: UnixTime,
        usage: KeyUsage,
    ) -> Result<(), Error> {
        let links: Vec<CertificateDer<'_>> = sent.iter().chain(&self.links).cloned().collect();
        let lists: Vec<&CertRevocationList<'_>> = self.lists.iter().collect();
        let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
            options
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(UnknownStatusPolicy::Deny)
                .with_expiration_policy(ExpirationPolicy::Enforce)
                .build()
        });
        let short_enough = |path: &VerifiedPath<'_>| {
            if path.intermediate_certificates().count() > usize::from(depth) {
                return Err(Error::MaximumPathDepthExceeded);
            }
            Ok(())
        };
        leaf.verify_for_usage(
            algorithms().all,
            &self.anchors,
            &links,
            now,
            usage,
            revocation,
            Some(&short_enough),
        )?;
        Ok(())
    }

    /// The subjects of the authorities, for clients to choose a certificate by.
    pub fn subjects(&self) -> &[DistinguishedName] {
        &self.subjects
    }

    /// The roots that everybody knows, for endpoints that are out in the world.
    pub fn well_known() -> &'static Arc<Self> {
        static WELL_KNOWN: OnceLock<Arc<Trust>> = OnceLock::new();
        WELL_KNOWN.get_or_init(|| {
            Arc::new(Self {
                certificates: Vec::new(),
                anchors: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
                links: Vec::new(),
                lists: Vec::new(),
                subjects: Vec::new(),
            })
        })
    }
}

/// What a chain is not asked for that is trusted by itself.
fn check_dates(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| Error::BadDer)?;
    let at = |seconds: i64| UnixTime::since_unix_epoch(Duration::from_secs(seconds.max(0).unsigned_abs()));
    let (not_before, not_after) = (
        at(parsed.validity().not_before.timestamp()),
        at(parsed.validity().not_after.timestamp()),
    );
    match () {
        () if now < not_before => Err(Error::CertNotValidYet { time: now, not_before }),
        () if now > not_after => Err(Error::CertExpired { time: now, not_after }),
        () => Ok(()),
    }
}

/// The signatures that certificates and handshakes may have.
pub fn algorithms() -> &'static WebPkiSupportedAlgorithms {
    static ALGORITHMS: OnceLock<WebPkiSupportedAlgorithms> = OnceLock::new();
    ALGORITHMS.get_or_init(|| rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms)
}

fn parse_lists(pem: &[u8]) -> Result<Vec<CertRevocationList<'static>>, Invalid> {
    let lists = CertificateRevocationListDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Invalid::Lists(explain(&error)))?;
    if lists.is_empty() && pem.iter().any(|byte| !byte.is_ascii_whitespace()) {
        return Err(Invalid::Lists("holds no PEM revocation list"));
    }
    let parse = |(at, list): (usize, &CertificateRevocationListDer<'_>)| {
        OwnedCertRevocationList::from_der(list)
            .map(CertRevocationList::from)
            .map_err(|_| Invalid::List(at + 1))
    };
    lists.iter().enumerate().map(parse).collect()
}

/// The kind of error, without any of the bytes that the library's own text would show.
fn explain(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "has a PEM section without its END line",
        pem::Error::IllegalSectionStart { .. } => "has a damaged BEGIN line",
        pem::Error::Base64Decode(_) => "is not valid base64",
        pem::Error::SectionTooLarge => "is too large",
        _ => "is not valid PEM",
    }
}

/// All authorities by key. Shared by all threads; looking one up waits for nobody.
#[derive(Debug, Default)]
pub struct Authorities {
    by_key: ArcSwap<HashMap<Box<str>, Arc<Trust>>>,
    /// Held by whoever changes something.
    changing: Mutex<()>,
}

impl Authorities {
    /// Replaces, adds and (`None`) removes authorities. One that cannot be read counts as absent.
    ///
    /// The answer has a scope `authority:KEY` for each change, empty when nothing is wrong.
    pub fn apply(&self, changes: &[(Box<str>, Option<schema::Authority>)]) -> Vec<Scoped> {
        if changes.is_empty() {
            return Vec::new();
        }
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by_key = HashMap::clone(&self.by_key.load());
        let mut answer = Vec::with_capacity(changes.len());
        for (key, authority) in changes {
            by_key.remove(key);
            let mut problems = Vec::new();
            match authority.as_ref().map(Trust::parse) {
                None => {}
                Some(Ok(trust)) => {
                    by_key.insert(key.clone(), Arc::new(trust));
                }
                Some(Err(invalid)) => problems.push(Problem {
                    code: "InvalidAuthority".into(),
                    ingress: None,
                    message: format!("Secret {key}: {invalid}; whatever needs it is refused").into(),
                }),
            }
            answer.push((format!("authority:{key}").into(), problems));
        }
        self.by_key.store(Arc::new(by_key));
        answer
    }

    /// The authorities of a key as they are now; `None` when they are absent or could not be read.
    pub fn find(&self, key: &str) -> Option<Arc<Trust>> {
        self.by_key.load().get(key).cloned()
    }
}

#[cfg(test)]
mod tests;
