//! A connection to a backend: in use, or parked in the pool.
//!
//! Whether it may be parked is the caller's to know; see [`Upstreams::checkin`](super::Upstreams::checkin).

use super::PoolConfig;
use super::idle::{Stack, Stacked};
use super::manner::Manner;
use super::peer::{Choice, Peer};
use super::stream::Stream;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::time::Instant;

/// A connection that a request uses. Counts as busy until it is dropped or checked in.
pub struct Connection {
    /// The bytes.
    pub stream: Stream,
    manner: Manner,
    busy: Busy,
    born: Instant,
    served: u32,
}

impl Connection {
    pub(super) fn new(stream: Stream, choice: &Choice, now: Instant) -> Self {
        Self {
            stream,
            manner: choice.manner.clone(),
            busy: Busy::new(choice.peer().clone()),
            born: now,
            served: 0,
        }
    }

    pub(super) fn resume(parked: Parked) -> Self {
        let Parked {
            stream,
            manner,
            peer,
            born,
            served,
            ..
        } = parked;
        Self {
            stream,
            manner,
            busy: Busy::new(peer),
            born,
            served,
        }
    }

    /// True when it has served a request before: it may turn out to be stale.
    pub fn reused(&self) -> bool {
        self.served > 0
    }

    /// The other end.
    pub fn address(&self) -> SocketAddr {
        self.busy.0.address
    }

    /// Made ready for the pool; dropped if it is worn out or nobody will ask for it.
    pub(super) fn park(self, config: &PoolConfig, now: Instant) -> Option<Parked> {
        if self.stream.is_shared() {
            return None; // the connection underneath stays where it is
        }
        let parked = Parked {
            stream: self.stream,
            manner: self.manner,
            peer: self.busy.0.clone(),
            born: self.born,
            served: self.served + 1,
            since: now,
        };
        let no_room = config.idle_per_endpoint == 0 || config.idle_per_worker == 0;
        (!no_room && parked.served < config.max_requests && !parked.is_over(config, now)).then_some(parked)
    }
}

/// Counts a connection in use.
struct Busy(Rc<Peer>);

impl Busy {
    fn new(peer: Rc<Peer>) -> Self {
        peer.counts.busy_opened();
        Self(peer)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.counts.busy_closed();
    }
}

/// A connection in the pool.
pub(super) struct Parked {
    stream: Stream,
    /// Only a request that is to be sent like this may use it.
    pub(super) manner: Manner,
    pub(super) peer: Rc<Peer>,
    born: Instant,
    served: u32,
    since: Instant,
}

impl Parked {
    /// True when it is too old, or its endpoint is gone.
    pub(super) fn is_over(&self, config: &PoolConfig, now: Instant) -> bool {
        let age = now.saturating_duration_since(self.born);
        let idle = now.saturating_duration_since(self.since);
        self.peer.is_gone() || age >= config.max_age || idle >= config.idle_time
    }

    /// True when nothing has happened on it: not closed, nothing to read. Costs no system call unless the event loop
    /// has seen something, or `careful` asks for one.
    pub(super) fn is_quiet(&mut self, careful: bool) -> bool {
        self.stream.is_quiet(careful)
    }
}

impl Stacked for Parked {
    fn stack(&self) -> &Stack {
        &self.peer.stack
    }
}
