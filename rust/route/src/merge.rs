//! The fragments of one host become its virtual host: who wins each path, in which order they are tried, who lost.
//!
//! Nothing is compiled here; the routes are those of the fragments.

use crate::compiled::Route;
use crate::fragment::{Compiled, Rule};
use crate::host::{Lost, Ranked, VirtualHost, Why};
use crate::schema::{Compat, PathKind, Problem};
use hashbrown::HashMap;
use std::cmp::Reverse;
use std::sync::Arc;

/// A virtual host and what is wrong with its fragments.
pub(crate) struct Merged {
    pub(crate) host: VirtualHost,
    pub(crate) problems: Vec<Problem>,
}

/// Whether every path of the host is a regex.
pub(crate) fn is_regex_host<'f>(fragments: impl Iterator<Item = &'f Compiled>, compat: Compat) -> bool {
    compat == Compat::IngressNginx && active(fragments.collect()).0.iter().any(|fragment| fragment.regex_host)
}

/// Merges the fragments of one host, which come oldest first.
pub(crate) fn merge(name: &Arc<str>, fragments: Vec<&Compiled>, compat: Compat) -> Merged {
    let (active, shadowed) = active(fragments);
    let regex = compat == Compat::IngressNginx && active.iter().any(|fragment| fragment.regex_host);
    let mut merge = Merge {
        host: name,
        lost: Vec::new(),
        problems: Vec::new(),
    };
    merge.shadow(&active, &shadowed);
    let ranked = merge.paths(&active, regex);
    // Without a host and without rules it is not the default of a virtual host but of everything.
    let (rest, hosted): (Vec<&Compiled>, Vec<&Compiled>) = active
        .iter()
        .partition(|fragment| name.is_empty() && fragment.rules(false).is_empty());
    let default = merge.default(&hosted);
    let catch_all = merge.default(&rest);
    let certificate = active.iter().find_map(|fragment| fragment.certificate.clone());
    let owns = default.is_some() || active.iter().any(|fragment| !fragment.rules(false).is_empty());
    Merged {
        host: VirtualHost::new(
            Arc::clone(name),
            ranked,
            default,
            catch_all,
            certificate,
            owns,
            merge.lost,
        ),
        problems: merge.problems,
    }
}

/// Those that serve, and those that are weak and do not.
fn active(fragments: Vec<&Compiled>) -> (Vec<&Compiled>, Vec<&Compiled>) {
    let (mut weak, mut strong): (Vec<_>, Vec<_>) = fragments.into_iter().partition(|fragment| fragment.weak);
    if strong.is_empty() && !weak.is_empty() {
        strong.push(weak.remove(0));
    }
    (strong, weak)
}

struct Merge<'m> {
    host: &'m str,
    lost: Vec<Lost>,
    problems: Vec<Problem>,
}

impl Merge<'_> {
    /// Weak fragments that do not serve.
    fn shadow(&mut self, active: &[&Compiled], shadowed: &[&Compiled]) {
        let Some(&winner) = active.first() else { return };
        let to = winner.ingress.title();
        let (code, says) = match winner.weak {
            true => (
                "ConflictLost",
                format!("{} is an alias of {to} already, which is older", self.host),
            ),
            false => (
                "AliasShadowed",
                format!(
                    "{} has rules of its own, in {to}, so this alias of it is not served",
                    self.host
                ),
            ),
        };
        for fragment in shadowed {
            self.problem(code, fragment, says.clone());
            let routes = fragment
                .rules(false)
                .iter()
                .map(|rule| &rule.route)
                .chain(&fragment.default);
            self.lost.extend(routes.map(|route| Lost {
                route: Arc::clone(route),
                why: Why::Shadowed(to.clone()),
            }));
        }
    }

    /// The rules that win their path, in the order in which they are tried.
    fn paths<'f>(&mut self, active: &[&'f Compiled], regex: bool) -> Vec<Ranked<'f>> {
        let mut winners: Vec<&'f Rule> = Vec::new();
        let mut claims: HashMap<(PathKind, &[u8]), usize, foldhash::fast::RandomState> = HashMap::default();
        for fragment in active {
            for rule in fragment.rules(regex) {
                if let Some(fault) = &rule.fault {
                    self.invalid(fragment, rule, &fault.to_string());
                    continue;
                }
                match claims.get(&(rule.route.kind, rule.form())) {
                    Some(&winner) => self.conflict(fragment, &rule.route, &winners[winner].route),
                    None => {
                        claims.insert((rule.route.kind, rule.form()), winners.len());
                        winners.push(rule);
                    }
                }
            }
        }
        // A stable sort: among equals they stay in the order of age.
        winners.sort_by_key(|rule| (Reverse(rule.length), rank(rule.route.kind)));
        winners
            .iter()
            .map(|rule| Ranked {
                route: &rule.route,
                form: rule.form(),
                length: rule.length,
            })
            .collect()
    }

    /// The default backend of the oldest that has one.
    fn default(&mut self, fragments: &[&Compiled]) -> Option<Arc<Route>> {
        let mut with_default = fragments
            .iter()
            .filter_map(|fragment| Some((*fragment, fragment.default.as_ref()?)));
        let (_, winner) = with_default.next()?;
        for (fragment, route) in with_default {
            self.conflict(fragment, route, winner);
        }
        Some(Arc::clone(winner))
    }

    fn invalid(&mut self, fragment: &Compiled, rule: &Rule, fault: &str) {
        let path = &rule.route.path;
        self.problem(
            "InvalidRegex",
            fragment,
            format!("the path {path} is no regular expression: {fault}"),
        );
        self.lost.push(Lost {
            route: Arc::clone(&rule.route),
            why: Why::Invalid(fault.into()),
        });
    }

    fn conflict(&mut self, fragment: &Compiled, loser: &Arc<Route>, winner: &Arc<Route>) {
        self.lost.push(Lost {
            route: Arc::clone(loser),
            why: Why::Conflict(Arc::clone(winner)),
        });
        // Twice the same in one Ingress does no harm when both lead to the same place.
        let same_place = loser.target.service == winner.target.service;
        if Arc::ptr_eq(&loser.ingress, &winner.ingress) && same_place {
            return;
        }
        let host = if self.host.is_empty() { "every host" } else { self.host };
        let what = match loser.rule {
            None => "the default backend".to_owned(),
            Some(_) => format!("the path {} ({})", loser.path, loser.kind.title()),
        };
        let to = winner.ingress.title();
        self.problem(
            "ConflictLost",
            fragment,
            format!("{what} of {host} belongs to {to}, which comes first"),
        );
    }

    fn problem(&mut self, code: &str, fragment: &Compiled, message: String) {
        let ingress = Some(fragment.ingress.of.clone());
        self.problems.push(Problem {
            code: code.into(),
            ingress,
            message: message.into(),
        });
    }
}

/// On equal length.
fn rank(kind: PathKind) -> u8 {
    match kind {
        PathKind::Exact => 0,
        PathKind::Prefix => 1,
        PathKind::RawPrefix => 2,
        PathKind::Regex => 3,
    }
}
