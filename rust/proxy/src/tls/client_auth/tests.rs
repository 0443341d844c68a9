//! Tests of how a client stands, and of what its connection stands for.

use super::*;
use crate::conn::TlsInfo;
use crate::tls::testing::Clients;
use arc_swap::ArcSwap;
use fastingress_route::Compiler;
use fastingress_route::schema::{Authority, ChangeSet, ClientAuth, Fragment, Upsert, VERSION};

fn asked(authority: &str, verify: VerifyClient) -> ClientAuth {
    ClientAuth {
        authority: authority.into(),
        verify,
        depth: 1,
        match_cn: None,
        error_page: None,
        pass_certificate: true,
    }
}

/// A table of hosts with what each asks.
fn table(hosts: &[(&str, Option<ClientAuth>)]) -> Arc<RouteTable> {
    let upserts = hosts.iter().map(|(host, client_auth)| {
        let target = serde_json::json!({"service": "default/web:80"});
        let mut fragment: Fragment = serde_json::from_value(serde_json::json!({
            "host": host,
            "ingress": {"namespace": "default", "name": host, "uid": host},
            "age": "0",
            "routes": [{"path": "/", "kind": "prefix", "rule": [0, 0], "target": target}],
        }))
        .unwrap();
        fragment.client_auth = client_auth.clone();
        Upsert(
            fastingress_route::schema::Kind::Fragment,
            format!("{host}/1").into(),
            rmp_serde::to_vec_named(&fragment).unwrap(),
        )
    });
    let change = ChangeSet {
        version: VERSION,
        full: false,
        upserts: upserts.collect(),
        removals: Vec::new(),
    };
    Compiler::new().apply(&change).unwrap().table
}

fn conn(client: Option<Option<Arc<Presented>>>) -> ConnInfo {
    ConnInfo {
        peer: "192.0.2.7:4".parse().unwrap(),
        port: 443,
        tls: client.map(|client| TlsInfo {
            sni: None,
            protocol: "TLSv1.3",
            cipher: "",
            resumed: false,
            client,
        }),
        forwarded_port: 443,
        https_before: false,
    }
}

struct Scene {
    clients: Clients,
    authorities: Authorities,
    live: ArcSwap<RouteTable>,
}

impl Scene {
    fn new(hosts: &[(&str, Option<ClientAuth>)]) -> Self {
        let scene = Self {
            clients: Clients::new("root"),
            authorities: Authorities::default(),
            live: ArcSwap::new(table(hosts)),
        };
        scene.trust(&scene.clients);
        scene
    }

    fn trust(&self, clients: &Clients) {
        let authority = Authority {
            roots: clients.pem(),
            revocations: Vec::new(),
        };
        self.authorities.apply(&[("ns/ca".into(), Some(authority))]);
    }

    /// A connection to a name, with what the client shows.
    fn shown(&self, name: &str, chain: Vec<CertificateDer<'static>>) -> ConnInfo {
        let policy = self.live.load().client_policy(name.as_bytes()).cloned();
        conn(Some(policy.map(|policy| {
            let trust = self.authorities.find(&policy.auth.authority);
            Arc::new(Presented::new(policy, trust, chain))
        })))
    }

    fn ask(&self, conn: &ConnInfo, host: &str) -> Result<Option<Outcome>, Misdirected> {
        let table = self.live.load();
        let asked = table.lookup(host.as_bytes(), b"/").client;
        let admission = admit(conn, &table, host.as_bytes(), asked, &self.authorities)?;
        Ok(admission.map(|admission| admission.outcome()))
    }
}

#[test]
fn each_kind_of_asking_takes_what_it_says() {
    use VerifyClient::{On, Optional, OptionalNoCa};
    let cases = [
        (On, [Outcome::NoCertificate, Outcome::Admitted, Outcome::BadCertificate]),
        (
            Optional,
            [Outcome::Admitted, Outcome::Admitted, Outcome::BadCertificate],
        ),
        (OptionalNoCa, [Outcome::Admitted, Outcome::Admitted, Outcome::Admitted]),
    ];
    for (verify, expected) in cases {
        let scene = Scene::new(&[("a.example", Some(asked("ns/ca", verify)))]);
        let chains = [Vec::new(), scene.clients.issue("a"), Clients::new("other").issue("a")];
        let got = chains.map(|chain| {
            scene
                .ask(&scene.shown("a.example", chain), "a.example")
                .unwrap()
                .unwrap()
        });
        assert_eq!(got, expected, "{verify:?}");
        assert_eq!(
            scene.ask(&conn(None), "a.example"),
            Ok(Some(expected[0])),
            "on the plain port"
        );
    }
}

