//! One fragment, compiled: its rules as routes that the merge of its host only has to put in order.

use crate::backends::Backends;
use crate::client::ClientPolicy;
use crate::compiled::{Ingress, Route, SettingsCell, Target};
use crate::form;
use crate::ingresses::Ingresses;
use crate::pattern::{Pattern, PatternError};
use crate::schema::{self, PathKind, Policy};
use crate::scopes::Scopes;
use crate::upstreams::{FragmentId, Upstreams};
use hashbrown::HashMap;
use std::sync::{Arc, Weak};

/// A host name has at most so many bytes (RFC 1035, section 2.3.4).
const HOST_LIMIT: usize = 253;
/// Says in a [`Rule`] that it names no upstream policy.
const NO_UPSTREAM: u16 = u16::MAX;

/// A fragment with everything that the merge of its host needs.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) age: Box<str>,
    /// Of its entry.
    pub(crate) digest: u128,
    pub(crate) host: Arc<str>,
    pub(crate) ingress: Arc<Ingress>,
    pub(crate) weak: bool,
    pub(crate) certificate: Option<Box<str>>,
    pub(crate) client: Option<Arc<ClientPolicy>>,
    pub(crate) regex_host: bool,
    pub(crate) default: Option<Arc<Route>>,
    /// Where TLS connections go unopened.
    pub(crate) passthrough: Option<Arc<Route>>,
    rules: Box<[Rule]>,
    /// The same rules as regexes, made when the host first asks for them.
    as_regex: Option<Box<[Rule]>>,
    settings: Arc<SettingsCell>,
    /// The keys of the upstream policies that its targets name, each once.
    upstreams: Box<[Box<str>]>,
    default_upstream: u16,
    passthrough_upstream: u16,
}

/// One path rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) route: Arc<Route>,
    /// By which rules of a host are put in order: bytes of the match form, or characters of a regex.
    pub(crate) length: u32,
    /// Why it takes no request.
    pub(crate) fault: Option<Box<PatternError>>,
    /// The match form, if it differs from the path as written.
    form: Option<Box<[u8]>>,
    upstream: u16,
}

/// The parts of a compiler that a fragment is compiled with.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) backends: Backends,
    pub(crate) scopes: Scopes,
    pub(crate) upstreams: Upstreams,
    pub(crate) ingresses: Ingresses,
    pub(crate) patterns: Patterns,
    /// Most Ingresses have no policies; they share this one.
    pub(crate) no_policy: Arc<Policy>,
}

impl Compiled {
    /// Compiles a fragment that has the number `id`, taking what it needs; [`Self::release`] gives it back.
    ///
    /// # Errors
    /// The host cannot be one; nothing was taken.
    pub(crate) fn new(
        fragment: schema::Fragment,
        digest: u128,
        id: FragmentId,
        parts: &mut Parts,
    ) -> Result<Self, Box<str>> {
        let host = host_name(&fragment.host)?;
        let mut upstreams = Vec::new();
        let shared = Shared {
            ingress: parts.ingresses.acquire(&fragment.ingress),
            host: Arc::clone(&host),
            policy: if fragment.policy == *parts.no_policy {
                Arc::clone(&parts.no_policy)
            } else {
                Arc::new(fragment.policy)
            },
            settings: parts.scopes.acquire(&fragment.scope),
        };
        let rules = fragment
            .routes
            .into_iter()
            .map(|rule| shared.rule(rule, &mut upstreams, parts))
            .collect();
        let default_upstream = fragment
            .default_backend
            .as_ref()
            .map_or(NO_UPSTREAM, |target| upstream_index(target, &mut upstreams));
        let default = fragment
            .default_backend
            .map(|target| Arc::new(shared.default_route(target, parts)));
        let passthrough_upstream = fragment
            .passthrough
            .as_ref()
            .map_or(NO_UPSTREAM, |target| upstream_index(target, &mut upstreams));
        let passthrough = fragment
            .passthrough
            .map(|target| Arc::new(shared.default_route(target, parts)));
        for key in &upstreams {
            parts.upstreams.acquire(key, id);
        }
        Ok(Self {
            age: fragment.age,
            digest,
            host,
            ingress: shared.ingress,
            weak: fragment.weak,
            certificate: fragment.certificate,
            client: fragment.client_auth.map(|auth| Arc::new(ClientPolicy::new(auth))),
            regex_host: fragment.regex_host,
            default,
            passthrough,
            rules,
            as_regex: None,
            settings: shared.settings,
            upstreams: upstreams.into(),
            default_upstream,
            passthrough_upstream,
        })
    }

