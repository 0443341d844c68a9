//! Why a request goes where it goes: the rule that takes it, and every rule that could have, with the reason why not.
//!
//! It walks the same virtual hosts in the same order as a lookup, rule by rule instead of by hash, and a test holds the
//! two to the same answer.

use crate::compiled::Route;
use crate::host::{Lost, VirtualHost, Why};
use crate::schema::{ClientAuth, Compat, PathKind, Policy, Settings};
use crate::table::{RouteTable, with_name};
use crate::view::RouteView;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The status of a redirect when the one configured is none.
const REDIRECT_CODE: u16 = 308;

/// The answer to "which rule takes this, and why not the others?".
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The host that was asked for, in lower case.
    pub host: Box<str>,
    /// The path that was asked for, in match form.
    pub path: Box<str>,
    /// Which behaviour is followed where the API leaves room.
    pub compat: Compat,
    /// The rule that takes the request; `None`: the answer is 404.
    pub winner: Option<RouteView>,
    /// Why, in a sentence.
    pub reason: Box<str>,
    /// Whether a certificate is configured for the host, or TLS passes through to its backend.
    pub host_has_certificate: bool,
    /// The key `namespace/secret` of the certificate that is configured for the host. Whether it can be served is not known
    /// here.
    pub certificate: Option<Box<str>>,
    /// Whether the rule sends plain requests to https.
    pub https_redirect: bool,
    /// The status of redirects to https and between twins, where the rule sends any.
    pub redirect_code: u16,
    /// Where TLS connections to the host go unopened, in which case the rules are for plain requests alone.
    pub passthrough: Option<RouteView>,
    /// What is asked of the certificates of clients whose request the rule takes.
    pub client_auth: Option<ClientAuth>,
    /// Every other rule of the hosts that fit, in the order in which they are considered.
    pub losers: Vec<Loser>,
}

/// A rule that does not take the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loser {
    /// The rule.
    pub route: RouteView,
    /// Why not, in a sentence.
    pub reason: Box<str>,
}

impl RouteTable {
    /// Explains which route takes a request; see [`Self::lookup`] for host and path.
    #[must_use]
    pub fn explain(&self, host: &str, path: &[u8]) -> Explanation {
        with_name(host.as_bytes(), |name| {
            let mut search = Search {
                path,
                winner: None,
                closed: None,
                losers: Vec::new(),
            };
            let named = [self.precise(name), self.wildcard(name)];
            for host in named
                .into_iter()
                .flatten()
                .map(|record| record.host())
                .chain(&self.anywhere)
            {
                search.host(host, self.ends_at(host.owns));
            }
            let catch_all = self.anywhere.as_deref().and_then(|host| host.catch_all.as_ref());
            for route in [catch_all, self.fallback.as_ref()].into_iter().flatten() {
                search.last_resort(route);
            }
            self.answer(name, search)
        })
    }

    fn answer(&self, name: &[u8], search: Search<'_>) -> Explanation {
        let found = self.lookup(name, search.path);
        // Annotations of the Ingress say something about requests, and have no effect on what passes through.
        let passing = |route: &Arc<Route>| RouteView {
            policy: BTreeMap::new(),
            ..RouteView::new(route)
        };
        let settings = search.winner.map(|route| route.settings.now.load_full());
        let plain = |route: &Arc<Route>, settings: &Settings| {
            wants_https(&route.policy, settings, found.host_has_certificate) && !stays_plain(settings, search.path)
        };
        Explanation {
            host: String::from_utf8_lossy(name).into(),
            path: String::from_utf8_lossy(search.path).into(),
            compat: self.compat,
            winner: search.winner.map(|route| RouteView::new(route)),
            reason: search
                .winner
                .map_or("no rule takes it: the answer is 404".into(), |route| won(route)),
            host_has_certificate: found.host_has_certificate,
            certificate: self.certificate(&String::from_utf8_lossy(name)).map(Into::into),
            https_redirect: search
                .winner
                .zip(settings.as_deref())
                .is_some_and(|(route, now)| plain(route, now)),
            redirect_code: settings
                .as_deref()
                .map(|now| now.redirect_code)
                .filter(|code| (300..=308).contains(code))
                .unwrap_or(REDIRECT_CODE),
            passthrough: self.passthrough(name).map(passing),
            client_auth: found.client.map(|policy| policy.auth.clone()),
            losers: search.losers,
        }
    }
}

/// A search under way.
struct Search<'t> {
    path: &'t [u8],
    winner: Option<&'t Arc<Route>>,
    /// The host that keeps the request although it has no path for it.
    closed: Option<&'t str>,
    losers: Vec<Loser>,
}

