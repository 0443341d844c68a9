//! What must hold for bodies: one verdict however they are split, and whatever we accept, everybody else refuses or reads as
//! the same bytes with the same end.

use crate::{hyper_reads, khttp_reads, ours, sorted};
use fastingress_http1::Framing;

/// Put behind a body: whoever reads it as the next request has seen the end of the body where we saw it.
const MARKER: &[u8] = b"GET /marker HTTP/1.1\r\nHost: marker\r\n\r\n";

/// Reads `bytes` as a body: the first five say how it is framed and split, the others are the body.
pub fn check(bytes: &[u8]) {
    let Some(([kind, seed @ ..], bytes)) = bytes.split_first_chunk::<5>() else {
        return;
    };
    let framing = match kind {
        0..128 => Framing::Chunked,
        length => Framing::Length(u64::from(length - 128)),
    };
    let whole = ours::body(framing, framing, &[bytes]);
    let split = ours::body(framing, framing, &ours::pieces(bytes, u32::from_le_bytes(*seed)));
    assert_eq!(whole, split, "a body that comes in pieces is read otherwise");
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(
        whole,
        ours::body(framing, framing, &single),
        "a body that drips in is read otherwise"
    );
    if let Ok(Some(body)) = whole {
        others_agree(framing, &body, &bytes[..body.taken]);
    }
}

fn others_agree(framing: Framing, body: &ours::Body, raw: &[u8]) {
    let head = match framing {
        Framing::Length(length) => format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"),
        _ => "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
    };
    for (bytes, ours_too) in [(body.written.as_slice(), true), (raw, false)] {
        let message = [head.as_bytes(), bytes, MARKER].concat();
        let theirs = hyper_reads::requests(&message);
        let targets: Vec<&str> = theirs.iter().map(|message| message.target.as_str()).collect();
        let first = theirs.first().expect("the head is good");
        if first.whole {
            assert_eq!(first.body, body.data);
            assert_eq!(targets, ["/", "/marker"], "the end of the body is seen elsewhere");
        } else {
            assert!(!ours_too, "hyper refuses what we pass on");
            assert_eq!(targets, ["/"], "a request is found in a body that was refused");
        }
        if ours_too {
            assert_eq!(sorted(first.trailers.clone()), sorted(body.trailers.clone()));
        }
        let theirs = khttp_reads::request(&message).expect("the head is good");
        assert!(
            theirs.body.is_none_or(|theirs| theirs == body.data),
            "khttp reads another body"
        );
    }
}
