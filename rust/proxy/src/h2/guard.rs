//! Stands between the `h2` crate and the socket: sees frames go by in both directions, and counts bytes that wait.
//!
//! The crate shows neither PING nor SETTINGS nor the answers that it makes itself, so they are told by their headers on
//! the wire. Nothing is changed here; when a bound is broken, reading stops and the connection's task ends it.

use super::floods::{Flood, Floods};
use super::frames::{Frame, Frames, kind};
use super::held::Held;
use super::wire::Wire;
use crate::buffers::{Budget, Buffers};
use crate::linger;
use crate::transport::Transport;
use crate::worker::Worker;
use h2::Reason;
use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// What the client sends before its first frame (RFC 9113, 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of answers for which the client may send one WINDOW_UPDATE.
const BYTES_PER_UPDATE: usize = 512;
/// How long a client that was told to calm down may go on sending, so that it gets to read that.
const LAST_WORD: Duration = Duration::from_secs(1);
/// Bytes that a stream may hold: its window.
pub const STREAM_WINDOW: u32 = 128 * 1024;
/// Bytes that one connection may hold when memory is short.
const FAIR_SHARE: usize = 64 * 1024;

/// What a connection and its streams share.
pub struct Shared {
    wire: RefCell<Wire>,
    /// Bounds on what the client sends.
    pub floods: Floods,
    /// Streams under way.
    pub streams: Cell<usize>,
    /// Heads that came and that the library may still have to tell of.
    pub unseen: Cell<usize>,
    /// Heads and trailers that our streams have sent; what goes out beyond them the library made.
    pub heads_sent: Cell<u64>,
    heads_seen: Cell<u64>,
    held: Held,
    /// Since when something is not whole that has begun.
    pub waiting_since: Cell<Option<Instant>>,
    /// Anything came since this was last asked.
    heard: Cell<bool>,
    /// What the library ended the connection for.
    pub said: Cell<Option<Flood>>,
    /// Nothing is read until it holds less.
    throttled: Cell<bool>,
    task: RefCell<Option<Waker>>,
}

impl Shared {
    /// Of a connection that has just begun.
    pub fn new(io: Transport, budget: &Arc<Budget>) -> Rc<Self> {
        Rc::new(Self {
            wire: RefCell::new(Wire::new(io)),
            floods: Floods::default(),
            streams: Cell::new(0),
            unseen: Cell::new(0),
            heads_sent: Cell::new(0),
            heads_seen: Cell::new(0),
            held: Held::new(budget, STREAM_WINDOW),
            waiting_since: Cell::new(None),
            heard: Cell::new(false),
            said: Cell::new(None),
            throttled: Cell::new(false),
            task: RefCell::new(None),
        })
    }

    /// Sends what waits to be sent. Ready when all of it has gone.
    pub fn poll_send(&self, cx: &mut Context<'_>, buffers: &Buffers) -> Poll<io::Result<()>> {
        let sent = self.wire.borrow_mut().poll_send(cx, buffers);
        self.hold();
        sent
    }

    /// A stream takes so many bytes that had come.
    pub fn taken(&self, bytes: usize) {
        self.held.taken(bytes);
        self.hold();
        if self.throttled.get() && !self.is_over_share() {
            self.wake();
        }
    }

    /// A stream gives so many bytes to be sent.
    pub fn given(&self, stream: u32, bytes: usize) {
        self.held.given(stream, bytes);
        self.hold();
    }

    /// True when this connection holds more than its share while memory is short.
    pub fn is_over_share(&self) -> bool {
        self.held.bytes(self.bodies()) > FAIR_SHARE && self.held.is_refused()
    }

    /// True when nothing is read because of that.
    pub fn is_throttled(&self) -> bool {
        self.throttled.get()
    }

    /// Whether anything came since the last call.
    pub fn take_heard(&self) -> bool {
        self.heard.replace(false)
    }

