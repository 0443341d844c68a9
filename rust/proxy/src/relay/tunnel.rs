//! Two raw streams after an upgrade: bytes go through as they come, in both directions, until both sides have closed
//! or nothing has moved for too long. The only place where a half-closed connection lives on.

use super::Outbox;
use crate::buffers::{Budget, Buffers};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// Reads in one wake before other connections get their turn.
const FAIR_READS: usize = 16;

/// One direction of a tunnel.
#[derive(Debug)]
pub struct Tunnel {
    /// What the sink has not taken.
    pub out: Outbox,
    state: State,
    moved: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Closing,
    Closed,
}

impl Tunnel {
    /// A direction in which nothing has moved yet.
    pub fn new(budget: &Arc<Budget>) -> Self {
        Self {
            out: Outbox::new(budget),
            state: State::Open,
            moved: Instant::now(),
        }
    }

    /// True when the source may send more and the sink has taken all that it sent.
    pub fn is_even(&self) -> bool {
        self.state == State::Open && self.out.waiting() == 0
    }

    /// When bytes last came.
    pub fn moved(&self) -> Instant {
        self.moved
    }

    /// Ready when the source has closed, everything has been written, and the sink has been told.
    pub fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut R,
        sink: &mut W,
        buffers: &Buffers,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        for _ in 0..FAIR_READS {
            std::task::ready!(self.out.poll_flush(cx, sink, buffers))?;
            match self.state {
                State::Closed => return Poll::Ready(Ok(())),
                State::Closing => {
                    std::task::ready!(Pin::new(&mut *sink).poll_shutdown(cx))?;
                    self.state = State::Closed;
                }
                State::Open => {
                    let step = buffers.with_scratch(|scratch| self.step(cx, source, sink, scratch, buffers))?;
                    std::task::ready!(step);
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn step<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut R,
        sink: &mut W,
        scratch: &mut [u8],
        buffers: &Buffers,
    ) -> io::Result<Poll<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut space = ReadBuf::new(scratch);
        match Pin::new(source).poll_read(cx, &mut space) {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(result) => result?,
        }
        if space.filled().is_empty() {
            self.state = State::Closing;
        } else {
            self.moved = Instant::now();
            self.out.push(cx, sink, space.filled(), buffers)?;
        }
        Ok(Poll::Ready(()))
    }
}
