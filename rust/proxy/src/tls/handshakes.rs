//! Tests with whole handshakes: a rustls client and the real server configuration, joined by memory.

use super::config::Recipe as ConfigRecipe;
use super::testing::{Recipe, for_names, with_key_of};
use super::{Certificates, Names, Resolver, Tickets};
use fastingress_route::schema;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, HandshakeKind, NamedGroup, ServerConfig,
    ServerConnection, SignatureScheme, SupportedProtocolVersion, version,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Names with keys, precise and one-label wildcard, as the route table has them.
#[derive(Default)]
struct Table {
    keys: HashMap<&'static str, &'static str>,
    default: Mutex<Option<&'static str>>,
}

impl Names for Arc<Table> {
    fn certificate(&self, server_name: &str) -> Option<Box<str>> {
        let wildcard = server_name
            .split_once('.')
            .map(|(_, rest)| format!("*.{rest}"))
            .unwrap_or_default();
        self.keys
            .get(server_name)
            .or_else(|| self.keys.get(&*wildcard))
            .map(|key| (*key).into())
    }

    fn default_certificate(&self) -> Option<Box<str>> {
        self.default.lock().unwrap().map(Box::from)
    }
}

/// A server with three certificates and room for more.
struct Server {
    table: Arc<Table>,
    certificates: Arc<Certificates>,
    config: Arc<ServerConfig>,
}

const BOTH: [&str; 2] = ["TLSv1.2", "TLSv1.3"];

impl Server {
    fn new() -> Self {
        Self::with(&BOTH, &[])
    }

    fn with(protocols: &[&str], ciphers: &[&str]) -> Self {
        let strings = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        let keys = [
            ("a.example", "ns/a"),
            ("*.w.example", "ns/w"),
            ("broken.example", "ns/broken"),
            ("other.example", "ns/a"),
        ];
        let table = Arc::new(Table {
            keys: keys.into(),
            default: Mutex::default(),
        });
        let certificates = Certificates::new().unwrap();
        let server = Self {
            config: ConfigRecipe::parse(
                &strings(protocols),
                &strings(ciphers),
                true,
                Some(Tickets::new()),
                Arc::new(Resolver::new(table.clone(), certificates.clone())),
            )
            .unwrap()
            .ordinary()
            .unwrap(),
            table,
            certificates,
        };
        let (a, w) = (for_names(&["a.example"]), for_names(&["*.w.example"]));
        server.put("ns/broken", with_key_of(&for_names(&["broken.example"]), &a));
        server.put("ns/a", a);
        server.put("ns/w", w);
        server
    }

    fn put(&self, key: &str, certificate: schema::Certificate) {
        self.certificates.apply(&[(key.into(), Some(certificate))]);
    }

    /// What the certificate says that a client gets who asks for `name`.
    fn shows(&self, name: &str) -> String {
        self.shake(&Client::new(&[&version::TLS13]), name).unwrap().certificate
    }

    fn shake(&self, client: &Client, name: &str) -> Result<Shaken, Error> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut client_side = ClientConnection::new(client.config.clone(), name)?;
        let mut server_side = ServerConnection::new(self.config.clone())?;
        // One more round than a handshake needs, so that tickets arrive.
        for _ in 0..6 {
            carry(&mut client_side, &mut server_side)?;
            carry(&mut server_side, &mut client_side)?;
        }
        assert!(!client_side.is_handshaking() && !server_side.is_handshaking());
        Ok(Shaken {
            certificate: describe(&client_side.peer_certificates().unwrap()[0]),
            chain: client_side.peer_certificates().unwrap().len(),
            kind: server_side.handshake_kind().unwrap(),
            group: server_side.negotiated_key_exchange_group().map(|group| group.name()),
            suite: super::config::cipher_name(server_side.negotiated_cipher_suite().unwrap()),
            alpn: server_side.alpn_protocol().map(<[u8]>::to_vec),
        })
    }
}

