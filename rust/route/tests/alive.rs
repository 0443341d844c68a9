//! Tables are counted while they live. In a file of its own, since the count is the process's.

mod common;

use common::{change, put, with_rules};
use fastingress_route::schema::PathKind;
use fastingress_route::{Compiler, RouteTable};
use std::sync::Arc;

#[test]
fn a_table_is_alive_until_its_last_holder_drops_it_and_a_route_pins_none() {
    let mut compiler = Compiler::new();
    assert_eq!(RouteTable::alive(), 1);
    let mut apply = |path: &str| {
        let fragment = with_rules("a", "x", &[(PathKind::Prefix, path)]);
        compiler
            .apply(&change(vec![put(&fragment)]))
            .expect("the version is right")
            .table
    };
    let first = apply("/");
    let route = Arc::clone(first.lookup(b"x", b"/").route.expect("a route"));
    let second = apply("/b");
    assert_eq!(RouteTable::alive(), 2);
    drop(first);
    assert_eq!(
        RouteTable::alive(),
        1,
        "a request that holds a route does not hold its table"
    );
    drop(second);
    assert_eq!(&*route.path, "/");
    drop(compiler);
    assert_eq!(RouteTable::alive(), 0);
}
