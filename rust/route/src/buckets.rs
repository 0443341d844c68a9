//! The rules of a host with many paths, on the mutable side: in buckets by hash of path, so that an edit settles again
//! only the few buckets that its rules fall into.
//!
//! Rules that could be in each other's way, those of one kind and path, are always in the same bucket.

use crate::compiled::Route;
use crate::fragment::Rule;
use crate::fragments::Fragments;
use crate::index::{Leaf, Lengths, PathIndex, leaf_of};
use crate::membership::by_age;
use crate::merge::Contest;
use crate::schema::{PathKind, Problem};
use crate::table::hash_of;
use crate::upstreams::FragmentId;
use foldhash::quality::RandomState;
use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

/// Rules of a bucket when they are laid out, and how far that may drift before they are laid out anew.
const RULES: usize = 32;
const DRIFT: usize = 4;

#[derive(Debug)]
pub(crate) struct Buckets {
    /// Whether the rules are taken as regexes.
    regex: bool,
    hash: RandomState,
    list: Vec<Bucket>,
    /// How many literal paths there are of each length: exact, prefix, raw.
    lengths: [Vec<u32>; 3],
    regexes: Arc<[(u32, Arc<Route>)]>,
}

#[derive(Debug, Default)]
struct Bucket {
    /// By age, then by their place in the fragment.
    rules: Vec<(FragmentId, u32)>,
    /// `None` since a rule came or went.
    settled: Option<Settled>,
    /// Lengths that `lengths` counts for this bucket are those of this leaf.
    counted: Arc<Leaf>,
    has_regexes: bool,
}

#[derive(Debug)]
struct Settled {
    leaf: Arc<Leaf>,
    problems: Vec<Problem>,
}

impl Buckets {
    /// With the rules of these fragments, which come oldest first.
    pub(crate) fn new(ids: impl Iterator<Item = FragmentId>, fragments: &Fragments, regex: bool, rules: usize) -> Self {
        let count = rules.div_ceil(RULES).next_power_of_two();
        let mut buckets = Self {
            regex,
            hash: RandomState::default(),
            list: (0..count).map(|_| Bucket::default()).collect(),
            lengths: Default::default(),
            regexes: Arc::default(),
        };
        for id in ids {
            for (place, rule) in fragments.get(id).rules(regex).iter().enumerate() {
                buckets.bucket(rule).rules.push((id, number(place)));
            }
        }
        buckets
    }

    /// Whether they still suit so many rules, taken this way.
    pub(crate) fn suit(&self, regex: bool, rules: usize) -> bool {
        let least = if self.list.len() == 1 {
            0
        } else {
            self.list.len() * RULES / 2 / DRIFT
        };
        self.regex == regex && (least..=self.list.len() * RULES * DRIFT).contains(&rules)
    }

    pub(crate) fn insert(&mut self, id: FragmentId, fragments: &Fragments) {
        let fragment = fragments.get(id);
        for (place, rule) in fragment.rules(self.regex).iter().enumerate() {
            let bucket = self.bucket(rule);
            let is_before = |(other, other_place): &(FragmentId, u32)| match by_age(fragments.get(*other), fragment) {
                Ordering::Equal => (*other, *other_place) < (id, number(place)),
                order => order == Ordering::Less,
            };
            let at = bucket.rules.partition_point(is_before);
            bucket.rules.insert(at, (id, number(place)));
            bucket.settled = None;
        }
    }

    /// Takes the rules of a fragment, which still exists.
    pub(crate) fn remove(&mut self, id: FragmentId, fragments: &Fragments) {
        for rule in fragments.get(id).rules(self.regex) {
            let bucket = self.bucket(rule);
            bucket.rules.retain(|(other, _)| *other != id);
            bucket.settled = None;
        }
    }

    /// Some routes of a fragment were replaced by others like them.
    pub(crate) fn touch(&mut self, id: FragmentId, fragments: &Fragments) {
        for rule in fragments.get(id).rules(self.regex) {
            self.bucket(rule).settled = None;
        }
    }