struct Shaken {
    certificate: String,
    chain: usize,
    kind: HandshakeKind,
    group: Option<NamedGroup>,
    suite: &'static str,
    alpn: Option<Vec<u8>>,
}

/// Everything that one side has to say, to the other.
fn carry<A, B>(
    from: &mut impl std::ops::DerefMut<Target = rustls::ConnectionCommon<A>>,
    to: &mut impl std::ops::DerefMut<Target = rustls::ConnectionCommon<B>>,
) -> Result<(), Error> {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        to.process_new_packets()?;
    }
    Ok(())
}

/// Its first name, or its subject when it has none.
fn describe(der: &CertificateDer<'_>) -> String {
    let (_, certificate) = X509Certificate::from_der(der).unwrap();
    match certificate.subject_alternative_name().unwrap() {
        Some(names) => names.value.general_names[0].to_string(),
        None => certificate.subject().to_string(),
    }
}

/// A client that trusts every certificate and checks every signature.
struct Client {
    config: Arc<ClientConfig>,
}

impl Client {
    fn new(versions: &[&'static SupportedProtocolVersion]) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Trusting(provider)))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self {
            config: Arc::new(config),
        }
    }
}

#[derive(Debug)]
struct Trusting(Arc<CryptoProvider>);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

const SELF_SIGNED: &str = "CN=fastingress default certificate";

#[test]
fn the_server_name_picks_the_certificate() {
    let server = Server::new();
    assert_eq!(server.shows("a.example"), "DNSName(a.example)");
    assert_eq!(server.shows("A.Example"), "DNSName(a.example)");
    assert_eq!(server.shows("x.w.example"), "DNSName(*.w.example)");
}

#[test]
fn names_in_any_case_and_with_a_trailing_dot_are_the_same() {
    let server = Server::new();
    let resolver = Resolver::new(server.table.clone(), server.certificates.clone());
    let expected = resolver.certificate_for(Some("a.example"));
    for name in ["A.EXAMPLE", "a.example.", "A.example."] {
        assert!(Arc::ptr_eq(&expected, &resolver.certificate_for(Some(name))), "{name}");
    }
}

#[test]
fn what_has_no_sound_certificate_gets_the_default_one() {
    let server = Server::new();
    let cases = [
        "unknown.example",
        "x.y.w.example",
        "w.example",
        "broken.example",
        "other.example",
        "127.0.0.1",
    ];
    for name in cases {
        assert_eq!(server.shows(name), SELF_SIGNED, "{name}");
    }
    *server.table.default.lock().unwrap() = Some("ns/w");
    for name in cases {
        assert_eq!(server.shows(name), "DNSName(*.w.example)", "{name}");
    }
    for unusable in ["ns/broken", "ns/absent"] {
        *server.table.default.lock().unwrap() = Some(unusable);
        assert_eq!(server.shows("unknown.example"), SELF_SIGNED);
    }
}

#[test]
fn a_replaced_certificate_is_used_by_the_next_handshake() {
    let server = Server::new();
    assert_eq!(server.shows("a.example"), "DNSName(a.example)");
    server.put("ns/a", for_names(&["*.example", "a.example"]));
    assert_eq!(server.shows("a.example"), "DNSName(*.example)");
    server.put(
        "ns/a",
        schema::Certificate {
            chain: Vec::new(),
            key: Vec::new(),
            ocsp: Vec::new(),
        },
    );
    assert_eq!(server.shows("a.example"), SELF_SIGNED);
    server.put("ns/a", for_names(&["a.example"]));
    server.certificates.apply(&[("ns/a".into(), None)]);
    assert_eq!(server.shows("a.example"), SELF_SIGNED);
}

#[test]
fn an_expired_certificate_is_served() {
    let server = Server::new();
    server.put(
        "ns/a",
        Recipe {
            expired: true,
            ..Recipe::new(&["a.example"])
        }
        .make(),
    );
    assert_eq!(server.shows("a.example"), "DNSName(a.example)");
}

