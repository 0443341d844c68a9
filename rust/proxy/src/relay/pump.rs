//! One body in one direction: read, decode, count, frame again, write.
//!
//! A read is made only when the sink has taken everything, so a slow side slows the other one and memory stays at one
//! read per direction. Bytes leave as they come: nothing is held back to fill a buffer. The pump knows neither which
//! way it runs nor what a timeout is; it says whom it waits for and since when.
//!
//! What is long, and leaves as it came between two bare sockets, is moved by the kernel: what the sink has not taken is then
//! in a pipe, and never in the outbox at the same time.

use super::{Outbox, Sink, Source};
use crate::buffers::{Budget, Buffers, Lease, READ_SIZE};
use crate::pipes::{Passage, is_not_possible};
use fastingress_http1::{Decoder, Encoder, Event, Framing, Trailers};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Reads in one wake before other connections get their turn.
const FAIR_READS: usize = 16;
/// Bytes in one wake, the same.
const FAIR_BYTES: u64 = (FAIR_READS * READ_SIZE) as u64;
/// Bytes still to come from which on copying them costs more than the calls that it takes to move them to their end.
const LONG: u64 = 256 * 1024;
/// Bytes that came at once up to which it costs less to copy them.
const LITTLE: usize = 16 * 1024;

/// Whom a pump waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Nobody: it has not been polled, or it is done.
    Nobody,
    /// The side it reads from.
    Source,
    /// The side it writes to.
    Sink,
}

/// Why a body could not be moved.
#[derive(Debug)]
pub enum PumpError {
    /// The source failed or ended early.
    Source(io::Error),
    /// The source broke the framing.
    Framing(fastingress_http1::Error),
    /// The sink failed.
    Sink(io::Error),
    /// More bytes than the limit.
    TooLarge,
}

/// Moves one body.
#[derive(Debug)]
pub struct Pump {
    decoder: Decoder,
    encoder: Encoder,
    /// The sink wants framing around the data, so bytes are staged and not passed through.
    staged: bool,
    /// What the sink has not taken; the head goes in here first.
    pub out: Outbox,
    /// What the sink has not taken of what the kernel moves.
    passage: Passage,
    way: Way,
    body_bytes: u64,
    limit: u64,
    replay: Replay,
    /// A byte of the source was used, so beginning again takes a copy.
    begun: bool,
    /// Kept for a sink that is told of them beside the bytes, which may be another one at the next try.
    trailers: Option<Trailers>,
    wait: Wait,
    /// Since when it waits; to read the clock for one that never does would cost more than the rest of it.
    since: Option<Instant>,
    done: bool,
}

/// How a body goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Until much is left of it, and nobody wants to see that.
    Copied,
    Moved,
    /// While it comes a little at a time.
    CopiedForNow,
    /// The kernel does not move it.
    CopiedToItsEnd,
}

/// What was sent so far, in case it must be sent again.
#[derive(Debug)]
enum Replay {
    Off,
    Kept { bytes: Vec<u8>, most: usize, held: Lease },
    Overflown,
}

impl Replay {
    /// Keeps these bytes too, or gives up: they are too many, or memory is short.
    fn add(&mut self, more: &[u8]) {
        let Replay::Kept { bytes, most, held } = self else {
            return;
        };
        if bytes.len() + more.len() > *most || held.is_refused() {
            *self = Replay::Overflown;
            return;
        }
        bytes.extend_from_slice(more);
        held.set(bytes.len());
    }
}

impl Pump {
    /// A pump from a body framed as `incoming` to one framed as `outgoing`. `limit` counts body bytes; 0 is unlimited.
    pub fn new(incoming: Framing, outgoing: Framing, limit: u64, budget: &Arc<Budget>) -> Self {
        Self {
            decoder: Decoder::new(incoming),
            encoder: Encoder::new(incoming, outgoing),
            staged: outgoing == Framing::Chunked,
            out: Outbox::new(budget),
            passage: Passage::default(),
            way: Way::Copied,
            body_bytes: 0,
            limit,
            replay: Replay::Off,
            begun: false,
            trailers: None,
            wait: Wait::Nobody,
            since: None,
            done: false,
        }
    }

