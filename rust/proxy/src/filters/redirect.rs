//! Answers that send the client elsewhere: the other host, https, the application's root, a fixed place.

use super::clean::{is_host, push, uri};
use super::trust::best_host;
use super::{Exchange, Verdict};
use fastingress_http1::Head;
use fastingress_route::schema::Compat;

/// The status of redirects to https and between twins, when the one configured is none.
const DEFAULT_CODE: u16 = 308;

/// Every request goes to the configured host, scheme and target kept.
pub(super) fn to_host(head: &mut Head, exchange: &Exchange<'_>, _: &mut Vec<u8>) -> Verdict {
    let Some(host) = &exchange.route.policy.redirect_host else {
        return Verdict::Continue;
    };
    // A host that redirects to itself would never be reached.
    if !is_host(host.as_bytes()) || head.host().eq_ignore_ascii_case(host.as_bytes()) {
        return Verdict::Continue;
    }
    let location = location(exchange.scheme(), host.as_bytes(), target(head));
    Verdict::redirect(code(exchange), location, "host_redirect")
}

/// Plain requests go to https, when that is asked for or when the host has a certificate.
pub(super) fn to_https(head: &mut Head, exchange: &Exchange<'_>, _: &mut Vec<u8>) -> Verdict {
    if exchange.https || !wants_https(exchange) || is_exempt(exchange) {
        return Verdict::Continue;
    }
    let Some(host) = https_host(head, exchange) else {
        return Verdict::refuse(400, "no_host");
    };
    let mut target = target(head);
    if exchange.settings.compat == Compat::IngressNginx {
        target = target.strip_suffix(b"/").unwrap_or(target);
    }
    Verdict::redirect(code(exchange), location("https", host, target), "https_redirect")
}

/// Exactly `/` goes to the application's root.
pub(super) fn to_app_root(head: &mut Head, exchange: &Exchange<'_>, _: &mut Vec<u8>) -> Verdict {
    let Some(root) = &exchange.route.policy.app_root else {
        return Verdict::Continue;
    };
    if exchange.path != b"/" || &**root == "/" || !root.starts_with('/') {
        return Verdict::Continue;
    }
    let location = match head.authority() {
        // Without a Host the location is relative to whatever the client believes it asked.
        b"" => relative(root.as_bytes()),
        authority => location(exchange.scheme(), authority, root.as_bytes()),
    };
    Verdict::redirect(302, location, "app_root")
}

/// Everything goes to a fixed place.
pub(super) fn to_fixed_place(_: &mut Head, exchange: &Exchange<'_>, _: &mut Vec<u8>) -> Verdict {
    let Some(redirect) = &exchange.route.policy.redirect else {
        return Verdict::Continue;
    };
    let code = if (300..=308).contains(&redirect.code) {
        redirect.code
    } else {
        302
    };
    Verdict::redirect(code, relative(redirect.location.as_bytes()), "redirect")
}

fn wants_https(exchange: &Exchange<'_>) -> bool {
    let Exchange { route, settings, .. } = exchange;
    let forced = route.policy.force_ssl_redirect.unwrap_or(settings.force_ssl_redirect);
    let wanted = route.policy.ssl_redirect.unwrap_or(settings.ssl_redirect);
    forced || (wanted && exchange.host_has_certificate)
}

/// True below a path that stays plain, by path element.
fn is_exempt(exchange: &Exchange<'_>) -> bool {
    exchange
        .settings
        .no_tls_redirect
        .iter()
        .filter(|prefix| !prefix.is_empty())
        .any(|prefix| {
            let prefix = prefix.trim_end_matches('/').as_bytes();
            exchange
                .path
                .strip_prefix(prefix)
                .is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
        })
}

/// The host that the client asked for, else the one of the rule, without a port.
fn https_host<'h>(head: &'h Head, exchange: &Exchange<'h>) -> Option<&'h [u8]> {
    let asked = without_port(best_host(head, exchange));
    let rule = exchange.route.host.as_bytes();
    [asked, rule].into_iter().find(|host| is_host(host))
}

