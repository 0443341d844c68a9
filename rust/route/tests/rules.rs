//! The rules of matching and merging, each by name.

mod common;

use common::{
    Troubles, answer, apply, change, compiled, endpoints, fragment, key, put, removal, settings, target, upsert,
    with_rules,
};
use fastingress_route::schema::{
    Certificate, ChangeSet, Compat, Compiled, Fragment, Kind, PathKind, Policy, Protocol, Settings, Upsert, Upstream,
    VERSION,
};
use fastingress_route::{Compiler, RouteTable, SchemaError};
use std::sync::Arc;

use PathKind::{Exact, Prefix, RawPrefix, Regex};

fn strict(fragments: &[Fragment]) -> Compiler {
    compiled(&Settings::default(), fragments)
}

fn nginx(fragments: &[Fragment]) -> Compiler {
    compiled(
        &Settings {
            compat: Compat::IngressNginx,
            ..Settings::default()
        },
        fragments,
    )
}

fn with_default(mut fragment: Fragment) -> Fragment {
    fragment.default_backend = Some(target("default/d:80"));
    fragment
}

fn weak(mut fragment: Fragment) -> Fragment {
    fragment.weak = true;
    fragment
}

#[test]
fn an_empty_table_takes_nothing() {
    let table = RouteTable::empty();
    assert!(table.lookup(b"a.example.com", b"/").route.is_none());
    assert!(table.certificate("a.example.com").is_none());
    assert_eq!(table.generation(), 0);
}

#[test]
fn a_host_is_found_in_any_case_and_with_a_final_dot() {
    let compiler = strict(&[with_rules("a", "shop.example.com", &[(Prefix, "/")])]);
    for host in ["shop.example.com", "SHOP.Example.com", "shop.example.com."] {
        assert_eq!(answer(&compiler, host, "/"), "a/0", "{host}");
    }
    for host in [
        "",
        ".",
        "example.com",
        "a.shop.example.com",
        ".shop.example.com",
        &"a".repeat(300),
    ] {
        assert_eq!(answer(&compiler, host, "/"), "404", "{host}");
    }
}

#[test]
fn a_wildcard_takes_one_label() {
    let compiler = strict(&[with_rules("a", "*.example.com", &[(Prefix, "/")])]);
    assert_eq!(answer(&compiler, "x.example.com", "/"), "a/0");
    for host in ["example.com", ".example.com", "x.y.example.com", "xexample.com"] {
        assert_eq!(answer(&compiler, host, "/"), "404", "{host}");
    }
}

#[test]
fn under_strict_a_host_without_a_fitting_path_passes_on() {
    let fragments = [
        with_rules("precise", "x.example.com", &[(Exact, "/only")]),
        with_rules("wildcard", "*.example.com", &[(Prefix, "/w")]),
        with_rules("any", "", &[(Prefix, "/")]),
    ];
    let compiler = strict(&fragments);
    assert_eq!(answer(&compiler, "x.example.com", "/only"), "precise/0");
    assert_eq!(answer(&compiler, "x.example.com", "/w"), "wildcard/0");
    assert_eq!(answer(&compiler, "x.example.com", "/else"), "any/0");
    let compiler = nginx(&fragments);
    assert_eq!(answer(&compiler, "x.example.com", "/only"), "precise/0");
    assert_eq!(
        answer(&compiler, "x.example.com", "/w"),
        "404",
        "the most precise host owns the request"
    );
    assert_eq!(answer(&compiler, "y.example.com", "/else"), "404");
    assert_eq!(answer(&compiler, "z.example.org", "/else"), "any/0");
}

#[test]
fn a_default_backend_takes_the_rest_of_its_host() {
    let compiler = strict(&[
        with_default(with_rules("a", "a.example.com", &[(Exact, "/only")])),
        with_rules("any", "", &[(Prefix, "/")]),
    ]);
    assert_eq!(answer(&compiler, "a.example.com", "/else"), "a/default");
    assert_eq!(answer(&compiler, "b.example.com", "/else"), "any/0");
}

