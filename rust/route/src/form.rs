//! The match form of the path of a rule: what the match form of a request's path is compared with.
//!
//! A request's path arrives with every escape decoded whose character may stand in a segment, and with everything that
//! may not stand in a path encoded, in upper-case hex. A rule is written by hand, so `/a b`, `/a%20b` and `/%61%20b` must mean the same. Dot segments and
//! runs of slashes are left alone: no request's path has dot segments, so such a rule takes nothing.

use crate::schema::PathKind;
use std::borrow::Cow;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// What a request's path is compared with: the match form, for an element prefix without its trailing slash; a regex as
/// it is.
pub(crate) fn of_path(kind: PathKind, path: &str) -> Cow<'_, [u8]> {
    match kind {
        PathKind::Exact | PathKind::RawPrefix => of_rule(path),
        PathKind::Prefix => of_rule(path.strip_suffix('/').unwrap_or(path)),
        PathKind::Regex => Cow::Borrowed(path.as_bytes()),
    }
}

/// The match form of `path`; borrowed when nothing changes, which is the common case.
fn of_rule(path: &str) -> Cow<'_, [u8]> {
    let bytes = path.as_bytes();
    if bytes.iter().all(|&byte| may_stand(byte)) {
        return Cow::Borrowed(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len() + 8);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match escape(bytes, at) {
            Some(decoded) if may_stand(decoded) && decoded != b'/' => out.push(decoded),
            Some(decoded) => encode(decoded, &mut out),
            None if may_stand(byte) => out.push(byte),
            None => encode(byte, &mut out),
        }
        at += if escape(bytes, at).is_some() { 3 } else { 1 };
    }
    Cow::Owned(out)
}

/// The byte that an escape at this place stands for, if there is one.
fn escape(bytes: &[u8], at: usize) -> Option<u8> {
    let digit = |offset: usize| char::from(*bytes.get(at + offset)?).to_digit(16);
    let value = (bytes[at] == b'%').then(|| Some(digit(1)? * 16 + digit(2)?))??;
    u8::try_from(value).ok()
}

fn encode(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
}

/// RFC 3986, section 3.3: unreserved, sub-delims, colon, at, and the slash between segments.
fn may_stand(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'@' | b'/')
        || matches!(
            byte,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_path_have_one_form() {
        for (rule, form) in [
            ("/foo/bar.html", "/foo/bar.html"),
            ("/a b", "/a%20b"),
            ("/a%20b", "/a%20b"),
            ("/%61%2fb%3A%21", "/a%2Fb:!"),
            ("/100%", "/100%25"),
            ("/%zz", "/%25zz"),
            ("/é", "/%C3%A9"),
            ("/a?b#c", "/a%3Fb%23c"),
            ("/~me/@x:y;z=1", "/~me/@x:y;z=1"),
            ("", ""),
        ] {
            assert_eq!(of_rule(rule).as_ref(), form.as_bytes(), "{rule}");
        }
    }

    #[test]
    fn the_form_of_a_form_is_itself() {
        for rule in ["/a b%2f%41%", "/é/%e9", "/%%20"] {
            let once = String::from_utf8(of_rule(rule).into_owned()).expect("ASCII");
            assert_eq!(of_rule(&once).as_ref(), once.as_bytes());
        }
    }
}
