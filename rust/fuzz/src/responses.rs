//! What must hold for responses: whatever we accept from a backend, a client refuses or reads as the same single answer, as it
//! came and as we pass it on. An answer that a client finds inside another must never be.

use crate::ours::{self, Body};
use crate::{Line, hyper_reads, khttp_reads, sorted};
use fastingress_http1::{Framing, Head, Limits, Version, encode, hop, response};

/// Put behind an answer that ends by itself: none of it may be read as body, and after an interim one it is the answer.
const MARKER: &[u8] = b"HTTP/1.1 299 Marker\r\nContent-Length: 0\r\n\r\n";

/// A response that we accept.
struct Accepted<'a> {
    response: response::Response,
    status: u16,
    method: &'static str,
    body: Body,
    /// Head and body, as they came.
    raw: &'a [u8],
    /// The head as it would be passed on.
    written: Vec<u8>,
}

/// Reads `bytes` as a response: the first byte says to what, the others are the response.
pub fn check(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    let method = if kind & 1 == 0 { "GET" } else { "HEAD" };
    let Some(accepted) = accept(bytes, method, kind & 2 != 0) else {
        return;
    };
    written_again_is_the_same(&accepted);
    khttp_agrees(&accepted);
    hyper_agrees(&accepted);
}

fn accept<'a>(bytes: &'a [u8], method: &'static str, upgrade: bool) -> Option<Accepted<'a>> {
    let limits = Limits::default();
    let end = ours::head_end(bytes, &limits).ok()??;
    let mut head = Head::new();
    let response = response::parse(&bytes[..end], &limits, method.as_bytes(), upgrade, &mut head).ok()?;
    hop::strip_hop_by_hop(&mut head, response.upgrade);
    let to = response.framing.for_client(Version::Http11);
    let body = ours::body(response.framing, to, &[&bytes[end..]]).ok()??;
    let mut written = Vec::new();
    write(&head, &response, to, method, &mut written);
    let raw = &bytes[..end + body.taken];
    Some(Accepted {
        response,
        status: head.status(),
        method,
        body,
        raw,
        written,
    })
}

fn write(head: &Head, response: &response::Response, to: Framing, method: &str, out: &mut Vec<u8>) {
    match response.upgrade {
        true => encode::response_upgrade(head, out),
        false => encode::response(head, to, Version::Http11, true, method == "HEAD", out),
    }
}

/// What we write we read as the same, and would write again.
fn written_again_is_the_same(accepted: &Accepted<'_>) {
    let Accepted {
        response,
        method,
        written,
        ..
    } = accepted;
    let limits = ours::ROOMY;
    assert_eq!(ours::head_end(written, &limits), Ok(Some(written.len())));
    let mut again = Head::new();
    let parsed = response::parse(written, &limits, method.as_bytes(), response.upgrade, &mut again);
    let parsed = parsed.expect("what we write we accept");
    assert_eq!((parsed.interim, parsed.upgrade), (response.interim, response.upgrade));
    assert_eq!(again.status(), accepted.status);
    hop::strip_hop_by_hop(&mut again, parsed.upgrade);
    let mut twice = Vec::new();
    write(
        &again,
        &parsed,
        parsed.framing.for_client(Version::Http11),
        method,
        &mut twice,
    );
    assert_eq!(*written, twice);
}

/// Khttp refuses, or reads the same head and, where it can know that there is one, the same body.
fn khttp_agrees(accepted: &Accepted<'_>) {
    let Accepted {
        status,
        body,
        raw,
        written,
        response,
        ..
    } = accepted;
    let has_body = matches!(response.framing, Framing::Length(_) | Framing::Chunked);
    if let Some(theirs) = khttp_reads::response(&[written.as_slice(), &body.written].concat()) {
        assert_eq!((theirs.status, theirs.taken), (*status, written.len()));
        let lines = ours::lines_of(written)
            .into_iter()
            .filter(|(name, _)| name != "content-length");
        assert_eq!(theirs.lines, lines.collect::<Vec<Line>>());
        // It fails on trailers above ASCII.
        assert!(!has_body || theirs.body.is_none_or(|theirs| theirs == body.data));
    }
    if khttp_reads::can_read(raw)
        && let Some(theirs) = khttp_reads::response(raw)
    {
        assert_eq!(theirs.status, *status);
        assert!(!has_body || theirs.body.is_none_or(|theirs| theirs == body.data));
    }
}

/// Hyper reads exactly our answer, and nothing of the marker behind it.
fn hyper_agrees(accepted: &Accepted<'_>) {
    let Accepted {
        body,
        raw,
        written,
        response,
        ..
    } = accepted;
    let passed_on = [written.as_slice(), &body.written, MARKER].concat();
    let theirs = hyper_reads::response(&passed_on, accepted.method).expect("hyper accepts what we pass on");
    same(&theirs, accepted);
    if !response.interim {
        assert_eq!(sorted(theirs.lines), sorted(ours::lines_of(written)));
        assert_eq!(sorted(theirs.trailers), sorted(body.trailers.clone()));
    }
    let marker = if response.framing == Framing::UntilClose {
        b""
    } else {
        MARKER
    };
    if let Some(theirs) = hyper_reads::response(&[raw, marker].concat(), accepted.method) {
        same(&theirs, accepted);
    }
}

fn same(theirs: &hyper_reads::Message, accepted: &Accepted<'_>) {
    let Accepted {
        status, body, response, ..
    } = accepted;
    if response.interim {
        assert_eq!(
            (theirs.status, theirs.body.as_slice()),
            (299, &b""[..]),
            "an interim answer is taken for the answer"
        );
        return;
    }
    assert_eq!(theirs.status, *status);
    assert!(theirs.whole, "hyper refuses a body that we accept");
    assert_eq!(theirs.body, body.data);
}
