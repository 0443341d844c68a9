//! A virtual host: the routes of one host name in the order in which they are tried, and who lost.
//!
//! How a path finds its route is in `paths` (few routes: one scan over one piece of memory) and `index` (many: by hash).

use crate::compiled::{Ingress, Route};
use crate::index::PathIndex;
use crate::paths;
use crate::schema::PathKind;
use std::sync::Arc;

/// The rules of one host name.
#[derive(Debug)]
pub(crate) struct VirtualHost {
    /// `shop.example.com`, `*.example.com`, or empty.
    pub(crate) name: Arc<str>,
    /// In the order in which they are tried.
    pub(crate) routes: Box<[Arc<Route>]>,
    /// Takes what none of `routes` takes.
    pub(crate) default: Option<Arc<Route>>,
    /// The default of everything; only without a host name.
    pub(crate) catch_all: Option<Arc<Route>>,
    /// `namespace/secret`.
    pub(crate) certificate: Option<Box<str>>,
    /// Whether it has rules at all, so that under `compat = ingress-nginx` it owns its requests.
    pub(crate) owns: bool,
    /// Rules of this host that take no request.
    pub(crate) lost: Box<[Lost]>,
    pub(crate) search: Search,
}

/// How a path finds its route.
#[derive(Debug)]
pub(crate) enum Search {
    /// The paths one after the other, see [`paths`].
    Scan(Box<[u8]>),
    /// By hash.
    Index(Box<PathIndex>),
}

/// A rule at its place in the order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ranked<'r> {
    pub(crate) route: &'r Arc<Route>,
    pub(crate) form: &'r [u8],
    pub(crate) length: u32,
}

/// A rule that takes no request.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) route: Arc<Route>,
    pub(crate) why: Why,
}

/// Why a rule takes no request.
#[derive(Debug)]
pub(crate) enum Why {
    /// This one, which comes first, has the same host, kind and path.
    Conflict(Arc<Route>),
    /// It is no regular expression.
    Invalid(Box<str>),
    /// It is of an alias, and the host is served by the Ingress named here.
    Shadowed(Box<str>),
}

impl VirtualHost {
    pub(crate) fn new(
        name: Arc<str>,
        ranked: Vec<Ranked<'_>>,
        default: Option<Arc<Route>>,
        catch_all: Option<Arc<Route>>,
        certificate: Option<Box<str>>,
        owns: bool,
        lost: Vec<Lost>,
    ) -> Self {
        let search = match paths::encode(&ranked) {
            Some(scan) => Search::Scan(scan),
            None => Search::Index(Box::new(PathIndex::new(&ranked))),
        };
        let routes = ranked.iter().map(|rule| Arc::clone(rule.route)).collect();
        Self {
            name,
            routes,
            default,
            catch_all,
            certificate,
            owns,
            lost: lost.into(),
            search,
        }
    }

    /// The route that takes this path: one of `routes`, or the default.
    pub(crate) fn find(&self, path: &[u8]) -> Option<&Arc<Route>> {
        let found = match &self.search {
            Search::Scan(scan) => paths::find(scan, &self.routes, path),
            Search::Index(index) => index.find(&self.routes, path),
        };
        found.and_then(|index| self.routes.get(index)).or(self.default.as_ref())
    }
}

impl Route {
    /// Whether a path is one of those that the rule means, whoever else may want it.
    pub(crate) fn takes(&self, form: &[u8], path: &[u8]) -> bool {
        match self.kind {
            PathKind::Exact => path == form,
            PathKind::Prefix => is_element_prefix(form, path),
            PathKind::RawPrefix => path.starts_with(form),
            PathKind::Regex => self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(path)),
        }
    }
}

/// `form` is without its trailing slash.
pub(crate) fn is_element_prefix(form: &[u8], path: &[u8]) -> bool {
    path.strip_prefix(form)
        .is_some_and(|rest| rest.first().is_none_or(|&byte| byte == b'/'))
}

impl Ingress {
    /// `namespace/name`.
    pub(crate) fn title(&self) -> Box<str> {
        format!("{}/{}", self.of.namespace, self.of.name).into()
    }
}

impl PathKind {
    /// For people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Exact => "Exact",
            Self::Prefix => "Prefix",
            Self::RawPrefix => "ImplementationSpecific",
            Self::Regex => "regex",
        }
    }
}
