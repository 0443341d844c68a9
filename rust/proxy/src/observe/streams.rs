//! Counters of what is relayed without looking inside: TCP and UDP services, and TLS that passes through.
//!
//! One set per port and worker, written by that worker alone.

use super::histogram::bump;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// Which port it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortLabel {
    /// `tcp`, `udp`, or `tls` for what passes through the TLS port.
    pub protocol: &'static str,
    /// Its number.
    pub port: u16,
}

/// What went wrong with a stream, or with a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// There is no endpoint.
    NoEndpoints,
    /// No endpoint could be reached.
    ConnectFailed,
    /// There was no PROXY header, no sound one, or one from whom none is taken.
    ProxyHeader,
    /// Nothing moved for too long.
    IdleTimeout,
    /// One side reset the connection.
    Reset,
    /// A datagram was dropped: there are too many sessions.
    SessionLimit,
    /// A datagram was dropped: there was no room to send it.
    Unsent,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Trouble; 7] = [
        Trouble::NoEndpoints,
        Trouble::ConnectFailed,
        Trouble::ProxyHeader,
        Trouble::IdleTimeout,
        Trouble::Reset,
        Trouble::SessionLimit,
        Trouble::Unsent,
    ];

    /// The value of the label `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Trouble::NoEndpoints => "no_endpoints",
            Trouble::ConnectFailed => "connect_failed",
            Trouble::ProxyHeader => "proxy_header",
            Trouble::IdleTimeout => "idle_timeout",
            Trouble::Reset => "reset",
            Trouble::SessionLimit => "session_limit",
            Trouble::Unsent => "unsent",
        }
    }
}

/// The counters of one port and worker. To be used on that worker's thread alone.
#[derive(Debug, Default)]
pub struct PortCounters {
    opened: AtomicU64,
    closed: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    troubles: [AtomicU64; Trouble::ALL.len()],
}

impl PortCounters {
    /// A stream or a session began.
    pub fn opened(&self) {
        bump(&self.opened, 1);
    }

    /// One that began has ended.
    pub fn closed(&self) {
        bump(&self.closed, 1);
    }

    /// Bytes went from the client to the endpoint.
    pub fn bytes_in(&self, count: u64) {
        bump(&self.bytes_in, count);
    }

    /// Bytes went from the endpoint to the client.
    pub fn bytes_out(&self, count: u64) {
        bump(&self.bytes_out, count);
    }

    /// Something went wrong.
    pub fn trouble(&self, what: Trouble) {
        bump(&self.troubles[what as usize], 1);
    }
}

/// Those of one port, of all workers.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct PortTotals {
    /// Streams and sessions that began.
    pub opened: u64,
    /// Those that have ended.
    pub closed: u64,
    /// From clients.
    pub bytes_in: u64,
    /// To clients.
    pub bytes_out: u64,
    /// By [`Trouble`].
    pub troubles: [u64; Trouble::ALL.len()],
}

/// Totals by port.
pub type ByPort = BTreeMap<PortLabel, PortTotals>;

/// The ports of one worker. A port that was once open keeps its counters.
#[derive(Debug, Default)]
pub struct Ports(Mutex<BTreeMap<PortLabel, Arc<PortCounters>>>);

impl Ports {
    /// The counters of a port.
    pub fn of(&self, label: PortLabel) -> Arc<PortCounters> {
        let mut ports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(ports.entry(label).or_default())
    }

    /// Adds them up.
    pub fn add_to(&self, totals: &mut ByPort) {
        for (label, counters) in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            let totals = totals.entry(*label).or_default();
            // What has ended first: one that begins and ends in between is not counted as minus one.
            totals.closed += counters.closed.load(Relaxed);
            totals.opened += counters.opened.load(Relaxed);
            totals.bytes_in += counters.bytes_in.load(Relaxed);
            totals.bytes_out += counters.bytes_out.load(Relaxed);
            for (total, count) in totals.troubles.iter_mut().zip(&counters.troubles) {
                *total += count.load(Relaxed);
            }
        }
    }
}
