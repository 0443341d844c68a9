//! All hosts on the mutable side: which fragments each has, oldest first, and the virtual host they were merged to.

use crate::compiler::Fragments;
use crate::fragment::{Compiled, Patterns};
use crate::host::VirtualHost;
use crate::merge;
use crate::schema::{Compat, Problem};
use crate::shard::{Placed, Shard, found_as};
use crate::table::{SHARDS, hash_of, shard_of};
use crate::upstreams::FragmentId;
use foldhash::quality::RandomState;
use hashbrown::HashMap;
use std::cmp::Ordering;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Hosts {
    hash: RandomState,
    shards: Vec<Part>,
    wildcards: usize,
}

#[derive(Debug, Default)]
struct Part {
    hosts: HashMap<Arc<str>, Host, foldhash::fast::RandomState>,
    /// What the last table got; `None` since a host changed.
    shard: Option<Arc<Shard>>,
}

#[derive(Debug, Default)]
struct Host {
    /// Oldest first.
    fragments: Vec<FragmentId>,
    /// `None` until it is merged for the first time.
    merged: Option<Arc<VirtualHost>>,
}

impl Hosts {
    pub(crate) fn new() -> Self {
        let shards = (0..SHARDS).map(|_| Part::default()).collect();
        Self {
            hash: RandomState::default(),
            shards,
            wildcards: 0,
        }
    }

    pub(crate) fn hash(&self) -> &RandomState {
        &self.hash
    }

    pub(crate) fn has_wildcards(&self) -> bool {
        self.wildcards > 0
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.shards.iter().flat_map(|part| part.hosts.keys())
    }

    /// Adds a fragment to its host, at its place by age.
    pub(crate) fn insert(&mut self, id: FragmentId, fragments: &Fragments) {
        let fragment = fragments.get(id);
        let part = self.part(&fragment.host);
        let host = part.hosts.entry(Arc::clone(&fragment.host)).or_default();
        let at = host
            .fragments
            .partition_point(|&other| by_age(fragments.get(other), fragment) == Ordering::Less);
        host.fragments.insert(at, id);
    }

    /// Takes a fragment, which still exists, from its host.
    pub(crate) fn remove(&mut self, id: FragmentId, fragments: &Fragments) {
        let fragment = fragments.get(id);
        let part = self.part(&fragment.host);
        let Some(host) = part.hosts.get_mut(&fragment.host) else {
            return;
        };
        let from = host
            .fragments
            .partition_point(|&other| by_age(fragments.get(other), fragment) == Ordering::Less);
        // Several values can be alike in all that orders them.
        if let Some(at) = host.fragments[from..].iter().position(|&other| other == id) {
            host.fragments.remove(from + at);
        }
    }

    /// Merges the fragments of a host again. Gives all that is wrong with them.
    pub(crate) fn merge(
        &mut self,
        name: &Arc<str>,
        fragments: &mut Fragments,
        patterns: &mut Patterns,
        compat: Compat,
    ) -> Vec<Problem> {
        let part = self.part(name);
        part.shard = None;
        let Some(host) = part.hosts.get_mut(name) else {
            return Vec::new();
        };
        let was_there = host.merged.is_some();
        let is_there = !host.fragments.is_empty();
        let mut problems = Vec::new();
        if is_there {
            let all = || host.fragments.iter();
            if merge::is_regex_host(all().map(|&id| fragments.get(id)), compat) {
                all()
                    .filter_map(|&id| Some(fragments.get_mut(id)?.make_regexes(patterns)))
                    .for_each(drop);
            }
            let merged = merge::merge(name, all().map(|&id| fragments.get(id)).collect(), compat);
            host.merged = Some(Arc::new(merged.host));
            problems = merged.problems;
        } else {
            part.hosts.remove(name);
        }
        if name.starts_with('*') {
            self.wildcards = self.wildcards + usize::from(is_there) - usize::from(was_there);
        }
        problems
    }

    /// The shards as they are now, those that did not change being those of the last call.
    pub(crate) fn shards(&mut self) -> Box<[Arc<Shard>]> {
        let hash = &self.hash;
        self.shards.iter_mut().map(|part| part.shard(hash)).collect()
    }

    /// The virtual host without a name.
    pub(crate) fn anywhere(&mut self) -> Option<Arc<VirtualHost>> {
        self.part("").hosts.get("")?.merged.clone()
    }

    pub(crate) fn check_invariants(&self, fragments: &Fragments) {
        let hosts = || self.shards.iter().flat_map(|part| &part.hosts);
        let total: usize = hosts().map(|(_, host)| host.fragments.len()).sum();
        assert_eq!(total, fragments.iter().count(), "each fragment is in one host");
        for (name, host) in hosts() {
            assert!(!host.fragments.is_empty(), "the host {name} has a fragment");
            let of_host = |id: &FragmentId| fragments.get(*id).host == *name;
            assert!(
                host.fragments.iter().all(of_host),
                "the fragments of {name} are its own"
            );
            let ordered =
                |ids: &[FragmentId]| by_age(fragments.get(ids[0]), fragments.get(ids[1])) != Ordering::Greater;
            assert!(
                host.fragments.windows(2).all(ordered),
                "the fragments of {name} are in the order of age"
            );
            assert!(host.merged.is_some(), "the host {name} is merged");
        }
        let wildcards = hosts().filter(|(name, _)| name.starts_with('*')).count();
        assert_eq!(wildcards, self.wildcards, "wildcard hosts are counted");
    }

    fn part(&mut self, name: &str) -> &mut Part {
        let hash = hash_of(&self.hash, found_as(name));
        &mut self.shards[shard_of(hash)]
    }
}

impl Part {
    fn shard(&mut self, hash: &RandomState) -> Arc<Shard> {
        let hosts = &self.hosts;
        let shard = self.shard.get_or_insert_with(|| {
            let named = hosts
                .values()
                .filter_map(|host| host.merged.as_ref())
                .filter(|host| !host.name.is_empty());
            let placed: Vec<Placed<'_>> = named
                .map(|host| Placed {
                    hash: hash_of(hash, host.found_as()),
                    host,
                })
                .collect();
            Arc::new(Shard::new(&placed))
        });
        Arc::clone(shard)
    }
}

/// Oldest first. Ages differ between Ingresses; should they not, or should one Ingress have two fragments here, their
/// names and contents decide, so that the order in which they came never does.
fn by_age(one: &Compiled, other: &Compiled) -> Ordering {
    let (a, b) = (&one.ingress.of, &other.ingress.of);
    one.age
        .cmp(&other.age)
        .then_with(|| a.namespace.cmp(&b.namespace))
        .then_with(|| a.name.cmp(&b.name))
        .then_with(|| a.uid.cmp(&b.uid))
        .then_with(|| one.digest.cmp(&other.digest))
}
