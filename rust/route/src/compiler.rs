//! The compiler: the desired state by key, and the work that a change to it makes.
//!
//! Cost follows the change. A value whose digest is known is not decoded again, a fragment that did not change is not
//! compiled again, and only the hosts that a change touches are merged again.

use crate::compiled::{Ingress, Route};
use crate::decode::{self, SchemaError};
use crate::digest::{self, Digest};
use crate::fragment::{Compiled, Parts};
use crate::fragments::Fragments;
use crate::hosts::Hosts;
use crate::schema::{self, ChangeSet, Compat, Key, Kind, Problem, Report, Upsert};
use crate::streams::{Stream, Streams};
use crate::table::{Counted, RouteTable};
use crate::upstreams::FragmentId;
use hashbrown::{HashMap, HashSet};
use std::collections::BTreeMap;
use std::sync::Arc;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Owns the mutable side of the route table. Single-threaded; the gateway keeps it under a lock.
#[derive(Debug)]
pub struct Compiler {
    pub(crate) entries: [Map<Box<str>, Entry>; Kind::ALL.len()],
    pub(crate) digest: Digest,
    pub(crate) fragments: Fragments,
    pub(crate) parts: Parts,
    pub(crate) hosts: Hosts,
    pub(crate) streams: Streams,
    /// What the routes to the controller's default backend come from.
    controller: Arc<Ingress>,
    pub(crate) fallback: Option<Fallback>,
    troubled: HashSet<Box<str>, foldhash::fast::RandomState>,
    table: Arc<RouteTable>,
}

/// What came of a change set.
#[derive(Debug)]
pub struct Applied {
    /// The table that holds the change; the same as before if nothing changed.
    pub table: Arc<RouteTable>,
    /// What was done and what is wrong.
    pub report: Report,
    /// Certificates by key that are new or changed; `None`: removed.
    pub certificates: Changes<schema::Certificate>,
    /// The same of authorities.
    pub authorities: Changes<schema::Authority>,
    /// The same of TCP and UDP services.
    pub streams: Changes<Arc<Stream>>,
    /// The same of ticket keys.
    pub tickets: Changes<schema::Tickets>,
}

/// Values by key that are new or changed; `None`: removed.
pub type Changes<T> = Vec<(Box<str>, Option<T>)>;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) digest: u128,
    /// The compiled fragment, if this is one and it is sound.
    pub(crate) fragment: Option<FragmentId>,
}

/// The controller's default backend.
#[derive(Debug)]
pub(crate) struct Fallback {
    target: schema::Target,
    pub(crate) route: Arc<Route>,
}

/// What a change set has done so far.
#[derive(Default)]
struct Work {
    changed: bool,
    report: Report,
    certificates: Changes<schema::Certificate>,
    authorities: Changes<schema::Authority>,
    streams: Changes<Arc<Stream>>,
    tickets: Changes<schema::Tickets>,
    problems: BTreeMap<Box<str>, Vec<Problem>>,
    upstreams: HashSet<Box<str>>,
    stale: HashSet<(FragmentId, Box<str>)>,
    hosts: HashSet<Arc<str>>,
}

impl Default for Compiler {
    fn default() -> Self {
        Self::new()
    }
}

impl Compiler {
    /// With nothing in it.
    #[must_use]
    pub fn new() -> Self {
        let mut parts = Parts::new();
        let nobody = schema::IngressRef {
            namespace: "".into(),
            name: "".into(),
            uid: "".into(),
        };
        let controller = parts.ingresses.acquire(&nobody);
        let mut hosts = Hosts::new();
        let table = Arc::new(RouteTable {
            generation: 0,
            settings: Arc::clone(parts.scopes.process()),
            compat: Compat::default(),
            hash: hosts.hash().clone(),
            shards: hosts.shards(),
            anywhere: None,
            has_wildcards: false,
            has_passthrough: false,
            asks_clients: false,
            fallback: None,
            backends: parts.backends.sheets(),
            ingresses: parts.ingresses.sheets(),
            _counted: Counted::new(),
        });
        Self {
            entries: Default::default(),
            digest: Digest::default(),
            fragments: Fragments::default(),
            parts,
            hosts,
            streams: Streams::default(),
            controller,
            fallback: None,
            troubled: HashSet::default(),
            table,
        }
    }

