//! Accepts connections on one socket of one worker: limits, back-off, TLS handshakes.

use crate::conn::{ConnInfo, TlsInfo};
use crate::downstream::Client;
use crate::h2;
use crate::listen::stop_new_connections;
use crate::observe::{Handshake, Listener};
use crate::proxy_protocol::{self, Denied};
use crate::stream::passthrough;
use crate::tls::client_auth::Presented;
use crate::tls::termination::{Terminated, Termination};
use crate::transport::Transport;
use crate::worker::{Phase, Worker};
use fastingress_route::RouteTable;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// The longest pause after an error such as no free descriptors.
const MOST_BACK_OFF: Duration = Duration::from_millis(500);
/// What a handshake that has begun may still take when the socket is about to close: a long round trip.
const HANDSHAKE: Duration = Duration::from_millis(200);
/// A PROXY header with this port is of a client that spoke TLS.
const HTTPS: u16 = 443;
const FIRST_BACK_OFF: Duration = Duration::from_millis(5);

/// Accepts until the phase says stop, then takes in what waits, and closes.
pub async fn run(
    listener: TcpListener,
    tls: Option<Arc<Termination>>,
    worker: Rc<Worker>,
    phase: watch::Receiver<Phase>,
) {
    // Asked once: for each connection it would be a system call.
    let port = listener.local_addr().map_or(0, |address| address.port());
    let serve = |stream, peer| spawn(stream, peer, port, tls.clone(), &worker);
    listen(listener, &worker, phase, serve).await;
}

/// The same for any kind of connection; `serve` spawns what serves one.
pub async fn listen(
    listener: TcpListener,
    worker: &Worker,
    mut phase: watch::Receiver<Phase>,
    serve: impl Fn(TcpStream, SocketAddr),
) {
    let mut pause = Duration::ZERO;
    loop {
        let accepted = tokio::select! {
            biased;
            _ = phase.wait_for(|now| *now != Phase::Serving) => break,
            accepted = accept_one(&listener, worker, pause) => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                pause = Duration::ZERO;
                serve(stream, peer);
            }
            Err(error) => {
                worker.metrics.refused(reason(&error));
                pause = if is_shortage(&error) {
                    longer(pause)
                } else {
                    Duration::ZERO
                };
            }
        }
    }
    take_in_the_rest(listener, worker, serve).await;
}

/// Connections whose clients believe them open are served; closing the socket with them in its queue would reset them.
async fn take_in_the_rest(listener: TcpListener, worker: &Worker, serve: impl Fn(TcpStream, SocketAddr)) {
    let Ok(listener) = listener.into_std() else { return };
    stop_new_connections(&listener);
    sleep(HANDSHAKE).await;
    let mut pause = Duration::ZERO;
    loop {
        match listener.accept().and_then(|(stream, peer)| Ok((adopt(stream)?, peer))) {
            Ok((stream, peer)) => serve(stream, peer),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(error) => {
                worker.metrics.refused(reason(&error));
                if is_shortage(&error) {
                    // Connections that end make room; the process ends this task when its time is up.
                    pause = longer(pause);
                    sleep(pause).await;
                }
            }
        }
    }
}

fn adopt(stream: std::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream)
}

/// Waits for room among the connections, then for a connection.
async fn accept_one(listener: &TcpListener, worker: &Worker, pause: Duration) -> io::Result<(TcpStream, SocketAddr)> {
    if !pause.is_zero() {
        sleep(pause).await;
    }
    let shared = &worker.shared;
    if shared.connections.load(Ordering::Relaxed) >= shared.connection_limit {
        worker.metrics.refused("connection_limit");
        while shared.connections.load(Ordering::Relaxed) >= shared.connection_limit {
            sleep(FIRST_BACK_OFF).await;
        }
    }
    listener.accept().await
}

fn longer(pause: Duration) -> Duration {
    (pause * 2).clamp(FIRST_BACK_OFF, MOST_BACK_OFF)
}

