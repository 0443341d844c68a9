//! Takes the bytes of a stream apart into frames, however they are split (RFC 9114, 7.1).
//!
//! What is a body goes one way and what the `h3` crate is to read, heads above all, the other. The crate keeps the frames
//! it reads whole, whatever length they claim, and keeps what it does not know until it has all of it; so long frames are
//! refused here, and frames that mean nothing are dropped.

use bytes::{Buf, Bytes, BytesMut};

/// Frame types (RFC 9114, 7.2).
mod kind {
    pub const DATA: u64 = 0x0;
    pub const HEADERS: u64 = 0x1;
    /// The last one that the crate has an opinion of: MAX_PUSH_ID.
    pub const LAST_KNOWN: u64 = 0xd;
}

/// The type of the stream that carries the frames of a whole connection.
const CONTROL_STREAM: u64 = 0;
/// The longest header of a frame: two numbers of eight bytes.
const LONGEST_HEADER: usize = 16;

/// What a stream brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes of a body.
    Body(Bytes),
    /// Bytes of any other frame, its header included.
    Frame(Bytes),
}

/// A frame is longer than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// Where in the frames of a stream we are.
#[derive(Debug)]
pub struct Frames {
    header: [u8; LONGEST_HEADER],
    have: usize,
    payload: Payload,
    left: u64,
    /// Bytes that a frame other than a body may have.
    longest: u64,
    /// The type of the stream comes first.
    untyped: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Payload {
    Body,
    Frame,
    Nothing,
}

impl Frames {
    /// At the beginning of the stream of a request.
    pub fn of_request(longest: u64) -> Self {
        Self {
            header: [0; LONGEST_HEADER],
            have: 0,
            payload: Payload::Nothing,
            left: 0,
            longest,
            untyped: false,
        }
    }

    /// At the beginning of a stream that goes one way: its type tells whether frames follow (RFC 9114, 6.2).
    pub fn of_one_way(longest: u64) -> Self {
        Self {
            untyped: true,
            ..Self::of_request(longest)
        }
    }

    /// True when no frame has begun that has not ended.
    pub fn is_between(&self) -> bool {
        self.have == 0 && self.left == 0
    }

    /// Takes the next piece off `bytes`; none when these are used up. `idle` is called for each frame that is dropped.
    ///
    /// # Errors
    /// A frame that is too long.
    pub fn take(&mut self, bytes: &mut Bytes, mut idle: impl FnMut()) -> Result<Option<Piece>, TooLong> {
        while !bytes.is_empty() {
            if self.left > 0 {
                let n = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                let piece = bytes.split_to(n);
                self.left -= n as u64;
                match self.payload {
                    Payload::Body => return Ok(Some(Piece::Body(piece))),
                    Payload::Frame => return Ok(Some(Piece::Frame(piece))),
                    Payload::Nothing => continue,
                }
            }
            self.header[self.have] = bytes.get_u8();
            self.have += 1;
            if self.untyped {
                if let Some(header) = self.take_type() {
                    return Ok(Some(Piece::Frame(header)));
                }
            } else if let Some((kind, length)) = read_header(&self.header[..self.have]) {
                let header = self.begin(kind, length)?;
                match self.payload {
                    Payload::Body if length > 0 => {}
                    Payload::Frame => return Ok(Some(Piece::Frame(header))),
                    Payload::Body | Payload::Nothing => idle(),
                }
            }
        }
        Ok(None)
    }

    /// The type of the stream, once it is whole. Only the control stream consists of frames.
    fn take_type(&mut self) -> Option<Bytes> {
        let (kind, _) = read_number(&self.header[..self.have])?;
        self.untyped = false;
        if kind != CONTROL_STREAM {
            self.payload = Payload::Frame;
            self.left = u64::MAX;
        }
        Some(self.take_header())
    }

    fn begin(&mut self, kind: u64, length: u64) -> Result<Bytes, TooLong> {
        self.left = length;
        self.payload = match kind {
            kind::DATA => Payload::Body,
            kind::HEADERS..=kind::LAST_KNOWN => Payload::Frame,
            _ => Payload::Nothing,
        };
        if self.payload != Payload::Body && length > self.longest {
            return Err(TooLong);
        }
        Ok(self.take_header())
    }

