//! The seeds hold what the fuzz targets check, without a fuzzer: a quick look before a long run.

use fastingress_fuzz::{bodies, change_sets, hyper_reads, paths, proxy_headers, requests, responses};
use std::path::Path;

fn each(target: &str, check: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let seeds: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder of seeds")
        .flatten()
        .collect();
    assert!(seeds.len() > 5, "few seeds");
    for seed in seeds {
        check(&std::fs::read(seed.path()).expect("a seed"));
    }
}

#[test]
fn request_heads() {
    each("request_head", requests::check);
}

#[test]
fn response_heads() {
    each("response_head", responses::check);
}

#[test]
fn body_framings() {
    each("body_framing", bodies::check);
}

#[test]
fn match_forms() {
    each("path_normalise", paths::check);
}

#[test]
fn change_sets_of_all_kinds() {
    each("change_set", change_sets::check);
}

#[test]
fn proxy_headers_of_both_versions() {
    each("proxy_header", proxy_headers::check);
}

/// The oracles are worth something only if they see what there is to see.
#[test]
fn hyper_finds_a_smuggled_request() {
    let bytes = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /b HTTP/1.1\r\nHost: b\r\n\r\n";
    let found = hyper_reads::requests(bytes);
    let targets: Vec<&str> = found.iter().map(|message| message.target.as_str()).collect();
    assert_eq!(targets, ["/a", "/b"]);
    assert_eq!((found[0].body.as_slice(), found[0].whole), (&b"hi"[..], true));
    let answer = hyper_reads::response(
        b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhirest",
        "GET",
    );
    let answer = answer.expect("an answer");
    assert_eq!(
        (answer.status, answer.body.as_slice(), answer.whole),
        (200, &b"hi"[..], true)
    );
}
