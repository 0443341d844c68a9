//! Bytes both ways between a client and an endpoint, as they come. A side that has sent everything may still receive.
//!
//! What is short is copied, in as few system calls as can be. What turns out to be long is moved by the kernel from then on.

use super::account::Account;
use super::splice::Splice;
use crate::buffers::{Budget, Buffers};
use crate::deadline::Deadline;
use crate::pipes::is_not_possible;
use crate::relay::Tunnel;
use crate::worker::Worker;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Bytes in one direction from which on copying costs more than the calls that it takes to move them.
const LONG: u64 = 256 * 1024;

/// How a relay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Both sides have sent everything.
    Closed,
    /// One side broke off.
    Reset,
    /// Nothing moved for too long.
    Idle,
}

/// Two connections that are joined.
pub(crate) struct Relay<'w> {
    client: TcpStream,
    endpoint: TcpStream,
    up: Direction,
    down: Direction,
    deadline: Deadline,
    idle: Duration,
    worker: &'w Worker,
}

impl<'w> Relay<'w> {
    /// Joins two connections. They end when nothing has moved for `idle`.
    pub(crate) fn new(client: TcpStream, endpoint: TcpStream, idle: Duration, worker: &'w Worker) -> Self {
        let budget = &worker.shared.budget;
        Self {
            client,
            endpoint,
            up: Direction::new(budget),
            down: Direction::new(budget),
            deadline: Deadline::after(idle),
            idle,
            worker,
        }
    }

    /// What the endpoint gets before anything of the client.
    pub(crate) fn first(&mut self, compose: impl FnOnce(&mut Vec<u8>)) {
        compose(self.up.copied.out.compose(&self.worker.buffers));
    }

    /// Relays until the end, and counts.
    pub(crate) async fn run(mut self, account: &mut Account) -> End {
        poll_fn(|cx| {
            let end = self.poll(cx);
            self.count(account);
            end
        })
        .await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let buffers = &self.worker.buffers;
        let sent = self.up.poll(cx, &mut self.client, &mut self.endpoint, buffers);
        let received = self.down.poll(cx, &mut self.endpoint, &mut self.client, buffers);
        match (sent, received) {
            (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) => return Poll::Ready(End::Reset),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => return Poll::Ready(End::Closed),
            _ => {}
        }
        self.deadline.set(self.up.moved().max(self.down.moved()) + self.idle);
        self.deadline.poll(cx).map(|()| End::Idle)
    }

    fn count(&self, account: &mut Account) {
        let record = &mut account.record;
        let (sent, received) = (self.up.written(), self.down.written());
        account.counters.bytes_in(sent - record.bytes_in);
        account.counters.bytes_out(received - record.bytes_out);
        (record.bytes_in, record.bytes_out) = (sent, received);
    }
}

/// One direction.
struct Direction {
    copied: Tunnel,
    moved: Splice,
    way: Way,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Until it is long.
    Copied,
    Moved,
    /// The kernel does not move it.
    CopiedToItsEnd,
}

impl Direction {
    fn new(budget: &Arc<Budget>) -> Self {
        Self {
            copied: Tunnel::new(budget),
            moved: Splice::new(),
            way: Way::Copied,
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut TcpStream,
        sink: &mut TcpStream,
        buffers: &Buffers,
    ) -> Poll<io::Result<()>> {
        if self.way == Way::Copied && self.copied.out.written() >= LONG && self.copied.is_even() {
            self.way = Way::Moved;
        }
        if self.way == Way::Moved {
            match self.moved.poll(cx, source, sink, &buffers.pipes) {
                Poll::Ready(Err(error)) if self.moved.is_empty() && is_not_possible(&error) => {
                    self.way = Way::CopiedToItsEnd;
                }
                polled => return polled,
            }
        }
        self.copied.poll(cx, source, sink, buffers)
    }

    fn written(&self) -> u64 {
        self.copied.out.written() + self.moved.written()
    }

    /// When bytes last came.
    fn moved(&self) -> Instant {
        self.copied.moved().max(self.moved.moved())
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

    /// Sends so many bytes through a direction; says how it went through, and how many the kernel moved.
    async fn relayed(bytes: usize) -> (Way, u64) {
        let (mut client, mut source) = pair().await;
        let (mut sink, mut endpoint) = pair().await;
        let buffers = Buffers::default();
        let mut direction = Direction::new(&Budget::new(usize::MAX));
        let sent: Vec<u8> = (0..bytes).map(|n| (n % 251) as u8).collect();
        let relaying = poll_fn(|cx| direction.poll(cx, &mut source, &mut sink, &buffers));
        let sending = async {
            client.write_all(&sent).await.unwrap();
            client.shutdown().await.unwrap();
        };
        let mut came = Vec::new();
        let (relayed, (), read) = tokio::join!(relaying, sending, endpoint.read_to_end(&mut came));
        relayed.unwrap();
        read.unwrap();
        assert!(came == sent, "{bytes} bytes arrive as they were sent");
        assert_eq!(direction.written(), bytes as u64);
        (direction.way, direction.moved.written())
    }

    #[tokio::test]
    async fn what_is_long_is_moved_by_the_kernel() {
        let (way, moved) = relayed(8 << 20).await;
        assert_eq!(way, Way::Moved);
        assert!(moved > 4 << 20, "{moved}");
        assert_eq!(relayed(1000).await, (Way::Copied, 0));
    }
}
