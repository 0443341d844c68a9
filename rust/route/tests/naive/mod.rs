//! A matcher written from the text of the Ingress API and nothing else: slow, and short enough to be read.
//!
//! It knows the desired state as plain lists and looks at all of it for each request. Paths here are such that nothing
//! in them needs to be normalised.

use fastingress_route::schema::{Compat, Fragment, PathKind, Settings};
use std::collections::BTreeSet;

#[derive(Debug)]
pub struct Naive {
    pub settings: Settings,
    pub fragments: Vec<Fragment>,
}

struct Candidate<'f> {
    fragment: &'f Fragment,
    rule: usize,
    kind: PathKind,
    path: &'f str,
}

impl Naive {
    /// `ingress/rule`, `ingress/default`, `/default` for the controller's own, or `404`.
    pub fn answer(&self, host: &str, path: &str) -> String {
        let host = host.to_lowercase();
        let parent = host
            .split_once('.')
            .filter(|(label, _)| !label.is_empty())
            .map(|(_, parent)| format!("*.{parent}"));
        let names = [Some(host), parent, Some(String::new())];
        for name in names.into_iter().flatten() {
            let of_host = self.serving(&name);
            if let Some(found) = self.in_host(&of_host, path) {
                return found;
            }
            let exists = of_host
                .iter()
                .any(|fragment| !fragment.routes.is_empty() || fragment.default_backend.is_some());
            if exists && self.settings.compat == Compat::IngressNginx && !name.is_empty() {
                break;
            }
        }
        let bare = self
            .serving("")
            .into_iter()
            .filter(|fragment| fragment.routes.is_empty());
        if let Some(fragment) = bare.into_iter().find(|fragment| fragment.default_backend.is_some()) {
            return format!("{}/default", fragment.ingress.name);
        }
        if self.settings.default_backend.is_some() {
            "/default".into()
        } else {
            "404".into()
        }
    }

    /// Scope, code and Ingress of every problem.
    pub fn problems(&self) -> Vec<(String, String, String)> {
        let hosts: BTreeSet<&str> = self.fragments.iter().map(|fragment| &*fragment.host).collect();
        let mut all = Vec::new();
        for host in hosts {
            let mut tell = |code: &str, fragment: &Fragment| {
                all.push((
                    format!("host:{host}"),
                    code.to_owned(),
                    fragment.ingress.name.to_string(),
                ));
            };
            let serving = self.serving(host);
            let idle = self
                .of_host(host)
                .into_iter()
                .filter(|fragment| !serving.iter().any(|other| other.age == fragment.age));
            for fragment in idle {
                tell(
                    if serving[0].weak {
                        "ConflictLost"
                    } else {
                        "AliasShadowed"
                    },
                    fragment,
                );
            }
            let candidates = self.candidates(&serving);
            for (index, candidate) in candidates.iter().enumerate() {
                if candidate.kind == PathKind::Regex && regex(candidate.path).is_none() {
                    tell("InvalidRegex", candidate.fragment);
                    continue;
                }
                let same = |other: &&Candidate<'_>| other.kind == candidate.kind && other.form() == candidate.form();
                let earlier = candidates[..index].iter().find(same);
                if earlier.is_some_and(|winner| service(winner) != service(candidate)) {
                    tell("ConflictLost", candidate.fragment);
                }
            }
            let bare = |fragment: &Fragment| host.is_empty() && fragment.routes.is_empty();
            for group in [true, false] {
                let with = serving
                    .iter()
                    .filter(|fragment| bare(fragment) == group && fragment.default_backend.is_some());
                with.skip(1).for_each(|fragment| tell("ConflictLost", fragment));
            }
        }
        all.sort();
        all
    }

    fn of_host(&self, host: &str) -> Vec<&Fragment> {
        let mut all: Vec<&Fragment> = self
            .fragments
            .iter()
            .filter(|fragment| *fragment.host == *host)
            .collect();
        all.sort_by_key(|fragment| &fragment.age);
        all
    }

    /// Those that are not weak; if there are none, the oldest weak one.
    fn serving(&self, host: &str) -> Vec<&Fragment> {
        let all = self.of_host(host);
        if all.iter().all(|fragment| fragment.weak) {
            return all.into_iter().take(1).collect();
        }
        all.into_iter().filter(|fragment| !fragment.weak).collect()
    }

    fn candidates<'f>(&self, serving: &[&'f Fragment]) -> Vec<Candidate<'f>> {
        let all_regex =
            self.settings.compat == Compat::IngressNginx && serving.iter().any(|fragment| fragment.regex_host);
        let mut all = Vec::new();
        for fragment in serving {
            for (rule, route) in fragment.routes.iter().enumerate() {
                let kind = if all_regex { PathKind::Regex } else { route.kind };
                all.push(Candidate {
                    fragment,
                    rule,
                    kind,
                    path: &route.path,
                });
            }
        }
        all
    }

    fn in_host(&self, serving: &[&Fragment], path: &str) -> Option<String> {
        let mut fitting = self.candidates(serving);
        fitting.retain(|candidate| candidate.takes(path));
        fitting.sort_by_key(|candidate| {
            let kinds = [PathKind::Exact, PathKind::Prefix, PathKind::RawPrefix, PathKind::Regex];
            let kind = kinds.iter().position(|kind| *kind == candidate.kind);
            (
                usize::MAX - candidate.form().len(),
                kind,
                &candidate.fragment.age,
                candidate.rule,
            )
        });
        if let Some(first) = fitting.first() {
            return Some(format!("{}/{}", first.fragment.ingress.name, first.rule));
        }
        let is_host_default = |fragment: &&&Fragment| !fragment.host.is_empty() || !fragment.routes.is_empty();
        let default = serving
            .iter()
            .filter(is_host_default)
            .find(|fragment| fragment.default_backend.is_some())?;
        Some(format!("{}/default", default.ingress.name))
    }
}

impl Candidate<'_> {
    fn form(&self) -> &str {
        if self.kind == PathKind::Prefix {
            self.path.strip_suffix('/').unwrap_or(self.path)
        } else {
            self.path
        }
    }

    fn takes(&self, path: &str) -> bool {
        match self.kind {
            PathKind::Exact => path == self.path,
            PathKind::Prefix => {
                let wanted: Vec<&str> = self.path.split('/').filter(|element| !element.is_empty()).collect();
                let given: Vec<&str> = path.split('/').skip(1).collect();
                path.starts_with('/')
                    && wanted.len() <= given.len()
                    && wanted.iter().zip(&given).all(|(wanted, given)| wanted == given)
            }
            PathKind::RawPrefix => path.starts_with(self.path),
            PathKind::Regex => regex(self.path).is_some_and(|regex| regex.is_match(path)),
        }
    }
}

fn regex(source: &str) -> Option<regex::Regex> {
    regex::Regex::new(&format!("^(?i:{source})")).ok()
}

/// Two rules of one Ingress that lead to the same place are no conflict.
fn service<'c>(candidate: &'c Candidate<'_>) -> (&'c str, &'c str) {
    let route = &candidate.fragment.routes[candidate.rule];
    (&candidate.fragment.ingress.uid, &route.target.service)
}
