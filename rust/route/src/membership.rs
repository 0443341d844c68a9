//! One host on the mutable side: its fragments by age, and how they become its virtual host.
//!
//! With few paths all is settled anew at each merge; with many, buckets are kept and only those that changed are.

use crate::buckets::Buckets;
use crate::fragment::{Compiled, Patterns};
use crate::fragments::Fragments;
use crate::host::{Scan, Search, VirtualHost};
use crate::merge::Contest;
use crate::paths::{self, MOST_PATHS};
use crate::schema::{Compat, Problem};
use crate::upstreams::FragmentId;
use std::cmp::Ordering;
use std::sync::Arc;

/// The fragments of a host, and lists of those that matter in some way, all oldest first.
#[derive(Debug, Default)]
pub(crate) struct Host {
    pub(crate) all: ByAge,
    weak: ByAge,
    /// Of those that are not weak: with a default backend, with a certificate.
    defaults: ByAge,
    certified: ByAge,
    /// With a pass-through.
    passing: ByAge,
    /// With a policy for clients' certificates.
    guarded: ByAge,
    /// How many that are not weak ask for regexes, and how many rules they have together.
    regex_hosts: usize,
    rules: usize,
    /// Kept while the host has many paths; without the fragments that came since the last merge.
    buckets: Option<Buckets>,
    fresh: Vec<FragmentId>,
    /// `None` until it is merged for the first time.
    pub(crate) merged: Option<Arc<VirtualHost>>,
}

/// What the merge of a host works with.
pub(crate) struct Merging<'m> {
    pub(crate) name: &'m Arc<str>,
    pub(crate) fragments: &'m mut Fragments,
    pub(crate) patterns: &'m mut Patterns,
    pub(crate) problems: Vec<Problem>,
}

impl Host {
    pub(crate) fn insert(&mut self, id: FragmentId, fragments: &Fragments) {
        let fragment = fragments.get(id);
        self.all.insert(id, fragments);
        if fragment.weak {
            self.weak.insert(id, fragments);
            return;
        }
        if fragment.default.is_some() {
            self.defaults.insert(id, fragments);
        }
        if fragment.certificate.is_some() {
            self.certified.insert(id, fragments);
        }
        if fragment.passthrough.is_some() {
            self.passing.insert(id, fragments);
        }
        if fragment.client.is_some() {
            self.guarded.insert(id, fragments);
        }
        self.regex_hosts += usize::from(fragment.regex_host);
        self.rules += fragment.rules(false).len();
        if self.buckets.is_some() {
            self.fresh.push(id);
        }
    }

    pub(crate) fn remove(&mut self, id: FragmentId, fragments: &Fragments) {
        let fragment = fragments.get(id);
        let Self {
            all,
            weak,
            defaults,
            certified,
            passing,
            guarded,
            ..
        } = self;
        for list in [all, weak, defaults, certified, passing, guarded] {
            list.remove(id, fragments);
        }
        if fragment.weak {
            return;
        }
        self.regex_hosts -= usize::from(fragment.regex_host);
        self.rules -= fragment.rules(false).len();
        if let Some(at) = self.fresh.iter().position(|&other| other == id) {
            self.fresh.swap_remove(at);
        } else if let Some(buckets) = &mut self.buckets {
            buckets.remove(id, fragments);
        }
    }

    /// Some routes of a fragment were replaced by others like them.
    pub(crate) fn touch(&mut self, id: FragmentId, fragments: &Fragments) {
        let is_fresh = self.fresh.contains(&id);
        if let Some(buckets) = self.buckets.as_mut().filter(|_| !is_fresh && !fragments.get(id).weak) {
            buckets.touch(id, fragments);
        }
    }

