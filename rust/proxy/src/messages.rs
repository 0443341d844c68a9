//! Streams that carry one request and its answer, heads apart from bodies: those of HTTP/2 and HTTP/3.
//!
//! The spine and the relay see a byte stream at each end. For these protocols that is the body alone; heads pass through
//! the methods here. Whoever implements them turns a [`Head`] into frames and back, and nothing more.

use crate::head::HeadError;
use crate::relay::{Sink, Source};
use fastingress_http1::{Framing, Head, response};
use std::io;
use std::task::{Context, Poll};

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Nothing: the message is whole.
    Now,
    /// That many bytes, and no trailers.
    After(u64),
    /// Bytes until somebody says that they end.
    Open,
}

/// The stream that a request came on. Dropped before its answer is whole, it is reset.
pub trait ClientStream: Source + Sink {
    /// Sends the head of the final answer, once. Gives about the number of bytes it takes.
    fn send_head(&mut self, head: &Head, ending: Ending) -> io::Result<u64>;

    /// Sends the head of an interim answer.
    fn send_interim(&mut self, head: &Head) -> io::Result<()>;

    /// Ready when the client wants no answer any more.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// The stream that a request is sent on. Dropped before the answer is whole, it is reset.
pub trait ServerStream: Source + Sink {
    /// Sends the head of the request, once.
    fn send_request(&mut self, head: &Head, ending: Ending) -> io::Result<()>;

    /// Fills `head` with the next head of the answer. `method` is that of the request.
    fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
        method: &[u8],
        head: &mut Head,
    ) -> Poll<Result<response::Response, HeadError>>;
}

/// How a body that is stated as `framing` comes from a stream that says itself where it ends.
pub fn framing_from_messages(framing: Framing) -> Framing {
    match framing {
        Framing::Empty => Framing::Empty,
        _ => Framing::UntilClose,
    }
}
