//! What a connection and its streams share: how many there are, what they hold, what the client did too often.

use super::quic::number;
use crate::buffers::{Budget, Lease};
use crate::h2::floods::{Flood, Floods};
use h3::error::Code;
use quinn::VarInt;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

/// Bytes of a request body that may be on their way unasked: what a stream gets out of a round trip.
pub const STREAM_WINDOW: u32 = 128 * 1024;
/// The same for all streams of a connection. As many streams as fit in may stand still without harm to the others.
/// Packets that came out of order are nowhere else counted, so it is less than with HTTP/2.
pub const RECEIVE_WINDOW: u32 = 32 * STREAM_WINDOW;
/// Bytes of answers that have been sent and not acknowledged, for all streams of a connection.
pub const SEND_WINDOW: u64 = 2 << 20;
/// Bytes that one connection may hold when memory is short.
const FAIR_SHARE: usize = 64 * 1024;

/// What a connection and its streams share.
pub struct Shared {
    /// Bounds on what the client does.
    floods: Floods,
    /// Streams under way.
    streams: Cell<usize>,
    /// Bytes of requests that may have come and were not taken, and of answers whose streams are not done.
    expected: Cell<usize>,
    given: Cell<usize>,
    held: RefCell<Lease>,
    /// Its windows are small, since memory is short.
    squeezed: Cell<bool>,
    quic: quinn::Connection,
    task: RefCell<Option<Waker>>,
}

impl Shared {
    /// Of a connection that has just begun.
    pub fn new(quic: quinn::Connection, budget: &Arc<Budget>) -> Rc<Self> {
        Rc::new(Self {
            floods: Floods::default(),
            streams: Cell::new(0),
            expected: Cell::new(0),
            given: Cell::new(0),
            held: RefCell::new(Lease::new(budget)),
            squeezed: Cell::new(false),
            quic,
            task: RefCell::new(None),
        })
    }

    /// One more of these. The connection's task sees when they are too many.
    pub fn note(&self, flood: Flood) {
        self.floods.note(flood);
        if self.floods.caught().is_some() {
            self.wake();
        }
    }

    /// What there was too much of.
    pub fn caught(&self) -> Option<Flood> {
        self.floods.caught()
    }

    /// Ends the connection at once.
    pub fn close(&self, code: Code) {
        self.quic.close(number(code.value()), b"");
    }

    /// Streams under way.
    pub fn streams(&self) -> usize {
        self.streams.get()
    }

    /// A stream begins.
    pub fn enter(self: &Rc<Self>) -> Held {
        self.streams.set(self.streams.get() + 1);
        Held {
            shared: self.clone(),
            expected: 0,
            given: 0,
        }
    }

    /// True when this connection holds more than its share while memory is short.
    pub fn is_over_share(&self) -> bool {
        self.size() > FAIR_SHARE && self.held.borrow().is_refused()
    }

    /// Remembers the connection's task.
    pub fn attend(&self, waker: &Waker) {
        let mut task = self.task.borrow_mut();
        if task.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            *task = Some(waker.clone());
        }
    }

    fn wake(&self) {
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    fn size(&self) -> usize {
        self.expected.get() + self.given.get().min(SEND_WINDOW as usize)
    }

    /// States what is held, and makes the windows small while memory is short.
    fn settle(&self) {
        self.held.borrow_mut().set(self.size());
        let squeeze = self.is_over_share();
        if self.squeezed.replace(squeeze) != squeeze {
            let (send, receive) = if squeeze {
                (FAIR_SHARE as u64, FAIR_SHARE as u32)
            } else {
                (SEND_WINDOW, RECEIVE_WINDOW)
            };
            self.quic.set_send_window(send);
            self.quic.set_receive_window(VarInt::from_u32(receive));
        }
    }
}

/// What one stream holds. Given back when dropped.
pub struct Held {
    shared: Rc<Shared>,
    expected: usize,
    given: usize,
}

impl Held {
    /// So many bytes may have come that were not taken.
    pub fn expect(&mut self, bytes: usize) {
        if bytes != self.expected {
            let all = &self.shared.expected;
            all.set(all.get() - self.expected + bytes);
            self.expected = bytes;
            self.shared.settle();
        }
    }

    /// So many bytes more were given to be sent.
    pub fn give(&mut self, bytes: usize) {
        self.given += bytes;
        self.shared.given.set(self.shared.given.get() + bytes);
        self.shared.settle();
    }

    /// What the stream shares with others.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let shared = &self.shared;
        shared.expected.set(shared.expected.get() - self.expected);
        shared.given.set(shared.given.get() - self.given);
        shared.streams.set(shared.streams.get() - 1);
        shared.settle();
        shared.wake();
    }
}
