//! From one connection to the next: what is stripped, what is written, and that a message keeps its meaning.

use fastingress_http1::head::Version;
use fastingress_http1::{Framing, Head, Limits, Scan, encode, hop, request, response};

fn parsed(text: &str) -> (Head, request::Request) {
    let mut head = Head::new();
    let request = request::parse(text.as_bytes(), &Limits::default(), &mut head).expect("a good request");
    (head, request)
}

fn answered(text: &str, method: &[u8]) -> (Head, response::Response) {
    let mut head = Head::new();
    let asked = text.contains(" 101 ");
    let response =
        response::parse(text.as_bytes(), &Limits::default(), method, asked, &mut head).expect("a good answer");
    (head, response)
}

/// The request as it goes on.
fn forwarded(text: &str) -> String {
    let (mut head, request) = parsed(text);
    hop::strip_hop_by_hop(&mut head, request.upgrade);
    let mut out = Vec::new();
    match request.upgrade {
        true => encode::request_upgrade(&head, &mut out),
        false => encode::request(&head, request.framing, true, &mut out),
    }
    String::from_utf8(out).expect("ASCII")
}

/// The answer as it goes on to a client of this version.
fn returned(text: &str, method: &[u8], version: Version) -> String {
    let (mut head, response) = answered(text, method);
    hop::strip_hop_by_hop(&mut head, response.upgrade);
    let mut out = Vec::new();
    let framing = response.framing.for_client(version);
    match response.upgrade {
        true => encode::response_upgrade(&head, &mut out),
        false => encode::response(&head, framing, version, true, method == b"HEAD", &mut out),
    }
    String::from_utf8(out).expect("ASCII")
}

#[test]
fn host_comes_first_and_lines_keep_order_and_spelling() {
    assert_eq!(
        forwarded("GET /x?y HTTP/1.1\r\nAccept: a\r\nhOST: Shop.example\r\nCOOKIE:  b\t\r\naccept:c\r\n\r\n"),
        "GET /x?y HTTP/1.1\r\nHost: Shop.example\r\nAccept: a\r\nCOOKIE: b\r\naccept: c\r\n\r\n"
    );
}

#[test]
fn absolute_form_becomes_origin_form_with_its_own_host() {
    assert_eq!(
        forwarded("GET http://b:81?q HTTP/1.1\r\nHost: a\r\n\r\n"),
        "GET /?q HTTP/1.1\r\nHost: b:81\r\n\r\n"
    );
    assert_eq!(
        forwarded("GET http://b/x HTTP/1.0\r\n\r\n"),
        "GET /x HTTP/1.1\r\nHost: b\r\n\r\n"
    );
}

#[test]
fn fields_of_the_connection_do_not_go_on() {
    assert_eq!(
        forwarded(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Mine, , keep-alive,COOKIE\r\nconnection: x-yours\r\nX-Mine: 1\r\n\
             Cookie: 2\r\nx-YOURS: 3\r\nKeep-Alive: 4\r\nProxy-Connection: 5\r\nProxy-Authorization: 6\r\nTE: gzip\r\n\
             Proxy-Authenticate: 7\r\nUpgrade: websocket\r\nHTTP2-Settings: 8\r\nTrailer: 9\r\nX-Theirs: 10\r\n\r\n"
        ),
        "GET / HTTP/1.1\r\nHost: a\r\nTrailer: 9\r\nX-Theirs: 10\r\n\r\n"
    );
}

