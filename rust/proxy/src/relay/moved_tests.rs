//! Tests of long bodies between bare sockets, which the kernel moves.

use super::pump::{Pump, PumpError, Wait};
use crate::buffers::{Budget, Buffers};
use crate::pipes::{Passage, Pipes};
use fastingress_http1::Framing;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const LONG: usize = 3 << 20;

/// A pump between two sockets, whose other ends are the test's.
struct Rig {
    buffers: Buffers,
    budget: Arc<Budget>,
    inbuf: Vec<u8>,
    pump: Pump,
    source: TcpStream,
    sink: TcpStream,
    client: TcpStream,
    server: TcpStream,
}

impl Rig {
    async fn new(framing: Framing, limit: u64) -> Self {
        let budget = Budget::new(1 << 30);
        let (client, source) = pair().await;
        let (sink, server) = pair().await;
        let mut rig = Self {
            buffers: Buffers::default(),
            pump: Pump::new(framing, framing, limit, &budget),
            budget,
            inbuf: Vec::new(),
            source,
            sink,
            client,
            server,
        };
        rig.pump.begin(&rig.buffers, |out| out.extend_from_slice(b"HEAD"));
        rig
    }

    /// Sends these bytes through, and gives what arrived of them, which is so many.
    async fn through(&mut self, sent: &[u8], arrives: usize) -> Vec<u8> {
        let mut came = vec![0; arrives];
        let Self {
            buffers,
            inbuf,
            pump,
            source,
            sink,
            client,
            server,
            ..
        } = self;
        let pumping = poll_fn(|cx| pump.poll(cx, source, inbuf, sink, buffers));
        let (sent, pumped, received) = tokio::join!(client.write_all(sent), pumping, server.read_exact(&mut came));
        sent.unwrap();
        pumped.unwrap();
        received.unwrap();
        came
    }

    /// So many bytes more, of a body that goes on.
    async fn pass_on(&mut self, bytes: u64) {
        let until = self.pump.body_bytes() + bytes;
        self.client.write_all(&vec![7; bytes as usize]).await.unwrap();
        while self.pump.body_bytes() < until {
            assert!(self.step().await.is_pending());
        }
    }

    async fn step(&mut self) -> Poll<Result<(), PumpError>> {
        tokio::task::yield_now().await;
        poll_fn(|cx| {
            let polled = self
                .pump
                .poll(cx, &mut self.source, &mut self.inbuf, &mut self.sink, &self.buffers);
            Poll::Ready(polled)
        })
        .await
    }

    /// Sends until the sink is behind with what was moved.
    async fn until_behind(&mut self) {
        let more = vec![7; 1 << 20];
        while self.pump.wait().0 != Wait::Sink {
            let _full = self.client.try_write(&more);
            assert!(self.step().await.is_pending());
        }
        assert_eq!((self.buffers.pipes.empty(), self.buffers.pipes.open()), (0, 1));
    }
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (one, listener.accept().await.unwrap().0)
}

fn some_bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n % 251) as u8).collect()
}

#[tokio::test]
async fn a_long_body_is_moved_behind_its_head_and_what_follows_it_stays_in_the_socket() {
    let mut rig = Rig::new(Framing::Length(LONG as u64), 0).await;
    let body = some_bytes(LONG);
    let came = rig.through(&[&body[..], b"NEXT"].concat(), 4 + LONG).await;
    assert_eq!(&came[..4], b"HEAD");
    assert!(came[4..] == body);
    assert_eq!(rig.buffers.pipes.open(), 1, "it was moved");
    assert_eq!(rig.buffers.pipes.empty(), 1, "the pipe was given back");
    assert_eq!(rig.pump.body_bytes(), LONG as u64);
    assert_eq!(rig.pump.out.written(), 4 + LONG as u64);
    assert_eq!(rig.budget.used(), 0);
    assert!(rig.pump.is_done() && rig.pump.is_read());
    assert_eq!(rig.inbuf, b"");
    let mut next = [0; 4];
    rig.source.read_exact(&mut next).await.unwrap();
    assert_eq!(&next, b"NEXT");
}

#[tokio::test]
async fn bytes_that_were_read_before_go_first() {
    let mut rig = Rig::new(Framing::Length(LONG as u64), 0).await;
    let body = some_bytes(LONG);
    rig.inbuf.extend_from_slice(&body[..1000]);
    let came = rig.through(&body[1000..], 4 + LONG).await;
    assert!(came[4..] == body);
    assert_eq!(rig.buffers.pipes.open(), 1);
}

#[tokio::test]
async fn what_is_short_or_framed_anew_is_copied() {
    let mut rig = Rig::new(Framing::Length(1000), 0).await;
    rig.through(&[7; 1000], 1004).await;
    assert_eq!(rig.buffers.pipes.open(), 0);
    let mut rig = Rig::new(Framing::Chunked, 0).await;
    let size = format!("{LONG:x}\r\n");
    let chunked = [size.as_bytes(), &some_bytes(LONG), b"\r\n0\r\n\r\n"].concat();
    let came = rig.through(&chunked, 4 + chunked.len()).await;
    assert!(came[4..] == chunked);
    assert_eq!(rig.buffers.pipes.open(), 0);
}