/// A host without its port; an IPv6 address keeps its brackets.
fn without_port(host: &[u8]) -> &[u8] {
    match memchr::memrchr(b':', host) {
        Some(at) if !host[at..].contains(&b']') => &host[..at],
        _ => host,
    }
}

/// The request target; nothing for `*`, which is about the server as a whole.
fn target(head: &Head) -> &[u8] {
    Some(head.target())
        .filter(|target| target.starts_with(b"/"))
        .unwrap_or_default()
}

fn code(exchange: &Exchange<'_>) -> u16 {
    Some(exchange.settings.redirect_code)
        .filter(|code| (300..=308).contains(code))
        .unwrap_or(DEFAULT_CODE)
}

fn location(scheme: &str, host: &[u8], target: &[u8]) -> Vec<u8> {
    let mut location = Vec::with_capacity(scheme.len() + host.len() + target.len() + 3);
    location.extend_from_slice(scheme.as_bytes());
    location.extend_from_slice(b"://");
    push(&mut location, host, uri);
    push(&mut location, target, uri);
    location
}

fn relative(reference: &[u8]) -> Vec<u8> {
    let mut location = Vec::with_capacity(reference.len());
    push(&mut location, reference, uri);
    location
}

#[cfg(test)]
mod tests {
    use super::super::testing::Scene;
    use fastingress_route::schema::{Compat, Policy, Redirect, Settings};

    fn get(target: &str) -> String {
        format!("GET {target} HTTP/1.1\nHost: Shop.example:8080\n\n")
    }

    fn passed(target: &str) -> String {
        get(target)
    }

    fn forced() -> Scene {
        Scene {
            policy: Policy {
                force_ssl_redirect: Some(true),
                ..Policy::default()
            },
            ..Scene::default()
        }
    }

    #[test]
    fn to_https_when_the_host_has_a_certificate_or_when_forced() {
        let told = "308 https_redirect https://Shop.example/a?b=c/";
        // host has a certificate, ssl-redirect and force-ssl-redirect of policy and settings, over TLS; what comes of it
        for (certificate, policy, settings, tls, redirects) in [
            (false, (None, None), (true, false), false, false),
            (true, (None, None), (true, false), false, true),
            (true, (None, None), (false, false), false, false),
            (true, (Some(false), None), (true, false), false, false),
            (true, (Some(true), None), (false, false), false, true),
            (false, (Some(true), None), (true, false), false, false),
            (false, (None, Some(true)), (true, false), false, true),
            (false, (Some(false), Some(true)), (false, false), false, true),
            (false, (None, None), (false, true), false, true),
            (false, (None, Some(false)), (false, true), false, false),
            (true, (Some(true), Some(true)), (true, true), true, false),
        ] {
            let scene = Scene {
                host_has_certificate: certificate,
                policy: Policy {
                    ssl_redirect: policy.0,
                    force_ssl_redirect: policy.1,
                    ..Policy::default()
                },
                settings: Settings {
                    ssl_redirect: settings.0,
                    force_ssl_redirect: settings.1,
                    ..Settings::default()
                },
                tls,
                ..Scene::default()
            };
            let came = scene.step("https redirect", &get("/a?b=c/"));
            let expected = if redirects { told.to_owned() } else { passed("/a?b=c/") };
            assert_eq!(came, expected, "{certificate} {policy:?} {settings:?} {tls}");
        }
    }