#[test]
fn connection_cannot_name_away_what_frames_and_routes() {
    assert_eq!(
        forwarded(
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: host, content-length, transfer-encoding, te\r\nContent-Length: 5\r\nTE: trailers\r\n\r\n"
        ),
        "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nContent-Length: 5\r\n\r\n"
    );
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nConnection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(
        forwarded(chunked),
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
}

#[test]
fn te_is_kept_as_trailers_alone() {
    let te = |value| forwarded(&format!("GET / HTTP/1.1\r\nHost: a\r\nTE: {value}\r\n\r\n"));
    assert_eq!(
        te("gzip;q=0.5, Trailers"),
        "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n"
    );
    assert_eq!(te("gzip"), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(te("xtrailers"), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

#[test]
fn lengths_are_written_in_one_way() {
    assert_eq!(
        forwarded("POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 0007\r\nX: y\r\n\r\n"),
        "POST / HTTP/1.1\r\nHost: a\r\nX: y\r\nContent-Length: 7\r\n\r\n"
    );
    assert_eq!(
        forwarded("POST / HTTP/1.1\r\nHost: a\r\ntransfer-ENCODING: Chunked\r\n\r\n"),
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
}

#[test]
fn an_expectation_that_means_nothing_does_not_begin_to_mean_something() {
    let body = "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n";
    assert_eq!(
        forwarded(&format!("POST / HTTP/1.0\r\nHost: a\r\n{body}")),
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"
    );
    let new = format!("POST / HTTP/1.1\r\nHost: a\r\n{body}");
    assert_eq!(forwarded(&new), new);
}

#[test]
fn a_websocket_keeps_its_upgrade_and_nothing_else_of_the_connection() {
    assert_eq!(
        forwarded(
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade, X-Mine\r\nUpgrade: websocket\r\nX-Mine: 1\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ),
        "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: upgrade\r\n\r\n"
    );
    let answer = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nConnection: upgrade\r\nA: b\r\n\r\n";
    assert_eq!(
        returned(answer, b"GET", Version::Http11),
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nA: b\r\nConnection: upgrade\r\n\r\n"
    );
}

#[test]
fn an_upgrade_to_http2_is_stripped() {
    assert_eq!(
        forwarded(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n\r\n"
        ),
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    );
}

#[test]
fn an_edited_head_is_written_as_edited() {
    let (mut head, request) = parsed("GET /x HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nA: 3\r\n\r\n");
    head.set(b"host", b"b");
    head.set(b"a", b"4");
    head.set_target(b"/y");
    let mut out = Vec::new();
    encode::request(&head, request.framing, false, &mut out);
    assert_eq!(
        out,
        b"GET /y HTTP/1.1\r\nHost: b\r\nB: 2\r\na: 4\r\nConnection: close\r\n\r\n"
    );
}

#[test]
fn an_answer_says_what_becomes_of_the_connection() {
    let plain = "HTTP/1.1 200 Fine\r\nConnection: close\r\nContent-Length: 2\r\nServer: x\r\n\r\n";
    let (new, old) = (Version::Http11, Version::Http10);
    assert_eq!(
        returned(plain, b"GET", new),
        "HTTP/1.1 200 Fine\r\nServer: x\r\nContent-Length: 2\r\n\r\n"
    );
    assert_eq!(
        returned(plain, b"GET", old),
        "HTTP/1.1 200 Fine\r\nServer: x\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n"
    );
    let chunked = "HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(
        returned(chunked, b"GET", new),
        "HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    assert_eq!(
        returned(chunked, b"GET", old),
        "HTTP/1.1 200 Fine\r\nConnection: close\r\n\r\n"
    );
    let until_close = "HTTP/1.0 200 Fine\r\n\r\n";
    assert_eq!(
        returned(until_close, b"GET", new),
        "HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    assert_eq!(
        returned(until_close, b"GET", old),
        "HTTP/1.1 200 Fine\r\nConnection: close\r\n\r\n"
    );
}

#[test]
fn an_answer_without_a_body_says_so_in_the_way_of_its_status() {
    let new = Version::Http11;
    let described = "HTTP/1.1 200 Fine\r\nContent-Length: 100\r\n\r\n";
    assert_eq!(returned(described, b"HEAD", new), described);
    let unchanged = "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n";
    assert_eq!(returned(unchanged, b"GET", new), unchanged);
    let nothing = "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(returned(nothing, b"GET", new), "HTTP/1.1 204 No Content\r\n\r\n");
    let hint = "HTTP/1.1 103 Early Hints\r\nConnection: close\r\nLink: x\r\n\r\n";
    assert_eq!(
        returned(hint, b"GET", new),
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    );

    let mut own = Head::new();
    own.set_status(404, b"Not Found");
    let written = |framing, head_request| {
        let mut out = Vec::new();
        encode::response(&own, framing, new, false, head_request, &mut out);
        String::from_utf8(out).expect("ASCII")
    };
    let empty = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(written(Framing::Empty, false), empty);
    let page = "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\nConnection: close\r\n\r\n";
    assert_eq!(written(Framing::Length(7), true), page);
}

#[test]
fn an_old_clients_connection_ends_with_a_body_of_unknown_length() {
    assert_eq!(Framing::Chunked.for_client(Version::Http10), Framing::UntilClose);
    assert_eq!(Framing::Chunked.for_client(Version::Http11), Framing::Chunked);
    assert_eq!(Framing::UntilClose.for_client(Version::Http11), Framing::Chunked);
    assert_eq!(Framing::Length(3).for_client(Version::Http10), Framing::Length(3));
}

#[test]
fn header_lines_are_counted() {
    let head_of = |lines: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(lines - 1));
    let parse = |lines, headers| {
        let limits = Limits {
            headers,
            ..Limits::default()
        };
        request::parse(head_of(lines).as_bytes(), &limits, &mut Head::new()).map_err(|error| error.as_str())
    };
    assert!(parse(128, 128).is_ok());
    assert_eq!(parse(129, 128), Err("too_many_headers"));
    assert!(parse(512, 10_000).is_ok());
    assert_eq!(parse(513, 10_000), Err("too_many_headers"));
}

#[test]
fn of_two_limits_the_lower_one_speaks() {
    let end = |head, target| {
        let limits = Limits {
            head,
            target,
            ..Limits::default()
        };
        Scan::default()
            .find_end(&[b'a'; 500], &limits)
            .map_err(|error| error.as_str())
    };
    assert_eq!(end(400, 100), Err("uri_too_long"));
    assert_eq!(end(100, 400), Err("head_too_large"));
    assert_eq!(end(501, 501), Ok(None));
}

#[test]
fn a_head_is_used_again_without_anything_left_over() {
    let mut head = Head::new();
    for text in ["GET http://b/x?y HTTP/1.0\r\nA: b\r\n\r\n", "GET /z HTTP/1.0\r\n\r\n"] {
        request::parse(text.as_bytes(), &Limits::default(), &mut head).expect("a good request");
    }
    assert_eq!(
        (head.target(), head.query(), head.authority(), head.iter().count()),
        (&b"/z"[..], None, &b""[..], 0)
    );
}

#[test]
fn a_decoder_is_small() {
    assert!(
        size_of::<fastingress_http1::Decoder>() <= 40,
        "{}",
        size_of::<fastingress_http1::Decoder>()
    );
}
