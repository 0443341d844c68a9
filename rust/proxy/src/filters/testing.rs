//! A scene for the tests of filters: a route, a connection and settings; heads go in as text and come out as text.

use super::{Exchange, Local, REQUEST, Verdict, client_of, on_request, on_response};
use crate::conn::{ConnInfo, TlsInfo};
use fastingress_http1::scan::Limits;
use fastingress_http1::{Framing, Head, Version, encode, path, request, response};
use fastingress_route::schema::{IngressRef, PathKind, Policy, Settings, Upstream};
use fastingress_route::{Ingress, Pattern, Route, SettingsCell, Target};
use std::sync::Arc;

/// Everything around a request. Fields are set by each test.
pub(super) struct Scene {
    pub(super) policy: Policy,
    pub(super) settings: Settings,
    pub(super) rule_host: &'static str,
    pub(super) rule_path: &'static str,
    pub(super) regex: bool,
    pub(super) peer: &'static str,
    pub(super) tls: bool,
    pub(super) host_has_certificate: bool,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            settings: Settings::default(),
            rule_host: "shop.example",
            rule_path: "/",
            regex: false,
            peer: "192.0.2.7:40000",
            tls: false,
            host_has_certificate: false,
        }
    }
}

impl Scene {
    /// Through one step: the head as a backend would get it, or `status reason location`.
    pub(super) fn step(&self, name: &str, head: &str) -> String {
        let (_, step) = REQUEST
            .into_iter()
            .find(|(other, _)| *other == name)
            .expect("a step of this name");
        self.play(head, step)
    }

    /// Through all steps.
    pub(super) fn all(&self, head: &str) -> String {
        self.play(head, on_request)
    }

    /// Who asks and how.
    pub(super) fn client(&self, head: &str) -> String {
        let (head, _) = parse(head);
        let (address, https) = client_of(&head, &self.conn(), &self.settings);
        format!("{address} {}", if https { "https" } else { "http" })
    }

    /// The head of an answer as the client would get it.
    pub(super) fn answer(&self, text: &str) -> String {
        let mut head = Head::new();
        let bytes = text.replace('\n', "\r\n");
        response::parse(bytes.as_bytes(), &Limits::default(), b"GET", false, &mut head).expect("a well-formed answer");
        on_response(&mut head, &self.route());
        let mut out = Vec::new();
        encode::response(&head, Framing::Empty, Version::Http11, true, false, &mut out);
        String::from_utf8(out).expect("text").replace("\r\n", "\n")
    }

    fn play(&self, text: &str, step: impl Fn(&mut Head, &Exchange<'_>, &mut Vec<u8>) -> Verdict) -> String {
        let (mut head, framing) = parse(text);
        let (conn, route) = (self.conn(), self.route());
        let mut normal = Vec::new();
        let normal = path::normalise(head.path(), true, &mut normal)
            .expect("a path in order")
            .to_vec();
        let (client, https) = client_of(&head, &conn, &self.settings);
        let exchange = Exchange {
            conn: &conn,
            route: &route,
            settings: &self.settings,
            host_has_certificate: self.host_has_certificate,
            admission: None,
            path: &normal,
            content_length: match framing {
                Framing::Length(length) => Some(length),
                _ => None,
            },
            client,
            https,
        };
        // Left over from something else.
        let mut scratch = b"\r\nrubbish".to_vec();
        match step(&mut head, &exchange, &mut scratch) {
            Verdict::Continue => encoded(&head, framing),
            Verdict::Respond(local) => told(&local),
        }
    }

    fn conn(&self) -> ConnInfo {
        let tls = TlsInfo {
            sni: None,
            protocol: "TLSv1.3",
            cipher: "TLS_AES_128_GCM_SHA256",
            resumed: false,
            client: None,
        };
        ConnInfo {
            peer: self.peer.parse().expect("an address"),
            port: 8080,
            tls: self.tls.then_some(tls),
            forwarded_port: if self.tls { 443 } else { 80 },
            https_before: false,
        }
    }

    fn route(&self) -> Route {
        let of = IngressRef {
            namespace: "default".into(),
            name: "shop".into(),
            uid: "1".into(),
        };
        Route {
            ingress: Arc::new(Ingress { of, slot: 0 }),
            host: self.rule_host.into(),
            path: self.rule_path.into(),
            kind: if self.regex { PathKind::Regex } else { PathKind::Prefix },
            rule: Some((0, 0)),
            pattern: self
                .regex
                .then(|| Arc::new(Pattern::new(self.rule_path).expect("a pattern in order"))),
            target: Target {
                service: "".into(),
                backend: None,
                upstream: Arc::new(Upstream::default()),
            },
            policy: Arc::new(self.policy.clone()),
            settings: Arc::new(SettingsCell {
                scope: "process".into(),
                now: arc_swap::ArcSwap::from_pointee(self.settings.clone()),
            }),
        }
    }
}

fn parse(text: &str) -> (Head, Framing) {
    let mut head = Head::new();
    let bytes = text.replace('\n', "\r\n");
    let parsed = request::parse(bytes.as_bytes(), &Limits::default(), &mut head).expect("a well-formed request");
    (head, parsed.framing)
}

fn encoded(head: &Head, framing: Framing) -> String {
    let mut out = Vec::new();
    encode::request(head, framing, true, &mut out);
    let text = String::from_utf8(out).expect("text");
    // What comes out is one head: as many lines as the encoder ended, and nothing between.
    assert!(!text.replace("\r\n", "").contains(['\r', '\n', '\0']), "{text:?}");
    assert!(!text.trim_end_matches("\r\n").contains("\r\n\r\n"), "{text:?}");
    text.replace("\r\n", "\n")
}

fn told(local: &Local) -> String {
    let location = local.location.as_deref().unwrap_or_default();
    assert!(location.iter().all(u8::is_ascii_graphic), "{location:?}");
    let location = String::from_utf8_lossy(location);
    format!("{} {} {location}", local.status, local.reason)
        .trim_end()
        .to_owned()
}
