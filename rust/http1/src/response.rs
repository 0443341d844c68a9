//! Parses a response head, given the request it answers.
//!
//! As strict as [`crate::request`]: an answer whose end two parsers could see in two places is refused, and the caller
//! answers 502. Heads up to [`Limits::head`] pass: big cookies are not an error.

use crate::body::Framing;
use crate::error::Error;
use crate::fields::{self, Facts};
use crate::head::{Head, Version};
use crate::scan::Limits;

/// What a response head says about the connection and the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    /// Where the body ends.
    pub framing: Framing,
    /// The connection may be used again once the body has been read.
    pub keep_alive: bool,
    /// A 1xx that another head will follow; 101 is none.
    pub interim: bool,
    /// A 101 to a request that asked for it: what follows the head is no longer HTTP.
    pub upgrade: bool,
}

/// Parses exactly one head, as measured by [`crate::scan::Scan::find_end`], which must have passed it.
///
/// `request_method` is the method of the request as it was sent, `upgrade_asked` whether that request carried an
/// Upgrade. Clears `head` and fills it: version, status, reason and all header lines as they came. Errors leave `head` in an unspecified
/// state. A Content-Length beside a body that cannot be (HEAD, 304) describes what a GET would bring and stays in `head`.
pub fn parse(
    bytes: &[u8],
    limits: &Limits,
    request_method: &[u8],
    upgrade_asked: bool,
    head: &mut Head,
) -> Result<Response, Error> {
    let mut slots = fields::slots();
    let mut parsed = httparse::Response::new(&mut []);
    let strict = httparse::ParserConfig::default();
    match strict.parse_response_with_uninit_headers(&mut parsed, bytes, &mut slots) {
        Ok(httparse::Status::Complete(end)) if end == bytes.len() && bytes[0] == b'H' => {}
        Ok(_) => return Err(Error::BadStartLine),
        Err(error) => return Err(refusal(bytes, error)),
    }
    let (Some(minor), Some(status)) = (parsed.version, parsed.code) else {
        return Err(Error::BadStartLine);
    };
    if status < 100 {
        return Err(Error::BadStatus);
    }

    head.clear();
    head.load(bytes);
    head.set_version(if minor == 1 { Version::Http11 } else { Version::Http10 });
    head.set_status_loaded(bytes, status, reason(bytes));
    let facts = Facts::collect(parsed.headers, bytes, limits, head)?;
    judge(&facts, minor, status, request_method, upgrade_asked)
}

/// What follows `HTTP/1.1 200 ` in the first line. The parser hands out an empty one when it is not plain ASCII.
fn reason(bytes: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'\r', bytes).unwrap_or(bytes.len());
    bytes.get("HTTP/1.1 200 ".len()..end).unwrap_or_default()
}

/// Framing, persistence and upgrade from status and lines. `minor` is that of the version.
pub(crate) fn judge(
    facts: &Facts,
    minor: u8,
    status: u16,
    method: &[u8],
    upgrade_asked: bool,
) -> Result<Response, Error> {
    let stated = facts.framing();
    if stated == Some(Framing::Chunked) && minor == 0 {
        return Err(Error::BadTransferEncoding);
    }
    // Neither may carry a framing header (RFC 9110, 8.6; RFC 9112, 6.1). A zero length is common and harmless.
    let bodiless = matches!(status, 100..=199 | 204);
    if bodiless && !matches!(stated, None | Some(Framing::Length(0))) {
        return Err(Error::UnexpectedBody);
    }
    let upgrade = status == 101;
    if upgrade && !(upgrade_asked && facts.upgrade() && minor == 1) {
        return Err(Error::BadUpgrade);
    }
    let framing = match stated {
        _ if bodiless || status == 304 || method == b"HEAD" => Framing::Empty,
        Some(framing) => framing,
        None => Framing::UntilClose,
    };
    Ok(Response {
        framing,
        keep_alive: facts.persists(minor) && framing != Framing::UntilClose && !upgrade,
        interim: status < 200 && !upgrade,
        upgrade,
    })
}

/// Names the rule that a head breaks, which the parser has refused.
#[cold]
fn refusal(bytes: &[u8], error: httparse::Error) -> Error {
    let end = memchr::memchr(b'\r', bytes).unwrap_or(bytes.len());
    let (line, lines) = (&bytes[..end], bytes.get(end + 2..).unwrap_or_default());
    match line {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', b' ', rest @ ..] => match rest {
            [a, b, c] | [a, b, c, b' ', ..] if [a, b, c].iter().all(|byte| byte.is_ascii_digit()) => {
                fields::refusal(lines, error)
            }
            _ => Error::BadStatus,
        },
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor, ..] if major.is_ascii_digit() && minor.is_ascii_digit() => {
            Error::BadVersion
        }
        _ => Error::BadStartLine,
    }
}
