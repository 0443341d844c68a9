//! Once a worker is warm, putting a request through the filters and taking a connection from the pool allocate nothing.

use fastingress_http1::{Head, Limits, hop, request};
use fastingress_proxy::Budget;
use fastingress_proxy::conn::ConnInfo;
use fastingress_proxy::filters::{self, Exchange, Verdict};
use fastingress_proxy::tls::Certificates;
use fastingress_proxy::upstream::{PoolConfig, Tried, UpstreamShared, Upstreams};
use fastingress_route::schema::{
    Balance, ChangeSet, EndpointSet, Fragment, HeaderEdits, IngressRef, Key, Kind, PathKind, Policy, Settings, Target,
    Upsert, VERSION,
};
use fastingress_route::{Compiler, Route, RouteTable, schema};
use serde::Serialize;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

/// The system allocator, counting the calls of each thread.
struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes on to the system allocator as it came; counting touches nothing but a thread-local number
// that needs neither allocation nor destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Runs it until it is warm, then counts.
fn calls(mut run: impl FnMut()) -> usize {
    (0..100).for_each(|_| run());
    let before = CALLS.get();
    (0..100).for_each(|_| run());
    CALLS.get() - before
}

fn upsert(kind: Kind, name: &str, value: &impl Serialize) -> Upsert {
    let mut blob = Vec::new();
    // Networks travel as text, as Python sends them.
    let mut serializer = rmp_serde::Serializer::new(&mut blob)
        .with_struct_map()
        .with_human_readable();
    value.serialize(&mut serializer).expect("encodes");
    Upsert(kind, name.into(), blob)
}

/// A table with one route of this policy to this endpoint.
fn table(policy: Policy, endpoint: &str) -> Arc<RouteTable> {
    let target = Target {
        service: "web".into(),
        endpoints: "default/web:80".into(),
        upstream: "".into(),
    };
    let fragment = Fragment {
        host: "shop.example".into(),
        ingress: IngressRef {
            namespace: "default".into(),
            name: "shop".into(),
            uid: "1".into(),
        },
        age: "1".into(),
        scope: "process".into(),
        weak: false,
        certificate: None,
        client_auth: None,
        passthrough: None,
        policy,
        regex_host: false,
        routes: vec![schema::Route {
            path: "/".into(),
            kind: PathKind::Prefix,
            rule: (0, 0),
            target,
        }],
        default_backend: None,
    };
    let endpoints = EndpointSet {
        known: true,
        addresses: vec![endpoint.into()],
        dns: None,
        protocol: None,
    };
    let settings = Settings {
        trusted_proxies: vec!["10.0.0.0/8".parse().expect("a network")],
        ..Settings::default()
    };
    let upserts = vec![
        upsert(Kind::Settings, "process", &settings),
        upsert(Kind::Endpoints, "default/web:80", &endpoints),
        upsert(Kind::Fragment, "shop.example/1", &fragment),
    ];
    let change = ChangeSet {
        version: VERSION,
        full: true,
        upserts,
        removals: Vec::<Key>::new(),
    };
    let applied = Compiler::new().apply(&change).expect("applies");
    assert!(
        applied.report.problems.iter().all(|(_, problems)| problems.is_empty()),
        "{:?}",
        applied.report
    );
    applied.table
}

fn route(table: &RouteTable) -> Arc<Route> {
    table.lookup(b"shop.example", b"/cart").route.expect("a route").clone()
}

const REQUEST: &[u8] = b"GET /cart?id=1 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: test\r\nAccept: */*\r\n\
    X-Forwarded-For: 203.0.113.9, 10.0.0.3\r\nX-Forwarded-Host: a.example\r\nX-Custom: 1\r\nCookie: a=b\r\n\r\n";

/// Calls to the allocator for requests that go through all filters.
fn filtering(policy: Policy) -> usize {
    let table = table(policy, "192.0.2.1:80");
    let route = route(&table);
    let settings = route.settings.now.load_full();
    let conn = ConnInfo {
        peer: "10.0.0.2:4000".parse().expect("an address"),
        port: 8080,
        tls: None,
        forwarded_port: 80,
        https_before: false,
    };
    let (mut head, mut scratch) = (Head::new(), Vec::new());
    calls(|| {
        let parsed = request::parse(REQUEST, &Limits::default(), &mut head).expect("a request in order");
        hop::strip_hop_by_hop(&mut head, parsed.upgrade);
        let (client, https) = filters::client_of(&head, &conn, &settings);
        let exchange = Exchange {
            conn: &conn,
            route: &route,
            settings: &settings,
            host_has_certificate: false,
            admission: None,
            path: b"/cart",
            content_length: None,
            client,
            https,
        };
        assert_eq!(
            filters::on_request(&mut head, &exchange, &mut scratch),
            Verdict::Continue
        );
        filters::on_response(&mut head, &route);
    })
}

#[test]
fn a_request_that_goes_through_the_filters_allocates_nothing() {
    assert_eq!(filtering(Policy::default()), 0);
    let edits = HeaderEdits {
        remove: vec!["cookie".into()],
        set: vec![("x-set".into(), "1".into())],
        add: vec![("x-add".into(), "2".into())],
    };
    let policy = Policy {
        rewrite: Some("/new?from=shop".into()),
        allow: vec!["203.0.113.0/24".parse().expect("a network")],
        deny: vec!["198.51.100.0/24".parse().expect("a network")],
        upstream_vhost: Some("inner.example".into()),
        x_forwarded_prefix: Some("/shop".into()),
        request_headers: edits.clone(),
        response_headers: edits,
        ..Policy::default()
    };
    assert_eq!(filtering(policy), 0);
}

#[tokio::test]
async fn a_connection_that_is_used_again_allocates_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let table = table(
        Policy::default(),
        &listener.local_addr().expect("an address").to_string(),
    );
    let cell = route(&table).target.backend.clone().expect("a backend");
    let upstreams = Upstreams::new(
        UpstreamShared::new(Arc::default(), Certificates::new().unwrap()),
        PoolConfig::default(),
        Budget::new(usize::MAX),
    );
    let choice = upstreams
        .choose(&cell, Balance::RoundRobin, &Tried::default())
        .expect("an endpoint");
    let connection = upstreams
        .connect(&choice, Duration::from_secs(20))
        .await
        .expect("it listens");
    upstreams.checkin(connection);
    for balance in [Balance::RoundRobin, Balance::LeastRequests] {
        let allocated = calls(|| {
            let mut tried = Tried::default();
            let choice = upstreams.choose(&cell, balance, &tried).expect("an endpoint");
            tried.add(&choice);
            let connection = upstreams.checkout(&choice, true).expect("one is idle");
            upstreams.checkin(connection);
            upstreams.succeeded(&choice);
            upstreams.sweep(tokio::time::Instant::now());
        });
        assert_eq!(allocated, 0, "{balance:?}");
    }
}
