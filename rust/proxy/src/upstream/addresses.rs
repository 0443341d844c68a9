//! Which addresses a DNS name may lead to.
//!
//! Whoever may write an ExternalName Service chooses where the data path connects to. Without leave, that is nowhere on this
//! machine, on its link, or at a cloud's metadata service, in whatever notation of IPv6 the address comes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Metadata and host services of clouds that are not on a link-local address.
const METADATA: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// True for an address that is this machine, its link, a metadata service, or no destination at all (unspecified, multicast,
/// broadcast).
pub(crate) fn is_local(address: IpAddr) -> bool {
    let address = address.to_canonical();
    METADATA.contains(&address)
        || match address {
            IpAddr::V4(v4) => is_local_v4(v4),
            IpAddr::V6(v6) => is_local_v6(v6) || embedded(v6).is_some_and(|v4| is_local(IpAddr::V4(v4))),
        }
}

fn is_local_v4(v4: Ipv4Addr) -> bool {
    // All of 0.0.0.0/8 is this machine on some systems, and so is 0.0.0.0 on all that matter.
    v4.octets()[0] == 0 || v4.is_loopback() || v4.is_link_local() || v4.is_multicast() || v4.is_broadcast()
}

fn is_local_v6(v6: Ipv6Addr) -> bool {
    v6.is_unspecified() || v6.is_loopback() || v6.is_unicast_link_local() || v6.is_multicast()
}

/// The IPv4 address inside an address of NAT64 (64:ff9b::/96), 6to4 (2002::/16), or the old compatible form (::/96).
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match (a, b) {
        (0x64, 0xff9b) if [c, d, e, f] == [0; 4] => Some(v4(g, h)),
        (0x2002, _) => Some(v4(b, c)),
        (0, 0) if [c, d, e, f] == [0; 4] => Some(v4(g, h)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_and_its_link_in_every_notation() {
        for local in [
            "127.0.0.1",
            "127.255.0.9",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "169.254.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "febf::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "::ffff:100.100.100.200",
            "64:ff9b::168.63.129.16",
        ] {
            assert!(is_local(local.parse().unwrap()), "{local}");
        }
    }

    #[test]
    fn other_addresses_are_allowed_private_ones_too() {
        for other in [
            "10.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "1.1.1.1",
            "100.64.0.1",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.0.1",
            "2001:db8::1",
            "fd00::1",
            "fec0::1",
            "::ffff:10.0.0.1",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ] {
            assert!(!is_local(other.parse().unwrap()), "{other}");
        }
    }
}
