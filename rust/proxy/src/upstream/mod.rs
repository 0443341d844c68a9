//! Backends as one worker sees them: which endpoint takes a request, over which connection, and whether to try again.
//!
//! | file | what it is |
//! |---|---|
//! | `backend` | the worker's view of one backend cell: its endpoints, whose turn it is, its retry budget |
//! | `balance` | picks an endpoint of a view |
//! | `peer` | what is remembered about one endpoint; [`Choice`], [`Tried`] |
//! | `eject` | sets an endpoint aside after a failed connect |
//! | `budget` | how many retries a backend may cause |
//! | `connection` | [`Connection`]: one in use; looking at one before it is used again |
//! | `connect` | making one |
//! | `manner` | what is spoken on one, under which TLS: [`Manner`] |
//! | `tls` | TLS towards endpoints |
//! | `h2` | connections with many requests on each |
//! | `stream` | the byte stream that a request goes out on |
//! | `idle` | idle connections in the order they came, capped |
//! | `counts` | gauges and totals over all workers |
//! | [`Resolver`] (`dns`) | fills backends that are behind a name; a thread of its own, not the worker's |
//! | `addresses` | which addresses a name may lead to |
//!
//! Everything but `dns` and `counts` belongs to one worker thread: no locks, and no allocation per request once warm. An endpoint that is
//! in several backends is one peer: its connections (those of one manner), its requests in flight and its ejection are shared by them.
//!
//! What happens when an endpoint is removed from its last backend: idle connections to it close at the next
//! [`sweep`](Upstreams::sweep), those in use finish what they do and are dropped when they come back.

mod addresses;
mod backend;
mod balance;
mod budget;
#[cfg(test)]
mod change_tests;
mod connect;
mod connection;
mod counts;
mod dns;
mod eject;
mod h2;
mod idle;
mod manner;
mod peer;
#[cfg(test)]
mod pool_tests;
mod stream;
#[cfg(test)]
mod testing;
mod tls;

pub(crate) use addresses::is_local;
pub use connection::Connection;
pub use counts::{UpstreamCounts, UpstreamShared};
pub use dns::Resolver;
pub use h2::NeverProcessed;
pub use manner::Manner;
pub use peer::{Choice, Tried};
pub use stream::Stream;
pub use tls::{TlsFailure, Ways};

use crate::buffers::Budget;
use crate::error::Failure;
use backend::Backend;
use connection::Parked;
use fastingress_route::BackendCell;
use fastingress_route::schema::{self, Balance, Protocol};
use hashbrown::HashMap;
use idle::Idle;
use manner::Manners;
use peer::{Peer, Peers};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// How long connections are kept, and how many.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// Idle connections to one endpoint. Beyond it the one that has been idle longest is closed.
    pub idle_per_endpoint: usize,
    /// Idle connections of one worker. Beyond it the one that has been idle longest is closed, whosever it is.
    pub idle_per_worker: usize,
    /// Age at which a connection is not used again.
    pub max_age: Duration,
    /// Requests after which a connection is not used again.
    pub max_requests: u32,
    /// Idle time after which a connection is closed.
    pub idle_time: Duration,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            idle_per_endpoint: 320,
            idle_per_worker: 1024,
            max_age: Duration::from_secs(3600),
            max_requests: 10_000,
            idle_time: Duration::from_secs(60),
        }
    }
}

/// The backends of one worker thread. Methods take `&self`; nothing stays borrowed across an await.
pub struct Upstreams {
    config: PoolConfig,
    backends: RefCell<HashMap<u64, Backend, foldhash::fast::RandomState>>,
    peers: RefCell<Peers>,
    idle: RefCell<Idle<Parked>>,
    manners: Manners,
    /// Endpoints with connections of HTTP/2.
    multiplexed: RefCell<Vec<Rc<Peer>>>,
    /// Of bytes of bodies that wait in the process.
    budget: Arc<Budget>,
}

impl Upstreams {
    /// The backends of one worker. Its numbers show in the counts of `shared` for as long as it lives.
    pub fn new(shared: Arc<UpstreamShared>, config: PoolConfig, budget: Arc<Budget>) -> Self {
        Self {
            config,
            budget,
            backends: RefCell::default(),
            manners: Manners::new(shared.ways.clone()),
            multiplexed: RefCell::default(),
            peers: RefCell::new(Peers::new(shared.join())),
            idle: RefCell::new(Idle::new()),
        }
    }

    /// Chooses an endpoint of `cell` that is not among `tried`, or `None` if there is none.
    ///
    /// Endpoints that are set aside are chosen only when no other is left. A first choice (with nothing tried) counts
    /// as a request for the retry budget.
    pub fn choose(&self, cell: &Arc<BackendCell>, balance: Balance, tried: &Tried) -> Option<Choice> {
        self.choose_at(cell, balance, tried, Instant::now())
    }

    /// The same for a caller that knows what time it is.
    pub fn choose_at(&self, cell: &Arc<BackendCell>, balance: Balance, tried: &Tried, now: Instant) -> Option<Choice> {
        let mut backends = self.backends.borrow_mut();
        let backend = match backends.get_mut(&cell.id) {
            Some(backend) => backend,
            None => backends.entry(cell.id).or_insert(Backend::new(cell, now)),
        };
        backend.refresh(cell, &self.peers);
        if tried.is_empty() {
            backend.budget.request(now);
        }
        balance::pick(backend, balance, tried, now).map(|peer| Choice::new(peer.clone()))
    }

    /// How requests of a route are sent. `https` says that the client came over TLS; `host` is the host that the request
    /// is sent for, with or without a port.
    pub fn manner(&self, policy: &Arc<schema::Upstream>, protocol: Protocol, https: bool, host: &[u8]) -> Manner {
        self.manners.of(policy, protocol, https, host)
    }

