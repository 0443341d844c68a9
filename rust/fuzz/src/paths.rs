//! What must hold for match forms: normalising changes nothing that a backend could see, and is done once for all.

use fastingress_http1::path;

/// Normalises `bytes`: the first says whether to merge slashes, the others are the path.
pub fn check(bytes: &[u8]) {
    let Some((kind, raw)) = bytes.split_first() else { return };
    let merge = kind & 1 == 1;
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let Ok(form) = path::normalise(raw, merge, &mut first) else {
        return;
    };
    assert_eq!(
        path::normalise(form, merge, &mut second),
        Ok(form),
        "normalising again changes something"
    );
    if form == b"*" {
        return;
    }
    assert_eq!(form.first(), Some(&b'/'));
    assert!(
        form.iter()
            .all(|byte| matches!(byte, b'!'..=b'~') && !b"?#\"<>[]\\^`{|}".contains(byte))
    );
    assert!(!merge || !form.windows(2).any(|pair| pair == b"//"));
    for backend in Backend::all() {
        if merge && !backend.merges {
            continue;
        }
        let resolved = backend.resolve(raw);
        assert!(resolved.is_some(), "{backend:?} leaves its root");
        assert_eq!(resolved, backend.resolve(form), "{backend:?} sees another path");
    }
}

/// A backend, and what it does to a path before it looks for a resource. Each is done somewhere.
#[derive(Debug, Clone, Copy)]
struct Backend {
    /// Takes an escaped slash for a slash.
    decodes_slashes: bool,
    /// Takes a backslash, escaped or not, for a slash.
    takes_backslashes: bool,
    /// Cuts off what follows a `;` in a segment.
    cuts_parameters: bool,
    /// Makes one slash of several.
    merges: bool,
}

impl Backend {
    fn all() -> impl Iterator<Item = Self> {
        (0..16u8).map(|bits| Self {
            decodes_slashes: bits & 1 != 0,
            takes_backslashes: bits & 2 != 0,
            cuts_parameters: bits & 4 != 0,
            merges: bits & 8 != 0,
        })
    }

    /// The segments that are looked for; `None` when the path climbs above its root.
    fn resolve(self, path: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut segments: Vec<Vec<u8>> = Vec::new();
        let all = self.segments(path);
        let last = all.len() - 1;
        for (at, segment) in all.into_iter().enumerate() {
            let is_last = at == last;
            match segment.as_slice() {
                b"." if is_last => segments.push(Vec::new()),
                b"." => {}
                b".." => {
                    segments.pop()?;
                    if is_last {
                        segments.push(Vec::new());
                    }
                }
                b"" if self.merges && !is_last => {}
                _ => segments.push(segment),
            }
        }
        Some(segments)
    }

    fn segments(self, path: &[u8]) -> Vec<Vec<u8>> {
        let mut path = path[1..].to_vec();
        if self.takes_backslashes {
            path = decode_only(&path, |byte| byte == b'\\');
            path.iter_mut()
                .filter(|byte| **byte == b'\\')
                .for_each(|byte| *byte = b'/');
        }
        if self.decodes_slashes {
            path = decode_only(&path, |byte| byte == b'/');
        }
        let cut = |segment: Vec<u8>| segment.split(|byte| *byte == b';').next().unwrap_or_default().to_vec();
        let segments = path
            .split(|byte| *byte == b'/')
            .map(|segment| decode_only(segment, |_| true));
        segments
            .map(|segment| if self.cuts_parameters { cut(segment) } else { segment })
            .collect()
    }
}

/// The escapes of these bytes decoded.
fn decode_only(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let digits = (bytes[at] == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        let byte = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        let byte = byte.filter(|byte| wanted(*byte));
        out.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    out
}
