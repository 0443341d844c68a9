//! Telling clients that HTTP/3 is served.
//!
//! QUIC is always terminated here, and its handshake is over before anybody could ask for a client's certificate. So a
//! host whose TLS goes to its backend unopened, or that asks for certificates, is not announced; whoever asks for it over
//! HTTP/3 all the same is told that the request belongs on another connection (421), as on any that was not made for it.

use crate::conn::ConnInfo;
use fastingress_http1::{Head, Version};

/// Whether the answer to a request that belongs on its connection says where HTTP/3 is. On a connection that was asked for a
/// certificate belong requests alone to hosts that ask.
pub fn is_announced_to(conn: &ConnInfo, version: Version) -> bool {
    version != Version::Http3 && conn.tls.as_ref().is_some_and(|tls| tls.client.is_none())
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
}