impl<'t> Search<'t> {
    fn host(&mut self, host: &'t VirtualHost, ends_here: bool) {
        let outcome = self.decided();
        for route in host.routes().into_iter().chain(&host.default) {
            match &outcome {
                Some(reason) => self.lose(route, reason.clone()),
                None => self.consider(route),
            }
        }
        for lost in host.lost() {
            self.lose(&lost.route, lost.reason());
        }
        if self.winner.is_none() && self.closed.is_none() && ends_here {
            self.closed = Some(&host.name);
        }
    }

    /// Why no rule of a further host is looked at.
    fn decided(&self) -> Option<String> {
        if let Some(winner) = self.winner {
            return Some(format!(
                "the rules of {}, which is more precise, go first and take it",
                host_title(&winner.host)
            ));
        }
        self.closed
            .map(|host| format!("under compat=ingress-nginx {host}, which is more precise, owns its requests"))
    }

    fn consider(&mut self, route: &'t Arc<Route>) {
        let takes = is_default(route) || route.takes(self.path);
        match self.winner {
            None if takes => self.winner = Some(route),
            None => self.lose(route, misses(route)),
            Some(_) if !takes => self.lose(route, misses(route)),
            Some(winner) => self.lose(route, beaten(route, winner)),
        }
    }

    fn last_resort(&mut self, route: &'t Arc<Route>) {
        match self.winner {
            None => self.winner = Some(route),
            Some(_) => self.lose(route, "a default backend takes only what no rule takes".to_owned()),
        }
    }

    fn lose(&mut self, route: &Route, reason: String) {
        self.losers.push(Loser {
            route: RouteView::new(route),
            reason: reason.into(),
        });
    }
}

impl Lost {
    fn reason(&self) -> String {
        match &self.why {
            Why::Conflict(winner) => format!("{} has the same rule and comes first", winner.ingress.title()),
            Why::Invalid(fault) => format!("its path is no regular expression: {fault}"),
            Why::Shadowed(by) => format!("it is of an alias, and the host is served by {by}"),
        }
    }
}

/// As the filter of the data path has it: plain requests go to https when forced, or when the host has a certificate.
fn wants_https(policy: &Policy, settings: &Settings, host_has_certificate: bool) -> bool {
    policy.force_ssl_redirect.unwrap_or(settings.force_ssl_redirect)
        || (policy.ssl_redirect.unwrap_or(settings.ssl_redirect) && host_has_certificate)
}

/// Below a path that is never redirected to https, by path element.
fn stays_plain(settings: &Settings, path: &[u8]) -> bool {
    let below = |prefix: &str| {
        let rest = path.strip_prefix(prefix.trim_end_matches('/').as_bytes());
        rest.is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
    };
    settings
        .no_tls_redirect
        .iter()
        .any(|prefix| !prefix.is_empty() && below(prefix))
}

fn won(route: &Route) -> Box<str> {
    if is_default(route) {
        return "no path rule takes it, and this is the default backend".into();
    }
    format!(
        "the first that fits of {}: {} {}",
        host_title(&route.host),
        route.kind.title(),
        shown(&route.path)
    )
    .into()
}

fn misses(route: &Route) -> String {
    let path = shown(&route.path);
    match route.kind {
        PathKind::Exact => format!("the path is not {path}"),
        PathKind::Prefix => format!("the path does not begin with the elements of {path}"),
        PathKind::RawPrefix => format!("the path does not begin with {path}"),
        PathKind::Regex => format!("the path does not match ^{path}"),
    }
}

/// Why a rule that fits comes after the winner of the same host.
fn beaten(route: &Route, winner: &Route) -> String {
    if is_default(route) {
        return "a default backend takes only what no path rule takes".to_owned();
    }
    let (own, first) = (shown(&route.path), shown(&winner.path));
    match (route.length() < winner.length(), route.kind == winner.kind) {
        (true, _) => format!("{first} is longer than {own} and goes first"),
        (false, false) => format!(
            "on equal length {} goes before {}",
            winner.kind.title(),
            route.kind.title()
        ),
        (false, true) => format!("as long as {first}, which comes first"),
    }
}

fn is_default(route: &Route) -> bool {
    route.rule.is_none()
}

fn host_title(host: &str) -> &str {
    if host.is_empty() {
        "the rules without a host"
    } else {
        host
    }
}

fn shown(path: &str) -> &str {
    if path.is_empty() { "the empty path" } else { path }
}