    fn take_header(&mut self) -> Bytes {
        let header = Bytes::copy_from_slice(&self.header[..self.have]);
        self.have = 0;
        header
    }
}

/// The header of a frame with a body of this length (RFC 9114, 7.2.1).
pub fn write_data_header(length: usize, out: &mut BytesMut) {
    out.extend_from_slice(&[kind::DATA as u8]);
    let length = length as u32;
    match length {
        0..=0x3f => out.extend_from_slice(&[length as u8]),
        0x40..=0x3fff => out.extend_from_slice(&(length as u16 | 0x4000).to_be_bytes()),
        _ => out.extend_from_slice(&(length | 0x8000_0000).to_be_bytes()),
    }
}

/// Type and length, once they are whole.
fn read_header(bytes: &[u8]) -> Option<(u64, u64)> {
    let (kind, rest) = read_number(bytes)?;
    let (length, _) = read_number(rest)?;
    Some((kind, length))
}

/// A number of variable length (RFC 9000, 16) and what follows it.
fn read_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let first = *bytes.first()?;
    let size = 1 << (first >> 6);
    let (own, rest) = bytes.split_at_checked(size)?;
    let number = own.iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
    Some((number & (u64::MAX >> (64 - 8 * size + 2)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(bytes: &[u8], step: usize) -> Result<(Vec<u8>, Vec<u8>, usize), TooLong> {
        let mut frames = Frames::of_request(100);
        let (mut body, mut rest, mut idle) = (Vec::new(), Vec::new(), 0);
        for chunk in bytes.chunks(step) {
            let mut chunk = Bytes::copy_from_slice(chunk);
            while let Some(piece) = frames.take(&mut chunk, || idle += 1)? {
                match piece {
                    Piece::Body(bytes) => body.extend_from_slice(&bytes),
                    Piece::Frame(bytes) => rest.extend_from_slice(&bytes),
                }
            }
        }
        assert!(frames.is_between());
        Ok((body, rest, idle))
    }

    #[test]
    fn frames_are_taken_apart_however_the_bytes_are_split() {
        let mut bytes = vec![1, 3, b'a', b'b', b'c'];
        bytes.extend([0, 2, b'd', b'e']);
        bytes.extend([0x21, 2, 9, 9]); // reserved (RFC 9114, 7.2.8)
        bytes.extend([0x40, 0x00, 0x40, 0x01, b'f']); // the longer way of writing the same
        bytes.extend([0, 0]);
        bytes.extend([1, 1, b'g']);
        for step in 1..=bytes.len() {
            let (body, rest, idle) = pieces(&bytes, step).unwrap();
            assert_eq!(body, b"def", "in steps of {step}");
            assert_eq!(rest, [1, 3, b'a', b'b', b'c', 1, 1, b'g'], "in steps of {step}");
            assert_eq!(idle, 2, "in steps of {step}");
        }
    }

    #[test]
    fn a_frame_that_claims_to_be_too_long_is_refused_before_it_comes() {
        for kind in [1, 4, 0x21] {
            let bytes = [kind, 0x40, 101];
            assert_eq!(pieces(&bytes, 1), Err(TooLong), "{kind}");
        }
        let mut frames = Frames::of_request(100);
        let mut body = Bytes::from_static(&[0, 0x80, 0xff, 0xff, 0xff, 1]);
        let piece = frames.take(&mut body, || ()).unwrap();
        assert_eq!(piece, Some(Piece::Body(Bytes::from_static(&[1]))), "a body may be long");
    }

    #[test]
    fn a_control_stream_has_frames_behind_its_type_and_other_streams_have_none() {
        for (bytes, passed) in [
            (&[0, 4, 1, 7, 0x21, 1, 9, 7, 0][..], &[0, 4, 1, 7, 7, 0][..]),
            (&[0x40, 0, 0x21, 1, 9, 7, 0][..], &[0x40, 0, 7, 0][..]),
            (&[2, 0x21, 1, 9][..], &[2, 0x21, 1, 9][..]),
        ] {
            for step in 1..=bytes.len() {
                let mut frames = Frames::of_one_way(100);
                let mut seen = Vec::new();
                for chunk in bytes.chunks(step) {
                    let mut chunk = Bytes::copy_from_slice(chunk);
                    while let Some(Piece::Frame(bytes)) = frames.take(&mut chunk, || ()).unwrap() {
                        seen.extend_from_slice(&bytes);
                    }
                }
                assert_eq!(seen, passed, "in steps of {step}");
            }
        }
    }

    #[test]
    fn headers_of_bodies_read_as_they_were_written() {
        for length in [1, 0x3f, 0x40, 0x3fff, 0x4000, 0x1_0000] {
            let mut out = BytesMut::new();
            write_data_header(length, &mut out);
            assert_eq!(read_header(&out), Some((0, length as u64)));
        }
    }

    #[test]
    fn numbers_have_four_lengths() {
        // The examples of RFC 9000, A.1.
        let eight = [0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c];
        assert_eq!(read_number(&eight), Some((151_288_809_941_952_652, &[][..])));
        assert_eq!(read_number(&[0x9d, 0x7f, 0x3e, 0x7d, 7]), Some((494_878_333, &[7][..])));
        assert_eq!(read_number(&[0x7b, 0xbd]), Some((15_293, &[][..])));
        assert_eq!(read_number(&[0x25]), Some((37, &[][..])));
        assert_eq!(read_number(&[0x40, 0x25]), Some((37, &[][..])));
        assert_eq!(read_number(&eight[..7]), None);
    }
}
