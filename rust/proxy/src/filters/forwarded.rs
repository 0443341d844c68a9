//! What the backend is told about the client, and what a client may not say about itself.
//!
//! | header | value |
//! |---|---|
//! | `X-Request-ID` | the client's if it is 1 to 128 visible characters, else 32 random hexadecimal ones |
//! | `X-Real-IP`, `X-Forwarded-For` | the client's address |
//! | `X-Forwarded-Host` | what a trusted proxy says, else the Host of the request |
//! | `X-Forwarded-Port` | what a trusted proxy says, else the port that clients believe they speak to |
//! | `X-Forwarded-Proto`, `X-Forwarded-Scheme`, `X-Scheme` | `https` or `http` |
//! | `X-Forwarded-Prefix` | `x-forwarded-prefix` of the route |
//! | `X-Original-Forwarded-For`, `X-Original-Forwarded-Host` | what the request came with, whoever sent it |
//!
//! Taken out whoever sent them: these, `Proxy`, `ssl-client-*`, names with underscores unless the settings let them pass,
//! and any name that a backend which maps punctuation to underscores would take for one of these. Taken out unless a trusted proxy
//! sent them: `Forwarded` and all other `X-Forwarded-*`.

use super::clean::is_value;
use super::trust::{best_host, forwarded_port, is_trusted};
use super::{Exchange, Verdict};
use fastingress_http1::{Head, Name};
use std::io::Write;
use std::net::IpAddr;
use std::ops::Range;

/// The longest request id that is taken from a client.
const LONGEST_ID: usize = 128;
/// The longest name that is compared with ours after its punctuation was mapped.
const LONGEST_NAME: usize = 64;

/// Replaces what the request says of the client by what is known.
pub(super) fn replace(head: &mut Head, exchange: &Exchange<'_>, scratch: &mut Vec<u8>) -> Verdict {
    let trusted = is_trusted(exchange.conn, exchange.settings);
    let values = Values::collect(head, exchange, trusted, scratch);
    let prefix = exchange
        .route
        .policy
        .x_forwarded_prefix
        .as_deref()
        .filter(|prefix| is_value(prefix.as_bytes()));
    let underscores = exchange.settings.underscores_in_headers;
    head.retain(|id, name, _| match id {
        Name::XForwardedPrefix => trusted && prefix.is_none(),
        Name::Other => may_pass(name, trusted, underscores),
        id => trusted && id == Name::Forwarded || !is_ours(id) && id != Name::Forwarded,
    });
    values.append(head, exchange.scheme().as_bytes(), scratch);
    if let Some(prefix) = prefix {
        head.append(b"X-Forwarded-Prefix", prefix.as_bytes());
    }
    Verdict::Continue
}

/// The new values, as ranges of the scratch memory, collected before the old ones go.
struct Values {
    request_id: Range<usize>,
    client: Range<usize>,
    host: Range<usize>,
    port: Range<usize>,
    original_for: Range<usize>,
    original_host: Range<usize>,
}

impl Values {
    fn collect(head: &Head, exchange: &Exchange<'_>, trusted: bool, scratch: &mut Vec<u8>) -> Self {
        scratch.clear();
        let port = trusted
            .then(|| forwarded_port(head))
            .flatten()
            .unwrap_or(exchange.conn.forwarded_port);
        Self {
            request_id: range(scratch, |out| push_request_id(head, out)),
            client: range(scratch, |out| push_address(exchange.client, out)),
            host: range(scratch, |out| out.extend_from_slice(best_host(head, exchange))),
            port: range(scratch, |out| {
                out.extend_from_slice(itoa::Buffer::new().format(port).as_bytes())
            }),
            original_for: range(scratch, |out| push_list(head, Name::XForwardedFor, out)),
            original_host: range(scratch, |out| push_list(head, Name::XForwardedHost, out)),
        }
    }

    fn append(&self, head: &mut Head, scheme: &[u8], scratch: &[u8]) {
        let mut append = |id: Name, name: &[u8], value: &[u8]| {
            if !value.is_empty() {
                head.append_known(id, name, value);
            }
        };
        append(Name::XRequestId, b"X-Request-ID", &scratch[self.request_id.clone()]);
        append(Name::XRealIp, b"X-Real-IP", &scratch[self.client.clone()]);
        append(Name::XForwardedFor, b"X-Forwarded-For", &scratch[self.client.clone()]);
        append(Name::XForwardedHost, b"X-Forwarded-Host", &scratch[self.host.clone()]);
        append(Name::XForwardedPort, b"X-Forwarded-Port", &scratch[self.port.clone()]);
        append(Name::XForwardedProto, b"X-Forwarded-Proto", scheme);
        append(Name::XForwardedScheme, b"X-Forwarded-Scheme", scheme);
        append(Name::XScheme, b"X-Scheme", scheme);
        append(
            Name::XOriginalForwardedFor,
            b"X-Original-Forwarded-For",
            &scratch[self.original_for.clone()],
        );
        append(
            Name::XOriginalForwardedHost,
            b"X-Original-Forwarded-Host",
            &scratch[self.original_host.clone()],
        );
    }
}

