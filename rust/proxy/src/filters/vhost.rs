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
