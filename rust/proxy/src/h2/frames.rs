//! Reads the nine-byte headers of frames as bytes go by, however they are split (RFC 9113, 4.1). Looks at nothing else.

/// Frame types (RFC 9113, 6).
pub mod kind {
    #![allow(missing_docs)]
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

const HEADER: usize = 9;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// What the header of a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Bytes of its payload.
    pub length: usize,
    /// Its type.
    pub kind: u8,
    flags: u8,
    /// Its stream; 0 is the connection.
    pub stream: u32,
    /// The first four bytes of its payload as a number, if they came with the header: the code of a RST_STREAM.
    pub code: Option<u32>,
}

impl Frame {
    /// It answers a SETTINGS or a PING.
    pub fn is_ack(self) -> bool {
        self.flags & ACK != 0
    }

    /// Nothing follows on its stream.
    pub fn ends_stream(self) -> bool {
        self.flags & END_STREAM != 0
    }
}

/// Where in the stream of frames we are.
#[derive(Debug)]
pub struct Frames {
    header: [u8; HEADER],
    have: usize,
    /// Bytes that belong to the current payload, or to the preface.
    skip: usize,
    /// The payload is that of a body.
    in_body: bool,
    /// More of a header block is to come.
    in_block: bool,
}

impl Frames {
    /// At the beginning, behind so many bytes of something else.
    pub fn after(preface: usize) -> Self {
        Self {
            header: [0; HEADER],
            have: 0,
            skip: preface,
            in_body: false,
            in_block: false,
        }
    }

    /// True when a frame, or a header block, has begun and is not whole. Bodies do not count: they have a pace of their own.
    pub fn is_waiting(&self) -> bool {
        self.have > 0 || self.in_block || (self.skip > 0 && !self.in_body)
    }

    /// Takes the next bytes and tells of each frame that begins in them.
    pub fn pass(&mut self, mut bytes: &[u8], mut seen: impl FnMut(Frame)) {
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            if bytes.is_empty() {
                return;
            }
            let more = (HEADER - self.have).min(bytes.len());
            self.header[self.have..self.have + more].copy_from_slice(&bytes[..more]);
            self.have += more;
            bytes = &bytes[more..];
            if self.have < HEADER {
                return;
            }
            self.have = 0;
            let [a, b, c, kind, flags, stream @ ..] = self.header;
            let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
            self.skip = length;
            self.in_body = kind == kind::DATA;
            if matches!(kind, kind::HEADERS | kind::CONTINUATION) {
                self.in_block = flags & END_HEADERS == 0;
            }
            let code = bytes.first_chunk().filter(|_| length >= 4).copied();
            seen(Frame {
                length,
                kind,
                flags,
                stream: u32::from_be_bytes(stream) & (u32::MAX >> 1),
                code: code.map(u32::from_be_bytes),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_whole_is_waited_for_unless_it_is_a_body() {
        let headers = |flags| [0, 0, 2, kind::HEADERS, flags, 0, 0, 0, 1, b'a', b'b'];
        let mut frames = Frames::after(0);
        let mut pass = |bytes: &[u8]| {
            frames.pass(bytes, |_| {});
            frames.is_waiting()
        };
        assert!(pass(&headers(END_HEADERS)[..3]));
        assert!(pass(&headers(END_HEADERS)[3..10]));
        assert!(!pass(&headers(END_HEADERS)[10..]));
        assert!(pass(&headers(0)), "a block goes on in the next frame");
        assert!(!pass(&[0, 0, 0, kind::CONTINUATION, END_HEADERS, 0, 0, 0, 1]));
        assert!(!pass(&[0, 0, 9, kind::DATA, 0, 0, 0, 0, 1, b'a']));
    }

    #[test]
    fn frames_are_seen_however_the_bytes_are_split() {
        let mut bytes = b"preface".to_vec();
        bytes.extend([0, 0, 3, kind::DATA, 1, 0, 0, 0, 1, b'a', b'b', b'c']);
        bytes.extend([0, 0, 0, kind::SETTINGS, 1, 0, 0, 0, 0]);
        bytes.extend([0, 1, 0, kind::HEADERS, 4, 0, 0, 0, 3]);
        bytes.extend([7; 256]);
        bytes.extend([0, 0, 8, kind::PING, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        for step in 1..bytes.len() {
            let mut frames = Frames::after(7);
            let mut seen = Vec::new();
            for piece in bytes.chunks(step) {
                frames.pass(piece, |frame| {
                    seen.push((frame.kind, frame.stream, frame.length, frame.is_ack()));
                });
            }
            let expected = [
                (kind::DATA, 1, 3, true),
                (kind::SETTINGS, 0, 0, true),
                (kind::HEADERS, 3, 256, false),
                (kind::PING, 0, 8, false),
            ];
            assert_eq!(seen, expected, "in pieces of {step}");
        }
    }
}
