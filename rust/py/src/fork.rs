//! Refusing use after fork.
//!
//! Threads do not survive a fork and locks may be left held, so an object that is used in a child process could only
//! hang. It remembers the process it was made in, and says so instead.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// The process that an object belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner(u32);

impl Owner {
    /// This process.
    pub fn here() -> Self {
        Self(std::process::id())
    }

    /// Whether this is still that process.
    pub fn is_here(self) -> bool {
        self == Self::here()
    }

    /// `RuntimeError` in any other process.
    pub fn check(self) -> PyResult<()> {
        if self.is_here() {
            return Ok(());
        }
        Err(PyRuntimeError::new_err(format!(
            "this object was made in process {} and cannot be used after a fork: make a new one in the child",
            self.0
        )))
    }
}
