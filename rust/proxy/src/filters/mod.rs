//! The policies of a route at work, in one order.
//!
//! On the request head, each step lets the request go on or answers it. The order, which is the list [`REQUEST`] below:
//!
//! 1. **host redirect**: to the `www.` twin (`from-to-www-redirect`), scheme and target kept
//! 2. **https redirect**: plain requests, when asked for (`ssl-redirect`, `force-ssl-redirect`)
//! 3. **client certificate**: a missing or bad one is refused (`auth-tls-*`)
//! 4. **app root**: exactly `/` goes to `app-root`
//! 5. **redirect**: everything goes to a fixed place (`temporal-redirect`, `permanent-redirect`)
//! 6. **deny**: `denylist-source-range`
//! 7. **allow**: `allowlist-source-range`
//! 8. **body limit**: a stated length over `proxy-body-size`
//! 9. **rewrite**: `rewrite-target`
//! 10. **forwarded headers**: who asked, how, and for what; what a client may not say about itself is taken out
//! 11. **client headers**: how the client's certificate stands, where one is asked for
//! 12. **vhost**: the Host that the backend sees (`upstream-vhost`)
//! 13. **header edits**: `request-headers-remove`, `-set`, `-add`
//!
//! On the response head: `Strict-Transport-Security` over TLS, the backend's `Server` is hidden, then `response-headers-remove`, `-set`, `-add`.
//!
//! The redirects come before the source ranges, as in ingress-nginx: a redirect tells nothing that is worth keeping from anyone.
//! The one to https comes before certificates are asked for, since on the plain port nobody can show one.
//! Nothing here does I/O, reads a clock, or allocates for a request that goes on.

mod body_limit;
mod clean;
mod client_certificate;
mod forwarded;
mod headers;
mod hsts;
mod redirect;
mod rewrite;
mod source_range;
#[cfg(test)]
mod testing;
mod timeouts;
mod trust;
mod vhost;

pub use body_limit::body_limit;
pub use hsts::hsts;
pub(crate) use source_range::is_within;
pub use timeouts::{connect_timeout, read_timeout, send_timeout};
pub use trust::client_of;

use crate::conn::ConnInfo;
use crate::tls::client_auth::Admission;
use fastingress_http1::Head;
use fastingress_route::Route;
use fastingress_route::schema::Settings;
use std::net::IpAddr;

/// What the filters know of a request beside its head.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// The connection it came on.
    pub conn: &'a ConnInfo,
    /// The route that takes it.
    pub route: &'a Route,
    /// The settings of the route's scope, as they are now.
    pub settings: &'a Settings,
    /// The host has a certificate of its own.
    pub host_has_certificate: bool,
    /// How the client stands, where its certificate is asked for.
    pub admission: Option<&'a Admission>,
    /// The path in match form.
    pub path: &'a [u8],
    /// The length that the request states for its body.
    pub content_length: Option<u64>,
    /// Who asks, after a trusted `X-Forwarded-For`; from [`client_of`].
    pub client: IpAddr,
    /// How, after a trusted `X-Forwarded-Proto`; from [`client_of`].
    pub https: bool,
}

impl Exchange<'_> {
    fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }
}

/// What a step says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The request goes on.
    Continue,
    /// It is answered here.
    Respond(Local),
}

/// An answer made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// Its status.
    pub status: u16,
    /// Its Location: visible ASCII alone.
    pub location: Option<Vec<u8>>,
    /// A stable word for logs and metrics.
    pub reason: &'static str,
}

impl Verdict {
    fn refuse(status: u16, reason: &'static str) -> Self {
        Verdict::Respond(Local {
            status,
            location: None,
            reason,
        })
    }

    fn redirect(status: u16, location: Vec<u8>, reason: &'static str) -> Self {
        Verdict::Respond(Local {
            status,
            location: Some(location),
            reason,
        })
    }
}

