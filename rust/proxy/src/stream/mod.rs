//! What is relayed without looking inside: TCP and UDP services on ports of their own, and TLS that passes through.
//!
//! | module | what it is |
//! |---|---|
//! | [`listeners`] | ports, opened and closed while everything else goes on |
//! | [`tcp`] | TCP services, PROXY headers both ways |
//! | [`udp`], `datagrams` | UDP services: sessions by client address |
//! | [`passthrough`] | a connection to the TLS port, of which nothing but the server name is read |
//! | [`reach`] | an endpoint is chosen and connected to, another one if it cannot be reached |
//! | [`relay`] | bytes both ways, until both sides have closed or nothing has moved for too long |
//! | [`splice`] | one direction of a long stream, moved by the kernel |
//! | [`account`] | what is counted and logged of a stream |
//!
//! A stream holds its route and its sockets. Nothing that changes in the configuration touches it.

pub(crate) mod account;
mod datagrams;
pub(crate) mod listeners;
pub(crate) mod passthrough;
pub(crate) mod reach;
pub(crate) mod relay;
pub(crate) mod splice;
pub(crate) mod tcp;
pub(crate) mod udp;
