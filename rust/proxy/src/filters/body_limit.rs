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

#[cfg(test)]
mod tests {
    use super::super::testing::Scene;

    #[test]
    fn a_stated_length_over_the_limit_is_refused() {
        for (own, inherited, length, refused) in [
            (None, 1 << 20, 1 << 20, false),
            (None, 1 << 20, (1 << 20) + 1, true),
            (Some(10), 1 << 20, 10, false),
            (Some(10), 1 << 20, 11, true),
            (Some(0), 10, i64::MAX as u64, false),
            (None, 0, i64::MAX as u64, false),
            (Some(10), 0, 11, true),
        ] {
            let mut scene = Scene::default();
            (scene.policy.body_limit, scene.settings.body_limit) = (own, inherited);
            let head = format!("POST / HTTP/1.1\nHost: shop.example\nContent-Length: {length}\n\n");
            let expected = if refused {
                "413 body_too_large".to_owned()
            } else {
                head.clone()
            };
            assert_eq!(
                scene.step("body limit", &head),
                expected,
                "{own:?} {inherited} {length}"
            );
        }
    }

    #[test]
    fn a_body_without_a_stated_length_goes_on() {
        let mut scene = Scene::default();
        scene.policy.body_limit = Some(1);
        for head in [
            "POST / HTTP/1.1\nHost: shop.example\nTransfer-Encoding: chunked\n\n",
            "GET / HTTP/1.1\nHost: shop.example\n\n",
        ] {
            assert_eq!(scene.step("body limit", head), head);
        }
    }
}
