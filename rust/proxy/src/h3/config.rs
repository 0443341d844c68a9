//! The configuration of QUIC: what of TLS goes into it, windows, limits, timeouts.

use super::shared::{RECEIVE_WINDOW, SEND_WINDOW, STREAM_WINDOW};
use super::steer::Ids;
use crate::tls::TlsError;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{EndpointConfig, IdleTimeout, ServerConfig, TransportConfig, VarInt};
use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
use std::sync::Arc;
use std::time::Duration;

/// Streams of a connection at the same time.
const STREAMS: u32 = 128;
/// Streams that go one way. Three have a meaning; clients may try others.
const ONE_WAY_STREAMS: u32 = 8;
/// Clients that are silent for so long are asked whether they are there, before their own patience ends.
const SILENCE: Duration = Duration::from_secs(20);
/// And are given up after so long.
const PATIENCE: Duration = Duration::from_secs(50);
/// Handshakes that wait for their turn.
const WAITING: usize = 256;
/// Bytes of their first packets, for each and for all.
const WAITING_BYTES: u64 = 16 * 1024;
const ALL_WAITING_BYTES: u64 = 1 << 20;

/// What handshakes agree on: the certificates, cipher suites and tickets of TLS over TCP.
///
/// # Errors
/// TLS 1.3 is off: QUIC has no other.
pub fn server(tls: &rustls::ServerConfig) -> Result<ServerConfig, TlsError> {
    let refused = |what: &str| TlsError::Library(format!("--http3: {what}"));
    let mut tls = tls.clone();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    // What comes early may be a replay, and the library above does not tell it from the rest.
    tls.max_early_data_size = 0;
    let suite = TLS13_AES_128_GCM_SHA256
        .tls13()
        .and_then(|suite| suite.quic_suite())
        .ok_or_else(|| refused("no cipher suite for the first packets"))?;
    let tls = Arc::new(tls);
    // The library finds out only when the first client comes.
    rustls::quic::ServerConnection::new(tls.clone(), rustls::quic::Version::V1, Vec::new())
        .map_err(|error| refused(&error.to_string()))?;
    let tls = QuicServerConfig::with_initial(tls, suite).map_err(|error| refused(&error.to_string()))?;
    let mut config = ServerConfig::with_crypto(Arc::new(tls));
    config
        .transport_config(Arc::new(transport()))
        .max_incoming(WAITING)
        .incoming_buffer_size(WAITING_BYTES)
        .incoming_buffer_size_total(ALL_WAITING_BYTES);
    Ok(config)
}

fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(ONE_WAY_STREAMS))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(None)
        .keep_alive_interval(Some(SILENCE))
        .max_idle_timeout(IdleTimeout::try_from(PATIENCE).ok());
    transport
}

/// The configuration of one worker's sockets.
pub fn endpoint(worker: u16, workers: u16) -> EndpointConfig {
    let mut config = EndpointConfig::default();
    config.cid_generator(move || Box::new(Ids::new(worker, workers)));
    config
}
