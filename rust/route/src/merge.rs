//! Who wins among the fragments of one host: each path, the default backend, an alias. The losers are told.
//!
//! Nothing is compiled here; the routes are those of the fragments.

use crate::client::ClientPolicy;
use crate::compiled::Route;
use crate::fragment::{Compiled, Rule};
use crate::host::{Lost, Why};
use crate::membership::by_age;
use crate::schema::{PathKind, Problem};
use hashbrown::HashMap;
use std::cmp::Reverse;
use std::sync::Arc;

/// A contest within one host, and what has come of it so far.
#[derive(Debug)]
pub(crate) struct Contest<'h> {
    host: &'h str,
    pub(crate) lost: Vec<Lost>,
    pub(crate) problems: Vec<Problem>,
}

impl<'h> Contest<'h> {
    pub(crate) fn new(host: &'h str) -> Self {
        Self {
            host,
            lost: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Weak fragments that do not serve, and the oldest of those that do.
    pub(crate) fn shadow<'f>(&mut self, winner: &Compiled, shadowed: impl Iterator<Item = &'f Compiled>) {
        let to = winner.ingress.title();
        let host = self.host;
        let (code, says) = if winner.weak {
            (
                "ConflictLost",
                format!("{host} is an alias of {to} already, which is older"),
            )
        } else {
            (
                "AliasShadowed",
                format!("{host} has rules of its own, in {to}, so this alias of it is not served"),
            )
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

    /// The rules that win their path. They come oldest first, and leave in the order in which they are tried.
    pub(crate) fn paths<'f>(&mut self, rules: impl Iterator<Item = (&'f Compiled, &'f Rule)>) -> Vec<&'f Rule> {
        let mut winners: Vec<&'f Rule> = Vec::new();
        let mut claims: HashMap<(PathKind, &[u8]), usize, foldhash::fast::RandomState> = HashMap::default();
        for (fragment, rule) in rules {
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
        // Two texts of one length never both fit, so the text only makes the order definite. Two regexes may: there the
        // sort, which is stable, keeps the order of age.
        let text = |rule: &&'f Rule| {
            if rule.route.kind == PathKind::Regex {
                &[]
            } else {
                rule.form()
            }
        };
        winners.sort_by_key(|rule| (Reverse(rule.length), rank(rule.route.kind), text(rule)));
        winners
    }

    /// The default backend of the oldest that has one.
    pub(crate) fn default<'f>(&mut self, fragments: impl Iterator<Item = &'f Compiled>) -> Option<Arc<Route>> {
        let mut with_default = fragments.filter_map(|fragment| Some((fragment, fragment.default.as_ref()?)));
        let (_, winner) = with_default.next()?;
        for (fragment, route) in with_default {
            self.conflict(fragment, route, winner);
        }
        Some(Arc::clone(winner))
    }

    /// Where TLS connections go unopened, if the oldest of those that either want that or terminate TLS wants it.
    pub(crate) fn passthrough<'f>(&mut self, fragments: impl Iterator<Item = &'f Compiled>) -> Option<Arc<Route>> {
        let mut contestants: Vec<&Compiled> = fragments.filter(|each| is_about_tls(each)).collect();
        contestants.sort_by(|one, other| by_age(one, other));
        // One may be among them for two reasons.
        contestants.dedup_by(|one, other| std::ptr::eq(*one, *other));
        let (winner, losers) = contestants.split_first()?;
        let to = winner.ingress.title();
        let host = self.host;
        for loser in losers {
            let same_place = match (&loser.passthrough, &winner.passthrough) {
                (Some(loser), Some(winner)) => loser.target.service == winner.target.service,
                (None, None) => true,
                _ => false,
            };
            let what = match (&loser.passthrough, &winner.passthrough) {
                _ if same_place => continue,
                (Some(_), Some(_)) => format!("the pass-through of {host} belongs to {to}, which comes first"),
                (Some(_), None) => {
                    format!("TLS of {host} is terminated for {to}, which comes first: it does not pass through")
                }
                (None, _) => format!("TLS of {host} passes through for {to}, which comes first: it is not terminated"),
            };
            self.problem("ConflictLost", loser, what);
        }
        winner.passthrough.clone()
    }

    /// The policy for clients' certificates of the oldest that has one. Others are told, unless they ask the same.
    pub(crate) fn client<'f>(&mut self, fragments: impl Iterator<Item = &'f Compiled>) -> Option<Arc<ClientPolicy>> {
        let mut asking = fragments.filter_map(|fragment| Some((fragment, fragment.client.as_ref()?)));
        let (winner, policy) = asking.next()?;
        if let Some(fault) = policy.fault() {
            let message = format!("auth-tls-match-cn is no regular expression, so nobody is let in: {fault}");
            self.problem("InvalidRegex", winner, message);
        }
        let host = if self.host.is_empty() { "every host" } else { self.host };
        for (fragment, _) in asking.filter(|(_, other)| *other != policy) {
            let to = winner.ingress.title();
            let message = format!("what {host} asks of clients' certificates is said by {to}, which comes first");
            self.problem("ConflictLost", fragment, message);
        }
        Some(Arc::clone(policy))
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

fn is_about_tls(fragment: &Compiled) -> bool {
    fragment.passthrough.is_some() || fragment.certificate.is_some()
}

/// On equal length.
pub(crate) fn rank(kind: PathKind) -> u8 {
    match kind {
        PathKind::Exact => 0,
        PathKind::Prefix => 1,
        PathKind::RawPrefix => 2,
        PathKind::Regex => 3,
    }
}
