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
    let (peer, tls) = (conn.peer.ip().to_canonical(), conn.tls.is_some());
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
