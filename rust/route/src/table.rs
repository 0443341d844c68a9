//! The route table: which route takes a request, and which certificate a name has.
//!
//! Immutable; a new one shares with the old all that did not change.

use crate::client::ClientPolicy;
use crate::compiled::{BackendCell, Ingress, Route, SettingsCell};
use crate::host::VirtualHost;
use crate::roll::Sheets;
use crate::schema::Compat;
use crate::shard::{Record, Shard};
use foldhash::quality::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many shards that cloning their list and rebuilding one of them cost about the same at 100,000 hosts.
pub(crate) const SHARDS: usize = 256;

/// Longer names than this are no host's; they are left to the rules without a host.
const LONGEST_NAME: usize = 255;

static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// The compiled, immutable whole.
#[derive(Debug)]
pub struct RouteTable {
    pub(crate) generation: u64,
    pub(crate) settings: Arc<SettingsCell>,
    pub(crate) compat: Compat,
    pub(crate) hash: RandomState,
    pub(crate) shards: Box<[Arc<Shard>]>,
    /// The virtual host without a name.
    pub(crate) anywhere: Option<Arc<VirtualHost>>,
    pub(crate) has_wildcards: bool,
    pub(crate) has_passthrough: bool,
    pub(crate) asks_clients: bool,
    /// The default backend of the settings.
    pub(crate) fallback: Option<Arc<Route>>,
    pub(crate) backends: Sheets<BackendCell>,
    pub(crate) ingresses: Sheets<Ingress>,
    pub(crate) _counted: Counted,
}

/// What a lookup found.
#[derive(Debug, Clone, Copy)]
pub struct Lookup<'t> {
    /// The route that takes the request; `None`: nothing does.
    pub route: Option<&'t Arc<Route>>,
    /// Whether a certificate is configured for the host, or TLS passes through to its backend, as far as the search for the route came: a more precise host
    /// without one is not redirected for the sake of its wildcard.
    pub host_has_certificate: bool,
    /// What the host of the route asks of clients' certificates; if it asks nothing, what a more precise host asks that
    /// had no path for the request.
    pub client: Option<&'t Arc<ClientPolicy>>,
}

impl RouteTable {
    /// A table that takes nothing.
    #[must_use]
    pub fn empty() -> Arc<Self> {
        crate::Compiler::new().table()
    }

    /// Its number; a later table of the same compiler has a higher one.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The settings of the process.
    #[must_use]
    pub fn settings(&self) -> &Arc<SettingsCell> {
        &self.settings
    }

