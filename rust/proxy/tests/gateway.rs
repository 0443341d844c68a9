//! The gateway end to end, in one process: a change set in, bytes through real sockets, byte for byte.

mod support;

use std::io::Write;
use support::{Backend, Rig, read_answer};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

#[test]
fn a_request_reaches_its_backend_and_the_answer_comes_back() {
    let backend = Backend::answering(OK);
    let rig = Rig::with_backend("/", &backend);
    let mut client = rig.connect();
    for _ in 0..3 {
        client
            .write_all(b"GET /cart?x=1 HTTP/1.1\r\nHost: shop.example.com\r\n\r\n")
            .expect("sends");
        let answer = read_answer(&mut client);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    }
    let seen = backend.seen();
    assert!(
        seen.starts_with("GET /cart?x=1 HTTP/1.1\r\nHost: shop.example.com\r\n"),
        "{seen}"
    );
    assert!(
        seen.contains("X-Forwarded-For: 127.0.0.1\r\n") || seen.contains("x-forwarded-for: 127.0.0.1\r\n"),
        "{seen}"
    );
    assert_eq!(backend.connections(), 1, "the connection to the backend is kept");
}

#[test]
fn long_answers_are_whole_and_their_connections_are_kept() {
    let body = "0123456789".repeat(200_000);
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let backend = Backend::answering(answer.leak().as_bytes());
    let rig = Rig::with_backend("/", &backend);
    let mut client = rig.connect();
    for _ in 0..3 {
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n")
            .expect("sends");
        let answer = read_answer(&mut client);
        assert!(answer.split_once("\r\n\r\n").is_some_and(|(_, came)| came == body));
    }
    assert_eq!(backend.connections(), 1);
}

#[test]
fn what_no_rule_takes_is_404_and_what_has_no_endpoint_is_503() {
    let backend = Backend::answering(OK);
    let rig = Rig::with_backend("/cart", &backend);
    let mut client = rig.connect();
    client
        .write_all(b"GET /other HTTP/1.1\r\nHost: shop.example.com\r\n\r\n")
        .expect("sends");
    assert!(read_answer(&mut client).starts_with("HTTP/1.1 404 "));
    rig.set_endpoints(&[]);
    client
        .write_all(b"GET /cart HTTP/1.1\r\nHost: shop.example.com\r\n\r\n")
        .expect("sends");
    assert!(read_answer(&mut client).starts_with("HTTP/1.1 503 "));
}

#[test]
fn a_chunked_body_passes_and_keeps_its_chunks() {
    let backend = Backend::answering(OK);
    let rig = Rig::with_backend("/", &backend);
    let mut client = rig.connect();
    client
        .write_all(b"POST /up HTTP/1.1\r\nHost: shop.example.com\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n")
        .expect("sends");
    assert!(read_answer(&mut client).starts_with("HTTP/1.1 200 "));
    assert!(
        backend.seen().ends_with("\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
        "{}",
        backend.seen()
    );
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let backend = Backend::answering(OK);
    let rig = Rig::with_backend("/", &backend);
    let mut client = rig.connect();
    let request = b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n";
    client
        .write_all(
            &[
                &request[..],
                request,
                b"GET /last HTTP/1.1\r\nHost: shop.example.com\r\nConnection: close\r\n\r\n",
            ]
            .concat(),
        )
        .expect("sends");
    for _ in 0..3 {
        assert!(read_answer(&mut client).starts_with("HTTP/1.1 200 "));
    }
    assert_eq!(support::read_to_end(&mut client), b"");
}

#[test]
fn a_refused_head_is_answered_and_the_connection_closes() {
    let backend = Backend::answering(OK);
    let rig = Rig::with_backend("/", &backend);
    let mut client = rig.connect();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
        .expect("sends");
    assert!(read_answer(&mut client).starts_with("HTTP/1.1 400 "));
    assert_eq!(support::read_to_end(&mut client), b"");
    assert_eq!(backend.seen(), "");
}

#[test]
fn draining_ends_idle_connections_and_finishes_in_time() {
    let backend = Backend::answering(OK);
    let rig = Rig::with_backend("/", &backend);
    let mut client = rig.connect();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n")
        .expect("sends");
    read_answer(&mut client);
    assert!(rig.gateway.drain(std::time::Duration::from_secs(10)));
    assert_eq!(support::read_to_end(&mut client), b"");
}

#[test]
fn a_request_that_kills_its_backends_is_sent_as_often_as_there_are_tries_and_once_more() {
    let backends = [Backend::answering(OK), Backend::answering(OK), Backend::answering(OK)];
    let rig = Rig::with_backend("/", &backends[0]);
    rig.set_endpoints(&backends.each_ref().map(|backend| backend.address));
    let mut client = rig.connect();
    for _ in 0..9 {
        client
            .write_all(b"GET /warm HTTP/1.1\r\nHost: shop.example.com\r\n\r\n")
            .expect("sends");
        read_answer(&mut client);
    }
    client
        .write_all(b"GET /die HTTP/1.1\r\nHost: shop.example.com\r\n\r\n")
        .expect("sends");
    assert!(read_answer(&mut client).starts_with("HTTP/1.1 502 "));
    let sent: usize = backends.iter().map(|backend| backend.times("/die ")).sum();
    assert!((1..=4).contains(&sent), "sent {sent} times");
}
