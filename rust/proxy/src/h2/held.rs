//! Bytes of bodies that a connection of HTTP/2 holds, in the library and in front of the socket, counted against the
//! budget of the process.
//!
//! The library does not say what it holds, so it is told from the frames that go by, and from what streams take and give.

use super::frames::{Frame, kind};
use crate::buffers::{Budget, Lease};
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// The account of one connection, with clients or with an endpoint.
#[derive(Debug)]
pub struct Held {
    /// What a stream may hold of what comes.
    window: usize,
    /// Came, and was not taken by a stream.
    received: Cell<usize>,
    queued: RefCell<Queued>,
    lease: RefCell<Lease>,
}

/// Given by streams, and not sent.
#[derive(Debug, Default)]
struct Queued {
    all: usize,
    /// Streams with the bytes of each.
    by_stream: Vec<(u32, usize)>,
}

impl Queued {
    fn given(&mut self, stream: u32, bytes: usize) {
        self.all += bytes;
        match self.by_stream.iter_mut().find(|(known, _)| *known == stream) {
            Some((_, queued)) => *queued += bytes,
            None => self.by_stream.push((stream, bytes)),
        }
    }

    /// So many bytes of a stream have left, or been thrown away.
    fn gone(&mut self, stream: u32, bytes: usize) {
        let Some(place) = self.by_stream.iter().position(|(known, _)| *known == stream) else {
            return;
        };
        let (_, queued) = &mut self.by_stream[place];
        let bytes = bytes.min(*queued);
        *queued -= bytes;
        self.all -= bytes;
        if *queued == 0 {
            self.by_stream.swap_remove(place);
        }
    }
}

impl Held {
    /// Of a connection that has just begun; `window` bytes may be on their way on each of its streams.
    pub fn new(budget: &Arc<Budget>, window: u32) -> Self {
        Self {
            window: window as usize,
            received: Cell::new(0),
            queued: RefCell::default(),
            lease: RefCell::new(Lease::new(budget)),
        }
    }

    /// A frame has come.
    pub fn came(&self, frame: Frame) {
        match frame.kind {
            kind::DATA => self.received.set(self.received.get() + frame.length),
            kind::RST_STREAM => self.queued.borrow_mut().gone(frame.stream, usize::MAX),
            _ => {}
        }
    }

    /// A frame leaves.
    pub fn goes(&self, frame: Frame) {
        match frame.kind {
            kind::DATA => self.queued.borrow_mut().gone(frame.stream, frame.length),
            kind::RST_STREAM => self.queued.borrow_mut().gone(frame.stream, usize::MAX),
            _ => {}
        }
    }

    /// A stream takes so many bytes that had come.
    pub fn taken(&self, bytes: usize) {
        self.received.set(self.received.get().saturating_sub(bytes));
    }

    /// A stream gives so many bytes to be sent.
    pub fn given(&self, stream: u32, bytes: usize) {
        self.queued.borrow_mut().given(stream, bytes);
    }

    /// Tells the budget. `streams` are under way; `waiting` bytes wait in front of the socket.
    pub fn settle(&self, streams: usize, waiting: usize) {
        self.lease.borrow_mut().set(self.bytes(streams) + waiting);
    }

    /// What is held. The library tells nobody of bytes that it throws away, of streams that were reset before anyone saw
    /// them; but no stream holds more than its window.
    pub fn bytes(&self, streams: usize) -> usize {
        self.received.set(self.received.get().min(streams * self.window));
        self.received.get() + self.queued.borrow().all
    }

    /// True when nothing more is to be held.
    pub fn is_refused(&self) -> bool {
        self.lease.borrow().is_refused()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h2::frames::Frames;

    fn frame(kind: u8, stream: u32, length: usize) -> Frame {
        let mut header = vec![0, (length >> 8) as u8, length as u8, kind, 0];
        header.extend(stream.to_be_bytes());
        let mut seen = None;
        header.push(0);
        Frames::after(0).pass(&header, |frame| seen = Some(frame));
        seen.expect("a frame")
    }

    #[test]
    fn what_came_is_held_until_it_is_taken_and_never_more_than_the_windows() {
        let budget = Budget::new(1000);
        let held = Held::new(&budget, 300);
        held.came(frame(kind::DATA, 1, 250));
        held.settle(1, 10);
        assert_eq!(budget.used(), 260);
        held.taken(100);
        held.settle(1, 0);
        assert_eq!(budget.used(), 150);
        held.came(frame(kind::DATA, 3, 250));
        assert_eq!((held.bytes(2), held.bytes(1), held.bytes(0)), (400, 300, 0));
        drop(held);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_was_given_is_held_until_it_has_left_or_its_stream_is_reset() {
        let held = Held::new(&Budget::new(1000), 300);
        held.given(1, 200);
        held.given(3, 100);
        held.given(1, 50);
        assert_eq!(held.bytes(0), 350);
        held.goes(frame(kind::DATA, 1, 60));
        assert_eq!(held.bytes(0), 290);
        held.came(frame(kind::RST_STREAM, 1, 4));
        assert_eq!(held.bytes(0), 100, "the rest of stream 1 was thrown away");
        held.goes(frame(kind::RST_STREAM, 5, 4));
        held.goes(frame(kind::DATA, 3, 100));
        assert_eq!(held.bytes(0), 0);
        assert!(held.queued.borrow().by_stream.is_empty());
    }

    #[test]
    fn a_full_budget_is_told() {
        let held = Held::new(&Budget::new(100), 300);
        held.given(1, 100);
        assert!(!held.is_refused());
        held.settle(1, 0);
        assert!(held.is_refused());
    }
}
