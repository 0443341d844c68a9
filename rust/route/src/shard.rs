//! A part of the hosts of a table, laid out for few cache misses: a slot, then a record that holds the host's name and,
//! if they are few, its paths.
//!
//! Where a route is found, only its place is computed here; nothing of it is read.

use crate::client::ClientPolicy;
use crate::compiled::Route;
use crate::host::{Search, VirtualHost};
use crate::paths;
use std::sync::Arc;

/// Records begin at multiples of so many bytes, and a slot has 20 bits to say which; the rest is a tag.
const UNIT: usize = 16;
const UNIT_BITS: u32 = 20;
const UNITS: u32 = (1 << UNIT_BITS) - 1;
const FREE: u32 = u32::MAX;

const HAS_CERTIFICATE: u8 = 1;
const HAS_DEFAULT: u8 = 2;
const OWNS: u8 = 4;
/// The paths are not in the record but in the index of the host.
const INDEXED: u8 = 8;
/// Something is asked of clients' certificates.
const GUARDED: u8 = 16;
/// Connections with TLS to this host are not opened.
const PASSES: u8 = 32;

/// Bytes of a record before the name: place of its first route, number of its host, bytes of its paths, count of its
/// routes, flags, length of the name.
const HEAD: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Shard {
    /// Open addressing, a power of two, at most four fifths full. Empty if there are no hosts. A slot is four bytes, so
    /// that those of 100,000 hosts fit into a cache that is near: tag above, unit of the record below, or [`FREE`].
    slots: Box<[u32]>,
    records: Box<[u8]>,
    /// The routes of all hosts whose paths are in their records, each host's default last.
    routes: Box<[Arc<Route>]>,
    hosts: Box<[Arc<VirtualHost>]>,
}

/// A virtual host as it stands in a shard.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'s> {
    shard: &'s Shard,
    flags: u8,
    host: u32,
    first: u32,
    routes: u16,
    paths: &'s [u8],
}

/// A virtual host with the hash of the name under which it is found.
pub(crate) struct Placed<'h> {
    pub(crate) hash: u64,
    pub(crate) host: &'h Arc<VirtualHost>,
}

impl Shard {
    pub(crate) fn new(placed: &[Placed<'_>]) -> Self {
        if placed.is_empty() {
            return Self::default();
        }
        let size = (placed.len() + placed.len() / 4 + 1).next_power_of_two();
        let mut slots = vec![FREE; size];
        let (mut records, mut routes) = (Vec::new(), Vec::new());
        for (number, Placed { hash, host }) in placed.iter().enumerate() {
            let mut at = start(*hash, size);
            while slots[at] != FREE {
                at = (at + 1) & (size - 1);
            }
            records.resize(records.len().next_multiple_of(UNIT), 0);
            slots[at] = slot(*hash, records.len() / UNIT);
            write(host, narrow(number), &mut records, &mut routes);
        }
        let hosts = placed.iter().map(|placed| Arc::clone(placed.host)).collect();
        Self {
            slots: slots.into(),
            records: records.into(),
            routes: routes.into(),
            hosts,
        }
    }

    /// The virtual host of a name in lower case; that of a wildcard is found without its star.
    #[inline]
    pub(crate) fn find(&self, hash: u64, name: &[u8]) -> Option<Record<'_>> {
        let size = self.slots.len();
        if size == 0 {
            return None;
        }
        let (mut at, tag) = (start(hash, size), tag(hash));
        loop {
            let slot = self.slots[at];
            if slot == FREE {
                return None;
            }
            if slot & !UNITS == tag
                && let Some(record) = self.read((slot & UNITS) as usize * UNIT, name)
            {
                return Some(record);
            }
            at = (at + 1) & (size - 1);
        }
    }

    pub(crate) fn hosts(&self) -> &[Arc<VirtualHost>] {
        &self.hosts
    }

