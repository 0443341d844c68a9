//! What is believed of what a client says about itself: nothing, unless it is one of the trusted proxies.

use super::Exchange;
use super::clean::is_host;
use super::source_range::is_within;
use crate::conn::ConnInfo;
use fastingress_http1::{Head, Name};
use fastingress_route::schema::Settings;
use std::net::{IpAddr, SocketAddr};

/// True when the other end of the connection is a trusted proxy.
pub(super) fn is_trusted(conn: &ConnInfo, settings: &Settings) -> bool {
    !settings.trusted_proxies.is_empty() && is_within(conn.peer.ip(), &settings.trusted_proxies)
}

/// Who asks, and whether over https: the connection's own, or what trusted proxies say of it.
pub fn client_of(head: &Head, conn: &ConnInfo, settings: &Settings) -> (IpAddr, bool) {
    let (peer, tls) = (conn.peer.ip().to_canonical(), conn.is_https());
    if !is_trusted(conn, settings) {
        return (peer, tls);
    }
    (
        forwarded_for(head, settings).unwrap_or(peer),
        forwarded_https(head).unwrap_or(tls),
    )
}

/// The client that a chain of trusted proxies speaks for: the rightmost address that is not a trusted proxy itself, or
/// the leftmost if all are. Nothing is believed that stands left of an entry that is no address.
fn forwarded_for(head: &Head, settings: &Settings) -> Option<IpAddr> {
    let mut client: Option<(IpAddr, bool)> = None;
    for entry in head.values(Name::XForwardedFor).flat_map(items) {
        client = match address(entry) {
            None => None,
            Some(address) => {
                let trusted = is_within(address, &settings.trusted_proxies);
                match client {
                    Some(left) if trusted => Some(left),
                    _ => Some((address, trusted)),
                }
            }
        };
    }
    client.map(|(address, _)| address)
}

/// What the first item of X-Forwarded-Proto says, if it says something known.
fn forwarded_https(head: &Head) -> Option<bool> {
    let first = items(head.get(Name::XForwardedProto)?).next()?;
    let is = |scheme: &[u8]| first.eq_ignore_ascii_case(scheme);
    match () {
        () if is(b"https") || is(b"wss") => Some(true),
        () if is(b"http") || is(b"ws") => Some(false),
        () => None,
    }
}

/// The host that the client asked for: what a trusted proxy says, else the request's own. May be empty.
pub(super) fn best_host<'h>(head: &'h Head, exchange: &Exchange<'_>) -> &'h [u8] {
    let forwarded = || {
        items(head.get(Name::XForwardedHost)?)
            .next()
            .filter(|host| is_host(host))
    };
    let trusted = is_trusted(exchange.conn, exchange.settings);
    trusted.then(forwarded).flatten().unwrap_or(head.authority())
}

/// The port that the client spoke to, if a trusted proxy says so.
pub(super) fn forwarded_port(head: &Head) -> Option<u16> {
    let first = items(head.get(Name::XForwardedPort)?).next()?;
    std::str::from_utf8(first).ok()?.parse().ok().filter(|port| *port != 0)
}

/// The elements of a list, without the white space around them and without empty ones.
fn items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| *byte == b',')
        .map(|item| item.trim_ascii())
        .filter(|item| !item.is_empty())
}

