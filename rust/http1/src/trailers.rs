//! Trailers: fields after a chunked body, collected, judged and handed out whole.
//!
//! As strict as a head. A field that would frame, route or steer a connection is refused, since a server that merges
//! trailers into headers would obey it. Other fields that may not stand in trailers (RFC 9110, 6.5.1), and those that
//! only a proxy may state, are dropped: some senders repeat them and mean no harm.

use crate::error::Error;
use crate::fields;
use crate::head::Head;
use crate::name::Name;
use crate::scan::{Limits, Scan};

/// What trailers may cost. The target limit bounds a first line, which trailers do not have.
const LIMITS: Limits = Limits {
    head: 8 * 1024,
    headers: 64,
    target: 8 * 1024,
};

/// The trailer fields of one body, in order, as they came.
#[derive(Debug)]
pub struct Trailers(Box<Head>);

impl Trailers {
    /// Known name, name as written, value.
    pub fn iter(&self) -> impl Iterator<Item = (Name, &[u8], &[u8])> {
        self.0.iter()
    }
}

impl PartialEq for Trailers {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Trailers {}

/// Trailer lines that are still arriving.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    raw: Vec<u8>,
    scan: Scan,
}

impl Collector {
    /// Takes bytes up to the empty line: how many, and the fields once they are whole. The first byte of all must not be a CR.
    pub fn take(&mut self, input: &[u8]) -> Result<(usize, Option<Trailers>), Error> {
        let before = self.raw.len();
        let room = LIMITS.head + 1 - before.min(LIMITS.head + 1);
        self.raw.extend_from_slice(&input[..input.len().min(room)]);
        match self.scan.find_end(&self.raw, &LIMITS) {
            Ok(Some(end)) => Ok((end - before, Some(parse(&self.raw[..end])?))),
            Ok(None) => Ok((input.len(), None)),
            Err(Error::HeadTooLarge | Error::UriTooLong) => Err(Error::TrailersTooLarge),
            Err(error) => Err(error),
        }
    }
}

fn parse(lines: &[u8]) -> Result<Trailers, Error> {
    let mut slots = [httparse::EMPTY_HEADER; LIMITS.headers];
    let fields = match httparse::parse_headers(lines, &mut slots) {
        Ok(httparse::Status::Complete((end, fields))) if end == lines.len() => fields,
        Ok(_) => return Err(Error::BadHeader),
        Err(httparse::Error::TooManyHeaders) => return Err(Error::TrailersTooLarge),
        Err(error) => return Err(fields::refusal(lines, error)),
    };
    let mut collected = Assembly::default();
    for field in fields {
        collected.add(field.name.as_bytes(), field.value)?;
    }
    Ok(collected.finish())
}

/// Trailers that are put together field by field.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    head: Box<Head>,
    fields: usize,
    bytes: usize,
}

impl Assembly {
    /// Judges one well-formed field and keeps it, unless it is to be dropped.
    pub fn add(&mut self, name: &[u8], value: &[u8]) -> Result<(), Error> {
        self.fields += 1;
        self.bytes += name.len() + value.len() + ": \r\n".len();
        if self.fields > LIMITS.headers || self.bytes > LIMITS.head {
            return Err(Error::TrailersTooLarge);
        }
        match Name::of(name) {
            id if is_refused(id) => return Err(Error::ForbiddenTrailer),
            id if is_dropped(id, name) => {}
            _ => self.head.append(name, value),
        }
        Ok(())
    }

    /// All that was kept.
    pub fn finish(self) -> Trailers {
        Trailers(self.head)
    }
}

/// Framing, routing, and what belongs to the connection.
fn is_refused(id: Name) -> bool {
    matches!(
        id,
        Name::Connection
            | Name::ContentLength
            | Name::Expect
            | Name::Host
            | Name::Http2Settings
            | Name::KeepAlive
            | Name::ProxyConnection
            | Name::Te
            | Name::Trailer
            | Name::TransferEncoding
            | Name::Upgrade
    )
}

/// Authentication, request modifiers, control data, content format (RFC 9110, 6.5.1), and what only a proxy may state.
fn is_dropped(id: Name, name: &[u8]) -> bool {
    match id {
        Name::Other => {
            let dropped: [&[u8]; 12] = [
                b"age",
                b"content-encoding",
                b"content-range",
                b"expires",
                b"if-match",
                b"if-modified-since",
                b"if-none-match",
                b"if-range",
                b"if-unmodified-since",
                b"max-forwards",
                b"range",
                b"www-authenticate",
            ];
            name.contains(&b'_') || dropped.iter().any(|other| name.eq_ignore_ascii_case(other))
        }
        // Everything else the engine looks at is about routing, identity or caching.
        Name::Server | Name::Via => false,
        _ => true,
    }
}
