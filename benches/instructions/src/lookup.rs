//! Which route takes a host and a path.

use crate::common::{change, put, settings, with_rules};
use fastingress_route::schema::{PathKind, Settings};
use fastingress_route::{Compiler, RouteTable};
use std::hint::black_box;
use std::sync::Arc;

const PATHS: [&[u8]; 4] = [b"/api/v1/items/17", b"/cart/checkout", b"/index.html", b"/api"];

/// In a table of one host with three paths.
pub(crate) fn one_host(times: usize) {
    among(1, times);
}

/// In a table of 10,000 hosts with three paths each, uniformly at random.
pub(crate) fn many_hosts(times: usize) {
    among(10_000, times);
}

fn among(count: usize, times: usize) {
    let hosts: Vec<String> = (0..count)
        .map(|index| format!("shop-{index}.team-{}.example.com", index % 97))
        .collect();
    let table = table(&hosts);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for at in 0..times {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let host = &hosts[(state >> 33) as usize % count];
        black_box(table.lookup(black_box(host.as_bytes()), PATHS[at % PATHS.len()]).route);
    }
}

/// Three paths on each host.
pub(crate) fn table(hosts: &[String]) -> Arc<RouteTable> {
    let rules = [
        (PathKind::Prefix, "/"),
        (PathKind::Prefix, "/api/v1"),
        (PathKind::Exact, "/cart/checkout"),
    ];
    let fragments = hosts
        .iter()
        .enumerate()
        .map(|(index, host)| put(&with_rules(&format!("i{index}"), host, &rules)));
    let everything = change(fragments.chain([settings(&Settings::default())]).collect());
    let mut compiler = Compiler::new();
    let applied = compiler.apply(&everything);
    applied.expect("the version is right").table
}
