//! What is fixed while the process lives. What may change is `route::schema::Settings`.

use ipnet::IpNet;
use serde::Deserialize;
use std::net::IpAddr;

/// How to run a gateway. Python fills it; its defaults are those of the command line, declared there.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The plain port; `None` for no such listener, 0 for a free one.
    pub http_port: Option<u16>,
    /// The TLS port; `None` for no such listener, 0 for a free one.
    pub https_port: Option<u16>,
    /// Addresses to listen on. Empty: all of IPv4 and, where there is any, of IPv6.
    pub bind: Vec<IpAddr>,
    /// The admin port; `None` for none, 0 for a free one.
    pub admin_port: Option<u16>,
    /// Addresses of the admin port. Empty: all.
    pub admin_bind: Vec<IpAddr>,
    /// Connections to the plain and the TLS port begin with a PROXY header; those without one are refused.
    pub use_proxy_protocol: bool,
    /// Networks from which such connections are taken; a connection from elsewhere is refused.
    pub proxy_protocol_from: Vec<IpNet>,
    /// Worker threads; 0: one per core that this process may use.
    pub workers: usize,
    /// What is written to standard output for each request.
    pub access_log: LogFormat,
    /// TLS versions to offer: `TLSv1.2`, `TLSv1.3`.
    pub ssl_protocols: Vec<String>,
    /// Cipher suites by IANA or OpenSSL name, in order of preference; empty: all that the library holds safe.
    pub ssl_ciphers: Vec<String>,
    /// Let clients keep their sessions in tickets; otherwise they are kept here, a bounded number.
    pub ssl_session_tickets: bool,
    /// Seconds before the end of a certificate from which on that is a problem; 0: never.
    pub certificate_expiry_warning_s: u32,
    /// Ask the OCSP responders of certificates for what is stapled.
    pub enable_ocsp: bool,
    /// Responders may be at any address, this machine's too.
    pub ocsp_allow_local: bool,
    /// Offer HTTP/2 on the TLS port.
    pub http2: bool,
    /// Take HTTP/2 with prior knowledge on the plain port.
    pub h2c: bool,
    /// Serve HTTP/3 on the UDP port of the same number as the TLS port.
    pub http3: bool,
    /// The port at which answers over TLS tell clients to find HTTP/3; 0: the TLS port.
    pub http3_advertise_port: u16,
    /// Milliseconds for a whole request head, from its first byte or from the accept.
    pub head_timeout_ms: u32,
    /// Milliseconds a connection may idle between requests.
    pub idle_timeout_ms: u32,
    /// Milliseconds between two reads of a request body, or two writes of an answer.
    pub body_timeout_ms: u32,
    /// Milliseconds for a TLS handshake.
    pub handshake_timeout_ms: u32,
    /// Milliseconds without a byte after which a connection ends that passes through.
    pub stream_timeout_ms: u32,
    /// Bytes of a request head.
    pub head_limit: usize,
    /// Header lines of a head.
    pub header_limit: usize,
    /// Bytes of a request target.
    pub target_limit: usize,
    /// Client connections; 0: derived from the limit on open files.
    pub connection_limit: usize,
    /// Bytes that may be buffered for all streams together.
    pub byte_budget: usize,
    /// Label metrics by Ingress; without it all requests count under one label set.
    pub metrics_per_ingress: bool,
    /// Shown by the admin port.
    pub version: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            http_port: Some(8080),
            https_port: Some(8443),
            bind: Vec::new(),
            admin_port: Some(10254),
            admin_bind: vec![IpAddr::from([127, 0, 0, 1])],
            use_proxy_protocol: false,
            proxy_protocol_from: Vec::new(),
            workers: 0,
            access_log: LogFormat::Text,
            ssl_protocols: vec!["TLSv1.2".into(), "TLSv1.3".into()],
            ssl_ciphers: Vec::new(),
            ssl_session_tickets: true,
            certificate_expiry_warning_s: 14 * 24 * 60 * 60,
            enable_ocsp: false,
            ocsp_allow_local: false,
            http2: true,
            h2c: false,
            http3: false,
            http3_advertise_port: 0,
            head_timeout_ms: 10_000,
            idle_timeout_ms: 75_000,
            body_timeout_ms: 60_000,
            handshake_timeout_ms: 10_000,
            stream_timeout_ms: 600_000,
            head_limit: 64 * 1024,
            header_limit: 128,
            target_limit: 16 * 1024,
            connection_limit: 0,
            byte_budget: 256 << 20,
            metrics_per_ingress: true,
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }
}

/// What is written to standard output for each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// One line a person can read.
    Text,
    /// Nothing.
    Off,
}
