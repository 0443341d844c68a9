//! What the tests of this module need: cells, listeners, and waiting for something to become so.

use super::{Choice, Connection, PoolConfig, Tried, UpstreamShared, Upstreams};
use crate::buffers::Budget;
use crate::tls::Certificates;
use arc_swap::ArcSwap;
use fastingress_route::schema::Balance;
use fastingress_route::{BackendCell, Endpoint, Endpoints};
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How long a test waits for what must happen.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// Without authorities and certificates.
pub(super) fn shared() -> Arc<UpstreamShared> {
    UpstreamShared::new(Arc::default(), Certificates::new().unwrap())
}

pub(super) fn upstreams() -> Upstreams {
    Upstreams::new(shared(), PoolConfig::default(), Budget::new(usize::MAX))
}

pub(super) fn cell(addresses: &[SocketAddr]) -> Arc<BackendCell> {
    let cell = BackendCell {
        key: "default/shop:80".into(),
        id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
        endpoints: ArcSwap::default(),
    };
    replace(&cell, addresses);
    Arc::new(cell)
}

pub(super) fn replace(cell: &BackendCell, addresses: &[SocketAddr]) {
    let endpoint = |address: &SocketAddr| Endpoint {
        address: *address,
        text: address.to_string().into(),
    };
    let list = addresses.iter().map(endpoint).collect();
    cell.endpoints.store(Arc::new(Endpoints {
        known: true,
        list,
        dns: None,
        protocol: None,
    }));
}

/// The endpoint of this number, which nobody connects to.
pub(super) fn endpoint(number: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 1000 + number))
}

pub(super) fn endpoints(numbers: impl IntoIterator<Item = u16>) -> Vec<SocketAddr> {
    numbers.into_iter().map(endpoint).collect()
}

impl Upstreams {
    /// The next in turn.
    pub(super) fn next(&self, cell: &Arc<BackendCell>) -> Option<Choice> {
        self.choose(cell, Balance::RoundRobin, &Tried::default())
    }
}

/// Listens on a free port of loopback. Nothing is accepted unless the test does so; it blocks then.
pub(super) fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

pub(super) fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Waits, without giving the event loop a turn.
pub(super) fn spin_until(mut condition: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "it did not become so in time");
        std::thread::yield_now();
    }
}

/// Waits, giving the event loop its turns.
pub(super) async fn eventually(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "it did not become so in time");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// One worker, one backend, one endpoint that listens.
pub(super) struct Bench {
    pub(super) upstreams: Upstreams,
    pub(super) cell: Arc<BackendCell>,
    pub(super) listener: TcpListener,
    pub(super) address: SocketAddr,
}

impl Bench {
    pub(super) fn new(config: PoolConfig) -> Self {
        let (listener, address) = listen();
        let upstreams = Upstreams::new(shared(), config, Budget::new(usize::MAX));
        Self {
            upstreams,
            cell: cell(&[address]),
            listener,
            address,
        }
    }

    pub(super) fn choice(&self) -> Choice {
        self.upstreams.next(&self.cell).expect("an endpoint")
    }

    /// A connection and its other end.
    pub(super) async fn connect(&self) -> (Connection, TcpStream) {
        let connection = self
            .upstreams
            .connect(&self.choice(), PATIENCE)
            .await
            .expect("it listens");
        (connection, accept(&self.listener))
    }

    pub(super) fn sweep(&self) {
        self.upstreams.sweep(Instant::now());
    }

    pub(super) fn idle(&self) -> u64 {
        self.upstreams.counts().idle
    }
}

pub(super) fn is_closed(other_end: &mut TcpStream) -> bool {
    matches!(other_end.read(&mut [0]), Ok(0))
}
