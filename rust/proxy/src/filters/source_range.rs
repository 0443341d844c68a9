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
pub(super) fn is_within(address: IpAddr, networks: &[IpNet]) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| match (network, address) {
        (IpNet::V6(mapped), IpAddr::V4(v4)) => mapped.contains(&v4.to_ipv6_mapped()) && mapped.prefix_len() >= 96,
        _ => network.contains(&address),
    })
}