    /// Finds the route of a request. `host` is without port, in any case, with or without a final dot; `path` is in
    /// match form. Nothing is allocated.
    #[must_use]
    #[inline]
    pub fn lookup(&self, host: &[u8], path: &[u8]) -> Lookup<'_> {
        with_name(host, |name| self.search(name, path))
    }

    /// The key `namespace/secret` of the certificate for a server name: of the precise host, then of the wildcard.
    /// `None`: the default one.
    #[must_use]
    pub fn certificate(&self, server_name: &str) -> Option<&str> {
        with_name(server_name.as_bytes(), |name| {
            let precise = self
                .precise(name)
                .and_then(|record| record.host().certificate.as_deref());
            precise.or_else(|| self.wildcard(name)?.host().certificate.as_deref())
        })
    }

    /// Whether TLS connections to any host go unopened.
    #[must_use]
    #[inline]
    pub fn has_passthrough(&self) -> bool {
        self.has_passthrough
    }

    /// Where TLS connections to a server name go unopened: of the precise host, then of the wildcard. A precise host that
    /// terminates TLS is not passed through for the sake of its wildcard. `None`: they are terminated.
    #[must_use]
    pub fn passthrough(&self, server_name: &[u8]) -> Option<&Arc<Route>> {
        if !self.has_passthrough {
            return None;
        }
        with_name(server_name, |name| {
            let record = self
                .precise(name)
                .filter(|record| record.passes() || record.has_certificate())
                .or_else(|| self.wildcard(name))?;
            record.host().passthrough.as_ref()
        })
    }

    /// Each host whose TLS connections go unopened, with where they go.
    pub fn passthroughs(&self) -> impl Iterator<Item = (&str, &Arc<Route>)> {
        self.hosts()
            .filter_map(|host| Some((&*host.name, host.passthrough.as_ref()?)))
    }

    /// Whether any host asks something of clients' certificates.
    #[must_use]
    #[inline]
    pub fn asks_clients(&self) -> bool {
        self.asks_clients
    }

    /// What is asked of the certificates of clients that connect to a name: by the precise host, then by the wildcard;
    /// by the rules without a host only if there is neither. `None`: nothing.
    #[must_use]
    pub fn client_policy(&self, name: &[u8]) -> Option<&Arc<ClientPolicy>> {
        if !self.asks_clients {
            return None;
        }
        with_name(name, |name| {
            let (precise, wildcard) = (self.precise(name), self.wildcard(name));
            if precise.is_none() && wildcard.is_none() {
                return self.anywhere.as_deref()?.client.as_ref();
            }
            precise
                .and_then(|record| record.client())
                .or_else(|| wildcard?.client())
        })
    }

    /// The key of the certificate for names that have none.
    #[must_use]
    pub fn default_certificate(&self) -> Option<Box<str>> {
        self.settings.now.load().default_certificate.clone()
    }

    /// Each host that has a certificate, with its key.
    pub fn certificates(&self) -> impl Iterator<Item = (&str, &str)> {
        self.hosts()
            .filter_map(|host| Some((&*host.name, host.certificate.as_deref()?)))
    }

    /// All living cells of backends.
    pub fn backends(&self) -> impl Iterator<Item = &Arc<BackendCell>> {
        self.backends.iter().flat_map(|sheet| sheet.iter())
    }

    /// All Ingresses that have routes here, each once. The controller itself, whose default backend is no Ingress's,
    /// is among them with an empty name.
    pub fn ingresses(&self) -> impl Iterator<Item = &Arc<Ingress>> {
        self.ingresses.iter().flat_map(|sheet| sheet.iter())
    }

    /// Tables alive in this process.
    #[must_use]
    pub fn alive() -> usize {
        ALIVE.load(Ordering::Relaxed)
    }

    /// All virtual hosts, in no order.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = &Arc<VirtualHost>> {
        self.shards.iter().flat_map(|shard| shard.hosts()).chain(&self.anywhere)
    }

    fn search(&self, name: &[u8], path: &[u8]) -> Lookup<'_> {
        let mut host_has_certificate = false;
        let mut passed = None;
        let named = [Self::precise, Self::wildcard];
        for record in named.into_iter().filter_map(|find| find(self, name)) {
            host_has_certificate |= record.has_certificate();
            let own = record.client();
            let route = record.route(path);
            if route.is_some() || self.ends_at(record.owns()) {
                return Lookup {
                    route: route.or_else(|| self.last_resort()),
                    host_has_certificate,
                    client: own.or(passed),
                };
            }
            passed = passed.or(own);
        }
        let anywhere = self.anywhere.as_deref();
        let own = anywhere.and_then(|host| host.client.as_ref());
        let route = anywhere.and_then(|host| host.find(path));
        Lookup {
            route: route.or_else(|| self.last_resort()),
            host_has_certificate,
            client: own.or(passed),
        }
    }

    /// Whether a search ends at a host that has no path for it.
    pub(crate) fn ends_at(&self, owns: bool) -> bool {
        owns && self.compat == Compat::IngressNginx
    }

    /// What takes a request that no virtual host takes.
    pub(crate) fn last_resort(&self) -> Option<&Arc<Route>> {
        self.anywhere
            .as_deref()
            .and_then(|host| host.catch_all.as_ref())
            .or(self.fallback.as_ref())
    }

    #[inline]
    pub(crate) fn precise(&self, name: &[u8]) -> Option<Record<'_>> {
        // Names with a leading dot are those of wildcards.
        if name.first().is_none_or(|&byte| byte == b'.') {
            None
        } else {
            self.find(name)
        }
    }

    pub(crate) fn wildcard(&self, name: &[u8]) -> Option<Record<'_>> {
        if !self.has_wildcards {
            return None;
        }
        let dot = memchr::memchr(b'.', name).filter(|&dot| dot > 0)?;
        self.find(&name[dot..])
    }

    #[inline]
    fn find(&self, name: &[u8]) -> Option<Record<'_>> {
        let hash = hash_of(&self.hash, name);
        self.shards[shard_of(hash)].find(hash, name)
    }
}

/// Calls with the name as hosts are kept: in lower case, without a final dot.
pub(crate) fn with_name<R>(host: &[u8], call: impl FnOnce(&[u8]) -> R) -> R {
    let host = host.strip_suffix(b".").unwrap_or(host);
    if host.len() > LONGEST_NAME {
        return call(b"");
    }
    // Without an early end, so that it goes by vectors.
    if host
        .iter()
        .fold(0, |seen, byte| seen | u8::from(byte.is_ascii_uppercase()))
        == 0
    {
        return call(host);
    }
    let mut folded = [0; LONGEST_NAME];
    let folded = &mut folded[..host.len()];
    folded.copy_from_slice(host);
    folded.make_ascii_lowercase();
    call(folded)
}

#[inline]
pub(crate) fn hash_of(state: &RandomState, name: &[u8]) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write(name);
    hasher.finish()
}

#[inline]
pub(crate) fn shard_of(hash: u64) -> usize {
    (hash >> 56) as usize
}

/// One living table.
#[derive(Debug)]
pub(crate) struct Counted(());

impl Counted {
    pub(crate) fn new() -> Self {
        ALIVE.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::Relaxed);
    }
}
