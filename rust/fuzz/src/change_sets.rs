//! What must hold for change sets: bytes are applied or refused and the compiler stays sound, and a table that many changes
//! led to equals one that is built at once from the same desired state.

use fastingress_route::schema::{ChangeSet, Key, Kind, Problem, Report, Upsert, VERSION};
use fastingress_route::{Compiler, RouteTable};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The most change sets of one input, and the most values of each.
const CHANGES: usize = 8;
const VALUES: usize = 64;

/// The desired state as Python keeps it.
type State = BTreeMap<(Kind, Box<str>), Vec<u8>>;

/// What is wrong, by scope.
type Problems = BTreeMap<Box<str>, Vec<Problem>>;

/// Applies `bytes`: JSON documents of the shape of the golden files, one change set each, or a change set as it crosses the boundary.
pub fn check(bytes: &[u8]) {
    match bytes.first() {
        Some(b'{') => check_changes(&documents(bytes)),
        _ => {
            let decoded = ChangeSet::decode(bytes);
            check_changes(&decoded.into_iter().collect::<Vec<_>>());
        }
    }
}

fn check_changes(changes: &[ChangeSet]) {
    let mut compiler = Compiler::new();
    let (mut state, mut problems) = (State::new(), Problems::new());
    for change in changes {
        follow(change, &mut state);
        let Ok(applied) = compiler.apply(change) else { return };
        compiler.check_invariants();
        note(&applied.report, &mut problems);
    }
    if changes.is_empty() {
        return;
    }

    let at_once = whole(&state);
    let mut fresh = Compiler::new();
    let applied = fresh.apply(&at_once).expect("the version is ours");
    fresh.check_invariants();
    assert_eq!(compiler.digest(), fresh.digest());
    let mut fresh_problems = Problems::new();
    note(&applied.report, &mut fresh_problems);
    assert_eq!(problems, fresh_problems, "problems depend on how the state came about");
    same_table(&compiler.table(), &fresh.table());

    let generation = compiler.table().generation();
    compiler.apply(&at_once).expect("the version is ours");
    assert_eq!(compiler.table().generation(), generation, "the same state is no change");
}

/// What a change does to the desired state.
fn follow(change: &ChangeSet, state: &mut State) {
    for Upsert(kind, key, blob) in &change.upserts {
        state.insert((*kind, key.clone()), blob.clone());
    }
    if change.full {
        let kept = |kind: Kind, name: &str| {
            change
                .upserts
                .iter()
                .any(|upsert| upsert.0 == kind && *upsert.1 == *name)
        };
        state.retain(|(kind, name), _| kept(*kind, name));
    }
    for Key(kind, name) in &change.removals {
        state.remove(&(*kind, name.clone()));
    }
}

fn whole(state: &State) -> ChangeSet {
    let upserts = state
        .iter()
        .map(|((kind, name), blob)| Upsert(*kind, name.clone(), blob.clone()))
        .collect();
    ChangeSet {
        version: VERSION,
        full: true,
        upserts,
        removals: Vec::new(),
    }
}

fn note(report: &Report, problems: &mut Problems) {
    for (scope, now) in &report.problems {
        match now.is_empty() {
            true => problems.remove(scope),
            false => problems.insert(scope.clone(), now.clone()),
        };
    }
}

/// Both tables list the same routes and send the same requests to the same places.
fn same_table(one: &RouteTable, other: &RouteTable) {
    let routes = one.routes();
    assert_eq!(
        json(&routes),
        json(&other.routes()),
        "routes depend on how the state came about"
    );
    for route in routes.iter().take(VALUES) {
        let host = route.host.replacen('*', "any", 1);
        for path in [&*route.path, "/", "/x"] {
            let _ = one.lookup(host.as_bytes(), path.as_bytes());
            let (one, other) = (
                one.explain(&host, path.as_bytes()),
                other.explain(&host, path.as_bytes()),
            );
            assert_eq!(json(&one), json(&other));
        }
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("views can be serialised")
}

/// A change set whose values are still to be encoded.
#[derive(Deserialize)]
struct Document {
    version: u32,
    #[serde(default)]
    full: bool,
    #[serde(default)]
    upserts: Vec<(Kind, Box<str>, serde_json::Value)>,
    #[serde(default)]
    removals: Vec<Key>,
}

fn documents(bytes: &[u8]) -> Vec<ChangeSet> {
    let all = serde_json::Deserializer::from_slice(bytes).into_iter::<Document>();
    all.take(CHANGES).map_while(Result::ok).map(encode).collect()
}

fn encode(document: Document) -> ChangeSet {
    let upserts = document.upserts.into_iter().take(VALUES);
    let upserts = upserts.map(|(kind, name, value)| {
        Upsert(
            kind,
            name,
            rmp_serde::to_vec_named(&value).expect("any JSON value can be encoded"),
        )
    });
    ChangeSet {
        version: document.version,
        full: document.full,
        upserts: upserts.collect(),
        removals: document.removals,
    }
}
