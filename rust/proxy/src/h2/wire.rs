//! The socket of a connection of HTTP/2, and what waits to be written to it.
//!
//! The `h2` crate writes each DATA frame by itself. Here frames are gathered until the connection's task has nothing more to
//! say, so that the answers of several streams leave in one write and, with TLS, in one record. Long pieces go straight through.

use crate::buffers::{Buffers, RECORD};
use crate::transport::Transport;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// From this size on a write is not worth waiting for another one.
const LONG: usize = 8 * 1024;

/// A socket with bytes in front of it.
pub struct Wire {
    /// Always there until it is closed.
    io: Option<Transport>,
    out: Vec<u8>,
    taken: usize,
    unflushed: bool,
}

impl Wire {
    /// With nothing waiting.
    pub fn new(io: Transport) -> Self {
        Self {
            io: Some(io),
            out: Vec::new(),
            taken: 0,
            unflushed: false,
        }
    }

    /// Bytes that wait.
    pub fn waiting(&self) -> usize {
        self.out.len() - self.taken
    }

    /// Reads from the socket.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.io()?.poll_read(cx, buf)
    }

    /// Takes bytes to be sent, some of them at least.
    pub fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
        buffers: &Buffers,
    ) -> Poll<io::Result<usize>> {
        let length: usize = bufs.iter().map(|buf| buf.len()).sum();
        if self.waiting() > 0 && self.waiting() + length > RECORD {
            ready!(self.poll_write_out(cx, buffers))?;
        }
        if length >= LONG {
            if self.waiting() > 0 {
                ready!(self.poll_write_out(cx, buffers))?;
            }
            self.unflushed = true;
            return self.io()?.poll_write_vectored(cx, bufs);
        }
        if self.out.capacity() == 0 {
            self.out = buffers.take_record();
        }
        bufs.iter().for_each(|buf| self.out.extend_from_slice(buf));
        Poll::Ready(Ok(length))
    }

    /// Sends what waits, and has the socket send what it holds.
    pub fn poll_send(&mut self, cx: &mut Context<'_>, buffers: &Buffers) -> Poll<io::Result<()>> {
        if self.waiting() > 0 {
            ready!(self.poll_write_out(cx, buffers))?;
        }
        if self.unflushed {
            ready!(self.io()?.poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Closes for writing.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io()?.poll_shutdown(cx)
    }

    /// Lets go of the socket.
    pub fn close(&mut self, buffers: &Buffers) -> Option<Transport> {
        buffers.give_record(std::mem::take(&mut self.out));
        self.taken = 0;
        self.io.take()
    }

    fn poll_write_out(&mut self, cx: &mut Context<'_>, buffers: &Buffers) -> Poll<io::Result<()>> {
        while self.waiting() > 0 {
            let Some(io) = &mut self.io else {
                return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
            };
            let n = ready!(Pin::new(io).poll_write(cx, &self.out[self.taken..]))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unflushed = true;
            self.taken += n;
        }
        self.taken = 0;
        buffers.give_record(std::mem::take(&mut self.out));
        Poll::Ready(Ok(()))
    }

    fn io(&mut self) -> io::Result<Pin<&mut Transport>> {
        let io = self.io.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        Ok(Pin::new(io))
    }
}
