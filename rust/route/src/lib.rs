//! The route table: compiled from what Python sends, looked up by every request.
//!
//! No tokio, no pyo3, no I/O, no clock, no unsafe.
//!
//! | module | what it is |
//! |---|---|
//! | [`schema`] | the values that Python sends |
//! | `decode`, `digest` | bytes to values; the digest of the desired state |
//! | `compiled` | what a request holds on to: route, backend cell, settings |
//! | `client` | what a host asks of its clients' certificates |
//! | `compiler` | the desired state by key, and the work a change makes |
//! | `fragment`, `fragments`, `pattern`, `form` | one Ingress's rules for a host, compiled; path regexes; the match form of rules |
//! | `streams` | TCP and UDP services on ports of their own |
//! | `backends`, `scopes`, `upstreams`, `ingresses` | what routes share, kept while it is used |
//! | `hosts`, `membership`, `merge`, `buckets` | the fragments of a host become its virtual host |
//! | `host`, `paths`, `index`, `shard` | virtual hosts, and how they are laid out to be searched |
//! | `table` | the table itself: lookup, certificates |
//! | `explain`, `view` | the same for people |
//! | `invariants` | what must hold between the parts, for tests |

#![forbid(unsafe_code)]

mod backends;
mod buckets;
mod client;
mod compiled;
mod compiler;
mod decode;
mod digest;
mod explain;
mod form;
mod fragment;
mod fragments;
mod host;
mod hosts;
mod index;
mod ingresses;
mod invariants;
mod membership;
mod merge;
mod paths;
mod pattern;
mod roll;
pub mod schema;
mod scopes;
mod shard;
mod streams;
mod table;
mod upstreams;
mod view;

pub use client::ClientPolicy;
pub use compiled::{BackendCell, Endpoint, Endpoints, Ingress, Route, SettingsCell, Target};
pub use compiler::{Applied, Compiler};
pub use decode::SchemaError;
pub use explain::{Explanation, Loser};
pub use pattern::{Pattern, PatternError};
pub use streams::{Layer, Stream};
pub use table::{Lookup, RouteTable};
pub use view::RouteView;