    /// Keeps a copy of what is sent after the head, up to `most` bytes.
    pub fn keep_copy(&mut self, most: usize, budget: &Arc<Budget>) {
        self.replay = Replay::Kept {
            bytes: Vec::new(),
            most,
            held: Lease::new(budget),
        };
    }

    /// Everything sent after the head so far, if it all was kept.
    pub fn copy(&self) -> Option<&[u8]> {
        match &self.replay {
            Replay::Kept { bytes, .. } => Some(bytes),
            Replay::Off if !self.begun => Some(&[]),
            Replay::Off | Replay::Overflown => None,
        }
    }

    /// True when the source has been read to the end of the body and the sink has taken all of it.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// True when the source has been read to the end of the body.
    pub fn is_read(&self) -> bool {
        self.decoder.is_done()
    }

    /// True when the kernel moves what comes next.
    #[cfg(test)]
    pub fn is_moved(&self) -> bool {
        self.way == Way::Moved
    }

    /// Body bytes read, without framing.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Whom it waits for, and since when. One that has not waited yet says now.
    pub fn wait(&self) -> (Wait, Instant) {
        (self.wait, self.since.unwrap_or_else(Instant::now))
    }

    /// Begins, or begins again, with a sink that has seen nothing: the head first, then what was sent of the body before.
    pub fn begin(&mut self, buffers: &Buffers, write_head: impl FnOnce(&mut Vec<u8>)) {
        self.out.reset(buffers);
        self.done = false;
        self.wait = Wait::Nobody;
        let waiting = self.out.compose(buffers);
        write_head(waiting);
        if let Replay::Kept { bytes, .. } = &self.replay {
            waiting.extend_from_slice(bytes);
        }
    }

