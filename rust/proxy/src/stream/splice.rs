//! Bytes from one socket to another that the kernel moves through a pipe: they are never copied into this process.
//!
//! A pipe is two descriptors and is worth having only while bytes are in it, so a worker lends them: a direction has one while the
//! sink is behind, and gives it back when it is empty.

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};
use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncWrite, Interest};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Empty pipes kept per worker.
const KEPT: usize = 16;
/// The most that is asked for at once; a pipe holds sixteen pieces of a socket's memory, of up to 32 KiB.
const PIECE: usize = 512 * 1024;
/// Moves in one wake before other connections get their turn.
const FAIR_MOVES: usize = 4;

/// The pipes of one worker.
#[derive(Debug, Default)]
pub struct Pipes(RefCell<Vec<Pipe>>);

#[derive(Debug)]
struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

impl Pipes {
    fn take(&self) -> io::Result<Pipe> {
        if let Some(pipe) = self.0.borrow_mut().pop() {
            return Ok(pipe);
        }
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        Ok(Pipe { read, write })
    }

    /// Takes an empty one back.
    fn give(&self, pipe: Pipe) {
        let mut pipes = self.0.borrow_mut();
        if pipes.len() < KEPT {
            pipes.push(pipe);
        }
    }
}

/// One direction.
#[derive(Debug)]
pub(super) struct Splice {
    pipe: Option<Pipe>,
    /// Bytes in the pipe.
    held: usize,
    written: u64,
    moved: Instant,
    ended: bool,
}

impl Splice {
    /// A direction that has just begun to be moved in this way.
    pub(super) fn new() -> Self {
        Self {
            pipe: None,
            held: 0,
            written: 0,
            moved: Instant::now(),
            ended: false,
        }
    }

    /// True when nothing is in the pipe, so that the direction can be copied again.
    pub(super) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Bytes that the sink has taken.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// When bytes last came.
    pub(super) fn moved(&self) -> Instant {
        self.moved
    }

    /// Ready when the source has closed, everything has been written, and the sink has been told.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &TcpStream,
        sink: &mut TcpStream,
        pipes: &Pipes,
    ) -> Poll<io::Result<()>> {
        let polled = self.poll_moves(cx, source, sink, pipes);
        if self.held == 0
            && let Some(pipe) = self.pipe.take()
        {
            pipes.give(pipe);
        }
        polled
    }

    fn poll_moves(
        &mut self,
        cx: &mut Context<'_>,
        source: &TcpStream,
        sink: &mut TcpStream,
        pipes: &Pipes,
    ) -> Poll<io::Result<()>> {
        for _ in 0..FAIR_MOVES {
            if self.held == 0 && !self.ended {
                self.held = ready!(self.poll_fill(cx, source, pipes))?;
                self.ended = self.held == 0;
                self.moved = Instant::now();
            }
            if self.ended {
                return Pin::new(sink).poll_shutdown(cx);
            }
            let left = ready!(self.poll_drain(cx, sink))?;
            self.held -= left;
            self.written += left as u64;
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Into the pipe, which is empty: what would block is the source.
    fn poll_fill(&mut self, cx: &mut Context<'_>, source: &TcpStream, pipes: &Pipes) -> Poll<io::Result<usize>> {
        loop {
            ready!(source.poll_read_ready(cx))?;
            let pipe = match self.pipe.take() {
                Some(pipe) => pipe,
                None => pipes.take()?,
            };
            let filled = source.try_io(Interest::READABLE, || move_some(source, &pipe.write, PIECE));
            self.pipe = Some(pipe);
            match filled {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                filled => return Poll::Ready(filled),
            }
        }
    }

    /// Out of the pipe, which is not empty: what would block is the sink.
    fn poll_drain(&mut self, cx: &mut Context<'_>, sink: &TcpStream) -> Poll<io::Result<usize>> {
        let Some(pipe) = &self.pipe else {
            return Poll::Ready(Ok(0));
        };
        loop {
            ready!(sink.poll_write_ready(cx))?;
            match sink.try_io(Interest::WRITABLE, || move_some(&pipe.read, sink, self.held)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                drained => return Poll::Ready(drained),
            }
        }
    }
}

/// True when it is not the sockets that failed: there is no descriptor for a pipe, or the kernel does not do this here.
pub(super) fn is_not_possible(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(
        code,
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::INVAL | Errno::NOSYS | Errno::PERM)
    )
}

fn move_some(from: impl AsFd, to: impl AsFd, most: usize) -> io::Result<usize> {
    let moved = splice(from, None, to, None, most, SpliceFlags::NONBLOCK | SpliceFlags::MOVE);
    Ok(moved?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let one = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (one, listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn every_byte_arrives_in_order_and_so_does_the_end() {
        let (mut client, source) = pair().await;
        let (mut sink, mut endpoint) = pair().await;
        let sent: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        let pipes = Pipes::default();
        let mut splice = Splice::new();
        let moving = poll_fn(|cx| splice.poll(cx, &source, &mut sink, &pipes));
        let sending = async {
            client.write_all(&sent).await.unwrap();
            client.shutdown().await.unwrap();
        };
        let mut came = Vec::new();
        let (moved, (), read) = tokio::join!(moving, sending, endpoint.read_to_end(&mut came));
        moved.unwrap();
        read.unwrap();
        assert!(came == sent);
        assert_eq!(splice.written(), 3_000_000);
        assert!(splice.pipe.is_none());
        assert_eq!(pipes.0.borrow().len(), 1, "the pipe was given back");
    }

    #[tokio::test]
    async fn a_sink_that_is_behind_keeps_the_pipe_and_a_quiet_source_does_not() {
        let (client, source) = pair().await;
        let (mut sink, endpoint) = pair().await;
        let pipes = Pipes::default();
        let mut splice = Splice::new();
        let mut step = async || {
            let moved = poll_fn(|cx| Poll::Ready(splice.poll(cx, &source, &mut sink, &pipes))).await;
            assert!(moved.is_pending());
            tokio::task::yield_now().await;
            splice.held
        };
        let more = vec![7; 1 << 20];
        let mut sent = 0;
        while step().await == 0 {
            sent += client.try_write(&more).unwrap_or(0);
        }
        assert!(pipes.0.borrow().is_empty(), "it holds what the sink has not taken");
        let mut part = vec![0; 1 << 20];
        let mut came = 0;
        while came < sent {
            step().await;
            came += endpoint.try_read(&mut part).unwrap_or(0);
        }
        assert_eq!((came, step().await), (sent, 0));
        assert_eq!(pipes.0.borrow().len(), 1);
    }
}