/// `a.b.c.d`, `a.b.c.d:port`, `a::b`, `[a::b]`, `[a::b]:port`.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?;
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare
        .parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::super::testing::Scene;

    fn client(trusted: &[&str], lines: &str) -> String {
        let mut scene = Scene {
            peer: "10.0.0.9:40000",
            ..Scene::default()
        };
        scene.settings.trusted_proxies = trusted.iter().map(|network| network.parse().unwrap()).collect();
        scene.client(&format!("GET / HTTP/1.1\nHost: shop.example\n{lines}\n"))
    }

    #[test]
    fn nobody_is_believed_by_default() {
        let lines = "X-Forwarded-For: 203.0.113.9\nX-Forwarded-Proto: https\n";
        assert_eq!(client(&[], lines), "10.0.0.9 http");
        assert_eq!(client(&["10.0.1.0/24"], lines), "10.0.0.9 http");
        assert_eq!(client(&["10.0.0.0/24"], lines), "203.0.113.9 https");
    }

    #[test]
    fn the_client_is_the_rightmost_address_that_is_not_a_trusted_proxy() {
        for (lines, address) in [
            ("", "10.0.0.9"),
            ("X-Forwarded-For: 203.0.113.9\n", "203.0.113.9"),
            ("X-Forwarded-For: 198.51.100.1, 203.0.113.9\n", "203.0.113.9"),
            ("X-Forwarded-For: 203.0.113.9, 10.0.0.2,10.0.0.3\n", "203.0.113.9"),
            ("X-Forwarded-For: 203.0.113.9, 10.0.1.2\n", "10.0.1.2"),
            ("X-Forwarded-For: 10.0.0.1, 10.0.0.2\n", "10.0.0.1"),
            (
                "X-Forwarded-For: 198.51.100.1\nX-Forwarded-For: 203.0.113.9\nX-Forwarded-For: 10.0.0.2\n",
                "203.0.113.9",
            ),
            ("X-Forwarded-For: 203.0.113.9:1234\n", "203.0.113.9"),
            ("X-Forwarded-For: 2001:db8::9\n", "2001:db8::9"),
            ("X-Forwarded-For: [2001:db8::9]\n", "2001:db8::9"),
            ("X-Forwarded-For: [2001:db8::9]:1234\n", "2001:db8::9"),
            ("X-Forwarded-For: ::ffff:203.0.113.9, ::ffff:10.0.0.2\n", "203.0.113.9"),
            ("X-Forwarded-For: 203.0.113.9, , \n", "203.0.113.9"),
            ("X-Forwarded-For:\n", "10.0.0.9"),
        ] {
            assert_eq!(client(&["10.0.0.0/24"], lines), format!("{address} http"), "{lines}");
        }
    }

    #[test]
    fn nothing_is_believed_that_stands_left_of_rubbish() {
        for (lines, address) in [
            ("X-Forwarded-For: 203.0.113.9, unknown\n", "10.0.0.9"),
            ("X-Forwarded-For: 203.0.113.9, unknown, 10.0.0.2\n", "10.0.0.2"),
            ("X-Forwarded-For: unknown, 203.0.113.9\n", "203.0.113.9"),
            ("X-Forwarded-For: 203.0.113.9 10.0.0.2\n", "10.0.0.9"),
            ("X-Forwarded-For: 203.0.113.999\n", "10.0.0.9"),
            ("X-Forwarded-For: 203.0.113.9:99999\n", "10.0.0.9"),
            ("X-Forwarded-For: [::1\n", "10.0.0.9"),
            ("X-Forwarded-For: \u{e9}\n", "10.0.0.9"),
            ("X-Forwarded-For: 0x7f.1\n", "10.0.0.9"),
        ] {
            assert_eq!(client(&["10.0.0.0/24"], lines), format!("{address} http"), "{lines}");
        }
    }

    #[test]
    fn the_scheme_is_the_first_that_is_known() {
        for (value, scheme) in [
            ("https", "https"),
            ("HTTPS", "https"),
            ("wss", "https"),
            ("https, http", "https"),
            ("http, https", "http"),
            ("http", "http"),
            ("", "http"),
            ("gopher", "http"),
            ("httpsx", "http"),
        ] {
            let lines = format!("X-Forwarded-Proto: {value}\n");
            assert_eq!(
                client(&["10.0.0.0/24"], &lines),
                format!("10.0.0.9 {scheme}"),
                "{value}"
            );
        }
        let mut scene = Scene {
            tls: true,
            ..Scene::default()
        };
        scene.settings.trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
        for (value, scheme) in [("http", "http"), ("gopher", "https"), ("", "https")] {
            let head = format!("GET / HTTP/1.1\nHost: shop.example\nX-Forwarded-Proto: {value}\n\n");
            assert_eq!(scene.client(&head), format!("192.0.2.7 {scheme}"), "{value}");
        }
    }

    #[test]
    fn a_mapped_peer_is_its_ipv4_self() {
        let mut scene = Scene {
            peer: "[::ffff:10.0.0.9]:40000",
            ..Scene::default()
        };
        let head = "GET / HTTP/1.1\nHost: shop.example\nX-Forwarded-For: 203.0.113.9\n\n";
        assert_eq!(scene.client(head), "10.0.0.9 http");
        scene.settings.trusted_proxies = vec!["10.0.0.0/24".parse().unwrap()];
        assert_eq!(scene.client(head), "203.0.113.9 http");
    }
}
