//! What one worker thread owns, and what all of them share.
//!
//! Connections, upstream pools and buffers belong to their worker: no locks and no traffic between cores while a
//! request is served. The route table is read through a cache that costs a comparison.

use crate::buffers::{Budget, Buffers};
use crate::deadline::Timer;
use crate::h3::announce::alternative;
use crate::observe::{LogHandle, WorkerMetrics};
use crate::options::Options;
use crate::pipes::Pipes;
use crate::tls::Authorities;
use crate::upstream::Upstreams;
use arc_swap::ArcSwap;
use arc_swap::cache::Cache;
use fastingress_http1::Head;
use fastingress_http1::scan::Limits;
use fastingress_route::RouteTable;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Duration;
use tokio::time::Instant;

/// How long an idle connection is kept once draining has begun: a request that is on its way still finds it open.
const DRAIN_IDLE: Duration = Duration::from_secs(1);
/// Heads kept warm per worker: two for each of the requests that a few clients of HTTP/2 have under way.
const POOLED_HEADS: usize = 512;

/// Timers kept per worker, so that a stream sets none up.
const POOLED_TIMERS: usize = 256;

/// Where the process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Taking connections.
    Serving,
    /// Finishing what is in flight.
    Draining,
    /// Ending now.
    Stopped,
}

/// What all workers share.
pub struct Shared {
    /// What is fixed while the process lives.
    pub options: Options,
    /// Limits of request heads.
    pub limits: Limits,
    /// The live route table.
    pub table: Arc<ArcSwap<RouteTable>>,
    /// Whom to trust, by key.
    pub authorities: Arc<Authorities>,
    /// Bytes that all streams may hold.
    pub budget: Arc<Budget>,
    /// Client connections now.
    pub connections: AtomicUsize,
    /// UDP sessions now; they count as connections as well.
    pub sessions: AtomicUsize,
    /// Most client connections.
    pub connection_limit: usize,
    /// Sockets that accept.
    pub listeners: AtomicUsize,
    /// What clients are told about HTTP/3, if it is served: the value of Alt-Svc.
    pub alternative: Option<Box<str>>,
}

impl Shared {
    /// The shared state of a gateway that serves.
    pub fn new(
        options: Options,
        table: Arc<ArcSwap<RouteTable>>,
        authorities: Arc<Authorities>,
        connection_limit: usize,
    ) -> Self {
        Self {
            limits: Limits {
                head: options.head_limit,
                headers: options.header_limit,
                target: options.target_limit,
            },
            budget: Budget::new(options.byte_budget),
            table,
            authorities,
            connections: AtomicUsize::new(0),
            sessions: AtomicUsize::new(0),
            connection_limit,
            listeners: AtomicUsize::new(0),
            alternative: options.http3.then(|| alternative(options.http3_advertise_port)),
            options,
        }
    }

    /// Counts a socket that accepts, for as long as the guard lives.
    pub fn open_listener(self: &Arc<Self>) -> OpenListener {
        self.listeners.fetch_add(1, Ordering::AcqRel);
        OpenListener(self.clone())
    }
}

/// A socket that accepts.
pub struct OpenListener(Arc<Shared>);

impl Drop for OpenListener {
    fn drop(&mut self) {
        self.0.listeners.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What one worker thread owns.
pub struct Worker {
    /// What all workers share.
    pub shared: Arc<Shared>,
    /// This worker's memory for bytes.
    pub buffers: Buffers,
    /// This worker's connections to backends.
    pub upstreams: Upstreams,
    /// This worker's counters.
    pub metrics: WorkerMetrics,
    /// Where access records go; `None` when the log is off.
    pub log: Option<LogHandle>,
    table: RefCell<Cache<Arc<ArcSwap<RouteTable>>, Arc<RouteTable>>>,
    #[expect(clippy::vec_box, reason = "the boxes go in and out whole; a head is not moved")]
    heads: RefCell<Vec<Box<Head>>>,
    timers: RefCell<Vec<Timer>>,
    idle: RefCell<slab::Slab<Option<Waker>>>,
    drain_idle_until: Cell<Option<Instant>>,
    date: RefCell<crate::date::Date>,
}

impl Worker {
    /// A worker without connections.
    pub fn new(shared: Arc<Shared>, upstreams: Upstreams, metrics: WorkerMetrics, log: Option<LogHandle>) -> Self {
        Self {
            buffers: Buffers::new(Pipes::new(Pipes::fitting(
                shared.connection_limit,
                shared.options.workers,
            ))),
            upstreams,
            metrics,
            log,
            table: RefCell::new(Cache::new(shared.table.clone())),
            heads: RefCell::default(),
            timers: RefCell::default(),
            idle: RefCell::default(),
            drain_idle_until: Cell::new(None),
            date: RefCell::default(),
            shared,
        }
    }

    /// Looks at the live table. The table itself must not be kept.
    pub fn with_table<T>(&self, look: impl FnOnce(&RouteTable) -> T) -> T {
        look(self.table.borrow_mut().load())
    }

    /// Lets go of a table that has been replaced; idle workers are told to.
    pub fn refresh(&self) {
        self.table.borrow_mut().load();
    }

    /// An empty head, warm if there is one.
    pub fn take_head(&self) -> Box<Head> {
        self.heads.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a head back.
    pub fn give_head(&self, mut head: Box<Head>) {
        head.clear();
        let mut heads = self.heads.borrow_mut();
        if heads.len() < POOLED_HEADS {
            heads.push(head);
        }
    }

    /// A timer that another request is done with.
    pub fn take_timer(&self) -> Option<Timer> {
        self.timers.borrow_mut().pop()
    }

    /// Takes a timer back.
    pub fn give_timer(&self, timer: Timer) {
        let mut timers = self.timers.borrow_mut();
        if timers.len() < POOLED_TIMERS {
            timers.push(timer);
        }
    }

    /// The current second as an HTTP date.
    pub fn with_date<T>(&self, look: impl FnOnce(&[u8]) -> T) -> T {
        look(self.date.borrow_mut().now())
    }

    /// Enters a connection among those to be woken when draining begins.
    pub fn register(&self) -> usize {
        self.idle.borrow_mut().insert(None)
    }

    /// Takes a connection out again.
    pub fn unregister(&self, slot: usize) {
        self.idle.borrow_mut().try_remove(slot);
    }

    /// Remembers how to wake an idle connection.
    pub fn idle(&self, slot: usize, waker: &Waker) {
        if let Some(entry) = self.idle.borrow_mut().get_mut(slot) {
            match entry {
                Some(known) if known.will_wake(waker) => {}
                _ => *entry = Some(waker.clone()),
            }
        }
    }

    /// When idle connections are to close, once draining has begun.
    pub fn idle_deadline(&self) -> Option<Instant> {
        self.drain_idle_until.get()
    }

    /// True when each answer is to be the last of its connection.
    pub fn is_draining(&self) -> bool {
        self.drain_idle_until.get().is_some()
    }

    /// Begins to drain: idle connections wake, see it, and close soon.
    pub fn drain(&self) {
        self.drain_idle_until.set(Some(Instant::now() + DRAIN_IDLE));
        for (_, entry) in self.idle.borrow().iter() {
            if let Some(waker) = entry {
                waker.wake_by_ref();
            }
        }
    }
}
