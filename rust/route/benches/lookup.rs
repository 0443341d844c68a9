//! A lookup among 1, 10,000 and 100,000 hosts with three paths each: the same host again and again, and hosts picked
//! uniformly at random. `touched` also reads the route, as a request does.

#![allow(missing_docs, reason = "criterion's macros write functions without")]

#[path = "../tests/common/mod.rs"]
mod common;

use common::{compiled, with_rules};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use fastingress_route::RouteTable;
use fastingress_route::schema::{PathKind, Settings};
use std::hint::black_box;
use std::sync::Arc;

const ASKED: usize = 1 << 18;

fn hosts(count: usize) -> Vec<String> {
    (0..count)
        .map(|index| format!("shop-{index}.team-{}.example.com", index % 97))
        .collect()
}

fn table(hosts: &[String]) -> Arc<RouteTable> {
    let rules = [
        (PathKind::Prefix, "/"),
        (PathKind::Prefix, "/api/v1"),
        (PathKind::Exact, "/cart/checkout"),
    ];
    let fragments: Vec<_> = hosts
        .iter()
        .enumerate()
        .map(|(index, host)| with_rules(&format!("i{index}"), host, &rules))
        .collect();
    compiled(&Settings::default(), &fragments).table()
}

/// Numbers that look random, the same at each run.
fn numbers() -> impl Iterator<Item = usize> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    })
}

fn lookup(c: &mut Criterion) {
    for count in [1, 10_000, 100_000] {
        let hosts = hosts(count);
        let table = table(&hosts);
        // One piece of memory, so that the name asked for is not itself a cache miss.
        let asked: Vec<([u8; 48], usize)> = numbers()
            .take(ASKED)
            .map(|number| name(&hosts[number % count]))
            .collect();
        let paths: [&[u8]; 4] = [b"/api/v1/items/17", b"/cart/checkout", b"/index.html", b"/api"];
        let mut group = c.benchmark_group("lookup");
        group.bench_function(BenchmarkId::new("hot", count), |b| {
            let (host, length) = asked[0];
            b.iter(|| black_box(table.lookup(black_box(&host[..length]), black_box(paths[0])).route));
        });
        let mut at = 0;
        let mut next = || {
            at = (at + 1) % ASKED;
            (&asked[at].0[..asked[at].1], paths[at % 4])
        };
        group.bench_function(BenchmarkId::new("random", count), |b| {
            b.iter(|| {
                let (host, path) = next();
                black_box(table.lookup(host, path).route)
            });
        });
        group.bench_function(BenchmarkId::new("random, touched", count), |b| {
            b.iter(|| {
                let (host, path) = next();
                black_box(table.lookup(host, path).route.map(|route| route.rule))
            });
        });
        group.finish();
    }
}

fn name(host: &str) -> ([u8; 48], usize) {
    let mut bytes = [0; 48];
    bytes[..host.len()].copy_from_slice(host.as_bytes());
    (bytes, host.len())
}

fn many_paths(c: &mut Criterion) {
    let paths: Vec<String> = (0..30_000)
        .map(|index| format!("/team-{}/service-{index}", index % 100))
        .collect();
    let rules: Vec<_> = paths.iter().map(|path| (PathKind::Prefix, path.as_str())).collect();
    let compiler = compiled(&Settings::default(), &[with_rules("i", "shop.example.com", &rules)]);
    let table = compiler.table();
    let asked: Vec<String> = numbers()
        .take(ASKED)
        .map(|number| format!("{}/x/y", paths[number % 30_000]))
        .collect();
    let mut at = 0;
    c.bench_function("lookup/30,000 paths of one host, random", |b| {
        b.iter(|| {
            at = (at + 1) % ASKED;
            black_box(table.lookup(b"shop.example.com", asked[at].as_bytes()).route)
        });
    });
}

criterion_group!(benches, lookup, many_paths);
criterion_main!(benches);