#[test]
fn every_kind_of_key_shakes_hands_in_both_versions() {
    let server = Server::new();
    let kinds = [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ED25519,
        &rcgen::PKCS_RSA_SHA256,
    ];
    for algorithm in kinds {
        server.put(
            "ns/a",
            Recipe {
                algorithm,
                ..Recipe::new(&["a.example"])
            }
            .make_chain(),
        );
        for version in [&version::TLS12, &version::TLS13] {
            let shaken = server.shake(&Client::new(&[version]), "a.example").unwrap();
            assert_eq!(
                (&*shaken.certificate, shaken.chain),
                ("DNSName(a.example)", 2),
                "{algorithm:?} {version:?}"
            );
        }
    }
}

#[test]
fn sessions_are_resumed_in_both_versions_and_only_for_their_name() {
    for version in [&version::TLS12, &version::TLS13] {
        let server = Server::new();
        let client = Client::new(&[version]);
        assert_ne!(server.shake(&client, "a.example").unwrap().kind, HandshakeKind::Resumed);
        assert_eq!(
            server.shake(&client, "a.example").unwrap().kind,
            HandshakeKind::Resumed,
            "{version:?}"
        );
        assert_ne!(
            server.shake(&client, "x.w.example").unwrap().kind,
            HandshakeKind::Resumed
        );
    }
}

#[test]
fn the_key_exchange_is_post_quantum_where_the_client_can() {
    let shaken = Server::new()
        .shake(&Client::new(&[&version::TLS13]), "a.example")
        .unwrap();
    assert_eq!(shaken.group, Some(NamedGroup::X25519MLKEM768));
}

#[test]
fn http_2_comes_first_where_the_client_knows_both() {
    let shaken = Server::new()
        .shake(&Client::new(&[&version::TLS13]), "a.example")
        .unwrap();
    assert_eq!(shaken.alpn.as_deref(), Some(&b"h2"[..]));
}

#[test]
fn a_protocol_that_is_switched_off_is_refused() {
    let (old, new) = (Client::new(&[&version::TLS12]), Client::new(&[&version::TLS13]));
    let only_new = Server::with(&["TLSv1.3"], &[]);
    assert!(only_new.shake(&old, "a.example").is_err());
    assert!(only_new.shake(&new, "a.example").is_ok());
    let only_old = Server::with(&["TLSv1.2"], &[]);
    assert!(only_old.shake(&old, "a.example").is_ok());
    assert!(only_old.shake(&new, "a.example").is_err());
}

#[test]
fn our_order_of_ciphers_counts() {
    let (old, new) = (Client::new(&[&version::TLS12]), Client::new(&[&version::TLS13]));
    let ciphers = [
        "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
    ];
    let server = Server::with(&BOTH, &ciphers);
    assert_eq!(
        server.shake(&new, "a.example").unwrap().suite,
        "TLS_CHACHA20_POLY1305_SHA256"
    );
    assert_eq!(
        server.shake(&old, "a.example").unwrap().suite,
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
    );
}

#[test]
fn choosing_a_certificate_waits_for_no_change_and_never_finds_a_gap() {
    let server = Server::new();
    let resolver = Resolver::new(server.table.clone(), server.certificates.clone());
    let fallback = resolver.certificate_for(None);
    let versions = [for_names(&["a.example"]), for_names(&["a.example", "b.example"])];
    std::thread::scope(|scope| {
        let changing = scope.spawn(|| {
            for turn in 0..500 {
                server.put("ns/a", versions[turn % 2].clone());
            }
        });
        while !changing.is_finished() {
            assert!(!Arc::ptr_eq(&resolver.certificate_for(Some("a.example")), &fallback));
        }
    });
    server.certificates.while_changing(|| {
        assert!(!Arc::ptr_eq(&resolver.certificate_for(Some("a.example")), &fallback));
    });
}
