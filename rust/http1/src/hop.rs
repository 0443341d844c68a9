//! Removes what belongs to one connection from a head that goes on to the next (RFC 9110, 7.6.1).
//!
//! The same for requests and responses. What the next connection needs instead (Connection, framing, Upgrade) is written
//! by [`crate::encode`].

use crate::fields::elements;
use crate::head::{Head, Version};
use crate::name::Name;

/// Removes Connection, the lines it names, and every field that ends at this hop.
///
/// Connection cannot name away Host, Content-Length, Transfer-Encoding or TE: these decide where a message goes and
/// ends, and a client that lists them wants the next server to see less than we do. Such an option is ignored.
/// A TE that lists `trailers` is kept as exactly that; Trailer stays. Upgrade stays if `keep_upgrade`, for a message whose upgrade
/// was found in order. Expect goes from an HTTP/1.0 request, where it means nothing: what is written next is HTTP/1.1,
/// where it would. Allocates nothing, but that the arena may grow by the few bytes of a TE line.
pub fn strip_hop_by_hop(head: &mut Head, keep_upgrade: bool) {
    if head.get(Name::Connection).is_some() {
        head.remove_named_by_connection(|id| {
            matches!(
                id,
                Name::Host | Name::ContentLength | Name::TransferEncoding | Name::Te | Name::Upgrade
            )
        });
    }
    if head.version() == Version::Http10 {
        head.remove_id(Name::Expect);
    }
    let trailers = head.values(Name::Te).any(takes_trailers);
    let upgrade = if keep_upgrade { 0 } else { Name::Upgrade.bit() };
    let goes = ENDS_HERE | Name::Te.bit() | upgrade;
    if head.may_have(goes) {
        head.retain(|id, _, _| id.bit() & goes == 0);
    }
    if trailers {
        head.append_known(Name::Te, b"TE", b"trailers");
    }
}

fn takes_trailers(value: &[u8]) -> bool {
    elements(value).any(|element| element.eq_ignore_ascii_case(b"trailers"))
}

/// Fields that never go on.
const ENDS_HERE: u64 = Name::Connection.bit()
    | Name::Http2Settings.bit()
    | Name::KeepAlive.bit()
    | Name::ProxyAuthenticate.bit()
    | Name::ProxyAuthorization.bit()
    | Name::ProxyConnection.bit()
    | Name::TransferEncoding.bit();
