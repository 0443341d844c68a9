//! Counters by Ingress: one slab per worker, indexed by the small number that each live Ingress has.
//!
//! One worker writes a slab, with plain loads and stores on atomics; the admin thread reads it. A warm slot costs no
//! lock and no allocation. A slot's counters belong to one Ingress object for good: when its number is given to another
//! Ingress, the slot gets fresh counters, and an Ingress that is gone takes its own with it. Ingresses whose number is
//! over the cap count together.

use super::histogram::{Histogram, Totals, bump};
use crate::record::Record;
use arc_swap::ArcSwapOption;
use fastingress_route::Ingress;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};

/// Ingresses with label sets of their own.
pub const INGRESSES: usize = 20_000;

/// The `ingress` label of those beyond.
pub const OTHER: &str = "_other";

const CHUNK: usize = 64;

/// Status codes told apart for one Ingress and worker; further ones count as code `other` of their class.
const CODES: usize = 16;

/// What is counted for one Ingress.
#[derive(Debug, Default)]
struct Counters {
    /// 0: not taken yet.
    codes: [AtomicU16; CODES],
    requests: [AtomicU64; CODES],
    /// Requests with further codes, by class.
    others: [AtomicU64; 6],
    duration: Histogram,
    connect: Histogram,
    response: Histogram,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

impl Counters {
    fn record(&self, record: &Record) {
        self.count(record.status);
        self.duration.record(record.duration_us);
        if let Some(microseconds) = record.connect_us {
            self.connect.record(microseconds.into());
        }
        if let Some(microseconds) = record.upstream_us {
            self.response.record(microseconds.into());
        }
        bump(&self.bytes_in, record.bytes_in);
        bump(&self.bytes_out, record.bytes_out);
    }

    fn count(&self, status: u16) {
        if status == 0 {
            return bump(&self.others[0], 1);
        }
        for (code, requests) in self.codes.iter().zip(&self.requests) {
            let taken = code.load(Relaxed);
            if taken == 0 {
                code.store(status, Relaxed);
            }
            if taken == 0 || taken == status {
                return bump(requests, 1);
            }
        }
        bump(&self.others[class_of(status)], 1);
    }

    fn add_to(&self, totals: &mut IngressTotals) {
        for (code, requests) in self.codes.iter().zip(&self.requests) {
            let (code, requests) = (code.load(Relaxed), requests.load(Relaxed));
            if requests > 0 {
                *totals.requests.entry((class_of(code), Some(code))).or_default() += requests;
            }
        }
        for (class, requests) in self.others.iter().enumerate() {
            let requests = requests.load(Relaxed);
            if requests > 0 {
                *totals.requests.entry((class, None)).or_default() += requests;
            }
        }
        self.duration.add_to(&mut totals.duration);
        self.connect.add_to(&mut totals.connect);
        self.response.add_to(&mut totals.response);
        totals.bytes_in += self.bytes_in.load(Relaxed);
        totals.bytes_out += self.bytes_out.load(Relaxed);
    }
}

/// `1` for 1xx to `5` for 5xx; 0 for what is none of them.
fn class_of(status: u16) -> usize {
    match status / 100 {
        class @ 1..=5 => class.into(),
        _ => 0,
    }
}

/// The counters of all workers for one pair of labels.
#[derive(Debug, Default)]
pub struct IngressTotals {
    /// By class (0 to 5) and code; `None` for codes that were not told apart.
    pub requests: BTreeMap<(usize, Option<u16>), u64>,
    /// From first byte to last.
    pub duration: Totals,
    /// Connecting to an endpoint.
    pub connect: Totals,
    /// From the request being sent to the first byte of the answer.
    pub response: Totals,
    /// Read from clients.
    pub bytes_in: u64,
    /// Written to clients.
    pub bytes_out: u64,
}

/// Totals by namespace and name of the Ingress; both empty for requests that no Ingress took.
pub type ByIngress = BTreeMap<(String, String), IngressTotals>;

/// The counters of one Ingress object. The weak pointer keeps the object's address from being used again while the
/// slot has it, without keeping the Ingress alive.
#[derive(Debug)]
struct Slot {
    owner: Weak<Ingress>,
    namespace: Box<str>,
    name: Box<str>,
    counters: Counters,
}

type Chunk = [ArcSwapOption<Slot>; CHUNK];

/// The counters of one worker.
#[derive(Debug)]
pub struct Slab {
    chunks: Box<[OnceLock<Box<Chunk>>]>,
    /// Requests that no Ingress took, or all of them when Ingresses are not told apart.
    nobody: Counters,
    other: Counters,
}

impl Slab {
    /// Room for `ingresses`; with 0 all requests count together. Memory is taken when an Ingress is first used.
    pub fn new(ingresses: usize) -> Self {
        let chunks = (0..ingresses.div_ceil(CHUNK)).map(|_| OnceLock::new()).collect();
        Self {
            chunks,
            nobody: Counters::default(),
            other: Counters::default(),
        }
    }

