//! HTTP/3 of clients: sockets per worker, one task per connection, one per stream.
//!
//! | module | what it is |
//! |---|---|
//! | [`udp`] | the sockets |
//! | [`steer`] | datagrams of one connection reach one worker |
//! | [`config`] | TLS, windows, limits |
//! | [`connection`] | one connection: its streams, its end |
//! | [`shared`] | what a connection and its streams share |
//! | [`stream`] | one stream as the spine sees it |
//! | [`quic`] | streams for the `h3` crate, and past it |
//! | [`frames`] | bytes of a stream as frames |
//! | [`announce`] | who is told about it |
//!
//! QUIC is the `quinn` crate, whose tasks run on the worker's own thread. This file accepts connections: limits,
//! proof of addresses, handshakes.

pub mod announce;
mod config;
mod connection;
mod frames;
mod quic;
mod shared;
mod steer;
mod stream;
pub mod udp;

pub use config::server as server_config;

use crate::accept::{Open, unmapped};
use crate::conn::{ConnInfo, TlsInfo};
use crate::observe::{Handshake, Listener};
use crate::worker::{OpenListener, Phase, Worker};
use quinn::crypto::rustls::HandshakeData;
use quinn::{Connecting, Endpoint, Incoming, TokioRuntime};
use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// With so many handshakes under way on a worker, a client has to show first that it is where it says: it gets a Retry
/// packet (RFC 9000, 8.1.2), which costs it a round trip and us nothing.
const SHOW_ADDRESS_FROM: usize = 64;
/// With so many it is turned away.
const MOST_HANDSHAKES: usize = 1024;

/// Where a worker listens.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Its index.
    pub worker: usize,
    /// How many there are.
    pub workers: usize,
}

/// Accepts connections on one socket of one worker for as long as the process lives.
///
/// # Errors
/// The socket cannot be used.
pub async fn run(
    socket: UdpSocket,
    server: quinn::ServerConfig,
    place: Place,
    worker: Rc<Worker>,
    mut phase: watch::Receiver<Phase>,
    open: OpenListener,
) -> io::Result<()> {
    let local = socket.local_addr()?;
    let index = |number| u16::try_from(number).map_err(|_| io::ErrorKind::InvalidInput);
    let config = config::endpoint(index(place.worker)?, index(place.workers)?);
    let endpoint = Endpoint::new(config, Some(server), socket, Arc::new(TokioRuntime))?;
    let handshakes = Rc::new(Cell::new(0));
    loop {
        let incoming = tokio::select! {
            biased;
            _ = phase.wait_for(|now| *now != Phase::Serving) => break,
            incoming = endpoint.accept() => incoming,
        };
        match incoming {
            Some(incoming) => admit(incoming, local, &handshakes, &worker),
            None => return Ok(()),
        }
    }
    drop(open);
    // The socket stays: connections that end are read from and written to.
    while let Some(incoming) = endpoint.accept().await {
        incoming.refuse();
    }
    Ok(())
}

/// Lets a client in, has it show its address, or turns it away.
fn admit(incoming: Incoming, local: SocketAddr, handshakes: &Rc<Cell<usize>>, worker: &Rc<Worker>) {
    let shared = &worker.shared;
    if shared.connections.load(Ordering::Relaxed) >= shared.connection_limit {
        worker.metrics.refused("connection_limit");
        return incoming.refuse();
    }
    if handshakes.get() >= MOST_HANDSHAKES {
        worker.metrics.refused("handshakes");
        return incoming.refuse();
    }
    if handshakes.get() >= SHOW_ADDRESS_FROM && !incoming.remote_address_validated() {
        worker.metrics.refused("address_unproven");
        // One that cannot be asked is dropped, which refuses it.
        let _asked = incoming.retry();
        return;
    }
    let local = incoming
        .local_ip()
        .map_or(local, |ip| SocketAddr::new(ip, local.port()));
    let Ok(connecting) = incoming.accept() else {
        return worker.metrics.handshake("", Handshake::Failed);
    };
    let open = Open::new(worker, Listener::Http3);
    let turn = Turn::new(handshakes);
    tokio::task::spawn_local(async move {
        let open = open;
        if let Some((quic, info)) = shake_hands(connecting, local, turn, open.worker()).await {
            Box::pin(connection::serve(quic, Rc::new(info), open.worker().clone())).await;
        }
    });
}

async fn shake_hands(
    connecting: Connecting,
    local: SocketAddr,
    turn: Turn,
    worker: &Worker,
) -> Option<(quinn::Connection, ConnInfo)> {
    let wait = Duration::from_millis(worker.shared.options.handshake_timeout_ms.into());
    let quic = match timeout(wait, connecting).await {
        Ok(Ok(quic)) => quic,
        Ok(Err(_)) => {
            worker.metrics.handshake("", Handshake::Failed);
            return None;
        }
        Err(_) => {
            worker.metrics.handshake("", Handshake::Timeout);
            return None;
        }
    };
    drop(turn);
    let tls = tls_info(&quic);
    // The library does not tell resumed sessions from new ones.
    worker.metrics.handshake(tls.protocol, Handshake::Full);
    let info = ConnInfo {
        peer: unmapped(quic.remote_address()),
        port: local.port(),
        tls: Some(tls),
        forwarded_port: local.port(),
        https_before: false,
    };
    Some((quic, info))
}

fn tls_info(quic: &quinn::Connection) -> TlsInfo {
    let data = quic
        .handshake_data()
        .and_then(|data| data.downcast::<HandshakeData>().ok());
    let sni = data.and_then(|data| data.server_name);
    TlsInfo {
        sni: sni.map(|name| name.to_ascii_lowercase().into()),
        protocol: "TLSv1.3",
        cipher: "unknown",
        resumed: false,
        // Nothing can be asked: the name is not known before the configuration is chosen.
        client: None,
    }
}

/// Counts a handshake for as long as it lasts.
struct Turn(Rc<Cell<usize>>);

impl Turn {
    fn new(handshakes: &Rc<Cell<usize>>) -> Self {
        handshakes.set(handshakes.get() + 1);
        Self(handshakes.clone())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
