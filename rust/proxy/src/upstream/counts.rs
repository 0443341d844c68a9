//! Gauges and totals of connections to backends: each worker writes its own, anyone may read the sum.
//!
//! A worker is the only writer of its numbers, so an update is a plain load and store.

use super::tls::Ways;
use crate::tls::{Authorities, Certificates};
use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What all workers share: a way to read their counts, and the ways of TLS.
pub struct UpstreamShared {
    workers: Mutex<Vec<Weak<Counts>>>,
    pub(super) ways: Arc<Ways>,
}

impl UpstreamShared {
    /// Without workers yet. TLS to endpoints is verified against these authorities and shows these certificates.
    pub fn new(authorities: Arc<Authorities>, certificates: Arc<Certificates>) -> Arc<Self> {
        Arc::new(Self {
            workers: Mutex::default(),
            ways: Arc::new(Ways::new(authorities, certificates)),
        })
    }

    /// To be called after authorities or certificates have changed, and before the table that names them is live.
    pub fn secrets_changed(&self) {
        self.ways.changed();
    }

    /// The sum over all workers that live. Totals of a worker that has ended are no longer in it.
    pub fn counts(&self) -> UpstreamCounts {
        let mut sum = UpstreamCounts::default();
        for worker in self.workers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if let Some(counts) = worker.upgrade() {
                sum += counts.read();
            }
        }
        sum
    }

    /// Counts of one more worker.
    pub(super) fn join(&self) -> Arc<Counts> {
        let counts = Arc::new(Counts::default());
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.retain(|worker| worker.strong_count() > 0);
        workers.push(Arc::downgrade(&counts));
        counts
    }
}

/// Connections to backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UpstreamCounts {
    /// In a pool now.
    pub idle: u64,
    /// In use now.
    pub busy: u64,
    /// Made so far.
    pub opened: u64,
    /// Taken from a pool so far.
    pub reused: u64,
    /// Connects that failed so far.
    pub failed: u64,
}

impl AddAssign for UpstreamCounts {
    fn add_assign(&mut self, other: Self) {
        self.idle += other.idle;
        self.busy += other.busy;
        self.opened += other.opened;
        self.reused += other.reused;
        self.failed += other.failed;
    }
}

/// The numbers of one worker.
#[derive(Debug, Default)]
pub(super) struct Counts {
    idle: AtomicU64,
    busy: AtomicU64,
    opened: AtomicU64,
    reused: AtomicU64,
    failed: AtomicU64,
}

impl Counts {
    pub(super) fn read(&self) -> UpstreamCounts {
        UpstreamCounts {
            idle: self.idle.load(Relaxed),
            busy: self.busy.load(Relaxed),
            opened: self.opened.load(Relaxed),
            reused: self.reused.load(Relaxed),
            failed: self.failed.load(Relaxed),
        }
    }

    pub(super) fn idle_opened(&self) {
        up(&self.idle);
    }

    pub(super) fn idle_closed(&self) {
        down(&self.idle);
    }

    pub(super) fn busy_opened(&self) {
        up(&self.busy);
    }

    pub(super) fn busy_closed(&self) {
        down(&self.busy);
    }

    pub(super) fn opened(&self) {
        up(&self.opened);
    }

    pub(super) fn reused(&self) {
        up(&self.reused);
    }

    pub(super) fn failed(&self) {
        up(&self.failed);
    }
}

fn up(number: &AtomicU64) {
    number.store(number.load(Relaxed) + 1, Relaxed);
}

fn down(number: &AtomicU64) {
    number.store(number.load(Relaxed) - 1, Relaxed);
}
