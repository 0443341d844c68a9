//! What must hold for requests: whatever we accept, everybody else refuses or reads as the same single request, as it came and
//! as we pass it on. A request that somebody finds inside another, a smuggled one, must never be.

use crate::ours::{self, Body};
use crate::{Line, hyper_reads, khttp_reads, sorted};
use fastingress_http1::{Framing, Head, Limits, encode, hop, path, request};

/// Put behind a message: whoever reads it as the next request has seen the end of the message where we saw it.
const MARKER: &[u8] = b"GET /marker HTTP/1.1\r\nHost: marker\r\n\r\n";

/// A request that we accept.
struct Accepted<'a> {
    head: Head,
    request: request::Request,
    body: Body,
    /// Head and body, as they came.
    raw: &'a [u8],
    /// The head as it would be passed on.
    written: Vec<u8>,
}

/// Reads `bytes` as a request, and if we accept it, holds the readings of others against ours.
pub fn check(bytes: &[u8]) {
    let Some(accepted) = accept(bytes) else { return };
    written_again_is_the_same(&accepted);
    khttp_agrees(&accepted);
    hyper_agrees(&accepted);
}

fn accept(bytes: &[u8]) -> Option<Accepted<'_>> {
    let limits = Limits::default();
    let end = ours::head_end(bytes, &limits).ok()??;
    let mut head = Head::new();
    let request = request::parse(&bytes[..end], &limits, &mut head).ok()?;
    let mut scratch = Vec::new();
    let _ = path::normalise(head.path(), true, &mut scratch);
    hop::strip_hop_by_hop(&mut head, request.upgrade);
    let body = ours::body(request.framing, request.framing, &[&bytes[end..]]).ok()??;
    let mut written = Vec::new();
    match request.upgrade {
        true => encode::request_upgrade(&head, &mut written),
        false => encode::request(&head, request.framing, request.keep_alive, &mut written),
    }
    let raw = &bytes[..end + body.taken];
    Some(Accepted {
        head,
        request,
        body,
        raw,
        written,
    })
}

/// What we write we read as the same, and would write again.
fn written_again_is_the_same(accepted: &Accepted<'_>) {
    let Accepted {
        head, request, written, ..
    } = accepted;
    // Two that may change: HTTP/1.0 may come without a Host, and a line named `close` is named by the Connection that we write.
    if head.authority().is_empty() || head.find(b"close").is_some() {
        return;
    }
    let limits = ours::ROOMY;
    assert_eq!(ours::head_end(written, &limits), Ok(Some(written.len())));
    let mut again = Head::new();
    let parsed = request::parse(written, &limits, &mut again).expect("what we write we accept");
    let length_of_none = request.upgrade && parsed.framing == Framing::Empty;
    assert!(
        parsed.framing == request.framing || length_of_none,
        "{:?} {:?}",
        parsed.framing,
        request.framing
    );
    assert_eq!(
        (head.method(), head.target(), head.authority()),
        (again.method(), again.target(), again.authority())
    );
    hop::strip_hop_by_hop(&mut again, parsed.upgrade);
    let mut twice = Vec::new();
    match parsed.upgrade {
        true => encode::request_upgrade(&again, &mut twice),
        false => encode::request(&again, parsed.framing, parsed.keep_alive, &mut twice),
    }
    assert_eq!(*written, twice);
}

/// Khttp refuses, or reads the same head and the same body.
fn khttp_agrees(accepted: &Accepted<'_>) {
    let Accepted {
        head,
        request,
        body,
        raw,
        written,
        ..
    } = accepted;
    if let Some(theirs) = khttp_reads::request(&with_body(written, &body.written)) {
        assert_eq!(
            (theirs.method.as_bytes(), theirs.target.as_bytes()),
            (head.method(), head.target())
        );
        assert_eq!(theirs.taken, written.len());
        let (lengths, lines): (Vec<Line>, Vec<Line>) = ours::lines_of(written)
            .into_iter()
            .partition(|(name, _)| name == "content-length");
        assert_eq!(theirs.lines, lines);
        let length = lengths
            .first()
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        assert_eq!(theirs.length.map(|length| length.to_string()), length);
        // It fails on trailers above ASCII.
        assert!(theirs.body.is_none_or(|theirs| theirs == body.data));
    }
    if khttp_reads::can_read(raw)
        && let Some(theirs) = khttp_reads::request(raw)
    {
        assert_eq!(theirs.method.as_bytes(), head.method());
        assert!(
            theirs.body.is_none_or(|theirs| theirs == body.data),
            "{:?}",
            request.framing
        );
    }
}

/// Hyper reads exactly our request and the marker behind it. It may refuse characters in a target that browsers send and
/// the `http` crate does not take, or, of a request as it came, whatever it likes: but never find another request.
fn hyper_agrees(accepted: &Accepted<'_>) {
    let Accepted {
        head,
        body,
        raw,
        written,
        ..
    } = accepted;
    let theirs = hyper_reads::requests(&with_marker(&with_body(written, &body.written), accepted));
    let odd =
        |byte: &u8| !matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'?' | b'=' | b'%');
    if theirs.is_empty() {
        assert!(head.target().iter().any(odd), "hyper refuses what we pass on");
    } else {
        same(&theirs, accepted);
        assert_eq!(sorted(theirs[0].lines.clone()), sorted(ours::lines_of(written)));
        assert_eq!(sorted(theirs[0].trailers.clone()), sorted(body.trailers.clone()));
    }
    let theirs = hyper_reads::requests(&with_marker(raw, accepted));
    if !theirs.is_empty() {
        same(&theirs, accepted);
    }
}

fn same(theirs: &[hyper_reads::Message], accepted: &Accepted<'_>) {
    let Accepted { head, body, .. } = accepted;
    let first = &theirs[0];
    assert_eq!(first.method.as_bytes(), head.method());
    // `OPTIONS http://host` is passed on as `OPTIONS *` (RFC 9112, 3.2.4); hyper says `/` of the former.
    let asterisk = head.target() == b"*" && first.target == "/";
    assert!(
        asterisk || first.target.as_bytes() == head.target(),
        "{} is another target",
        first.target
    );
    assert!(first.whole, "hyper refuses a body that we accept");
    assert_eq!(first.body, body.data);
    let rest: Vec<&str> = theirs[1..].iter().map(|message| message.target.as_str()).collect();
    let expected: &[&str] = if stays_open(accepted) { &["/marker"] } else { &[] };
    assert_eq!(rest, expected, "the end of the request is seen elsewhere");
}

fn with_body(head: &[u8], body: &[u8]) -> Vec<u8> {
    [head, body].concat()
}

/// The marker goes behind requests after which the connection stays open.
fn with_marker(message: &[u8], accepted: &Accepted<'_>) -> Vec<u8> {
    let marker = if stays_open(accepted) { MARKER } else { b"" };
    [message, marker].concat()
}

fn stays_open(accepted: &Accepted<'_>) -> bool {
    accepted.request.keep_alive && accepted.head.version() == fastingress_http1::Version::Http11
}
