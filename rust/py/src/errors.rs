//! Where Rust's errors, panics included, become Python's.
//!
//! The exceptions of the package live in Python, in `fastingress.errors`. What is raised here is of the standard ones:
//! `ValueError` for an argument that cannot be used, `OSError` for what the system refused, `RuntimeError` for a defect.

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work` with the interpreter lock released. A panic inside becomes a `RuntimeError`.
pub fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> PyResult<T> + Send) -> PyResult<T> {
    py.detach(|| match catch_unwind(AssertUnwindSafe(work)) {
        Ok(answer) => answer,
        Err(panic) => Err(PyRuntimeError::new_err(format!(
            "a defect of the core: {}",
            message_of(&*panic)
        ))),
    })
}

/// An argument that cannot be used.
pub fn bad_value(error: impl Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// Something that the core could not go on with: an earlier panic, or a value that cannot be encoded.
pub fn defect(error: impl Display) -> PyErr {
    PyRuntimeError::new_err(format!("a defect of the core: {error}"))
}

/// What the system refused, with its number where there is one: `OSError(errno, message)`.
pub fn refused(errno: Option<i32>, message: String) -> PyErr {
    match errno {
        Some(errno) => PyOSError::new_err((errno, message)),
        None => PyOSError::new_err(message),
    }
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        return (*text).to_owned();
    }
    panic
        .downcast_ref::<String>()
        .cloned()
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::message_of;

    #[test]
    fn a_panic_is_told_by_its_message() {
        let boxed: Box<dyn std::any::Any + Send> = Box::new("plain");
        assert_eq!(message_of(&*boxed), "plain");
        let boxed: Box<dyn std::any::Any + Send> = Box::new(String::from("made"));
        assert_eq!(message_of(&*boxed), "made");
        let boxed: Box<dyn std::any::Any + Send> = Box::new(7_u8);
        assert_eq!(message_of(&*boxed), "a panic without a message");
    }
}