#[test]
fn default_backends_go_from_the_nearest_to_the_controllers() {
    let fallback = Settings {
        default_backend: Some(target("kube-system/fallback:80")),
        ..Settings::default()
    };
    let all = [
        with_default(with_rules("b-hosted", "", &[(Exact, "/only")])),
        with_default(fragment("a-bare", "")),
        with_default(fragment("c-bare", "")),
    ];
    assert_eq!(answer(&compiled(&fallback, &all), "x", "/"), "b-hosted/default");
    assert_eq!(answer(&compiled(&fallback, &all[1..]), "x", "/"), "a-bare/default");
    let last = compiled(&fallback, &[]);
    assert_eq!(answer(&last, "x", "/"), "/default");
    let table = last.table();
    let route = table.lookup(b"x", b"/").route.expect("the fallback");
    assert_eq!(
        (&*route.target.service, route.ingress.slot),
        ("kube-system/fallback:80", 0)
    );
}

#[test]
fn exact_is_the_whole_path_and_case_sensitive() {
    let compiler = strict(&[with_rules("a", "x", &[(Exact, "/foo"), (Exact, "/bar/")])]);
    for (path, expected) in [
        ("/foo", "a/0"),
        ("/foo/", "404"),
        ("/Foo", "404"),
        ("/foo/x", "404"),
        ("/bar", "404"),
        ("/bar/", "a/1"),
    ] {
        assert_eq!(answer(&compiler, "x", path), expected, "{path}");
    }
}

#[test]
fn prefix_goes_by_element() {
    let compiler = strict(&[with_rules("a", "x", &[(Prefix, "/foo/"), (Prefix, "/aaa/bb")])]);
    for (path, expected) in [
        ("/foo", "a/0"),
        ("/foo/", "a/0"),
        ("/foo/x", "a/0"),
        ("/foobar", "404"),
        ("/FOO", "404"),
        ("/aaa/bbb", "404"),
        ("/aaa/bb/c", "a/1"),
        ("/", "404"),
    ] {
        assert_eq!(answer(&compiler, "x", path), expected, "{path}");
    }
    assert_eq!(
        answer(
            &strict(&[with_rules("a", "x", &[(Prefix, "/")])]),
            "x",
            "/anything/at/all"
        ),
        "a/0"
    );
}

#[test]
fn a_raw_prefix_is_text() {
    let compiler = strict(&[with_rules("a", "x", &[(RawPrefix, "/foo"), (RawPrefix, "")])]);
    assert_eq!(answer(&compiler, "x", "/foobar"), "a/0");
    assert_eq!(answer(&compiler, "x", "/fo"), "a/1");
    assert_eq!(answer(&compiler, "x", "*"), "a/1");
}

#[test]
fn the_longest_wins_then_the_most_exact_kind() {
    let all = [
        (Regex, "/foo"),
        (RawPrefix, "/foo"),
        (Prefix, "/foo"),
        (Exact, "/foo"),
        (Prefix, "/foo/bar"),
    ];
    let winner = |rules: &[(PathKind, &str)], path: &str| answer(&strict(&[with_rules("a", "x", rules)]), "x", path);
    assert_eq!(winner(&all, "/foo/bar"), "a/4");
    assert_eq!(winner(&all, "/foo"), "a/3");
    assert_eq!(winner(&all[..3], "/foo"), "a/2");
    assert_eq!(winner(&all[..2], "/foo"), "a/1");
    assert_eq!(winner(&all[..1], "/foo"), "a/0");
    assert_eq!(
        winner(&[(Prefix, "/foo"), (Regex, "/f.*o?")], "/foo"),
        "a/1",
        "a regex by its characters"
    );
}

#[test]
fn rules_are_compared_in_match_form() {
    let compiler = strict(&[with_rules("a", "x", &[(Exact, "/a b"), (Prefix, "/%7euser/%2f")])]);
    assert_eq!(answer(&compiler, "x", "/a%20b"), "a/0");
    assert_eq!(answer(&compiler, "x", "/~user/%2F/x"), "a/1");
}

