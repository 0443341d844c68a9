//! TLS towards endpoints: one configuration for each way of speaking it, made once and shared by all workers.
//!
//! A way is what the route says (`proxy-ssl-*`) with the authority and the certificate as they are: when one of these
//! changes there is a new way, and connections of the old one are not used for new requests. Like ingress-nginx, nothing
//! is verified and no name is sent unless the route asks for it.

use crate::tls::authority::{Authorities, Trust};
use crate::tls::config::{suites_named, versions_named};
use crate::tls::pair::Pair;
use crate::tls::store::Certificates;
use fastingress_route::schema::UpstreamTls;
use hashbrown::HashMap;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Why there is no TLS with an endpoint that was reached. The endpoint is not set aside for it: nothing is known about it but
/// that these two do not get on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsFailure {
    /// Its certificate does not verify.
    #[error("the certificate of the endpoint was refused: {0}")]
    Unverified(Box<str>),
    /// The two have no protocol version, cipher suite or the like in common, or it refused us.
    #[error("the TLS handshake failed: {0}")]
    Handshake(Box<str>),
    /// HTTP/2 is to be spoken and it does not.
    #[error("the endpoint does not speak HTTP/2 over TLS")]
    NoHttp2,
    /// What the route says cannot be done now.
    #[error("TLS to the endpoint cannot be set up: {0}")]
    Unusable(&'static str),
}

impl TlsFailure {
    /// A stable word for logs and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            TlsFailure::Unverified(_) => "upstream_unverified",
            TlsFailure::Handshake(_) => "upstream_tls_failed",
            TlsFailure::NoHttp2 => "upstream_not_http2",
            TlsFailure::Unusable(_) => "upstream_tls_unusable",
        }
    }
}

/// All ways in use, for all workers.
pub struct Ways {
    authorities: Arc<Authorities>,
    certificates: Arc<Certificates>,
    made: Mutex<HashMap<Asked, Weak<Way>>>,
    /// Counts changes of authorities and certificates.
    version: AtomicU64,
}

/// What a route asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Asked {
    tls: UpstreamTls,
    http2: bool,
}

/// Never used twice in a process.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// One way of speaking TLS to endpoints.
pub struct Way {
    /// Two ways that differ have different ones.
    pub id: u64,
    asked: Asked,
    trust: Option<Arc<Trust>>,
    pair: Option<Arc<Pair>>,
    config: Result<Arc<ClientConfig>, TlsFailure>,
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Way({}, {:?})", self.id, self.asked)
    }
}

impl Ways {
    /// None yet.
    pub fn new(authorities: Arc<Authorities>, certificates: Arc<Certificates>) -> Self {
        Self {
            authorities,
            certificates,
            made: Mutex::default(),
            version: AtomicU64::new(0),
        }
    }

    /// To be called after authorities or certificates have changed.
    pub fn changed(&self) {
        self.version.fetch_add(1, Ordering::Release);
    }

    /// While it is the same, so are the ways.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The way of a route now. Takes a lock: for when something has changed, not for each request.
    pub fn find(&self, tls: &UpstreamTls, http2: bool) -> Arc<Way> {
        let asked = Asked {
            tls: tls.clone(),
            http2,
        };
        let trust = match &tls.authority {
            _ if !tls.verify => None,
            Some(key) => self.authorities.find(key),
            None => Some(Trust::well_known().clone()),
        };
        let pair = tls.certificate.as_ref().and_then(|key| self.certificates.find(key));
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(way) = made.get(&asked).and_then(Weak::upgrade)
            && same(way.trust.as_ref(), trust.as_ref())
            && same(way.pair.as_ref(), pair.as_ref())
        {
            return way;
        }
        made.retain(|_, way| way.strong_count() > 0);
        let way = Arc::new(Way {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            config: configure(&asked, trust.as_ref(), pair.as_deref()),
            asked: asked.clone(),
            trust,
            pair,
        });
        made.insert(asked, Arc::downgrade(&way));
        way
    }
}

fn same<T>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        _ => false,
    }
}