    /// Applies a change set: first what is new, in the order in which values need each other, then removals.
    ///
    /// A value that cannot be used is a problem in the scope `KIND:KEY`, and its key counts as absent.
    ///
    /// # Errors
    /// The change set is of another version; nothing was applied.
    pub fn apply(&mut self, change: &ChangeSet) -> Result<Applied, SchemaError> {
        change.check_version()?;
        let mut work = Work::default();
        let compat = self.compat();
        for kind in Kind::ALL {
            for upsert in change.upserts.iter().filter(|upsert| upsert.0 == kind) {
                self.upsert(upsert, &mut work);
            }
        }
        if change.full {
            self.remove_all_but(&change.upserts, &mut work);
        }
        for key in &change.removals {
            self.remove(key, &mut work);
        }
        self.refresh_routes(&mut work);
        if self.compat() != compat {
            work.hosts.extend(self.hosts.names().cloned());
        }
        self.merge_hosts(&mut work);
        if work.changed {
            self.table = self.next_table();
        }
        Ok(self.applied(work))
    }

    /// The digest of the whole desired state, 32 hexadecimal characters.
    #[must_use]
    pub fn digest(&self) -> String {
        self.digest.text()
    }

    /// The table of the last change.
    #[must_use]
    pub fn table(&self) -> Arc<RouteTable> {
        Arc::clone(&self.table)
    }

    fn compat(&self) -> Compat {
        self.parts.scopes.process().now.load().compat
    }

    fn upsert(&mut self, Upsert(kind, key, blob): &Upsert, work: &mut Work) {
        let digest = digest::of_entry(*kind, key, blob);
        let old = self.entries[*kind as usize].get(key).copied();
        if old.is_some_and(|old| old.digest == digest) {
            return;
        }
        work.changed = true;
        self.digest.replace(old.map(|old| old.digest), Some(digest));
        let result = match kind {
            Kind::Settings => self.upsert_settings(key, blob),
            Kind::Endpoints => self.upsert_endpoints(key, blob, work),
            Kind::Upstream => self.upsert_upstream(key, blob, work),
            Kind::Certificate => upsert_certificate(key, blob, work),
            Kind::Fragment => self.upsert_fragment(blob, digest, work),
            Kind::Authority => pass_on(key, blob, &mut work.authorities),
            Kind::Stream => self.upsert_stream(key, blob, work),
            Kind::Tickets => pass_on(key, blob, &mut work.tickets),
        };
        let (fragment, problems) = match result {
            Ok(Sound { fragment, problems }) => (fragment, problems),
            Err(message) => {
                self.withdraw(*kind, key, work);
                (None, vec![problem("InvalidValue", &message)])
            }
        };
        self.tell(scope(*kind, key), problems, work);
        // After the new one has taken what it needs, so that what both need is kept.
        self.entries[*kind as usize].insert(key.clone(), Entry { digest, fragment });
        self.drop_fragment(old.and_then(|old| old.fragment), work);
    }

    fn remove_all_but(&mut self, upserts: &[Upsert], work: &mut Work) {
        let kept: HashSet<(Kind, &str)> = upserts.iter().map(|Upsert(kind, key, _)| (*kind, &**key)).collect();
        let keys = |kind: Kind| self.entries[kind as usize].keys().map(move |key| (kind, key));
        let gone = Kind::ALL
            .into_iter()
            .flat_map(keys)
            .filter(|(kind, key)| !kept.contains(&(*kind, &***key)));
        let gone: Vec<Key> = gone.map(|(kind, key)| Key(kind, key.clone())).collect();
        for key in &gone {
            self.remove(key, work);
        }
    }

    fn remove(&mut self, Key(kind, key): &Key, work: &mut Work) {
        let Some(old) = self.entries[*kind as usize].remove(key) else {
            return;
        };
        work.changed = true;
        self.digest.replace(Some(old.digest), None);
        self.withdraw(*kind, key, work);
        self.drop_fragment(old.fragment, work);
        self.tell(scope(*kind, key), Vec::new(), work);
    }

