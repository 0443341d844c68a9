//! Body framing: a decoder of lengths and chunks, and the encoder that mirrors it.
//!
//! The decoder copies nothing: its data are slices of its input. Chunk boundaries are events of their own, so that what is
//! written to the other side depends on what the sender framed and never on how reads were split.

use crate::chunk::SizeLine;
use crate::encode;
use crate::error::Error;
use crate::head::Version;
use crate::trailers::Collector;

pub use crate::trailers::Trailers;

/// Where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    Empty,
    /// After this many bytes, which may be zero.
    Length(u64),
    /// At the last chunk.
    Chunked,
    /// Where the connection ends. Responses only.
    UntilClose,
}

impl Framing {
    /// The framing for a client of this version: a body that ends with its connection becomes chunks, so that the client's connection
    /// can live on; HTTP/1.0 knows no chunks, so there they end with the connection.
    pub fn for_client(self, version: Version) -> Self {
        match (self, version) {
            (Framing::Chunked, Version::Http10) => Framing::UntilClose,
            (Framing::UntilClose, Version::Http11) => Framing::Chunked,
            // These frame bodies themselves, and say where they end.
            (Framing::Chunked, Version::Http2 | Version::Http3) => Framing::UntilClose,
            (framing, _) => framing,
        }
    }
}

/// One step of a decoder.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Bytes of the body, never empty.
    Data(&'a [u8]),
    /// A chunk of this many bytes begins, never zero.
    ChunkStart(u64),
    /// A chunk is whole.
    ChunkEnd,
    /// The trailers of a chunked body, if it has any. They belong to whoever takes them.
    Trailers(Trailers),
    /// The body is whole. Comes once, last, for every framing but [`Framing::UntilClose`].
    End,
}

/// What the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Empty,
    Length,
    UntilClose,
    Size,
    Chunk,
    ChunkCr,
    ChunkLf,
    TrailerStart,
    Trailers,
    LastLf,
    End,
    Done,
}

/// Decodes one body. Small: it lives inside the state of a connection; only trailers are on the heap.
#[derive(Debug)]
pub struct Decoder {
    remaining: u64,
    line: SizeLine,
    trailers: Option<Box<Collector>>,
    state: State,
}

impl Decoder {
    /// A decoder for one body.
    pub fn new(framing: Framing) -> Self {
        let (state, remaining) = match framing {
            Framing::Empty => (State::Empty, 0),
            Framing::Length(length) => (State::Length, length),
            Framing::Chunked => (State::Size, 0),
            Framing::UntilClose => (State::UntilClose, 0),
        };
        Self {
            remaining,
            line: SizeLine::new(),
            trailers: None,
            state,
        }
    }

