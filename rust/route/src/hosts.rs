//! All hosts on the mutable side: which fragments each has, oldest first, and the virtual host they were merged to.

use crate::fragment::Patterns;
use crate::fragments::Fragments;
use crate::host::VirtualHost;
use crate::membership::{Host, Merging, by_age};
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
    /// Hosts whose TLS connections are not opened.
    passing: usize,
    /// Hosts that ask something of clients' certificates.
    guarded: usize,
}

#[derive(Debug, Default)]
struct Part {
    hosts: HashMap<Arc<str>, Host, foldhash::fast::RandomState>,
    /// What the last table got; `None` since a host changed.
    shard: Option<Arc<Shard>>,
}

impl Hosts {
    pub(crate) fn new() -> Self {
        let shards = (0..SHARDS).map(|_| Part::default()).collect();
        Self {
            hash: RandomState::default(),
            shards,
            wildcards: 0,
            passing: 0,
            guarded: 0,
        }
    }

    pub(crate) fn hash(&self) -> &RandomState {
        &self.hash
    }

    pub(crate) fn has_wildcards(&self) -> bool {
        self.wildcards > 0
    }

    pub(crate) fn has_passthrough(&self) -> bool {
        self.passing > 0
    }

    /// Whether any host asks something of clients' certificates.
    pub(crate) fn asks_clients(&self) -> bool {
        self.guarded > 0
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.shards.iter().flat_map(|part| part.hosts.keys())
    }

    /// Adds a fragment to its host.
    pub(crate) fn insert(&mut self, id: FragmentId, fragments: &Fragments) {
        let name = &fragments.get(id).host;
        self.part(name)
            .hosts
            .entry(Arc::clone(name))
            .or_default()
            .insert(id, fragments);
    }

    /// Takes a fragment, which still exists, from its host.
    pub(crate) fn remove(&mut self, id: FragmentId, fragments: &Fragments) {
        let name = &fragments.get(id).host;
        if let Some(host) = self.part(name).hosts.get_mut(name) {
            host.remove(id, fragments);
        }
    }

    /// Some routes of a fragment were replaced by others like them.
    pub(crate) fn touch(&mut self, id: FragmentId, fragments: &Fragments) {
        let name = &fragments.get(id).host;
        if let Some(host) = self.part(name).hosts.get_mut(name) {
            host.touch(id, fragments);
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
        let did_pass = passes(host);
        let was_guarded = is_guarded(host);
        let is_there = !host.all.0.is_empty();
        let mut merging = Merging {
            name,
            fragments,
            patterns,
            problems: Vec::new(),
        };
        if is_there {
            host.merged = Some(Arc::new(host.merge(compat, &mut merging)));
            let (passes, guarded) = (passes(host), is_guarded(host));
            self.passing += usize::from(passes);
            self.guarded += usize::from(guarded);
        } else {
            part.hosts.remove(name);
        }
        self.passing -= usize::from(did_pass);
        self.guarded -= usize::from(was_guarded);
        let mut problems = merging.problems;
        if name.starts_with('*') {
            self.wildcards = self.wildcards + usize::from(is_there) - usize::from(was_there);
        }
        problems.sort_by(|a, b| (problem_uid(a), &a.code, &a.message).cmp(&(problem_uid(b), &b.code, &b.message)));
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
        let total: usize = hosts().map(|(_, host)| host.all.0.len()).sum();
        assert_eq!(total, fragments.iter().count(), "each fragment is in one host");
        for (name, host) in hosts() {
            assert!(!host.all.0.is_empty(), "the host {name} has a fragment");
            let of_host = |id: &FragmentId| fragments.get(*id).host == *name;
            assert!(host.all.0.iter().all(of_host), "the fragments of {name} are its own");
            let ordered =
                |ids: &[FragmentId]| by_age(fragments.get(ids[0]), fragments.get(ids[1])) != Ordering::Greater;
            assert!(
                host.all.0.windows(2).all(ordered),
                "the fragments of {name} are in the order of age"
            );
            assert!(host.merged.is_some(), "the host {name} is merged");
            host.check_invariants(name, fragments);
        }
        let wildcards = hosts().filter(|(name, _)| name.starts_with('*')).count();
        assert_eq!(wildcards, self.wildcards, "wildcard hosts are counted");
        let passing = hosts().filter(|(_, host)| passes(host)).count();
        assert_eq!(passing, self.passing, "hosts with a pass-through are counted");
        let guarded = hosts().filter(|(_, host)| is_guarded(host)).count();
        assert_eq!(guarded, self.guarded, "hosts that ask for certificates are counted");
    }

    fn part(&mut self, name: &str) -> &mut Part {
        let hash = hash_of(&self.hash, found_as(name));
        &mut self.shards[shard_of(hash)]
    }
}

fn passes(host: &Host) -> bool {
    host.merged.as_ref().is_some_and(|merged| merged.passthrough.is_some())
}

fn is_guarded(host: &Host) -> bool {
    host.merged.as_ref().is_some_and(|merged| merged.client.is_some())
}

fn problem_uid(problem: &Problem) -> Option<&str> {
    problem.ingress.as_ref().map(|ingress| &*ingress.uid)
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