    /// Remembers the connection's task.
    pub fn attend(&self, waker: &Waker) {
        let mut task = self.task.borrow_mut();
        if task.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            *task = Some(waker.clone());
        }
    }

    /// Has the connection's task look at what changed.
    pub fn wake(&self) {
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    /// How many bodies may be held.
    fn bodies(&self) -> usize {
        self.streams.get() + self.unseen.get()
    }

    fn hold(&self) {
        let waiting = self.wire.try_borrow().map_or(0, |wire| wire.waiting());
        self.held.settle(self.bodies(), waiting);
    }

    fn came(&self, frame: Frame) {
        self.held.came(frame);
        let floods = &self.floods;
        match frame.kind {
            kind::DATA if frame.length == 0 && !frame.ends_stream() => floods.note(Flood::EmptyFrames),
            kind::HEADERS if frame.length == 0 => floods.note(Flood::EmptyFrames),
            kind::HEADERS => self.unseen.set(self.unseen.get() + 1),
            kind::DATA => {}
            kind::PRIORITY => floods.note(Flood::Priority),
            kind::RST_STREAM => floods.note(Flood::RapidReset),
            kind::SETTINGS if !frame.is_ack() => floods.note(Flood::Settings),
            kind::PING if !frame.is_ack() => floods.note(Flood::Ping),
            kind::WINDOW_UPDATE => floods.note(Flood::WindowUpdate),
            kind::CONTINUATION => floods.note(Flood::Continuation),
            kind::SETTINGS | kind::PING | kind::GOAWAY => {}
            _ => floods.note(Flood::Unknown),
        }
    }

    fn goes(&self, frame: Frame) {
        self.held.goes(frame);
        match frame.kind {
            kind::HEADERS => {
                self.heads_seen.set(self.heads_seen.get() + 1);
                if self.heads_seen.get() > self.heads_sent.get() {
                    // The library answers heads over their limit by itself.
                    self.heads_sent.set(self.heads_seen.get());
                    self.floods.note(Flood::HeaderBomb);
                }
            }
            kind::RST_STREAM => match frame.code.map(Reason::from) {
                // Ours: behind a whole answer, or because a backend failed.
                Some(Reason::NO_ERROR | Reason::CANCEL | Reason::INTERNAL_ERROR) => {}
                // Opened beyond the limit, perhaps before that was known.
                Some(Reason::REFUSED_STREAM) => self.floods.note(Flood::RapidReset),
                _ => self.floods.note(Flood::ProvokedReset),
            },
            kind::DATA => self
                .floods
                .forgive(Flood::WindowUpdate, frame.length / BYTES_PER_UPDATE),
            _ => {}
        }
    }
}

/// The socket as the `h2` crate sees it. The socket itself is in [`Shared`], where the connection's task gets at it.
pub struct Guard {
    /// Read before it was known that this is HTTP/2.
    prefix: Vec<u8>,
    shared: Rc<Shared>,
    worker: Rc<Worker>,
    incoming: Frames,
    outgoing: Frames,
}

impl Guard {
    /// `prefix` was read from the socket already.
    pub fn new(prefix: Vec<u8>, shared: Rc<Shared>, worker: Rc<Worker>) -> Self {
        Self {
            prefix,
            shared,
            worker,
            incoming: Frames::after(PREFACE.len()),
            outgoing: Frames::after(0),
        }
    }

    fn sent(&mut self, bytes: &[u8]) {
        let Self { shared, outgoing, .. } = self;
        let mut is_farewell = false;
        outgoing.pass(bytes, |frame| {
            is_farewell |= frame.kind == kind::GOAWAY;
            shared.goes(frame);
        });
        if is_farewell {
            // The library tells its reason to the client alone.
            shared.said.set(shared.said.get().or_else(|| Flood::said_in(bytes)));
        }
        shared.hold();
    }
}

impl Drop for Guard {
    /// A socket that is closed while bytes wait in it resets, and takes our last word with it.
    fn drop(&mut self) {
        let io = self.shared.wire.borrow_mut().close(&self.worker.buffers);
        if self.shared.floods.caught().is_none() {
            return;
        }
        if let Some(mut io) = io {
            let worker = self.worker.clone();
            tokio::task::spawn_local(async move { linger::close_within(LAST_WORD, &mut io, &worker.buffers).await });
        }
    }
}

impl AsyncRead for Guard {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.shared.floods.caught().is_some() {
            return Poll::Pending; // its task ends it; nothing more is read for it
        }
        this.shared.throttled.set(this.shared.is_over_share());
        if this.shared.is_throttled() {
            return Poll::Pending; // its task looks again soon
        }
        let before = buf.filled().len();
        if this.prefix.is_empty() {
            ready!(this.shared.wire.borrow_mut().poll_read(cx, buf))?;
        } else {
            let n = this.prefix.len().min(buf.remaining());
            buf.put_slice(&this.prefix[..n]);
            this.prefix.drain(..n);
            if this.prefix.is_empty() {
                this.prefix = Vec::new();
            }
        }
        let Self { shared, incoming, .. } = this;
        incoming.pass(&buf.filled()[before..], |frame| shared.came(frame));
        shared.heard.set(true);
        let since = shared.waiting_since.get().unwrap_or_else(Instant::now);
        shared.waiting_since.set(incoming.is_waiting().then_some(since));
        shared.hold();
        if shared.floods.caught().is_some() {
            shared.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guard {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let n = ready!(this.shared.wire.borrow_mut().poll_take(cx, bufs, &this.worker.buffers))?;
        let mut left = n;
        for buf in bufs {
            let part = left.min(buf.len());
            this.sent(&buf[..part]);
            left -= part;
        }
        Poll::Ready(Ok(n))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // the connection's task sends once, when it has nothing more to say
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut wire = self.shared.wire.borrow_mut();
        ready!(wire.poll_send(cx, &self.worker.buffers))?;
        wire.poll_shutdown(cx)
    }
}
