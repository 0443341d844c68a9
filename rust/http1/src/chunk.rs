//! The line in front of a chunk: its size, and extensions that are checked and dropped.
//!
//! Stricter than RFC 9112, 7.1.1 in what parsers disagree about: no white space outside quotes, no more than 16 digits, no
//! size over 2^63 - 1, CRLF only.

use crate::error::Error;
use crate::fields::is_token_byte;

/// The most bytes of extensions on one line.
const LINE_EXTENSIONS: u16 = 1024;

/// The most bytes of extensions over a body, beyond a sixteenth of its data.
const TOTAL_EXTENSIONS: u32 = 16 * 1024;

/// Where in the line the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Size,
    NameStart,
    Name,
    ValueStart,
    Value,
    Quoted,
    Escaped,
    AfterQuoted,
    LineFeed,
}

/// A size line that may arrive in pieces. Used again for each chunk of a body.
#[derive(Debug)]
pub(crate) struct SizeLine {
    size: u64,
    /// Bytes of extensions seen in this body, less what its data has paid for.
    total: u32,
    /// Bytes of extensions on this line.
    extensions: u16,
    digits: u8,
    place: Place,
}

impl SizeLine {
    pub fn new() -> Self {
        Self {
            size: 0,
            total: 0,
            extensions: 0,
            digits: 0,
            place: Place::Size,
        }
    }

    /// Takes bytes up to the end of the line: how many, and the size once the line is whole.
    pub fn take(&mut self, input: &[u8]) -> Result<(usize, Option<u64>), Error> {
        for (at, byte) in input.iter().enumerate() {
            if self.place == Place::LineFeed {
                return if *byte == b'\n' {
                    Ok((at + 1, Some(self.finish())))
                } else {
                    Err(Error::BadChunk)
                };
            }
            self.place = self.step(*byte)?;
        }
        Ok((input.len(), None))
    }

    /// Gives the size and makes ready for the next line.
    fn finish(&mut self) -> u64 {
        let paid = u32::try_from(self.size / 16).unwrap_or(u32::MAX);
        let size = self.size;
        *self = Self {
            total: self.total.saturating_sub(paid),
            ..Self::new()
        };
        size
    }

    fn step(&mut self, byte: u8) -> Result<Place, Error> {
        if self.place == Place::Size {
            return self.size_step(byte);
        }
        if byte != b'\r' || matches!(self.place, Place::Quoted | Place::Escaped) {
            self.count()?;
        }
        let next = match (self.place, byte) {
            (Place::NameStart | Place::Name, byte) if is_token_byte(byte) => Place::Name,
            (Place::Name, b'=') => Place::ValueStart,
            (Place::ValueStart, b'"') => Place::Quoted,
            (Place::ValueStart | Place::Value, byte) if is_token_byte(byte) => Place::Value,
            (Place::Quoted, b'"') => Place::AfterQuoted,
            (Place::Quoted, b'\\') => Place::Escaped,
            (Place::Quoted | Place::Escaped, b'\t' | b' '..=b'~' | 0x80..) => Place::Quoted,
            (Place::Name | Place::Value | Place::AfterQuoted, b';') => Place::NameStart,
            (Place::Name | Place::Value | Place::AfterQuoted, b'\r') => Place::LineFeed,
            _ => return Err(Error::BadChunkExtension),
        };
        Ok(next)
    }

    fn size_step(&mut self, byte: u8) -> Result<Place, Error> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b';' if self.digits > 0 => {
                self.count()?;
                return Ok(Place::NameStart);
            }
            b'\r' if self.digits > 0 => return Ok(Place::LineFeed),
            _ => return Err(Error::BadChunk),
        };
        self.digits += 1;
        if self.digits > 16 || self.size >= 1 << 59 {
            return Err(Error::ChunkTooLarge);
        }
        self.size = self.size << 4 | u64::from(digit);
        Ok(Place::Size)
    }

    /// Counts one byte of extensions.
    fn count(&mut self) -> Result<(), Error> {
        self.extensions += 1;
        self.total += 1;
        if self.extensions > LINE_EXTENSIONS || self.total > TOTAL_EXTENSIONS {
            return Err(Error::BadChunkExtension);
        }
        Ok(())
    }
}