fn is_shortage(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    )
}

fn reason(error: &io::Error) -> &'static str {
    if is_shortage(error) {
        "descriptors"
    } else {
        "accept_failed"
    }
}

/// A connection whose client may speak.
enum Settled {
    /// HTTP/1, with what was read from it already.
    Http1(Transport, Rc<ConnInfo>, Vec<u8>),
    /// HTTP/2, the same.
    Http2(Transport, Rc<ConnInfo>, Vec<u8>),
}

fn spawn(stream: TcpStream, peer: SocketAddr, port: u16, tls: Option<Arc<Termination>>, worker: &Rc<Worker>) {
    let open = Open::new(worker, if tls.is_some() { Listener::Https } else { Listener::Http });
    let info = ConnInfo {
        peer: unmapped(peer),
        port,
        tls: None,
        forwarded_port: port,
        https_before: false,
    };
    let options = &worker.shared.options;
    if tls.is_none() && !options.use_proxy_protocol && !options.h2c {
        let client = Client::serve(Transport::Plain(stream), Rc::new(info), Vec::new(), open);
        tokio::task::spawn_local(client);
        return;
    }
    // Boxed: what settling takes is given back when it is done.
    let settled = Box::pin(settle(stream, info, tls, worker.clone()));
    tokio::task::spawn_local(async move {
        let settled = settled.await;
        match settled {
            Some(Settled::Http1(stream, info, begun)) => Client::serve(stream, info, begun, open),
            Some(Settled::Http2(stream, info, begun)) => {
                Box::pin(h2::serve(stream, begun, info, open.worker.clone())).await;
                return drop(open);
            }
            None => return drop(open),
        }
        .await;
    });
}

/// Finds out what is spoken on a connection, and by whom. `None` when it has ended, or passes through.
#[expect(
    clippy::manual_async_fn,
    reason = "one keeps its arguments twice, and what passes through keeps this to its end"
)]
fn settle(
    stream: TcpStream,
    mut info: ConnInfo,
    tls: Option<Arc<Termination>>,
    worker: Rc<Worker>,
) -> impl Future<Output = Option<Settled>> {
    async move {
        if worker.shared.options.use_proxy_protocol
            && let Err(Denied(reason)) = Box::pin(ask_proxy(&stream, &mut info, &worker)).await
        {
            worker.metrics.refused(reason);
            return None;
        }
        let Some(tls) = tls else {
            return Box::pin(settle_plain(stream, info, &worker)).await;
        };
        let stream = if worker.with_table(RouteTable::has_passthrough) {
            Box::pin(passthrough::divert(stream, &info, &worker)).await?
        } else {
            stream
        };
        let (stream, info, is_http2) = Box::pin(terminate(stream, info, tls, &worker)).await?;
        let settled = if is_http2 { Settled::Http2 } else { Settled::Http1 };
        Some(settled(stream, info, Vec::new()))
    }
}

/// Learns from the PROXY header whose connection it is.
async fn ask_proxy(stream: &TcpStream, info: &mut ConnInfo, worker: &Worker) -> Result<(), Denied> {
    if let Some(told) = proxy_protocol::ask(stream, info.peer.ip(), &worker.shared.options).await? {
        info.peer = told.source;
        info.forwarded_port = told.destination.port();
        info.https_before = told.destination.port() == HTTPS;
    }
    Ok(())
}