    /// The rules, each of its own kind or all as regexes; the latter after [`Self::make_regexes`].
    pub(crate) fn rules(&self, regex: bool) -> &[Rule] {
        if regex {
            self.as_regex.as_deref().unwrap_or(&self.rules)
        } else {
            &self.rules
        }
    }

    /// Compiles the rules as regexes, once.
    pub(crate) fn make_regexes(&mut self, patterns: &mut Patterns) {
        let rules = &self.rules;
        self.as_regex
            .get_or_insert_with(|| rules.iter().map(|rule| rule.as_regex(patterns)).collect());
    }

    /// Puts the present value of the upstream policy `key` into the routes that name it.
    pub(crate) fn refresh_upstream(&mut self, key: &str, upstreams: &Upstreams) {
        let Some(index) = self.upstreams.iter().position(|known| **known == *key) else {
            return;
        };
        let value = upstreams.value(key);
        let rules = self.rules.iter_mut().chain(self.as_regex.iter_mut().flatten());
        for rule in rules.filter(|rule| usize::from(rule.upstream) == index) {
            rule.route = Arc::new(rule.route.with_upstream(Arc::clone(&value)));
        }
        let refreshed = |route: &Arc<Route>| Arc::new(route.with_upstream(Arc::clone(&value)));
        if usize::from(self.default_upstream) == index {
            self.default = self.default.as_ref().map(refreshed);
        }
        if usize::from(self.passthrough_upstream) == index {
            self.passthrough = self.passthrough.as_ref().map(refreshed);
        }
    }

    pub(crate) fn release(self, id: FragmentId, parts: &mut Parts) {
        for cell in self.cells() {
            parts.backends.release(&cell.key);
        }
        for key in &self.upstreams {
            parts.upstreams.release(key, id);
        }
        parts.scopes.release(&self.settings.scope);
        parts.ingresses.release(&self.ingress);
    }

    /// The cells its targets point to, one for each target.
    pub(crate) fn cells(&self) -> impl Iterator<Item = &Arc<crate::BackendCell>> {
        let routes = self.rules.iter().map(|rule| &rule.route);
        let routes = routes.chain(&self.default).chain(&self.passthrough);
        routes.filter_map(|route| route.target.backend.as_ref())
    }
}

impl Rule {
    /// What a request's path is compared with; for an element prefix without its trailing slash.
    pub(crate) fn form(&self) -> &[u8] {
        self.form.as_deref().unwrap_or_else(|| self.route.path.as_bytes())
    }

    fn as_regex(&self, patterns: &mut Patterns) -> Self {
        let route = &self.route;
        let (pattern, fault) = match (&route.pattern, &self.fault) {
            (Some(pattern), _) => (Some(Arc::clone(pattern)), None),
            (None, Some(fault)) => (None, Some(fault.clone())),
            (None, None) => patterns.compile(&route.path),
        };
        let changed = Route {
            kind: PathKind::Regex,
            pattern,
            ..route.with_upstream(Arc::clone(&route.target.upstream))
        };
        Self {
            length: characters(&route.path),
            route: Arc::new(changed),
            fault,
            form: None,
            upstream: self.upstream,
        }
    }
}

impl Route {
    fn with_upstream(&self, upstream: Arc<schema::Upstream>) -> Self {
        Self {
            ingress: Arc::clone(&self.ingress),
            host: Arc::clone(&self.host),
            path: self.path.clone(),
            kind: self.kind,
            rule: self.rule,
            pattern: self.pattern.clone(),
            target: Target {
                service: self.target.service.clone(),
                backend: self.target.backend.clone(),
                upstream,
            },
            policy: Arc::clone(&self.policy),
            settings: Arc::clone(&self.settings),
        }
    }
}

/// What all routes of a fragment share.
struct Shared {
    ingress: Arc<Ingress>,
    host: Arc<str>,
    policy: Arc<Policy>,
    settings: Arc<SettingsCell>,
}

