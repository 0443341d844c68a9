//! Bytes both ways between a client and an endpoint, as they come. A side that has sent everything may still receive.

use super::account::Account;
use crate::deadline::Deadline;
use crate::relay::Tunnel;
use crate::worker::Worker;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;

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
    up: Tunnel,
    down: Tunnel,
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
            up: Tunnel::new(budget),
            down: Tunnel::new(budget),
            deadline: Deadline::after(idle),
            idle,
            worker,
        }
    }

    /// What the endpoint gets before anything of the client.
    pub(crate) fn first(&mut self, compose: impl FnOnce(&mut Vec<u8>)) {
        compose(self.up.out.compose(&self.worker.buffers));
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
        let (sent, received) = (self.up.out.written(), self.down.out.written());
        account.counters.bytes_in(sent - record.bytes_in);
        account.counters.bytes_out(received - record.bytes_out);
        (record.bytes_in, record.bytes_out) = (sent, received);
    }
}