    #[test]
    fn to_https_keeps_the_target_and_under_ingress_nginx_loses_one_slash_at_its_end() {
        for (target, strict, nginx) in [
            ("/", "https://Shop.example/", "https://Shop.example"),
            ("/a", "https://Shop.example/a", "https://Shop.example/a"),
            ("/a/", "https://Shop.example/a/", "https://Shop.example/a"),
            ("/a//", "https://Shop.example/a//", "https://Shop.example/a/"),
            ("/a?b=/", "https://Shop.example/a?b=/", "https://Shop.example/a?b="),
            (
                "/%2e/%0d%0aSet-Cookie:x",
                "https://Shop.example/%2e/%0d%0aSet-Cookie:x",
                "https://Shop.example/%2e/%0d%0aSet-Cookie:x",
            ),
            (
                r#"/\evil"<>"#,
                "https://Shop.example/%5Cevil%22%3C%3E",
                "https://Shop.example/%5Cevil%22%3C%3E",
            ),
            (
                "//evil.example/x",
                "https://Shop.example//evil.example/x",
                "https://Shop.example//evil.example/x",
            ),
        ] {
            let mut scene = forced();
            assert_eq!(
                scene.step("https redirect", &get(target)),
                format!("308 https_redirect {strict}")
            );
            scene.settings.compat = Compat::IngressNginx;
            assert_eq!(
                scene.step("https redirect", &get(target)),
                format!("308 https_redirect {nginx}")
            );
        }
    }

    #[test]
    fn to_https_uses_the_host_that_was_asked_for() {
        let mut scene = forced();
        for (head, told) in [
            (
                "GET /a HTTP/1.1\nHost: [2001:db8::1]:80\n\n",
                "308 https_redirect https://[2001:db8::1]/a",
            ),
            (
                "GET http://other.example:80/a HTTP/1.1\nHost: x.example\n\n",
                "308 https_redirect https://other.example/a",
            ),
            (
                "OPTIONS * HTTP/1.1\nHost: x.example\n\n",
                "308 https_redirect https://x.example",
            ),
            (
                "GET /a HTTP/1.1\nHost: x.example\nX-Forwarded-Host: evil.example\n\n",
                "308 https_redirect https://x.example/a",
            ),
            ("GET /a HTTP/1.0\n\n", "308 https_redirect https://shop.example/a"),
        ] {
            assert_eq!(scene.step("https redirect", head), told);
        }
        scene.rule_host = "*.example";
        assert_eq!(scene.step("https redirect", "GET /a HTTP/1.0\n\n"), "400 no_host");
        scene.rule_host = "";
        assert_eq!(scene.step("https redirect", "GET /a HTTP/1.0\n\n"), "400 no_host");
    }

    #[test]
    fn to_https_believes_trusted_proxies() {
        let mut scene = forced();
        let head = "GET /a HTTP/1.1\nHost: x.example\nX-Forwarded-Proto: https\n\n";
        assert_eq!(
            scene.step("https redirect", head),
            "308 https_redirect https://x.example/a"
        );
        scene.settings.trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
        assert_eq!(scene.step("https redirect", head), head);
        for (forwarded, host) in [
            ("shop.example:8443, inner.example", "shop.example"),
            ("evil.example/path", "x.example"),
            ("user@evil.example", "x.example"),
            ("", "x.example"),
        ] {
            let head = format!("GET /a HTTP/1.1\nHost: x.example\nX-Forwarded-Host: {forwarded}\n\n");
            assert_eq!(
                scene.step("https redirect", &head),
                format!("308 https_redirect https://{host}/a")
            );
        }
    }

    #[test]
    fn paths_that_stay_plain_are_matched_by_element_in_match_form() {
        let mut scene = forced();
        for (target, redirects) in [
            ("/.well-known/acme-challenge", false),
            ("/.well-known/acme-challenge/token?x", false),
            ("/%2ewell-known/acme-challenge/token", false),
            ("/.well-known/acme-challenges", true),
            ("/.well-known/acme-challenge/../admin", true),
            ("/x/.well-known/acme-challenge/", true),
        ] {
            let came = scene.step("https redirect", &get(target));
            assert_eq!(came.starts_with("308"), redirects, "{target}: {came}");
        }
        scene.settings.no_tls_redirect = vec!["".into()];
        assert!(
            scene.step("https redirect", &get("/a")).starts_with("308"),
            "an empty prefix exempts nothing"
        );
        scene.settings.no_tls_redirect = vec!["/".into()];
        assert_eq!(scene.step("https redirect", &get("/a")), passed("/a"));
    }

