//! What is known about a client connection once it is accepted and, with TLS, shaken hands.

use std::net::SocketAddr;

/// Goes along with every request of a connection.
#[derive(Debug, Clone)]
pub struct ConnInfo {
    /// The client. An IPv4-mapped IPv6 address has been made IPv4.
    pub peer: SocketAddr,
    /// Our end.
    pub local: SocketAddr,
    /// The TLS side of it; `None` on the plain port.
    pub tls: Option<TlsInfo>,
    /// The port that clients believe they speak to. Goes into `X-Forwarded-Port`.
    pub forwarded_port: u16,
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
}
