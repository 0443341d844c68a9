//! What a worker remembers about one endpoint, and the handles to it that a request holds.
//!
//! What is spoken to it may differ from request to request: connections are kept apart by that, failures are not.
//!
//! A peer lives while a backend lists its address or something holds it. One that no backend lists is *gone*: when its
//! address comes back, that is a new peer.

use super::PoolConfig;
use super::counts::Counts;
use super::eject::Eject;
use super::h2::Carriers;
use super::idle::{Stack, Stacked};
use super::manner::Manner;
use fastingress_route::Endpoint;
use hashbrown::HashMap;
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use tokio::time::Instant;

/// One endpoint.
pub(super) struct Peer {
    /// Never used twice in a worker.
    id: u64,
    pub(super) address: SocketAddr,
    text: Arc<str>,
    /// Backends that list it.
    listed: Cell<u32>,
    in_flight: Cell<u32>,
    pub(super) eject: Eject,
    pub(super) stack: Stack,
    pub(super) carriers: Carriers,
    pub(super) counts: Arc<Counts>,
}

impl Peer {
    /// Requests under way that chose it.
    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.get()
    }

    /// Closes connections of HTTP/2 that are worn out, all of them once it is gone. True while there may be more to do.
    pub(super) fn sweep_carriers(&self, config: &PoolConfig, now: Instant) -> bool {
        if self.is_gone() {
            self.carriers.clear();
        }
        self.carriers.sweep(config, now)
    }

    /// True when no backend lists it any more.
    pub(super) fn is_gone(&self) -> bool {
        self.listed.get() == 0
    }
}

impl Stacked for Rc<Peer> {
    fn stack(&self) -> &Stack {
        &self.stack
    }
}

/// All peers of a worker that some backend lists.
pub(super) struct Peers {
    by_address: HashMap<SocketAddr, Rc<Peer>, foldhash::fast::RandomState>,
    next_id: u64,
    pub(super) counts: Arc<Counts>,
}

impl Peers {
    pub(super) fn new(counts: Arc<Counts>) -> Self {
        Self {
            by_address: HashMap::default(),
            next_id: 0,
            counts,
        }
    }

    /// How many peers there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_address.len()
    }

    /// The peer at this endpoint, now listed once more.
    pub(super) fn acquire(&mut self, endpoint: &Endpoint) -> Rc<Peer> {
        let Self {
            by_address,
            next_id,
            counts,
        } = self;
        let peer = by_address.entry(endpoint.address).or_insert_with(|| {
            *next_id += 1;
            Rc::new(Peer {
                id: *next_id,
                address: endpoint.address,
                text: endpoint.text.clone(),
                listed: Cell::new(0),
                in_flight: Cell::new(0),
                eject: Eject::default(),
                stack: Stack::default(),
                carriers: Carriers::default(),
                counts: counts.clone(),
            })
        });
        peer.listed.set(peer.listed.get() + 1);
        peer.clone()
    }

    /// Listed once less; at the last time it is gone.
    pub(super) fn release(&mut self, peer: &Peer) {
        peer.listed.set(peer.listed.get() - 1);
        if peer.is_gone() {
            self.by_address.remove(&peer.address);
            peer.carriers.clear();
        }
    }
}

/// The endpoint chosen for a request. While it lives the request counts as in flight there; clones do not count.
pub struct Choice {
    peer: Rc<Peer>,
    pub(super) manner: Manner,
    counted: bool,
}

impl Choice {
    pub(super) fn new(peer: Rc<Peer>) -> Self {
        peer.in_flight.set(peer.in_flight.get() + 1);
        Self {
            peer,
            manner: Manner::default(),
            counted: true,
        }
    }

    pub(super) fn peer(&self) -> &Rc<Peer> {
        &self.peer
    }

    /// The same endpoint, spoken to like this.
    #[must_use]
    pub fn speaking(mut self, manner: &Manner) -> Self {
        self.manner = manner.clone();
        self
    }

    /// `address:port`, for logs.
    pub fn text(&self) -> &Arc<str> {
        &self.peer.text
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.peer.address
    }
}

impl Clone for Choice {
    fn clone(&self) -> Self {
        Self {
            peer: self.peer.clone(),
            manner: self.manner.clone(),
            counted: false,
        }
    }
}

impl Drop for Choice {
    fn drop(&mut self) {
        if self.counted {
            self.peer.in_flight.set(self.peer.in_flight.get() - 1);
        }
    }
}

/// How many endpoints a [`Tried`] remembers.
const REMEMBERED: usize = 8;

/// The endpoints that one request was tried on. Remembers the last eight.
#[derive(Debug, Clone, Default)]
pub struct Tried {
    ids: [u64; REMEMBERED],
    len: u32,
}

impl Tried {
    /// Enters an endpoint.
    pub fn add(&mut self, choice: &Choice) {
        self.ids[self.len as usize % REMEMBERED] = choice.peer.id;
        self.len += 1;
    }

    /// How many were entered.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// True before the first.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn contains(&self, peer: &Peer) -> bool {
        self.ids[..self.len().min(REMEMBERED)].contains(&peer.id)
    }
}