    /// Makes a key absent for those who refer to it; fragments are dropped by their number.
    fn withdraw(&mut self, kind: Kind, key: &str, work: &mut Work) {
        match kind {
            Kind::Settings => self.parts.scopes.set(key, None),
            Kind::Endpoints => {
                self.parts.backends.set(key, None);
                work.report.compiled.endpoints += 1;
            }
            Kind::Upstream => self.set_upstream(key, None, work),
            Kind::Certificate => work.certificates.push((key.into(), None)),
            Kind::Authority => work.authorities.push((key.into(), None)),
            Kind::Stream => {
                self.streams.remove(key, &mut self.parts);
                work.streams.push((key.into(), None));
            }
            Kind::Tickets => work.tickets.push((key.into(), None)),
            Kind::Fragment => {}
        }
    }

    fn upsert_settings(&mut self, key: &str, blob: &[u8]) -> Result<Sound, Box<str>> {
        self.parts.scopes.set(key, Some(decode::value(blob)?));
        Ok(Sound::default())
    }

    fn upsert_endpoints(&mut self, key: &str, blob: &[u8], work: &mut Work) -> Result<Sound, Box<str>> {
        let refused = self.parts.backends.set(key, Some(decode::value(blob)?));
        work.report.compiled.endpoints += 1;
        let told = refused
            .iter()
            .map(|text| problem("InvalidEndpoint", &format!("{text:?} is no address and port")));
        Ok(Sound {
            fragment: None,
            problems: told.collect(),
        })
    }

    fn upsert_upstream(&mut self, key: &str, blob: &[u8], work: &mut Work) -> Result<Sound, Box<str>> {
        self.set_upstream(key, Some(decode::value(blob)?), work);
        Ok(Sound::default())
    }

    fn set_upstream(&mut self, key: &str, value: Option<schema::Upstream>, work: &mut Work) {
        let users = self.parts.upstreams.set(key, value);
        work.stale.extend(users.into_iter().map(|user| (user, Box::from(key))));
        work.upstreams.insert(key.into());
    }

    fn upsert_fragment(&mut self, blob: &[u8], digest: u128, work: &mut Work) -> Result<Sound, Box<str>> {
        let fragment: schema::Fragment = decode::value(blob)?;
        let id = self.fragments.next_id();
        let compiled = Compiled::new(fragment, digest, id, &mut self.parts)?;
        work.report.compiled.fragments += 1;
        work.hosts.insert(Arc::clone(&compiled.host));
        self.fragments.put(id, compiled);
        self.hosts.insert(id, &self.fragments);
        Ok(Sound {
            fragment: Some(id),
            problems: Vec::new(),
        })
    }

    fn upsert_stream(&mut self, key: &str, blob: &[u8], work: &mut Work) -> Result<Sound, Box<str>> {
        let value: schema::Stream = decode::value(blob)?;
        self.put_stream(key, value, work)?;
        Ok(Sound::default())
    }

    fn put_stream(&mut self, key: &str, value: schema::Stream, work: &mut Work) -> Result<(), Box<str>> {
        let stream = self.streams.put(key, value, &mut self.parts, &self.controller)?;
        work.streams.push((key.into(), Some(stream)));
        Ok(())
    }

    fn drop_fragment(&mut self, id: Option<FragmentId>, work: &mut Work) {
        let Some(id) = id else { return };
        self.hosts.remove(id, &self.fragments);
        let fragment = self.fragments.take(id);
        work.hosts.insert(Arc::clone(&fragment.host));
        fragment.release(id, &mut self.parts);
    }

