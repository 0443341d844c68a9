//! Request bodies that state a length over their limit. Bodies that state none are counted as they stream, by the relay.

use super::{Exchange, Verdict};
use fastingress_http1::Head;
use fastingress_route::Route;
use fastingress_route::schema::Settings;

/// Bytes that a request body may have on this route; 0 is unlimited.
pub fn body_limit(route: &Route, settings: &Settings) -> u64 {
    route.policy.body_limit.unwrap_or(settings.body_limit)
}

/// Refuses a body whose stated length is over the limit.
pub(super) fn stated(_: &mut Head, exchange: &Exchange<'_>, _: &mut Vec<u8>) -> Verdict {
    let limit = body_limit(exchange.route, exchange.settings);
    match exchange.content_length {
        Some(length) if limit > 0 && length > limit => Verdict::refuse(413, "body_too_large"),
        _ => Verdict::Continue,
    }
}