impl Shared {
    fn rule(&self, rule: schema::Route, upstreams: &mut Vec<Box<str>>, parts: &mut Parts) -> Rule {
        let (pattern, fault) = match rule.kind {
            PathKind::Regex => parts.patterns.compile(&rule.path),
            _ => (None, None),
        };
        let form = form::of_path(rule.kind, &rule.path);
        let length = match rule.kind {
            PathKind::Regex => characters(&rule.path),
            _ => u32::try_from(form.len()).unwrap_or(u32::MAX),
        };
        let form = (*form != *rule.path.as_bytes()).then(|| form.into());
        let upstream = upstream_index(&rule.target, upstreams);
        let target = parts.target(rule.target);
        let route = self.route(rule.path, rule.kind, Some(rule.rule), pattern, target);
        Rule {
            route: Arc::new(route),
            length,
            fault,
            form,
            upstream,
        }
    }

    fn default_route(&self, target: schema::Target, parts: &mut Parts) -> Route {
        self.route(Box::default(), PathKind::RawPrefix, None, None, parts.target(target))
    }

    fn route(
        &self,
        path: Box<str>,
        kind: PathKind,
        rule: Option<(u16, u16)>,
        pattern: Option<Arc<Pattern>>,
        target: Target,
    ) -> Route {
        Route {
            ingress: Arc::clone(&self.ingress),
            host: Arc::clone(&self.host),
            path,
            kind,
            rule,
            pattern,
            target,
            policy: Arc::clone(&self.policy),
            settings: Arc::clone(&self.settings),
        }
    }
}

impl Parts {
    pub(crate) fn new() -> Self {
        Self {
            backends: Backends::new(),
            scopes: Scopes::new(),
            upstreams: Upstreams::new(),
            ingresses: Ingresses::new(),
            patterns: Patterns::default(),
            no_policy: Arc::default(),
        }
    }

    /// A target with its cell taken; the cell is given back by whoever drops the target.
    fn target(&mut self, target: schema::Target) -> Target {
        let backend = (!target.endpoints.is_empty()).then(|| self.backends.acquire(&target.endpoints));
        Target {
            service: target.service,
            backend,
            upstream: self.upstreams.value(&target.upstream),
        }
    }

    /// The route to the controller's default backend, from the settings of the process.
    pub(crate) fn fallback(&mut self, target: schema::Target, controller: &Arc<Ingress>) -> Route {
        let shared = Shared {
            ingress: Arc::clone(controller),
            host: Arc::from(""),
            policy: Arc::clone(&self.no_policy),
            settings: Arc::clone(self.scopes.process()),
        };
        shared.default_route(target, self)
    }
}

/// Patterns by source: many Ingresses write the same one.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    by_source: HashMap<Box<str>, Weak<Pattern>, foldhash::fast::RandomState>,
    sweep_at: usize,
}

impl Patterns {
    fn compile(&mut self, source: &str) -> (Option<Arc<Pattern>>, Option<Box<PatternError>>) {
        if let Some(pattern) = self.by_source.get(source).and_then(Weak::upgrade) {
            return (Some(pattern), None);
        }
        match Pattern::new(source) {
            Ok(pattern) => {
                let pattern = Arc::new(pattern);
                self.keep(&pattern);
                (Some(pattern), None)
            }
            Err(error) => (None, Some(Box::new(error))),
        }
    }

    fn keep(&mut self, pattern: &Arc<Pattern>) {
        if self.by_source.len() >= self.sweep_at {
            self.by_source.retain(|_, pattern| pattern.strong_count() > 0);
            self.sweep_at = self.by_source.len() * 2 + 64;
        }
        self.by_source.insert(pattern.source().into(), Arc::downgrade(pattern));
    }
}

fn host_name(host: &str) -> Result<Arc<str>, Box<str>> {
    let rest = host.strip_prefix("*.").unwrap_or(host);
    let wrong = rest.contains('*') || rest.starts_with('.') || (rest.is_empty() && !host.is_empty());
    if wrong || host.len() > HOST_LIMIT {
        return Err(format!("{host:?} is no host: a name, `*.` and a name, or nothing is").into());
    }
    Ok(host.to_ascii_lowercase().into())
}

fn characters(path: &str) -> u32 {
    u32::try_from(path.chars().count()).unwrap_or(u32::MAX)
}

fn upstream_index(target: &schema::Target, known: &mut Vec<Box<str>>) -> u16 {
    if target.upstream.is_empty() {
        return NO_UPSTREAM;
    }
    let index = known.iter().position(|key| *key == target.upstream).unwrap_or_else(|| {
        known.push(target.upstream.clone());
        known.len() - 1
    });
    u16::try_from(index).unwrap_or(NO_UPSTREAM)
}
