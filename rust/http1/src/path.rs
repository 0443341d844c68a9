//! The match form of a path: what the router looks up.
//!
//! Two raw paths that a backend could take for the same have the same match form, so a rule cannot be slipped past by
//! spelling its path otherwise. What would need guessing is refused. The raw path is what goes on to the backend; this form
//! never leaves the process.

use crate::error::Error;

/// The match form of a raw path.
///
/// - Escapes of characters that may stand in a path as they are (RFC 3986, 3.3: letters, digits, `-._~`, `!$&'()*+,;=:@`) are decoded; other
///   escapes stay, with upper-case digits, so `%2F` is not a slash and `%25` stays what it is.
/// - Characters that may not stand in a path are escaped.
/// - Dot segments are removed; climbing above the root is [`Error::BadPath`].
/// - Runs of slashes become one if `merge_slashes`.
/// - [`Error::BadEscape`]: a `%` without two hexadecimal digits; `%00`, and a zero byte as it is.
/// - [`Error::BadPath`]: a dot segment that shows once `%2F`, `%5C` or a backslash is read as a slash, or once what follows a `;` is left out; and
///   `..` where servers disagree about what it removes: behind an empty segment, or of a segment that some read as two or as none.
/// - [`Error::BadTarget`]: a path that does not begin with `/`. `*` alone is its own match form.
///
/// Borrows `raw` when nothing changes. Normalising again changes nothing.
pub fn normalise<'a>(raw: &'a [u8], merge_slashes: bool, scratch: &'a mut Vec<u8>) -> Result<&'a [u8], Error> {
    if raw.first() != Some(&b'/') {
        return if raw == b"*" { Ok(raw) } else { Err(Error::BadTarget) };
    }
    if is_normal(raw, merge_slashes) {
        return Ok(raw);
    }
    scratch.clear();
    let mut rest = &raw[1..];
    let mut seen_empty = false;
    loop {
        // One segment a turn. `scratch` holds whole segments, each with its slash in front.
        let end = memchr::memchr(b'/', rest).unwrap_or(rest.len());
        let is_last = end == rest.len();
        let start = scratch.len();
        scratch.push(b'/');
        decode(&rest[..end], scratch)?;
        match kind(&scratch[start + 1..]) {
            Segment::Hidden => return Err(Error::BadPath),
            Segment::Empty => {
                seen_empty = true;
                if merge_slashes && !is_last {
                    scratch.truncate(start);
                }
            }
            Segment::Name => {}
            Segment::Dot => leave(scratch, start, is_last),
            Segment::DotDot => {
                let parent = memchr::memrchr(b'/', &scratch[..start]).ok_or(Error::BadPath)?;
                if seen_empty || !is_one_to_all(&scratch[parent + 1..start]) {
                    return Err(Error::BadPath);
                }
                leave(scratch, parent, is_last);
            }
        }
        if is_last {
            return Ok(scratch);
        }
        rest = &rest[end + 1..];
    }
}

/// Goes back to `length`; a path that ends in a dot segment ends in a slash.
fn leave(scratch: &mut Vec<u8>, length: usize, is_last: bool) {
    scratch.truncate(length);
    if is_last {
        scratch.push(b'/');
    }
}

/// True when the match form is the path itself, or false when that would take longer to find out.
fn is_normal(raw: &[u8], merge_slashes: bool) -> bool {
    let mut before = 0;
    for byte in raw {
        if !PLAIN[*byte as usize] || (before == b'/' && (*byte == b'.' || (*byte == b'/' && merge_slashes))) {
            return false;
        }
        before = *byte;
    }
    true
}

/// What a segment, already decoded, is.
enum Segment {
    Empty,
    Dot,
    DotDot,
    /// A dot segment for a backend that reads an escaped slash or a backslash as a slash, or that cuts off parameters.
    Hidden,
    Name,
}

fn kind(segment: &[u8]) -> Segment {
    match segment {
        b"" => Segment::Empty,
        b"." => Segment::Dot,
        b".." => Segment::DotDot,
        _ if hides_dots(segment) => Segment::Hidden,
        _ => Segment::Name,
    }
}

fn hides_dots(segment: &[u8]) -> bool {
    let mut rest = segment;
    loop {
        let cut = escaped_slash(rest);
        let piece = &rest[..cut.unwrap_or(rest.len())];
        let name = piece.split(|byte| *byte == b';').next().unwrap_or_default();
        if matches!(name, b"." | b"..") {
            return true;
        }
        let Some(cut) = cut else { return false };
        rest = &rest[cut + 3..];
    }
}

/// True for a segment, not empty, that is one segment to every backend: for one that reads an escaped slash or a
/// backslash as a slash, and for one that cuts off parameters and merges slashes.
fn is_one_to_all(segment: &[u8]) -> bool {
    escaped_slash(segment).is_none() && segment.first() != Some(&b';')
}

/// Where `%2F` or `%5C` is, in the upper case that [`decode`] writes.
fn escaped_slash(segment: &[u8]) -> Option<usize> {
    segment.windows(3).position(|three| matches!(three, b"%2F" | b"%5C"))
}

/// Appends one segment with its escapes in normal form.
fn decode(segment: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    let mut at = 0;
    while let Some(byte) = segment.get(at) {
        if *byte == 0 {
            return Err(Error::BadEscape);
        }
        if *byte != b'%' {
            push(*byte, out);
            at += 1;
            continue;
        }
        let (Some(high), Some(low)) = (digit(segment.get(at + 1)), digit(segment.get(at + 2))) else {
            return Err(Error::BadEscape);
        };
        match high << 4 | low {
            0 => return Err(Error::BadEscape),
            b'/' => out.extend_from_slice(b"%2F"),
            byte => push(byte, out),
        }
        at += 3;
    }
    Ok(())
}

/// A byte as it is if it may stand in a path, escaped if not.
fn push(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if PLAIN[byte as usize] {
        out.push(byte);
    } else {
        out.extend_from_slice(&[b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

fn digit(byte: Option<&u8>) -> Option<u8> {
    char::from(*byte?).to_digit(16).map(|digit| digit as u8)
}

/// Bytes that may stand in a path as they are: `pchar` without `%` (RFC 3986, 3.3), and the slash.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let text = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:@/";
    let mut at = 0;
    while at < text.len() {
        plain[text[at] as usize] = true;
        at += 1;
    }
    plain
};