fn configure(asked: &Asked, trust: Option<&Arc<Trust>>, pair: Option<&Pair>) -> Result<Arc<ClientConfig>, TlsFailure> {
    let tls = &asked.tls;
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites =
        suites_named(&tls.ciphers).ok_or(TlsFailure::Unusable("a cipher suite is not known here"))?;
    let provider = Arc::new(provider);
    let versions = versions_named(&tls.protocols).ok_or(TlsFailure::Unusable("a version of TLS is not known here"))?;
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Some(trust) => Arc::new(Verified {
            trust: trust.clone(),
            depth: tls.verify_depth,
            provider: provider.clone(),
        }),
        None if tls.verify => return Err(TlsFailure::Unusable("there is no authority to verify it against")),
        None => Arc::new(Unverified(provider.clone())),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(|_| TlsFailure::Unusable("the versions of TLS and the cipher suites do not fit"))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    // One that cannot be used is a problem of its Secret; the endpoint will say if it wants one.
    let mut config = match pair.and_then(|pair| pair.signing().ok()) {
        Some(certified) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified))),
        None => builder.with_no_client_auth(),
    };
    config.enable_sni = tls.send_name;
    let protocol: &[u8] = if asked.http2 { b"h2" } else { b"http/1.1" };
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(Arc::new(config))
}

impl Way {
    /// True when it depends on the host that a request is for.
    pub fn wants_host(&self) -> bool {
        let tls = &self.asked.tls;
        tls.name.is_none() && (tls.verify || tls.send_name)
    }

    /// Shakes hands. `host` is the one that the request is for, without its port; it is looked at if
    /// [`wants_host`](Self::wants_host).
    ///
    /// # Errors
    /// Why there is no TLS; or the stream broke, as a connect may fail.
    pub async fn handshake(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        host: Option<&str>,
    ) -> Result<TlsStream<TcpStream>, HandshakeError> {
        let config = self.config.clone()?;
        let name = self.name(address, host)?;
        let stream = TlsConnector::from(config)
            .connect(name, stream)
            .await
            .map_err(HandshakeError::from_io)?;
        let spoken = stream.get_ref().1.alpn_protocol();
        if self.asked.http2 && spoken != Some(b"h2") {
            return Err(TlsFailure::NoHttp2.into());
        }
        Ok(stream)
    }

    /// The name to verify and to send. Where there is neither, sessions are still kept by name: by that of the endpoint.
    fn name(&self, address: SocketAddr, host: Option<&str>) -> Result<ServerName<'static>, TlsFailure> {
        let tls = &self.asked.tls;
        let name = match (&tls.name, host) {
            (Some(name), _) => &**name,
            (None, Some(host)) if self.wants_host() => host,
            (None, _) => return Ok(ServerName::IpAddress(address.ip().into())),
        };
        let name = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'))
            .unwrap_or(name);
        let name = ServerName::try_from(name.to_owned());
        name.map_err(|_| TlsFailure::Unusable("the host of the request cannot be the name of an endpoint"))
    }
}

/// Why a handshake did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The two do not get on.
    #[error(transparent)]
    Tls(#[from] TlsFailure),
    /// The endpoint went away.
    #[error(transparent)]
    Io(io::Error),
}

impl HandshakeError {
    fn from_io(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(Error::InvalidCertificate(cause)) => TlsFailure::Unverified(cause.to_string().into()).into(),
            Some(Error::NoApplicationProtocol) => TlsFailure::NoHttp2.into(),
            Some(Error::AlertReceived(rustls::AlertDescription::NoApplicationProtocol)) => TlsFailure::NoHttp2.into(),
            Some(cause) => TlsFailure::Handshake(cause.to_string().into()).into(),
            None => HandshakeError::Io(error),
        }
    }
}

/// Takes any certificate.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    // A certificate that nobody looks at may be of a form that cannot even be read here, and its key proves nothing.
    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Takes a certificate that leads to an authority and is for the name.
#[derive(Debug)]
struct Verified {
    trust: Arc<Trust>,
    depth: u8,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verified {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.trust
            .verify_server(end_entity, intermediates, server_name, self.depth, now)
            .map(|()| ServerCertVerified::assertion())
            .map_err(|error| Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error)))))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