#[test]
fn under_ingress_nginx_one_regex_makes_all_of_its_host_regexes() {
    let mut asks = with_rules("asks", "x", &[(Prefix, "/longest/first")]);
    asks.regex_host = true;
    let other = with_rules("other", "x", &[(Exact, "/foo"), (Prefix, "/ba")]);
    let elsewhere = with_rules("elsewhere", "y", &[(Exact, "/foo")]);
    let compiler = nginx(&[asks.clone(), other.clone(), elsewhere.clone()]);
    assert_eq!(answer(&compiler, "x", "/FOObar"), "other/0");
    assert_eq!(answer(&compiler, "x", "/banana"), "other/1");
    assert_eq!(answer(&compiler, "y", "/foobar"), "404");
    let table = compiler.table();
    let route = table.lookup(b"x", b"/foobar").route.expect("a route");
    assert!(route.kind == Regex && route.pattern.is_some());
    let compiler = strict(&[asks, other, elsewhere]);
    assert_eq!(answer(&compiler, "x", "/foobar"), "404");
    assert_eq!(answer(&compiler, "x", "/foo"), "other/0");
}

#[test]
fn another_compat_merges_all_hosts_again() {
    let mut asks = with_rules("a", "x", &[(Exact, "/foo")]);
    asks.regex_host = true;
    let mut compiler = strict(&[asks, with_rules("b", "y", &[(Prefix, "/")])]);
    assert_eq!(answer(&compiler, "x", "/foobar"), "404");
    let nginx = Settings {
        compat: Compat::IngressNginx,
        ..Settings::default()
    };
    let applied = apply(&mut compiler, &change(vec![settings(&nginx)]));
    assert_eq!(
        applied.report.compiled,
        Compiled {
            hosts: 2,
            ..Compiled::default()
        }
    );
    assert_eq!(answer(&compiler, "x", "/foobar"), "a/0");
    apply(&mut compiler, &change(vec![settings(&Settings::default())]));
    assert_eq!(answer(&compiler, "x", "/foobar"), "404");
}

#[test]
fn the_oldest_wins_a_conflict_and_the_loser_is_told() {
    let (mut compiler, mut troubles) = (Compiler::new(), Troubles::default());
    let (old, young) = (
        with_rules("old", "x", &[(Prefix, "/a")]),
        with_rules("young", "x", &[(Prefix, "/a/")]),
    );
    troubles.read(&apply(&mut compiler, &change(vec![put(&young), put(&old)])));
    assert_eq!(answer(&compiler, "x", "/a"), "old/0");
    let problem = &troubles.0["host:x"][0];
    assert_eq!(
        (&*problem.code, &*problem.ingress.as_ref().expect("an Ingress").name),
        ("ConflictLost", "young")
    );
    for word in ["default/old", "/a/", " x "] {
        assert!(problem.message.contains(word), "{}", problem.message);
    }
    troubles.read(&apply(&mut compiler, &removal(&[key(Kind::Fragment, "x/old")])));
    assert_eq!(troubles, Troubles::default());
    assert_eq!(answer(&compiler, "x", "/a"), "young/0");
}

#[test]
fn an_alias_serves_until_its_host_has_rules() {
    let (mut compiler, mut troubles) = (Compiler::new(), Troubles::default());
    let first = weak(with_rules("first", "x", &[(Prefix, "/first")]));
    let second = weak(with_rules("second", "x", &[(Prefix, "/second")]));
    troubles.read(&apply(&mut compiler, &change(vec![put(&first), put(&second)])));
    assert_eq!(
        troubles.brief(),
        [("host:x".into(), "ConflictLost".into(), "second".into())]
    );
    assert_eq!(
        (answer(&compiler, "x", "/first"), answer(&compiler, "x", "/second")),
        ("first/0".into(), "404".into())
    );
    let real = with_rules("third", "x", &[(Prefix, "/third")]);
    troubles.read(&apply(&mut compiler, &change(vec![put(&real)])));
    let shadowed = |name: &str| ("host:x".to_owned(), "AliasShadowed".to_owned(), name.to_owned());
    assert_eq!(troubles.brief(), [shadowed("first"), shadowed("second")]);
    assert_eq!(
        (answer(&compiler, "x", "/first"), answer(&compiler, "x", "/third")),
        ("404".into(), "third/0".into())
    );
}

