//! What is known about a client connection once it is accepted and, with TLS, shaken hands.

use crate::tls::client_auth::Presented;
use std::net::SocketAddr;
use std::sync::Arc;

/// Goes along with every request of a connection.
#[derive(Debug, Clone)]
pub struct ConnInfo {
    /// The client: what a PROXY header says, else the other end. An IPv4-mapped IPv6 address has been made IPv4.
    pub peer: SocketAddr,
    /// The port it was accepted on.
    pub port: u16,
    /// The TLS side of it; `None` on the plain port.
    pub tls: Option<TlsInfo>,
    /// The port that clients believe they speak to. Goes into `X-Forwarded-Port`.
    pub forwarded_port: u16,
    /// The client spoke TLS to the proxy in front of us: its PROXY header names port 443.
    pub https_before: bool,
}

impl ConnInfo {
    /// True when the client spoke TLS: to us, or to a proxy in front of us.
    pub fn is_https(&self) -> bool {
        self.tls.is_some() || self.https_before
    }
}

/// What the handshake settled.
#[derive(Debug, Clone)]
pub struct TlsInfo {
    /// The server name the client asked for, lower case.
    pub sni: Option<Box<str>>,
    /// `TLSv1.2` or `TLSv1.3`.
    pub protocol: &'static str,
    /// The IANA name of the cipher suite.
    pub cipher: &'static str,
    /// A session was resumed.
    pub resumed: bool,
    /// What came of asking for the client's certificate; `None`: nothing was asked.
    pub client: Option<Arc<Presented>>,
}
