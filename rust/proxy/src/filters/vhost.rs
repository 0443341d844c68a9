//! The Host that the backend sees, when it is not the one the client asked for.

use super::clean::is_host;
use super::{Exchange, Verdict};
use fastingress_http1::Head;

/// Replaces Host by `upstream-vhost`. Who the request is for stays as it was, for routing and the log.
pub(super) fn replace(head: &mut Head, exchange: &Exchange<'_>, _: &mut Vec<u8>) -> Verdict {
    if let Some(vhost) = exchange
        .route
        .policy
        .upstream_vhost
        .as_deref()
        .filter(|vhost| is_host(vhost.as_bytes()))
    {
        head.set(b"Host", vhost.as_bytes());
    }
    Verdict::Continue
}

#[cfg(test)]
mod tests {
    use super::super::testing::Scene;

    #[test]
    fn the_backend_sees_the_configured_host() {
        let mut scene = Scene::default();
        let head = "GET / HTTP/1.1\nHost: shop.example:8080\nA: b\n\n";
        assert_eq!(scene.step("vhost", head), head);
        scene.policy.upstream_vhost = Some("inner.example:81".into());
        assert_eq!(
            scene.step("vhost", head),
            "GET / HTTP/1.1\nHost: inner.example:81\nA: b\n\n"
        );
        assert_eq!(
            scene.step("vhost", "GET / HTTP/1.0\n\n"),
            "GET / HTTP/1.1\nHost: inner.example:81\n\n"
        );
        let absolute = "GET http://other.example/ HTTP/1.1\nHost: shop.example\n\n";
        assert_eq!(
            scene.step("vhost", absolute),
            "GET / HTTP/1.1\nHost: inner.example:81\n\n"
        );
    }

    #[test]
    fn the_backend_is_told_which_host_was_asked_for() {
        let mut scene = Scene::default();
        scene.policy.upstream_vhost = Some("inner.example".into());
        let came = scene.all("GET / HTTP/1.1\nHost: shop.example\n\n");
        assert!(came.starts_with("GET / HTTP/1.1\nHost: inner.example\n"), "{came}");
        assert!(came.contains("\nX-Forwarded-Host: shop.example\n"), "{came}");
    }

    #[test]
    fn what_is_no_host_is_left_out() {
        for vhost in ["", "a b", "a\r\nX: y", "a/b", "a\0"] {
            let mut scene = Scene::default();
            scene.policy.upstream_vhost = Some(vhost.into());
            let head = "GET / HTTP/1.1\nHost: shop.example\n\n";
            assert_eq!(scene.step("vhost", head), head, "{vhost:?}");
        }
    }
}
