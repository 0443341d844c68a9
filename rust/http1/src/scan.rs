//! Finds the end of a head incrementally, and refuses what no head may hold.
//!
//! This is the strict gate in front of the parser: every byte is looked at once, however the head drips in, and what
//! goes on to [`crate::request`] or [`crate::response`] has lines that end in CRLF and nothing else, no zero byte and no
//! control character but HTAB. What the lines say is not looked at here.

use crate::error::Error;

/// What a head may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a head, its empty line included.
    pub head: usize,
    /// Header lines. More than [`MAX_HEADERS`] are never taken, whatever is set here.
    pub headers: usize,
    /// Bytes of a request target.
    pub target: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: 64 * 1024,
            headers: 128,
            target: 16 * 1024,
        }
    }
}

/// The most header lines that [`Limits::headers`] can allow.
pub const MAX_HEADERS: usize = 512;

/// The most bytes of a method; longer ones are refused.
pub(crate) const MAX_METHOD: usize = 64;

/// What a first line may hold beside the target: the method, two spaces and the version.
const AROUND_TARGET: usize = MAX_METHOD + 2 + "HTTP/1.1".len();

/// How far a head has been looked at. Start each head with `Scan::default()`.
#[derive(Default, Debug, Clone, Copy)]
pub struct Scan {
    /// Bytes that need not be looked at again.
    checked: usize,
    /// Where the current line begins.
    line: usize,
    /// Where the first line begins: 0, or 2 after a leading CRLF.
    first: usize,
}

impl Scan {
    /// The length of the head, its empty line included, once it is all there.
    ///
    /// `bytes` is everything received of this head so far: the same bytes at each call plus more. A single CRLF in
    /// front is permitted (RFC 9112, 2.2) and counts as part of the head; [`crate::request::parse`] skips it. Refuses at the
    /// first byte that no head may hold, and says the same however the bytes were split.
    pub fn find_end(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, Error> {
        loop {
            let at = next_control(bytes, self.checked);
            self.check_limits(at, limits)?;
            self.checked = at;
            match (bytes.get(at), bytes.get(at + 1)) {
                (None, _) | (Some(b'\r'), None) => return Ok(None),
                (Some(b'\t'), _) => self.checked = at + 1,
                (Some(b'\r'), Some(b'\n')) => {
                    let end = at + 2;
                    if end > limits.head {
                        return Err(Error::HeadTooLarge);
                    }
                    if at == self.line && at != 0 {
                        return if at == self.first {
                            Err(Error::BadStartLine)
                        } else {
                            Ok(Some(end))
                        };
                    }
                    if at == 0 {
                        self.first = end;
                    }
                    self.line = end;
                    self.checked = end;
                }
                (Some(b'\r'), Some(_)) => return Err(Error::BareCarriageReturn),
                (Some(b'\n'), _) => return Err(Error::BareLineFeed),
                (Some(0), _) => return Err(Error::Nul),
                (Some(_), _) => return Err(Error::ControlCharacter),
            }
        }
    }

    /// Refuses a head whose bytes before `at` are already too many. Comes before any other verdict on the byte at `at`, and
    /// the lower limit is the one that speaks, so that a head which breaks several rules meets the same one however it was
    /// split.
    fn check_limits(&self, at: usize, limits: &Limits) -> Result<(), Error> {
        let line = self.line.saturating_add(limits.target).saturating_add(AROUND_TARGET);
        if self.line == self.first && line <= limits.head && at > line {
            return Err(Error::UriTooLong);
        }
        if at > limits.head {
            return Err(Error::HeadTooLarge);
        }
        Ok(())
    }
}

/// The place of the first byte from `from` on that is below 0x20 or is 0x7F; the length when there is none.
fn next_control(bytes: &[u8], from: usize) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut at = from;
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        // Borrows run upwards only, so the lowest marked byte is always a true one.
        let word = u64::from_le_bytes(*word);
        let below = word.wrapping_sub(EACH * 0x20) & !word;
        let delete = word ^ (EACH * 0x7f);
        let marks = (below | (delete.wrapping_sub(EACH) & !delete)) & HIGH;
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter()
        .position(|byte| *byte < 0x20 || *byte == 0x7f)
        .map_or(bytes.len(), |found| at + found)
}
