//! Telling clients that HTTP/3 is served, and which hosts it is not for.
//!
//! QUIC is always terminated here, and its handshake is over before anybody could ask for a client's certificate. So a
//! host whose TLS goes to its backend unopened, or that asks for certificates, is not announced; whoever asks for it over
//! HTTP/3 all the same is told that the request belongs on another connection (421).

use fastingress_http1::{Head, Version};
use fastingress_route::RouteTable;

/// What HTTP/3 is to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Http3 {
    /// Nothing: it is not served, or the request came without TLS.
    Nothing,
    /// Its answer says where it is.
    Announced,
    /// The request came by it.
    Used,
    /// The request came by it to a host that is not for it.
    Misused,
}

/// What HTTP/3 is to a request for `host`. `served`: it is served at all, and the request came over TLS.
pub fn stance(table: &RouteTable, host: &[u8], version: Version, served: bool) -> Http3 {
    match (version, served && is_open(table, host)) {
        (Version::Http3, true) => Http3::Used,
        (Version::Http3, false) => Http3::Misused,
        (_, true) => Http3::Announced,
        (_, false) => Http3::Nothing,
    }
}

/// Whether the connections of a host end here and nothing is asked of their clients.
fn is_open(table: &RouteTable, host: &[u8]) -> bool {
    table.passthrough(host).is_none() && table.client_policy(host).is_none()
}

/// The value of Alt-Svc (RFC 7838, 3): good for a day, at the same host.
pub fn alternative(port: u16) -> Box<str> {
    format!("h3=\":{port}\"; ma=86400").into()
}

/// Adds it to an answer that does not have one of its own.
pub fn announce(head: &mut Head, alternative: Option<&str>) {
    const NAME: &[u8] = b"alt-svc";
    let Some(alternative) = alternative else { return };
    if head.iter().all(|(_, name, _)| !name.eq_ignore_ascii_case(NAME)) {
        head.append(NAME, alternative.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_given_one_alternative_and_keeps_its_own() {
        let value = |head: &Head| head.iter().map(|(_, _, value)| value.to_vec()).collect::<Vec<_>>();
        let mut head = Head::default();
        announce(&mut head, None);
        assert!(value(&head).is_empty());
        announce(&mut head, Some(&alternative(443)));
        assert_eq!(value(&head), [b"h3=\":443\"; ma=86400".to_vec()]);
        let mut head = Head::default();
        head.append(b"Alt-Svc", b"clear");
        announce(&mut head, Some(&alternative(443)));
        assert_eq!(value(&head), [b"clear".to_vec()]);
    }

    #[test]
    fn what_is_not_served_is_nothing_to_anybody() {
        let table = RouteTable::empty();
        let stance = |version, served| stance(&table, b"test.example", version, served);
        assert_eq!(stance(Version::Http11, false), Http3::Nothing);
        assert_eq!(stance(Version::Http2, true), Http3::Announced);
        assert_eq!(stance(Version::Http3, true), Http3::Used);
    }
}
