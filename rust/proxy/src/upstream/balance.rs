//! Picks an endpoint of a backend: each in turn, or the less busy of two.
//!
//! In either way, endpoints that this request was tried on are never picked, and those set aside only when there is
//! no other: an endpoint that may be down is better than none.

use super::backend::Backend;
use super::peer::{Peer, Tried};
use fastingress_route::schema::Balance;
use std::rc::Rc;
use tokio::time::Instant;

/// Random picks before the list is walked instead.
const DRAWS: usize = 8;

pub(super) fn pick<'b>(backend: &'b Backend, balance: Balance, tried: &Tried, now: Instant) -> Option<&'b Rc<Peer>> {
    match balance {
        Balance::RoundRobin => in_turn(backend, tried, now),
        Balance::LeastRequests => less_busy_of_two(backend, tried, now),
    }
}

fn in_turn<'b>(backend: &'b Backend, tried: &Tried, now: Instant) -> Option<&'b Rc<Peer>> {
    let place = first_fit(&backend.peers, backend.turn.get(), tried, now)?;
    backend.turn.set((place + 1) % backend.peers.len());
    Some(&backend.peers[place])
}

fn less_busy_of_two<'b>(backend: &'b Backend, tried: &Tried, now: Instant) -> Option<&'b Rc<Peer>> {
    let peers = &backend.peers;
    let first = random_fit(peers, tried, now)?;
    // Two picks of the same one is a wasted comparison, so the second is drawn among the others.
    let second = random_fit_other(peers, first, tried, now);
    let less_busy = second.filter(|second| peers[*second].in_flight() < peers[first].in_flight());
    Some(&peers[less_busy.unwrap_or(first)])
}

/// The first that may be picked, from `start` round; one that is aside if there is no other.
fn first_fit(peers: &[Rc<Peer>], start: usize, tried: &Tried, now: Instant) -> Option<usize> {
    let mut aside = None;
    for place in (start..peers.len()).chain(0..start) {
        let peer = &peers[place];
        if tried.contains(peer) {
            continue;
        }
        if !peer.eject.is_aside(now) {
            return Some(place);
        }
        aside = aside.or(Some(place));
    }
    aside
}

fn random_fit(peers: &[Rc<Peer>], tried: &Tried, now: Instant) -> Option<usize> {
    if peers.is_empty() {
        return None;
    }
    for _ in 0..DRAWS {
        let place = fastrand::usize(..peers.len());
        if is_fit(&peers[place], tried, now) {
            return Some(place);
        }
    }
    first_fit(peers, fastrand::usize(..peers.len()), tried, now)
}

fn random_fit_other(peers: &[Rc<Peer>], first: usize, tried: &Tried, now: Instant) -> Option<usize> {
    let others = peers.len() - 1;
    (0..DRAWS.min(others * DRAWS))
        .map(|_| (first + 1 + fastrand::usize(..others)) % peers.len())
        .find(|place| is_fit(&peers[*place], tried, now))
}

fn is_fit(peer: &Peer, tried: &Tried, now: Instant) -> bool {
    !tried.contains(peer) && !peer.eject.is_aside(now)
}
