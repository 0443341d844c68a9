//! What is routed without looking inside: TLS connections that pass through, and TCP and UDP services.

mod common;

use common::{Troubles, apply, change, endpoints, fragment, key, put, removal, target, upsert, with_rules};
use fastingress_route::schema::{self, Fragment, Kind, PathKind};
use fastingress_route::{Compiler, Layer, RouteTable};

fn passing(name: &str, host: &str) -> Fragment {
    Fragment {
        passthrough: Some(target(&format!("default/{name}:443"))),
        ..fragment(name, host)
    }
}

fn terminating(name: &str, host: &str) -> Fragment {
    Fragment {
        certificate: Some(format!("default/{name}").into()),
        ..fragment(name, host)
    }
}

fn service_of(table: &RouteTable, name: &str) -> String {
    table
        .passthrough(name.as_bytes())
        .map_or_else(|| "terminated".to_owned(), |route| route.target.service.to_string())
}

#[test]
fn a_name_passes_through_as_its_host_says_then_as_the_wildcard_does() {
    let mut compiler = Compiler::new();
    assert!(!compiler.table().has_passthrough());
    let all = [
        passing("a", "shop.example.com"),
        passing("b", "*.example.com"),
        terminating("c", "own.example.com"),
        fragment("d", "plain.example.com"),
    ];
    apply(&mut compiler, &change(all.iter().map(put).collect()));
    let table = compiler.table();
    assert!(table.has_passthrough());
    for (name, service) in [
        ("shop.example.com", "default/a:443"),
        ("SHOP.example.com.", "default/a:443"),
        ("other.example.com", "default/b:443"),
        ("plain.example.com", "default/b:443"),
        ("own.example.com", "terminated"),
        ("a.b.example.com", "terminated"),
        ("example.com", "terminated"),
        ("", "terminated"),
    ] {
        assert_eq!(service_of(&table, name), service, "{name}");
    }
    assert!(
        table.lookup(b"shop.example.com", b"/").host_has_certificate,
        "plain requests are redirected"
    );
    assert_eq!(table.passthroughs().count(), 2);
    apply(
        &mut compiler,
        &removal(&[
            key(Kind::Fragment, "shop.example.com/a"),
            key(Kind::Fragment, "*.example.com/b"),
        ]),
    );
    assert!(!compiler.table().has_passthrough());
}

#[test]
fn routes_and_explanations_tell_what_holds_for_connections_to_the_host() {
    let auth = schema::ClientAuth {
        authority: "default/clients".into(),
        verify: schema::VerifyClient::Optional,
        depth: 2,
        match_cn: None,
        error_page: None,
        pass_certificate: true,
    };
    let mut compiler = Compiler::new();
    let asking = Fragment {
        client_auth: Some(auth.clone()),
        ..with_rules("a", "asks.example.com", &[(PathKind::Prefix, "/")])
    };
    let passing = Fragment {
        passthrough: Some(target("default/raw:443")),
        ..with_rules("b", "*.example.com", &[(PathKind::Prefix, "/")])
    };
    let all = [
        asking,
        passing,
        with_rules("c", "plain.example.net", &[(PathKind::Prefix, "/")]),
    ];
    apply(&mut compiler, &change(all.iter().map(put).collect()));
    let table = compiler.table();
    let shown: Vec<(Box<str>, Vec<String>)> = table
        .routes()
        .into_iter()
        .map(|route| {
            let policy = route.policy.iter().map(|(name, value)| format!("{name}={value}"));
            (route.host, policy.collect())
        })
        .collect();
    let asked = [
        "auth-tls-pass-certificate-to-upstream=true",
        "auth-tls-secret=default/clients",
        "auth-tls-verify-client=optional",
        "auth-tls-verify-depth=2",
    ];
    assert_eq!(
        shown,
        [
            ("*.example.com".into(), vec!["ssl-passthrough=true".to_owned()]),
            ("asks.example.com".into(), asked.map(str::to_owned).to_vec()),
            ("plain.example.net".into(), Vec::new()),
        ]
    );
    for (host, passes_to, asks) in [
        ("other.example.com", Some("default/raw:443"), None),
        // It has no certificate of its own.
        ("asks.example.com", Some("default/raw:443"), Some(&auth)),
        ("plain.example.net", None, None),
    ] {
        let explanation = table.explain(host, b"/");
        let service = explanation.passthrough.as_ref().map(|view| &*view.service);
        assert_eq!((service, explanation.client_auth.as_ref()), (passes_to, asks), "{host}");
    }
}

