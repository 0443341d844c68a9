//! Heads that come in parts: from HTTP/2 and HTTP/3, where a field is a pair and no line.
//!
//! What is filled here goes on as HTTP/1, so nothing passes that [`crate::request`] and [`crate::response`] would refuse
//! in a line: the same rules judge authority, target, framing and fields. What those protocols forbid besides
//! (RFC 9113, 8.2 and 8.3; RFC 9114, 4.2 and 4.3) is refused here too. Whoever calls this has no say in it.

use crate::body::{Framing, Trailers};
use crate::error::Error;
use crate::fields::{self, Facts};
use crate::head::{Head, Version};
use crate::name::Name;
use crate::request::{self, Request};
use crate::response::{self, Response};
use crate::scan::{Limits, MAX_METHOD};
use crate::trailers;

/// Bytes that HTTP/2 counts for a field beside its name and value (RFC 9113, 6.5.2).
const AROUND_FIELD: usize = 32;

/// The pseudo-header fields of a request.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// `:method`.
    pub method: &'a [u8],
    /// `:authority`; `None` where only a Host field says it.
    pub authority: Option<&'a [u8]>,
    /// `:path`.
    pub path: &'a [u8],
    /// The message ends with its head.
    pub ended: bool,
}

/// Fills a request head. `fields` are the regular fields in their order; cookies that came in crumbs are joined.
///
/// Clears `head` first; errors leave it in an unspecified state. The answer's framing is what the next server is to be told:
/// [`Framing::Chunked`] where the length is not known.
pub fn request<'a>(
    version: Version,
    parts: &Parts<'_>,
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    limits: &Limits,
    head: &mut Head,
) -> Result<Request, Error> {
    let Parts { method, path, .. } = *parts;
    head.clear();
    head.set_version(version);
    if !fields::is_token(method) || method.len() > MAX_METHOD {
        return Err(Error::BadMethod);
    }
    if path.len() > limits.target {
        return Err(Error::UriTooLong);
    }
    if method == b"CONNECT" {
        return Err(Error::ConnectRefused);
    }
    if !request::is_target(path) || !(path.starts_with(b"/") || (path == b"*" && method == b"OPTIONS")) {
        return Err(Error::BadTarget);
    }
    head.set_method(method);
    head.set_target(path);
    let spent = method.len() + path.len() + parts.authority.map_or(0, <[u8]>::len) + 3 * AROUND_FIELD;
    let facts = fill(fields, limits, spent, head)?;
    place_authority(parts.authority, &facts, head)?;
    if facts.expect_other {
        return Err(Error::BadExpectation);
    }
    let framing = match facts.framing() {
        Some(Framing::Length(length)) if parts.ended && length > 0 => return Err(Error::BadLength),
        _ if parts.ended => Framing::Empty,
        Some(framing) => framing,
        None => Framing::Chunked,
    };
    Ok(Request {
        framing,
        keep_alive: true,
        expect_continue: facts.expect_continue && !parts.ended,
        upgrade: false,
    })
}

/// Makes a request for a WebSocket (RFC 8441, 5) what it is in HTTP/1: a GET with Upgrade, and with the key that the
/// handshake needs there (RFC 6455, 4.1). `parts.method` is `CONNECT`. Other protocols are refused: what they mean as an
/// upgrade is not for us to say, and one of them, `h2c`, would be a way past everything here.
pub fn upgrade<'a>(
    version: Version,
    parts: &Parts<'_>,
    protocol: &[u8],
    key: &[u8],
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    limits: &Limits,
    head: &mut Head,
) -> Result<Request, Error> {
    if protocol != b"websocket" || parts.ended {
        return Err(Error::BadUpgrade);
    }
    let get = Parts {
        method: b"GET",
        ended: true,
        ..*parts
    };
    let mut parsed = request(version, &get, fields, limits, head)?;
    head.set(b"sec-websocket-key", key);
    head.append(b"upgrade", protocol);
    parsed.upgrade = true;
    Ok(parsed)
}

