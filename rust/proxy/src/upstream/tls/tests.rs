//! Handshakes with endpoints that are more and less to be trusted.

use super::*;
use fastingress_route::schema;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, IsCa, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const KEY: &str = "default/inner";

type Ca = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn root(name: &str) -> Ca {
    CertifiedIssuer::self_signed(authority(name), KeyPair::generate().unwrap()).unwrap()
}

/// A chain and its key, in PEM, for this name.
fn issued(by: &Ca, name: &str) -> schema::Certificate {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.serial_number = Some(SerialNumber::from(7u64));
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, by).unwrap();
    pair(certificate.pem(), &key)
}

fn pair(chain: String, key: &KeyPair) -> schema::Certificate {
    schema::Certificate {
        chain: chain.into_bytes(),
        key: key.serialize_pem().into_bytes(),
        ocsp: Vec::new(),
    }
}

fn trusted(roots: &str, lists: &str) -> schema::Authority {
    schema::Authority {
        roots: roots.as_bytes().to_vec(),
        revocations: lists.as_bytes().to_vec(),
    }
}

fn server_config(certificate: &schema::Certificate, alpn: &[&[u8]]) -> ServerConfig {
    let chain = CertificateDer::pem_slice_iter(&certificate.chain)
        .map(Result::unwrap)
        .collect();
    let key = PrivateKeyDer::from_pem_slice(&certificate.key).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config
}

/// What an endpoint saw of a handshake.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    name: Option<String>,
    certificates: usize,
    resumed: bool,
    version: Option<rustls::ProtocolVersion>,
    suite: Option<rustls::CipherSuite>,
}

/// An endpoint for as many connections as come.
struct Endpoint {
    address: SocketAddr,
    seen: tokio::sync::mpsc::UnboundedReceiver<Seen>,
}

async fn endpoint(config: ServerConfig) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (tell, seen) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let (_, tls) = stream.get_ref();
            let _ = tell.send(Seen {
                name: tls.server_name().map(str::to_owned),
                certificates: tls.peer_certificates().map_or(0, <[_]>::len),
                resumed: tls.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
                version: tls.protocol_version(),
                suite: tls.negotiated_cipher_suite().map(|suite| suite.suite()),
            });
            let _ = stream.write_all(b"hello").await;
            let _ = stream.shutdown().await;
        }
    });
    Endpoint { address, seen }
}

fn ways(trust: Option<schema::Authority>, certificate: Option<schema::Certificate>) -> Ways {
    let ways = Ways::new(Arc::default(), Certificates::new().unwrap());
    let told = ways.authorities.apply(&[(KEY.into(), trust)]);
    assert!(told.iter().all(|(_, problems)| problems.is_empty()), "{told:?}");
    ways.certificates.apply(&[(KEY.into(), certificate)]);
    ways.changed();
    ways
}

fn verified() -> UpstreamTls {
    UpstreamTls {
        verify: true,
        authority: Some(KEY.into()),
        name: Some("inner.example.com".into()),
        ..UpstreamTls::default()
    }
}

async fn shake(way: &Way, endpoint: &Endpoint, host: Option<&str>) -> Result<TlsStream<TcpStream>, HandshakeError> {
    let stream = TcpStream::connect(endpoint.address).await.unwrap();
    let mut stream = way.handshake(stream, endpoint.address, host).await?;
    let mut hello = Vec::new();
    stream.read_to_end(&mut hello).await.map_err(HandshakeError::Io)?;
    assert_eq!(hello, b"hello");
    Ok(stream)
}

async fn reason(way: &Way, endpoint: &Endpoint, host: Option<&str>) -> String {
    match shake(way, endpoint, host).await {
        Ok(_) => "fine".into(),
        Err(HandshakeError::Tls(failure)) => format!("{}: {failure}", failure.reason()),
        Err(HandshakeError::Io(error)) => format!("io: {error}"),
    }
}

#[tokio::test]
async fn nothing_is_verified_and_no_name_is_sent_unless_asked_for() {
    let own = root("own");
    let mut endpoint = endpoint(server_config(&pair(own.pem(), own.key()), &[])).await;
    let way = ways(None, None).find(&UpstreamTls::default(), false);
    assert!(!way.wants_host());
    assert_eq!(reason(&way, &endpoint, None).await, "fine");
    let seen = endpoint.seen.recv().await.unwrap();
    assert_eq!((seen.name, seen.certificates), (None, 0));
}