    /// The record at this place if it is of this name.
    #[inline]
    fn read(&self, at: usize, name: &[u8]) -> Option<Record<'_>> {
        let (head, rest) = self.records.get(at..)?.split_first_chunk::<HEAD>()?;
        let &[f0, f1, f2, f3, h0, h1, h2, h3, p0, p1, r0, r1, flags, name_length, ..] = head;
        let (own, rest) = rest.split_at_checked(usize::from(name_length))?;
        if own != name {
            return None;
        }
        Some(Record {
            shard: self,
            flags,
            host: u32::from_le_bytes([h0, h1, h2, h3]),
            first: u32::from_le_bytes([f0, f1, f2, f3]),
            routes: u16::from_le_bytes([r0, r1]),
            paths: rest.get(..usize::from(u16::from_le_bytes([p0, p1])))?,
        })
    }
}

impl<'s> Record<'s> {
    /// The route that takes this path, the default of the host included.
    #[inline]
    pub(crate) fn route(&self, path: &[u8]) -> Option<&'s Arc<Route>> {
        if self.flags & INDEXED != 0 {
            return self.host().find(path);
        }
        let routes = self
            .shard
            .routes
            .get(self.first as usize..)?
            .get(..usize::from(self.routes))?;
        match paths::find(self.paths, routes, path) {
            Some(place) => routes.get(place),
            None if self.flags & HAS_DEFAULT != 0 => routes.last(),
            None => None,
        }
    }

    pub(crate) fn has_certificate(&self) -> bool {
        self.flags & HAS_CERTIFICATE != 0
    }

    pub(crate) fn passes(&self) -> bool {
        self.flags & PASSES != 0
    }

    /// What is asked of clients' certificates.
    #[inline]
    pub(crate) fn client(&self) -> Option<&'s Arc<ClientPolicy>> {
        if self.flags & GUARDED == 0 {
            return None;
        }
        self.host().client.as_ref()
    }

    pub(crate) fn owns(&self) -> bool {
        self.flags & OWNS != 0
    }

    pub(crate) fn host(&self) -> &'s Arc<VirtualHost> {
        &self.shard.hosts[self.host as usize]
    }
}

fn write(host: &VirtualHost, number: u32, records: &mut Vec<u8>, routes: &mut Vec<Arc<Route>>) {
    let first = narrow(routes.len());
    let (paths, indexed): (&[u8], u8) = match &host.search {
        Search::Scan(scan) => {
            routes.extend(scan.routes.iter().chain(&host.default).cloned());
            (&scan.paths, 0)
        }
        Search::Index(_) => (&[], INDEXED),
    };
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    let flags = indexed
        | flag(
            host.certificate.is_some() || host.passthrough.is_some(),
            HAS_CERTIFICATE,
        )
        | flag(host.default.is_some(), HAS_DEFAULT)
        | flag(host.passthrough.is_some(), PASSES)
        | flag(host.owns, OWNS)
        | flag(host.client.is_some(), GUARDED);
    let name = host.found_as();
    let short = |n: usize| u16::try_from(n).expect("what a record holds of a host is small");
    records.extend_from_slice(&first.to_le_bytes());
    records.extend_from_slice(&number.to_le_bytes());
    records.extend_from_slice(&short(paths.len()).to_le_bytes());
    records.extend_from_slice(&short(routes.len() - first as usize).to_le_bytes());
    records.extend_from_slice(&[
        flags,
        u8::try_from(name.len()).expect("a host name has at most 253 bytes"),
        0,
        0,
    ]);
    records.extend_from_slice(name);
    records.extend_from_slice(paths);
}

impl VirtualHost {
    /// The name under which it is found: `.example.com` for `*.example.com`.
    pub(crate) fn found_as(&self) -> &[u8] {
        found_as(&self.name)
    }
}

/// The name under which a host is found: `.example.com` for `*.example.com`.
pub(crate) fn found_as(name: &str) -> &[u8] {
    name.strip_prefix('*').unwrap_or(name).as_bytes()
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).expect("a shard takes less than 4 GiB")
}

#[expect(clippy::cast_possible_truncation, reason = "a part of the hash")]
fn start(hash: u64, size: usize) -> usize {
    hash as usize & (size - 1)
}

/// The upper bits of a slot.
#[expect(clippy::cast_possible_truncation, reason = "a part of the hash")]
fn tag(hash: u64) -> u32 {
    (hash >> 24) as u32 & !UNITS
}

fn slot(hash: u64, unit: usize) -> u32 {
    let unit = u32::try_from(unit).ok().filter(|unit| *unit < UNITS);
    tag(hash) | unit.expect("the records of a shard take less than 16 MiB: millions of hosts")
}
