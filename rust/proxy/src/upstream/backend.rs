//! A worker's view of one backend cell: its peers, whose turn it is, and its retry budget.
//!
//! It is rebuilt when the endpoints of the cell were replaced; what is known about endpoints that stay survives.

use super::budget::Budget;
use super::peer::{Peer, Peers};
use fastingress_route::{BackendCell, Endpoints};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Weak};
use tokio::time::Instant;

/// The view of one cell.
pub(super) struct Backend {
    cell: Weak<BackendCell>,
    /// What `peers` was made from.
    seen: Option<Arc<Endpoints>>,
    /// Sorted by address.
    pub(super) peers: Vec<Rc<Peer>>,
    /// Whose turn it is; within `peers` unless that is empty.
    pub(super) turn: Cell<usize>,
    pub(super) budget: Budget,
}

impl Backend {
    /// A view that has not looked at its cell yet.
    pub(super) fn new(cell: &Arc<BackendCell>, now: Instant) -> Self {
        Self {
            cell: Arc::downgrade(cell),
            seen: None,
            peers: Vec::new(),
            turn: Cell::new(0),
            budget: Budget::new(now),
        }
    }

    /// Takes up what is in the cell now. Costs a comparison of pointers when nothing changed.
    pub(super) fn refresh(&mut self, cell: &BackendCell, peers: &RefCell<Peers>) {
        let current = cell.endpoints.load();
        if self.seen.as_ref().is_none_or(|seen| !Arc::ptr_eq(seen, &current)) {
            self.rebuild(Arc::clone(&current), &mut peers.borrow_mut());
        }
    }

    /// The same for a sweep: false, with all peers released, when the cell is no longer in use anywhere.
    pub(super) fn follow(&mut self, peers: &RefCell<Peers>) -> bool {
        let Some(cell) = self.cell.upgrade() else {
            let mut peers = peers.borrow_mut();
            self.peers.drain(..).for_each(|peer| peers.release(&peer));
            return false;
        };
        self.refresh(&cell, peers);
        true
    }

    fn rebuild(&mut self, endpoints: Arc<Endpoints>, peers: &mut Peers) {
        let mut list: Vec<Rc<Peer>> = endpoints.list.iter().map(|endpoint| peers.acquire(endpoint)).collect();
        list.sort_unstable_by_key(|peer| peer.address);
        self.turn.set(self.turn_in(&list));
        // Released after the others were acquired, so that a peer in both lists never is gone.
        for old in std::mem::replace(&mut self.peers, list) {
            peers.release(&old);
        }
        self.seen = Some(endpoints);
    }

    /// Whose turn it is in a new list: the endpoint whose turn it was, or the one that follows it in order of address.
    /// So the order of turns does not start over with each change, and no endpoint is passed over.
    fn turn_in(&self, list: &[Rc<Peer>]) -> usize {
        match (self.peers.get(self.turn.get()), list.len()) {
            (_, 0) => 0,
            (None, count) => fastrand::usize(..count),
            (Some(due), count) => list.partition_point(|peer| peer.address < due.address) % count,
        }
    }
}