#[tokio::test]
async fn a_certificate_must_lead_to_the_authority_and_be_for_the_name() {
    let (ours, other) = (root("ours"), root("other"));
    let good = endpoint(server_config(&issued(&ours, "inner.example.com"), &[])).await;
    let strange = endpoint(server_config(&issued(&other, "inner.example.com"), &[])).await;
    let misnamed = endpoint(server_config(&issued(&ours, "elsewhere.example.com"), &[])).await;
    let ways = ways(Some(trusted(&ours.pem(), "")), None);
    let way = ways.find(&verified(), false);
    assert_eq!(reason(&way, &good, None).await, "fine");
    for bad in [&strange, &misnamed] {
        let reason = reason(&way, bad, None).await;
        assert!(reason.starts_with("upstream_unverified: "), "{reason}");
    }
    let by_host = UpstreamTls {
        name: None,
        ..verified()
    };
    let way = ways.find(&by_host, false);
    assert!(way.wants_host());
    assert_eq!(reason(&way, &misnamed, Some("elsewhere.example.com")).await, "fine");
    assert!(
        reason(&way, &good, Some("elsewhere.example.com"))
            .await
            .starts_with("upstream_unverified")
    );
    assert!(
        reason(&way, &good, Some("not a name"))
            .await
            .starts_with("upstream_tls_unusable")
    );
}

#[tokio::test]
async fn a_chain_may_be_as_long_as_the_depth_says() {
    let root = root("root");
    let key = KeyPair::generate().unwrap();
    let link = CertifiedIssuer::signed_by(authority("link"), key, &root).unwrap();
    let mut leaf = issued(&link, "inner.example.com");
    leaf.chain.extend_from_slice(link.pem().as_bytes());
    let endpoint = endpoint(server_config(&leaf, &[])).await;
    let ways = ways(Some(trusted(&root.pem(), "")), None);
    let of_depth = |verify_depth| UpstreamTls {
        verify_depth,
        ..verified()
    };
    assert_eq!(reason(&ways.find(&of_depth(1), false), &endpoint, None).await, "fine");
    let reason = reason(&ways.find(&of_depth(0), false), &endpoint, None).await;
    assert!(reason.starts_with("upstream_unverified"), "{reason}");
}

#[tokio::test]
async fn a_self_signed_certificate_that_is_named_itself_is_trusted() {
    let mut params = authority("self");
    params.subject_alt_names = vec![rcgen::SanType::DnsName("inner.example.com".try_into().unwrap())];
    let own = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let endpoint = endpoint(server_config(&pair(own.pem(), own.key()), &[])).await;
    let ways = ways(Some(trusted(&own.pem(), "")), None);
    assert_eq!(reason(&ways.find(&verified(), false), &endpoint, None).await, "fine");
    let elsewhere = UpstreamTls {
        name: Some("elsewhere.example.com".into()),
        ..verified()
    };
    assert!(
        reason(&ways.find(&elsewhere, false), &endpoint, None)
            .await
            .starts_with("upstream_unverified")
    );
}

