//! The counters of one process, and what each event adds to them.
//!
//! What happens per request or connection is counted in a worker's own memory, by that worker alone; nothing here takes
//! a lock or, once warm, allocates. Totals are made when somebody asks for them. Making text of them is not done here.

use super::histogram::{Histogram, Totals, bump};
use super::process::Process;
use super::slab::{ByIngress, INGRESSES, Slab};
use super::streams::{ByPort, PortCounters, PortLabel, Ports};
use crate::h2::floods::Flood;
use crate::record::Record;
use fastingress_route::RouteTable;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Which kind of listener a connection came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// The plain port.
    Http,
    /// The TLS port.
    Https,
    /// The same port, of UDP.
    Http3,
}

impl Listener {
    /// All of them.
    pub const ALL: [Listener; 3] = [Listener::Http, Listener::Https, Listener::Http3];

    /// The value of the label `listener`.
    pub fn as_str(self) -> &'static str {
        match self {
            Listener::Http => "http",
            Listener::Https => "https",
            Listener::Http3 => "http3",
        }
    }
}

/// How a TLS handshake ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handshake {
    /// With a new session.
    Full,
    /// With a session from before.
    Resumed,
    /// With an error, ours or the client's.
    Failed,
    /// It took too long.
    Timeout,
}

impl Handshake {
    /// All of them.
    pub const ALL: [Handshake; 4] = [
        Handshake::Full,
        Handshake::Resumed,
        Handshake::Failed,
        Handshake::Timeout,
    ];

    /// The value of the label `result`.
    pub fn as_str(self) -> &'static str {
        match self {
            Handshake::Full => "full",
            Handshake::Resumed => "resumed",
            Handshake::Failed => "failed",
            Handshake::Timeout => "timeout",
        }
    }
}

/// Values of the label `protocol` of handshakes; the last one for those that ended before a version was settled.
const PROTOCOLS: [&str; 3] = ["TLSv1.2", "TLSv1.3", ""];

/// Words told apart as a reason of refusal; they are all written in our own code.
const REASONS: usize = 32;

/// What is known elsewhere and only shown here.
#[derive(Debug, Clone, Default)]
pub struct Gauges {
    /// Certificates: `namespace/secret`, and the last second each is valid, since 1970.
    pub certificates: Vec<(Box<str>, i64)>,
    /// Upstream connections in pools.
    pub upstream_idle: u64,
    /// Upstream connections with a request under way.
    pub upstream_busy: u64,
    /// Bytes held for streams.
    pub buffered_bytes: u64,
    /// Access records that were not written.
    pub log_dropped: u64,
    /// The JSON list that the admin port shows at `/problems`; counted by code and severity.
    pub problems: Arc<str>,
    /// Families that others count, as text without the `# EOF` line.
    pub more: Arc<str>,
    /// The version of the program.
    pub version: String,
}

/// Counters of one worker.
#[derive(Debug)]
struct Worker {
    slab: Slab,
    ports: Ports,
    opened: [AtomicU64; Listener::ALL.len()],
    closed: [AtomicU64; Listener::ALL.len()],
    handshakes: [[AtomicU64; Handshake::ALL.len()]; PROTOCOLS.len()],
    refused: [(OnceLock<&'static str>, AtomicU64); REASONS],
    panics: AtomicU64,
    floods: [AtomicU64; Flood::ALL.len()],
}

/// All counters of a process.
#[derive(Debug)]
pub struct Metrics {
    workers: Box<[Arc<Worker>]>,
    swaps: Histogram,
    process: Process,
}

impl Metrics {
    /// Counters for so many workers, by Ingress or, to keep the number of series low, for all requests together.
    pub fn new(workers: usize, per_ingress: bool) -> Arc<Self> {
        let ingresses = if per_ingress { INGRESSES } else { 0 };
        let workers = (0..workers).map(|_| Arc::new(Worker::new(ingresses))).collect();
        Arc::new(Self {
            workers,
            swaps: Histogram::default(),
            process: Process::new(),
        })
    }

    /// What worker `index` counts with. One thread alone may use it, though it may have several clones.
    ///
    /// # Panics
    /// When there are not so many workers.
    pub fn worker(&self, index: usize) -> WorkerMetrics {
        WorkerMetrics {
            worker: self.workers[index].clone(),
        }
    }

    /// Counts a change set that became the live table; `took` from its bytes to the swap. From any thread.
    pub fn swapped(&self, took: Duration) {
        self.swaps.record_shared(microseconds(took));
    }

    /// Client connections open now, on all listeners.
    pub fn connections(&self) -> u64 {
        Listener::ALL
            .iter()
            .map(|listener| self.snapshot().open(*listener))
            .sum()
    }

    /// Everything as text, in the format of OpenMetrics.
    pub fn encode(&self, table: &RouteTable, extra: &Gauges) -> String {
        super::exposition::encode(self.snapshot(), table.generation(), RouteTable::alive() as u64, extra)
    }

    /// Adds up what the workers counted.
    pub(super) fn snapshot(&self) -> Snapshot {
        let mut all = Snapshot::default();
        for worker in &self.workers {
            worker.add_to(&mut all);
        }
        self.swaps.add_to(&mut all.swaps);
        all.resident_bytes = self.process.resident_bytes();
        all.open_descriptors = self.process.open_descriptors();
        all.descriptor_limit = self.process.descriptor_limit();
        all
    }
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Totals at one moment.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) ingresses: ByIngress,
    pub(super) ports: ByPort,
    pub(super) opened: [u64; Listener::ALL.len()],
    pub(super) closed: [u64; Listener::ALL.len()],
    /// By protocol and result.
    pub(super) handshakes: BTreeMap<(&'static str, &'static str), u64>,
    pub(super) refused: BTreeMap<&'static str, u64>,
    pub(super) panics: u64,
    /// By kind.
    pub(super) floods: BTreeMap<&'static str, u64>,
    pub(super) swaps: Totals,
    pub(super) resident_bytes: Option<u64>,
    pub(super) open_descriptors: Option<u64>,
    pub(super) descriptor_limit: Option<u64>,
}

impl Snapshot {
    /// Connections open now.
    pub(super) fn open(&self, listener: Listener) -> u64 {
        self.opened[listener as usize].saturating_sub(self.closed[listener as usize])
    }
}

impl Worker {
    fn new(ingresses: usize) -> Self {
        Self {
            slab: Slab::new(ingresses),
            ports: Ports::default(),
            opened: Default::default(),
            closed: Default::default(),
            handshakes: Default::default(),
            refused: Default::default(),
            panics: AtomicU64::new(0),
            floods: Default::default(),
        }
    }

