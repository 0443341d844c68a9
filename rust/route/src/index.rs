//! Many paths: found by hash, one probe per length that some path has.
//!
//! From the whole path down, each prefix of a length that exists is probed until one fits; then the regexes that are
//! longer than it, longest first, may still take the request. The paths lie in leaves by hash, so that a new index
//! shares with the old all leaves in which nothing changed.

use crate::compiled::Route;
use crate::fragment::Rule;
use crate::host::Lost;
use crate::schema::PathKind;
use crate::table::hash_of;
use foldhash::quality::RandomState;
use std::sync::Arc;

const NONE: u32 = u32::MAX;

/// All paths of a host.
#[derive(Debug)]
pub(crate) struct PathIndex {
    pub(crate) hash: RandomState,
    /// A power of two of them.
    pub(crate) leaves: Box<[Arc<Leaf>]>,
    pub(crate) lengths: Lengths,
    /// Length in characters and route, in the order in which they are tried.
    pub(crate) regexes: Arc<[(u32, Arc<Route>)]>,
}

/// The paths whose hash leads here.
#[derive(Debug, Default)]
pub(crate) struct Leaf {
    /// Open addressing, a power of two, at most half full.
    slots: Box<[Slot]>,
    entries: Box<[Entry]>,
    text: Box<[u8]>,
    /// Those that win their path; regexes are among them, but are found through the index.
    pub(crate) routes: Box<[Arc<Route>]>,
    /// Those that do not.
    pub(crate) lost: Box<[Lost]>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    tag: u32,
    /// [`NONE`]: free.
    entry: u32,
}

/// The places among the routes of a leaf of those with this text; [`NONE`]: there is no such one.
#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u32,
    length: u32,
    exact: u32,
    prefix: u32,
    raw: u32,
}

impl PathIndex {
    /// The route that takes the path.
    pub(crate) fn find(&self, path: &[u8]) -> Option<&Arc<Route>> {
        let literal = self.literal(path);
        // On equal length a literal path goes before a regex.
        let is_longer = |regex: u32| literal.is_none_or(|(length, _)| regex as usize > length);
        let mut longer = self.regexes.iter().take_while(|(regex, _)| is_longer(*regex));
        let is_match = |route: &Route| route.pattern.as_ref().is_some_and(|pattern| pattern.is_match(path));
        let regex = longer.find(|(_, route)| is_match(route)).map(|(_, route)| route);
        regex.or(literal.map(|(_, route)| route))
    }

    /// The longest path that is no regex and takes this one, with its length.
    fn literal(&self, path: &[u8]) -> Option<(usize, &Arc<Route>)> {
        self.lengths.down_from(path).find_map(|length| {
            let hash = hash_of(&self.hash, &path[..length]);
            let leaf = &self.leaves[leaf_of(hash, self.leaves.len())];
            let entry = leaf.probe(hash, &path[..length])?;
            let whole = length == path.len();
            let at_element = whole || path[length] == b'/';
            let places = [(whole, entry.exact), (at_element, entry.prefix), (true, entry.raw)];
            let (_, place) = places.into_iter().find(|(fits, place)| *fits && *place != NONE)?;
            Some((length, &leaf.routes[place as usize]))
        })
    }
}

/// Which leaf a hash leads to; the slot within it goes by other bits.
pub(crate) fn leaf_of(hash: u64, leaves: usize) -> usize {
    (hash >> 40) as usize & (leaves - 1)
}

impl Leaf {
    pub(crate) fn new(hash: &RandomState, winners: &[&Rule], lost: Vec<Lost>) -> Self {
        let size = (winners.len() * 2).next_power_of_two();
        let mut leaf = Building {
            slots: vec![Slot { tag: 0, entry: NONE }; size],
            entries: Vec::new(),
            text: Vec::new(),
        };
        for (place, rule) in winners.iter().enumerate() {
            let place = narrow(place);
            match rule.route.kind {
                PathKind::Exact => leaf.entry(hash, rule.form()).exact = place,
                PathKind::Prefix => leaf.entry(hash, rule.form()).prefix = place,
                PathKind::RawPrefix => leaf.entry(hash, rule.form()).raw = place,
                PathKind::Regex => {}
            }
        }
        Self {
            slots: leaf.slots.into(),
            entries: leaf.entries.into(),
            text: leaf.text.into(),
            routes: winners.iter().map(|rule| Arc::clone(&rule.route)).collect(),
            lost: lost.into(),
        }
    }

    /// Kind and length of each literal path.
    pub(crate) fn lengths(&self) -> impl Iterator<Item = (PathKind, usize)> {
        self.entries.iter().flat_map(|entry| {
            let kinds = [
                (PathKind::Exact, entry.exact),
                (PathKind::Prefix, entry.prefix),
                (PathKind::RawPrefix, entry.raw),
            ];
            kinds
                .into_iter()
                .filter(|(_, place)| *place != NONE)
                .map(|(kind, _)| (kind, entry.length as usize))
        })
    }

    fn probe(&self, hash: u64, form: &[u8]) -> Option<&Entry> {
        let (mut at, tag) = place(hash, self.slots.len());
        loop {
            let slot = self.slots.get(at).filter(|slot| slot.entry != NONE)?;
            if slot.tag == tag {
                let entry = &self.entries[slot.entry as usize];
                if self.text[entry.start as usize..][..entry.length as usize] == *form {
                    return Some(entry);
                }
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }
}

struct Building {
    slots: Vec<Slot>,
    entries: Vec<Entry>,
    text: Vec<u8>,
}

impl Building {
    /// The entry of a text, made if there is none.
    fn entry(&mut self, hash: &RandomState, form: &[u8]) -> &mut Entry {
        let (mut at, tag) = place(hash_of(hash, form), self.slots.len());
        while self.slots[at].entry != NONE {
            let entry = self.slots[at].entry as usize;
            let Entry { start, length, .. } = self.entries[entry];
            if self.text[start as usize..][..length as usize] == *form {
                return &mut self.entries[entry];
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
        self.slots[at] = Slot {
            tag,
            entry: narrow(self.entries.len()),
        };
        let (start, length) = (narrow(self.text.len()), narrow(form.len()));
        self.text.extend_from_slice(form);
        self.entries.push(Entry {
            start,
            length,
            exact: NONE,
            prefix: NONE,
            raw: NONE,
        });
        self.entries.last_mut().expect("one was just pushed")
    }
}

#[expect(clippy::cast_possible_truncation, reason = "parts of the hash")]
fn place(hash: u64, slots: usize) -> (usize, u32) {
    (hash as usize & slots.wrapping_sub(1), (hash >> 8) as u32)
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).expect("the paths of a leaf take less than 4 GiB")
}

/// Which lengths of literal paths exist, one bit per length, by where such a path may end.
#[derive(Debug, Default)]
pub(crate) struct Lengths {
    /// Ends only with the request's path.
    exact: Box<[u64]>,
    /// Ends at an element of it.
    prefix: Box<[u64]>,
    /// Ends anywhere in it.
    raw: Box<[u64]>,
}

impl Lengths {
    /// From how many paths there are of each length.
    pub(crate) fn new(exact: &[u32], prefix: &[u32], raw: &[u32]) -> Self {
        Self {
            exact: bits(exact),
            prefix: bits(prefix),
            raw: bits(raw),
        }
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

fn bits(counts: &[u32]) -> Box<[u64]> {
    let word = |counts: &[u32]| {
        counts
            .iter()
            .rev()
            .fold(0, |word, count| word << 1 | u64::from(*count > 0))
    };
    counts.chunks(64).map(word).collect()
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
