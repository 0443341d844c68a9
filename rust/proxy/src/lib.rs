//! The data path: from an accepted socket to a logged answer.
//!
//! A request walks through the files below in this order; docs, metrics and log fields use the same words.
//!
//! | module | step |
//! |---|---|
//! | [`accept`] | sockets per worker, limits, back-off |
//! | [`proxy_protocol`] | the header that says whose connection it is |
//! | [`tls`] | certificates by SNI, handshakes |
//! | [`downstream`] | one client connection: reads heads, keeps alive, closes in an orderly way |
//! | [`h2`] | one client connection of HTTP/2, and its streams |
//! | [`h3`] | the same of HTTP/3, over QUIC |
//! | [`request`] | the spine: route, filters, upstream, relay, log |
//! | [`filters`] | policies at work on a request head and a response head |
//! | [`upstream`] | choosing an endpoint, pools, connecting, retries, DNS |
//! | `stream` | TCP and UDP services, TLS that passes through |
//! | [`relay`] | bodies, trailers, upgrades |
//! | [`observe`] | counters, access records, the admin port |
//!
//! and around them: [`grpc`] (what is told to those who speak it), [`server`] (start, change, drain), [`worker`] (what one thread owns), [`error`] (what went wrong, and the one place
//! that turns it into a status), [`options`] (what is fixed while the process lives).

mod accept;
mod attempt;
mod buffers;
pub mod conn;
mod date;
mod deadline;
mod downstream;
pub mod error;
pub mod filters;
mod grpc;
mod h2;
mod h3;
mod head;
mod limits;
mod linger;
mod listen;
mod messages;
pub mod observe;
pub mod options;
mod pipes;
pub mod proxy_protocol;
pub mod record;
mod relay;
mod request;
mod respond;
mod server;
mod stream;
pub mod tls;
mod transport;
pub mod upstream;
mod worker;

pub use buffers::Budget;
pub use limits::{block_signals, die};
pub use server::{Addresses, Gateway, StartError};
