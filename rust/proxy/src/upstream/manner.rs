//! What makes two connections to one endpoint interchangeable: what is spoken on them, and under which TLS.

use super::stream::Stream;
use super::tls::{HandshakeError, Way, Ways};
use fastingress_route::schema::{self, Protocol};
use hashbrown::HashMap;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// How a connection is used.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// HTTP/2, with many requests on one connection.
    http2: bool,
    /// TLS; `None` for plain TCP.
    secure: Option<Secure>,
}

#[derive(Debug, Clone)]
struct Secure {
    way: Arc<Way>,
    /// The host that requests are for, where that is the name of the endpoint.
    host: Option<Rc<str>>,
}

impl PartialEq for Manner {
    fn eq(&self, other: &Self) -> bool {
        let of = |manner: &Self| manner.secure.as_ref().map(|secure| secure.way.id);
        self.http2 == other.http2 && of(self) == of(other) && self.host() == other.host()
    }
}

impl Manner {
    /// True for HTTP/2.
    pub fn is_http2(&self) -> bool {
        self.http2
    }

    /// True for TLS.
    pub fn is_secure(&self) -> bool {
        self.secure.is_some()
    }

    /// Makes TLS of a stream that was just connected, if that is how it is to be used.
    pub(super) async fn handshake(&self, stream: TcpStream, address: SocketAddr) -> Result<Wire, HandshakeError> {
        let Some(Secure { way, host }) = &self.secure else {
            return Ok(Wire::Plain(stream));
        };
        let stream = way.handshake(stream, address, host.as_deref()).await?;
        Ok(Wire::Tls(Box::new(stream)))
    }

    fn host(&self) -> Option<&str> {
        self.secure.as_ref().and_then(|secure| secure.host.as_deref())
    }
}

/// A stream to an endpoint, ready for HTTP.
pub(super) enum Wire {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS over it.
    Tls(Box<TlsStream<TcpStream>>),
}

impl From<Wire> for Stream {
    fn from(wire: Wire) -> Self {
        match wire {
            Wire::Plain(stream) => Stream::Plain(stream),
            Wire::Tls(stream) => Stream::Tls(stream),
        }
    }
}

/// The ways of TLS that one worker's requests go, by the upstream policy that asks for them.
pub(super) struct Manners {
    ways: Arc<Ways>,
    by_policy: RefCell<HashMap<(usize, bool), Known, foldhash::fast::RandomState>>,
}

struct Known {
    /// While this is here no other policy can be at its address.
    policy: Weak<schema::Upstream>,
    version: u64,
    way: Arc<Way>,
}

impl Manners {
    pub(super) fn new(ways: Arc<Ways>) -> Self {
        Self {
            ways,
            by_policy: RefCell::default(),
        }
    }

    /// How a request is sent whose route speaks `protocol`. `host` is the host it is sent for, with or without a port;
    /// `https` says how the client came.
    pub(super) fn of(&self, policy: &Arc<schema::Upstream>, protocol: Protocol, https: bool, host: &[u8]) -> Manner {
        let (http2, secure) = match protocol {
            Protocol::Http => (false, false),
            Protocol::Https => (false, true),
            Protocol::H2c => (true, false),
            Protocol::H2 => (true, true),
            Protocol::Auto => (false, https),
        };
        let secure = secure.then(|| self.way(policy, http2)).map(|way| Secure {
            host: way.wants_host().then(|| without_port(host)),
            way,
        });
        Manner { http2, secure }
    }

    /// Forgets the policies that no route has any more.
    pub(super) fn sweep(&self) {
        self.by_policy
            .borrow_mut()
            .retain(|_, known| known.policy.strong_count() > 0);
    }

    fn way(&self, policy: &Arc<schema::Upstream>, http2: bool) -> Arc<Way> {
        let key = (Arc::as_ptr(policy) as usize, http2);
        let version = self.ways.version();
        let mut by_policy = self.by_policy.borrow_mut();
        if let Some(known) = by_policy.get(&key)
            && known.version == version
        {
            return known.way.clone();
        }
        let way = self.ways.find(&policy.tls, http2);
        let known = Known {
            policy: Arc::downgrade(policy),
            version,
            way: way.clone(),
        };
        by_policy.insert(key, known);
        way
    }
}

/// The name or address in a Host, in lower case. One that is no text is no name either, which the handshake says.
fn without_port(host: &[u8]) -> Rc<str> {
    let text = String::from_utf8_lossy(host);
    let name = match text.rfind(':') {
        Some(colon) if text[colon + 1..].bytes().all(|byte| byte.is_ascii_digit()) => &text[..colon],
        _ => &text,
    };
    name.trim_end_matches('.').to_ascii_lowercase().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_part_of_a_name() {
        for (host, name) in [
            ("Shop.Example.com:8443", "shop.example.com"),
            ("shop.example.com.", "shop.example.com"),
            ("[2001:db8::1]:443", "[2001:db8::1]"),
            ("[2001:db8::1]", "[2001:db8::1]"),
            ("", ""),
        ] {
            assert_eq!(&*without_port(host.as_bytes()), name, "{host}");
        }
    }
}