#[tokio::test]
async fn a_certificate_that_was_revoked_is_refused() {
    let root = root("root");
    let list = |serial: u64| {
        let now = SystemTime::now();
        CertificateRevocationListParams {
            this_update: now.into(),
            next_update: (now + Duration::from_secs(3_600)).into(),
            crl_number: SerialNumber::from(1u64),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: SerialNumber::from(serial),
                revocation_time: now.into(),
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        }
        .signed_by(&root)
        .unwrap()
        .pem()
        .unwrap()
    };
    let endpoint = endpoint(server_config(&issued(&root, "inner.example.com"), &[])).await;
    let ways = ways(Some(trusted(&root.pem(), &list(8))), None);
    let way = ways.find(&verified(), false);
    assert_eq!(reason(&way, &endpoint, None).await, "fine");
    ways.authorities
        .apply(&[(KEY.into(), Some(trusted(&root.pem(), &list(7))))]);
    ways.changed();
    let now = ways.find(&verified(), false);
    assert_ne!(now.id, way.id);
    let reason = reason(&now, &endpoint, None).await;
    assert!(
        reason.starts_with("upstream_unverified") && reason.contains("Revoked"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_certificate_is_shown_to_endpoints_that_ask() {
    let (root, clients) = (root("root"), root("clients"));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(clients.der().clone()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .unwrap();
    let certificate = issued(&root, "inner.example.com");
    let asking = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            CertificateDer::pem_slice_iter(&certificate.chain)
                .map(Result::unwrap)
                .collect(),
            PrivateKeyDer::from_pem_slice(&certificate.key).unwrap(),
        )
        .unwrap();
    let mut endpoint = endpoint(asking).await;
    let shown = UpstreamTls {
        certificate: Some(KEY.into()),
        ..UpstreamTls::default()
    };
    let ways = ways(None, Some(issued(&clients, "gateway.example.com")));
    assert_eq!(reason(&ways.find(&shown, false), &endpoint, None).await, "fine");
    assert_eq!(endpoint.seen.recv().await.unwrap().certificates, 1);
    assert_ne!(
        reason(&ways.find(&UpstreamTls::default(), false), &endpoint, None).await,
        "fine"
    );
}

#[tokio::test]
async fn the_name_is_sent_when_asked_for() {
    let root = root("root");
    let mut endpoint = endpoint(server_config(&issued(&root, "inner.example.com"), &[])).await;
    let ways = ways(None, None);
    let sent = UpstreamTls {
        send_name: true,
        ..UpstreamTls::default()
    };
    let fixed = UpstreamTls {
        name: Some("fixed.example.com".into()),
        ..sent.clone()
    };
    for (tls, host, name) in [
        (&sent, "shop.example.com", Some("shop.example.com")),
        (&fixed, "shop.example.com", Some("fixed.example.com")),
        (&sent, "192.0.2.1", None),
        (&sent, "[2001:db8::1]", None),
    ] {
        assert_eq!(reason(&ways.find(tls, false), &endpoint, Some(host)).await, "fine");
        assert_eq!(endpoint.seen.recv().await.unwrap().name.as_deref(), name, "{host}");
    }
}

#[tokio::test]
async fn versions_and_suites_are_those_asked_for() {
    let root = root("root");
    let mut endpoint = endpoint(server_config(&issued(&root, "inner.example.com"), &[])).await;
    let tls = UpstreamTls {
        protocols: vec!["TLSv1.2".into()],
        ciphers: vec!["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256".into()],
        ..UpstreamTls::default()
    };
    let ways = ways(None, None);
    assert_eq!(reason(&ways.find(&tls, false), &endpoint, None).await, "fine");
    let seen = endpoint.seen.recv().await.unwrap();
    assert_eq!(seen.version, Some(rustls::ProtocolVersion::TLSv1_2));
    assert_eq!(
        seen.suite,
        Some(rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256)
    );
    let unknown = UpstreamTls {
        ciphers: vec!["NULL".into()],
        ..UpstreamTls::default()
    };
    assert!(
        reason(&ways.find(&unknown, false), &endpoint, None)
            .await
            .starts_with("upstream_tls_unusable")
    );
}

#[tokio::test]
async fn an_endpoint_that_does_not_choose_http2_is_not_spoken_to_in_it() {
    let root = root("root");
    let certificate = issued(&root, "inner.example.com");
    let ways = ways(None, None);
    let http2 = ways.find(&UpstreamTls::default(), true);
    for (alpn, expected) in [
        (&[b"h2" as &[u8]] as &[&[u8]], "fine"),
        (&[], "upstream_not_http2"),
        (&[b"http/1.1"], "upstream_not_http2"),
    ] {
        let endpoint = endpoint(server_config(&certificate, alpn)).await;
        let reason = reason(&http2, &endpoint, None).await;
        assert!(reason.starts_with(expected), "{alpn:?}: {reason}");
    }
}

#[tokio::test]
async fn sessions_are_resumed() {
    let root = root("root");
    let mut endpoint = endpoint(server_config(&issued(&root, "inner.example.com"), &[])).await;
    let way = ways(None, None).find(&UpstreamTls::default(), false);
    for resumed in [false, true, true] {
        assert_eq!(reason(&way, &endpoint, None).await, "fine");
        assert_eq!(endpoint.seen.recv().await.unwrap().resumed, resumed);
    }
}

#[tokio::test]
async fn an_authority_that_is_absent_lets_nothing_pass() {
    let root = root("root");
    let endpoint = endpoint(server_config(&issued(&root, "inner.example.com"), &[])).await;
    let reason = reason(&ways(None, None).find(&verified(), false), &endpoint, None).await;
    assert!(reason.starts_with("upstream_tls_unusable"), "{reason}");
}

#[tokio::test]
async fn an_endpoint_without_tls_is_told_apart_from_one_that_went_away() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let way = ways(None, None).find(&UpstreamTls::default(), false);
    for (answer, expected) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "upstream_tls_failed"),
        (b"", "io"),
    ] {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut end, _) = listener.accept().await.unwrap();
        end.write_all(answer).await.unwrap();
        let mut hello = [0; 5];
        let (shaken, _) = tokio::join!(way.handshake(stream, address, None), async {
            let _ = end.read_exact(&mut hello).await;
            let _ = end.shutdown().await;
        });
        let told = match shaken.expect_err("there is no TLS") {
            HandshakeError::Tls(failure) => failure.reason().to_owned(),
            HandshakeError::Io(_) => "io".to_owned(),
        };
        assert_eq!(told, expected);
    }
}

#[test]
fn a_way_is_the_same_until_something_in_it_changes() {
    let (ours, other) = (root("ours"), root("other"));
    let ways = ways(
        Some(trusted(&ours.pem(), "")),
        Some(issued(&ours, "gateway.example.com")),
    );
    let tls = UpstreamTls {
        certificate: Some(KEY.into()),
        ..verified()
    };
    let way = ways.find(&tls, false);
    assert_eq!(ways.find(&tls, false).id, way.id);
    assert_ne!(ways.find(&tls, true).id, way.id, "another protocol");
    assert_ne!(ways.find(&UpstreamTls::default(), false).id, way.id);
    let before = ways.version();
    ways.certificates
        .apply(&[(KEY.into(), Some(issued(&other, "gateway.example.com")))]);
    ways.changed();
    assert_ne!(ways.version(), before);
    let changed = ways.find(&tls, false);
    assert_ne!(changed.id, way.id);
    ways.authorities
        .apply(&[("default/unrelated".into(), Some(trusted(&other.pem(), "")))]);
    ways.changed();
    assert_eq!(ways.find(&tls, false).id, changed.id);
}
