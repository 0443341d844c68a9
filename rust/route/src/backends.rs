//! The cells of backends: one per key of an endpoint set, kept while an entry or a route names it, filled in place.

use crate::compiled::{BackendCell, Endpoint, Endpoints};
use crate::roll::{Roll, Sheets};
use crate::schema::EndpointSet;
use arc_swap::ArcSwap;
use hashbrown::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Shared by all compilers of the process: what workers keep under an id must never meet another backend.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

#[derive(Debug)]
pub(crate) struct Backends {
    living: HashMap<Box<str>, Living, foldhash::fast::RandomState>,
    roll: Roll<BackendCell>,
}

#[derive(Debug)]
struct Living {
    cell: Arc<BackendCell>,
    /// Targets that point here.
    users: u32,
    /// Whether the desired state has an entry for it.
    entry: bool,
}

impl Backends {
    pub(crate) fn new() -> Self {
        Self {
            living: HashMap::default(),
            roll: Roll::new(),
        }
    }

    /// The cell of a key, for one more user; each is given back with [`Self::release`].
    pub(crate) fn acquire(&mut self, key: &str) -> Arc<BackendCell> {
        let living = self.living(key);
        living.users += 1;
        Arc::clone(&living.cell)
    }

    pub(crate) fn release(&mut self, key: &str) {
        if let Some(living) = self.living.get_mut(key) {
            living.users -= 1;
        }
        self.forget_if_unused(key);
    }

    /// What is known about a key from now on; `None`: nothing. Gives the addresses that were left out.
    pub(crate) fn set(&mut self, key: &str, set: Option<EndpointSet>) -> Vec<Box<str>> {
        let entry = set.is_some();
        let (fresh, refused) = parse(set.unwrap_or_default());
        let living = self.living(key);
        living.entry = entry;
        replace(&living.cell, &fresh);
        self.forget_if_unused(key);
        refused
    }

    pub(crate) fn sheets(&mut self) -> Sheets<BackendCell> {
        self.roll.sheets()
    }

    /// Key, users, and whether there is an entry, of each living cell.
    pub(crate) fn users(&self) -> impl Iterator<Item = (&str, u32, bool)> {
        self.living
            .iter()
            .map(|(key, living)| (&**key, living.users, living.entry))
    }

    pub(crate) fn check_invariants(&self) {
        assert_eq!(self.living.len(), self.roll.len(), "the roll names each living cell");
        for (key, users, entry) in self.users() {
            assert!(users > 0 || entry, "nothing needs the cell {key}");
        }
    }

    fn living(&mut self, key: &str) -> &mut Living {
        let roll = &mut self.roll;
        self.living.entry_ref(key).or_insert_with(|| {
            let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
            let cell = Arc::new(BackendCell {
                key: key.into(),
                id,
                endpoints: ArcSwap::default(),
            });
            roll.insert(id, &cell);
            Living {
                cell,
                users: 0,
                entry: false,
            }
        })
    }

    fn forget_if_unused(&mut self, key: &str) {
        let Some(living) = self.living.get(key) else { return };
        if living.users == 0 && !living.entry {
            self.roll.remove(living.cell.id);
            self.living.remove(key);
        }
    }
}

/// A list that was resolved from a name stays while the name does; the resolver may be storing a newer one right now.
fn replace(cell: &BackendCell, fresh: &Endpoints) {
    cell.endpoints.rcu(|now| {
        let resolved = fresh.dns.is_some() && fresh.dns == now.dns;
        let list = if resolved { now.list.clone() } else { fresh.list.clone() };
        Arc::new(Endpoints {
            known: fresh.known,
            list,
            dns: fresh.dns.clone(),
            protocol: fresh.protocol,
        })
    });
}

fn parse(set: EndpointSet) -> (Endpoints, Vec<Box<str>>) {
    let mut list = Vec::with_capacity(set.addresses.len());
    let mut refused = Vec::new();
    for text in set.addresses {
        match text.parse::<SocketAddr>() {
            Ok(address) => list.push(Endpoint {
                address,
                text: address.to_string().into(),
            }),
            Err(_) => refused.push(text),
        }
    }
    list.sort_unstable();
    list.dedup();
    (
        Endpoints {
            known: set.known,
            list: list.into(),
            dns: set.dns,
            protocol: set.protocol,
        },
        refused,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::DnsTarget;

    fn set(addresses: &[&str]) -> EndpointSet {
        EndpointSet {
            known: true,
            addresses: addresses.iter().map(|&text| text.into()).collect(),
            dns: None,
            protocol: None,
        }
    }

    fn named(name: &str) -> EndpointSet {
        let dns = DnsTarget {
            name: name.into(),
            port: 80,
            allow_local: false,
        };
        EndpointSet {
            known: true,
            addresses: Vec::new(),
            dns: Some(dns),
            protocol: None,
        }
    }

    #[test]
    fn a_cell_is_swapped_in_place() {
        let mut all = Backends::new();
        let cell = all.acquire("a/b:80");
        assert!(!cell.endpoints.load().known);
        assert!(
            all.set("a/b:80", Some(set(&["10.0.0.2:80", "10.0.0.1:80", "10.0.0.2:80"])))
                .is_empty()
        );
        let now = cell.endpoints.load_full();
        assert_eq!(
            now.list.iter().map(|endpoint| &*endpoint.text).collect::<Vec<_>>(),
            ["10.0.0.1:80", "10.0.0.2:80"]
        );
        all.set("a/b:80", None);
        assert_eq!(*cell.endpoints.load_full(), Endpoints::default());
        all.check_invariants();
    }

    #[test]
    fn what_does_not_parse_is_left_out_and_told() {
        let mut all = Backends::new();
        let refused = all.set("k", Some(set(&["10.0.0.1:80", "nonsense", "[::1]:90"])));
        assert_eq!(refused, ["nonsense".into()]);
        assert_eq!(all.acquire("k").endpoints.load().list.len(), 2);
    }

    #[test]
    fn a_resolved_list_stays_while_the_name_does() {
        let mut all = Backends::new();
        let cell = all.acquire("k");
        all.set("k", Some(named("db.example.com")));
        let mut resolved = Endpoints::clone_of(&cell);
        resolved.list = parse(set(&["192.0.2.1:80"])).0.list;
        cell.endpoints.store(Arc::new(resolved));
        all.set("k", Some(named("db.example.com")));
        assert_eq!(cell.endpoints.load().list.len(), 1);
        all.set("k", Some(named("other.example.com")));
        assert_eq!(cell.endpoints.load().list.len(), 0);
    }

    #[test]
    fn a_cell_goes_when_neither_entry_nor_route_names_it() {
        let mut all = Backends::new();
        let cell = all.acquire("k");
        all.set("k", Some(set(&[])));
        all.release(&cell.key);
        all.check_invariants();
        let again = all.acquire("k");
        assert_eq!(again.id, cell.id, "the entry kept it");
        all.release(&again.key);
        all.set("k", None);
        assert_ne!(all.acquire("k").id, cell.id);
    }

    impl Endpoints {
        fn clone_of(cell: &BackendCell) -> Self {
            let now = cell.endpoints.load();
            Self {
                known: now.known,
                list: now.list.clone(),
                dns: now.dns.clone(),
                protocol: now.protocol,
            }
        }
    }
}