#[test]
fn a_regex_that_does_not_compile_is_one_problem() {
    let (mut compiler, mut troubles) = (Compiler::new(), Troubles::default());
    let rules = with_rules("a", "x", &[(Regex, "/(b"), (Prefix, "/a")]);
    troubles.read(&apply(&mut compiler, &change(vec![put(&rules)])));
    assert_eq!(troubles.brief(), [("host:x".into(), "InvalidRegex".into(), "a".into())]);
    assert_eq!(answer(&compiler, "x", "/a"), "a/1");
}

#[test]
fn a_value_that_does_not_decode_counts_as_absent() {
    let (mut compiler, mut troubles) = (Compiler::new(), Troubles::default());
    let good = with_rules("a", "x", &[(Prefix, "/")]);
    troubles.read(&apply(
        &mut compiler,
        &change(vec![
            put(&good),
            upsert(Kind::Endpoints, "k", &endpoints(&["1.1.1.1:1"])),
        ]),
    ));
    let before = compiler.digest();
    let broken = |kind, key: &str| Upsert(kind, key.into(), b"\x81\xa1x\x01".to_vec());
    troubles.read(&apply(
        &mut compiler,
        &change(vec![broken(Kind::Fragment, "x/a"), broken(Kind::Endpoints, "k")]),
    ));
    assert_eq!(answer(&compiler, "x", "/"), "404");
    assert_ne!(compiler.digest(), before, "it is desired state all the same");
    let invalid = |scope: &str| (scope.to_owned(), "InvalidValue".to_owned(), String::new());
    assert_eq!(troubles.brief(), [invalid("endpoints:k"), invalid("fragment:x/a")]);
    troubles.read(&apply(
        &mut compiler,
        &change(vec![
            put(&good),
            upsert(Kind::Endpoints, "k", &endpoints(&["1.1.1.1:1"])),
        ]),
    ));
    assert_eq!((compiler.digest(), troubles), (before, Troubles::default()));
    assert_eq!(answer(&compiler, "x", "/"), "a/0");
}

#[test]
fn a_host_that_cannot_be_one_is_a_problem() {
    for host in ["*", "*.", "a.*.x", ".x", "*.*.x", &"a".repeat(254)] {
        let mut compiler = Compiler::new();
        let applied = apply(
            &mut compiler,
            &change(vec![put(&with_rules("a", host, &[(Prefix, "/")]))]),
        );
        assert_eq!(applied.report.problems.len(), 1, "{host}");
        assert_eq!(applied.report.compiled.hosts, 0, "{host}");
    }
}

#[test]
fn an_endpoint_that_does_not_parse_is_told_and_left_out() {
    let (mut compiler, mut troubles) = (Compiler::new(), Troubles::default());
    troubles.read(&apply(
        &mut compiler,
        &change(vec![upsert(Kind::Endpoints, "k", &endpoints(&["10.0.0.1:80", "x:80"]))]),
    ));
    assert_eq!(
        troubles.brief(),
        [("endpoints:k".into(), "InvalidEndpoint".into(), String::new())]
    );
    let table = compiler.table();
    let cell = table.backends().next().expect("a cell");
    assert_eq!(cell.endpoints.load().list.len(), 1);
}

#[test]
fn another_version_is_refused_whole() {
    let change = ChangeSet {
        version: VERSION + 1,
        ..change(vec![put(&with_rules("a", "x", &[]))])
    };
    let mut compiler = Compiler::new();
    assert_eq!(
        compiler.apply(&change).err(),
        Some(SchemaError::Version { found: VERSION + 1 })
    );
    assert_eq!(compiler.digest(), "0".repeat(32));
    assert_eq!(
        ChangeSet::decode(&common::encode(&change)),
        Err(SchemaError::Version { found: VERSION + 1 })
    );
}

