//! Bodies, trailers and upgrades on their way from one side to the other.
//!
//! | module | what it is |
//! |---|---|
//! | [`ends`] | what a body is read from and written to |
//! | [`outbox`] | bytes that the sink has not taken yet, and the one vectored write |
//! | [`pump`] | one body in one direction: decode, count, frame again, write |
//! | [`grpc_web`] | a stream of gRPC for clients of gRPC-Web |
//! | [`tunnel`] | two raw streams after an upgrade |

pub mod ends;
pub mod grpc_web;
#[cfg(test)]
mod moved_tests;
pub mod outbox;
pub mod pump;
pub mod tunnel;

pub use ends::{Sink, Source};
pub use grpc_web::GrpcWeb;
pub use outbox::Outbox;
pub use pump::{Pump, PumpError, Wait};
pub use tunnel::Tunnel;
