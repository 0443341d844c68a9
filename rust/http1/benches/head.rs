//! What a head costs: a browser's request of about 500 bytes, scanned, parsed, written; an answer; names; paths.

#![allow(missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fastingress_http1::{Decoder, Event, Framing, Head, Limits, Name, Scan, encode, hop, path, request, response};
use std::hint::black_box;

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

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Date: Mon, 01 Sep 2025 12:00:00 GMT\r\n\
    Content-Type: text/html; charset=utf-8\r\n\
    Content-Length: 1024\r\n\
    Cache-Control: private, max-age=0\r\n\
    Set-Cookie: session=0123456789abcdef0123456789abcdef; Path=/; HttpOnly; Secure\r\n\
    Vary: Accept-Encoding\r\n\
    X-Frame-Options: DENY\r\n\
    \r\n";

fn heads(criterion: &mut Criterion) {
    let limits = Limits::default();
    let mut group = criterion.benchmark_group("head");

    group.throughput(Throughput::Bytes(REQUEST.len() as u64));
    group.bench_function("scan request", |bencher| {
        bencher.iter(|| Scan::default().find_end(black_box(REQUEST), &limits));
    });
    let mut head = Head::new();
    group.bench_function("scan and parse request", |bencher| {
        bencher.iter(|| {
            let end = Scan::default().find_end(black_box(REQUEST), &limits);
            assert_eq!(end, Ok(Some(REQUEST.len())));
            request::parse(black_box(REQUEST), &limits, &mut head)
        });
    });
    let mut out = Vec::new();
    group.bench_function("encode request", |bencher| {
        bencher.iter(|| {
            out.clear();
            encode::request(black_box(&head), Framing::Empty, true, &mut out);
            out.len()
        });
    });
    group.bench_function("parse, strip and encode request", |bencher| {
        bencher.iter(|| {
            out.clear();
            let parsed = request::parse(black_box(REQUEST), &limits, &mut head).map(|parsed| parsed.framing);
            hop::strip_hop_by_hop(&mut head, false);
            encode::request(&head, parsed.unwrap_or(Framing::Empty), true, &mut out);
            out.len()
        });
    });

    group.throughput(Throughput::Bytes(RESPONSE.len() as u64));
    group.bench_function("scan and parse response", |bencher| {
        bencher.iter(|| {
            let end = Scan::default().find_end(black_box(RESPONSE), &limits);
            assert_eq!(end, Ok(Some(RESPONSE.len())));
            response::parse(black_box(RESPONSE), &limits, b"GET", false, &mut head)
        });
    });
    group.finish();
}

fn names(criterion: &mut Criterion) {
    let lines: Vec<&[u8]> = REQUEST
        .split(|byte| *byte == b'\n')
        .skip(1)
        .filter_map(|line| line.split(|byte| *byte == b':').next().filter(|name| name.len() > 1))
        .collect();
    criterion.bench_function("recognise the names of a request", |bencher| {
        bencher.iter(|| {
            lines
                .iter()
                .filter(|name| Name::of(black_box(name)) != Name::Other)
                .count()
        });
    });
}

fn paths(criterion: &mut Criterion) {
    let mut scratch = Vec::new();
    let mut group = criterion.benchmark_group("normalise");
    for (about, raw) in [
        ("plain", &b"/shop/catalogue/shoes/running/4711"[..]),
        ("with an escape", b"/shop/catalogue/caf%c3%a9/running/4711"),
        ("with dot segments", b"/shop/catalogue/../shoes/./running/4711"),
    ] {
        group.bench_function(about, |bencher| {
            bencher.iter(|| path::normalise(black_box(raw), true, &mut scratch).map(<[u8]>::len));
        });
    }
    group.finish();
}

fn bodies(criterion: &mut Criterion) {
    let mut chunked = Vec::new();
    for _ in 0..16 {
        chunked.extend_from_slice(b"1000\r\n");
        chunked.extend_from_slice(&[b'x'; 4096]);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    criterion.bench_function("decode sixteen chunks", |bencher| {
        bencher.iter(|| {
            let (mut decoder, mut at) = (Decoder::new(Framing::Chunked), 0);
            while let Ok((taken, Some(event))) = decoder.decode(black_box(&chunked[at..])) {
                at += taken;
                if event == Event::End {
                    break;
                }
            }
            at
        });
    });
}

criterion_group!(benches, heads, names, paths, bodies);
criterion_main!(benches);
