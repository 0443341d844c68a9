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

#[cfg(test)]
mod tests {
    use super::super::testing::{cell, endpoint, endpoints, replace, upstreams};
    use super::super::{Choice, Tried, Upstreams};
    use super::*;
    use fastingress_route::BackendCell;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};
    use std::net::SocketAddr;
    use std::sync::Arc;

    fn turns(upstreams: &Upstreams, cell: &Arc<BackendCell>, count: usize) -> Vec<SocketAddr> {
        (0..count)
            .map(|_| upstreams.next(cell).expect("an endpoint").address())
            .collect()
    }

    /// All endpoints that are chosen while each is tried, in order.
    fn tries(upstreams: &Upstreams, cell: &Arc<BackendCell>, balance: Balance) -> Vec<SocketAddr> {
        let mut tried = Tried::default();
        std::iter::from_fn(|| {
            let choice = upstreams.choose(cell, balance, &tried)?;
            tried.add(&choice);
            Some(choice.address())
        })
        .take(20)
        .collect()
    }

    #[derive(Debug, Clone)]
    enum Step {
        Choose(usize),
        /// The endpoints beside those that always stay.
        Replace(BTreeSet<u16>),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1..20usize).prop_map(Step::Choose),
            prop::collection::btree_set(0..40u16, 0..10).prop_map(Step::Replace),
        ]
    }

    proptest! {
        #[test]
        fn n_requests_go_to_n_endpoints_each_once(count in 1..60u16, rounds in 1..4usize) {
            let (upstreams, all) = (upstreams(), endpoints(0..count));
            let cell = cell(&all);
            for _ in 0..rounds {
                let mut round = turns(&upstreams, &cell, all.len());
                round.sort();
                prop_assert_eq!(&round, &all);
            }
        }

        /// However the endpoints change underneath: between two turns of one that stays, each other one that stays has one turn, and
        /// only what is there is chosen.
        #[test]
        fn a_change_neither_skips_nor_repeats_those_that_stay(
            stay in prop::collection::btree_set(0..40u16, 1..8),
            steps in prop::collection::vec(step(), 1..40),
        ) {
            let upstreams = upstreams();
            let cell = cell(&endpoints(stay.iter().copied()));
            let mut now: BTreeSet<SocketAddr> = endpoints(stay.iter().copied()).into_iter().collect();
            let mut since: BTreeMap<SocketAddr, Vec<SocketAddr>> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Replace(others) => {
                        now = endpoints(stay.union(&others).copied()).into_iter().collect();
                        // Not in the order of addresses: views sort for themselves.
                        replace(&cell, &now.iter().rev().copied().collect::<Vec<_>>());
                    }
                    Step::Choose(count) => for chosen in turns(&upstreams, &cell, count) {
                        prop_assert!(now.contains(&chosen));
                        for (from, seen) in &mut since {
                            if *from != chosen && stay.iter().any(|number| endpoint(*number) == chosen) {
                                prop_assert!(!seen.contains(&chosen), "{chosen} twice since {from}");
                                seen.push(chosen);
                            }
                        }
                        if stay.iter().any(|number| endpoint(*number) == chosen) {
                            let seen = since.insert(chosen, Vec::new());
                            prop_assert!(seen.is_none_or(|seen| seen.len() == stay.len() - 1), "{chosen} before the others");
                        }
                    },
                }
            }
        }

        #[test]
        fn tries_of_one_request_go_to_different_endpoints_until_there_is_none(count in 0..8u16, least: bool, aside: u8) {
            let (upstreams, all) = (upstreams(), endpoints(0..count));
            let cell = cell(&all);
            let balance = if least { Balance::LeastRequests } else { Balance::RoundRobin };
            let is_aside = |address: SocketAddr| aside & (1 << (address.port() - 1000)) != 0;
            for _ in 0..count {
                let choice = upstreams.next(&cell).expect("an endpoint");
                if is_aside(choice.address()) {
                    upstreams.failed(&choice);
                }
            }
            let mut tried = tries(&upstreams, &cell, balance);
            let first_aside = tried.iter().position(|address| is_aside(*address)).unwrap_or(tried.len());
            prop_assert!(tried[first_aside..].iter().all(|address| is_aside(*address)), "those aside come last: {tried:?}");
            tried.sort();
            prop_assert_eq!(tried, all);
        }
    }

    #[test]
    fn workers_start_at_different_places() {
        let cell = cell(&endpoints(0..10));
        let starts: BTreeSet<SocketAddr> = (0..200).map(|_| turns(&upstreams(), &cell, 1)[0]).collect();
        assert!(
            starts.len() > 1,
            "200 workers of 10 endpoints do not all begin with the same one: {starts:?}"
        );
    }

    #[test]
    fn an_endpoint_set_aside_is_passed_over_until_its_time_is_up_and_chosen_when_all_are() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let upstreams = upstreams();
            let cell = cell(&endpoints(0..3));
            let bad = upstreams.next(&cell).expect("an endpoint");
            upstreams.failed(&bad);
            assert!(!turns(&upstreams, &cell, 30).contains(&bad.address()));
            tokio::time::advance(std::time::Duration::from_secs(1)).await;
            assert!(turns(&upstreams, &cell, 3).contains(&bad.address()));
            upstreams.failed(&bad);
            tokio::time::advance(std::time::Duration::from_millis(1999)).await;
            assert!(
                !turns(&upstreams, &cell, 3).contains(&bad.address()),
                "the second time it is for 2 s"
            );
            upstreams.succeeded(&bad);
            assert!(turns(&upstreams, &cell, 3).contains(&bad.address()));
            for choice in [upstreams.next(&cell), upstreams.next(&cell), upstreams.next(&cell)] {
                upstreams.failed(&choice.expect("an endpoint"));
            }
            assert_eq!(
                BTreeSet::from_iter(turns(&upstreams, &cell, 3)).len(),
                3,
                "if all are aside all are tried"
            );
        });
    }

    #[test]
    fn the_less_busy_of_two_is_chosen() {
        let upstreams = upstreams();
        let cell = cell(&endpoints(0..2));
        let choose = || {
            upstreams
                .choose(&cell, Balance::LeastRequests, &Tried::default())
                .expect("an endpoint")
        };
        let count = |held: &[Choice], number| {
            held.iter()
                .filter(|choice| choice.address() == endpoint(number))
                .count()
        };
        let mut held: Vec<Choice> = Vec::new();
        for _ in 0..100 {
            held.push(choose());
            assert!(
                count(&held, 0).abs_diff(count(&held, 1)) <= 1,
                "of two endpoints both are looked at each time"
            );
        }
        held.retain(|choice| choice.address() == endpoint(0));
        let next: Vec<Choice> = (0..50).map(|_| choose()).collect();
        assert_eq!(count(&next, 1), 50, "what has ended is no longer in flight");
    }

    #[test]
    fn a_clone_of_a_choice_is_no_request_in_flight() {
        let upstreams = upstreams();
        let cell = cell(&endpoints(0..1));
        let choice = upstreams.next(&cell).expect("an endpoint");
        let clone = choice.clone();
        assert_eq!(choice.peer().in_flight(), 1);
        drop(choice);
        assert_eq!(clone.peer().in_flight(), 0);
    }

    #[test]
    fn many_endpoints_get_about_as_many_requests_each() {
        fastrand::seed(7);
        let upstreams = upstreams();
        let cell = cell(&endpoints(0..20));
        let held: Vec<Choice> = (0..2000)
            .filter_map(|_| upstreams.choose(&cell, Balance::LeastRequests, &Tried::default()))
            .collect();
        for number in 0..20 {
            let count = held
                .iter()
                .filter(|choice| choice.address() == endpoint(number))
                .count();
            assert!((90..=110).contains(&count), "endpoint {number} has {count} of 2000");
        }
    }

    #[test]
    fn no_endpoints_no_choice() {
        let upstreams = upstreams();
        let cell = cell(&[]);
        for balance in [Balance::RoundRobin, Balance::LeastRequests] {
            assert!(upstreams.choose(&cell, balance, &Tried::default()).is_none());
        }
        replace(&cell, &endpoints(0..1));
        assert_eq!(turns(&upstreams, &cell, 2), [endpoint(0), endpoint(0)]);
    }
}
