//! The route table: compiled from what Python sends, looked up by every request.
//!
//! No tokio, no pyo3, no I/O, no clock, no unsafe.

#![forbid(unsafe_code)]

mod compiled;
pub mod schema;

pub use compiled::{BackendCell, Endpoint, Endpoints, Ingress, Route, SettingsCell, Target};

/// A compiled path regex.
#[derive(Debug)]
pub struct Pattern;
