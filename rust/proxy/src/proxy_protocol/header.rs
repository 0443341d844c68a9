//! PROXY headers as bytes: parsed incrementally and strictly, composed in both versions.
//!
//! The specification is HAProxy's `proxy-protocol.txt`. What we are stricter about: addresses and ports of version 1 have
//! one spelling, nothing but printable characters stands in its line, and a header is at most [`LONGEST`] bytes.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What version 2 begins with.
pub(super) const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
pub(super) const FIXED: usize = 16;
/// A line of version 1 with its end.
const LONGEST_LINE: usize = 107;
/// The longest header we take, fields of type, length and value included. They are skipped.
pub const LONGEST: usize = 4096;

/// The two ends of the stream that a header speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The client. An IPv4-mapped IPv6 address has been made IPv4.
    pub source: SocketAddr,
    /// What the client connected to. Made IPv4 the same way.
    pub destination: SocketAddr,
}

/// A whole header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Whose stream it is; `None` when that is not told (`UNKNOWN`, `LOCAL`, `UNSPEC`, a Unix socket): then the
    /// connection's own addresses hold.
    pub addresses: Option<Addresses>,
    /// Its bytes. What follows belongs to the stream.
    pub length: usize,
}

/// Bytes that do not begin with a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(&'static str);

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not a PROXY header: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

/// Reads the header that `bytes` begin with. `Ok(None)`: they are the beginning of one, all of them.
///
/// # Errors
/// They are not, as early as that can be seen.
pub fn parse(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    match bytes.first() {
        None => Ok(None),
        Some(b'P') => line(bytes),
        Some(_) => binary(bytes),
    }
}

/// Version 1: `PROXY TCP4 192.0.2.1 198.51.100.1 40000 443\r\n`.
fn line(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    const WORD: &[u8] = b"PROXY ";
    let known = bytes.len().min(WORD.len());
    if bytes[..known] != WORD[..known] {
        return Err(Malformed("it begins with neither version"));
    }
    let odd = bytes[known..].iter().position(|byte| !matches!(byte, b' '..=b'~'));
    let Some(end) = odd.map(|at| known + at) else {
        return unfinished(bytes, LONGEST_LINE - 2);
    };
    match &bytes[end..] {
        [b'\r'] => unfinished(bytes, LONGEST_LINE - 1),
        [b'\r', b'\n', ..] if end + 2 <= LONGEST_LINE => Ok(Some(Header {
            addresses: words(&bytes[WORD.len()..end])?,
            length: end + 2,
        })),
        _ => Err(Malformed("its line does not end in CR LF, or too late")),
    }
}

fn unfinished(bytes: &[u8], most: usize) -> Result<Option<Header>, Malformed> {
    if bytes.len() > most {
        return Err(Malformed("its line is too long"));
    }
    Ok(None)
}

/// What stands between `PROXY ` and the end of the line.
fn words(line: &[u8]) -> Result<Option<Addresses>, Malformed> {
    let line = std::str::from_utf8(line).map_err(|_| Malformed("its line is not text"))?;
    let mut words = line.split(' ');
    let family = words.next().unwrap_or_default();
    if family == "UNKNOWN" {
        return Ok(None);
    }
    let mut next = || words.next().ok_or(Malformed("a word of its line is missing"));
    let (source, destination, from, to) = (next()?, next()?, next()?, next()?);
    if words.next().is_some() {
        return Err(Malformed("there is more in its line than it should say"));
    }
    let address: fn(&str) -> Option<IpAddr> = match family {
        "TCP4" => |text| text.parse::<Ipv4Addr>().ok().map(IpAddr::from),
        "TCP6" => |text| text.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        _ => return Err(Malformed("its protocol is not known")),
    };
    let end = |host, number| {
        let host = address(host).ok_or(Malformed("an address is none of its family"))?;
        let number = port(number).ok_or(Malformed("a port is none"))?;
        Ok(SocketAddr::new(host.to_canonical(), number))
    };
    Ok(Some(Addresses {
        source: end(source, from)?,
        destination: end(destination, to)?,
    }))
}

