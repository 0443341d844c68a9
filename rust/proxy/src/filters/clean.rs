//! What may go into a head, by construction: every value that is built here from request bytes or from configuration comes
//! through these functions.

/// Adds the bytes of a URI, or of a part of one. What may not stand in one (controls, space, quotes, anything beyond
/// ASCII) is percent-encoded; escapes that are there stay.
pub(super) fn push_uri(out: &mut Vec<u8>, bytes: &[u8]) {
    push_encoded(out, bytes, |byte| {
        matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'<' | b'>' | b'\\')
    });
}

/// Adds a query that was a request's own: kept as it is, but for what no target may hold.
pub(super) fn push_query(out: &mut Vec<u8>, bytes: &[u8]) {
    push_encoded(out, bytes, |byte| matches!(byte, b'!'..=b'~') && byte != b'#');
}

/// Adds the bytes of a path, or of a query: as [`push_uri`], and a `#` is encoded too, since nothing after it would arrive.
pub(super) fn push_target(out: &mut Vec<u8>, bytes: &[u8]) {
    push_encoded(out, bytes, |byte| {
        matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'#')
    });
}

/// Adds what is to be one part of a query's value: as [`push_target`], and what would begin another part is encoded.
pub(super) fn push_query_value(out: &mut Vec<u8>, bytes: &[u8]) {
    push_encoded(out, bytes, |byte| {
        matches!(byte, b'!'..=b'~')
            && !matches!(
                byte,
                b'"' | b'<' | b'>' | b'\\' | b'#' | b'&' | b'+' | b';' | b'=' | b'?'
            )
    });
}

fn push_encoded(out: &mut Vec<u8>, bytes: &[u8], stays: impl Fn(u8) -> bool) {
    const HEX: [u8; 16] = *b"0123456789ABCDEF";
    for &byte in bytes {
        match stays(byte) {
            true => out.push(byte),
            false => out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
        }
    }
}

/// True for what may be a header value (RFC 9110, 5.5).
pub(super) fn is_value(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..))
}

/// True for what may be a header name (RFC 9110, 5.1).
pub(super) fn is_name(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// True for what may be a host with or without a port. Narrow enough to be part of a URI and of a header.
pub(super) fn is_host(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.len() <= 261
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_gets_a_control_or_a_space_into_a_uri() {
        let all: Vec<u8> = (0..=255).collect();
        for push in [push_uri, push_query, push_target, push_query_value] {
            let mut out = Vec::new();
            push(&mut out, &all);
            assert!(out.iter().all(|byte| matches!(byte, b'!'..=b'~')));
            assert!(out.starts_with(b"%00%01"));
            assert!(out.ends_with(b"%FE%FF"));
        }
    }

    #[test]
    fn what_is_in_order_stays() {
        let mut out = Vec::new();
        push_uri(&mut out, b"https://a.example:8443/x%20y;z/[1]?q=%C3%A9&r=a+b#top");
        assert_eq!(out, b"https://a.example:8443/x%20y;z/[1]?q=%C3%A9&r=a+b#top");
        out.clear();
        push_target(&mut out, b"/a b#c\r\n\"");
        assert_eq!(out, b"/a%20b%23c%0D%0A%22");
        out.clear();
        push_query_value(&mut out, b"1&admin=1%26/x");
        assert_eq!(out, b"1%26admin%3D1%26/x");
    }

    #[test]
    fn values_names_and_hosts() {
        assert!(
            is_value(b"")
                && is_value(b"a b\tc\xff")
                && is_name(b"x-a.b")
                && is_host(b"a.example:80")
                && is_host(b"[::1]")
        );
        assert!(!is_value(b"a\r\nb") && !is_value(b"a\0") && !is_value(b"\x7f") && !is_value(b"a\nb"));
        assert!(!is_name(b"") && !is_name(b"a b") && !is_name(b"a:") && !is_name(b"a\r") && !is_name("é".as_bytes()));
        assert!(!is_host(b"") && !is_host(b"a/b") && !is_host(b"a b") && !is_host(b"a@b") && !is_host(b"a\r\nb"));
    }
}
