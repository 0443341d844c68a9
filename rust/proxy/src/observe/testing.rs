//! Records and routes for the tests of this module.

use crate::conn::ConnInfo;
use crate::record::Record;
use arc_swap::ArcSwap;
use fastingress_http1::Head;
use fastingress_route::schema::{IngressRef, PathKind, Policy, Settings, Upstream};
use fastingress_route::{Ingress, Route, SettingsCell, Target};
use std::sync::Arc;
use std::time::Instant;

pub fn ingress(name: &str, slot: u32) -> Arc<Ingress> {
    let of = IngressRef {
        namespace: "shop".into(),
        name: name.into(),
        uid: name.into(),
    };
    Arc::new(Ingress { of, slot })
}

/// A route of `rules[1].http.paths[2]`, to `shop/web:80`.
pub fn route(ingress: &Arc<Ingress>) -> Arc<Route> {
    let now = ArcSwap::from_pointee(Settings::default());
    Arc::new(Route {
        ingress: ingress.clone(),
        host: "shop.example.com".into(),
        path: "/".into(),
        kind: PathKind::Prefix,
        rule: Some((1, 2)),
        pattern: None,
        target: Target {
            service: "shop/web:80".into(),
            backend: None,
            upstream: Arc::new(Upstream::default()),
        },
        policy: Arc::new(Policy::default()),
        settings: Arc::new(SettingsCell {
            scope: "process".into(),
            now,
        }),
    })
}

/// A request that was answered with `status` in 2 ms.
pub fn record(route: Option<Arc<Route>>, status: u16) -> Record {
    let address = "192.0.2.1:40000".parse().unwrap();
    let conn = ConnInfo {
        peer: address,
        port: 80,
        tls: None,
        forwarded_port: 80,
        https_before: false,
    };
    let mut record = Record::new(Instant::now(), &conn, "HTTP/1.1");
    record.route = route;
    record.status = status;
    record.bytes_in = 100;
    record.bytes_out = 1_000;
    record.duration_us = 2_000;
    record
}

pub fn head(target: &[u8]) -> Head {
    let mut head = Head::new();
    head.set_method(b"GET");
    head.set_authority(b"shop.example.com:80");
    head.set_target(target);
    head.append(b"User-Agent", b"test/1");
    head.append(b"X-Request-ID", b"0123");
    head
}
