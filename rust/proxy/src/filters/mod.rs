//! The policies of a route at work, in one order.
//!
//! On the request head, each step lets the request go on or answers it. The order, which is the list [`REQUEST`] below:
//!
//! 1. **host redirect**: to the `www.` twin (`from-to-www-redirect`), scheme and target kept
//! 2. **https redirect**: plain requests, when asked for (`ssl-redirect`, `force-ssl-redirect`)
//! 3. **app root**: exactly `/` goes to `app-root`
//! 4. **redirect**: everything goes to a fixed place (`temporal-redirect`, `permanent-redirect`)
//! 5. **deny**: `denylist-source-range`
//! 6. **allow**: `allowlist-source-range`
//! 7. **body limit**: a stated length over `proxy-body-size`
//! 8. **rewrite**: `rewrite-target`
//! 9. **forwarded headers**: who asked, how, and for what; what a client may not say about itself is taken out
//! 10. **vhost**: the Host that the backend sees (`upstream-vhost`)
//! 11. **header edits**: `request-headers-remove`, `-set`, `-add`
//!
//! On the response head: the backend's `Server` is hidden, then `response-headers-remove`, `-set`, `-add`.
//!
//! Steps 1 to 4 come before the source ranges, as in ingress-nginx: a redirect tells nothing that is worth keeping from anyone.
//! Nothing here does I/O, reads a clock, or allocates for a request that goes on.

mod body_limit;
mod clean;
mod forwarded;
mod headers;
mod redirect;
mod rewrite;
mod source_range;
mod timeouts;
mod trust;
mod vhost;

pub use body_limit::body_limit;
pub use timeouts::{connect_timeout, read_timeout, send_timeout};
pub use trust::client_of;

use crate::conn::ConnInfo;
use fastingress_http1::Head;
use fastingress_route::Route;
use fastingress_route::schema::Settings;
use std::net::IpAddr;

/// What the filters know of a request beside its head.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// The connection it came on.
    pub conn: &'a ConnInfo,
    /// The route that takes it.
    pub route: &'a Route,
    /// The settings of the route's scope, as they are now.
    pub settings: &'a Settings,
    /// The host has a certificate of its own.
    pub host_has_certificate: bool,
    /// The path in match form.
    pub path: &'a [u8],
    /// The length that the request states for its body.
    pub content_length: Option<u64>,
    /// Who asks, after a trusted `X-Forwarded-For`; from [`client_of`].
    pub client: IpAddr,
    /// How, after a trusted `X-Forwarded-Proto`; from [`client_of`].
    pub https: bool,
}

impl Exchange<'_> {
    fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }
}

/// What a step says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The request goes on.
    Continue,
    /// It is answered here.
    Respond(Local),
}

/// An answer made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// Its status.
    pub status: u16,
    /// Its Location: visible ASCII alone.
    pub location: Option<Vec<u8>>,
    /// A stable word for logs and metrics.
    pub reason: &'static str,
}

impl Verdict {
    fn refuse(status: u16, reason: &'static str) -> Self {
        Verdict::Respond(Local {
            status,
            location: None,
            reason,
        })
    }

    fn redirect(status: u16, location: Vec<u8>, reason: &'static str) -> Self {
        Verdict::Respond(Local {
            status,
            location: Some(location),
            reason,
        })
    }
}

/// One step on a request head. The last argument is memory to use and to leave in any state.
type Step = fn(&mut Head, &Exchange<'_>, &mut Vec<u8>) -> Verdict;

/// All steps on a request head, in their order.
pub const REQUEST: [(&str, Step); 11] = [
    ("host redirect", redirect::to_host),
    ("https redirect", redirect::to_https),
    ("app root", redirect::to_app_root),
    ("redirect", redirect::to_fixed_place),
    ("deny", source_range::deny),
    ("allow", source_range::allow),
    ("body limit", body_limit::stated),
    ("rewrite", rewrite::rewrite),
    ("forwarded headers", forwarded::replace),
    ("vhost", vhost::replace),
    ("header edits", headers::edit_request),
];

/// Puts a request head through all steps, up to the first that answers. Hop-by-hop lines are to be gone from it before.
pub fn on_request(head: &mut Head, exchange: &Exchange<'_>, scratch: &mut Vec<u8>) -> Verdict {
    for (_, step) in REQUEST {
        let verdict = step(head, exchange, scratch);
        if verdict != Verdict::Continue {
            return verdict;
        }
    }
    Verdict::Continue
}

/// Puts the head of a backend's answer through the steps of the response.
pub fn on_response(head: &mut Head, route: &Route) {
    headers::hide_server(head);
    headers::edit_response(head, route);
}
