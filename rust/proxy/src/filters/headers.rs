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

#[cfg(test)]
mod tests {
    use super::super::testing::Scene;
    use fastingress_route::schema::HeaderEdits;

    type Pairs = &'static [(&'static str, &'static str)];

    fn edits(remove: &[&str], set: Pairs, add: Pairs) -> HeaderEdits {
        let pairs = |pairs: Pairs| {
            pairs
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect()
        };
        HeaderEdits {
            remove: remove.iter().map(|name| (*name).into()).collect(),
            set: pairs(set),
            add: pairs(add),
        }
    }

    #[test]
    fn removals_then_sets_then_additions() {
        let head = "GET / HTTP/1.1\nHost: shop.example\nA: 1\nB: 2\na: 3\nCookie: c\n\n";
        let cases: [(&[&str], Pairs, Pairs, &str); 6] = [
            (&[], &[], &[], "A: 1\nB: 2\na: 3\nCookie: c\n"),
            (&["a", "cookie", "none"], &[], &[], "B: 2\n"),
            (&[], &[("a", "new"), ("d", "")], &[], "B: 2\nCookie: c\na: new\nd: \n"),
            (
                &[],
                &[],
                &[("a", "4"), ("cookie", "d")],
                "A: 1\nB: 2\na: 3\nCookie: c\na: 4\ncookie: d\n",
            ),
            (&["a"], &[("a", "5")], &[("a", "6")], "B: 2\nCookie: c\na: 5\na: 6\n"),
            (
                &["x-forwarded-for"],
                &[("x-real-ip", "é\t1")],
                &[],
                "A: 1\nB: 2\na: 3\nCookie: c\nx-real-ip: é\t1\n",
            ),
        ];
        for (remove, set, add, lines) in cases {
            let mut scene = Scene::default();
            scene.policy.request_headers = edits(remove, set, add);
            assert_eq!(
                scene.step("header edits", head),
                format!("GET / HTTP/1.1\nHost: shop.example\n{lines}\n")
            );
        }
    }

    #[test]
    fn nothing_that_frames_a_message_can_be_edited() {
        let framing: &[&str] = &[
            "connection",
            "content-length",
            "http2-settings",
            "keep-alive",
            "proxy-connection",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
        ];
        let head = "POST / HTTP/1.1\nHost: shop.example\nTE: trailers\nTrailer: a\nContent-Length: 3\n\n";
        for name in framing {
            let mut scene = Scene::default();
            let line = || ((*name).into(), "7".into());
            scene.policy.request_headers = HeaderEdits {
                remove: vec![(*name).into()],
                set: vec![line()],
                add: vec![line()],
            };
            assert_eq!(scene.step("header edits", head), head, "{name}");
        }
    }

    #[test]
    fn host_can_be_set_to_a_host_and_no_more() {
        let head = "GET / HTTP/1.1\nHost: shop.example\n\n";
        let cases: [(&[&str], Pairs, Pairs, &str); 4] = [
            (&["host"], &[], &[], "shop.example"),
            (&[], &[], &[("host", "b.example")], "shop.example"),
            (&[], &[("host", "b.example:81")], &[], "b.example:81"),
            (&[], &[("host", "b.example/ x")], &[], "shop.example"),
        ];
        for (remove, set, add, host) in cases {
            let mut scene = Scene::default();
            scene.policy.request_headers = edits(remove, set, add);
            assert_eq!(
                scene.step("header edits", head),
                format!("GET / HTTP/1.1\nHost: {host}\n\n")
            );
        }
    }

    #[test]
    fn an_edit_that_would_end_its_line_is_left_out() {
        let head = "GET / HTTP/1.1\nHost: shop.example\n\n";
        let hostile: Pairs = &[
            ("a", "b\r\nc: d"),
            ("a", "b\nc: d"),
            ("a", "b\rc"),
            ("a", "b\0"),
            ("a", "b\x7f"),
            ("a\r\nb", "c"),
            ("a:", "b"),
            ("a b", "c"),
            ("", "b"),
            ("é", "b"),
        ];
        let mut scene = Scene::default();
        scene.policy.request_headers = edits(&[], hostile, hostile);
        scene.policy.response_headers = edits(&[], hostile, hostile);
        assert_eq!(scene.step("header edits", head), head);
        let answer = "HTTP/1.1 200 OK\nContent-Length: 0\n\n";
        assert_eq!(scene.answer(answer), answer);
    }

    #[test]
    fn the_server_of_the_backend_is_hidden_unless_the_route_names_one() {
        let mut scene = Scene::default();
        let answer = "HTTP/1.1 200 OK\nServer: secret/1.2\nA: b\nContent-Length: 0\n\n";
        assert_eq!(scene.answer(answer), "HTTP/1.1 200 OK\nA: b\nContent-Length: 0\n\n");
        scene.policy.response_headers = edits(&["a"], &[("server", "shop")], &[("vary", "x")]);
        assert_eq!(
            scene.answer(answer),
            "HTTP/1.1 200 OK\nserver: shop\nvary: x\nContent-Length: 0\n\n"
        );
    }
}