/// A decimal number without sign and without leading zeros.
fn port(text: &str) -> Option<u16> {
    let one_spelling = text.bytes().all(|digit| digit.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    one_spelling.then(|| text.parse().ok()).flatten()
}

/// Version 2.
fn binary(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let known = bytes.len().min(SIGNATURE.len());
    if bytes[..known] != SIGNATURE[..known] {
        return Err(Malformed("it begins with neither version"));
    }
    let command = match bytes.get(12) {
        None => return Ok(None),
        Some(0x20) => Command::Local,
        Some(0x21) => Command::Proxy,
        Some(_) => return Err(Malformed("its version or command is not known")),
    };
    let Some(&family) = bytes.get(13) else { return Ok(None) };
    let family = Family::of(family).ok_or(Malformed("its family is not known"))?;
    let Some(&[high, low]) = bytes.get(14..FIXED) else {
        return Ok(None);
    };
    let rest = usize::from(u16::from_be_bytes([high, low]));
    let length = FIXED + rest;
    if length > LONGEST {
        return Err(Malformed("it is too long"));
    }
    if command == Command::Proxy && rest < family.size() {
        return Err(Malformed("it is too short for its addresses"));
    }
    let Some(block) = bytes.get(FIXED..length) else {
        return Ok(None);
    };
    let addresses = match command {
        Command::Local => None,
        Command::Proxy => family.addresses(block),
    };
    Ok(Some(Header { addresses, length }))
}

#[derive(PartialEq, Eq)]
enum Command {
    /// From the proxy itself: a health check, say.
    Local,
    Proxy,
}

/// Address family. The transport protocol behind it, stream or datagram, is what the client spoke to the proxy (QUIC is
/// a datagram one) and does not matter here.
enum Family {
    Unspecified,
    V4,
    V6,
    Unix,
}

impl Family {
    fn of(byte: u8) -> Option<Self> {
        match byte {
            0x00 => Some(Self::Unspecified),
            0x11 | 0x12 => Some(Self::V4),
            0x21 | 0x22 => Some(Self::V6),
            0x31 | 0x32 => Some(Self::Unix),
            _ => None,
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Unspecified => 0,
            Self::V4 => 12,
            Self::V6 => 36,
            Self::Unix => 216,
        }
    }

    /// Two addresses, then two ports.
    fn addresses(&self, block: &[u8]) -> Option<Addresses> {
        let (hosts, ports) = match self {
            Self::Unspecified | Self::Unix => return None,
            Self::V4 => {
                let (hosts, ports) = block.split_first_chunk::<8>()?;
                let [a, b, c, d, e, f, g, h] = *hosts;
                ([[a, b, c, d].into(), [e, f, g, h].into()], ports)
            }
            Self::V6 => {
                let (source, rest) = block.split_first_chunk::<16>()?;
                let (destination, ports) = rest.split_first_chunk::<16>()?;
                ([IpAddr::from(*source), IpAddr::from(*destination)], ports)
            }
        };
        let &[a, b, c, d] = ports.first_chunk::<4>()?;
        let [source, destination] = hosts.map(|host| host.to_canonical());
        Some(Addresses {
            source: SocketAddr::new(source, u16::from_be_bytes([a, b])),
            destination: SocketAddr::new(destination, u16::from_be_bytes([c, d])),
        })
    }
}

/// Appends a header of version 1. Ends of different families are both told as IPv6.
pub fn compose_v1(addresses: Option<&Addresses>, out: &mut Vec<u8>) {
    let Some(Addresses { source, destination }) = addresses else {
        return out.extend_from_slice(b"PROXY UNKNOWN\r\n");
    };
    let (from, to) = (source.port(), destination.port());
    let written = match (source.ip(), destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            write!(out, "PROXY TCP4 {source} {destination} {from} {to}\r\n")
        }
        (source, destination) => {
            let (source, destination) = (wide(source), wide(destination));
            write!(out, "PROXY TCP6 {source} {destination} {from} {to}\r\n")
        }
    };
    // Writing to a vector cannot fail.
    let _ = written;
}

/// Appends a header of version 2, `LOCAL` without addresses. Ends of different families are both told as IPv6.
pub fn compose_v2(addresses: Option<&Addresses>, out: &mut Vec<u8>) {
    out.extend_from_slice(&SIGNATURE);
    let Some(Addresses { source, destination }) = addresses else {
        return out.extend_from_slice(&[0x20, 0, 0, 0]);
    };
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            out.extend_from_slice(&[0x21, 0x11, 0, 12]);
            out.extend_from_slice(&source.octets());
            out.extend_from_slice(&destination.octets());
        }
        (source, destination) => {
            out.extend_from_slice(&[0x21, 0x21, 0, 36]);
            out.extend_from_slice(&wide(source).octets());
            out.extend_from_slice(&wide(destination).octets());
        }
    }
    out.extend_from_slice(&source.port().to_be_bytes());
    out.extend_from_slice(&destination.port().to_be_bytes());
}

fn wide(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}
