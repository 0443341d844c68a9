//! A histogram of durations without a lock.
//!
//! One thread writes, with plain loads and stores; any thread reads. A reader may see a bucket before the sum that
//! belongs to it, never a number that goes down.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Upper bounds in microseconds, half a millisecond to ten seconds. One more bucket takes what is longer.
pub const BOUNDS_US: [u64; 14] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000,
];

const BUCKETS: usize = BOUNDS_US.len() + 1;

/// Adds to a counter that only this thread writes.
pub(super) fn bump(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(by), Relaxed);
}

/// The counters. Zero at first.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

impl Histogram {
    /// Counts one duration. For the one thread that writes.
    pub fn record(&self, microseconds: u64) {
        bump(&self.buckets[bucket_of(microseconds)], 1);
        bump(&self.sum_us, microseconds);
    }

    /// Counts one duration, from any thread.
    pub fn record_shared(&self, microseconds: u64) {
        self.buckets[bucket_of(microseconds)].fetch_add(1, Relaxed);
        self.sum_us.fetch_add(microseconds, Relaxed);
    }

    /// Adds what has been counted to `totals`.
    pub fn add_to(&self, totals: &mut Totals) {
        for (total, bucket) in totals.buckets.iter_mut().zip(&self.buckets) {
            *total += bucket.load(Relaxed);
        }
        totals.sum_us += self.sum_us.load(Relaxed);
    }
}

fn bucket_of(microseconds: u64) -> usize {
    BOUNDS_US
        .iter()
        .position(|bound| microseconds <= *bound)
        .unwrap_or(BUCKETS - 1)
}

/// What several histograms counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    buckets: [u64; BUCKETS],
    sum_us: u64,
}

impl Totals {
    /// How many durations.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Their sum.
    pub fn sum_seconds(&self) -> f64 {
        self.sum_us as f64 / 1e6
    }

    /// Upper bound in seconds and count, each bucket for itself; the last has `f64::MAX`, which Prometheus calls `+Inf`.
    pub fn buckets(&self) -> [(f64, u64); BUCKETS] {
        std::array::from_fn(|at| {
            let bound = BOUNDS_US.get(at).map_or(f64::MAX, |bound| *bound as f64 / 1e6);
            (bound, self.buckets[at])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_lands_in_the_first_bucket_that_is_not_below_it() {
        let cases = [
            (0, 0),
            (500, 0),
            (501, 1),
            (1_000, 1),
            (10_000_000, 13),
            (10_000_001, 14),
            (u64::MAX, 14),
        ];
        for (microseconds, bucket) in cases {
            assert_eq!(bucket_of(microseconds), bucket, "{microseconds}");
        }
    }

    #[test]
    fn totals_add_up_over_histograms() {
        let (a, b) = (Histogram::default(), Histogram::default());
        a.record(400);
        b.record(400);
        b.record_shared(2_000_000);
        let mut totals = Totals::default();
        a.add_to(&mut totals);
        b.add_to(&mut totals);
        assert_eq!(totals.count(), 3);
        assert_eq!(totals.sum_seconds(), 2.0008);
        assert_eq!(totals.buckets()[0], (0.0005, 2));
        assert_eq!(totals.buckets()[11], (2.5, 1));
        assert_eq!(totals.buckets()[14], (f64::MAX, 0));
    }
}
