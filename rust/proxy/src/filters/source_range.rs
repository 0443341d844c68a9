//! Who may ask at all: networks that are refused, then networks that alone are let in.

use super::{Exchange, Verdict};
use fastingress_http1::Head;
use ipnet::IpNet;
use std::net::IpAddr;

/// Refuses clients of the networks that are denied.
pub(super) fn deny(_: &mut Head, exchange: &Exchange<'_>, _: &mut Vec<u8>) -> Verdict {
    match is_within(exchange.client, &exchange.route.policy.deny) {
        true => Verdict::refuse(403, "source_denied"),
        false => Verdict::Continue,
    }
}

/// Refuses clients of all but the networks that are allowed, if any are named.
pub(super) fn allow(_: &mut Head, exchange: &Exchange<'_>, _: &mut Vec<u8>) -> Verdict {
    let allow = &exchange.route.policy.allow;
    match allow.is_empty() || is_within(exchange.client, allow) {
        true => Verdict::Continue,
        false => Verdict::refuse(403, "source_not_allowed"),
    }
}

/// True when one of the networks holds the address. `::ffff:a.b.c.d` is `a.b.c.d`, on either side.
pub(crate) fn is_within(address: IpAddr, networks: &[IpNet]) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| match (network, address) {
        (IpNet::V6(mapped), IpAddr::V4(v4)) => mapped.contains(&v4.to_ipv6_mapped()) && mapped.prefix_len() >= 96,
        _ => network.contains(&address),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Scene;
    use super::*;

    const HEAD: &str = "GET / HTTP/1.1\nHost: shop.example\n\n";

    /// Allowed, denied, who asks, and what they are told.
    type Case = (
        &'static [&'static str],
        &'static [&'static str],
        &'static str,
        Option<&'static str>,
    );

    fn networks(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().expect("a network")).collect()
    }

    #[test]
    fn denied_before_allowed() {
        let (denied, not_allowed) = ("403 source_denied", "403 source_not_allowed");
        let cases: [Case; 14] = [
            (&[], &[], "192.0.2.7:1", None),
            (&["192.0.2.0/24"], &[], "192.0.2.7:1", None),
            (&["192.0.2.7/32"], &[], "192.0.2.7:1", None),
            (&["198.51.100.0/24"], &[], "192.0.2.7:1", Some(not_allowed)),
            (&["198.51.100.0/24", "192.0.2.0/28"], &[], "192.0.2.7:1", None),
            (&[], &["192.0.2.0/24"], "192.0.2.7:1", Some(denied)),
            (&["192.0.2.0/24"], &["192.0.2.7/32"], "192.0.2.7:1", Some(denied)),
            (&["192.0.2.0/24"], &["192.0.2.8/32"], "192.0.2.7:1", None),
            (&["0.0.0.0/0"], &[], "[2001:db8::1]:1", Some(not_allowed)),
            (&["::/0"], &[], "192.0.2.7:1", Some(not_allowed)),
            (&["::/0"], &[], "[2001:db8::1]:1", None),
            (&["192.0.2.0/24"], &[], "[::ffff:192.0.2.7]:1", None),
            (&[], &["192.0.2.0/24"], "[::ffff:192.0.2.7]:1", Some(denied)),
            (&[], &["::ffff:192.0.2.0/120"], "192.0.2.7:1", Some(denied)),
        ];
        for (allow, deny, peer, told) in cases {
            let mut scene = Scene {
                peer,
                ..Scene::default()
            };
            (scene.policy.allow, scene.policy.deny) = (networks(allow), networks(deny));
            let came = scene.all(HEAD);
            assert_eq!(
                told,
                came.starts_with("403").then_some(&*came),
                "{allow:?} {deny:?} {peer}"
            );
        }
    }

    #[test]
    fn the_client_is_who_a_trusted_proxy_says() {
        let mut scene = Scene::default();
        scene.policy.allow = networks(&["203.0.113.9/32"]);
        let head = "GET / HTTP/1.1\nHost: shop.example\nX-Forwarded-For: 203.0.113.9\n\n";
        assert_eq!(
            scene.all(head),
            "403 source_not_allowed",
            "nobody is believed by default"
        );
        scene.settings.trusted_proxies = networks(&["192.0.2.0/24"]);
        assert!(scene.all(head).starts_with("GET / HTTP/1.1\n"));
        assert_eq!(scene.all(HEAD), "403 source_not_allowed");
        let spoofed = "GET / HTTP/1.1\nHost: shop.example\nX-Forwarded-For: 203.0.113.9, 198.51.100.1\n\n";
        assert_eq!(
            scene.all(spoofed),
            "403 source_not_allowed",
            "what the client itself sent stands left of what the proxy saw"
        );
    }
}