    fn add_to(&self, all: &mut Snapshot) {
        self.slab.collect(&mut all.ingresses);
        self.ports.add_to(&mut all.ports);
        for at in 0..Listener::ALL.len() {
            // What is closed first: a connection that opens and closes in between is not counted as minus one.
            all.closed[at] += self.closed[at].load(Relaxed);
            all.opened[at] += self.opened[at].load(Relaxed);
        }
        for (protocol, results) in PROTOCOLS.iter().zip(&self.handshakes) {
            for (result, count) in Handshake::ALL.iter().zip(results) {
                let count = count.load(Relaxed);
                if count > 0 {
                    *all.handshakes.entry((protocol, result.as_str())).or_default() += count;
                }
            }
        }
        for (reason, count) in &self.refused {
            if let Some(reason) = reason.get() {
                *all.refused.entry(reason).or_default() += count.load(Relaxed);
            }
        }
        all.panics += self.panics.load(Relaxed);
        for (flood, count) in Flood::ALL.iter().zip(&self.floods) {
            *all.floods.entry(flood.as_str()).or_default() += count.load(Relaxed);
        }
    }
}

/// What one worker counts with. To be used on that worker's thread alone: counts from two threads would get lost.
#[derive(Debug, Clone)]
pub struct WorkerMetrics {
    worker: Arc<Worker>,
}

impl WorkerMetrics {
    /// Counts one finished request.
    pub fn request(&self, record: &Record) {
        self.worker.slab.record(record);
    }

    /// The counters of a port with streams.
    pub fn port(&self, label: PortLabel) -> Arc<PortCounters> {
        self.worker.ports.of(label)
    }

    /// Counts an accepted connection.
    pub fn connection_opened(&self, listener: Listener) {
        bump(&self.worker.opened[listener as usize], 1);
    }

    /// Counts the end of a connection that was counted as opened.
    pub fn connection_closed(&self, listener: Listener) {
        bump(&self.worker.closed[listener as usize], 1);
    }

    /// Counts the end of a handshake; `protocol` as in `TlsInfo`, empty when none was settled.
    pub fn handshake(&self, protocol: &str, result: Handshake) {
        let at = PROTOCOLS
            .iter()
            .position(|known| *known == protocol)
            .unwrap_or(PROTOCOLS.len() - 1);
        bump(&self.worker.handshakes[at][result as usize], 1);
    }

    /// Counts a connection or request that was turned away before it was routed; `reason` is one of a few stable words.
    pub fn refused(&self, reason: &'static str) {
        for (word, count) in &self.worker.refused {
            if *word.get_or_init(|| reason) == reason {
                return bump(count, 1);
            }
        }
        debug_assert!(false, "more than {REASONS} reasons of refusal");
    }

    /// Counts a connection that was ended because it broke a bound of HTTP/2.
    pub fn flooded(&self, flood: Flood) {
        bump(&self.worker.floods[flood as usize], 1);
    }

    /// Counts a connection that ended in a panic.
    pub fn panicked(&self) {
        bump(&self.worker.panics, 1);
    }
}
