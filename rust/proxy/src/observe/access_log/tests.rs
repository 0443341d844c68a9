//! Tests of the access log with real pipes: read, not read, and without a reader.

use super::*;
use crate::observe::testing::{head, ingress, record, route};
use std::io::{PipeReader, Read, pipe};
use std::os::fd::OwnedFd;

/// A log that writes to a pipe.
fn start(format: LogFormat) -> (AccessLog, PipeReader) {
    let (reader, writer) = pipe().unwrap();
    (AccessLog::start(format, OwnedFd::from(writer).into()).unwrap(), reader)
}

/// Everything until the log has ended.
fn rest(mut reader: PipeReader) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::yield_now();
    }
}

#[test]
fn a_record_and_its_head_become_a_line() {
    let (log, reader) = start(LogFormat::Json);
    let mut served = record(Some(route(&ingress("web", 0))), 201);
    served.endpoint = Some("10.0.0.1:80".into());
    served.reason = Some("client_gone");
    (served.tries, served.connect_us, served.upstream_us) = (2, Some(1_500), None);
    log.handle().write(&served, &head(b"/cart?x=1"));
    assert!(log.stop());
    let line: serde_json::Value = serde_json::from_str(&rest(reader)).unwrap();
    let expected = serde_json::json!({
        "time": line["time"], "client": "192.0.2.1", "scheme": "http", "protocol": "HTTP/1.1", "method": "GET",
        "host": "shop.example.com", "path": "/cart?x=1", "status": 201, "bytes_in": 100, "bytes_out": 1000,
        "duration_ms": 2.0, "connect_ms": 1.5, "upstream_ms": null, "namespace": "shop", "ingress": "web",
        "rule": "rules[1].paths[2]", "service": "shop/web:80", "endpoint": "10.0.0.1:80", "tries": 2,
        "reason": "client_gone", "request_id": "0123", "user_agent": "test/1", "referer": null,
    });
    assert_eq!(line, expected);
    let time = line["time"].as_str().unwrap();
    assert!(
        time.starts_with("20") && time.ends_with('Z') && time.len() == 24,
        "{time}"
    );
}

#[test]
fn lines_are_written_without_being_asked_for() {
    let (log, mut reader) = start(LogFormat::Text);
    let handle = log.handle();
    for round in 0..3 {
        handle.write(&record(None, 404), &head(format!("/{round}").as_bytes()));
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let mut byte = [0];
            assert_eq!(reader.read(&mut byte).unwrap(), 1);
            line.push(byte[0]);
        }
        assert!(
            String::from_utf8(line)
                .unwrap()
                .contains(&format!("shop.example.com/{round} HTTP/1.1\" 404 "))
        );
    }
}

#[test]
fn a_record_is_counted_before_the_thread_can_take_it() {
    let (log, reader) = start(LogFormat::Text);
    let handle = log.handle();
    let queue = lock(&handle.queue);
    let worker = {
        let handle = handle.clone();
        std::thread::spawn(move || handle.write(&record(None, 200), &head(b"/")))
    };
    until("counting", || handle.shared.waiting.load(Relaxed) > 0);
    assert!(queue.entries.is_empty());
    drop(queue);
    worker.join().unwrap();
    assert!(log.stop());
    assert_eq!((rest(reader).lines().count(), log.shared.waiting.load(Relaxed)), (1, 0));
}

#[test]
fn each_worker_keeps_its_order_and_nothing_gets_lost() {
    const LINES: usize = 2_000;
    let (log, reader) = start(LogFormat::Text);
    let reading = std::thread::spawn(move || rest(reader));
    let workers = ["a", "b"].map(|worker| {
        let handle = log.handle();
        std::thread::spawn(move || {
            for at in 0..LINES {
                handle.write(&record(None, 200), &head(format!("/{worker}/{at}").as_bytes()));
            }
        })
    });
    for worker in workers {
        worker.join().unwrap();
    }
    assert!(log.stop());
    let text = reading.join().unwrap();
    assert_eq!((text.lines().count(), log.dropped()), (2 * LINES, 0));
    for worker in ["a", "b"] {
        let prefix = format!("shop.example.com/{worker}/");
        let of_worker = text.lines().filter_map(|line| line.split_once(&prefix));
        let order: Vec<usize> = of_worker
            .map(|(_, rest)| rest.split(' ').next().unwrap().parse().unwrap())
            .collect();
        assert!(order.iter().copied().eq(0..LINES));
    }
}

#[test]
fn a_reader_that_does_not_read_costs_lines_and_nothing_else() {
    let (log, reader) = start(LogFormat::Text);
    let handle = log.handle();
    let mut sent = 0;
    until("dropping", || {
        handle.write(&record(None, 200), &head(b"/"));
        sent += 1;
        assert!(log.shared.waiting.load(Relaxed) <= WAITING);
        log.dropped() > 0
    });
    assert!(!log.stop(), "the thread hangs in a write");
    let written = rest(reader).lines().count() as u64;
    assert!(written > 1_000, "{written}");
    until("the end", || log.stop());
    assert_eq!(written + log.dropped(), sent);
}

#[test]
fn a_reader_that_is_gone_costs_lines_and_nothing_else() {
    let (log, reader) = start(LogFormat::Text);
    drop(reader);
    let handle = log.handle();
    for sent in 1..=3 {
        handle.write(&record(None, 200), &head(b"/"));
        until("counting", || log.dropped() == sent);
    }
    assert_eq!(log.shared.waiting.load(Relaxed), 0);
    assert!(log.stop());
}

#[test]
fn without_a_log_nothing_happens() {
    let (log, reader) = start(LogFormat::Off);
    log.handle().write(&record(None, 200), &head(b"/"));
    assert!(log.stop());
    assert_eq!((rest(reader).len(), log.dropped()), (0, 0));
}

#[test]
fn long_texts_are_cut() {
    let (log, reader) = start(LogFormat::Json);
    let mut head = head(&b"/p".repeat(10_000));
    head.set(b"User-Agent", &b"u".repeat(10_000));
    log.handle().write(&record(None, 200), &head);
    assert!(log.stop());
    let line: serde_json::Value = serde_json::from_str(&rest(reader)).unwrap();
    assert_eq!(
        (
            line["path"].as_str().unwrap().len(),
            line["user_agent"].as_str().unwrap().len()
        ),
        (8192, 1024)
    );
    assert_eq!(line["request_id"], "0123");
}

#[test]
fn memory_is_used_again() {
    let (log, reader) = start(LogFormat::Text);
    let handle = log.handle();
    let reading = std::thread::spawn(move || rest(reader));
    for _ in 0..20 {
        handle.write(&record(None, 200), &head(b"/"));
        until("writing", || log.shared.waiting.load(Relaxed) == 0);
    }
    assert!(lock(&handle.queue).entries.is_empty());
    assert!(log.stop());
    assert_eq!(reading.join().unwrap().lines().count(), 20);
}
