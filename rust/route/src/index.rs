//! Many paths: found by hash, one probe per length that some path has.
//!
//! All kinds of one text share an entry. From the whole path down, each prefix of a length that exists is probed until
//! one fits; then the regexes that are longer than it, longest first, may still take the request.

use crate::compiled::Route;
use crate::host::Ranked;
use crate::schema::PathKind;
use foldhash::quality::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub(crate) struct PathIndex {
    hash: RandomState,
    /// Open addressing, a power of two, at most half full.
    slots: Box<[Slot]>,
    entries: Box<[Entry]>,
    text: Box<[u8]>,
    lengths: Lengths,
    /// Length in characters and place in the order, longest first.
    regexes: Box<[(u32, u32)]>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    tag: u32,
    /// [`NONE`]: free.
    entry: u32,
}

/// The places in the order of the routes with this text.
#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u32,
    length: u32,
    exact: u32,
    prefix: u32,
    raw: u32,
}

impl PathIndex {
    pub(crate) fn new(ranked: &[Ranked<'_>]) -> Self {
        let size = (ranked.len() * 2).next_power_of_two().max(2);
        let mut index = Self {
            hash: RandomState::default(),
            slots: vec![Slot { tag: 0, entry: NONE }; size].into(),
            entries: Box::default(),
            text: Box::default(),
            lengths: Lengths::default(),
            regexes: Box::default(),
        };
        let mut text = Vec::new();
        let mut entries: Vec<Entry> = Vec::with_capacity(ranked.len());
        let mut regexes = Vec::new();
        for (place, rule) in ranked.iter().enumerate() {
            let place = u32::try_from(place).unwrap_or(NONE);
            if rule.route.kind == PathKind::Regex {
                regexes.push((rule.length, place));
                continue;
            }
            index.lengths.add(rule.route.kind, rule.form.len());
            let entry = index.entry(rule.form, &mut entries, &mut text);
            let field = match rule.route.kind {
                PathKind::Exact => &mut entry.exact,
                PathKind::Prefix => &mut entry.prefix,
                PathKind::RawPrefix | PathKind::Regex => &mut entry.raw,
            };
            *field = place;
        }
        Self {
            entries: entries.into(),
            text: text.into(),
            regexes: regexes.into(),
            ..index
        }
    }

    /// The place in the order of the route that takes the path.
    pub(crate) fn find(&self, routes: &[Arc<Route>], path: &[u8]) -> Option<usize> {
        let literal = self.literal(path);
        let length = literal.map_or(0, |(length, _)| length);
        // On equal length a literal path goes before a regex.
        let longer = self
            .regexes
            .iter()
            .take_while(|(regex, _)| literal.is_none() || *regex as usize > length);
        let mut places = longer.map(|(_, place)| *place as usize);
        let is_match = |place: &usize| {
            let pattern = routes.get(*place).and_then(|route| route.pattern.as_ref());
            pattern.is_some_and(|pattern| pattern.is_match(path))
        };
        places.find(is_match).or(literal.map(|(_, place)| place as usize))
    }

    /// The longest path that is no regex and takes this one: its length and its place.
    fn literal(&self, path: &[u8]) -> Option<(usize, u32)> {
        self.lengths.down_from(path).find_map(|length| {
            let entry = self.probe(&path[..length])?;
            let whole = length == path.len();
            let at_element = whole || path[length] == b'/';
            let places = [(whole, entry.exact), (at_element, entry.prefix), (true, entry.raw)];
            places
                .into_iter()
                .find(|(fits, place)| *fits && *place != NONE)
                .map(|(_, place)| (length, place))
        })
    }

    fn probe(&self, form: &[u8]) -> Option<&Entry> {
        let (mut at, tag) = self.place(form);
        loop {
            let slot = self.slots[at];
            if slot.entry == NONE {
                return None;
            }
            if slot.tag == tag {
                let entry = &self.entries[slot.entry as usize];
                if self.text[entry.start as usize..][..entry.length as usize] == *form {
                    return Some(entry);
                }
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    /// The entry of a text while the index is built, made if there is none.
    fn entry<'e>(&mut self, form: &[u8], entries: &'e mut Vec<Entry>, text: &mut Vec<u8>) -> &'e mut Entry {
        let (mut at, tag) = self.place(form);
        loop {
            let slot = self.slots[at];
            if slot.entry == NONE {
                break;
            }
            let entry = &entries[slot.entry as usize];
            if slot.tag == tag && text[entry.start as usize..][..entry.length as usize] == *form {
                return &mut entries[slot.entry as usize];
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
        let number = |n: usize| u32::try_from(n).expect("the paths of a host take less than 4 GiB");
        self.slots[at] = Slot {
            tag,
            entry: number(entries.len()),
        };
        let (start, length) = (number(text.len()), number(form.len()));
        text.extend_from_slice(form);
        entries.push(Entry {
            start,
            length,
            exact: NONE,
            prefix: NONE,
            raw: NONE,
        });
        entries.last_mut().expect("one was just pushed")
    }

    #[expect(clippy::cast_possible_truncation, reason = "parts of a hash")]
    fn place(&self, form: &[u8]) -> (usize, u32) {
        let mut hasher = self.hash.build_hasher();
        hasher.write(form);
        let hash = hasher.finish();
        (hash as usize & (self.slots.len() - 1), (hash >> 32) as u32)
    }
}

/// Which lengths of literal paths exist, one bit per length, by where such a path may end.
#[derive(Debug, Default)]
struct Lengths {
    /// Ends only with the request's path.
    exact: Vec<u64>,
    /// Ends at an element of it.
    prefix: Vec<u64>,
    /// Ends anywhere in it.
    raw: Vec<u64>,
}

impl Lengths {
    fn add(&mut self, kind: PathKind, length: usize) {
        let bits = match kind {
            PathKind::Exact => &mut self.exact,
            PathKind::Prefix => &mut self.prefix,
            PathKind::RawPrefix | PathKind::Regex => &mut self.raw,
        };
        if bits.len() <= length / 64 {
            bits.resize(length / 64 + 1, 0);
        }
        bits[length / 64] |= 1 << (length % 64);
    }

    /// The lengths at which a path may fit, longest first.
    fn down_from<'l>(&'l self, path: &'l [u8]) -> impl Iterator<Item = usize> + 'l {
        let whole = path.len();
        let ends = has(&self.exact, whole) || has(&self.prefix, whole) || has(&self.raw, whole);
        let words = self.prefix.len().max(self.raw.len()).min(whole / 64 + 1);
        let inside = (0..words).rev().flat_map(move |word| {
            let bits = self.prefix.get(word).unwrap_or(&0) | self.raw.get(word).unwrap_or(&0);
            Bits(bits).map(move |bit| word * 64 + bit)
        });
        let fits = move |length: &usize| *length < whole && (path[*length] == b'/' || has(&self.raw, *length));
        ends.then_some(whole).into_iter().chain(inside.filter(fits))
    }
}

fn has(bits: &[u64], length: usize) -> bool {
    bits.get(length / 64).is_some_and(|word| word >> (length % 64) & 1 == 1)
}

/// The set bits of a word, highest first.
struct Bits(u64);

impl Iterator for Bits {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let highest = self.0.checked_ilog2()?;
        self.0 &= !(1 << highest);
        Some(highest as usize)
    }
}