    /// A stream of HTTP/2, or an idle connection to that endpoint, the one used last. Each is looked at first: one that was closed by the
    /// other side, or on which something arrived unasked, is dropped. `careful` also asks the kernel, not only what
    /// the event loop has seen so far: for requests that must not be sent twice.
    pub fn checkout(&self, choice: &Choice, careful: bool) -> Option<Connection> {
        if choice.manner.is_http2() {
            let stream = h2::checkout(choice.peer(), &choice.manner, &self.config)?;
            choice.peer().counts.reused();
            return Some(Connection::new(stream, choice, Instant::now()));
        }
        loop {
            let fits = |parked: &Parked| parked.manner == choice.manner;
            let mut parked = self.idle.borrow_mut().pop(choice.peer(), fits)?;
            parked.peer.counts.idle_closed();
            if parked.is_quiet(careful) {
                parked.peer.counts.reused();
                return Some(Connection::resume(parked));
            }
        }
    }

    /// Connects to that endpoint, within `timeout`. With HTTP/2 that may be a stream on a connection which somebody else
    /// has opened meanwhile.
    ///
    /// # Errors
    /// [`Failure::Connect`] or [`Failure::ConnectTimeout`]; the endpoint is then set aside, unless it was this
    /// machine that lacked something (descriptors, ports, memory). [`Failure::UpstreamTls`] when it was reached and TLS
    /// came to nothing.
    pub async fn connect(&self, choice: &Choice, timeout: Duration) -> Result<Connection, Failure> {
        let (peer, manner) = (choice.peer(), &choice.manner);
        let connect = || connect::connect(peer, manner, timeout);
        let stream = if manner.is_http2() {
            self.remember(peer);
            h2::acquire(peer, manner, &self.config, &self.budget, timeout, connect).await?
        } else {
            connect().await?.into()
        };
        Ok(Connection::new(stream, choice, Instant::now()))
    }

    /// So that its connections of HTTP/2 are looked after.
    fn remember(&self, peer: &Rc<Peer>) {
        let mut multiplexed = self.multiplexed.borrow_mut();
        if !multiplexed.iter().any(|known| Rc::ptr_eq(known, peer)) {
            multiplexed.push(peer.clone());
        }
    }

    /// Connects to that endpoint for a stream that is relayed as it is: what [`connect`](Self::connect) does, without the
    /// pool.
    ///
    /// # Errors
    /// As there.
    pub async fn dial(&self, choice: &Choice, timeout: Duration) -> Result<TcpStream, Failure> {
        connect::dial(choice.peer(), timeout).await
    }

    /// Takes a connection back. To be called only when the request was wholly sent and the answer wholly read.
    pub fn checkin(&self, connection: Connection) {
        self.checkin_at(connection, Instant::now());
    }

    /// The same for a caller that knows what time it is.
    pub fn checkin_at(&self, connection: Connection, now: Instant) {
        let Some(parked) = connection.park(&self.config, now) else {
            return;
        };
        let peer = parked.peer.clone();
        let mut idle = self.idle.borrow_mut();
        let crowded_out = if peer.stack.len() >= self.config.idle_per_endpoint {
            idle.remove_bottom(&peer)
        } else if idle.len() >= self.config.idle_per_worker {
            idle.remove_oldest()
        } else {
            None
        };
        peer.counts.idle_opened();
        idle.push(parked);
        drop(idle);
        if let Some(old) = crowded_out {
            old.peer.counts.idle_closed();
        }
    }

    /// The endpoint answered: it is no longer set aside, and its next failure counts as its first.
    pub fn succeeded(&self, choice: &Choice) {
        choice.peer().eject.succeeded();
    }

    /// The endpoint could not be reached: it is set aside for 1 s, at the next time 2 s, then 4 s, up to 30 s.
    /// [`connect`](Self::connect) says so by itself. Failures of an endpoint that is aside already add nothing.
    pub fn failed(&self, choice: &Choice) {
        choice.peer().eject.failed(Instant::now());
    }

    /// True while the endpoint is set aside.
    pub fn is_aside(&self, choice: &Choice, now: Instant) -> bool {
        choice.peer().eject.is_aside(now)
    }

    /// Whether one more retry is within the budget of this backend, and if so, takes it from the budget.
    pub fn may_retry(&self, cell: &Arc<BackendCell>) -> bool {
        self.backends
            .borrow()
            .get(&cell.id)
            .is_some_and(|backend| backend.budget.take_retry(Instant::now()))
    }

    /// Closes idle connections that the other side closed, that are too old, or whose endpoint is gone, and forgets backends that
    /// nobody uses any more. To be called about once a second, and soon after the route table was replaced.
    pub fn sweep(&self, now: Instant) {
        self.backends
            .borrow_mut()
            .retain(|_, backend| backend.follow(&self.peers));
        let closed = self
            .idle
            .borrow_mut()
            .extract(|parked| parked.is_over(&self.config, now) || !parked.is_quiet(false));
        for parked in &closed {
            parked.peer.counts.idle_closed();
        }
        self.multiplexed
            .borrow_mut()
            .retain(|peer| peer.sweep_carriers(&self.config, now));
        self.manners.sweep();
    }

    /// What this worker has now.
    pub fn counts(&self) -> UpstreamCounts {
        self.peers.borrow().counts.read()
    }
}

impl Drop for Upstreams {
    fn drop(&mut self) {
        for parked in self.idle.borrow_mut().extract(|_| true) {
            parked.peer.counts.idle_closed();
        }
        for peer in self.multiplexed.borrow_mut().drain(..) {
            peer.carriers.clear();
        }
    }
}