    /// Counts one request. For the one worker whose slab it is.
    pub fn record(&self, record: &Record) {
        match &record.route {
            Some(route) if !self.chunks.is_empty() => self.record_for(&route.ingress, record),
            _ => self.nobody.record(record),
        }
    }

    fn record_for(&self, ingress: &Arc<Ingress>, record: &Record) {
        let at = ingress.slot as usize;
        let Some(chunk) = self.chunks.get(at / CHUNK) else {
            return self.other.record(record);
        };
        let chunk = chunk.get_or_init(|| Box::new(std::array::from_fn(|_| ArcSwapOption::empty())));
        let place = &chunk[at % CHUNK];
        if let Some(slot) = &*place.load()
            && std::ptr::eq(slot.owner.as_ptr(), Arc::as_ptr(ingress))
        {
            return slot.counters.record(record);
        }
        let slot = Arc::new(Slot {
            owner: Arc::downgrade(ingress),
            namespace: ingress.of.namespace.clone(),
            name: ingress.of.name.clone(),
            counters: Counters::default(),
        });
        slot.counters.record(record);
        place.store(Some(slot));
    }

    /// Adds everything to `all`, and gives back the memory of Ingresses that are gone. From any thread.
    pub fn collect(&self, all: &mut ByIngress) {
        add(&self.nobody, "", "", all);
        add(&self.other, "", OTHER, all);
        for place in self
            .chunks
            .iter()
            .filter_map(OnceLock::get)
            .flat_map(|chunk| chunk.iter())
        {
            let Some(slot) = &*place.load() else {
                continue;
            };
            if slot.owner.strong_count() == 0 {
                // Only if the worker has not put another one there meanwhile.
                place.compare_and_swap(slot, None);
                continue;
            }
            add(&slot.counters, &slot.namespace, &slot.name, all);
        }
    }
}

fn add(counters: &Counters, namespace: &str, name: &str, all: &mut ByIngress) {
    let used = counters.codes[0].load(Relaxed) != 0 || counters.others[0].load(Relaxed) != 0;
    if used {
        counters.add_to(all.entry((namespace.into(), name.into())).or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::testing::{ingress, record, route};

    fn collected(slab: &Slab) -> ByIngress {
        let mut all = ByIngress::new();
        slab.collect(&mut all);
        all
    }

    /// Namespace, name and number of requests.
    fn requests(slab: &Slab) -> Vec<(String, u64)> {
        let all = collected(slab);
        all.iter()
            .map(|((namespace, name), t)| (format!("{namespace}/{name}"), t.requests.values().sum()))
            .collect()
    }

    #[test]
    fn requests_count_for_their_ingress_class_and_code() {
        let slab = Slab::new(100);
        let (a, b) = (ingress("a", 0), ingress("b", 99));
        for status in [200, 200, 404, 503] {
            slab.record(&record(Some(route(&a)), status));
        }
        let mut slow = record(Some(route(&b)), 200);
        (slow.connect_us, slow.upstream_us) = (Some(700), Some(1_500));
        slab.record(&slow);
        slab.record(&record(None, 404));
        let all = collected(&slab);
        let of = |namespace: &str, name: &str| &all[&(namespace.to_owned(), name.to_owned())];
        let counted: Vec<_> = of("shop", "a")
            .requests
            .iter()
            .map(|(key, count)| (*key, *count))
            .collect();
        assert_eq!(counted, [((2, Some(200)), 2), ((4, Some(404)), 1), ((5, Some(503)), 1)]);
        assert_eq!((of("shop", "a").bytes_in, of("shop", "a").bytes_out), (400, 4_000));
        assert_eq!(
            (of("shop", "a").duration.count(), of("shop", "a").connect.count()),
            (4, 0)
        );
        assert_eq!(
            (of("shop", "b").connect.count(), of("shop", "b").response.sum_seconds()),
            (1, 0.0015)
        );
        assert_eq!(of("", "").requests[&(4, Some(404))], 1);
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn further_codes_count_for_their_class() {
        let slab = Slab::new(1);
        let a = ingress("a", 0);
        for status in 400..400 + CODES as u16 + 5 {
            slab.record(&record(Some(route(&a)), status));
        }
        for status in [0, 999] {
            slab.record(&record(Some(route(&a)), status));
        }
        let all = collected(&slab);
        let requests = &all[&("shop".into(), "a".into())].requests;
        assert_eq!(requests.len(), CODES + 2);
        assert_eq!((requests[&(4, None)], requests[&(0, None)]), (5, 2));
    }

    #[test]
    fn another_ingress_in_the_same_slot_starts_at_zero() {
        let slab = Slab::new(10);
        let first = ingress("first", 3);
        slab.record(&record(Some(route(&first)), 200));
        drop(first);
        let second = ingress("second", 3);
        slab.record(&record(Some(route(&second)), 200));
        slab.record(&record(Some(route(&second)), 200));
        assert_eq!(requests(&slab), [("shop/second".into(), 2)]);
    }

    #[test]
    fn the_same_name_made_anew_starts_at_zero() {
        let slab = Slab::new(10);
        let old = ingress("a", 3);
        slab.record(&record(Some(route(&old)), 200));
        let new = ingress("a", 3);
        slab.record(&record(Some(route(&new)), 200));
        assert_eq!(requests(&slab), [("shop/a".into(), 1)]);
    }

    #[test]
    fn an_ingress_that_is_gone_takes_its_counters_with_it() {
        let slab = Slab::new(10);
        let (a, b) = (ingress("a", 0), ingress("b", 1));
        let held = record(Some(route(&a)), 200);
        slab.record(&held);
        slab.record(&record(Some(route(&b)), 200));
        drop((a, b));
        assert_eq!(requests(&slab), [("shop/a".into(), 1)], "a request of it is under way");
        drop(held);
        assert_eq!(requests(&slab), []);
        let chunk = slab.chunks[0].get().unwrap();
        assert!(chunk.iter().all(|place| place.load().is_none()), "memory is given back");
    }

    #[test]
    fn counting_does_not_keep_an_ingress_alive() {
        let slab = Slab::new(10);
        let a = ingress("a", 0);
        slab.record(&record(Some(route(&a)), 200));
        assert_eq!(Arc::strong_count(&a), 1);
    }

    #[test]
    fn ingresses_beyond_the_cap_count_together() {
        let slab = Slab::new(CHUNK);
        for (name, slot) in [("in", CHUNK as u32 - 1), ("out", CHUNK as u32), ("far", u32::MAX)] {
            slab.record(&record(Some(route(&ingress(name, slot))), 200));
        }
        let held = ingress("held", 0);
        slab.record(&record(Some(route(&held)), 200));
        assert_eq!(requests(&slab), [("/_other".into(), 2), ("shop/held".into(), 1)]);
    }

    #[test]
    fn without_labels_all_count_together() {
        let slab = Slab::new(0);
        let a = ingress("a", 0);
        slab.record(&record(Some(route(&a)), 200));
        slab.record(&record(None, 404));
        assert_eq!(requests(&slab), [("/".into(), 2)]);
    }

    #[test]
    fn memory_is_taken_when_an_ingress_is_first_used() {
        let slab = Slab::new(INGRESSES);
        assert!(slab.chunks.iter().all(|chunk| chunk.get().is_none()));
        assert!(size_of::<Slot>() <= 1024, "{}", size_of::<Slot>());
    }

    #[test]
    fn reading_while_a_worker_counts_loses_nothing() {
        const REQUESTS: u64 = 50_000;
        let slab = Slab::new(10);
        let (a, b) = (ingress("a", 0), ingress("b", 1));
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let records = [record(Some(route(&a)), 200), record(Some(route(&b)), 200)];
                for at in 0..REQUESTS {
                    slab.record(&records[at as usize % 2]);
                }
            });
            let mut before = 0;
            while !worker.is_finished() {
                let now = requests(&slab).iter().map(|(_, count)| count).sum();
                assert!(before <= now && now <= REQUESTS, "{before} {now}");
                before = now;
            }
        });
        let half = REQUESTS / 2;
        assert_eq!(requests(&slab), [("shop/a".into(), half), ("shop/b".into(), half)]);
    }
}
