//! Routes for people and machines to read: the `/routes` page, `fastingress routes`, and the rules in an explanation.

use crate::compiled::Route;
use crate::host::VirtualHost;
use crate::schema::{ClientAuth, HeaderEdits, PathKind, Policy, VerifyClient};
use crate::table::RouteTable;
use serde::Serialize;
use std::collections::BTreeMap;

/// A route as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RouteView {
    /// `shop.example.com`, `*.example.com`, or empty for every host.
    pub host: Box<str>,
    /// As written; empty for a default backend.
    pub path: Box<str>,
    /// How the path is matched; a default backend is a raw prefix of the empty path.
    pub kind: PathKind,
    /// The namespace of the Ingress; empty for the controller's default backend.
    pub namespace: Box<str>,
    /// The name of the Ingress; empty for the controller's default backend.
    pub ingress: Box<str>,
    /// The uid of the Ingress.
    pub uid: Box<str>,
    /// The indices in `spec.rules[i].http.paths[j]`; `None` for a default backend.
    pub rule: Option<(u16, u16)>,
    /// `namespace/service:port`; empty if there is none.
    pub service: Box<str>,
    /// `address:port` of each endpoint now.
    pub endpoints: Vec<Box<str>>,
    /// False while nothing is known about the Service.
    pub known: bool,
    /// It is kept from its Service, since something of its Ingress could not be understood: the answer is no endpoint's.
    pub closed: bool,
    /// The name that the endpoints are resolved from.
    pub dns: Option<Box<str>>,
    /// The policies that the Ingress sets, by the name of their annotation. Among all routes of a table also what holds for
    /// connections to its host, whichever Ingress says so.
    pub policy: BTreeMap<&'static str, String>,
}

impl RouteView {
    /// The route as it is at this moment.
    #[must_use]
    pub fn new(route: &Route) -> Self {
        let now = route
            .target
            .backend
            .as_ref()
            .map(|cell| cell.endpoints.load_full())
            .unwrap_or_default();
        Self {
            host: (*route.host).into(),
            path: route.path.clone(),
            kind: route.kind,
            namespace: route.ingress.of.namespace.clone(),
            ingress: route.ingress.of.name.clone(),
            uid: route.ingress.of.uid.clone(),
            rule: route.rule,
            service: route.target.service.clone(),
            endpoints: now.list.iter().map(|endpoint| (*endpoint.text).into()).collect(),
            known: now.known,
            closed: route.target.backend.is_none() && !route.target.service.is_empty(),
            dns: now.dns.as_ref().map(|dns| dns.name.clone()),
            policy: policy_summary(&route.policy),
        }
    }
}

impl RouteTable {
    /// Every route that can take a request: by host, those without one last; within a host in the order in which they
    /// are tried; then the default backends of everything.
    #[must_use]
    pub fn routes(&self) -> Vec<RouteView> {
        let mut hosts: Vec<_> = self.hosts().collect();
        hosts.sort_unstable_by_key(|host| (host.name.is_empty(), &host.name));
        let of_hosts = hosts.iter().flat_map(|host| of_host(host));
        let catch_all = self.anywhere.iter().filter_map(|host| host.catch_all.as_ref());
        let last = catch_all.chain(&self.fallback).map(|route| RouteView::new(route));
        of_hosts.chain(last).collect()
    }
}

/// The routes of a host, each with what is decided for connections to it.
fn of_host(host: &VirtualHost) -> impl Iterator<Item = RouteView> {
    let mut of_connections = host
        .client
        .as_ref()
        .map_or_else(BTreeMap::new, |policy| asked(&policy.auth));
    if host.passthrough.is_some() {
        of_connections.insert("ssl-passthrough", true.to_string());
    }
    host.routes().into_iter().chain(&host.default).map(move |route| {
        let mut view = RouteView::new(route);
        view.policy.extend(of_connections.clone());
        view
    })
}

/// What is asked of clients' certificates; what is as without an annotation is left out.
fn asked(auth: &ClientAuth) -> BTreeMap<&'static str, String> {
    let verify = match auth.verify {
        VerifyClient::On => None,
        VerifyClient::Optional => Some("optional"),
        VerifyClient::OptionalNoCa => Some("optional_no_ca"),
    };
    let all = [
        ("auth-tls-secret", Some(auth.authority.to_string())),
        ("auth-tls-verify-client", verify.map(str::to_owned)),
        (
            "auth-tls-verify-depth",
            (auth.depth != 1).then(|| auth.depth.to_string()),
        ),
        ("auth-tls-match-cn", auth.match_cn.as_deref().map(str::to_owned)),
        ("auth-tls-error-page", auth.error_page.as_deref().map(str::to_owned)),
        (
            "auth-tls-pass-certificate-to-upstream",
            auth.pass_certificate.then(|| true.to_string()),
        ),
    ];
    all.into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

/// What the Ingress sets; what it inherits is left out.
fn policy_summary(policy: &Policy) -> BTreeMap<&'static str, String> {
    let text = |value: &Option<Box<str>>| value.as_deref().map(str::to_owned);
    let switch = |value: Option<bool>| value.map(|on| on.to_string());
    let nets = |nets: &[ipnet::IpNet]| joined(nets.iter().map(ToString::to_string));
    let redirect = policy.redirect.as_ref();
    let all = [
        ("ssl-redirect", switch(policy.ssl_redirect)),
        ("force-ssl-redirect", switch(policy.force_ssl_redirect)),
        (
            "redirect",
            redirect.map(|redirect| format!("{} {}", redirect.code, redirect.location)),
        ),
        ("from-to-www-redirect", text(&policy.redirect_host)),
        ("app-root", text(&policy.app_root)),
        ("rewrite-target", text(&policy.rewrite)),
        ("allowlist-source-range", nets(&policy.allow)),
        ("denylist-source-range", nets(&policy.deny)),
        ("proxy-body-size", policy.body_limit.map(|bytes| bytes.to_string())),
        ("upstream-vhost", text(&policy.upstream_vhost)),
        ("x-forwarded-prefix", text(&policy.x_forwarded_prefix)),
        ("request-headers", edits(&policy.request_headers)),
        ("response-headers", edits(&policy.response_headers)),
        ("enable-access-log", switch(policy.access_log)),
    ];
    all.into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

/// Names only: the values of headers may be secrets.
fn edits(edits: &HeaderEdits) -> Option<String> {
    let remove = edits.remove.iter().map(|name| format!("-{name}"));
    let set = edits.set.iter().map(|(name, _)| format!("={name}"));
    let add = edits.add.iter().map(|(name, _)| format!("+{name}"));
    joined(remove.chain(set).chain(add))
}

fn joined(parts: impl Iterator<Item = String>) -> Option<String> {
    let all: Vec<String> = parts.collect();
    (!all.is_empty()).then(|| all.join(", "))
}
