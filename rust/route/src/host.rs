//! A virtual host: the routes of one host name in the order in which they are tried, and who lost.
//!
//! How a path finds its route is in `paths` (few routes: one scan over one piece of memory) and `index` (many: by hash).

use crate::client::ClientPolicy;
use crate::compiled::{Ingress, Route};
use crate::form;
use crate::index::PathIndex;
use crate::merge::rank;
use crate::paths;
use crate::schema::PathKind;
use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::Arc;

/// The rules of one host name.
#[derive(Debug)]
pub(crate) struct VirtualHost {
    /// `shop.example.com`, `*.example.com`, or empty.
    pub(crate) name: Arc<str>,
    pub(crate) search: Search,
    /// Takes what no path takes.
    pub(crate) default: Option<Arc<Route>>,
    /// The default of everything; only without a host name.
    pub(crate) catch_all: Option<Arc<Route>>,
    /// `namespace/secret`.
    pub(crate) certificate: Option<Box<str>>,
    /// Where TLS connections to it go unopened.
    pub(crate) passthrough: Option<Arc<Route>>,
    /// What is asked of clients' certificates.
    pub(crate) client: Option<Arc<ClientPolicy>>,
    /// Whether it has rules at all, so that under `compat = ingress-nginx` it owns its requests.
    pub(crate) owns: bool,
    /// Aliases and default backends that take no request; paths that do not are with the paths.
    pub(crate) lost: Box<[Lost]>,
}

/// How a path finds its route.
#[derive(Debug)]
pub(crate) enum Search {
    /// The paths one after the other.
    Scan(Scan),
    /// By hash.
    Index(Box<PathIndex>),
}

/// Few paths in the order in which they are tried, see [`paths`].
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) paths: Box<[u8]>,
    pub(crate) routes: Box<[Arc<Route>]>,
    pub(crate) lost: Box<[Lost]>,
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
    /// The route that takes this path, the default included.
    pub(crate) fn find(&self, path: &[u8]) -> Option<&Arc<Route>> {
        let found = match &self.search {
            Search::Scan(scan) => paths::find(&scan.paths, &scan.routes, path).and_then(|place| scan.routes.get(place)),
            Search::Index(index) => index.find(path),
        };
        found.or(self.default.as_ref())
    }

    /// All paths in the order in which they are tried. Slow with many: for people.
    pub(crate) fn routes(&self) -> Vec<&Arc<Route>> {
        match &self.search {
            Search::Scan(scan) => scan.routes.iter().collect(),
            Search::Index(index) => {
                let literal = index.leaves.iter().flat_map(|leaf| &leaf.routes);
                let literal = literal.filter(|route| route.kind != PathKind::Regex);
                // Regexes are in the right order already, and the sort is stable.
                let mut all: Vec<_> = literal.chain(index.regexes.iter().map(|(_, route)| route)).collect();
                all.sort_by_cached_key(|route| {
                    let form = route.form();
                    let is_regex = route.kind == PathKind::Regex;
                    let text: Box<[u8]> = if is_regex { Box::default() } else { (*form).into() };
                    (Reverse(route.length()), rank(route.kind), text)
                });
                all
            }
        }
    }

    /// All rules that take no request, in a definite order.
    pub(crate) fn lost(&self) -> Vec<&Lost> {
        let of_paths: Vec<&Lost> = match &self.search {
            Search::Scan(scan) => scan.lost.iter().collect(),
            Search::Index(index) => index.leaves.iter().flat_map(|leaf| &leaf.lost).collect(),
        };
        let mut all: Vec<&Lost> = self.lost.iter().chain(of_paths).collect();
        // What is alike in all of this is in one leaf, or before all leaves, and keeps its order there: that of age.
        all.sort_by_key(|lost| {
            let route = &lost.route;
            (&route.ingress.of.uid, route.rule, rank(route.kind), &route.path)
        });
        all
    }
}

impl Route {
    /// What a request's path is compared with, for all kinds but regexes.
    pub(crate) fn form(&self) -> Cow<'_, [u8]> {
        form::of_path(self.kind, &self.path)
    }

    /// By which routes are put in order: bytes of the match form, characters of a regex.
    pub(crate) fn length(&self) -> usize {
        if self.kind == PathKind::Regex {
            self.path.chars().count()
        } else {
            self.form().len()
        }
    }

    /// Whether a path is one of those that the rule means, whoever else may want it.
    pub(crate) fn takes(&self, path: &[u8]) -> bool {
        let form = self.form();
        match self.kind {
            PathKind::Exact => path == &*form,
            PathKind::Prefix => is_element_prefix(&form, path),
            PathKind::RawPrefix => path.starts_with(&form),
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
