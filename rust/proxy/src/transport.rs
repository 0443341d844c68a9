//! What a request comes on: plain TCP, TLS over it, or one stream of a connection that carries many.
//!
//! One type, so that everything above is compiled once; the branch costs nothing beside the system call behind it.

use crate::messages::ClientStream;
use crate::relay::{Sink, Source};
use fastingress_http1::Trailers;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A client's byte stream.
pub enum Transport {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS, terminated here.
    Tls(Box<TlsStream<TcpStream>>),
    /// A stream of HTTP/2 or HTTP/3: the bytes are the body of one request, and of its answer.
    Messages(Box<dyn ClientStream>),
}

impl Transport {
    /// The socket underneath, if it carries nothing else.
    pub fn socket(&self) -> Option<&TcpStream> {
        match self {
            Transport::Plain(stream) => Some(stream),
            Transport::Tls(stream) => Some(stream.get_ref().0),
            Transport::Messages(_) => None,
        }
    }

    /// The same stream, if heads go beside the bytes.
    pub fn messages(&mut self) -> Option<&mut dyn ClientStream> {
        match self {
            Transport::Messages(stream) => Some(stream.as_mut()),
            Transport::Plain(_) | Transport::Tls(_) => None,
        }
    }

    /// Asks the kernel, past any cached readiness, whether bytes of the client are waiting.
    pub fn has_unread_bytes(&self) -> bool {
        let mut byte = [std::mem::MaybeUninit::uninit()];
        self.socket()
            .is_some_and(|socket| socket2::SockRef::from(socket).peek(&mut byte).is_ok_and(|n| n > 0))
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
            Transport::Messages(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
            Transport::Messages(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, bufs),
            Transport::Messages(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(_) => Poll::Ready(Ok(())),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
            Transport::Messages(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
            Transport::Messages(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}

impl Source for Transport {
    fn take_trailers(&mut self) -> Option<Trailers> {
        self.messages().and_then(|stream| stream.take_trailers())
    }
}

impl Sink for Transport {
    fn finish(&mut self, trailers: Option<&Trailers>) -> io::Result<()> {
        self.messages().map_or(Ok(()), |stream| stream.finish(trailers))
    }
}