#[test]
fn the_oldest_decides_whether_tls_is_opened_and_the_others_are_told() {
    let host = "shop.example.com";
    for (first, second, service, told) in [
        (passing("a", host), terminating("b", host), "default/a:443", true),
        (terminating("a", host), passing("b", host), "terminated", true),
        (passing("a", host), passing("b", host), "default/a:443", true),
        (fragment("a", host), passing("b", host), "default/b:443", false),
    ] {
        let mut compiler = Compiler::new();
        let mut troubles = Troubles::default();
        troubles.read(&apply(&mut compiler, &change(vec![put(&second), put(&first)])));
        assert_eq!(service_of(&compiler.table(), host), service);
        let brief = (format!("host:{host}"), "ConflictLost".to_owned(), "b".to_owned());
        assert_eq!(troubles.brief(), if told { vec![brief] } else { vec![] });
        troubles.read(&apply(
            &mut compiler,
            &removal(&[key(Kind::Fragment, &format!("{host}/a"))]),
        ));
        assert_eq!(troubles.brief(), []);
    }
}

#[test]
fn one_ingress_may_name_a_certificate_beside_its_pass_through() {
    let both = Fragment {
        certificate: Some("default/a".into()),
        ..passing("a", "shop.example.com")
    };
    let mut compiler = Compiler::new();
    let mut troubles = Troubles::default();
    troubles.read(&apply(&mut compiler, &change(vec![put(&both)])));
    assert_eq!(service_of(&compiler.table(), "shop.example.com"), "default/a:443");
    assert_eq!(troubles.brief(), []);
}

fn stream(service: &str) -> schema::Stream {
    schema::Stream {
        target: target(service),
        accept_proxy: true,
        send_proxy: 1,
        idle_timeout_ms: 1000,
        origin: "--tcp".into(),
    }
}

#[test]
fn a_service_has_a_port_and_the_cell_of_its_backend() {
    let mut compiler = Compiler::new();
    let applied = apply(
        &mut compiler,
        &change(vec![
            upsert(Kind::Endpoints, "db/pg:5432", &endpoints(&["10.0.0.1:5432"])),
            upsert(Kind::Stream, "tcp/9000", &stream("db/pg:5432")),
        ]),
    );
    let [(name, Some(made))] = &applied.streams[..] else {
        panic!("{:?}", applied.streams)
    };
    assert_eq!((&**name, made.layer, made.port), ("tcp/9000", Layer::Tcp, 9000));
    let cell = made.route.target.backend.as_ref().expect("a cell");
    assert_eq!(cell.endpoints.load().list.len(), 1);
    apply(
        &mut compiler,
        &change(vec![upsert(
            Kind::Endpoints,
            "db/pg:5432",
            &endpoints(&["10.0.0.2:5432", "10.0.0.3:5432"]),
        )]),
    );
    assert_eq!(cell.endpoints.load().list.len(), 2, "the cell is filled in place");

    let applied = apply(
        &mut compiler,
        &change(vec![upsert(Kind::Stream, "tcp/9000", &stream("db/other:1"))]),
    );
    assert_eq!(applied.streams.len(), 1);
    let applied = apply(&mut compiler, &removal(&[key(Kind::Stream, "tcp/9000")]));
    assert!(matches!(&applied.streams[..], [(_, None)]));
}

#[test]
fn an_upstream_policy_that_comes_later_is_put_into_its_services() {
    let mut compiler = Compiler::new();
    let mut value = stream("db/pg:5432");
    value.target.upstream = "h".into();
    apply(&mut compiler, &change(vec![upsert(Kind::Stream, "udp/53", &value)]));
    let policy = schema::Upstream {
        connect_timeout_ms: Some(7),
        ..schema::Upstream::default()
    };
    let applied = apply(&mut compiler, &change(vec![upsert(Kind::Upstream, "h", &policy)]));
    let [(_, Some(made))] = &applied.streams[..] else {
        panic!("{:?}", applied.streams)
    };
    assert_eq!(made.route.target.upstream.connect_timeout_ms, Some(7));
}

#[test]
fn a_key_or_version_that_makes_no_sense_is_a_problem_and_no_service() {
    for name in ["tcp/0", "tcp/65536", "sctp/1", "tcp", "tcp/x", "9000"] {
        let mut compiler = Compiler::new();
        let mut troubles = Troubles::default();
        let applied = apply(
            &mut compiler,
            &change(vec![upsert(Kind::Stream, name, &stream("a/b:1"))]),
        );
        troubles.read(&applied);
        assert_eq!(troubles.brief().len(), 1, "{name}");
        assert!(applied.streams.iter().all(|(_, stream)| stream.is_none()));
    }
    let mut compiler = Compiler::new();
    apply(
        &mut compiler,
        &change(vec![upsert(Kind::Stream, "tcp/1", &stream("a/b:1"))]),
    );
    let broken = schema::Stream {
        send_proxy: 3,
        ..stream("a/b:1")
    };
    let applied = apply(&mut compiler, &change(vec![upsert(Kind::Stream, "tcp/1", &broken)]));
    assert!(matches!(&applied.streams[..], [(_, None)]), "it was withdrawn");
}
