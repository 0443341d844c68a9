//! The PROXY protocol, versions 1 and 2: a header before the first byte of a stream that says whose stream it is.
//!
//! | file | what it is |
//! |---|---|
//! | `header` | parses and composes headers: bytes in, verdict out |
//! | `receive` | reads a header from a socket, and not a byte more |

mod header;
mod receive;
#[cfg(test)]
mod tests;

pub use header::{Addresses, Header, LONGEST, Malformed, compose_v1, compose_v2, parse};
#[cfg(test)]
use receive::receive;
pub(crate) use receive::{Denied, ask};