/// What `push` adds.
fn range(scratch: &mut Vec<u8>, push: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
    let start = scratch.len();
    push(scratch);
    start..scratch.len()
}

/// All lines of a name as one list.
fn push_list(head: &Head, id: Name, out: &mut Vec<u8>) {
    for (index, value) in head.values(id).enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(value);
    }
}

fn push_request_id(head: &Head, out: &mut Vec<u8>) {
    match head.get(Name::XRequestId).filter(|id| is_sane(id)) {
        Some(id) => out.extend_from_slice(id),
        None => out.extend_from_slice(&random_id()),
    }
}

/// 32 hexadecimal characters.
fn random_id() -> [u8; 32] {
    let mut id = [0; 32];
    for (pair, byte) in id.chunks_exact_mut(2).zip(fastrand::u128(..).to_be_bytes()) {
        pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
        pair[1] = b"0123456789abcdef"[usize::from(byte & 15)];
    }
    id
}

/// An address as text. The common kind is written out here: the formatting machinery takes five times as long.
fn push_address(address: IpAddr, out: &mut Vec<u8>) {
    let IpAddr::V4(v4) = address else {
        return write!(out, "{address}").expect("writing to memory does not fail");
    };
    for (index, octet) in v4.octets().into_iter().enumerate() {
        if index > 0 {
            out.push(b'.');
        }
        out.extend_from_slice(itoa::Buffer::new().format(octet).as_bytes());
    }
}

fn is_sane(id: &[u8]) -> bool {
    !id.is_empty() && id.len() <= LONGEST_ID && id.iter().all(u8::is_ascii_graphic)
}

/// True for the names that are ours to write, or nobody's.
fn is_ours(id: Name) -> bool {
    matches!(
        id,
        Name::Proxy
            | Name::SslClientCert
            | Name::SslClientIssuerDn
            | Name::SslClientSubjectDn
            | Name::SslClientVerify
            | Name::XForwardedFor
            | Name::XForwardedHost
            | Name::XForwardedPort
            | Name::XForwardedPrefix
            | Name::XForwardedProto
            | Name::XForwardedScheme
            | Name::XOriginalForwardedFor
            | Name::XOriginalForwardedHost
            | Name::XRealIp
            | Name::XRequestId
            | Name::XScheme
    )
}

/// Whether a name that the engine does not know may reach the backend.
fn may_pass(name: &[u8], trusted: bool, underscores: bool) -> bool {
    if starts_with(name, b"ssl-client-") || (!trusted && starts_with(name, b"x-forwarded-")) {
        return false;
    }
    let plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    plain || ((underscores || !name.contains(&b'_')) && !is_disguised(name))
}

/// True for a name that is one of ours once its punctuation is mapped, as CGI and WSGI do: `X_Forwarded_For`.
fn is_disguised(name: &[u8]) -> bool {
    let mut mapped = [b'-'; LONGEST_NAME];
    let Some(mapped) = mapped.get_mut(..name.len()) else {
        return false;
    };
    for (to, from) in mapped.iter_mut().zip(name) {
        if from.is_ascii_alphanumeric() {
            *to = *from;
        }
    }
    let id = Name::of(mapped);
    is_ours(id) || id == Name::Forwarded || starts_with(mapped, b"ssl-client-") || starts_with(mapped, b"x-forwarded-")
}