    /// Upstream policies that came, changed or went are put into the routes that name them; the fallback follows, and so
    /// do TCP and UDP services.
    fn refresh_routes(&mut self, work: &mut Work) {
        for (id, key) in std::mem::take(&mut work.stale) {
            if let Some(fragment) = self.fragments.get_mut(id) {
                fragment.refresh_upstream(&key, &self.parts.upstreams);
                work.hosts.insert(Arc::clone(&fragment.host));
                self.hosts.touch(id, &self.fragments);
            }
        }
        for (key, value) in self.streams.naming(&work.upstreams) {
            self.put_stream(&key, value, work).expect("it was put before");
        }
        let target = self.parts.scopes.process().now.load().default_backend.clone();
        let old = self.fallback.take();
        let same = old.as_ref().map(|old| &old.target) == target.as_ref();
        if same
            && target
                .as_ref()
                .is_none_or(|target| !work.upstreams.contains(&target.upstream))
        {
            self.fallback = old;
            return;
        }
        self.fallback = target.map(|target| {
            let route = Arc::new(self.parts.fallback(target.clone(), &self.controller));
            Fallback { target, route }
        });
        if let Some(cell) = old.as_ref().and_then(|old| old.route.target.backend.as_ref()) {
            self.parts.backends.release(&cell.key);
        }
    }

    fn merge_hosts(&mut self, work: &mut Work) {
        let compat = self.compat();
        for name in std::mem::take(&mut work.hosts) {
            let problems = self
                .hosts
                .merge(&name, &mut self.fragments, &mut self.parts.patterns, compat);
            work.report.compiled.hosts += 1;
            self.tell(format!("host:{name}").into(), problems, work);
        }
    }

    /// Names a scope in the report if something is or was wrong in it.
    fn tell(&mut self, scope: Box<str>, problems: Vec<Problem>, work: &mut Work) {
        let told = if problems.is_empty() {
            self.troubled.remove(&scope)
        } else {
            true
        };
        if !problems.is_empty() {
            self.troubled.insert(scope.clone());
        }
        if told {
            work.problems.insert(scope, problems);
        }
    }

    fn next_table(&mut self) -> Arc<RouteTable> {
        Arc::new(RouteTable {
            generation: self.table.generation + 1,
            settings: Arc::clone(self.parts.scopes.process()),
            compat: self.compat(),
            hash: self.hosts.hash().clone(),
            shards: self.hosts.shards(),
            anywhere: self.hosts.anywhere(),
            has_wildcards: self.hosts.has_wildcards(),
            has_passthrough: self.hosts.has_passthrough(),
            asks_clients: self.hosts.asks_clients(),
            fallback: self.fallback.as_ref().map(|fallback| Arc::clone(&fallback.route)),
            backends: self.parts.backends.sheets(),
            ingresses: self.parts.ingresses.sheets(),
            _counted: Counted::new(),
        })
    }

    fn applied(&self, work: Work) -> Applied {
        let mut report = work.report;
        report.generation = self.table.generation;
        report.digest = self.digest().into();
        report.problems = work.problems.into_iter().collect();
        Applied {
            table: self.table(),
            report,
            certificates: work.certificates,
            authorities: work.authorities,
            streams: work.streams,
            tickets: work.tickets,
        }
    }
}

/// A value that can be used.
#[derive(Default)]
struct Sound {
    fragment: Option<FragmentId>,
    problems: Vec<Problem>,
}

fn upsert_certificate(key: &str, blob: &[u8], work: &mut Work) -> Result<Sound, Box<str>> {
    work.certificates.push((key.into(), Some(decode::value(blob)?)));
    work.report.compiled.certificates += 1;
    Ok(Sound::default())
}

/// A value that others than routes refer to.
fn pass_on<T: serde::de::DeserializeOwned>(
    key: &str,
    blob: &[u8],
    changes: &mut Changes<T>,
) -> Result<Sound, Box<str>> {
    changes.push((key.into(), Some(decode::value(blob)?)));
    Ok(Sound::default())
}

fn problem(code: &str, message: &str) -> Problem {
    Problem {
        code: code.into(),
        ingress: None,
        message: message.into(),
    }
}

fn scope(kind: Kind, key: &str) -> Box<str> {
    format!("{}:{key}", kind.name()).into()
}

impl Kind {
    /// In the order in which values need each other.
    const ALL: [Self; 8] = [
        Self::Settings,
        Self::Endpoints,
        Self::Authority,
        Self::Certificate,
        Self::Upstream,
        Self::Tickets,
        Self::Stream,
        Self::Fragment,
    ];
}
