//! Bytes that a sink has not taken yet.
//!
//! A head waits here so that it leaves in one write with the first bytes of its body; what a slow sink does not take
//! waits here and is counted in the global budget. While it holds bytes nothing more is read from the other side.

use crate::buffers::{Budget, Buffers, Lease};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// A little data is copied behind what waits: one write of one piece costs less than one of two.
const COPIED: usize = 2048;

/// Bytes on their way out.
#[derive(Debug)]
pub struct Outbox {
    waiting: Vec<u8>,
    taken: usize,
    /// The sink may hold bytes of its own (TLS records) that want a flush.
    unflushed: bool,
    written: u64,
    lease: Lease,
}

impl Outbox {
    /// An empty one.
    pub fn new(budget: &Arc<Budget>) -> Self {
        Self {
            waiting: Vec::new(),
            taken: 0,
            unflushed: false,
            written: 0,
            lease: Lease::new(budget),
        }
    }

    /// Room to compose bytes that are to leave next.
    pub fn compose(&mut self, buffers: &Buffers) -> &mut Vec<u8> {
        if self.waiting.capacity() == 0 {
            self.waiting = buffers.take();
        }
        &mut self.waiting
    }

    /// Bytes that have not been taken.
    pub fn waiting(&self) -> usize {
        self.waiting.len() - self.taken
    }

    /// True when the sink has taken everything and flushed it.
    pub fn is_empty(&self) -> bool {
        self.waiting() == 0 && !self.unflushed
    }

    /// Bytes that the sink has taken so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Adds bytes that reached the sink another way.
    pub fn count(&mut self, bytes: u64) {
        self.written += bytes;
    }

    /// States how many bytes wait elsewhere, for the budget. Only while none wait here.
    pub fn hold(&mut self, elsewhere: usize) {
        self.lease.set(elsewhere);
    }

    /// Drops what waits: the sink has gone, or another one will be tried.
    pub fn reset(&mut self, buffers: &Buffers) {
        self.recycle(buffers);
        self.unflushed = false;
        self.written = 0;
    }

    /// Writes what waits and then `data`, in one call where possible. What is not taken stays here; the second flush
    /// tells. True when everything was taken.
    pub fn push<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut W,
        data: &[u8],
        buffers: &Buffers,
    ) -> io::Result<bool> {
        let mut data = data;
        if self.waiting() > 0 && data.len() <= COPIED {
            self.waiting.extend_from_slice(data);
            data = &[];
        }
        while self.waiting() + data.len() > 0 {
            let waiting = &self.waiting[self.taken..];
            let written = match (waiting, data) {
                (only, []) | ([], only) => Pin::new(&mut *sink).poll_write(cx, only),
                _ => Pin::new(&mut *sink).poll_write_vectored(cx, &[IoSlice::new(waiting), IoSlice::new(data)]),
            };
            let Poll::Ready(n) = written? else {
                self.keep(data, buffers);
                return Ok(false);
            };
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.written += n as u64;
            self.unflushed = true;
            let of_waiting = n.min(self.waiting());
            self.taken += of_waiting;
            data = &data[n - of_waiting..];
        }
        self.recycle(buffers);
        Ok(true)
    }

    /// Ready when everything has been taken and flushed.
    pub fn poll_flush<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut W,
        buffers: &Buffers,
    ) -> Poll<io::Result<()>> {
        if self.waiting() > 0 && !self.push(cx, sink, &[], buffers)? {
            return Poll::Pending;
        }
        if self.unflushed {
            ready!(Pin::new(sink).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn keep(&mut self, data: &[u8], buffers: &Buffers) {
        if self.taken > 0 {
            self.waiting.drain(..self.taken);
            self.taken = 0;
        }
        self.compose(buffers).extend_from_slice(data);
        self.lease.set(self.waiting.len());
    }

    fn recycle(&mut self, buffers: &Buffers) {
        self.taken = 0;
        self.lease.set(0);
        buffers.give(std::mem::take(&mut self.waiting));
    }
}