    /// Moves what can be moved. `inbuf` holds bytes already read from the source, and what follows the body in the end.
    pub fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut R,
        inbuf: &mut Vec<u8>,
        sink: &mut W,
        buffers: &Buffers,
    ) -> Poll<Result<(), PumpError>>
    where
        R: Source,
        W: Sink,
    {
        let fair = self.body_bytes + FAIR_BYTES;
        for _ in 0..FAIR_READS {
            if self.done {
                return Poll::Ready(Ok(()));
            }
            if !inbuf.is_empty() && !self.decoder.is_done() && self.wait != Wait::Sink {
                let mut bytes = std::mem::take(inbuf);
                let (used, fed) = self.feed(cx, &bytes, sink, buffers);
                if used < bytes.len() {
                    bytes.drain(..used);
                    *inbuf = bytes;
                } else {
                    buffers.give(bytes);
                }
                fed?;
                continue;
            }
            if self.flush(cx, sink, buffers)?.is_pending() {
                return self.pending(Wait::Sink);
            }
            if self.decoder.remaining_hint() == Some(0) {
                // Nothing more is to be read; the decoder may still have the end to tell.
                self.feed(cx, &[], sink, buffers).1?;
                if self.decoder.is_done() && self.out.is_empty() {
                    sink.finish(self.trailers.as_ref()).map_err(PumpError::Sink)?;
                    self.done = true;
                }
                continue;
            }
            if !inbuf.is_empty() {
                continue;
            }
            if self.body_bytes >= fair {
                break;
            }
            let read = match self.length_to_move(sink).zip(source.bare_socket()) {
                Some((length, socket)) => self.poll_fill(cx, socket, length, buffers)?,
                None => buffers.with_scratch(|scratch| self.read(cx, source, inbuf, sink, scratch, buffers))?,
            };
            if read.is_pending() {
                return self.pending(Wait::Source);
            }
        }
        self.wait_for(Wait::Source);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Any byte taken counts as progress, so a sink that is slow but alive is not timed out.
    fn flush<W: Sink>(&mut self, cx: &mut Context<'_>, sink: &mut W, buffers: &Buffers) -> Result<Poll<()>, PumpError> {
        let before = self.out.written();
        let flushed = match sink.bare_socket() {
            Some(socket) if self.passage.held() > 0 => self.poll_drain(cx, socket, buffers),
            _ => Poll::Ready(Ok(())),
        };
        // What could not be moved after all is in the outbox now.
        let flushed = match flushed.map_err(PumpError::Sink)? {
            Poll::Ready(()) => self.out.poll_flush(cx, sink, buffers).map_err(PumpError::Sink)?,
            Poll::Pending => Poll::Pending,
        };
        if self.out.written() != before || (flushed.is_ready() && self.wait == Wait::Sink) {
            self.progress();
        }
        Ok(flushed)
    }

    /// What is left of a body that the kernel moves from here on, if it does.
    fn length_to_move<W: Sink>(&self, sink: &W) -> Option<u64> {
        let is_seen = self.staged || matches!(self.replay, Replay::Kept { .. });
        let least = match self.way {
            Way::Copied if !is_seen => LONG,
            Way::Moved => 0,
            Way::Copied | Way::CopiedForNow | Way::CopiedToItsEnd => return None,
        };
        sink.bare_socket()?;
        self.decoder.length_left().filter(|left| *left >= least)
    }

    /// Moves some of the body out of the source, and no byte of what follows it.
    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        source: &TcpStream,
        length: u64,
        buffers: &Buffers,
    ) -> Result<Poll<()>, PumpError> {
        let filled = match self.passage.poll_fill(cx, source, length, &buffers.pipes) {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(Ok(0)) => return Err(PumpError::Source(io::ErrorKind::UnexpectedEof.into())),
            Poll::Ready(Ok(filled)) => filled,
            Poll::Ready(Err(error)) if is_not_possible(&error) => {
                self.way = Way::CopiedToItsEnd;
                return Ok(Poll::Ready(()));
            }
            Poll::Ready(Err(error)) => return Err(PumpError::Source(error)),
        };
        self.way = if filled < LITTLE { Way::CopiedForNow } else { Way::Moved };
        self.begun = true;
        self.decoder.pass(filled as u64);
        self.out.hold(filled);
        self.progress();
        self.count(filled)?;
        Ok(Poll::Ready(()))
    }

    /// Ready when the sink has taken all that was moved.
    fn poll_drain(&mut self, cx: &mut Context<'_>, sink: &TcpStream, buffers: &Buffers) -> Poll<io::Result<()>> {
        while self.passage.held() > 0 {
            let taken = match ready!(self.passage.poll_drain(cx, sink, &buffers.pipes)) {
                Err(error) if is_not_possible(&error) => {
                    self.way = Way::CopiedToItsEnd;
                    self.passage.take_back(self.out.compose(buffers), &buffers.pipes)?;
                    break;
                }
                taken => taken?,
            };
            self.out.count(taken as u64);
            self.out.hold(self.passage.held());
        }
        Poll::Ready(Ok(()))
    }

    fn read<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut R,
        inbuf: &mut Vec<u8>,
        sink: &mut W,
        scratch: &mut [u8],
        buffers: &Buffers,
    ) -> Result<Poll<()>, PumpError>
    where
        R: Source,
        W: Sink,
    {
        let mut space = ReadBuf::new(scratch);
        match Pin::new(&mut *source).poll_read(cx, &mut space) {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(result) => result.map_err(PumpError::Source)?,
        }
        let bytes = space.filled();
        if bytes.is_empty() {
            self.decoder
                .finish_on_eof()
                .map_err(|_| PumpError::Source(io::ErrorKind::UnexpectedEof.into()))?;
            self.end(source, buffers);
            return Ok(Poll::Ready(()));
        }
        if self.way == Way::CopiedForNow && bytes.len() >= LITTLE {
            self.way = Way::Copied;
        }
        let (used, fed) = self.feed(cx, bytes, sink, buffers);
        if used < bytes.len() {
            if inbuf.capacity() == 0 {
                *inbuf = buffers.take();
            }
            inbuf.extend_from_slice(&bytes[used..]);
        }
        fed?;
        Ok(Poll::Ready(()))
    }

    /// The source has ended where its body ends; it may have trailers beside its bytes.
    fn end<R: Source>(&mut self, source: &mut R, buffers: &Buffers) {
        self.begun = true;
        if let Some(trailers) = source.take_trailers() {
            let event = Event::Trailers(trailers);
            if self.staged {
                self.stage(&event, buffers);
            }
            self.set_aside(event);
        }
        let out = self.out.compose(buffers);
        let start = out.len();
        self.encoder.finish(out);
        self.replay.add(&out[start..]);
    }

    fn set_aside(&mut self, event: Event<'_>) {
        if let Event::Trailers(trailers) = event {
            self.trailers = Some(trailers);
        }
    }

    /// Decodes `bytes` to their end or to the end of the body, and writes. Gives the number of bytes used, also with an
    /// error: a sink that fails does not take the rest, which may hold the next request.
    fn feed<W: Sink>(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        sink: &mut W,
        buffers: &Buffers,
    ) -> (usize, Result<(), PumpError>) {
        let mut used = 0;
        let fed = self.decode_and_write(cx, bytes, &mut used, sink, buffers);
        self.begun |= used > 0;
        (used, fed)
    }

    fn decode_and_write<W: Sink>(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        used: &mut usize,
        sink: &mut W,
        buffers: &Buffers,
    ) -> Result<(), PumpError> {
        while !self.decoder.is_done() {
            let (n, event) = self.decoder.decode(&bytes[*used..]).map_err(PumpError::Framing)?;
            *used += n;
            let Some(event) = event else { break };
            if let Event::Data(data) = &event {
                self.count(data.len())?;
                if !self.staged {
                    self.replay.add(data);
                    if !self.push(cx, data, sink, buffers)? {
                        break;
                    }
                    continue;
                }
            }
            if self.staged {
                self.stage(&event, buffers);
            }
            self.set_aside(event);
        }
        if self.staged && self.out.waiting() > 0 {
            self.push(cx, &[], sink, buffers)?;
        }
        Ok(())
    }

    fn push<W: Sink>(
        &mut self,
        cx: &mut Context<'_>,
        data: &[u8],
        sink: &mut W,
        buffers: &Buffers,
    ) -> Result<bool, PumpError> {
        self.progress();
        let all = self.out.push(cx, sink, data, buffers).map_err(PumpError::Sink)?;
        if !all {
            self.wait_for(Wait::Sink);
        }
        Ok(all)
    }

    /// Frames one event into the outbox.
    fn stage(&mut self, event: &Event<'_>, buffers: &Buffers) {
        let out = self.out.compose(buffers);
        let start = out.len();
        self.encoder.before(event, out);
        if let Event::Data(data) = event {
            out.extend_from_slice(data);
        }
        self.encoder.after(event, out);
        self.replay.add(&out[start..]);
    }

    fn count(&mut self, bytes: usize) -> Result<(), PumpError> {
        self.body_bytes += bytes as u64;
        if self.limit > 0 && self.body_bytes > self.limit {
            return Err(PumpError::TooLarge);
        }
        Ok(())
    }

    fn progress(&mut self) {
        self.wait = Wait::Nobody;
    }

    fn wait_for(&mut self, whom: Wait) {
        if self.wait != whom {
            self.wait = whom;
            self.since = Some(Instant::now());
        }
    }

    fn pending(&mut self, whom: Wait) -> Poll<Result<(), PumpError>> {
        self.wait_for(whom);
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    struct Rig {
        buffers: Buffers,
        budget: Arc<Budget>,
        inbuf: Vec<u8>,
        pump: Pump,
    }

    impl Rig {
        fn new(incoming: Framing, outgoing: Framing, limit: u64) -> Self {
            let budget = Budget::new(1 << 20);
            let pump = Pump::new(incoming, outgoing, limit, &budget);
            Self {
                buffers: Buffers::default(),
                budget,
                inbuf: Vec::new(),
                pump,
            }
        }

        async fn run(&mut self, source: &mut DuplexStream, sink: &mut DuplexStream) -> Result<(), PumpError> {
            poll_fn(|cx| self.pump.poll(cx, source, &mut self.inbuf, sink, &self.buffers)).await
        }
    }

    /// Sends `input` in pieces of `step` bytes and gives what arrived, with a sink that takes `room` bytes at a time.
    async fn through(rig: &mut Rig, input: &[u8], step: usize, room: usize, close: bool) -> Vec<u8> {
        let (mut client, mut source) = duplex(step);
        let (mut sink, mut server) = duplex(room);
        let send = async {
            client.write_all(input).await.expect("the pump reads");
            if close {
                drop(client);
            } else {
                std::mem::forget(client);
            }
        };
        let pump = async {
            rig.run(&mut source, &mut sink).await.expect("a body that may pass");
            drop(sink);
        };
        let mut received = Vec::new();
        let receive = server.read_to_end(&mut received);
        let (_, _, result) = tokio::join!(send, pump, receive);
        result.expect("the pump writes");
        received
    }

    #[tokio::test]
    async fn a_length_is_passed_on_byte_for_byte_however_it_is_split() {
        let body: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
        for (step, room) in [(1 << 20, 1 << 20), (1000, 7), (3, 1 << 20)] {
            let framing = Framing::Length(body.len() as u64);
            let mut rig = Rig::new(framing, framing, 0);
            rig.pump.begin(&rig.buffers, |out| out.extend_from_slice(b"HEAD"));
            let received = through(&mut rig, &body, step, room, false).await;
            assert_eq!(&received[..4], b"HEAD");
            assert_eq!(&received[4..], &body);
            assert_eq!(rig.pump.body_bytes(), body.len() as u64);
            assert_eq!(rig.budget.used(), 0);
        }
    }

    #[tokio::test]
    async fn chunks_keep_their_boundaries_and_extensions_are_dropped() {
        let input = b"5;name=value\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 7\r\n\r\n";
        for step in 1..input.len() {
            let mut rig = Rig::new(Framing::Chunked, Framing::Chunked, 0);
            let received = through(&mut rig, input, step, 3, false).await;
            assert_eq!(received, b"5\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 7\r\n\r\n");
        }
    }

    #[tokio::test]
    async fn a_body_that_ends_with_its_connection_becomes_chunks() {
        let mut rig = Rig::new(Framing::UntilClose, Framing::Chunked, 0);
        let received = through(&mut rig, b"hello", 64, 64, true).await;
        assert_eq!(received, b"5\r\nhello\r\n0\r\n\r\n");
    }

    #[tokio::test]
    async fn what_follows_the_body_is_left_in_the_buffer() {
        let mut rig = Rig::new(Framing::Length(5), Framing::Length(5), 0);
        let received = through(&mut rig, b"helloGET / HTTP/1.1\r\n", 64, 64, false).await;
        assert_eq!(received, b"hello");
        assert_eq!(rig.inbuf, b"GET / HTTP/1.1\r\n");
    }

    #[tokio::test]
    async fn an_empty_body_sends_the_head_and_reads_nothing() {
        let mut rig = Rig::new(Framing::Empty, Framing::Empty, 0);
        rig.pump.begin(&rig.buffers, |out| out.extend_from_slice(b"HEAD"));
        let received = through(&mut rig, b"", 64, 64, false).await;
        assert_eq!(received, b"HEAD");
        assert!(rig.pump.is_done() && rig.pump.is_read());
    }

    #[tokio::test]
    async fn a_body_over_its_limit_is_refused() {
        let (mut client, mut source) = duplex(64);
        let (mut sink, _server) = duplex(64);
        client.write_all(b"6\r\nabcdef\r\n").await.expect("room");
        let mut rig = Rig::new(Framing::Chunked, Framing::Chunked, 5);
        assert!(matches!(
            rig.run(&mut source, &mut sink).await,
            Err(PumpError::TooLarge)
        ));
    }

    #[tokio::test]
    async fn a_source_that_ends_early_is_an_error() {
        let (mut client, mut source) = duplex(64);
        let (mut sink, _server) = duplex(64);
        client.write_all(b"abc").await.expect("room");
        drop(client);
        let mut rig = Rig::new(Framing::Length(5), Framing::Length(5), 0);
        assert!(matches!(
            rig.run(&mut source, &mut sink).await,
            Err(PumpError::Source(_))
        ));
    }

    #[tokio::test]
    async fn what_was_sent_can_be_sent_again_from_the_start() {
        let mut rig = Rig::new(Framing::Chunked, Framing::Chunked, 0);
        rig.pump.keep_copy(100, &rig.budget);
        rig.pump.begin(&rig.buffers, |out| out.extend_from_slice(b"HEAD"));
        let first = through(&mut rig, b"3\r\nabc\r\n0\r\n\r\n", 64, 64, false).await;
        rig.pump.begin(&rig.buffers, |out| out.extend_from_slice(b"HEAD"));
        let second = through(&mut rig, b"", 64, 64, false).await;
        assert_eq!(first, b"HEAD3\r\nabc\r\n0\r\n\r\n");
        assert_eq!(second, first);
    }

    #[tokio::test]
    async fn a_sink_that_takes_nothing_costs_the_body_but_not_what_follows_it() {
        for (framing, input) in [
            (Framing::Length(5), &b"helloGET /"[..]),
            (Framing::Chunked, b"5\r\nhello\r\n0\r\n\r\nGET /"),
        ] {
            let mut rig = Rig::new(framing, framing, 0);
            rig.pump.begin(&rig.buffers, |out| out.extend_from_slice(b"HEAD"));
            rig.inbuf.extend_from_slice(input);
            let (_client, mut source) = duplex(64);
            let (mut sink, server) = duplex(64);
            drop(server);
            assert!(matches!(rig.run(&mut source, &mut sink).await, Err(PumpError::Sink(_))));
            assert_eq!(rig.inbuf, b"GET /");
            assert_eq!(rig.pump.out.written(), 0);
            assert!(rig.pump.copy().is_none(), "sent again, it would be without its body");
        }
    }

    #[tokio::test]
    async fn a_body_of_which_nothing_was_used_can_be_sent_again_without_a_copy() {
        let mut rig = Rig::new(Framing::Chunked, Framing::Chunked, 0);
        assert_eq!(rig.pump.copy(), Some(&[][..]));
        rig.pump.begin(&rig.buffers, |out| out.extend_from_slice(b"HEAD"));
        let received = through(&mut rig, b"3\r\nabc\r\n0\r\n\r\n", 64, 64, false).await;
        assert_eq!(received, b"HEAD3\r\nabc\r\n0\r\n\r\n");
        assert!(rig.pump.copy().is_none());
    }

    #[tokio::test]
    async fn a_long_body_is_not_kept() {
        let mut rig = Rig::new(Framing::Length(200), Framing::Length(200), 0);
        rig.pump.keep_copy(100, &rig.budget);
        through(&mut rig, &[b'x'; 200], 64, 64, false).await;
        assert!(rig.pump.copy().is_none());
    }
}
