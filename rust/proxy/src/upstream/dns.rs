//! Backends behind a DNS name: keeps the endpoints of their cells filled, on a thread of its own.
//!
//! A name is looked up again when its answer expires (not sooner than after 1 s, not later than after 300 s). When a lookup fails the
//! last answer stays, and it is tried again after 1 s, 2 s, 4 s, up to 30 s. IPv6 addresses are used when there are no IPv4 ones.
//! A name with a dot is taken as complete; one without goes through the search list of `/etc/resolv.conf`. An address in place of
//! a name works, and obeys the same rule about local addresses.

use super::addresses::is_local;
use arc_swap::ArcSwap;
use fastingress_route::schema::DnsTarget;
use fastingress_route::{BackendCell, Endpoint, Endpoints, RouteTable};
use hashbrown::HashMap;
use hickory_resolver::config::ResolverConfig;
use hickory_resolver::name_server::TokioConnectionProvider;
use hickory_resolver::{ResolveError, ResolverBuilder, TokioResolver};
use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, LocalSet, spawn_local};
use tokio::time::{Instant, sleep, sleep_until};

/// How often names are looked up.
const PACE: Pace = Pace {
    shortest: Duration::from_secs(1),
    longest: Duration::from_secs(300),
    longest_retry: Duration::from_secs(30),
};
/// Least time between two walks over all backends.
const BETWEEN_WALKS: Duration = Duration::from_millis(20);
/// Lookups under way at a time.
const LOOKUPS: usize = 32;
/// Names whose answers are kept while they are valid.
const CACHED_NAMES: usize = 4096;

/// How often names are looked up.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// An answer is used for at least this long; also the pause after the first failed lookup.
    shortest: Duration,
    /// An answer is used for at most this long.
    longest: Duration,
    /// The longest pause after failed lookups.
    longest_retry: Duration,
}

impl Pace {
    /// When to look again at an answer that is valid until then.
    fn again(self, valid_until: Instant, now: Instant) -> Instant {
        valid_until.clamp(now + self.shortest, now + self.longest)
    }

    /// The pause that follows this one, if the lookup fails again.
    fn slower(self, pause: Duration) -> Duration {
        (pause * 2).min(self.longest_retry)
    }
}

/// Keeps backends behind names filled, until it is dropped.
pub struct Resolver {
    tables: Option<watch::Sender<Weak<RouteTable>>>,
    thread: Option<JoinHandle<()>>,
}

impl Resolver {
    /// Starts the thread. The name servers are those of `/etc/resolv.conf`; names in `/etc/hosts` need none.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start() -> io::Result<Self> {
        Self::start_with(PACE, || {
            TokioResolver::builder_tokio().unwrap_or_else(|error| {
                // Never someone else's name servers in their place: names of a cluster are nobody's business.
                tracing::warn!(%error, "no name servers: names other than those in the hosts file will not resolve");
                TokioResolver::builder_with_config(ResolverConfig::new(), TokioConnectionProvider::default())
            })
        })
    }

    fn start_with(
        pace: Pace,
        servers: impl FnOnce() -> ResolverBuilder<TokioConnectionProvider> + Send + 'static,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (sender, receiver) = watch::channel(Weak::new());
        let thread = thread::Builder::new().name("dns".into()).spawn(move || {
            crate::limits::block_signals();
            let resolve = Rc::new(Lookups::new(pace, servers()));
            LocalSet::new().block_on(&runtime, walk_each(receiver, resolve));
        })?;
        Ok(Self {
            tables: Some(sender),
            thread: Some(thread),
        })
    }

    /// Takes up the backends of this table, and lets go of all others. To be called after each swap; returns at once and does not keep
    /// the table alive.
    pub fn follow(&self, table: &Arc<RouteTable>) {
        if let Some(tables) = &self.tables {
            tables.send_replace(Arc::downgrade(table));
        }
    }

    /// Stops, and waits for the thread to end. Dropping does the same.
    pub fn stop(&mut self) {
        self.tables = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the DNS thread panicked");
        }
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Walks over each table that comes, until the sender is gone.
async fn walk_each(mut tables: watch::Receiver<Weak<RouteTable>>, lookups: Rc<Lookups>) {
    let mut followed = Followed::default();
    while tables.changed().await.is_ok() {
        let table = tables.borrow_and_update().upgrade();
        // A table that is gone already has been replaced by one that will be seen next.
        if let Some(table) = table {
            followed.walk(table.backends(), &lookups);
        }
        tokio::select! {
            () = sleep(BETWEEN_WALKS) => {}
            () = closed(&tables) => return,
        }
    }
}

async fn closed(tables: &watch::Receiver<Weak<RouteTable>>) {
    let mut tables = tables.clone();
    while tables.changed().await.is_ok() {}
}

/// The cells that are kept filled, by their id.
#[derive(Default)]
struct Followed {
    cells: HashMap<u64, Following>,
    walks: u64,
}

