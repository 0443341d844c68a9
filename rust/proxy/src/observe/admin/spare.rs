//! Descriptors kept aside, to be let go when a connection to the admin port needs one and there is no other.

use std::cell::RefCell;
use std::fs::File;

/// How many are kept.
const SPARES: usize = 8;

/// The descriptors. They are open on `/dev/null` and never read.
#[derive(Debug)]
pub struct Spares {
    kept: RefCell<Vec<File>>,
}

impl Spares {
    /// Takes as many as it can get.
    pub fn new() -> Self {
        let spares = Self {
            kept: RefCell::default(),
        };
        spares.refill();
        spares
    }

    /// Closes one; false when there is none left.
    pub fn release(&self) -> bool {
        self.kept.borrow_mut().pop().is_some()
    }

    /// Opens what is missing, as far as descriptors are free.
    pub fn refill(&self) {
        let mut kept = self.kept.borrow_mut();
        while kept.len() < SPARES {
            let Ok(file) = File::open("/dev/null") else {
                return;
            };
            kept.push(file);
        }
    }
}

impl Default for Spares {
    fn default() -> Self {
        Self::new()
    }
}
