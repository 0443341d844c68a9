//! One direction of a relay: copies at first, and once it proves to be long, has the kernel move the bytes.
//!
//! A pipe is held only while bytes are on their way, so a stream that is silent has none.

use super::splice::{Pipe, Pipes};
use crate::buffers::{Budget, Buffers};
use crate::relay::Tunnel;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Bytes after which a direction counts as long.
const LONG: u64 = 256 << 10;
/// Rounds in one wake before other connections get their turn.
const FAIR: usize = 16;

/// One direction.
#[derive(Debug)]
pub(super) struct Direction {
    tunnel: Tunnel,
    pipe: Option<Pipe>,
    spliced: u64,
    moved: Instant,
    /// It goes on by copying: the source has ended, or there is no pipe to be had.
    copies: bool,
}

impl Direction {
    pub(super) fn new(budget: &Arc<Budget>) -> Self {
        Self {
            tunnel: Tunnel::new(budget),
            pipe: None,
            spliced: 0,
            moved: Instant::now(),
            copies: false,
        }
    }

    /// What the sink gets before anything of the source.
    pub(super) fn first(&mut self, buffers: &Buffers) -> &mut Vec<u8> {
        self.tunnel.out.compose(buffers)
    }

    /// Bytes that the sink has taken.
    pub(super) fn written(&self) -> u64 {
        self.tunnel.out.written() + self.spliced
    }

    /// When bytes last moved.
    pub(super) fn moved(&self) -> Instant {
        self.moved.max(self.tunnel.moved())
    }

    /// Ready when the source has ended and the sink has got everything, and has been told.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut TcpStream,
        sink: &mut TcpStream,
        buffers: &Buffers,
        pipes: &Pipes,
    ) -> Poll<io::Result<()>> {
        if !self.copies && self.tunnel.out.is_empty() && self.tunnel.out.written() >= LONG {
            ready!(self.splice(cx, source, sink, pipes))?;
            self.copies = true;
        }
        self.tunnel.poll(cx, source, sink, buffers)
    }

    /// Ready when it has to go on by copying.
    fn splice(
        &mut self,
        cx: &mut Context<'_>,
        source: &TcpStream,
        sink: &TcpStream,
        pipes: &Pipes,
    ) -> Poll<io::Result<()>> {
        for _ in 0..FAIR {
            let mut pipe = match self.pipe.take() {
                Some(pipe) => pipe,
                None => {
                    ready!(source.poll_read_ready(cx))?;
                    let Ok(pipe) = pipes.take() else {
                        return Poll::Ready(Ok(()));
                    };
                    pipe
                }
            };
            let moved = if pipe.held() == 0 {
                source.try_io(Interest::READABLE, || pipe.fill(source.as_fd()))
            } else {
                let ready = sink.poll_write_ready(cx);
                if !matches!(ready, Poll::Ready(Ok(()))) {
                    self.pipe = Some(pipe);
                    return ready;
                }
                let given = sink.try_io(Interest::WRITABLE, || pipe.drain(sink.as_fd()));
                self.spliced += *given.as_ref().unwrap_or(&0) as u64;
                given
            };
            match moved {
                Ok(0) => return Poll::Ready(Ok(())),
                Ok(_) => self.moved = Instant::now(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            match pipe.held() {
                0 => pipes.give(pipe),
                _ => self.pipe = Some(pipe),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
