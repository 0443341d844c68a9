//! Writes heads.
//!
//! Framing and connection lines are written here and nowhere else, from [`Framing`] and not from what the head holds: lines of the
//! head that would contradict are left out. Nothing is checked: who fills or edits a head keeps CR, LF and NUL out of it.

use crate::body::Framing;
use crate::head::{Head, Version};
use crate::name::Name;

/// A request line with HTTP/1.1, Host, the lines of the head in order, and the framing.
///
/// Host is the Host line of the head, else its authority. Upgrade is left out: see [`request_upgrade`].
/// `Framing::UntilClose` does not exist for a request and is written as an empty body.
pub fn request(head: &Head, framing: Framing, keep_alive: bool, out: &mut Vec<u8>) {
    debug_assert!(framing != Framing::UntilClose, "a request body has an end of its own");
    request_start(head, out);
    head.write_lines(
        OURS | Name::Host.bit() | Name::ContentLength.bit() | Name::Upgrade.bit(),
        out,
    );
    framing_line(framing, out);
    if !keep_alive {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// A request that offers an upgrade, without a body: as [`request`], with the Upgrade line of the head and its
/// Connection option.
pub fn request_upgrade(head: &Head, out: &mut Vec<u8>) {
    request_start(head, out);
    head.write_lines(OURS | Name::Host.bit() | Name::ContentLength.bit(), out);
    out.extend_from_slice(b"Connection: upgrade\r\n\r\n");
}

/// A status line with HTTP/1.1, the lines of the head in order, and the framing.
///
/// `version` is the client's; HTTP/1.0 knows no chunks, so use [`Framing::for_client`] first. `head_request`: the answer is to a HEAD. An
/// answer that cannot have a body keeps the Content-Length it came with (HEAD, 304) unless `framing` states one; 1xx and 204
/// get none. [`Framing::Empty`] is written as a zero length elsewhere. Date is the caller's business.
pub fn response(
    head: &Head,
    framing: Framing,
    version: Version,
    keep_alive: bool,
    head_request: bool,
    out: &mut Vec<u8>,
) {
    debug_assert!(
        version != Version::Http10 || framing != Framing::Chunked,
        "HTTP/1.0 knows no chunks"
    );
    let status = head.status();
    let bodiless = matches!(status, 100..=199 | 204);
    let describes = !bodiless && (head_request || status == 304) && framing == Framing::Empty;
    response_start(head, out);
    let stated = if describes { 0 } else { Name::ContentLength.bit() };
    head.write_lines(OURS | Name::Upgrade.bit() | stated, out);
    match framing {
        _ if bodiless || describes => {}
        Framing::Empty => framing_line(Framing::Length(0), out),
        framing => framing_line(framing, out),
    }
    if status >= 200 {
        let keep_alive = keep_alive && framing != Framing::UntilClose;
        connection_line(version, keep_alive, out);
    }
    out.extend_from_slice(b"\r\n");
}

/// A 101 with the Upgrade line of the head and its Connection option.
pub fn response_upgrade(head: &Head, out: &mut Vec<u8>) {
    response_start(head, out);
    head.write_lines(OURS | Name::ContentLength.bit(), out);
    out.extend_from_slice(b"Connection: upgrade\r\n\r\n");
}

fn request_start(head: &Head, out: &mut Vec<u8>) {
    out.extend_from_slice(head.method());
    out.push(b' ');
    out.extend_from_slice(head.target());
    out.extend_from_slice(b" HTTP/1.1\r\nHost: ");
    out.extend_from_slice(head.get(Name::Host).unwrap_or(head.authority()));
    out.extend_from_slice(b"\r\n");
}

fn response_start(head: &Head, out: &mut Vec<u8>) {
    let status = head.status();
    let digits = [status / 100, status / 10 % 10, status % 10].map(|digit| b'0' + digit as u8);
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(&digits);
    out.push(b' ');
    out.extend_from_slice(head.reason());
    out.extend_from_slice(b"\r\n");
}

/// One header line.
pub(crate) fn line(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Lines that are written from what the caller says, never from a head.
const OURS: u64 = Name::Connection.bit()
    | Name::KeepAlive.bit()
    | Name::ProxyConnection.bit()
    | Name::TransferEncoding.bit()
    | Name::Http2Settings.bit();

fn framing_line(framing: Framing, out: &mut Vec<u8>) {
    match framing {
        Framing::Empty | Framing::UntilClose => {}
        Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Framing::Length(length) => {
            out.extend_from_slice(b"Content-Length: ");
            decimal(length, out);
            out.extend_from_slice(b"\r\n");
        }
    }
}

fn connection_line(version: Version, keep_alive: bool, out: &mut Vec<u8>) {
    match (version, keep_alive) {
        (_, false) => out.extend_from_slice(b"Connection: close\r\n"),
        (Version::Http10, true) => out.extend_from_slice(b"Connection: keep-alive\r\n"),
        (_, true) => {}
    }
}

/// A number in decimal.
fn decimal(number: u64, out: &mut Vec<u8>) {
    in_base(number, 10, out);
}

/// A number in lower-case hexadecimal.
pub(crate) fn hexadecimal(number: u64, out: &mut Vec<u8>) {
    in_base(number, 16, out);
}

fn in_base(mut number: u64, base: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b"0123456789abcdef"[(number % base) as usize];
        number /= base;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