    pub(crate) fn merge(&mut self, compat: Compat, merging: &mut Merging<'_>) -> VirtualHost {
        // Of several weak ones the oldest alone serves, and only while there are none but weak ones.
        let alias = (self.weak.0.len() == self.all.0.len()).then(|| self.all.0[0]);
        let asks = alias.map_or(self.regex_hosts > 0, |id| merging.fragments.get(id).regex_host);
        let regex = asks && compat == Compat::IngressNginx;
        let search = self.search(alias, regex, merging);
        let Merging {
            name,
            fragments,
            problems,
            ..
        } = merging;
        let (name, fragments): (&Arc<str>, &Fragments) = (name, fragments);

        let mut contest = Contest::new(name);
        if let Some(&winner) = alias.as_ref().or_else(|| self.oldest_strong(fragments)) {
            let idle = self
                .weak
                .0
                .iter()
                .filter(|id| alias != Some(**id))
                .map(|&id| fragments.get(id));
            contest.shadow(fragments.get(winner), idle);
        }
        let list = |of: &[FragmentId]| of.iter().map(|&id| fragments.get(id)).collect::<Vec<_>>();
        let alias = alias.map(|id| vec![id]);
        let active = |of: &ByAge| list(alias.as_deref().unwrap_or(&of.0));
        // Without a host and without rules it is not the default of a virtual host but of everything.
        let (bare, hosted): (Vec<&Compiled>, Vec<&Compiled>) = active(&self.defaults)
            .into_iter()
            .partition(|fragment| name.is_empty() && fragment.rules(false).is_empty());
        let default = contest.default(hosted.into_iter());
        let catch_all = contest.default(bare.into_iter());
        let client = contest.client(active(&self.guarded).into_iter());
        let rules = alias
            .as_ref()
            .map_or(self.rules, |alias| fragments.get(alias[0]).rules(false).len());
        let passthrough = match active(&self.passing).as_slice() {
            [] => None,
            _ => contest.passthrough(active(&self.passing).into_iter().chain(active(&self.certified))),
        };
        problems.append(&mut contest.problems);
        VirtualHost {
            name: Arc::clone(name),
            search,
            owns: default.is_some() || rules > 0,
            default,
            catch_all,
            certificate: active(&self.certified)
                .first()
                .and_then(|fragment| fragment.certificate.clone()),
            passthrough,
            client,
            lost: contest.lost.into(),
        }
    }

    /// Settles the paths: those of `alias` if it serves, of all that are not weak otherwise.
    fn search(&mut self, alias: Option<FragmentId>, regex: bool, merging: &mut Merging<'_>) -> Search {
        let Merging {
            name,
            fragments,
            patterns,
            problems,
        } = merging;
        let rules = alias.map_or(self.rules, |id| fragments.get(id).rules(false).len());
        let fresh = std::mem::take(&mut self.fresh);
        let kept = self
            .buckets
            .take()
            .filter(|buckets| alias.is_none() && buckets.suit(regex, rules));
        if let Some(mut buckets) = kept.filter(|_| rules > MOST_PATHS) {
            for &id in &fresh {
                fragments.prepare(id, regex, patterns);
                buckets.insert(id, fragments);
            }
            let index = buckets.settle(name, fragments, problems);
            self.buckets = Some(buckets);
            return Search::Index(Box::new(index));
        }
        let ids = alias.map_or_else(|| self.strong(fragments), |id| vec![id]);
        for &id in &ids {
            fragments.prepare(id, regex, patterns);
        }
        if let Some(scan) = (rules <= MOST_PATHS)
            .then(|| scan(name, &ids, regex, fragments, problems))
            .flatten()
        {
            return Search::Scan(scan);
        }
        let mut buckets = Buckets::new(ids.into_iter(), fragments, regex, rules);
        let index = buckets.settle(name, fragments, problems);
        self.buckets = alias.is_none().then_some(buckets);
        Search::Index(Box::new(index))
    }