    #[test]
    fn the_status_is_the_configured_one_if_it_is_a_redirect() {
        for (code, used) in [
            (301, 301),
            (302, 302),
            (307, 307),
            (308, 308),
            (200, 308),
            (0, 308),
            (309, 308),
        ] {
            let mut scene = forced();
            scene.settings.redirect_code = code;
            scene.policy.redirect_host = Some("www.shop.example".into());
            assert!(
                scene.step("https redirect", &get("/")).starts_with(&format!("{used} ")),
                "{code}"
            );
            assert!(
                scene.step("host redirect", &get("/")).starts_with(&format!("{used} ")),
                "{code}"
            );
        }
    }

    #[test]
    fn to_the_twin_host_with_scheme_and_target() {
        let mut scene = Scene::default();
        scene.policy.redirect_host = Some("www.shop.example".into());
        let told = |scheme: &str, rest: &str| format!("308 host_redirect {scheme}://www.shop.example{rest}");
        assert_eq!(scene.all(&get("/a/?b")), told("http", "/a/?b"));
        assert_eq!(
            scene.all("OPTIONS * HTTP/1.1\nHost: shop.example\n\n"),
            told("http", "")
        );
        scene.tls = true;
        assert_eq!(scene.all(&get("/a/?b")), told("https", "/a/?b"));
        let own = "GET / HTTP/1.1\nHost: WWW.shop.example:80\n\n";
        assert_eq!(scene.step("host redirect", own), own, "no host redirects to itself");
        scene.policy.redirect_host = Some("evil.example/\r\nx".into());
        assert_eq!(
            scene.step("host redirect", &get("/")),
            passed("/"),
            "what is no host is no place to go"
        );
    }

    #[test]
    fn to_the_application_root_from_the_root_alone() {
        let mut scene = Scene::default();
        scene.policy.app_root = Some("/shop".into());
        for (target, told) in [
            ("/", Some("302 app_root http://Shop.example:8080/shop")),
            ("/?a=b", Some("302 app_root http://Shop.example:8080/shop")),
            ("/./", Some("302 app_root http://Shop.example:8080/shop")),
            ("/a", None),
            ("/shop", None),
        ] {
            assert_eq!(
                scene.step("app root", &get(target)),
                told.map_or(passed(target), str::to_owned)
            );
        }
        assert_eq!(scene.step("app root", "GET / HTTP/1.0\n\n"), "302 app_root /shop");
        scene.tls = true;
        scene.policy.app_root = Some("/a b\r\nX: y".into());
        assert_eq!(
            scene.step("app root", &get("/")),
            "302 app_root https://Shop.example:8080/a%20b%0D%0AX:%20y"
        );
        for nowhere in ["/", "", "shop"] {
            scene.policy.app_root = Some(nowhere.into());
            assert_eq!(scene.step("app root", &get("/")), passed("/"), "{nowhere}");
        }
    }

    #[test]
    fn to_a_fixed_place_as_written() {
        for (location, code, told) in [
            ("https://new.example/", 301, "301 redirect https://new.example/"),
            ("/elsewhere?a=b#c", 302, "302 redirect /elsewhere?a=b#c"),
            (
                "https://new.example/\r\nSet-Cookie: a=b",
                308,
                "308 redirect https://new.example/%0D%0ASet-Cookie:%20a=b",
            ),
            ("https://new.example/é", 307, "307 redirect https://new.example/%C3%A9"),
            ("https://new.example/", 200, "302 redirect https://new.example/"),
        ] {
            let redirect = Some(Redirect {
                location: location.into(),
                code,
            });
            let scene = Scene {
                policy: Policy {
                    redirect,
                    ..Policy::default()
                },
                ..Scene::default()
            };
            assert_eq!(scene.all(&get("/a?b")), told);
        }
    }
}
