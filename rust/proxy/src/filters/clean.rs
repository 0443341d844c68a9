//! What may go into a head, by construction: every value that is built here from request bytes or from configuration comes
//! through these functions.

/// Which bytes stay as they are; all others are percent-encoded. No class lets a control, a space, or anything beyond ASCII stay.
pub(super) type Class = fn(u8) -> bool;

/// Of a URI, or of a part of one. Escapes that are there stay.
pub(super) fn uri(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'<' | b'>' | b'\\')
}

/// Of a request's own query, which is kept as it is but for what no target may hold.
pub(super) fn query(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && byte != b'#'
}

/// Of a path or a query: as [`uri`], without `#`, since nothing after it would arrive.
pub(super) fn target(byte: u8) -> bool {
    uri(byte) && byte != b'#'
}

/// Of one part of a query's value: as [`target`], without what would begin another part.
pub(super) fn query_value(byte: u8) -> bool {
    target(byte) && !matches!(byte, b'&' | b'+' | b';' | b'=' | b'?')
}

/// Adds bytes, encoded where they are not of the class.
pub(super) fn push(out: &mut Vec<u8>, bytes: &[u8], class: Class) {
    const HEX: [u8; 16] = *b"0123456789ABCDEF";
    for &byte in bytes {
        match class(byte) {
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

    fn pushed(bytes: &[u8], class: Class) -> String {
        let mut out = b"before\r\n".to_vec();
        push(&mut out, bytes, class);
        String::from_utf8(out.split_off(8)).unwrap()
    }

    #[test]
    fn no_byte_gets_a_control_or_a_space_into_a_uri() {
        let all: Vec<u8> = (0..=255).collect();
        for class in [uri, query, target, query_value] as [Class; 4] {
            let out = pushed(&all, class);
            assert!(out.bytes().all(|byte| matches!(byte, b'!'..=b'~')));
            assert!(
                out.starts_with("%00%01") && out.contains("%0A") && out.contains("%0D%0E") && out.contains("%1F%20!")
            );
            assert!(out.contains("%7F%80") && out.ends_with("%FE%FF"));
        }
    }

    #[test]
    fn what_is_in_order_stays() {
        let whole = "https://a.example:8443/x%20y;z/[1]?q=%C3%A9&r=a+b#top";
        assert_eq!(pushed(whole.as_bytes(), uri), whole);
        assert_eq!(pushed(b"/a b#c\r\n\"", target), "/a%20b%23c%0D%0A%22");
        assert_eq!(pushed(b"a=\"b\"&c#", query), "a=\"b\"&c%23");
        assert_eq!(pushed(b"1&admin=1%26/x", query_value), "1%26admin%3D1%26/x");
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
