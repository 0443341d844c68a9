//! Parses a request head: syntax, target, Host, framing, connection options.
//!
//! What comes out is unambiguous: a method, a target in origin form or `*`, one authority, one framing. Which lines are
//! hop by hop is left to [`crate::hop`]; what the target leads to is the router's business.

use crate::body::Framing;
use crate::error::Error;
use crate::fields::{self, Facts};
use crate::head::{Head, Version};
use crate::name::Name;
use crate::scan::{Limits, MAX_METHOD};
use std::net::Ipv6Addr;

/// What a request head says about the connection and the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Where the body ends. Never [`Framing::UntilClose`].
    pub framing: Framing,
    /// The client wants to send more requests on this connection.
    pub keep_alive: bool,
    /// The client waits for a 100 before it sends the body. Only when there is a body.
    pub expect_continue: bool,
    /// The client offers to change to one other protocol, such as `websocket`. Never `h2c`, never with a body.
    pub upgrade: bool,
}

/// Parses exactly one head, as measured by [`crate::scan::Scan::find_end`], which must have passed it.
///
/// Clears `head` and fills it: method, version, target, authority, and all header lines as they came. A target in absolute form is split:
/// its authority is the request's, replaces the value of the Host line, and what follows is the target. Errors leave
/// `head` in an unspecified state.
pub fn parse(bytes: &[u8], limits: &Limits, head: &mut Head) -> Result<Request, Error> {
    let bytes = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
    let mut slots = fields::slots();
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(bytes, &mut slots) {
        Ok(httparse::Status::Complete(end)) if end == bytes.len() => {}
        Ok(_) => return Err(Error::BadStartLine),
        Err(error) => return Err(refusal(bytes, error, limits)),
    }
    let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(Error::BadStartLine);
    };
    let (method, target) = (method.as_bytes(), target.as_bytes());
    if method.len() > MAX_METHOD {
        return Err(Error::BadMethod);
    }
    if target.len() > limits.target {
        return Err(Error::UriTooLong);
    }

    head.clear();
    head.load(bytes);
    head.set_version(if minor == 1 { Version::Http11 } else { Version::Http10 });
    head.set_method_loaded(bytes, method);
    let facts = Facts::collect(parsed.headers, bytes, limits, head)?;
    place(method, target, bytes, &facts, minor, head)?;
    judge(&facts, minor)
}

/// Sets target and authority.
fn place(method: &[u8], target: &[u8], bytes: &[u8], facts: &Facts, minor: u8, head: &mut Head) -> Result<(), Error> {
    if method == b"CONNECT" {
        return Err(Error::ConnectRefused);
    }
    if !is_target(target) {
        return Err(Error::BadTarget);
    }
    if facts.hosts > 1 {
        return Err(Error::DoubledHost);
    }
    match head.get(Name::Host) {
        Some(host) if !is_authority(host) => return Err(Error::BadHost),
        None if minor == 1 => return Err(Error::MissingHost),
        _ => {}
    }
    if target[0] == b'/' || (target == b"*" && method == b"OPTIONS") {
        head.set_target_loaded(bytes, target);
        head.set_authority_from_host();
        return Ok(());
    }
    place_absolute(method, target, head)
}

/// Printable ASCII without a fragment.
pub(crate) fn is_target(target: &[u8]) -> bool {
    target.iter().all(|byte| matches!(byte, b'!'..=b'~') && *byte != b'#')
}

/// Splits a target in absolute form (RFC 9112, 3.2.2). Its authority stands above the Host line.
fn place_absolute(method: &[u8], target: &[u8], head: &mut Head) -> Result<(), Error> {
    let rest = after_scheme(target).ok_or(Error::BadTarget)?;
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?'))
        .unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    if !is_authority(authority) {
        return Err(Error::BadHost);
    }
    match rest.first() {
        Some(b'/') => head.set_target(rest),
        None if method == b"OPTIONS" => head.set_target(b"*"),
        _ => head.set_target_with_root(rest),
    }
    head.set_authority(authority);
    head.set_host_from_authority();
    Ok(())
}

/// What follows `http://` or `https://`.
fn after_scheme(target: &[u8]) -> Option<&[u8]> {
    let colon = memchr::memchr(b':', target)?;
    let (scheme, rest) = target.split_at(colon);
    let known = scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
    rest.strip_prefix(b"://").filter(|_| known)
}

/// Framing, persistence, expectation and upgrade from what the lines said.
fn judge(facts: &Facts, minor: u8) -> Result<Request, Error> {
    let framing = facts.framing().unwrap_or(Framing::Empty);
    if framing == Framing::Chunked && minor == 0 {
        return Err(Error::BadTransferEncoding);
    }
    // An expectation in HTTP/1.0 is to be ignored (RFC 9110, 10.1.1).
    if facts.expect_other && minor == 1 {
        return Err(Error::BadExpectation);
    }
    let has_body = !matches!(framing, Framing::Empty | Framing::Length(0));
    Ok(Request {
        framing,
        keep_alive: facts.persists(minor),
        expect_continue: facts.expect_continue && minor == 1 && has_body,
        upgrade: facts.upgrade() && minor == 1 && !has_body,
    })
}

/// `name`, `name:port`, `[address]`, `[address]:port`. Names are letters, digits, `-`, `.`, `_` and `~`, without empty labels in
/// front or between: narrower than RFC 3986, 3.2.2, since what else it permits is read differently by different servers.
pub(crate) fn is_authority(authority: &[u8]) -> bool {
    let (host, port) = match authority {
        [b'[', rest @ ..] => match memchr::memchr(b']', rest) {
            Some(end) if is_ipv6(&rest[..end]) => (&authority[..end + 2], &rest[end + 1..]),
            _ => return false,
        },
        _ => authority.split_at(memchr::memchr(b':', authority).unwrap_or(authority.len())),
    };
    let port_fits = match port {
        [] => true,
        [b':', digits @ ..] => is_port(digits),
        _ => false,
    };
    port_fits && (host.first() == Some(&b'[') || is_name(host))
}

fn is_ipv6(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

fn is_port(digits: &[u8]) -> bool {
    let plain = !digits.is_empty() && digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit);
    plain
        && matches!(
            digits
                .iter()
                .fold(0u32, |sum, digit| sum * 10 + u32::from(digit - b'0')),
            1..=65535
        )
}

fn is_name(host: &[u8]) -> bool {
    let mut after_dot = true;
    for byte in host {
        match byte {
            b'.' if after_dot => return false,
            b'.' => after_dot = true,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => after_dot = false,
            _ => return false,
        }
    }
    !host.is_empty() && host.len() <= 255
}

/// Names the rule that a head breaks, which the parser has refused.
#[cold]
fn refusal(bytes: &[u8], error: httparse::Error, limits: &Limits) -> Error {
    let end = memchr::memchr(b'\r', bytes).unwrap_or(bytes.len());
    let (line, lines) = (&bytes[..end], bytes.get(end + 2..).unwrap_or_default());
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Error::BadStartLine;
    };
    if !fields::is_token(method) || method.len() > MAX_METHOD {
        return Error::BadMethod;
    }
    if target.len() > limits.target {
        return Error::UriTooLong;
    }
    match version {
        b"HTTP/1.0" | b"HTTP/1.1" => {}
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
            return Error::BadVersion;
        }
        _ => return Error::BadStartLine,
    }
    match error {
        httparse::Error::Token => Error::BadTarget,
        error => fields::refusal(lines, error),
    }
}
