//! HTTP/1 without I/O: bytes in, verdict out.
//!
//! | module | what it is |
//! |---|---|
//! | [`head`] | a request or response head in an arena, shared by all protocols |
//! | [`name`] | the header names that the engine itself looks at |
//! | [`scan`] | finds the end of a head incrementally and refuses what no head may hold |
//! | [`request`] | parses a request head: syntax, target, Host, framing, connection options |
//! | [`response`] | parses a response head, given the request it answers |
//! | [`body`] | body framing: a decoder of lengths and chunks, and the encoder that mirrors it |
//! | [`assemble`] | the same heads from HTTP/2 and HTTP/3, where they come in parts |
//! | [`hop`] | removes what belongs to one connection from a head |
//! | [`encode`] | writes heads |
//! | [`path`] | the match form of a path |
//! | [`error`] | why a message was refused, and with which status |
//!
//! Nothing here reads a clock, allocates per request once warm, or knows of sockets. Strictness is the rule: what two
//! parsers could read in two ways is refused here and never reaches a backend.

pub mod assemble;
pub mod body;
mod chunk;
pub mod encode;
pub mod error;
mod fields;
pub mod head;
pub mod hop;
pub mod name;
pub mod path;
pub mod request;
pub mod response;
pub mod scan;
mod trailers;

pub use body::{Decoder, Encoder, Event, Framing, Trailers};
pub use error::Error;
pub use head::{Head, Version};
pub use name::Name;
pub use scan::{Limits, Scan};