    /// Takes the next step: how many bytes of `input` it took, and what they were.
    ///
    /// At most one event a call. `None` means that more input is needed: all of `input` was taken, or the body is done
    /// and what is left belongs to the next message. A body without bytes ends at the first call, whatever the input.
    /// After an error the decoder is of no use.
    pub fn decode<'a>(&mut self, input: &'a [u8]) -> Result<(usize, Option<Event<'a>>), Error> {
        let mut taken = 0;
        loop {
            let rest = &input[taken..];
            let (more, event) = self.step(rest)?;
            taken += more;
            if event.is_some() || taken == input.len() || self.state == State::Done {
                return Ok((taken, event));
            }
        }
    }

    /// True when the body is whole and every event has been given.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The connection has ended. Fine for a body that ends so, or one that is whole; else it is cut short.
    pub fn finish_on_eof(&mut self) -> Result<(), Error> {
        match self.state {
            State::UntilClose | State::Empty | State::End | State::Done => {}
            State::Length if self.remaining == 0 => {}
            _ => return Err(Error::Truncated),
        }
        self.state = State::Done;
        Ok(())
    }

    /// Bytes of the body still to come, if that is known.
    pub fn remaining_hint(&self) -> Option<u64> {
        match self.state {
            State::Length => Some(self.remaining),
            State::Empty | State::End | State::Done => Some(0),
            _ => None,
        }
    }

    /// Bytes of a body of known length that are still to come; `None` for every other body.
    pub fn length_left(&self) -> Option<u64> {
        (self.state == State::Length).then_some(self.remaining)
    }

    /// So many bytes of a body of known length went another way; never more than are left. The last of them end the body
    /// without an event.
    pub fn pass(&mut self, bytes: u64) {
        debug_assert!(self.length_left().is_some_and(|left| bytes <= left));
        self.remaining -= bytes;
        if self.remaining == 0 {
            self.state = State::Done;
        }
    }

    fn step<'a>(&mut self, input: &'a [u8]) -> Result<(usize, Option<Event<'a>>), Error> {
        match self.state {
            State::Done => return Ok((0, None)),
            State::Empty | State::End => return Ok(self.end(0)),
            State::Length if self.remaining == 0 => return Ok(self.end(0)),
            _ => {}
        }
        let Some(byte) = input.first() else {
            return Ok((0, None));
        };
        match self.state {
            State::UntilClose => Ok((input.len(), Some(Event::Data(input)))),
            State::Length => Ok(self.data(input)),
            State::Size => self.size(input),
            State::Chunk => {
                let step = self.data(input);
                if self.remaining == 0 {
                    self.state = State::ChunkCr;
                }
                Ok(step)
            }
            State::ChunkCr => self.expect(*byte, b'\r', State::ChunkLf).map(|()| (1, None)),
            State::ChunkLf => self
                .expect(*byte, b'\n', State::Size)
                .map(|()| (1, Some(Event::ChunkEnd))),
            State::TrailerStart if *byte == b'\r' => self.expect(*byte, b'\r', State::LastLf).map(|()| (1, None)),
            State::TrailerStart => {
                self.trailers = Some(Box::default());
                self.state = State::Trailers;
                self.collect(input)
            }
            State::Trailers => self.collect(input),
            State::LastLf => self.expect(*byte, b'\n', State::Done).map(|()| (1, Some(Event::End))),
            State::Empty | State::End | State::Done => Ok((0, None)),
        }
    }

    fn end(&mut self, taken: usize) -> (usize, Option<Event<'static>>) {
        self.state = State::Done;
        (taken, Some(Event::End))
    }

    fn data<'a>(&mut self, input: &'a [u8]) -> (usize, Option<Event<'a>>) {
        let take = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(input.len());
        self.remaining -= take as u64;
        (take, Some(Event::Data(&input[..take])))
    }

    fn size(&mut self, input: &[u8]) -> Result<(usize, Option<Event<'static>>), Error> {
        let (taken, size) = self.line.take(input)?;
        let event = match size {
            None => None,
            Some(0) => {
                self.state = State::TrailerStart;
                None
            }
            Some(size) => {
                self.remaining = size;
                self.state = State::Chunk;
                Some(Event::ChunkStart(size))
            }
        };
        Ok((taken, event))
    }

    fn expect(&mut self, byte: u8, expected: u8, next: State) -> Result<(), Error> {
        if byte != expected {
            return Err(Error::BadChunk);
        }
        self.state = next;
        Ok(())
    }

    fn collect(&mut self, input: &[u8]) -> Result<(usize, Option<Event<'static>>), Error> {
        let Some(collector) = &mut self.trailers else {
            return Err(Error::BadChunk);
        };
        let (taken, trailers) = collector.take(input)?;
        let Some(trailers) = trailers else {
            return Ok((taken, None));
        };
        self.trailers = None;
        self.state = State::End;
        Ok((taken, Some(Event::Trailers(trailers))))
    }
}

/// How the events of a body become bytes for the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Data alone.
    Plain,
    /// The sender's chunks.
    Mirror,
    /// A chunk for each piece of data.
    Wrap,
}

/// Writes the framing around the data of one body. For each event of the decoder: what [`Encoder::before`] writes, the
/// data itself if it is [`Event::Data`], what [`Encoder::after`] writes.
#[derive(Debug)]
pub struct Encoder {
    mode: Mode,
    ended: bool,
}

impl Encoder {
    /// An encoder for a body that comes as `from` and goes on as `to`. The two must allow it: a body of unknown length
    /// cannot go on as a length.
    pub fn new(from: Framing, to: Framing) -> Self {
        let mode = match (from, to) {
            (Framing::Chunked, Framing::Chunked) => Mode::Mirror,
            (_, Framing::Chunked) => Mode::Wrap,
            _ => Mode::Plain,
        };
        Self { mode, ended: false }
    }

    /// What goes out before the data of this event, or instead of data.
    pub fn before(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match (self.mode, event) {
            (Mode::Plain, _) => {}
            (Mode::Mirror, Event::ChunkStart(size)) => size_line(*size, out),
            (Mode::Mirror, Event::ChunkEnd) => out.extend_from_slice(b"\r\n"),
            (Mode::Wrap, Event::Data(data)) if !data.is_empty() => size_line(data.len() as u64, out),
            (_, Event::Trailers(trailers)) => {
                out.extend_from_slice(b"0\r\n");
                trailers
                    .iter()
                    .for_each(|(_, name, value)| encode::line(name, value, out));
                out.extend_from_slice(b"\r\n");
                self.ended = true;
            }
            (_, Event::End) => self.finish(out),
            _ => {}
        }
    }

    /// What goes out after the data of this event.
    pub fn after(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if let (Mode::Wrap, Event::Data(data)) = (self.mode, event)
            && !data.is_empty()
        {
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Ends the body, once: for [`Framing::UntilClose`], whose decoder gives no [`Event::End`].
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.mode != Mode::Plain && !self.ended {
            out.extend_from_slice(b"0\r\n\r\n");
        }
        self.ended = true;
    }
}

fn size_line(size: u64, out: &mut Vec<u8>) {
    encode::hexadecimal(size, out);
    out.extend_from_slice(b"\r\n");
}
