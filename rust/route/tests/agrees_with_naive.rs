//! The compiled table gives the answers and problems of a naive matcher, for any desired state.

mod common;
mod naive;

use common::{Troubles, apply, change, compiled, describe, put, settings};
use fastingress_route::Compiler;
use fastingress_route::schema::{Compat, Fragment, IngressRef, PathKind, Route, Settings, Target};
use naive::Naive;
use proptest::prelude::*;

const HOSTS: [&str; 7] = ["", "a.x", "b.x", "*.x", "a.b.x", "*.b.x", "x"];
const ASKED: [&str; 8] = ["a.x", "B.x", "c.x", "a.b.x", "c.B.X", "x", "y", ".x"];

fn element() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["a", "b", "ab", "A", "aba", "c"][..])
}

fn plain_path() -> impl Strategy<Value = String> {
    (prop::collection::vec(element(), 0..4), any::<bool>()).prop_map(|(elements, slash)| {
        let path = format!("/{}", elements.join("/"));
        if slash && path.len() > 1 { path + "/" } else { path }
    })
}

fn rule() -> impl Strategy<Value = (PathKind, String)> {
    let regexes = &[
        "/a.*",
        "/[ab]",
        "/(a|ab)/b",
        "/A(/|$)(.*)",
        "/",
        "",
        "/ab?",
        "/(",
        "/b$",
        "/[abc]+/a",
    ][..];
    prop_oneof![
        3 => plain_path().prop_map(|path| (PathKind::Exact, path)),
        4 => plain_path().prop_map(|path| (PathKind::Prefix, path)),
        2 => plain_path().prop_map(|path| (PathKind::RawPrefix, path)),
        1 => Just((PathKind::RawPrefix, String::new())),
        2 => prop::sample::select(regexes).prop_map(|source| (PathKind::Regex, source.to_owned())),
    ]
}

fn to(service: &str) -> Target {
    Target {
        service: service.into(),
        ..Target {
            service: "".into(),
            endpoints: "".into(),
            upstream: "".into(),
        }
    }
}

/// Of the Ingress with this number; their ages are not the order in which they come.
fn fragment(number: usize) -> impl Strategy<Value = Fragment> {
    let rules = prop::collection::vec((rule(), 0..2_u8), 0..40);
    let few = prop::collection::vec((rule(), 0..2_u8), 0..5);
    let rules = prop_oneof![4 => few, 1 => rules];
    let flags = (
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.3),
    );
    (prop::sample::select(&HOSTS[..]), rules, flags).prop_map(move |(host, rules, (weak, regex_host, default))| {
        let name = format!("i{number}");
        let route = |(index, ((kind, path), service)): (usize, ((PathKind, String), u8))| Route {
            path: path.into(),
            kind,
            rule: (0, u16::try_from(index).expect("few rules")),
            target: to(&format!("default/s{service}:80")),
        };
        Fragment {
            host: host.into(),
            ingress: IngressRef {
                namespace: "default".into(),
                name: name.as_str().into(),
                uid: name.as_str().into(),
            },
            age: format!("{:02}", number * 37 % 100).into(),
            scope: "process".into(),
            weak,
            certificate: None,
            client_auth: None,
            passthrough: None,
            policy: fastingress_route::schema::Policy::default(),
            regex_host,
            routes: rules.into_iter().enumerate().map(route).collect(),
            default_backend: default.then(|| to("default/d:80")),
        }
    })
}

fn state() -> impl Strategy<Value = Naive> {
    let fragments = (0..10_usize).map(fragment).collect::<Vec<_>>();
    (fragments, any::<bool>(), any::<bool>()).prop_map(|(fragments, nginx, default)| {
        let compat = if nginx { Compat::IngressNginx } else { Compat::Strict };
        let default_backend = default.then(|| to("default/fallback:80"));
        Naive {
            settings: Settings {
                compat,
                default_backend,
                ..Settings::default()
            },
            fragments,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn on_every_answer(naive in state(), paths in prop::collection::vec(plain_path(), 1..12)) {
        let compiler = compiled(&naive.settings, &naive.fragments);
        let table = compiler.table();
        for host in ASKED {
            for path in paths.iter().map(String::as_str).chain(["*", "/"]) {
                let found = table.lookup(host.as_bytes(), path.as_bytes());
                prop_assert_eq!(describe(found), naive.answer(host, path), "{} {}", host, path);
            }
        }
    }

    #[test]
    fn on_every_problem(naive in state()) {
        let mut compiler = Compiler::new();
        let mut troubles = Troubles::default();
        let upserts = naive.fragments.iter().map(put).chain([settings(&naive.settings)]).collect();
        troubles.read(&apply(&mut compiler, &change(upserts)));
        prop_assert_eq!(troubles.brief(), naive.problems());
    }

    /// An explanation has the winner of the lookup, and names each rule of the hosts that fit once.
    #[test]
    fn and_explains_it(naive in state(), path in plain_path(), host in prop::sample::select(&ASKED[..])) {
        let compiler = compiled(&naive.settings, &naive.fragments);
        let table = compiler.table();
        let explanation = table.explain(host, path.as_bytes());
        let winner = explanation.winner.as_ref().map_or_else(|| "404".to_owned(), |view| {
            view.rule.map_or_else(|| format!("{}/default", view.ingress), |(_, path)| format!("{}/{path}", view.ingress))
        });
        prop_assert_eq!(winner, naive.answer(host, &path));
        let host = host.to_lowercase();
        let wildcard = host.split_once('.').filter(|(label, _)| !label.is_empty()).map(|(_, parent)| format!("*.{parent}"));
        let fits = |fragment: &&Fragment| {
            *fragment.host == *host || Some(&*fragment.host) == wildcard.as_deref() || fragment.host.is_empty()
        };
        let rules = |fragment: &Fragment| fragment.routes.len() + usize::from(fragment.default_backend.is_some());
        let all = naive.fragments.iter().filter(fits).map(rules).sum::<usize>();
        let all = all + usize::from(naive.settings.default_backend.is_some());
        prop_assert_eq!(explanation.losers.len() + usize::from(explanation.winner.is_some()), all);
    }
}