#[test]
fn what_is_no_change_set_is_refused() {
    let good = common::encode(&change(Vec::new()));
    let longer = [&good[..], b"\xc0"].concat();
    // A map of version and a field that does not exist.
    let unknown = b"\x82\xa7version\x01\xa5extra\x01".to_vec();
    for bytes in [
        &b""[..],
        b"\xc1",
        &good[..good.len() - 1],
        &longer,
        &unknown,
        b"\xdd\xff\xff\xff\xff",
    ] {
        assert!(
            matches!(ChangeSet::decode(bytes), Err(SchemaError::Envelope(_))),
            "{bytes:?}"
        );
    }
    assert!(ChangeSet::decode(&good).is_ok());
}

#[test]
fn one_edit_is_one_fragment_and_one_host() {
    let fragments: Vec<_> = (0..50)
        .map(|n| with_rules(&format!("i{n}"), &format!("h{n}"), &[(Prefix, "/")]))
        .collect();
    let mut compiler = strict(&fragments);
    let before = compiler.table();
    let edited = with_rules("i7", "h7", &[(Prefix, "/"), (Exact, "/new")]);
    let applied = apply(&mut compiler, &change(vec![put(&edited)]));
    assert_eq!(
        applied.report.compiled,
        Compiled {
            fragments: 1,
            hosts: 1,
            ..Compiled::default()
        }
    );
    assert_eq!(applied.table.generation(), before.generation() + 1);
    assert_eq!(answer(&compiler, "h7", "/new"), "i7/1");
    let route =
        |table: &Arc<RouteTable>, host: &str| Arc::clone(table.lookup(host.as_bytes(), b"/").route.expect("a route"));
    assert!(
        Arc::ptr_eq(&route(&before, "h8"), &route(&applied.table, "h8")),
        "what did not change is shared"
    );
}

#[test]
fn an_endpoint_change_swaps_the_cell_that_routes_hold() {
    let mut compiler = strict(&[with_rules("a", "x", &[(Prefix, "/")])]);
    let held = Arc::clone(compiler.table().lookup(b"x", b"/").route.expect("a route"));
    let cell = held.target.backend.as_ref().expect("a backend");
    assert!(!cell.endpoints.load().known);
    let set = upsert(Kind::Endpoints, "default/a-0:80", &endpoints(&["10.0.0.1:80"]));
    let applied = apply(&mut compiler, &change(vec![set]));
    assert_eq!(
        applied.report.compiled,
        Compiled {
            endpoints: 1,
            ..Compiled::default()
        }
    );
    assert_eq!(
        cell.endpoints.load().list.len(),
        1,
        "seen by a route that was taken before"
    );
}

#[test]
fn an_upstream_policy_may_come_after_its_routes_and_go_before() {
    let mut fragment = with_rules("a", "x", &[(Prefix, "/")]);
    fragment.routes[0].target.upstream = "u".into();
    let mut compiler = strict(&[fragment]);
    let timeout = |compiler: &Compiler| {
        compiler
            .table()
            .lookup(b"x", b"/")
            .route
            .expect("a route")
            .target
            .upstream
            .connect_timeout_ms
    };
    assert_eq!(timeout(&compiler), None);
    let policy = Upstream {
        connect_timeout_ms: Some(7),
        ..Upstream::default()
    };
    apply(&mut compiler, &change(vec![upsert(Kind::Upstream, "u", &policy)]));
    assert_eq!(timeout(&compiler), Some(7));
    apply(&mut compiler, &removal(&[key(Kind::Upstream, "u")]));
    assert_eq!(timeout(&compiler), None);
}

