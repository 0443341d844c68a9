//! Seeing what it does: counters, access records, the admin port.
//!
//! | module | what it is |
//! |---|---|
//! | [`metrics`] | counters of one process, written by its workers, and what each event adds to them |
//! | [`slab`] | counters by Ingress, one slab per worker |
//! | [`streams`] | counters of TCP and UDP services and of TLS that passes through |
//! | [`histogram`] | a histogram of durations without a lock |
//! | [`exposition`] | all counters as text for Prometheus |
//! | [`process`] | what the kernel says of this process |
//! | [`access_log`] | a queue and a thread that never hold up a request |
//! | [`line`] | one access record as JSON or as text |
//! | [`output`] | a descriptor that may block or fail |
//! | [`time`] | a moment as RFC 3339 |
//! | [`admin`] | the admin port |

pub mod access_log;
pub mod admin;
pub mod exposition;
pub mod histogram;
pub mod line;
pub mod metrics;
pub mod output;
pub mod process;
pub mod slab;
pub mod streams;
pub mod time;

pub use access_log::{AccessLog, LogHandle};
pub use admin::{Admin, AdminState};
pub use metrics::{Gauges, Handshake, Listener, Metrics, WorkerMetrics};

#[cfg(test)]
mod testing;