struct Following {
    target: DnsTarget,
    answer: Rc<RefCell<Option<Box<[Endpoint]>>>>,
    task: AbortHandle,
    last_walk: u64,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Followed {
    fn walk<'t>(&mut self, cells: impl Iterator<Item = &'t Arc<BackendCell>>, lookups: &Rc<Lookups>) {
        self.walks += 1;
        for cell in cells {
            let Some(target) = cell.endpoints.load().dns.clone() else {
                continue;
            };
            match self.cells.get_mut(&cell.id) {
                Some(known) if known.target == target => {
                    known.last_walk = self.walks;
                    // The cell may have been given anew, and so be empty until the next lookup.
                    if let Some(answer) = &*known.answer.borrow() {
                        publish(&cell.endpoints, &target, answer);
                    }
                }
                _ => {
                    self.cells
                        .insert(cell.id, Following::begin(cell, target, lookups.clone(), self.walks));
                }
            }
        }
        self.cells.retain(|_, known| known.last_walk == self.walks);
    }
}

impl Following {
    fn begin(cell: &Arc<BackendCell>, target: DnsTarget, lookups: Rc<Lookups>, walk: u64) -> Self {
        let answer = Rc::new(RefCell::new(None));
        let task = keep_filled(Arc::downgrade(cell), target.clone(), answer.clone(), lookups);
        Self {
            target,
            answer,
            task: spawn_local(task).abort_handle(),
            last_walk: walk,
        }
    }
}

/// Looks the name up again and again, while the cell lives.
async fn keep_filled(
    cell: Weak<BackendCell>,
    target: DnsTarget,
    answer: Rc<RefCell<Option<Box<[Endpoint]>>>>,
    lookups: Rc<Lookups>,
) {
    let mut pause = lookups.pace.shortest;
    loop {
        let found = lookups.find(&target).await;
        let Some(cell) = cell.upgrade() else { return };
        let again = match found {
            Ok((list, again)) => {
                publish(&cell.endpoints, &target, &list);
                *answer.borrow_mut() = Some(list);
                pause = lookups.pace.shortest;
                again
            }
            Err(error) => {
                tracing::warn!(name = %target.name, backend = %cell.key, %error, "a name does not resolve; the last answer stays");
                let again = Instant::now() + pause;
                pause = lookups.pace.slower(pause);
                Some(again)
            }
        };
        drop(cell);
        match again {
            Some(again) => sleep_until(again).await,
            None => return,
        }
    }
}

/// Puts the answer into the cell, unless it is there or the cell is about another name by now.
fn publish(cell: &ArcSwap<Endpoints>, target: &DnsTarget, list: &[Endpoint]) {
    cell.rcu(|now| {
        if now.dns.as_ref() != Some(target) || (now.known && *now.list == *list) {
            return now.clone();
        }
        Arc::new(Endpoints {
            known: true,
            list: list.into(),
            dns: Some(target.clone()),
            protocol: now.protocol,
        })
    });
}

/// Looks names up, a bounded number at a time.
struct Lookups {
    pace: Pace,
    resolver: TokioResolver,
    permits: Semaphore,
}

impl Lookups {
    fn new(pace: Pace, mut builder: ResolverBuilder<TokioConnectionProvider>) -> Self {
        let options = builder.options_mut();
        options.cache_size = CACHED_NAMES;
        options.positive_min_ttl = Some(pace.shortest);
        options.positive_max_ttl = Some(pace.longest);
        options.negative_min_ttl = Some(Duration::ZERO);
        options.negative_max_ttl = Some(pace.shortest);
        Self {
            pace,
            resolver: builder.build(),
            permits: Semaphore::new(LOOKUPS),
        }
    }

    /// The endpoints behind a name, sorted, and when to look again; `None`: never.
    async fn find(&self, target: &DnsTarget) -> Result<(Box<[Endpoint]>, Option<Instant>), ResolveError> {
        if let Some(address) = literal(&target.name) {
            return Ok((endpoints([address].into_iter(), target), None));
        }
        // The semaphore is never closed; were it, lookups would only lose their bound.
        let _permit = self.permits.acquire().await;
        let answer = self.resolver.lookup_ip(complete(&target.name)).await?;
        let valid = Instant::from_std(answer.valid_until());
        let again = self.pace.again(valid, Instant::now());
        Ok((endpoints(answer.iter(), target), Some(again)))
    }
}

/// The address that stands in place of a name, if one does.
fn literal(name: &str) -> Option<IpAddr> {
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .unwrap_or(name);
    bare.parse().ok()
}

/// The name as it is asked for: one that has a dot is complete, and search lists are not tried with it.
fn complete(name: &str) -> String {
    match name.contains('.') && !name.ends_with('.') {
        true => format!("{name}."),
        false => name.to_owned(),
    }
}

fn endpoints(addresses: impl Iterator<Item = IpAddr>, target: &DnsTarget) -> Box<[Endpoint]> {
    let mut refused = 0;
    let mut list: Vec<Endpoint> = addresses
        .filter(|address| {
            let allowed = target.allow_local || !is_local(*address);
            refused += u32::from(!allowed);
            allowed
        })
        .map(|address| SocketAddr::new(address.to_canonical(), target.port))
        .map(|address| Endpoint {
            address,
            text: address.to_string().into(),
        })
        .collect();
    if refused > 0 {
        tracing::warn!(name = %target.name, refused, "a name leads to local addresses, which are not allowed for it");
    }
    list.sort_unstable();
    list.dedup();
    list.into()
}

#[cfg(test)]
mod tests;