/// One step on a request head. The last argument is memory to use and to leave in any state.
type Step = fn(&mut Head, &Exchange<'_>, &mut Vec<u8>) -> Verdict;

/// All steps on a request head, in their order.
pub const REQUEST: [(&str, Step); 13] = [
    ("host redirect", redirect::to_host),
    ("https redirect", redirect::to_https),
    ("client certificate", client_certificate::require),
    ("app root", redirect::to_app_root),
    ("redirect", redirect::to_fixed_place),
    ("deny", source_range::deny),
    ("allow", source_range::allow),
    ("body limit", body_limit::stated),
    ("rewrite", rewrite::rewrite),
    ("forwarded headers", forwarded::replace),
    ("client headers", client_certificate::tell),
    ("vhost", vhost::replace),
    ("header edits", headers::edit_request),
];

/// Puts a request head through all steps, up to the first that answers. Hop-by-hop lines are to be gone from it before.
pub fn on_request(head: &mut Head, exchange: &Exchange<'_>, scratch: &mut Vec<u8>) -> Verdict {
    for (_, step) in REQUEST {
        let verdict = step(head, exchange, scratch);
        if verdict != Verdict::Continue {
            return verdict;
        }
    }
    Verdict::Continue
}

/// Puts the head of a backend's answer through the steps of the response.
pub fn on_response(head: &mut Head, route: &Route) {
    headers::hide_server(head);
    headers::edit_response(head, route);
}

#[cfg(test)]
mod tests {
    use super::testing::Scene;
    use super::*;
    use fastingress_route::schema::{HeaderEdits, Policy, Redirect};
    use proptest::prelude::*;

    #[test]
    fn the_order_is_the_one_in_the_heading() {
        let heading: Vec<&str> = include_str!("mod.rs")
            .lines()
            .filter_map(|line| {
                line.strip_prefix("//! ")?
                    .split_once(". **")?
                    .1
                    .split_once("**")
                    .map(|(name, _)| name)
            })
            .collect();
        assert_eq!(heading, REQUEST.map(|(name, _)| name));
    }

    /// Everything at once: each step answers in its turn, once those before it have nothing to say.
    #[test]
    fn the_first_step_that_answers_decides() {
        let everyone = vec!["0.0.0.0/0".parse().unwrap()];
        let mut scene = Scene {
            host_has_certificate: true,
            ..Scene::default()
        };
        scene.policy = Policy {
            redirect_host: Some("www.shop.example".into()),
            app_root: Some("/app".into()),
            redirect: Some(Redirect {
                location: "/elsewhere".into(),
                code: 301,
            }),
            deny: everyone.clone(),
            allow: vec!["198.51.100.0/24".parse().unwrap()],
            body_limit: Some(1),
            rewrite: Some("https://new.example".into()),
            ..Policy::default()
        };
        let head = "POST / HTTP/1.1\nHost: shop.example\nContent-Length: 2\n\n";
        let expect = |scene: &Scene, told: &str| assert_eq!(scene.all(head), told);
        expect(&scene, "308 host_redirect http://www.shop.example/");
        scene.policy.redirect_host = None;
        expect(&scene, "308 https_redirect https://shop.example/");
        scene.host_has_certificate = false;
        expect(&scene, "302 app_root http://shop.example/app");
        scene.policy.app_root = None;
        expect(&scene, "301 redirect /elsewhere");
        scene.policy.redirect = None;
        expect(&scene, "403 source_denied");
        scene.policy.deny.clear();
        expect(&scene, "403 source_not_allowed");
        scene.policy.allow = everyone;
        expect(&scene, "413 body_too_large");
        scene.policy.body_limit = None;
        expect(&scene, "302 rewrite_redirect https://new.example");
        scene.policy.rewrite = Some("/new".into());
        assert!(scene.all(head).starts_with("POST /new HTTP/1.1\nHost: shop.example\n"));
    }

    #[test]
    fn header_edits_come_last_and_see_what_was_forwarded() {
        let mut scene = Scene::default();
        scene.policy.upstream_vhost = Some("vhost.example".into());
        scene.policy.request_headers = HeaderEdits {
            remove: vec!["x-real-ip".into(), "x-scheme".into()],
            set: vec![
                ("x-forwarded-proto".into(), "https".into()),
                ("host".into(), "edited.example".into()),
            ],
            add: Vec::new(),
        };
        let told = "GET / HTTP/1.1\nHost: edited.example\nX-Request-ID: 1\nX-Forwarded-For: 192.0.2.7\n\
                    X-Forwarded-Host: shop.example\nX-Forwarded-Port: 80\nX-Forwarded-Scheme: http\nx-forwarded-proto: https\n\n";
        assert_eq!(
            scene.all("GET / HTTP/1.1\nHost: shop.example\nX-Request-ID: 1\n\n"),
            told
        );
    }

    /// Text that tries to be more than a value, for configuration that nobody checked.
    fn hostile() -> impl Strategy<Value = Box<str>> {
        "(https?://)?[/a$1?&#%\\r\\n\\t\\x00\\x7f é:@.<>\"\\\\]{0,12}".prop_map(String::into_boxed_str)
    }

    proptest! {
        /// The scene checks each head and Location that comes out: one head, no control where none may be.
        #[test]
        fn no_policy_and_no_request_breaks_out_of_its_line(
            texts in prop::array::uniform6(hostile()),
            path in "/x[a-z/%&;=@:!$'()*+,.~<>\"^`{|}\\[\\]-]{0,12}",
            query in "([?][!-~&&[^#]]{0,12})?",
            values in prop::array::uniform4("[\\t !-~é]{0,16}"),
            which in 0..64u8,
            regex: bool,
            trusted: bool,
        ) {
            let [a, b, c, d, e, f] = texts;
            let pick = |bit: u8, text: &str| (which & (1 << bit) != 0).then(|| Box::from(text));
            let edits = || HeaderEdits {
                remove: vec![e.clone()],
                set: vec![(e.clone(), f.clone()), ("x-set".into(), f.clone())],
                add: vec![(f.clone(), e.clone()), ("x-add".into(), e.clone())],
            };
            let mut scene = Scene { rule_path: "/x(.*)", regex, ..Scene::default() };
            scene.policy = Policy {
                rewrite: pick(0, &a),
                redirect: pick(1, &b).map(|location| Redirect { location, code: 302 }),
                redirect_host: pick(2, &c),
                upstream_vhost: pick(3, &d),
                x_forwarded_prefix: pick(4, &a),
                force_ssl_redirect: Some(which & 32 != 0),
                request_headers: edits(),
                response_headers: edits(),
                ..Policy::default()
            };
            if trusted {
                scene.settings.trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
            }
            // Escapes in disorder never come as far as a filter, nor do dots with parameters.
            let path = path.replace('%', "%0a");
            prop_assume!(fastingress_http1::path::normalise(path.as_bytes(), true, &mut Vec::new()).is_ok());
            let [for_, host, id, other] = values;
            let head = format!(
                "GET {path}{query} HTTP/1.1\nHost: shop.example\nX-Forwarded-For:{for_}\nX-Forwarded-Host:{host}\n\
                 X-Request-ID:{id}\nOther_Name:{other}\n\n",
            );
            scene.all(&head);
            scene.answer("HTTP/1.1 200 OK\nContent-Length: 0\n\n");
        }
    }
}
