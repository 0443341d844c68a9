//! Decoding and compiling: 1,000 and 10,000 Ingresses at once; one edit among 10,000 hosts, one among 10,000 Ingresses
//! that share a host, and one of endpoints.

#![allow(missing_docs, reason = "criterion's macros write functions without")]

#[path = "../tests/common/mod.rs"]
mod common;

use common::{change, encode, endpoints, put, upsert, with_rules};
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use fastingress_route::schema::{ChangeSet, Fragment, Kind, PathKind};
use fastingress_route::{Compiler, RouteTable};
use std::sync::Arc;

fn own_host(index: usize) -> Fragment {
    let rules = [
        (PathKind::Prefix, "/"),
        (PathKind::Prefix, "/api/v1"),
        (PathKind::Exact, "/cart/checkout"),
    ];
    with_rules(&format!("i{index:05}"), &format!("shop-{index}.example.com"), &rules)
}

fn shared_host(index: usize) -> Fragment {
    let paths = [
        format!("/team-{index}"),
        format!("/team-{index}/api/v1"),
        format!("/team-{index}/cart"),
    ];
    let rules = [
        (PathKind::Prefix, &*paths[0]),
        (PathKind::RawPrefix, &*paths[1]),
        (PathKind::Exact, &*paths[2]),
    ];
    with_rules(&format!("i{index:05}"), "shop.example.com", &rules)
}

/// All of it as bytes, with the endpoints of each rule's Service.
fn everything(count: usize, fragment: fn(usize) -> Fragment) -> Vec<u8> {
    let fragments: Vec<_> = (0..count).map(fragment).collect();
    let services = fragments
        .iter()
        .flat_map(|fragment| fragment.routes.iter().map(|route| &route.target.endpoints));
    let sets = services.map(|key| upsert(Kind::Endpoints, key, &endpoints(&["10.0.0.1:8080", "10.0.0.2:8080"])));
    encode(&ChangeSet {
        full: true,
        ..change(fragments.iter().map(put).chain(sets).collect())
    })
}

fn apply(compiler: &mut Compiler, bytes: &[u8]) -> Arc<RouteTable> {
    let change = ChangeSet::decode(bytes).expect("the change set decodes");
    compiler.apply(&change).expect("the version is right").table
}

fn full(c: &mut Criterion) {
    let mut group = c.benchmark_group("compile");
    group.sample_size(10);
    for count in [1_000, 10_000] {
        for (name, fragment) in [
            ("own hosts", own_host as fn(usize) -> Fragment),
            ("one host", shared_host),
        ] {
            let bytes = everything(count, fragment);
            group.bench_function(BenchmarkId::new(name, count), |b| {
                b.iter_batched(
                    Compiler::new,
                    |mut compiler| (apply(&mut compiler, &bytes), compiler),
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}

fn edit(c: &mut Criterion) {
    let mut group = c.benchmark_group("edit");
    for (name, fragment) in [
        ("own hosts", own_host as fn(usize) -> Fragment),
        ("one host", shared_host),
    ] {
        let mut compiler = Compiler::new();
        apply(&mut compiler, &everything(10_000, fragment));
        // Each differs from what is there: the path of one rule changes from edit to edit, of another Ingress each time.
        let edited = |turn: usize| {
            let mut fragment = fragment(turn * 7919 % 10_000);
            fragment.routes[0].path = format!("{}/edit-{turn}", fragment.routes[0].path.trim_end_matches('/')).into();
            encode(&change(vec![put(&fragment)]))
        };
        let mut turn = 0;
        group.bench_function(BenchmarkId::new(name, 10_000), |b| {
            b.iter_batched(
                || {
                    turn += 1;
                    edited(turn)
                },
                |bytes| apply(&mut compiler, &bytes),
                BatchSize::PerIteration,
            );
        });
        let key = &fragment(17).routes[0].target.endpoints;
        group.bench_function(BenchmarkId::new(format!("endpoints, {name}"), 10_000), |b| {
            b.iter_batched(
                || {
                    turn += 1;
                    let address = format!("10.0.{}.{}:8080", turn / 256 % 256, turn % 256);
                    encode(&change(vec![upsert(Kind::Endpoints, key, &endpoints(&[&address]))]))
                },
                |bytes| apply(&mut compiler, &bytes),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, full, edit);
criterion_main!(benches);
