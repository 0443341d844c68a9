//! What must hold for PROXY headers: one verdict however they are split, an end that later bytes do not move, a bound, and
//! that what is read can be said again in both versions.

// The file and not its crate: that would bring TLS and all else into the fuzzers.
#[path = "../../proxy/src/proxy_protocol/header.rs"]
mod header;

use header::{LONGEST, compose_v1, compose_v2, parse};

/// Reads `bytes` as the beginning of a connection.
pub fn check(bytes: &[u8]) {
    let verdict = parse(bytes);
    for cut in 0..bytes.len().min(LONGEST) {
        match parse(&bytes[..cut]) {
            Ok(None) => {}
            early => assert_eq!(early, verdict, "later bytes change the verdict"),
        }
    }
    let header = match verdict {
        Err(_) => return,
        Ok(None) => return assert!(bytes.len() < LONGEST, "a header without an end"),
        Ok(Some(header)) => header,
    };
    assert!((1..=bytes.len().min(LONGEST)).contains(&header.length));
    for compose in [compose_v1, compose_v2] {
        let mut again = Vec::new();
        compose(header.addresses.as_ref(), &mut again);
        let read = parse(&again).expect("what we compose").expect("whole");
        assert_eq!((read.addresses, read.length), (header.addresses, again.len()));
    }
}
