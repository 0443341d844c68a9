//! Which certificate a handshake gets.
//!
//! The one of the server name's host, if it is there, sound and for that name; else the default one of the settings;
//! else the self-signed one. A handshake is never refused for want of a certificate.

use super::store::{Certificates, seconds_now};
use arc_swap::ArcSwap;
use fastingress_route::RouteTable;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::borrow::Cow;
use std::sync::Arc;

/// Which certificate a name is to have: the live route table, or something simpler in a test.
pub trait Names: Send + Sync {
    /// The key `namespace/secret` for a server name in lower case, if its host has one.
    fn certificate(&self, server_name: &str) -> Option<Box<str>>;
    /// The key of the default certificate, if one is set.
    fn default_certificate(&self) -> Option<Box<str>>;
}

impl Names for Arc<ArcSwap<RouteTable>> {
    fn certificate(&self, server_name: &str) -> Option<Box<str>> {
        self.load().certificate(server_name).map(Box::from)
    }

    fn default_certificate(&self) -> Option<Box<str>> {
        self.load().default_certificate()
    }
}

/// Finds the certificate for each handshake. Waits for no lock.
pub struct Resolver {
    names: Box<dyn Names>,
    certificates: Arc<Certificates>,
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Resolver({:?})", self.certificates)
    }
}

impl Resolver {
    /// `names` is asked at each handshake, so a swapped table counts from the next one on.
    pub fn new(names: impl Names + 'static, certificates: Arc<Certificates>) -> Self {
        Self {
            names: Box::new(names),
            certificates,
        }
    }

    /// The certificate for a server name, in any case, with or without a trailing dot.
    pub fn certificate_for(&self, server_name: Option<&str>) -> Arc<CertifiedKey> {
        server_name
            .and_then(|name| self.named(&canonical(name)))
            .or_else(|| self.names.default_certificate().and_then(|key| self.sound(&key)))
            .unwrap_or_else(|| self.certificates.fallback().clone())
    }

    fn named(&self, server_name: &str) -> Option<Arc<CertifiedKey>> {
        let key = self.names.certificate(server_name)?;
        let pair = self.certificates.find(&key)?;
        if !pair.names().cover(server_name) {
            return None;
        }
        pair.serving(seconds_now()).ok()
    }

    fn sound(&self, key: &str) -> Option<Arc<CertifiedKey>> {
        self.certificates.find(key)?.serving(seconds_now()).ok()
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.certificate_for(hello.server_name()))
    }
}

fn canonical(name: &str) -> Cow<'_, str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Owned(name.to_ascii_lowercase());
    }
    Cow::Borrowed(name)
}
