//! The data path alone, without Python, for profilers: one route to one backend.
//!
//! `cargo run --release -p fastingress-proxy --example serve -- 8080 127.0.0.1:9000` serves for an hour, with a third argument
//! over TLS as well.

use fastingress_proxy::Gateway;
use fastingress_proxy::options::{LogFormat, Options};
use fastingress_route::schema::{
    ChangeSet, EndpointSet, Fragment, IngressRef, Kind, PathKind, Policy, Route, Target, Upsert, VERSION,
};
use std::net::Ipv4Addr;
use std::time::Duration;

/// As in the extension.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ENDPOINTS: &str = "default/web:80";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(port), Some(backend)) = (arguments.next(), arguments.next()) else {
        return Err("usage: serve PORT BACKEND [TLS PORT]".into());
    };
    let options = Options {
        http_port: Some(port.parse()?),
        https_port: arguments.next().map(|port| port.parse()).transpose()?,
        admin_port: None,
        bind: vec![Ipv4Addr::LOCALHOST.into()],
        workers: 1,
        access_log: LogFormat::Off,
        ..Options::default()
    };
    let gateway = Gateway::bind(options)?;
    gateway.apply(&rmp_serde::to_vec_named(&change_set(&backend)?)?)?;
    gateway.serve()?;
    std::thread::sleep(Duration::from_secs(3600));
    Ok(())
}

fn change_set(backend: &str) -> Result<ChangeSet, rmp_serde::encode::Error> {
    let endpoints = EndpointSet {
        known: true,
        addresses: vec![backend.into()],
        dns: None,
        protocol: None,
    };
    let fragment = Fragment {
        host: "".into(),
        ingress: IngressRef {
            namespace: "default".into(),
            name: "web".into(),
            uid: "1".into(),
        },
        age: "1".into(),
        scope: "process".into(),
        weak: false,
        certificate: None,
        client_auth: None,
        passthrough: None,
        policy: Policy {
            body_limit: Some(0),
            ..Policy::default()
        },
        regex_host: false,
        routes: vec![Route {
            path: "/".into(),
            kind: PathKind::Prefix,
            rule: (0, 0),
            target: Target {
                service: ENDPOINTS.into(),
                endpoints: ENDPOINTS.into(),
                upstream: "".into(),
            },
        }],
        default_backend: None,
    };
    let upserts = vec![
        Upsert(Kind::Endpoints, ENDPOINTS.into(), rmp_serde::to_vec_named(&endpoints)?),
        Upsert(Kind::Fragment, "/1".into(), rmp_serde::to_vec_named(&fragment)?),
    ];
    Ok(ChangeSet {
        version: VERSION,
        full: true,
        upserts,
        removals: Vec::new(),
    })
}
