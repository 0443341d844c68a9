//! What a worker remembers about one endpoint, and the handles to it that a request holds.
//!
//! A peer lives while a backend lists its address or something holds it. One that no backend lists is *gone*: when its
//! address comes back, that is a new peer.

use super::counts::Counts;
use super::eject::Eject;
use super::idle::{Stack, Stacked};
use fastingress_route::Endpoint;
use hashbrown::HashMap;
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

/// Everything that makes two connections interchangeable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PoolKey {
    /// Where to.
    pub address: SocketAddr,
    /// What is spoken.
    pub protocol: Protocol,
}

/// What is spoken on a connection to a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Protocol {
    /// HTTP/1.1 over TCP.
    #[default]
    Http1,
}

/// One endpoint.
pub(super) struct Peer {
    /// Never used twice in a worker.
    id: u64,
    pub(super) key: PoolKey,
    text: Arc<str>,
    /// Backends that list it.
    listed: Cell<u32>,
    in_flight: Cell<u32>,
    pub(super) eject: Eject,
    pub(super) stack: Stack,
    pub(super) counts: Arc<Counts>,
}

impl Peer {
    /// Requests under way that chose it.
    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.get()
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
    by_key: HashMap<PoolKey, Rc<Peer>, foldhash::fast::RandomState>,
    next_id: u64,
    pub(super) counts: Arc<Counts>,
}

impl Peers {
    pub(super) fn new(counts: Arc<Counts>) -> Self {
        Self {
            by_key: HashMap::default(),
            next_id: 0,
            counts,
        }
    }

    /// How many peers there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// The peer at this endpoint, now listed once more.
    pub(super) fn acquire(&mut self, endpoint: &Endpoint) -> Rc<Peer> {
        let key = PoolKey {
            address: endpoint.address,
            protocol: Protocol::Http1,
        };
        let Self {
            by_key,
            next_id,
            counts,
        } = self;
        let peer = by_key.entry(key).or_insert_with(|| {
            *next_id += 1;
            Rc::new(Peer {
                id: *next_id,
                key,
                text: endpoint.text.clone(),
                listed: Cell::new(0),
                in_flight: Cell::new(0),
                eject: Eject::default(),
                stack: Stack::default(),
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
            self.by_key.remove(&peer.key);
        }
    }
}

/// The endpoint chosen for a request. While it lives the request counts as in flight there; clones do not count.
pub struct Choice {
    peer: Rc<Peer>,
    counted: bool,
}

impl Choice {
    pub(super) fn new(peer: Rc<Peer>) -> Self {
        peer.in_flight.set(peer.in_flight.get() + 1);
        Self { peer, counted: true }
    }

    pub(super) fn peer(&self) -> &Rc<Peer> {
        &self.peer
    }

    /// `address:port`, for logs.
    pub fn text(&self) -> &Arc<str> {
        &self.peer.text
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.peer.key.address
    }
}

impl Clone for Choice {
    fn clone(&self) -> Self {
        Self {
            peer: self.peer.clone(),
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
