//! The socket of a connection of HTTP/2 to an endpoint, with an eye on the frames that go by: what the library holds
//! counts against the budget.

use crate::h2::frames::Frames;
use crate::h2::held::Held;
use crate::upstream::Stream;
use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What we send before our first frame (RFC 9113, 3.4).
const PREFACE: usize = crate::h2::PREFACE.len();

/// A byte stream of which frames are seen.
pub(super) struct Counted {
    io: Stream,
    held: Rc<Held>,
    /// How many requests are under way.
    streams: Rc<Cell<usize>>,
    incoming: Frames,
    outgoing: Frames,
}

impl Counted {
    /// Before anything was sent or came.
    pub(super) fn new(io: Stream, held: Rc<Held>, streams: Rc<Cell<usize>>) -> Self {
        Self {
            io,
            held,
            streams,
            incoming: Frames::after(0),
            outgoing: Frames::after(PREFACE),
        }
    }

    fn settle(&self) {
        self.held.settle(self.streams.get(), 0);
    }
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        let Self { held, incoming, .. } = this;
        incoming.pass(&buf.filled()[before..], |frame| held.came(frame));
        this.settle();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let n = ready!(Pin::new(&mut this.io).poll_write_vectored(cx, bufs))?;
        let Self { held, outgoing, .. } = this;
        let mut left = n;
        for buf in bufs {
            let part = left.min(buf.len());
            outgoing.pass(&buf[..part], |frame| held.goes(frame));
            left -= part;
        }
        this.settle();
        Poll::Ready(Ok(n))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
