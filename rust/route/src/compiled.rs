//! The compiled things that a request holds on to: its route, and through it the backend cell, policy and settings.
//!
//! A request keeps its route and never the table, so a day-long stream pins one route and no old table. What changes on
//! its own sits behind a pointer of its own: an endpoint change swaps one cell, and a retry already sees it.

use crate::schema;
use arc_swap::ArcSwap;
use std::net::SocketAddr;
use std::sync::Arc;

/// One path rule with everything a request needs of it.
#[derive(Debug)]
pub struct Route {
    /// The Ingress it comes from.
    pub ingress: Arc<Ingress>,
    /// The host of its rule: `shop.example.com`, `*.example.com`, or empty.
    pub host: Arc<str>,
    /// The path as written.
    pub path: Box<str>,
    /// How the path is matched. A default backend is a raw prefix of the empty path.
    pub kind: schema::PathKind,
    /// `spec.rules[i].http.paths[j]`; `None` for `spec.defaultBackend` and for the controller's default backend.
    pub rule: Option<(u16, u16)>,
    /// The compiled pattern, when `kind` is a regex.
    pub pattern: Option<Arc<crate::Pattern>>,
    /// Where requests go.
    pub target: Target,
    /// The policies of the Ingress.
    pub policy: Arc<schema::Policy>,
    /// The settings of its scope, as they are at this moment.
    pub settings: Arc<SettingsCell>,
}

/// The Ingress a route comes from. Shared by all its routes, kept across generations while its names stay the same.
#[derive(Debug)]
pub struct Ingress {
    /// Namespace, name and uid.
    pub of: schema::IngressRef,
    /// A small number, its own while the Ingress or any request of it lives: an index for counters.
    pub slot: u32,
}

/// Where a route sends its requests.
#[derive(Debug)]
pub struct Target {
    /// `namespace/service:port` for logs; empty if there is none.
    pub service: Box<str>,
    /// The endpoints; `None` when there is nothing to send to and the answer is 503.
    pub backend: Option<Arc<BackendCell>>,
    /// How to speak to them.
    pub upstream: Arc<schema::Upstream>,
}

impl Target {
    /// What is spoken to the endpoints now: as the route says, else as their Service says, else HTTP/1.1. A Service may
    /// say something else a moment later, so ask once for each request.
    #[must_use]
    pub fn protocol(&self) -> schema::Protocol {
        let said = || self.backend.as_ref().and_then(|cell| cell.endpoints.load().protocol);
        self.upstream.protocol.or_else(said).unwrap_or_default()
    }
}

/// The endpoints behind one Service port, replaced as a whole and in place.
#[derive(Debug)]
pub struct BackendCell {
    /// The key of its endpoint set, `namespace/service:port`.
    pub key: Box<str>,
    /// Never used twice in a process: the key of what workers keep about this backend.
    pub id: u64,
    /// What is known now. A backend behind a DNS name is filled in by the resolver of the data path.
    pub endpoints: ArcSwap<Endpoints>,
}

/// A set of endpoints at one moment.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// False while nothing is known about the Service.
    pub known: bool,
    /// The addresses, sorted, without duplicates.
    pub list: Box<[Endpoint]>,
    /// The name they come from, if they come from one.
    pub dns: Option<schema::DnsTarget>,
    /// What is spoken there unless the route says otherwise.
    pub protocol: Option<schema::Protocol>,
}

/// An address that answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// Where to connect.
    pub address: SocketAddr,
    /// The same as text, for logs.
    pub text: Arc<str>,
}

/// Settings of one scope, replaced in place.
#[derive(Debug)]
pub struct SettingsCell {
    /// `process`, or `class/NAME`.
    pub scope: Box<str>,
    /// The values now.
    pub now: ArcSwap<schema::Settings>,
}