/// Fills the head of an answer with this status to a request of this method. `ended`: there is nothing behind it.
pub fn response<'a>(
    version: Version,
    status: u16,
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ended: bool,
    request_method: &[u8],
    limits: &Limits,
    head: &mut Head,
) -> Result<Response, Error> {
    head.clear();
    head.set_version(version);
    if !(100..1000).contains(&status) || status == 101 {
        return Err(Error::BadStatus);
    }
    head.set_status(status, b"");
    let facts = fill(fields, limits, 0, head)?;
    let mut answer = response::judge(&facts, 1, status, request_method, false)?;
    answer.framing = match answer.framing {
        Framing::Length(length) if ended && length > 0 => return Err(Error::Truncated),
        _ if ended => Framing::Empty,
        framing => framing,
    };
    answer.keep_alive = true;
    Ok(answer)
}

impl Trailers {
    /// Judges the fields behind a body as those of a chunked one are.
    pub fn assemble<'a>(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Result<Self, Error> {
        let mut collected = trailers::Assembly::default();
        for (name, value) in fields {
            check(name, value)?;
            collected.add(name, value)?;
        }
        Ok(collected.finish())
    }
}

/// Stores and judges the regular fields.
fn fill<'a>(
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    limits: &Limits,
    mut spent: usize,
    head: &mut Head,
) -> Result<Facts, Error> {
    let mut facts = Facts::default();
    let mut count = 0_usize;
    let mut crumbs = Vec::new();
    let mut cookies = 0_usize;
    for (name, value) in fields {
        spent += name.len() + value.len() + AROUND_FIELD;
        count += 1;
        if spent > limits.head {
            return Err(Error::HeadTooLarge);
        }
        check(name, value)?;
        let id = Name::of(name);
        if id == Name::Cookie {
            cookies += 1;
            if cookies > 1 {
                if cookies == 2 {
                    crumbs.extend_from_slice(head.get(Name::Cookie).unwrap_or_default());
                }
                // An empty crumb would leave white space at the end of the line, which no line has.
                if !(crumbs.is_empty() || value.is_empty()) {
                    crumbs.extend_from_slice(b"; ");
                }
                crumbs.extend_from_slice(value);
                continue;
            }
        }
        if count - cookies.saturating_sub(1) > limits.headers {
            return Err(Error::TooManyHeaders);
        }
        refuse_connection(id, value)?;
        head.append(name, value);
        facts.judge(id, value)?;
    }
    if cookies > 1 {
        head.set(b"cookie", &crumbs);
    }
    Ok(facts)
}

/// The name is a token in lower case, the value holds no control character and has no white space around it.
fn check(name: &[u8], value: &[u8]) -> Result<(), Error> {
    if !name
        .iter()
        .all(|byte| fields::is_token_byte(*byte) && !byte.is_ascii_uppercase())
        || name.is_empty()
    {
        return Err(Error::BadHeader);
    }
    for byte in value {
        match byte {
            b'\r' => return Err(Error::BareCarriageReturn),
            b'\n' => return Err(Error::BareLineFeed),
            0 => return Err(Error::Nul),
            b'\t' => {}
            0..=0x1f | 0x7f => return Err(Error::ControlCharacter),
            _ => {}
        }
    }
    if fields::trim(value).len() != value.len() {
        return Err(Error::BadHeader);
    }
    Ok(())
}

/// Fields that speak of a connection have no place here (RFC 9113, 8.2.2).
fn refuse_connection(id: Name, value: &[u8]) -> Result<(), Error> {
    match id {
        Name::Connection | Name::KeepAlive | Name::ProxyConnection | Name::Upgrade | Name::Http2Settings => {
            Err(Error::BadConnection)
        }
        Name::TransferEncoding => Err(Error::BadTransferEncoding),
        Name::Te if !value.eq_ignore_ascii_case(b"trailers") => Err(Error::BadConnection),
        _ => Ok(()),
    }
}

/// `:authority` stands above Host and both must say the same (RFC 9113, 8.3.1): two that differ are read in two ways.
fn place_authority(authority: Option<&[u8]>, facts: &Facts, head: &mut Head) -> Result<(), Error> {
    if facts.hosts > 1 {
        return Err(Error::DoubledHost);
    }
    match (authority, head.get(Name::Host)) {
        (None, None) => return Err(Error::MissingHost),
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => return Err(Error::BadHost),
        _ => {}
    }
    if let Some(authority) = authority {
        head.set_authority(authority);
        head.set_host_from_authority();
    } else {
        head.set_authority_from_host();
    }
    if request::is_authority(head.authority()) {
        Ok(())
    } else {
        Err(Error::BadHost)
    }
}

#[cfg(test)]
mod tests;
