//! Bytes from one socket to another that the kernel moves, to the end of the stream: they are never copied into this process.

use crate::pipes::{Passage, Pipes};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Moves in one wake before other connections get their turn.
const FAIR_MOVES: usize = 4;

/// One direction.
#[derive(Debug)]
pub(super) struct Splice {
    passage: Passage,
    written: u64,
    moved: Instant,
    ended: bool,
}

impl Splice {
    /// A direction that has just begun to be moved in this way.
    pub(super) fn new() -> Self {
        Self {
            passage: Passage::default(),
            written: 0,
            moved: Instant::now(),
            ended: false,
        }
    }

    /// True when nothing is in a pipe, so that the direction can be copied again.
    pub(super) fn is_empty(&self) -> bool {
        self.passage.held() == 0
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
        for _ in 0..FAIR_MOVES {
            if self.is_empty() && !self.ended {
                let filled = ready!(self.passage.poll_fill(cx, source, u64::MAX, pipes))?;
                self.ended = filled == 0;
                self.moved = Instant::now();
            }
            if self.ended {
                return Pin::new(sink).poll_shutdown(cx);
            }
            self.written += ready!(self.passage.poll_drain(cx, sink, pipes))? as u64;
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
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
        assert_eq!((pipes.empty(), pipes.open()), (1, 1), "the pipe was given back");
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
            splice.passage.held()
        };
        let more = vec![7; 1 << 20];
        let mut sent = 0;
        while step().await == 0 {
            sent += client.try_write(&more).unwrap_or(0);
        }
        assert_eq!(
            (pipes.empty(), pipes.open()),
            (0, 1),
            "it holds what the sink has not taken"
        );
        let mut part = vec![0; 1 << 20];
        let mut came = 0;
        while came < sent {
            step().await;
            came += endpoint.try_read(&mut part).unwrap_or(0);
        }
        assert_eq!((came, step().await), (sent, 0));
        assert_eq!(pipes.empty(), 1);
    }
}
