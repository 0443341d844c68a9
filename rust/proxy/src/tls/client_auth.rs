//! Clients' certificates: asked for in the handshake, judged after it, applied to each request.
//!
//! A handshake only sees whether the client has the key of the certificate it shows. A chain that leads nowhere must not
//! end it, since the client is to read a 400 and not an alert. The judgement is made once the handshake is over, and again
//! once a minute, for dates pass.
//!
//! A connection stands for the policy of the name it was made to, with the authorities as they were. A request that asks
//! for anything else on it is misdirected (421): another host with another policy, or the same after a change. Sessions of
//! such connections are never resumed, so no ticket carries a judgement anywhere.

use super::authority::{Authorities, Trust, algorithms};
use super::subject;
use crate::conn::ConnInfo;
use fastingress_route::schema::VerifyClient;
use fastingress_route::{ClientPolicy, RouteTable};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use x509_parser::prelude::{FromDer, X509Certificate};

/// How long a judgement holds: certificates and revocation lists expire.
const JUDGED_FOR: Duration = Duration::from_secs(60);

/// Asks for a certificate and takes any, or none: the handshake proves possession of its key and nothing else.
#[derive(Debug)]
pub struct Possession {
    subjects: Vec<DistinguishedName>,
}

impl Possession {
    /// `subjects` are those of the authorities that clients choose a certificate by.
    pub fn new(subjects: Vec<DistinguishedName>) -> Self {
        Self { subjects }
    }
}