    /// Settles what changed. Gives the index of all paths, and adds all that is wrong to `problems`.
    pub(crate) fn settle(&mut self, host: &str, fragments: &Fragments, problems: &mut Vec<Problem>) -> PathIndex {
        let mut regexes_changed = false;
        for bucket in &mut self.list {
            if bucket.settled.is_none() {
                regexes_changed |= bucket.settle(host, self.regex, &self.hash, fragments);
                count(&mut self.lengths, &bucket.counted, false);
                bucket.counted = bucket
                    .settled
                    .as_ref()
                    .map(|settled| Arc::clone(&settled.leaf))
                    .unwrap_or_default();
                count(&mut self.lengths, &bucket.counted, true);
            }
            problems.extend(bucket.settled.iter().flat_map(|settled| &settled.problems).cloned());
        }
        if regexes_changed {
            self.regexes = self.order_regexes(fragments);
        }
        let [exact, prefix, raw] = &self.lengths;
        PathIndex {
            hash: self.hash.clone(),
            leaves: self.list.iter().map(|bucket| Arc::clone(&bucket.counted)).collect(),
            lengths: Lengths::new(exact, prefix, raw),
            regexes: Arc::clone(&self.regexes),
        }
    }

    /// All regexes that win their path, longest first, then oldest first.
    fn order_regexes(&self, fragments: &Fragments) -> Arc<[(u32, Arc<Route>)]> {
        let rule = |(id, place): (FragmentId, u32)| &fragments.get(id).rules(self.regex)[place as usize];
        let with_regexes = self.list.iter().filter(|bucket| bucket.has_regexes);
        let mut all: Vec<(FragmentId, u32)> = with_regexes
            .flat_map(|bucket| {
                let wins = |at: &(FragmentId, u32)| {
                    let route = &rule(*at).route;
                    let same = |other: &&Arc<Route>| Arc::ptr_eq(other, route);
                    route.kind == PathKind::Regex && bucket.counted.routes.iter().any(|other| same(&other))
                };
                bucket.rules.iter().copied().filter(wins)
            })
            .collect();
        all.sort_by(|&a, &b| {
            let length = Reverse(rule(a).length).cmp(&Reverse(rule(b).length));
            length
                .then_with(|| by_age(fragments.get(a.0), fragments.get(b.0)))
                .then_with(|| a.cmp(&b))
        });
        all.into_iter()
            .map(|at| (rule(at).length, Arc::clone(&rule(at).route)))
            .collect()
    }

    fn bucket(&mut self, rule: &Rule) -> &mut Bucket {
        let leaf = leaf_of(hash_of(&self.hash, rule.form()), self.list.len());
        &mut self.list[leaf]
    }
}

impl Bucket {
    /// Says whether the regexes of the host may have changed by it.
    fn settle(&mut self, host: &str, regex: bool, hash: &RandomState, fragments: &Fragments) -> bool {
        let mut contest = Contest::new(host);
        let rules = self.rules.iter().map(|&(id, place)| {
            let fragment = fragments.get(id);
            (fragment, &fragment.rules(regex)[place as usize])
        });
        let winners = contest.paths(rules);
        let had_regexes = self.has_regexes;
        self.has_regexes = winners.iter().any(|rule| rule.route.kind == PathKind::Regex);
        let leaf = Arc::new(Leaf::new(hash, &winners, contest.lost));
        self.settled = Some(Settled {
            leaf,
            problems: contest.problems,
        });
        had_regexes || self.has_regexes
    }
}

fn count(lengths: &mut [Vec<u32>; 3], leaf: &Leaf, add: bool) {
    for (kind, length) in leaf.lengths() {
        let counts = &mut lengths[match kind {
            PathKind::Exact => 0,
            PathKind::Prefix => 1,
            PathKind::RawPrefix | PathKind::Regex => 2,
        }];
        if counts.len() <= length {
            counts.resize(length + 1, 0);
        }
        counts[length] = if add { counts[length] + 1 } else { counts[length] - 1 };
    }
}

fn number(place: usize) -> u32 {
    u32::try_from(place).expect("a fragment has fewer than 2^32 rules")
}
