//! Writes desired states as the control plane would, for the tests and benches of this crate.

#![allow(dead_code, reason = "each test uses a part of it")]

use fastingress_route::schema::{
    ChangeSet, EndpointSet, Fragment, IngressRef, Key, Kind, PathKind, Policy, Problem, Route, Settings, Target,
    Upsert, VERSION,
};
use fastingress_route::{Applied, Compiler, Lookup};
use serde::Serialize;
use std::collections::BTreeMap;

pub type State = BTreeMap<Key, Vec<u8>>;

/// A value as the control plane encodes it.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = rmp_serde::Serializer::new(&mut out)
        .with_struct_map()
        .with_human_readable();
    value.serialize(&mut writer).expect("the value encodes");
    out
}

pub fn key(kind: Kind, name: &str) -> Key {
    Key(kind, name.into())
}

pub fn upsert<T: Serialize>(kind: Kind, name: &str, value: &T) -> Upsert {
    Upsert(kind, name.into(), encode(value))
}

pub fn change(upserts: Vec<Upsert>) -> ChangeSet {
    ChangeSet {
        version: VERSION,
        full: false,
        upserts,
        removals: Vec::new(),
    }
}

pub fn removal(keys: &[Key]) -> ChangeSet {
    ChangeSet {
        removals: keys.to_vec(),
        ..change(Vec::new())
    }
}

/// A state as a change set of everything.
pub fn full(state: &State) -> ChangeSet {
    let upserts = state
        .iter()
        .map(|(key, blob)| Upsert(key.0, key.1.clone(), blob.clone()))
        .collect();
    ChangeSet {
        full: true,
        ..change(upserts)
    }
}

/// A fragment without rules; its Ingress is `default/NAME`, and names sort by age.
pub fn fragment(name: &str, host: &str) -> Fragment {
    Fragment {
        host: host.into(),
        ingress: IngressRef {
            namespace: "default".into(),
            name: name.into(),
            uid: name.into(),
        },
        age: name.into(),
        scope: "process".into(),
        weak: false,
        certificate: None,
        client_auth: None,
        passthrough: None,
        policy: Policy::default(),
        regex_host: false,
        routes: Vec::new(),
        default_backend: None,
    }
}

/// A fragment with rules; each leads to a service of the same name as the Ingress.
pub fn with_rules(name: &str, host: &str, rules: &[(PathKind, &str)]) -> Fragment {
    let rule = |(index, (kind, path)): (usize, &(PathKind, &str))| Route {
        path: (*path).into(),
        kind: *kind,
        rule: (0, u16::try_from(index).expect("few rules")),
        target: target(&format!("default/{name}-{index}:80")),
    };
    Fragment {
        routes: rules.iter().enumerate().map(rule).collect(),
        ..fragment(name, host)
    }
}

pub fn target(service: &str) -> Target {
    Target {
        service: service.into(),
        endpoints: service.into(),
        upstream: "".into(),
    }
}

pub fn endpoints(addresses: &[&str]) -> EndpointSet {
    EndpointSet {
        known: true,
        addresses: addresses.iter().map(|&text| text.into()).collect(),
        dns: None,
        protocol: None,
    }
}

pub fn put(fragment: &Fragment) -> Upsert {
    upsert(Kind::Fragment, &fragment_key(fragment), fragment)
}

pub fn fragment_key(fragment: &Fragment) -> String {
    format!("{}/{}", fragment.host, fragment.ingress.uid)
}

pub fn settings(settings: &Settings) -> Upsert {
    upsert(Kind::Settings, "process", settings)
}

/// A compiler with these fragments, under these settings of the process.
pub fn compiled(process: &Settings, fragments: &[Fragment]) -> Compiler {
    let mut compiler = Compiler::new();
    let upserts = fragments.iter().map(put).chain([settings(process)]).collect();
    apply(&mut compiler, &change(upserts));
    compiler
}

pub fn apply(compiler: &mut Compiler, change: &ChangeSet) -> Applied {
    let applied = compiler.apply(change).expect("the version is right");
    compiler.check_invariants();
    applied
}

/// `ingress/rule` of what takes a request, `ingress/default`, or `404`.
pub fn answer(compiler: &Compiler, host: &str, path: &str) -> String {
    describe(compiler.table().lookup(host.as_bytes(), path.as_bytes()))
}

pub fn describe(lookup: Lookup<'_>) -> String {
    let Some(route) = lookup.route else {
        return "404".to_owned();
    };
    let name = &route.ingress.of.name;
    route
        .rule
        .map_or_else(|| format!("{name}/default"), |(_, path)| format!("{name}/{path}"))
}

/// What is wrong, by scope, as a reader of the reports keeps it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Troubles(pub BTreeMap<Box<str>, Vec<Problem>>);

impl Troubles {
    pub fn read(&mut self, applied: &Applied) {
        for (scope, problems) in &applied.report.problems {
            if problems.is_empty() {
                self.0.remove(scope);
            } else {
                self.0.insert(scope.clone(), problems.clone());
            }
        }
    }

    /// Scope, code and the name of the Ingress of each, sorted.
    pub fn brief(&self) -> Vec<(String, String, String)> {
        let brief = |scope: &str, problem: &Problem| {
            let name = problem.ingress.as_ref().map_or("", |of| &of.name);
            (scope.to_owned(), problem.code.to_string(), name.to_owned())
        };
        let all = self
            .0
            .iter()
            .flat_map(|(scope, problems)| problems.iter().map(move |problem| brief(scope, problem)));
        let mut all: Vec<_> = all.collect();
        all.sort();
        all
    }
}