#[test]
fn certificates_come_back_and_names_find_theirs() {
    let certified = |name: &str, host: &str| Fragment {
        certificate: Some(format!("default/{name}").into()),
        ..with_rules(name, host, &[(Prefix, "/")])
    };
    let mut compiler = strict(&[
        certified("old", "a.x"),
        certified("young", "a.x"),
        certified("star", "*.x"),
        with_rules("plain", "p.x", &[(Exact, "/here")]),
    ]);
    let table = compiler.table();
    for (name, expected) in [
        ("A.x", Some("default/old")),
        ("b.x", Some("default/star")),
        ("y", None),
        ("p.x", Some("default/star")),
    ] {
        assert_eq!(table.certificate(name), expected, "{name}");
    }
    assert!(table.lookup(b"a.x", b"/").host_has_certificate);
    assert!(table.lookup(b"b.x", b"/").host_has_certificate);
    assert!(
        !table.lookup(b"p.x", b"/here").host_has_certificate,
        "its own rule, without a certificate"
    );
    assert!(
        table.lookup(b"p.x", b"/there").host_has_certificate,
        "the rule of the wildcard"
    );
    assert_eq!(table.certificates().count(), 2);

    let certificate = Certificate {
        chain: b"chain".to_vec(),
        key: b"key".to_vec(),
        ocsp: Vec::new(),
    };
    let added = apply(
        &mut compiler,
        &change(vec![upsert(Kind::Certificate, "default/old", &certificate)]),
    );
    assert_eq!(added.certificates, [("default/old".into(), Some(certificate))]);
    assert_eq!(added.report.compiled.certificates, 1);
    let removed = apply(&mut compiler, &removal(&[key(Kind::Certificate, "default/old")]));
    assert_eq!(removed.certificates, [("default/old".into(), None)]);
}

#[test]
fn a_host_with_only_a_certificate_owns_nothing() {
    let mut only = fragment("tls", "a.x");
    only.certificate = Some("default/tls".into());
    let compiler = nginx(&[only, with_rules("any", "", &[(Prefix, "/")])]);
    assert_eq!(answer(&compiler, "a.x", "/"), "any/0");
    assert_eq!(compiler.table().certificate("a.x"), Some("default/tls"));
}

#[test]
fn an_ingress_keeps_its_slot_while_it_is_named() {
    let mut compiler = strict(&[
        with_rules("a", "x", &[(Prefix, "/")]),
        with_rules("a", "y", &[(Prefix, "/")]),
    ]);
    let ingress = |compiler: &Compiler, host: &[u8]| {
        Arc::clone(&compiler.table().lookup(host, b"/").route.expect("a route").ingress)
    };
    let held = ingress(&compiler, b"x");
    assert!(Arc::ptr_eq(&held, &ingress(&compiler, b"y")));
    apply(
        &mut compiler,
        &change(vec![put(&with_rules("a", "x", &[(Prefix, "/"), (Prefix, "/b")]))]),
    );
    assert!(Arc::ptr_eq(&held, &ingress(&compiler, b"x")), "an edit keeps it");
    assert_eq!(
        compiler.table().ingresses().count(),
        2,
        "the controller and the Ingress"
    );
}

#[test]
fn equal_age_is_decided_by_the_names() {
    let aged = |name: &str| Fragment {
        age: "same".into(),
        ..with_rules(name, "x", &[(Prefix, "/")])
    };
    for order in [["b", "a"], ["a", "b"]] {
        let mut compiler = Compiler::new();
        for name in order {
            apply(&mut compiler, &change(vec![put(&aged(name))]));
        }
        assert_eq!(answer(&compiler, "x", "/"), "a/0");
    }
}

