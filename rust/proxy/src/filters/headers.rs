//! Header edits of a route: removals, then values that replace, then values that are added, on either head.
//!
//! What frames a message or belongs to one connection cannot be edited: the engine writes it. Host can be set, and only that.
//! An edit that would not make a valid line is left out, whatever let it come this far.

use super::clean::{is_host, is_name, is_value};
use super::{Exchange, Verdict};
use fastingress_http1::{Head, Name};
use fastingress_route::Route;
use fastingress_route::schema::HeaderEdits;

/// Edits a request head.
pub(super) fn edit_request(head: &mut Head, exchange: &Exchange<'_>, _: &mut Vec<u8>) -> Verdict {
    edit(head, &exchange.route.policy.request_headers);
    Verdict::Continue
}

/// Edits the head of an answer.
pub(super) fn edit_response(head: &mut Head, route: &Route) {
    edit(head, &route.policy.response_headers);
}

/// What software a backend runs is nobody's business.
pub(super) fn hide_server(head: &mut Head) {
    head.remove_id(Name::Server);
}

fn edit(head: &mut Head, edits: &HeaderEdits) {
    for name in edits.remove.iter().filter(|name| is_free(Name::of(name.as_bytes()))) {
        head.remove(name.as_bytes());
    }
    for (name, value) in &edits.set {
        if may_set(name.as_bytes(), value.as_bytes()) {
            head.set(name.as_bytes(), value.as_bytes());
        }
    }
    for (name, value) in &edits.add {
        if is_free(Name::of(name.as_bytes())) && is_line(name.as_bytes(), value.as_bytes()) {
            head.append(name.as_bytes(), value.as_bytes());
        }
    }
}

fn may_set(name: &[u8], value: &[u8]) -> bool {
    match Name::of(name) {
        Name::Host => is_host(value),
        id => is_free(id) && is_line(name, value),
    }
}

fn is_line(name: &[u8], value: &[u8]) -> bool {
    is_name(name) && is_value(value)
}

/// False for what the engine alone may write.
fn is_free(id: Name) -> bool {
    !matches!(
        id,
        Name::Connection
            | Name::ContentLength
            | Name::Host
            | Name::Http2Settings
            | Name::KeepAlive
            | Name::ProxyConnection
            | Name::Te
            | Name::Trailer
            | Name::TransferEncoding
            | Name::Upgrade
    )
}
