//! What a request comes on and goes out on: plain TCP, TLS over it, or one stream of a connection that carries many.
//!
//! One type for each side, so that everything above is compiled once; the branch costs nothing beside the system call
//! behind it. What only one side asks of it stands with that side.

use crate::messages::ClientStream;
use crate::relay::{Sink, Source};
use fastingress_http1::Trailers;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{client, server};

/// A byte stream. `T` is how TLS is spoken on it, `M` what heads go beside it as.
pub enum Medium<T, M: ?Sized> {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS over it.
    Tls(Box<T>),
    /// A stream of HTTP/2 or HTTP/3: the bytes are the body of one request, and of its answer.
    Messages(Box<M>),
}

/// A client's byte stream. TLS is terminated here.
pub type Transport = Medium<server::TlsStream<TcpStream>, dyn ClientStream>;

/// TLS, spoken by either side.
pub trait OverTcp: AsyncRead + AsyncWrite + Unpin {
    /// The socket underneath.
    fn tcp(&self) -> &TcpStream;
}

impl OverTcp for server::TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

impl OverTcp for client::TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

impl<T: OverTcp, M: ?Sized> Medium<T, M> {
    /// The socket underneath, if it carries nothing else.
    pub fn socket(&self) -> Option<&TcpStream> {
        match self {
            Medium::Plain(stream) => Some(stream),
            Medium::Tls(stream) => Some(stream.tcp()),
            Medium::Messages(_) => None,
        }
    }

    /// The socket, if nothing stands between it and the bytes of a body.
    fn bare(&self) -> Option<&TcpStream> {
        match self {
            Medium::Plain(stream) => Some(stream),
            Medium::Tls(_) | Medium::Messages(_) => None,
        }
    }

    /// The same stream, if heads go beside the bytes.
    pub fn messages(&mut self) -> Option<&mut M> {
        match self {
            Medium::Messages(stream) => Some(stream.as_mut()),
            Medium::Plain(_) | Medium::Tls(_) => None,
        }
    }
}

impl Transport {
    /// Asks the kernel, past any cached readiness, whether bytes of the client are waiting.
    pub fn has_unread_bytes(&self) -> bool {
        let mut byte = [std::mem::MaybeUninit::uninit()];
        self.socket()
            .is_some_and(|socket| socket2::SockRef::from(socket).peek(&mut byte).is_ok_and(|n| n > 0))
    }
}

impl<T: OverTcp, M: Source + Sink + ?Sized> AsyncRead for Medium<T, M> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Medium::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Medium::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
            Medium::Messages(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl<T: OverTcp, M: Source + Sink + ?Sized> AsyncWrite for Medium<T, M> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Medium::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Medium::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
            Medium::Messages(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Medium::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Medium::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, bufs),
            Medium::Messages(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Medium::Plain(_) => Poll::Ready(Ok(())),
            Medium::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
            Medium::Messages(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Medium::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Medium::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
            Medium::Messages(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}

impl<T: OverTcp, M: Source + Sink + ?Sized> Source for Medium<T, M> {
    fn bare_socket(&self) -> Option<&TcpStream> {
        self.bare()
    }

    fn take_trailers(&mut self) -> Option<Trailers> {
        self.messages().and_then(|stream| stream.take_trailers())
    }
}

impl<T: OverTcp, M: Source + Sink + ?Sized> Sink for Medium<T, M> {
    fn bare_socket(&self) -> Option<&TcpStream> {
        self.bare()
    }

    fn finish(&mut self, trailers: Option<&Trailers>) -> io::Result<()> {
        self.messages().map_or(Ok(()), |stream| stream.finish(trailers))
    }
}