#[test]
fn explanations_give_the_winner_and_each_reason() {
    let compiler = strict(&[
        with_default(with_rules(
            "a",
            "x.y",
            &[
                (Prefix, "/foo"),
                (Exact, "/foo/bar"),
                (Regex, "/(broken"),
                (Prefix, "/other"),
            ],
        )),
        with_rules("b", "x.y", &[(Prefix, "/foo")]),
        with_rules("c", "*.y", &[(Prefix, "/")]),
        weak(with_rules("d", "x.y", &[(Prefix, "/")])),
    ]);
    let explanation = compiler.table().explain("X.y", b"/foo/bar");
    assert_eq!(explanation.winner.as_ref().map(|view| &*view.path), Some("/foo/bar"));
    let reasons: Vec<String> = explanation
        .losers
        .iter()
        .map(|loser| format!("{}{}: {}", loser.route.ingress, loser.route.path, loser.reason))
        .collect();
    let expected = [
        "a/other: the path does not begin with the elements of /other",
        "a/foo: /foo/bar is longer than /foo and goes first",
        "a: a default backend takes only what no path rule takes",
        "a/(broken: its path is no regular expression: ",
        "b/foo: default/a has the same rule and comes first",
        "d/: it is of an alias, and the host is served by default/a",
        "c/: the rules of x.y, which is more precise, go first and take it",
    ];
    assert_eq!(reasons.len(), expected.len(), "{reasons:#?}");
    for (reason, expected) in reasons.iter().zip(expected) {
        assert!(reason.starts_with(expected), "{reason}");
    }
}

#[test]
fn explanations_say_which_plain_requests_go_to_https_and_whose_certificate_there_is() {
    let certified = |name, host| Fragment {
        certificate: Some("ns/cert".into()),
        ..with_rules(name, host, &[(Prefix, "/")])
    };
    let forced = Fragment {
        policy: Policy {
            force_ssl_redirect: Some(true),
            ..Policy::default()
        },
        ..with_rules("b", "b.y", &[(Prefix, "/")])
    };
    let compiler = strict(&[
        certified("a", "a.y"),
        forced,
        with_rules("c", "c.y", &[(Prefix, "/")]),
        certified("d", "*.w"),
    ]);
    let table = compiler.table();
    for (host, path, redirected, certificate) in [
        ("a.y", "/x", true, Some("ns/cert")),
        ("a.y", "/.well-known/acme-challenge/x", false, Some("ns/cert")),
        ("a.y", "/.well-known/acme-challenges", true, Some("ns/cert")),
        ("b.y", "/", true, None),
        ("c.y", "/", false, None),
        ("x.w", "/", true, Some("ns/cert")),
        ("nowhere", "/", false, None),
    ] {
        let found = table.explain(host, path.as_bytes());
        let told = (found.https_redirect, found.certificate.as_deref(), found.redirect_code);
        assert_eq!(told, (redirected, certificate, 308), "{host}{path}");
    }
}

#[test]
fn routes_are_listed_by_host_in_the_order_of_search() {
    let compiler = strict(&[
        with_default(with_rules("b", "b.x", &[(Prefix, "/"), (Prefix, "/longer")])),
        with_rules("a", "a.x", &[(Prefix, "/")]),
        with_rules("any", "", &[(Prefix, "/")]),
        with_default(fragment("bare", "")),
    ]);
    let all: Vec<String> = compiler
        .table()
        .routes()
        .iter()
        .map(|view| format!("{}{}", view.ingress, view.path))
        .collect();
    assert_eq!(all, ["a/", "b/longer", "b/", "b", "any/", "bare"]);
}

#[test]
fn what_is_spoken_is_what_the_route_says_else_the_service_else_http() {
    let mut asking = with_rules("a", "a.example.com", &[(Prefix, "/")]);
    asking.routes[0].target = target("default/a:80");
    asking.routes[0].target.upstream = "u".into();
    let mut compiler = compiled(&Settings::default(), &[asking]);
    let spoken = |compiler: &Compiler| {
        let table = compiler.table();
        let found = table.lookup(b"a.example.com", b"/").route.cloned();
        found.expect("there is a route").target.protocol()
    };
    assert_eq!(spoken(&compiler), Protocol::Http);
    let mut set = endpoints(&["10.0.0.1:80"]);
    set.protocol = Some(Protocol::H2c);
    apply(
        &mut compiler,
        &change(vec![upsert(Kind::Endpoints, "default/a:80", &set)]),
    );
    assert_eq!(spoken(&compiler), Protocol::H2c);
    let own = Upstream {
        protocol: Some(Protocol::Https),
        ..Upstream::default()
    };
    apply(&mut compiler, &change(vec![upsert(Kind::Upstream, "u", &own)]));
    assert_eq!(spoken(&compiler), Protocol::Https);
}
