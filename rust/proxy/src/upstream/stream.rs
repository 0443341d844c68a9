//! What a request goes out on: plain TCP, TLS over it, or one stream of a connection that carries many.

use crate::grpc::Form;
use crate::messages::ServerStream;
use crate::relay::{GrpcWeb, Sink, Source};
use fastingress_http1::Trailers;
use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A byte stream to an endpoint.
pub enum Stream {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS over it.
    Tls(Box<TlsStream<TcpStream>>),
    /// A stream of HTTP/2: the bytes are the body of one request, and of its answer.
    Messages(Box<dyn ServerStream>),
}

impl Stream {
    /// The same stream, if heads go beside the bytes.
    pub fn messages(&mut self) -> Option<&mut dyn ServerStream> {
        match self {
            Stream::Messages(stream) => Some(stream.as_mut()),
            Stream::Plain(_) | Stream::Tls(_) => None,
        }
    }

    /// The socket underneath, if it carries nothing else.
    pub fn socket(&self) -> Option<&TcpStream> {
        match self {
            Stream::Plain(stream) => Some(stream),
            Stream::Tls(stream) => Some(stream.get_ref().0),
            Stream::Messages(_) => None,
        }
    }

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

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
            Stream::Messages(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
            Stream::Messages(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, bufs),
            Stream::Messages(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(_) => Poll::Ready(Ok(())),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
            Stream::Messages(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
            Stream::Messages(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}

impl Source for Stream {
    fn take_trailers(&mut self) -> Option<Trailers> {
        self.messages().and_then(|stream| stream.take_trailers())
    }
}

impl Sink for Stream {
    fn finish(&mut self, trailers: Option<&Trailers>) -> io::Result<()> {
        self.messages().map_or(Ok(()), |stream| stream.finish(trailers))
    }
}