    pub(crate) fn check_invariants(&self, name: &str, fragments: &Fragments) {
        let strong = self.strong(fragments);
        let of = |is: &dyn Fn(&Compiled) -> bool| -> Vec<FragmentId> {
            strong.iter().copied().filter(|&id| is(fragments.get(id))).collect()
        };
        assert_eq!(
            self.all.0.len(),
            strong.len() + self.weak.0.len(),
            "a fragment of {name} is weak or not"
        );
        assert_eq!(
            self.defaults.0,
            of(&|fragment| fragment.default.is_some()),
            "default backends of {name}"
        );
        assert_eq!(
            self.certified.0,
            of(&|fragment| fragment.certificate.is_some()),
            "certificates of {name}"
        );
        assert_eq!(
            self.passing.0,
            of(&|fragment| fragment.passthrough.is_some()),
            "pass-throughs of {name}"
        );
        assert_eq!(
            self.guarded.0,
            of(&|fragment| fragment.client.is_some()),
            "policies of {name} for clients' certificates"
        );
        assert_eq!(
            self.regex_hosts,
            of(&|fragment| fragment.regex_host).len(),
            "{name} as a regex host"
        );
        let rules: usize = strong.iter().map(|&id| fragments.get(id).rules(false).len()).sum();
        assert_eq!(self.rules, rules, "rules of {name} are counted");
        assert!(self.fresh.is_empty(), "{name} was merged since its last change");
    }

    fn oldest_strong(&self, fragments: &Fragments) -> Option<&FragmentId> {
        self.all.0.iter().find(|&&id| !fragments.get(id).weak)
    }

    fn strong(&self, fragments: &Fragments) -> Vec<FragmentId> {
        self.all
            .0
            .iter()
            .copied()
            .filter(|&id| !fragments.get(id).weak)
            .collect()
    }
}

/// Few paths; `None`, and no problem is told, if they are too long for it.
fn scan(
    name: &str,
    ids: &[FragmentId],
    regex: bool,
    fragments: &Fragments,
    problems: &mut Vec<Problem>,
) -> Option<Scan> {
    let mut contest = Contest::new(name);
    let of_fragment = |&id: &FragmentId| {
        let fragment = fragments.get(id);
        fragment.rules(regex).iter().map(move |rule| (fragment, rule))
    };
    let winners = contest.paths(ids.iter().flat_map(of_fragment));
    let paths = paths::encode(&winners)?;
    problems.append(&mut contest.problems);
    let routes = winners.iter().map(|rule| Arc::clone(&rule.route)).collect();
    Some(Scan {
        paths,
        routes,
        lost: contest.lost.into(),
    })
}

/// Fragments, oldest first.
#[derive(Debug, Default)]
pub(crate) struct ByAge(pub(crate) Vec<FragmentId>);

impl ByAge {
    fn insert(&mut self, id: FragmentId, fragments: &Fragments) {
        let at = self.place(id, fragments);
        self.0.insert(at, id);
    }

    /// Takes it, if it is here.
    fn remove(&mut self, id: FragmentId, fragments: &Fragments) {
        let from = self.place(id, fragments);
        // Several values can be alike in all that orders them.
        let alike = |other: &&FragmentId| by_age(fragments.get(**other), fragments.get(id)) == Ordering::Equal;
        let found = self.0[from..].iter().take_while(alike).position(|&other| other == id);
        if let Some(at) = found {
            self.0.remove(from + at);
        }
    }

    fn place(&self, id: FragmentId, fragments: &Fragments) -> usize {
        let fragment = fragments.get(id);
        self.0
            .partition_point(|&other| by_age(fragments.get(other), fragment) == Ordering::Less)
    }
}

/// Oldest first. Ages differ between Ingresses; should they not, or should one Ingress have two fragments here, their
/// names and contents decide, so that the order in which they came never does.
pub(crate) fn by_age(one: &Compiled, other: &Compiled) -> Ordering {
    let (a, b) = (&one.ingress.of, &other.ingress.of);
    one.age
        .cmp(&other.age)
        .then_with(|| a.namespace.cmp(&b.namespace))
        .then_with(|| a.name.cmp(&b.name))
        .then_with(|| a.uid.cmp(&b.uid))
        .then_with(|| one.digest.cmp(&other.digest))
}
