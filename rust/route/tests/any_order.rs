//! Any order and any partition of changes ends where a fresh start ends: the same digest, answers and problems.

mod common;

use common::{State, Troubles, apply, encode, endpoints, full, target, with_rules};
use fastingress_route::schema::{
    Certificate, ChangeSet, Compat, Fragment, Key, Kind, PathKind, Policy, Settings, Upsert, Upstream, VERSION,
};
use fastingress_route::{Compiler, Explanation, RouteView};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A step: a key gets a value, or loses it.
type Step = (Key, Option<Vec<u8>>);

fn fragment() -> impl Strategy<Value = (String, Fragment)> {
    // Many different paths now and then: those of a host with many are kept in another way.
    let common = prop::sample::select(&["/", "/a", "/a/b", "/ab/", "/(x", "/[ab]"][..]).prop_map(str::to_owned);
    let path = || prop_oneof![2 => common.clone(), 1 => (0..60_u8).prop_map(|n| format!("/a/{n}"))];
    let kinds = &[PathKind::Exact, PathKind::Prefix, PathKind::RawPrefix, PathKind::Regex][..];
    let rule = || (prop::sample::select(kinds), path());
    let rules = prop_oneof![4 => prop::collection::vec(rule(), 0..6), 1 => prop::collection::vec(rule(), 0..70)];
    let ingress = 0..6_u8;
    let host = prop::sample::select(&["", "a.x", "*.x", "b.x"][..]);
    let upstream = prop::sample::select(&["", "u1", "u2"][..]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), 0..2_u8);
    (ingress, host, rules, upstream, flags).prop_map(|(ingress, host, rules, upstream, flags)| {
        let (weak, regex_host, default, certificate, other_key) = flags;
        let rules: Vec<_> = rules.iter().map(|(kind, path)| (*kind, path.as_str())).collect();
        let mut fragment = with_rules(&format!("i{ingress}"), host, &rules);
        fragment
            .routes
            .iter_mut()
            .for_each(|route| route.target.upstream = upstream.into());
        fragment.weak = weak;
        fragment.regex_host = regex_host && weak;
        fragment.scope = if regex_host {
            "class/edge".into()
        } else {
            "process".into()
        };
        fragment.default_backend = default.then(|| target(&format!("default/i{ingress}-d:80")));
        fragment.certificate = certificate.then(|| format!("default/i{ingress}").into());
        fragment.policy = Policy {
            app_root: default.then(|| "/app".into()),
            ..Policy::default()
        };
        (format!("{host}/i{ingress}{other_key}"), fragment)
    })
}

