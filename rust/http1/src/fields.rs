//! What header lines say about framing and the connection, read alike in requests and responses.
//!
//! The lines come from the parser one by one and are stored in the head as they came; on the way, those that decide
//! where a message ends are judged. A message whose end two parsers could see in two places is refused here.

use crate::body::Framing;
use crate::error::Error;
use crate::head::Head;
use crate::name::Name;
use crate::scan::{Limits, MAX_HEADERS};
use std::mem::MaybeUninit;

/// Room for the parser's view of the lines, on the stack.
pub(crate) type Slots<'b> = [MaybeUninit<httparse::Header<'b>>; MAX_HEADERS];

/// Slots that nothing has been written to.
pub(crate) fn slots<'b>() -> Slots<'b> {
    [const { MaybeUninit::uninit() }; MAX_HEADERS]
}

/// The most options that Connection may list, over all its lines.
const MAX_CONNECTION_OPTIONS: u32 = 64;

/// What was read from the lines of one head.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    length: Option<u64>,
    chunked: bool,
    connection_options: u32,
    /// Connection lists `close`.
    pub close: bool,
    /// Connection lists `keep-alive`.
    pub keep_alive: bool,
    connection_upgrade: bool,
    upgrade_lines: u32,
    upgrade_fits: bool,
    /// Number of Host lines.
    pub hosts: u32,
    /// Expect lists `100-continue`.
    pub expect_continue: bool,
    /// Expect lists something else.
    pub expect_other: bool,
}

impl Facts {
    /// Stores the lines in `head`, which has `bytes` loaded, and judges them.
    pub fn collect(
        headers: &[httparse::Header<'_>],
        bytes: &[u8],
        limits: &Limits,
        head: &mut Head,
    ) -> Result<Self, Error> {
        if headers.len() > limits.headers {
            return Err(Error::TooManyHeaders);
        }
        let mut facts = Self::default();
        for line in headers {
            let id = head.append_loaded(bytes, line.name.as_bytes(), line.value);
            facts.judge(id, line.value)?;
        }
        if facts.chunked && facts.length.is_some() {
            return Err(Error::BothLengths);
        }
        Ok(facts)
    }

    /// Takes one line into account.
    pub fn judge(&mut self, id: Name, value: &[u8]) -> Result<(), Error> {
        match id {
            Name::ContentLength => self.content_length(value),
            Name::TransferEncoding => self.transfer_encoding(value),
            Name::Connection => self.connection(value),
            Name::Host => {
                self.hosts += 1;
                Ok(())
            }
            Name::Upgrade => {
                self.upgrade_lines += 1;
                self.upgrade_fits = is_other_protocol(value);
                Ok(())
            }
            Name::Expect => {
                let met = value.eq_ignore_ascii_case(b"100-continue");
                self.expect_continue |= met;
                self.expect_other |= !met;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A second line is refused even when it says the same: nobody sends one without a reason (RFC 9112, 6.3 permits it).
    fn content_length(&mut self, value: &[u8]) -> Result<(), Error> {
        if self.length.is_some() {
            return Err(Error::DoubledLength);
        }
        self.length = Some(decimal(value).ok_or(Error::BadLength)?);
        Ok(())
    }

    /// One coding, `chunked`. Others could be forwarded only by a proxy that knows how to end them.
    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Error> {
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Error::BadTransferEncoding);
        }
        self.chunked = true;
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) -> Result<(), Error> {
        for option in elements(value) {
            self.connection_options += 1;
            if self.connection_options > MAX_CONNECTION_OPTIONS {
                return Err(Error::BadConnection);
            }
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            self.connection_upgrade |= option.eq_ignore_ascii_case(b"upgrade");
        }
        Ok(())
    }

    /// The framing that the lines state, if they state any.
    pub fn framing(&self) -> Option<Framing> {
        match self.length {
            _ if self.chunked => Some(Framing::Chunked),
            Some(length) => Some(Framing::Length(length)),
            None => None,
        }
    }

    /// An upgrade to one protocol other than `h2c`, with its Connection option.
    pub fn upgrade(&self) -> bool {
        self.connection_upgrade && self.upgrade_lines == 1 && self.upgrade_fits
    }

    /// Whether the connection outlives the message, by its version and Connection.
    pub fn persists(&self, minor: u8) -> bool {
        !self.close && (minor == 1 || self.keep_alive)
    }
}

/// The elements of a comma-separated list, without the white space around them and without empty ones.
pub(crate) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| *byte == b',')
        .map(trim)
        .filter(|element| !element.is_empty())
}

/// Without spaces and tabs at both ends.
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Plain digits, 19 at most, up to 2^63 - 1: what every reader of a length takes for the same number.
fn decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 19 || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = value.iter().fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    (number <= i64::MAX as u64).then_some(number)
}

/// `protocol` or `protocol/version`, one of them, and not `h2c`, which would turn the connection into something that is
/// neither routed nor filtered.
fn is_other_protocol(value: &[u8]) -> bool {
    let mut parts = value.split(|byte| *byte == b'/');
    let name = parts.next().unwrap_or_default();
    let version = parts.next();
    parts.next().is_none()
        && is_token(name)
        && version.is_none_or(is_token)
        && !name.eq_ignore_ascii_case(b"h2c")
        && !name.eq_ignore_ascii_case(b"h2")
}

/// A token (RFC 9110, 5.6.2).
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| is_token_byte(*byte))
}

/// A byte that may stand in a token.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Names the rule that a block of header lines breaks, which the parser has refused. `lines` is what follows the first
/// line.
#[cold]
pub(crate) fn refusal(lines: &[u8], error: httparse::Error) -> Error {
    if error == httparse::Error::TooManyHeaders {
        return Error::TooManyHeaders;
    }
    lines
        .split(|byte| *byte == b'\n')
        .find_map(line_refusal)
        .unwrap_or(Error::BadHeader)
}

/// The rule that one header line breaks.
fn line_refusal(line: &[u8]) -> Option<Error> {
    if line.is_empty() || line == b"\r" {
        return None;
    }
    if matches!(line[0], b' ' | b'\t') {
        return Some(Error::ObsFold);
    }
    let Some(colon) = memchr::memchr(b':', line) else {
        return Some(Error::BadHeader);
    };
    let name = &line[..colon];
    match trim(name) {
        trimmed if is_token(name) && trimmed == name => None,
        trimmed if is_token(trimmed) => Some(Error::SpaceBeforeColon),
        _ => Some(Error::BadHeader),
    }
}
