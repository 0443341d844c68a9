//! The two ends of a body: where it is read and where it is written.
//!
//! A byte stream of HTTP/1 carries the end of a body and its trailers among the bytes, so it needs no more than to be
//! read and written. A stream of HTTP/2 or HTTP/3 carries bare bytes; what ends them goes beside.

use fastingress_http1::Trailers;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// What a body is read from.
pub trait Source: AsyncRead + Unpin {
    /// The socket, if what is read from it is the bytes of the body as they are.
    fn bare_socket(&self) -> Option<&TcpStream> {
        None
    }

    /// The trailers that came beside the bytes, once these have ended.
    fn take_trailers(&mut self) -> Option<Trailers> {
        None
    }
}

/// What a body is written to.
pub trait Sink: AsyncWrite + Unpin {
    /// The socket, if the bytes of the body are written to it as they are.
    fn bare_socket(&self) -> Option<&TcpStream> {
        None
    }

    /// The body is whole. Says so where the bytes themselves do not; a second call changes nothing.
    fn finish(&mut self, _trailers: Option<&Trailers>) -> io::Result<()> {
        Ok(())
    }
}

impl Source for TcpStream {
    fn bare_socket(&self) -> Option<&TcpStream> {
        Some(self)
    }
}

impl Sink for TcpStream {
    fn bare_socket(&self) -> Option<&TcpStream> {
        Some(self)
    }
}

#[cfg(test)]
impl Source for tokio::io::DuplexStream {}
#[cfg(test)]
impl Sink for tokio::io::DuplexStream {}
