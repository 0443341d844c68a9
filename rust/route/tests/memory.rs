//! How much memory a route takes, counted by the allocator.

mod common;

use common::{apply, change, endpoints, put, upsert, with_rules};
use fastingress_route::Compiler;
use fastingress_route::schema::{Fragment, Kind, PathKind, Policy};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that are allocated now. The allocator's own overhead is not among them.
static HELD: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: it only counts, and leaves the work to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Fragments come in hundreds, so that what the last table shares with the one before is counted once.
fn bytes_per_route(fragment: impl Fn(usize) -> Fragment) -> usize {
    const HUNDREDS: usize = 50;
    let mut compiler = Compiler::new();
    let before = HELD.load(Ordering::Relaxed);
    let mut routes = 0;
    for hundred in 0..HUNDREDS {
        let fragments: Vec<Fragment> = (0..100).map(|index| fragment(hundred * 100 + index)).collect();
        let all = || fragments.iter().flat_map(|fragment| &fragment.routes);
        routes += all().count();
        let sets = all().map(|route| {
            upsert(
                Kind::Endpoints,
                &route.target.endpoints,
                &endpoints(&["10.0.0.1:8080", "10.0.0.2:8080"]),
            )
        });
        compiler
            .apply(&change(sets.chain(fragments.iter().map(put)).collect()))
            .expect("the version is right");
    }
    let held = HELD.load(Ordering::Relaxed) - before;
    apply(&mut compiler, &change(Vec::new()));
    held / routes
}

/// One test, so that no other one allocates at the same time.
#[test]
fn a_route_takes_less_than_a_kibibyte() {
    let three = [
        (PathKind::Prefix, "/"),
        (PathKind::Prefix, "/api/v1"),
        (PathKind::Exact, "/cart/checkout"),
    ];
    let policy = Policy {
        app_root: Some("/app".into()),
        ..Policy::default()
    };

    // Three rules and a host of its own, as most Ingresses.
    let own_hosts = bytes_per_route(|index| {
        let mut fragment = with_rules(
            &format!("shop-number-{index}"),
            &format!("shop-{index}.example.com"),
            &three,
        );
        fragment.policy = policy.clone();
        fragment
            .routes
            .iter_mut()
            .for_each(|route| route.target = common::target(&format!("default/web-{index}:80")));
        fragment
    });
    assert!(
        own_hosts < 1024,
        "{own_hosts} bytes per route with three rules per host"
    );

    // All of one host.
    let one_host = bytes_per_route(|index| {
        let paths = [
            format!("/t{index}"),
            format!("/t{index}/api/v1"),
            format!("/t{index}/cart"),
        ];
        let rules = [
            (PathKind::Prefix, &*paths[0]),
            (PathKind::RawPrefix, &*paths[1]),
            (PathKind::Exact, &*paths[2]),
        ];
        let mut fragment = with_rules(&format!("shop-number-{index}"), "shop.example.com", &rules);
        fragment
            .routes
            .iter_mut()
            .for_each(|route| route.target = common::target(&format!("default/web-{index}:80")));
        fragment
    });
    assert!(one_host < 1024, "{one_host} bytes per route with all rules on one host");
}