#[test]
fn without_its_authority_a_host_takes_nobody() {
    for verify in [VerifyClient::On, VerifyClient::Optional, VerifyClient::OptionalNoCa] {
        for key in ["ns/gone", ""] {
            let scene = Scene::new(&[("a.example", Some(asked(key, verify)))]);
            for chain in [Vec::new(), scene.clients.issue("a")] {
                let outcome = scene.ask(&scene.shown("a.example", chain), "a.example");
                assert_eq!(outcome, Ok(Some(Outcome::BadCertificate)));
            }
            assert_eq!(scene.ask(&conn(None), "a.example"), Ok(Some(Outcome::BadCertificate)));
        }
    }
}

#[test]
fn a_connection_stands_for_the_name_it_was_made_to() {
    let on = |key| Some(asked(key, VerifyClient::On));
    let scene = Scene::new(&[
        ("a.example", on("ns/ca")),
        ("same.example", on("ns/ca")),
        ("b.example", on("ns/other")),
        ("open.example", None),
        ("*.w.example", on("ns/ca")),
        ("own.w.example", None),
    ]);
    let shown = |name: &str| scene.shown(name, scene.clients.issue("a"));
    let admitted = Ok(Some(Outcome::Admitted));
    assert_eq!(scene.ask(&shown("a.example"), "a.example"), admitted);
    assert_eq!(scene.ask(&shown("A.example"), "a.EXAMPLE."), admitted);
    assert_eq!(scene.ask(&shown("a.example"), "same.example"), admitted);
    assert_eq!(scene.ask(&shown("x.w.example"), "y.w.example"), admitted);
    assert_eq!(scene.ask(&shown("own.w.example"), "own.w.example"), Ok(None));
    assert_eq!(scene.ask(&shown("open.example"), "open.example"), Ok(None));
    for (name, host) in [
        ("a.example", "b.example"),
        ("b.example", "a.example"),
        ("open.example", "a.example"),
        ("a.example", "open.example"),
        ("", "a.example"),
        ("unknown.example", "x.w.example"),
    ] {
        assert_eq!(scene.ask(&shown(name), host), Err(Misdirected), "{name} then {host}");
    }
}

#[test]
fn a_change_of_policy_or_authority_ends_what_a_connection_stands_for() {
    let scene = Scene::new(&[("a.example", Some(asked("ns/ca", VerifyClient::On)))]);
    let old = scene.shown("a.example", scene.clients.issue("a"));
    assert_eq!(scene.ask(&old, "a.example"), Ok(Some(Outcome::Admitted)));
    scene.trust(&scene.clients);
    assert_eq!(scene.ask(&old, "a.example"), Err(Misdirected));
    let new = scene.shown("a.example", scene.clients.issue("a"));
    scene.authorities.apply(&[("ns/ca".into(), None)]);
    assert_eq!(scene.ask(&new, "a.example"), Err(Misdirected));
    scene.trust(&scene.clients);
    let newest = scene.shown("a.example", scene.clients.issue("a"));
    scene.live.store(table(&[("a.example", None)]));
    assert_eq!(
        scene.ask(&newest, "a.example"),
        Err(Misdirected),
        "although nothing is asked any more"
    );
    assert_eq!(scene.ask(&scene.shown("a.example", Vec::new()), "a.example"), Ok(None));
}

#[test]
fn the_certificate_goes_into_a_header_as_escaped_pem() {
    let escaped = escaped_pem(&[0xfb; 50]);
    assert!(
        escaped.starts_with("-----BEGIN%20CERTIFICATE-----%0A%2B%2Fv7") || escaped.contains("%2B"),
        "{escaped}"
    );
    assert!(escaped.ends_with("%0A-----END%20CERTIFICATE-----%0A"));
    assert!(
        escaped
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"%-".contains(&byte))
    );
}
