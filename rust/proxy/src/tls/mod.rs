//! TLS: certificates by key, the one that a server name gets, and the configuration of handshakes.
//!
//! | module | what it is |
//! |---|---|
//! | [`store`] | the certificates by key, replaced while handshakes go on |
//! | [`pair`] | one certificate chain with its private key: names, expiry, and the signing key once it is needed |
//! | [`authority`] | authorities of clients and endpoints by key, with revocation lists |
//! | [`client_auth`], [`subject`] | clients' certificates: asked for, judged, told of |
//! | [`termination`] | which configuration a handshake gets |
//! | `staple`, `responder` | OCSP responses: whether to staple one, and where they come from |
//! | [`tickets`] | keys of session tickets, our own or shared |
//! | [`resolver`] | which certificate a handshake gets |
//! | [`config`] | protocol versions, cipher suites, resumption |
//! | `hello` | the server name of a connection that may pass through, before TLS is terminated |
//! | [`default`] | the self-signed certificate that serves when there is no other |

pub mod authority;
pub mod client_auth;
pub mod config;
pub mod default;
pub(crate) mod hello;
pub mod pair;
pub mod resolver;
pub(crate) mod responder;
pub(crate) mod staple;
pub mod store;
pub mod subject;
pub mod termination;
pub mod tickets;

pub use authority::{Authorities, Trust};
pub use config::{Recipe, TlsError};
pub use resolver::{Names, Resolver};
pub use store::{CertificateView, Certificates};
pub use termination::Termination;
pub use tickets::Tickets;

#[cfg(test)]
mod handshakes;
#[cfg(test)]
mod testing;