fn starts_with(name: &[u8], prefix: &[u8]) -> bool {
    name.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Scene;

    const ID: &str = "X-Request-ID: id-1\n";
    const ADDRESS: &str = "X-Real-IP: 192.0.2.7\nX-Forwarded-For: 192.0.2.7\n";
    const PLAIN: &str = "X-Forwarded-Port: 80\nX-Forwarded-Proto: http\nX-Forwarded-Scheme: http\nX-Scheme: http\n";

    /// What comes of these lines, without the request line and Host.
    fn lines(scene: &Scene, lines: &str) -> String {
        let came = scene.step(
            "forwarded headers",
            &format!("GET /a HTTP/1.1\nHost: shop.example\n{lines}\n"),
        );
        came.strip_prefix("GET /a HTTP/1.1\nHost: shop.example\n")
            .expect("the start stays")
            .to_owned()
    }

    fn trusting() -> Scene {
        let mut scene = Scene::default();
        scene.settings.trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
        scene
    }

    #[test]
    fn the_backend_is_told_who_asked_how_and_for_what() {
        let came = lines(&Scene::default(), &format!("Accept: */*\n{ID}"));
        assert_eq!(
            came,
            format!("Accept: */*\n{ID}{ADDRESS}X-Forwarded-Host: shop.example\n{PLAIN}\n")
        );
        let scene = Scene {
            tls: true,
            peer: "[2001:db8::7]:4",
            ..Scene::default()
        };
        let head = format!("GET / HTTP/1.1\nHost: shop.example:8443\n{ID}\n");
        let told = "X-Real-IP: 2001:db8::7\nX-Forwarded-For: 2001:db8::7\nX-Forwarded-Host: shop.example:8443\n\
                    X-Forwarded-Port: 443\nX-Forwarded-Proto: https\nX-Forwarded-Scheme: https\nX-Scheme: https\n";
        assert_eq!(
            scene.step("forwarded headers", &head),
            format!("GET / HTTP/1.1\nHost: shop.example:8443\n{ID}{told}\n")
        );
    }

    #[test]
    fn what_a_client_says_of_itself_is_passed_on_as_that_and_no_more() {
        let sent = "X-Forwarded-For: 127.0.0.1, 10.0.0.1\nx-forwarded-for: 10.0.0.2\nX-Forwarded-Host: evil.example\n\
                    X-Forwarded-Port: 1\nX-Forwarded-Proto: https\nX-Forwarded-Scheme: https\nX-Scheme: https\n\
                    X-Real-IP: 127.0.0.1\nX-Original-Forwarded-For: 127.0.0.1\nX-Original-Forwarded-Host: evil.example\n\
                    X-Forwarded-Prefix: /evil\nX-Forwarded-User: root\nForwarded: for=127.0.0.1\nX-Kept: yes\n";
        let told = format!(
            "X-Kept: yes\n{ID}{ADDRESS}X-Forwarded-Host: shop.example\n{PLAIN}\
             X-Original-Forwarded-For: 127.0.0.1, 10.0.0.1, 10.0.0.2\nX-Original-Forwarded-Host: evil.example\n\n"
        );
        assert_eq!(lines(&Scene::default(), &format!("{sent}{ID}")), told);
    }

    #[test]
    fn what_a_trusted_proxy_says_is_believed() {
        let sent = "X-Forwarded-For: 203.0.113.9, 192.0.2.8\nX-Forwarded-Host: www.example, inner.example\n\
                    X-Forwarded-Port: 8443\nX-Forwarded-Proto: https\nX-Forwarded-Prefix: /shop\nX-Forwarded-User: ann\n\
                    Forwarded: for=203.0.113.9\nX-Real-IP: 1.2.3.4\n";
        let told = format!(
            "X-Forwarded-Prefix: /shop\nX-Forwarded-User: ann\nForwarded: for=203.0.113.9\n{ID}\
             X-Real-IP: 203.0.113.9\nX-Forwarded-For: 203.0.113.9\nX-Forwarded-Host: www.example\n\
             X-Forwarded-Port: 8443\nX-Forwarded-Proto: https\nX-Forwarded-Scheme: https\nX-Scheme: https\n\
             X-Original-Forwarded-For: 203.0.113.9, 192.0.2.8\nX-Original-Forwarded-Host: www.example, inner.example\n\n"
        );
        assert_eq!(lines(&trusting(), &format!("{sent}{ID}")), told);
    }

    #[test]
    fn rubbish_of_a_trusted_proxy_is_not() {
        let sent = "X-Forwarded-For: unknown\nX-Forwarded-Host: a/b\nX-Forwarded-Port: 0\nX-Forwarded-Proto: gopher\n";
        let told = format!(
            "{ID}{ADDRESS}X-Forwarded-Host: shop.example\n{PLAIN}\
             X-Original-Forwarded-For: unknown\nX-Original-Forwarded-Host: a/b\n\n"
        );
        assert_eq!(lines(&trusting(), &format!("{sent}{ID}")), told);
        for port in ["65536", "-1", "8o", "+80", ""] {
            let came = lines(&trusting(), &format!("X-Forwarded-Port: {port}\n"));
            assert!(came.contains("\nX-Forwarded-Port: 80\n"), "{port}: {came}");
        }
    }

    #[test]
    fn names_that_are_never_a_clients() {
        let never = "Proxy: http://evil.example\nPROXY: x\nssl-client-verify: SUCCESS\nSSL-Client-Cert: x\n\
                     ssl-client-subject-dn: CN=root\nSsl-Client-Issuer-Dn: x\nssl-client-anything: x\n";
        let told = format!("{ID}{ADDRESS}X-Forwarded-Host: shop.example\n{PLAIN}\n");
        assert_eq!(lines(&Scene::default(), &format!("{never}{ID}")), told);
        let mut scene = trusting();
        scene.settings.underscores_in_headers = true;
        assert_eq!(lines(&scene, &format!("{never}{ID}")), told);
    }

    #[test]
    fn names_with_underscores_and_names_in_disguise() {
        let disguised = "X_Forwarded_For: 1\nx-forwarded_proto: https\nSSL_CLIENT_VERIFY: SUCCESS\nx.real.ip: 1\n\
                         X_Request_Id: 1\nssl_client_x: 1\nx~forwarded~user: root\n";
        let others = "A_b: 1\nc.d: 2\ne_f_g: 3\n";
        let told = format!("{ID}{ADDRESS}X-Forwarded-Host: shop.example\n{PLAIN}\n");
        let mut scene = Scene::default();
        assert_eq!(
            lines(&scene, &format!("{disguised}{others}{ID}")),
            format!("c.d: 2\n{told}")
        );
        scene.settings.underscores_in_headers = true;
        assert_eq!(
            lines(&scene, &format!("{disguised}{others}{ID}")),
            format!("{others}{told}")
        );
        let long = format!("{}_x: 1\n", "a".repeat(100));
        assert_eq!(lines(&scene, &format!("{long}{ID}")), format!("{long}{told}"));
    }

    #[test]
    fn the_request_id_is_the_clients_if_it_is_sane() {
        let id = |came: String| {
            let line = came
                .lines()
                .find_map(|line| line.strip_prefix("X-Request-ID: "))
                .expect("an id")
                .to_owned();
            assert_eq!(came.to_ascii_lowercase().matches("x-request-id").count(), 1, "{came}");
            line
        };
        let scene = Scene::default();
        let longest = "a".repeat(128);
        for sane in ["a", "01234567-89ab", "{x};\"y\"", longest.as_str()] {
            assert_eq!(
                id(lines(&scene, &format!("X-Request-ID: {sane}\nx-request-id: second\n"))),
                sane
            );
        }
        let too_long = "a".repeat(129);
        let made: Vec<String> = ["", "a b", "a\tb", "é", too_long.as_str()]
            .iter()
            .map(|strange| id(lines(&scene, &format!("X-Request-ID: {strange}\n"))))
            .collect();
        for (index, id) in made.iter().enumerate() {
            assert_eq!(id.len(), 32);
            assert!(
                id.bytes()
                    .all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f')),
                "{id}"
            );
            assert!(!made[..index].contains(id), "each has its own");
        }
    }

    #[test]
    fn the_prefix_of_the_route() {
        let mut scene = trusting();
        scene.policy.x_forwarded_prefix = Some("/shop".into());
        let came = lines(&scene, &format!("X-Forwarded-Prefix: /evil\n{ID}"));
        let told = format!("{ID}{ADDRESS}X-Forwarded-Host: shop.example\n{PLAIN}X-Forwarded-Prefix: /shop\n\n");
        assert_eq!(came, told);
        scene.policy.x_forwarded_prefix = Some("/a\r\nX: y".into());
        assert!(!lines(&scene, ID).contains("X-Forwarded-Prefix"));
    }

    #[test]
    fn an_address_is_written_as_everywhere_else() {
        for address in [
            "0.0.0.0",
            "10.0.0.2",
            "192.168.100.255",
            "255.255.255.255",
            "::",
            "2001:db8::1",
            "fe80::1:2",
        ] {
            let mut out = Vec::new();
            super::push_address(address.parse().unwrap(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), address);
        }
    }

    #[test]
    fn a_request_without_host_is_for_no_host() {
        let came = Scene::default().step("forwarded headers", &format!("GET / HTTP/1.0\n{ID}\n"));
        assert_eq!(came, format!("GET / HTTP/1.1\nHost: \n{ID}{ADDRESS}{PLAIN}\n"));
    }
}