impl ClientCertVerifier for Possession {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.subjects
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

/// What is thought of a client's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It leads to the authorities.
    Verified,
    /// There is none.
    Missing,
    /// It leads nowhere, but is sound in itself. The text is what OpenSSL says of such a chain.
    Unknown(&'static str),
    /// It is not to be taken, or there is nothing to judge it by.
    Refused(&'static str),
}

/// What a connection stands for that was made to a name which asks for certificates.
#[derive(Debug)]
pub struct Presented {
    policy: Arc<ClientPolicy>,
    trust: Option<Arc<Trust>>,
    chain: Vec<CertificateDer<'static>>,
    subject: String,
    issuer: String,
    /// The client's own certificate as PEM, escaped for a header; empty unless it is to be passed on.
    pem: String,
    judged: Mutex<(Instant, Standing)>,
}

impl Presented {
    /// Judges what came in a handshake: the client's chain, its own certificate first, or nothing.
    pub fn new(policy: Arc<ClientPolicy>, trust: Option<Arc<Trust>>, chain: Vec<CertificateDer<'static>>) -> Self {
        let leaf = chain.first().and_then(|leaf| X509Certificate::from_der(leaf).ok());
        let (subject, issuer) = leaf.map_or_else(Default::default, |(_, leaf)| {
            (subject::text(leaf.subject()), subject::text(leaf.issuer()))
        });
        let pem = match chain.first() {
            Some(leaf) if policy.auth.pass_certificate => escaped_pem(leaf),
            _ => String::new(),
        };
        let standing = judge(&policy, trust.as_deref(), &chain);
        Self {
            policy,
            trust,
            chain,
            subject,
            issuer,
            pem,
            judged: Mutex::new((Instant::now(), standing)),
        }
    }

    fn standing(&self) -> Standing {
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        if judged.0.elapsed() >= JUDGED_FOR {
            *judged = (Instant::now(), judge(&self.policy, self.trust.as_deref(), &self.chain));
        }
        judged.1
    }

    /// Whether the authorities are those of the handshake still.
    fn is_current(&self, authorities: &Authorities) -> bool {
        let now = authorities.find(&self.policy.auth.authority);
        match (&self.trust, &now) {
            (Some(then), Some(now)) => Arc::ptr_eq(then, now),
            (None, None) => true,
            _ => false,
        }
    }
}

fn judge(policy: &ClientPolicy, trust: Option<&Trust>, chain: &[CertificateDer<'_>]) -> Standing {
    let Some(trust) = trust else {
        return Standing::Refused("unable to get local issuer certificate");
    };
    if chain.is_empty() {
        return Standing::Missing;
    }
    match trust.verify_client(chain, policy.auth.depth, UnixTime::now()) {
        Ok(()) => Standing::Verified,
        Err(error) => explain(&error),
    }
}

/// In the words of OpenSSL, which backends may look at.
fn explain(error: &webpki::Error) -> Standing {
    use webpki::Error as E;
    match error {
        E::UnknownIssuer => Standing::Unknown("unable to get local issuer certificate"),
        // Of an authority with a known name and another key: as unknown as any.
        E::InvalidSignatureForPublicKey => Standing::Unknown("certificate signature failure"),
        E::CaUsedAsEndEntity => Standing::Unknown("self-signed certificate"),
        E::CertExpired { .. } => Standing::Refused("certificate has expired"),
        E::CertNotValidYet { .. } => Standing::Refused("certificate is not yet valid"),
        E::CertRevoked => Standing::Refused("certificate revoked"),
        E::CrlExpired { .. } => Standing::Refused("CRL has expired"),
        E::UnknownRevocationStatus => Standing::Refused("unable to get certificate CRL"),
        E::MaximumPathDepthExceeded => Standing::Refused("certificate chain too long"),
        E::RequiredEkuNotFoundContext(_) => Standing::Refused("unsuitable certificate purpose"),
        _ => Standing::Refused("certificate rejected"),
    }
}

/// The request asks for something that this connection does not stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misdirected;

/// A request to a host that asks for certificates, and how its client stands.
#[derive(Debug)]
pub struct Admission {
    policy: Arc<ClientPolicy>,
    standing: Standing,
    presented: Option<Arc<Presented>>,
}

/// What becomes of a request because of its client's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on.
    Admitted,
    /// A certificate is required and there is none.
    NoCertificate,
    /// The certificate is not to be taken.
    BadCertificate,
    /// The certificate is good and its subject is not one of those asked for.
    Unauthorised,
}

/// Sees whether a request may be served on its connection, and how its client stands.
///
/// `host` is that of the request and `asked` what the host of its route asks, from the same `table`. `None`: nothing is
/// asked. On the plain port every client counts as one without a certificate.
///
/// # Errors
/// [`Misdirected`], see above.
pub fn admit(
    conn: &ConnInfo,
    table: &RouteTable,
    host: &[u8],
    asked: Option<&Arc<ClientPolicy>>,
    authorities: &Authorities,
) -> Result<Option<Admission>, Misdirected> {
    let Some(tls) = &conn.tls else {
        return Ok(asked.map(|policy| Admission {
            standing: judge(policy, authorities.find(&policy.auth.authority).as_deref(), &[]),
            policy: policy.clone(),
            presented: None,
        }));
    };
    let held = tls.client.as_ref();
    if held.is_none() && !table.asks_clients() {
        return Ok(None);
    }
    let stands_for = held.map(|held| &held.policy);
    let in_order = stands_for == table.client_policy(host)
        && asked.is_none_or(|asked| Some(asked) == stands_for)
        && held.is_none_or(|held| held.is_current(authorities));
    if !in_order {
        return Err(Misdirected);
    }
    Ok(asked.zip(held).map(|(policy, held)| Admission {
        policy: policy.clone(),
        standing: held.standing(),
        presented: Some(held.clone()),
    }))
}

impl Admission {
    /// What becomes of the request.
    pub fn outcome(&self) -> Outcome {
        let verify = self.policy.auth.verify;
        match self.standing {
            Standing::Missing if verify == VerifyClient::On => return Outcome::NoCertificate,
            Standing::Unknown(_) if verify != VerifyClient::OptionalNoCa => return Outcome::BadCertificate,
            Standing::Refused(_) => return Outcome::BadCertificate,
            Standing::Verified | Standing::Missing | Standing::Unknown(_) => {}
        }
        if self.policy.takes_subject(self.subject()) {
            Outcome::Admitted
        } else {
            Outcome::Unauthorised
        }
    }

    /// Where clients are sent whose certificate is missing or bad.
    pub fn error_page(&self) -> Option<&str> {
        self.policy.auth.error_page.as_deref()
    }

    /// What backends are told in `ssl-client-verify`: `SUCCESS`, `NONE`, or `FAILED:` and why.
    pub fn verify(&self, out: &mut Vec<u8>) {
        match self.standing {
            Standing::Verified => out.extend_from_slice(b"SUCCESS"),
            Standing::Missing => out.extend_from_slice(b"NONE"),
            Standing::Unknown(why) | Standing::Refused(why) => {
                out.extend_from_slice(b"FAILED:");
                out.extend_from_slice(why.as_bytes());
            }
        }
    }

    /// The subject of the certificate, empty without one. Visible ASCII and spaces.
    pub fn subject(&self) -> &str {
        self.presented.as_ref().map_or("", |presented| &presented.subject)
    }

    /// Its issuer, the same way.
    pub fn issuer(&self) -> &str {
        self.presented.as_ref().map_or("", |presented| &presented.issuer)
    }

    /// The certificate as escaped PEM, empty unless it is to be passed on.
    pub fn pem(&self) -> &str {
        self.presented.as_ref().map_or("", |presented| &presented.pem)
    }
}

/// PEM with everything percent-encoded but unreserved characters (RFC 3986, section 2.3).
fn escaped_pem(der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut out = String::with_capacity(text.len() + text.len() / 8 + 128);
    out.push_str("-----BEGIN%20CERTIFICATE-----%0A");
    for line in text.as_bytes().chunks(64) {
        for &byte in line {
            if byte.is_ascii_alphanumeric() {
                out.push(char::from(byte));
            } else {
                write!(out, "%{byte:02X}").expect("writing to memory does not fail");
            }
        }
        out.push_str("%0A");
    }
    out.push_str("-----END%20CERTIFICATE-----%0A");
    out
}

#[cfg(test)]
mod tests;
