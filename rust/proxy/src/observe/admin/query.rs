//! The query of `/explain`: parameters, and the URL that one of them holds.

/// The parameters of a query in order, decoded: `+` is a space, `%XX` a byte.
///
/// # Errors
/// A text for whoever asked, when a name or value is not UTF-8 or has a damaged escape.
pub fn parameters(query: &str) -> Result<Vec<(String, String)>, String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect()
}

fn decode(text: &str) -> Result<String, String> {
    let damaged = || format!("{text:?} is not a valid query parameter");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        (bytes, rest) = match first {
            b'+' => (with(bytes, b' '), after),
            b'%' => {
                let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
                let byte = digits
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                    .ok_or_else(damaged)?;
                (with(bytes, byte), &after[2..])
            }
            byte => (with(bytes, *byte), after),
        };
    }
    String::from_utf8(bytes).map_err(|_| damaged())
}

fn with(mut bytes: Vec<u8>, byte: u8) -> Vec<u8> {
    bytes.push(byte);
    bytes
}

/// The parts of a URL that routing looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// `http` or `https`; `http` when the URL has none.
    pub scheme: String,
    /// Without port, as written.
    pub host: String,
    /// The raw path, `/` when there is none.
    pub path: String,
}

/// Parses `scheme://host:port/path?query#fragment`; scheme, port, path, query and fragment may be missing.
///
/// # Errors
/// A text for whoever asked.
pub fn parse_url(text: &str) -> Result<Url, String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "http" && scheme != "https" {
        return Err(format!("the scheme of {text:?} is neither http nor https"));
    }
    let rest = rest.split('#').next().unwrap_or_default();
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(at);
    let host = host_of(authority).ok_or_else(|| format!("{text:?} has no valid host"))?;
    let path = target.split('?').next().unwrap_or_default();
    let path = if path.is_empty() { "/" } else { path };
    Ok(Url {
        scheme,
        host: host.into(),
        path: path.into(),
    })
}

fn host_of(authority: &str) -> Option<&str> {
    if authority.is_empty() || authority.contains('@') || authority.contains(char::is_whitespace) {
        return None;
    }
    let (host, port) = match authority.rfind(':') {
        Some(at) if !authority[at..].contains(']') => (&authority[..at], &authority[at + 1..]),
        _ => (authority, ""),
    };
    let port_is_fine = port.is_empty() || port.parse::<u16>().is_ok();
    (port_is_fine && !host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_in_order() {
        let found = parameters("url=http%3A%2F%2Fa%2Fb%3fc&header=K%3A+V&header=L:%C3%A9&flag&&=x").expect("valid");
        let expected = [
            ("url", "http://a/b?c"),
            ("header", "K: V"),
            ("header", "L:é"),
            ("flag", ""),
            ("", "x"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found, expected);
    }

    #[test]
    fn damaged_parameters_are_refused() {
        for query in ["a=%", "a=%1", "a=%zz", "a=%+1", "%ff=a"] {
            assert!(parameters(query).is_err(), "{query}");
        }
    }

    #[test]
    fn urls_with_and_without_their_parts() {
        let cases = [
            (
                "https://shop.example.com/cart?x=1#y",
                ("https", "shop.example.com", "/cart"),
            ),
            ("HTTP://Shop.example.com:8080", ("http", "Shop.example.com", "/")),
            ("shop.example.com", ("http", "shop.example.com", "/")),
            ("shop.example.com:80/a:b//c", ("http", "shop.example.com", "/a:b//c")),
            ("http://h?q=/", ("http", "h", "/")),
            ("http://h#/x", ("http", "h", "/")),
            ("http://[::1]:80/", ("http", "[::1]", "/")),
            ("http://[::1]", ("http", "[::1]", "/")),
            ("http://h/a%2Fb", ("http", "h", "/a%2Fb")),
        ];
        for (text, (scheme, host, path)) in cases {
            let url = parse_url(text).expect(text);
            assert_eq!((&*url.scheme, &*url.host, &*url.path), (scheme, host, path), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_url_is_refused() {
        for text in [
            "",
            "http://",
            "ftp://h/",
            "/path",
            "http://:80/",
            "http://h:99999/",
            "http://h:x/",
            "u@h/",
            "a b/",
        ] {
            assert!(parse_url(text).is_err(), "{text}");
        }
    }
}