/// The handshake; whether HTTP/2 was chosen in it.
async fn terminate(
    stream: TcpStream,
    mut info: ConnInfo,
    tls: Arc<Termination>,
    worker: &Worker,
) -> Option<(Transport, Rc<ConnInfo>, bool)> {
    let wait = Duration::from_millis(worker.shared.options.handshake_timeout_ms.into());
    let failed = match timeout(wait, tls.accept(stream)).await {
        Ok(Ok(Terminated { stream, client })) => {
            let session = stream.get_ref().1;
            let is_http2 = session.alpn_protocol() == Some(b"h2");
            let settled = tls_info(session, client);
            let kind = if settled.resumed {
                Handshake::Resumed
            } else {
                Handshake::Full
            };
            worker.metrics.handshake(settled.protocol, kind);
            info.tls = Some(settled);
            return Some((Transport::Tls(Box::new(stream)), Rc::new(info), is_http2));
        }
        Ok(Err(_)) => Handshake::Failed,
        Err(_) => Handshake::Timeout,
    };
    worker.metrics.handshake("", failed);
    None
}

/// On the plain port HTTP/2 is told by its first bytes, where it is served there at all.
async fn settle_plain(stream: TcpStream, info: ConnInfo, worker: &Worker) -> Option<Settled> {
    let (mut stream, info) = (Transport::Plain(stream), Rc::new(info));
    let mut begun = Vec::new();
    if worker.shared.options.h2c {
        let wait = Duration::from_millis(worker.shared.options.head_timeout_ms.into());
        match timeout(wait, read_preface(&mut stream, &mut begun)).await {
            Ok(Ok(true)) => return Some(Settled::Http2(stream, info, begun)),
            Ok(Ok(false)) => {}
            Ok(Err(_)) | Err(_) if begun.is_empty() => return None,
            Ok(Err(_)) | Err(_) => {}
        }
    }
    Some(Settled::Http1(stream, info, begun))
}

/// Bytes that are read at once while it is not known what is spoken.
const BEGUN: usize = 2048;

/// Reads until it is clear whether this is the preface of HTTP/2 (RFC 9113, 3.3).
async fn read_preface(stream: &mut Transport, begun: &mut Vec<u8>) -> io::Result<bool> {
    loop {
        let seen = begun.len().min(h2::PREFACE.len());
        if begun[..seen] != h2::PREFACE[..seen] {
            return Ok(false);
        }
        if seen == h2::PREFACE.len() {
            return Ok(true);
        }
        // All of a head of HTTP/1, mostly: one read less for each connection.
        begun.reserve(BEGUN);
        if stream.read_buf(begun).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn tls_info(session: &rustls::ServerConnection, client: Option<Arc<Presented>>) -> TlsInfo {
    let protocol = match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLSv1.3",
    };
    TlsInfo {
        sni: session.server_name().map(|name| name.to_ascii_lowercase().into()),
        protocol,
        cipher: session
            .negotiated_cipher_suite()
            .and_then(|suite| suite.suite().as_str())
            .unwrap_or("unknown"),
        resumed: session.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
        client,
    }
}

/// `::ffff:192.0.2.1` is 192.0.2.1: allow lists are written in IPv4.
pub fn unmapped(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V6(v6) => v6
            .to_ipv4_mapped()
            .map_or(address, |v4| SocketAddr::new(v4.into(), address.port())),
        IpAddr::V4(_) => address,
    }
}

/// Counts a connection for as long as its task lives, however it ends.
pub struct Open {
    worker: Rc<Worker>,
    listener: Option<Listener>,
}

impl Open {
    /// From now on.
    pub fn new(worker: &Rc<Worker>, listener: Listener) -> Self {
        worker.metrics.connection_opened(listener);
        let mut open = Self::unnamed(worker);
        open.listener = Some(listener);
        open
    }

    /// One that has counters of its own.
    pub(crate) fn unnamed(worker: &Rc<Worker>) -> Self {
        worker.shared.connections.fetch_add(1, Ordering::Relaxed);
        Self {
            worker: worker.clone(),
            listener: None,
        }
    }

    /// The worker it belongs to.
    pub fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.worker.metrics.panicked();
        }
        self.worker.shared.connections.fetch_sub(1, Ordering::Relaxed);
        if let Some(listener) = self.listener {
            self.worker.metrics.connection_closed(listener);
        }
    }
}