#[tokio::test]
async fn a_body_is_moved_from_where_no_copy_is_kept_any_more() {
    let mut rig = Rig::new(Framing::Length(LONG as u64), 0).await;
    rig.pump.keep_copy(LONG / 2, &rig.budget.clone());
    let body = some_bytes(LONG);
    rig.client.try_write(&body[..1000]).unwrap();
    while rig.pump.body_bytes() < 1000 {
        assert!(rig.step().await.is_pending());
    }
    assert_eq!(rig.pump.copy(), Some(&body[..1000]));
    assert_eq!(rig.buffers.pipes.open(), 0);
    let came = rig.through(&body[1000..], 4 + LONG).await;
    assert!(came[4..] == body);
    assert_eq!(rig.buffers.pipes.open(), 1);
    assert!(rig.pump.copy().is_none(), "sent again, it would be without its end");
}

#[tokio::test]
async fn what_comes_a_little_at_a_time_is_copied_until_more_comes() {
    let mut rig = Rig::new(Framing::Length(1 << 40), 0).await;
    for _ in 0..3 {
        rig.pass_on(1000).await;
        assert!(!rig.pump.is_moved());
    }
    for _ in 0..3 {
        rig.pass_on(50_000).await;
    }
    assert!(rig.pump.is_moved());
    rig.pass_on(1000).await;
    assert!(!rig.pump.is_moved());
    let mut came = vec![0; 4 + 4 * 1000 + 3 * 50_000];
    rig.server.read_exact(&mut came).await.unwrap();
    assert_eq!(rig.pump.out.written(), came.len() as u64);
}

#[tokio::test]
async fn a_source_that_ends_early_is_an_error_and_what_came_has_been_passed_on() {
    let mut rig = Rig::new(Framing::Length(LONG as u64), 0).await;
    rig.pass_on(50_000).await;
    assert_eq!(rig.buffers.pipes.open(), 1);
    rig.client.shutdown().await.unwrap();
    let cut = loop {
        if let Poll::Ready(cut) = rig.step().await {
            break cut;
        }
    };
    assert!(matches!(cut, Err(PumpError::Source(error)) if error.kind() == io::ErrorKind::UnexpectedEof));
    let mut came = [0; 50_004];
    rig.server.read_exact(&mut came).await.unwrap();
    assert_eq!(rig.pump.out.written(), 50_004);
    assert!(!rig.pump.is_read());
}

#[tokio::test]
async fn what_a_sink_is_behind_with_counts_until_it_is_taken_or_dropped() {
    let mut rig = Rig::new(Framing::Length(1 << 40), 0).await;
    rig.until_behind().await;
    let (written, read) = (rig.pump.out.written(), rig.pump.body_bytes());
    assert_eq!(4 + read - written, rig.budget.used() as u64);
    assert!(rig.budget.used() > 0);
    let mut part = vec![0; 1 << 20];
    while rig.pump.wait().0 == Wait::Sink {
        let _empty = rig.server.try_read(&mut part);
        assert!(rig.step().await.is_pending());
    }
    assert!(rig.pump.out.written() > written);
    rig.until_behind().await;
    let Rig {
        pump, budget, buffers, ..
    } = rig;
    drop(pump);
    assert_eq!((budget.used(), buffers.pipes.open()), (0, 0));
}

#[tokio::test]
async fn a_sink_that_is_gone_is_an_error() {
    let mut rig = Rig::new(Framing::Length(1 << 40), 0).await;
    rig.until_behind().await;
    let (_, gone) = pair().await;
    drop(std::mem::replace(&mut rig.server, gone));
    let failed = loop {
        if let Poll::Ready(failed) = rig.step().await {
            break failed;
        }
    };
    assert!(matches!(failed, Err(PumpError::Sink(_))));
    assert!(rig.pump.copy().is_none());
}

#[tokio::test]
async fn a_body_over_its_limit_is_refused_though_it_is_moved() {
    let mut rig = Rig::new(Framing::Length(1 << 40), 1 << 20).await;
    let more = vec![7; 1 << 20];
    let mut part = vec![0; 1 << 20];
    let refused = loop {
        let _full = rig.client.try_write(&more);
        let _empty = rig.server.try_read(&mut part);
        if let Poll::Ready(refused) = rig.step().await {
            break refused;
        }
    };
    assert!(matches!(refused, Err(PumpError::TooLarge)));
}

#[tokio::test]
async fn a_body_is_copied_where_no_pipe_can_be_had() {
    let mut rig = Rig::new(Framing::Length(LONG as u64), 0).await;
    let (mut other, source) = pair().await;
    other.write_all(&[7; 1000]).await.unwrap();
    let mut lent = Vec::new();
    loop {
        let mut passage = Passage::default();
        let filled = poll_fn(|cx| passage.poll_fill(cx, &source, 1, &rig.buffers.pipes)).await;
        if filled.is_err() {
            break;
        }
        lent.push(passage);
    }
    let body = some_bytes(LONG);
    let came = rig.through(&body, 4 + LONG).await;
    assert!(came[4..] == body);
    assert_eq!(rig.buffers.pipes.open(), lent.len());
}

#[tokio::test]
async fn what_is_in_a_pipe_can_be_taken_back() {
    let pipes = Pipes::new(1);
    let (mut other, source) = pair().await;
    other.write_all(b"moved").await.unwrap();
    let mut passage = Passage::default();
    poll_fn(|cx| passage.poll_fill(cx, &source, 5, &pipes)).await.unwrap();
    let mut bytes = b"and ".to_vec();
    passage.take_back(&mut bytes, &pipes).unwrap();
    assert_eq!(bytes, b"and moved");
    assert_eq!((passage.held(), pipes.empty()), (0, 1));
}

#[test]
fn workers_have_fewer_pipes_where_descriptors_are_few() {
    assert_eq!(Pipes::fitting(576, 2), 4);
    assert_eq!(Pipes::fitting(576, 64), 1, "one at least");
    assert_eq!(Pipes::fitting(700_000, 2), 64);
}
