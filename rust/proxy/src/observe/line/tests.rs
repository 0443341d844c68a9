//! Tests of access log lines.

use super::*;
use std::time::{Duration, UNIX_EPOCH};

fn line() -> Line<'static> {
    Line {
        time: UNIX_EPOCH + Duration::from_millis(1_798_761_599_123),
        client: IpAddr::from([192, 0, 2, 1]),
        scheme: "https",
        protocol: "HTTP/1.1",
        method: b"GET",
        host: b"shop.example.com",
        path: b"/cart?x=1",
        status: 200,
        bytes_in: 120,
        bytes_out: 1024,
        duration_us: 12_345,
        connect_us: Some(412),
        upstream_us: Some(10_021),
        ingress: Some(("shop", "web")),
        rule: Some(Rule::Path(0, 1)),
        service: Some("shop/web:80"),
        endpoint: Some("10.0.0.1:8080"),
        tries: 2,
        reason: Some("body_too_large"),
        request_id: Some(b"0123abcd"),
        user_agent: Some(b"curl/8.0 (x)"),
        referer: Some(b"https://example.com/"),
    }
}

fn refused() -> Line<'static> {
    Line {
        method: b"",
        host: b"",
        path: b"",
        status: 400,
        connect_us: None,
        upstream_us: None,
        ingress: None,
        rule: None,
        service: None,
        endpoint: None,
        tries: 0,
        reason: Some("bare_lf"),
        request_id: None,
        user_agent: None,
        referer: None,
        ..line()
    }
}

fn made(write: fn(&Line<'_>, &mut Vec<u8>), line: &Line<'_>) -> String {
    let mut out = Vec::new();
    write(line, &mut out);
    String::from_utf8(out).expect("a line is valid UTF-8")
}

#[test]
fn json_has_every_field() {
    let expected = concat!(
        r#"{"time":"2026-12-31T23:59:59.123Z","client":"192.0.2.1","scheme":"https","protocol":"HTTP/1.1","#,
        r#""method":"GET","host":"shop.example.com","path":"/cart?x=1","status":200,"bytes_in":120,"#,
        r#""bytes_out":1024,"duration_ms":12.345,"connect_ms":0.412,"upstream_ms":10.021,"namespace":"shop","#,
        r#""ingress":"web","rule":"rules[0].paths[1]","service":"shop/web:80","endpoint":"10.0.0.1:8080","#,
        r#""tries":2,"reason":"body_too_large","request_id":"0123abcd","user_agent":"curl/8.0 (x)","#,
        r#""referer":"https://example.com/"}"#,
        "\n"
    );
    assert_eq!(made(json, &line()), expected);
}

#[test]
fn json_has_null_for_what_does_not_apply() {
    let text = made(json, &refused());
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let absent = [
        "connect_ms",
        "upstream_ms",
        "namespace",
        "ingress",
        "rule",
        "service",
        "endpoint",
        "request_id",
    ];
    for name in absent.into_iter().chain(["user_agent", "referer"]) {
        assert_eq!(value.get(name), Some(&serde_json::Value::Null), "{name}");
    }
    assert_eq!(value["reason"], "bare_lf");
    assert_eq!(value["method"], "");
}

#[test]
fn text_has_what_applies() {
    let expected = concat!(
        r#"2026-12-31T23:59:59.123Z 192.0.2.1 "GET https://shop.example.com/cart?x=1 HTTP/1.1" 200 in=120 out=1024"#,
        r#" duration=12.345ms connect=0.412ms upstream=10.021ms ingress=shop/web rule=rules[0].paths[1]"#,
        r#" service=shop/web:80 endpoint=10.0.0.1:8080 reason=body_too_large id=0123abcd tries=2"#,
        r#" agent="curl/8.0 (x)" referer="https://example.com/""#,
        "\n"
    );
    assert_eq!(made(text, &line()), expected);
    let expected = "2026-12-31T23:59:59.123Z 192.0.2.1 \" https:// HTTP/1.1\" 400 in=120 out=1024 duration=12.345ms reason=bare_lf\n";
    assert_eq!(made(text, &refused()), expected);
    let default = Line {
        rule: Some(Rule::Default),
        tries: 1,
        client: "2001:db8::1".parse().unwrap(),
        ..line()
    };
    let made = made(text, &default);
    assert!(made.contains(" rule=defaultBackend ") && !made.contains("tries") && made.contains("Z 2001:db8::1 "));
}

/// Bytes, and how they look in JSON and in text.
const STRANGE: &[(&[u8], &str, &str)] = &[
    (b"plain", "plain", "plain"),
    (
        "gr\u{fc}n \u{1f600}".as_bytes(),
        "gr\u{fc}n \u{1f600}",
        "gr\u{fc}n \u{1f600}",
    ),
    (b"a\"b\\c", r#"a\"b\\c"#, r#"a\"b\\c"#),
    (b"a\r\n\tb", r"a\r\n\tb", r"a\x0d\x0a\x09b"),
    (b"\x00\x1b[31m\x7f", r"\u0000\u001b[31m\u007f", r"\x00\x1b[31m\x7f"),
    (b"\xff\xc3(", "\u{fffd}\u{fffd}(", r"\xff\xc3("),
    (b"\xed\xa0\x80", "\u{fffd}\u{fffd}\u{fffd}", r"\xed\xa0\x80"),
    (
        "\u{85}\u{2028}\u{202e}".as_bytes(),
        r"\u0085\u2028\u202e",
        r"\xc2\x85\xe2\x80\xa8\xe2\x80\xae",
    ),
    (b"", "", ""),
];

#[test]
fn strange_bytes_are_escaped() {
    for (bytes, in_json, in_text) in STRANGE {
        let line = Line {
            user_agent: Some(bytes),
            ..line()
        };
        let json = made(json, &line);
        assert!(json.contains(&format!("\"user_agent\":\"{in_json}\"")), "{json}");
        let text = made(text, &line);
        assert!(text.contains(&format!(" agent=\"{in_text}\"")), "{text}");
    }
}

#[test]
fn no_byte_anywhere_breaks_a_line() {
    let every: Vec<u8> = (0..=255).chain(*b"\" status=200\nforged ").collect();
    let line = Line {
        method: &every,
        host: &every,
        path: &every,
        request_id: Some(&every),
        user_agent: Some(&every),
        referer: Some(&every),
        ..line()
    };
    let text = made(text, &line);
    assert_eq!(
        text.chars().filter(|c| c.is_control()).count(),
        1,
        "only the last line feed: {text}"
    );
    let json = made(json, &line);
    assert_eq!(json.chars().filter(|c| c.is_control()).count(), 1);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let expected = String::from_utf8_lossy(&every);
    for name in ["method", "host", "path", "request_id", "user_agent", "referer"] {
        assert_eq!(value[name], *expected, "{name}");
    }
}

#[test]
fn a_request_id_cannot_add_fields() {
    let forged = Line {
        request_id: Some(b"x tries=9 \"y"),
        ..line()
    };
    assert!(made(text, &forged).contains(r#" id="x tries=9 \"y" tries=2"#));
}
