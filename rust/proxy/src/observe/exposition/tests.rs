//! Tests of the text for Prometheus.

use super::*;
use crate::observe::metrics::{Handshake, Metrics};
use crate::observe::testing::{ingress, record, route};
use fastingress_route::RouteTable;
use std::collections::HashSet;
use std::time::Duration;

fn gauges() -> Gauges {
    let problems = r#"[
        {"code":"ConflictLost","severity":"error","object":null,"message":"x","origin":null},
        {"code":"ConflictLost","severity":"error","object":null,"message":"y","origin":null},
        {"code":"CertificateExpired","severity":"warning","object":null,"message":"z","origin":null}]"#;
    Gauges {
        certificates: vec![("default/shop".into(), 1_900_000_000)],
        upstream_idle: 5,
        upstream_busy: 2,
        buffered_bytes: 4096,
        log_dropped: 3,
        problems: problems.into(),
        more: "# TYPE fastingress_leader gauge\nfastingress_leader 1.0\n".into(),
        version: "1.2.3".into(),
    }
}

#[test]
fn families_of_others_stand_before_the_end() {
    let text = Metrics::new(1, true).encode(&RouteTable::empty(), &gauges());
    assert!(
        text.ends_with("# TYPE fastingress_leader gauge\nfastingress_leader 1.0\n# EOF\n"),
        "{text}"
    );
    assert_eq!(text.matches("# EOF").count(), 1);
}

/// The lines that are samples, without the value of those that differ from run to run.
fn samples(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn every_event_is_one_sample() {
    let metrics = Metrics::new(2, true);
    let (one, two) = (metrics.worker(0), metrics.worker(1));
    let shop = ingress("shop", 0);
    let mut served = record(Some(route(&shop)), 200);
    (served.connect_us, served.upstream_us) = (Some(400), Some(900));
    one.request(&served);
    two.request(&served);
    two.request(&record(None, 404));
    one.connection_opened(Listener::Http);
    one.connection_opened(Listener::Https);
    two.connection_opened(Listener::Https);
    two.connection_closed(Listener::Https);
    one.handshake("TLSv1.3", Handshake::Full);
    two.handshake("TLSv1.3", Handshake::Resumed);
    two.handshake("", Handshake::Failed);
    one.refused("connection_limit");
    two.refused("connection_limit");
    two.refused("descriptors");
    one.panicked();
    metrics.swapped(Duration::from_millis(3));
    let text = metrics.encode(&RouteTable::empty(), &gauges());
    let expected = [
        r#"fastingress_requests_total{namespace="shop",ingress="shop",class="2xx",code="200"} 2"#,
        r#"fastingress_requests_total{namespace="",ingress="",class="4xx",code="404"} 1"#,
        r#"fastingress_request_duration_seconds_count{namespace="shop",ingress="shop"} 2"#,
        r#"fastingress_request_duration_seconds_sum{namespace="shop",ingress="shop"} 0.004"#,
        r#"fastingress_request_duration_seconds_bucket{le="0.001",namespace="shop",ingress="shop"} 0"#,
        r#"fastingress_request_duration_seconds_bucket{le="0.0025",namespace="shop",ingress="shop"} 2"#,
        r#"fastingress_request_duration_seconds_bucket{le="+Inf",namespace="shop",ingress="shop"} 2"#,
        r#"fastingress_upstream_connect_seconds_count{namespace="shop",ingress="shop"} 2"#,
        r#"fastingress_upstream_response_seconds_sum{namespace="shop",ingress="shop"} 0.0018"#,
        r#"fastingress_request_bytes_total{namespace="shop",ingress="shop"} 200"#,
        r#"fastingress_response_bytes_total{namespace="shop",ingress="shop"} 2000"#,
        r#"fastingress_connections_open{listener="http"} 1"#,
        r#"fastingress_connections_open{listener="https"} 1"#,
        r#"fastingress_connections_total{listener="https"} 2"#,
        r#"fastingress_tls_handshakes_total{protocol="TLSv1.3",result="full"} 1"#,
        r#"fastingress_tls_handshakes_total{protocol="TLSv1.3",result="resumed"} 1"#,
        r#"fastingress_tls_handshakes_total{protocol="",result="failed"} 1"#,
        r#"fastingress_upstream_connections{state="idle"} 5"#,
        r#"fastingress_upstream_connections{state="busy"} 2"#,
        "fastingress_buffered_bytes 4096",
        "fastingress_table_swap_seconds_count 1",
        r#"fastingress_problems{code="ConflictLost",severity="error"} 2"#,
        r#"fastingress_problems{code="CertificateExpired",severity="warning"} 1"#,
        "fastingress_access_log_dropped_total 3",
        "fastingress_panics_total 1",
        r#"fastingress_refused_total{reason="connection_limit"} 2"#,
        r#"fastingress_refused_total{reason="descriptors"} 1"#,
        r#"fastingress_build_info{version="1.2.3"} 1"#,
    ];
    let samples = samples(&text);
    for line in expected {
        assert!(samples.contains(&line), "no {line} in\n{text}");
    }
    for name in [
        "fastingress_table_generation ",
        "fastingress_tables_alive ",
        "process_open_fds ",
        "process_resident_memory_bytes ",
    ] {
        assert!(
            samples.iter().any(|line| line.starts_with(name)),
            "no {name} in\n{text}"
        );
    }
    assert!(text.ends_with("# EOF\n"));
    assert_eq!(metrics.connections(), 2);
}

#[test]
fn each_family_and_each_sample_comes_once() {
    let metrics = Metrics::new(1, true);
    let shop = ingress("shop", 0);
    metrics.worker(0).request(&record(Some(route(&shop)), 200));
    let text = metrics.encode(&RouteTable::empty(), &gauges());
    let mut families = HashSet::new();
    for line in text.lines().filter(|line| line.starts_with("# TYPE ")) {
        let name = line.split(' ').nth(2).unwrap();
        assert!(families.insert(name), "{name} comes twice");
    }
    let mut seen = HashSet::new();
    for line in samples(&text) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(seen.insert(series), "{series} comes twice");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn without_labels_there_is_one_series() {
    let metrics = Metrics::new(1, false);
    for (name, slot) in [("a", 0), ("b", 1)] {
        metrics
            .worker(0)
            .request(&record(Some(route(&ingress(name, slot))), 200));
    }
    let text = metrics.encode(&RouteTable::empty(), &Gauges::default());
    let lines: Vec<_> = samples(&text)
        .into_iter()
        .filter(|line| line.starts_with("fastingress_requests"))
        .collect();
    assert_eq!(
        lines,
        [r#"fastingress_requests_total{namespace="",ingress="",class="2xx",code="200"} 2"#]
    );
}

#[test]
fn a_label_cannot_break_out() {
    let metrics = Metrics::new(1, true);
    let strange = ingress("a\"} 1\nforged{x=\"\\", 0);
    metrics.worker(0).request(&record(Some(route(&strange)), 200));
    let text = metrics.encode(&RouteTable::empty(), &Gauges::default());
    assert!(text.contains(r#"ingress="a\"} 1\nforged{x=\"\\",class"#), "{text}");
    assert!(!text.lines().any(|line| line.starts_with("forged")));
}

#[test]
fn problems_that_cannot_be_read_count_as_none() {
    for json in ["", "[]", "{}", "[{\"code\":1}]"] {
        assert!(count_problems(json).is_empty(), "{json}");
    }
}
