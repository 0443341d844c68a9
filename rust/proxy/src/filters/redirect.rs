//! Answers that send the client elsewhere: the other host, https, the application's root, a fixed place.

use super::clean::{is_host, push_uri};
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
    push_uri(&mut location, host);
    push_uri(&mut location, target);
    location
}

fn relative(reference: &[u8]) -> Vec<u8> {
    let mut location = Vec::with_capacity(reference.len());
    push_uri(&mut location, reference);
    location
}
