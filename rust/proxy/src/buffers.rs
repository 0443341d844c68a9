//! Memory for bytes on their way: one read buffer per worker, a pool of small vectors, and a budget for all of them.
//!
//! A connection holds a buffer only while it has bytes that the other side has not taken; an idle one holds none.

use crate::pipes::Pipes;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that one read may bring.
pub const READ_SIZE: usize = 64 * 1024;
/// Bytes that one read of a head may bring; what is beyond the head is copied. Most bodies are shorter, and to copy one costs
/// less than to read and write twice.
pub const HEAD_READ_SIZE: usize = 32 * 1024;
/// Vectors larger than this are given back to the allocator, not to the pool.
const POOLED_CAPACITY: usize = READ_SIZE + 4096;
/// Vectors kept per worker, as long as they are small; of large ones a quarter.
const POOLED_COUNT: usize = 256;
/// What is small: a head, or a little of a body.
const SMALL: usize = 4096;
/// What gathers frames has room for this much: a TLS record (RFC 8446, 5.1).
pub const RECORD: usize = 16 * 1024;
/// Such vectors kept per worker. One is in use only until a socket takes what is in it.
const POOLED_RECORDS: usize = 16;

/// A worker's own buffers.
#[derive(Debug)]
pub struct Buffers {
    scratch: RefCell<Box<[u8]>>,
    pool: RefCell<Vec<Vec<u8>>>,
    records: RefCell<Vec<Vec<u8>>>,
    /// For bytes that never come into the process.
    pub pipes: Pipes,
}

impl Default for Buffers {
    fn default() -> Self {
        Self::new(Pipes::default())
    }
}

impl Buffers {
    /// None yet, with these pipes.
    pub fn new(pipes: Pipes) -> Self {
        Self {
            scratch: RefCell::new(vec![0; READ_SIZE].into_boxed_slice()),
            pool: RefCell::default(),
            records: RefCell::default(),
            pipes,
        }
    }

    /// Lends the read buffer for the time of one poll.
    pub fn with_scratch<T>(&self, work: impl FnOnce(&mut [u8]) -> T) -> T {
        work(&mut self.scratch.borrow_mut())
    }

    /// An empty vector, warm if there is one.
    pub fn take(&self) -> Vec<u8> {
        self.pool.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a vector back.
    pub fn give(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() == 0 || buffer.capacity() > POOLED_CAPACITY {
            return;
        }
        buffer.clear();
        let mut pool = self.pool.borrow_mut();
        let most = if buffer.capacity() > SMALL {
            POOLED_COUNT / 4
        } else {
            POOLED_COUNT
        };
        if pool.len() < most {
            pool.push(buffer);
        }
    }

    /// An empty vector with room for [`RECORD`] bytes. One of those above is mostly shorter, and would be moved as it grows.
    pub fn take_record(&self) -> Vec<u8> {
        let pooled = self.records.borrow_mut().pop();
        pooled.unwrap_or_else(|| Vec::with_capacity(RECORD))
    }

    /// Takes such a vector back.
    pub fn give_record(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() == 0 || buffer.capacity() > POOLED_CAPACITY {
            return;
        }
        buffer.clear();
        let mut records = self.records.borrow_mut();
        if records.len() < POOLED_RECORDS {
            records.push(buffer);
        }
    }
}

/// How many bytes all streams of the process may hold for a side that is slow to take them.
#[derive(Debug)]
pub struct Budget {
    used: AtomicUsize,
    limit: usize,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicUsize::new(0),
            limit,
        })
    }

    /// Bytes held now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// True when new work must wait or be refused.
    pub fn is_exhausted(&self) -> bool {
        self.used() >= self.limit
    }
}

/// What one stream holds of the budget. Given back when dropped.
#[derive(Debug)]
pub struct Lease {
    budget: Arc<Budget>,
    held: usize,
}

impl Lease {
    /// A lease of nothing yet.
    pub fn new(budget: &Arc<Budget>) -> Self {
        Self {
            budget: budget.clone(),
            held: 0,
        }
    }

    /// True when nothing more is to be held.
    pub fn is_refused(&self) -> bool {
        self.budget.is_exhausted()
    }

    /// States how much is held now.
    pub fn set(&mut self, bytes: usize) {
        if bytes > self.held {
            self.budget.used.fetch_add(bytes - self.held, Ordering::Relaxed);
        } else if bytes < self.held {
            self.budget.used.fetch_sub(self.held - bytes, Ordering::Relaxed);
        }
        self.held = bytes;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_gives_back_what_it_held() {
        let budget = Budget::new(100);
        let mut lease = Lease::new(&budget);
        lease.set(150);
        assert!(budget.is_exhausted());
        lease.set(20);
        assert_eq!(budget.used(), 20);
        drop(lease);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_record_fits_into_a_vector_that_is_kept_for_one() {
        let buffers = Buffers::default();
        let record = buffers.take_record();
        let place = record.as_ptr();
        buffers.give(Vec::with_capacity(100));
        buffers.give_record(record);
        let record = buffers.take_record();
        assert!(record.is_empty() && record.capacity() >= RECORD);
        assert_eq!(record.as_ptr(), place);
        assert!(buffers.take_record().capacity() >= RECORD);
    }

    #[test]
    fn large_vectors_are_not_pooled() {
        let buffers = Buffers::default();
        buffers.give(Vec::with_capacity(POOLED_CAPACITY + 1));
        assert_eq!(buffers.take().capacity(), 0);
        buffers.give(Vec::with_capacity(100));
        assert!(buffers.take().capacity() >= 100);
    }
}
