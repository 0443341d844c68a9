//! The digest of the desired state: a sum, so that a change costs one subtraction and one addition.

use crate::schema::Kind;
use blake2::digest::consts::U16;
use blake2::{Blake2b, Digest as _};

/// The digest of one entry: blake2b over kind, key and value, as a little-endian number.
pub(crate) fn of_entry(kind: Kind, key: &str, blob: &[u8]) -> u128 {
    let mut hash = Blake2b::<U16>::new();
    hash.update(kind.name());
    hash.update([0]);
    hash.update(key);
    hash.update([0]);
    hash.update(blob);
    u128::from_le_bytes(hash.finalize().into())
}

/// The running sum over all entries, wrapping at 2^128.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest(u128);

impl Digest {
    /// Puts `new` in the place of `old`.
    pub(crate) fn replace(&mut self, old: Option<u128>, new: Option<u128>) {
        self.0 = self.0.wrapping_sub(old.unwrap_or(0)).wrapping_add(new.unwrap_or(0));
    }

    /// 32 hexadecimal characters.
    pub(crate) fn text(self) -> String {
        format!("{:032x}", self.0)
    }
}

impl Kind {
    /// The kind as it stands on the wire and in the scope of a problem.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Endpoints => "endpoints",
            Self::Upstream => "upstream",
            Self::Certificate => "certificate",
            Self::Fragment => "fragment",
            Self::Authority => "authority",
            Self::Stream => "stream",
            Self::Tickets => "tickets",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python: `int.from_bytes(hashlib.blake2b(b"fragment\0a/b\0\x80", digest_size=16).digest(), "little")`.
    #[test]
    fn agrees_with_hashlib() {
        let mut digest = Digest::default();
        digest.replace(None, Some(of_entry(Kind::Fragment, "a/b", b"\x80")));
        assert_eq!(digest.text(), "b56a15836599e1e5a77b8b199aebb26b");
    }

    #[test]
    fn a_removed_entry_leaves_nothing() {
        let mut digest = Digest::default();
        let (one, two) = (of_entry(Kind::Upstream, "k", b"1"), of_entry(Kind::Upstream, "k", b"2"));
        digest.replace(None, Some(one));
        digest.replace(Some(one), Some(two));
        digest.replace(Some(two), None);
        assert_eq!(digest.text(), "0".repeat(32));
        assert_ne!(one, two);
    }
}