fn value() -> impl Strategy<Value = (Key, Vec<u8>)> {
    let service = || (0..6_u8, 0..2_u8).prop_map(|(ingress, rule)| format!("default/i{ingress}-{rule}:80"));
    let address = prop::sample::select(&["10.0.0.1:80", "10.0.0.2:80", "nonsense"][..]);
    let sets = (service(), prop::collection::vec(address, 0..3));
    let certificate = || Certificate {
        chain: b"c".to_vec(),
        key: b"k".to_vec(),
        ocsp: Vec::new(),
    };
    prop_oneof![
        8 => fragment().prop_map(|(name, fragment)| (Key(Kind::Fragment, name.into()), encode(&fragment))),
        3 => sets.prop_map(|(name, list)| (Key(Kind::Endpoints, name.into()), encode(&endpoints(&list)))),
        2 => (1..3_u8, any::<Option<u32>>()).prop_map(|(number, timeout)| {
            let upstream = Upstream { connect_timeout_ms: timeout, ..Upstream::default() };
            (Key(Kind::Upstream, format!("u{number}").into()), encode(&upstream))
        }),
        1 => (0..3_u8).prop_map(move |number| (Key(Kind::Certificate, format!("default/i{number}").into()), encode(&certificate()))),
        2 => (any::<bool>(), any::<bool>(), 1..9_u8).prop_map(|(nginx, default, tries)| {
            let compat = if nginx { Compat::IngressNginx } else { Compat::Strict };
            let default_backend = default.then(|| target("default/i0-0:80"));
            (Key(Kind::Settings, "process".into()), encode(&Settings { compat, default_backend, tries, ..Settings::default() }))
        }),
        1 => (1..9_u8).prop_map(|tries| (Key(Kind::Settings, "class/edge".into()), encode(&Settings { tries, ..Settings::default() }))),
        // Nothing that decodes: it is desired state all the same.
        1 => (prop::sample::select(&[Kind::Fragment, Kind::Endpoints, Kind::Upstream, Kind::Settings, Kind::Certificate][..]), 0..3_u8)
            .prop_map(|(kind, name)| (Key(kind, format!("a.x/i{name}0").into()), vec![0xc1])),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    (value(), prop::bool::weighted(0.7)).prop_map(|((key, value), kept)| (key, kept.then_some(value)))
}

/// Steps in groups, each a change set; a group that is `full` is sent as everything there is.
fn history() -> impl Strategy<Value = Vec<(Vec<Step>, bool)>> {
    prop::collection::vec((prop::collection::vec(step(), 0..8), prop::bool::weighted(0.15)), 0..12)
}

/// The change set of a group: the last step for a key counts.
fn as_change(steps: &[Step]) -> ChangeSet {
    let last: BTreeMap<&Key, Option<&Vec<u8>>> = steps.iter().map(|(key, value)| (key, value.as_ref())).collect();
    let mut change = ChangeSet {
        version: VERSION,
        full: false,
        upserts: Vec::new(),
        removals: Vec::new(),
    };
    for (key, value) in last {
        match value {
            Some(blob) => change.upserts.push(Upsert(key.0, key.1.clone(), blob.clone())),
            None => change.removals.push(key.clone()),
        }
    }
    change
}

fn replay(history: &[(Vec<Step>, bool)]) -> (Compiler, Troubles, State) {
    let (mut compiler, mut troubles, mut state) = (Compiler::new(), Troubles::default(), State::new());
    for (steps, is_full) in history {
        for (key, value) in steps {
            match value {
                Some(blob) => state.insert(key.clone(), blob.clone()),
                None => state.remove(key),
            };
        }
        let change = if *is_full { full(&state) } else { as_change(steps) };
        troubles.read(&apply(&mut compiler, &change));
    }
    (compiler, troubles, state)
}

/// Everything that can be asked of a table.
fn all_answers(compiler: &Compiler) -> (Vec<RouteView>, Vec<Explanation>, Vec<Option<String>>, Vec<String>) {
    let table = compiler.table();
    let hosts = ["a.x", "b.x", "c.x", "y"];
    let explain = |host: &&str| {
        ["/", "/a", "/a/b", "/b", "/abc", "/a/17", "/a/42/x", "*"].map(|path| table.explain(host, path.as_bytes()))
    };
    let explanations = hosts.iter().flat_map(explain).collect();
    let certificates = hosts
        .iter()
        .map(|host| table.certificate(host).map(str::to_owned))
        .collect();
    let inner = |(host, path): (&&str, &str)| {
        let route = table.lookup(host.as_bytes(), path.as_bytes()).route?;
        Some(format!("{:?} {:?}", route.target.upstream, route.settings.now.load()))
    };
    let paths = hosts
        .iter()
        .flat_map(|host| ["/", "/a", "/abc"].map(|path| (host, path)));
    (
        table.routes(),
        explanations,
        certificates,
        paths.filter_map(inner).collect(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ends_where_a_fresh_start_ends(history in history()) {
        let (lived, lived_troubles, state) = replay(&history);
        let (mut fresh, mut fresh_troubles) = (Compiler::new(), Troubles::default());
        fresh_troubles.read(&apply(&mut fresh, &full(&state)));
        prop_assert_eq!(lived.digest(), fresh.digest());
        prop_assert_eq!(lived_troubles, fresh_troubles);
        prop_assert_eq!(all_answers(&lived), all_answers(&fresh));
        prop_assert_eq!(lived.table().backends().count(), fresh.table().backends().count());
        prop_assert_eq!(lived.table().ingresses().count(), fresh.table().ingresses().count());
    }

    /// The same again is no change: no work, the same table.
    #[test]
    fn a_full_resync_of_what_is_known_does_nothing(history in history()) {
        let (mut lived, _, state) = replay(&history);
        let before = lived.table();
        let applied = apply(&mut lived, &full(&state));
        prop_assert!(std::sync::Arc::ptr_eq(&before, &applied.table));
        prop_assert_eq!(applied.report.compiled, fastingress_route::schema::Compiled::default());
        prop_assert!(applied.report.problems.is_empty() && applied.certificates.is_empty());
    }

    /// Removing everything leaves nothing behind.
    #[test]
    fn an_empty_state_is_empty(history in history()) {
        let (mut lived, mut troubles, _) = replay(&history);
        troubles.read(&apply(&mut lived, &full(&State::new())));
        prop_assert_eq!(lived.digest(), "0".repeat(32));
        prop_assert_eq!(troubles, Troubles::default());
        let table = lived.table();
        prop_assert_eq!(table.routes().len(), 0);
        prop_assert_eq!((table.backends().count(), table.ingresses().count()), (0, 1));
    }
}
