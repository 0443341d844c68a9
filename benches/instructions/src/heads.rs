//! Heads: read, put through the filters, written.

use crate::lookup;
use fastingress_http1::{
    Framing, Head, Limits, Scan, Version, encode, hop, path, request as requests, response as responses,
};
use fastingress_proxy::conn::ConnInfo;
use fastingress_proxy::filters::{Exchange, Verdict, client_of, on_request, on_response};
use fastingress_route::schema::Settings;
use std::hint::black_box;

/// Of a browser, 500 bytes.
const REQUEST: &[u8] = b"GET /shop/cart?item=4711&quantity=2 HTTP/1.1\r\n\
    Host: shop.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-GB,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Referer: https://shop.example.com/\r\n\
    Connection: keep-alive\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
    Sec-Fetch-Dest: document\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    \r\n";

/// Of an application, 300 bytes.
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Date: Mon, 01 Sep 2025 12:00:00 GMT\r\n\
    Content-Type: text/html; charset=utf-8\r\n\
    Content-Length: 1024\r\n\
    Cache-Control: private, max-age=0\r\n\
    Set-Cookie: session=0123456789abcdef0123456789abcdef; Path=/; HttpOnly; Secure\r\n\
    Vary: Accept-Encoding\r\n\
    X-Frame-Options: DENY\r\n\
    \r\n";

/// Finds the end of a request's head and parses it.
pub(crate) fn request(times: usize) {
    let (limits, mut head) = (Limits::default(), Head::new());
    for _ in 0..times {
        read_request(&mut head, &limits);
        black_box(&head);
    }
}

/// The same, and then all filters of a route that has no policies: what every request goes through.
pub(crate) fn filtered(times: usize) {
    let (limits, mut head, mut scratch) = (Limits::default(), Head::new(), Vec::new());
    let table = lookup::table(&["shop.example.com".to_owned()]);
    let route = table.lookup(b"shop.example.com", b"/shop/cart").route;
    let route = route.expect("its one host has a rule for all paths");
    let (settings, conn) = (Settings::default(), conn());
    for _ in 0..times {
        read_request(&mut head, &limits);
        hop::strip_hop_by_hop(&mut head, false);
        let (client, https) = client_of(&head, &conn, &settings);
        let exchange = Exchange {
            conn: &conn,
            route,
            settings: &settings,
            host_has_certificate: false,
            admission: None,
            path: b"/shop/cart",
            content_length: None,
            client,
            https,
        };
        let verdict = on_request(&mut head, black_box(&exchange), &mut scratch);
        assert!(verdict == Verdict::Continue, "no policy answers");
    }
}

/// Writes a request's head for a backend.
pub(crate) fn request_encoded(times: usize) {
    let (mut head, mut out) = (Head::new(), Vec::new());
    read_request(&mut head, &Limits::default());
    for _ in 0..times {
        out.clear();
        encode::request(black_box(&head), Framing::Empty, true, &mut out);
        black_box(&out);
    }
}

/// Finds the end of an answer's head, parses it, and puts it through the filters.
pub(crate) fn response(times: usize) {
    let (limits, mut head) = (Limits::default(), Head::new());
    let table = lookup::table(&["shop.example.com".to_owned()]);
    let route = table.lookup(b"shop.example.com", b"/").route;
    let route = route.expect("its one host has a rule for all paths");
    for _ in 0..times {
        read_response(&mut head, &limits);
        hop::strip_hop_by_hop(&mut head, false);
        on_response(&mut head, route);
        black_box(&head);
    }
}

/// Writes an answer's head for a client.
pub(crate) fn response_encoded(times: usize) {
    let (mut head, mut out) = (Head::new(), Vec::new());
    read_response(&mut head, &Limits::default());
    for _ in 0..times {
        out.clear();
        encode::response(
            black_box(&head),
            Framing::Length(1024),
            Version::Http11,
            true,
            false,
            &mut out,
        );
        black_box(&out);
    }
}

/// Brings a path into the form that is matched.
pub(crate) fn path(times: usize) {
    let mut scratch = Vec::new();
    for _ in 0..times {
        let normal = path::normalise(black_box(b"/shop/catalogue/shoes/running/4711"), true, &mut scratch);
        assert!(black_box(normal).is_ok(), "nothing is wrong with it");
    }
}

fn read_request(head: &mut Head, limits: &Limits) {
    let end = Scan::default().find_end(black_box(REQUEST), limits);
    assert!(end == Ok(Some(REQUEST.len())), "the head is whole");
    assert!(
        requests::parse(black_box(REQUEST), limits, head).is_ok(),
        "the head is in order"
    );
}

fn read_response(head: &mut Head, limits: &Limits) {
    let end = Scan::default().find_end(black_box(RESPONSE), limits);
    assert!(end == Ok(Some(RESPONSE.len())), "the head is whole");
    let parsed = responses::parse(black_box(RESPONSE), limits, b"GET", false, head);
    assert!(parsed.is_ok(), "the head is in order");
}

fn conn() -> ConnInfo {
    ConnInfo {
        peer: ([192, 0, 2, 7], 40_000).into(),
        port: 8080,
        tls: None,
        forwarded_port: 80,
        https_before: false,
    }
}
