//! What a request goes out on: plain TCP, TLS over it, or one stream of a connection that carries many.

use crate::grpc::Form;
use crate::messages::ServerStream;
use crate::relay::GrpcWeb;
use crate::transport::Medium;
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Waker};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A byte stream to an endpoint.
pub type Stream = Medium<TlsStream<TcpStream>, dyn ServerStream>;

impl Stream {
    /// The same stream with bodies in a form of gRPC-Web, if heads go beside the bytes.
    #[must_use]
    pub fn translated(self, form: Form) -> Self {
        match self {
            Stream::Messages(inner) => Stream::Messages(Box::new(GrpcWeb::new(inner, form))),
            bytes => bytes,
        }
    }

    /// True when it is one of several on a connection.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Stream::Messages(_))
    }

    /// True when nothing has happened on an idle one: not closed, nothing to read. Costs no system call unless the
    /// event loop has seen something, or `careful` asks for one.
    pub(super) fn is_quiet(&mut self, careful: bool) -> bool {
        let would_block = |error: &io::Error| error.kind() == ErrorKind::WouldBlock;
        let socket = match self {
            Stream::Plain(stream) => {
                if !stream.try_read(&mut [0]).as_ref().is_err_and(would_block) {
                    return false;
                }
                stream
            }
            // Only reading tells a session ticket, which is nothing, from bytes that nobody asked for.
            Stream::Tls(stream) => {
                let mut byte = [0];
                let mut cx = Context::from_waker(Waker::noop());
                let mut read = || Pin::new(stream.as_mut()).poll_read(&mut cx, &mut ReadBuf::new(&mut byte));
                return read().is_pending();
            }
            Stream::Messages(_) => return true,
        };
        // The socket does not block, so this asks the kernel and returns.
        !careful
            || socket2::SockRef::from(&*socket)
                .peek(&mut [MaybeUninit::uninit()])
                .as_ref()
                .is_err_and(would_block)
    }
}
