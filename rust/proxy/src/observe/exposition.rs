//! All counters as text, in the format of OpenMetrics. `prometheus-client` writes the lines; here is what they say.

use super::metrics::{Gauges, Listener, Snapshot};
use super::slab::IngressTotals;
use super::streams::{PortLabel, PortTotals, Trouble};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Error;

/// What a response with this text has to say of itself.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Makes the text.
pub(super) fn encode(snapshot: Snapshot, generation: u64, tables_alive: u64, gauges: &Gauges) -> String {
    let problems = count_problems(&gauges.problems);
    let exposition = Exposition {
        snapshot,
        generation,
        tables_alive,
        gauges: gauges.clone(),
        problems,
    };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(exposition));
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = text::encode_registry(&mut out, &registry);
    out.push_str(&gauges.more);
    let _ = text::encode_eof(&mut out);
    out
}

#[derive(Debug)]
struct Exposition {
    snapshot: Snapshot,
    generation: u64,
    tables_alive: u64,
    gauges: Gauges,
    /// By code and severity.
    problems: BTreeMap<(String, String), u64>,
}

impl Collector for Exposition {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut out = Out(encoder);
        self.requests(&mut out)?;
        self.durations(&mut out)?;
        self.bytes(&mut out)?;
        self.connections(&mut out)?;
        self.streams(&mut out)?;
        self.tables(&mut out)?;
        self.troubles(&mut out)?;
        self.certificates(&mut out)?;
        self.process(&mut out)
    }
}

impl Exposition {
    fn requests(&self, out: &mut Out<'_>) -> Result<(), Error> {
        let mut family = out.family(
            "fastingress_requests",
            "Requests answered or given up",
            MetricType::Counter,
        )?;
        for ((namespace, ingress), totals) in &self.snapshot.ingresses {
            for ((class, code), count) in &totals.requests {
                let class = if *class == 0 {
                    "other".into()
                } else {
                    format!("{class}xx")
                };
                let code = code.map_or("other".into(), |code| code.to_string());
                let labels = [
                    ("namespace", escape(namespace)),
                    ("ingress", escape(ingress)),
                    ("class", class.into()),
                    ("code", code.into()),
                ];
                counter(&mut family, &labels, *count)?;
            }
        }
        Ok(())
    }

    fn certificates(&self, out: &mut Out<'_>) -> Result<(), Error> {
        let mut family = out.family(
            "fastingress_certificate_expiry_timestamp_seconds",
            "The last second a certificate is valid",
            MetricType::Gauge,
        )?;
        for (key, not_after) in &self.gauges.certificates {
            let (namespace, secret) = key.split_once('/').unwrap_or(("", key));
            let labels = [("namespace", escape(namespace)), ("secret", escape(secret))];
            family.encode_family(&labels)?.encode_gauge(not_after)?;
        }
        Ok(())
    }

    fn durations(&self, out: &mut Out<'_>) -> Result<(), Error> {
        type Part = fn(&IngressTotals) -> &super::histogram::Totals;
        let parts: [(&str, &str, Part); 3] = [
            (
                "fastingress_request_duration_seconds",
                "From the first byte of a request to the last of its answer",
                |t| &t.duration,
            ),
            (
                "fastingress_upstream_connect_seconds",
                "Connecting to an endpoint",
                |t| &t.connect,
            ),
            (
                "fastingress_upstream_response_seconds",
                "From a request sent to the first byte of its answer",
                |t| &t.response,
            ),
        ];
        for (name, help, part) in parts {
            let mut family = out.family(name, help, MetricType::Histogram)?;
            for ((namespace, ingress), totals) in &self.snapshot.ingresses {
                let totals = part(totals);
                if totals.count() > 0 {
                    let labels = [("namespace", escape(namespace)), ("ingress", escape(ingress))];
                    histogram(&mut family.encode_family(&labels)?, totals)?;
                }
            }
        }
        Ok(())
    }

    fn bytes(&self, out: &mut Out<'_>) -> Result<(), Error> {
        type Part = fn(&IngressTotals) -> u64;
        let parts: [(&str, &str, Part); 2] = [
            (
                "fastingress_request_bytes",
                "Bytes of requests read from clients",
                |t| t.bytes_in,
            ),
            (
                "fastingress_response_bytes",
                "Bytes of responses written to clients",
                |t| t.bytes_out,
            ),
        ];
        for (name, help, part) in parts {
            let mut family = out.family(name, help, MetricType::Counter)?;
            for ((namespace, ingress), totals) in &self.snapshot.ingresses {
                let labels = [("namespace", escape(namespace)), ("ingress", escape(ingress))];
                counter(&mut family, &labels, part(totals))?;
            }
        }
        Ok(())
    }

    fn connections(&self, out: &mut Out<'_>) -> Result<(), Error> {
        let mut open = out.family(
            "fastingress_connections_open",
            "Client connections open now",
            MetricType::Gauge,
        )?;
        for listener in Listener::ALL {
            gauge(
                &mut open,
                &[("listener", listener.as_str().into())],
                self.snapshot.open(listener),
            )?;
        }
        let mut opened = out.family(
            "fastingress_connections",
            "Client connections accepted",
            MetricType::Counter,
        )?;
        for listener in Listener::ALL {
            counter(
                &mut opened,
                &[("listener", listener.as_str().into())],
                self.snapshot.opened[listener as usize],
            )?;
        }
        let mut family = out.family(
            "fastingress_tls_handshakes",
            "TLS handshakes ended",
            MetricType::Counter,
        )?;
        for ((protocol, result), count) in &self.snapshot.handshakes {
            counter(
                &mut family,
                &[("protocol", (*protocol).into()), ("result", (*result).into())],
                *count,
            )?;
        }
        let mut family = out.family(
            "fastingress_upstream_connections",
            "Connections to endpoints",
            MetricType::Gauge,
        )?;
        gauge(&mut family, &[("state", "idle".into())], self.gauges.upstream_idle)?;
        gauge(&mut family, &[("state", "busy".into())], self.gauges.upstream_busy)?;
        out.gauge(
            "fastingress_buffered_bytes",
            "Bytes held for streams",
            self.gauges.buffered_bytes,
        )
    }

    fn streams(&self, out: &mut Out<'_>) -> Result<(), Error> {
        let ports = &self.snapshot.ports;
        let open = "Streams and sessions open now";
        let mut family = out.family("fastingress_streams_open", open, MetricType::Gauge)?;
        for (label, totals) in ports {
            gauge(
                &mut family,
                &of_port(label),
                totals.opened.saturating_sub(totals.closed),
            )?;
        }
        type Part = fn(&PortTotals) -> u64;
        let parts: [(&str, &str, Part); 3] = [
            ("fastingress_streams", "Streams and sessions begun", |t| t.opened),
            ("fastingress_stream_bytes_in", "Bytes from clients of streams", |t| {
                t.bytes_in
            }),
            ("fastingress_stream_bytes_out", "Bytes to clients of streams", |t| {
                t.bytes_out
            }),
        ];
        for (name, help, part) in parts {
            let mut family = out.family(name, help, MetricType::Counter)?;
            for (label, totals) in ports {
                counter(&mut family, &of_port(label), part(totals))?;
            }
        }
        let troubles = "What went wrong with streams and datagrams";
        let mut family = out.family("fastingress_stream_troubles", troubles, MetricType::Counter)?;
        for (label, totals) in ports {
            for (trouble, count) in Trouble::ALL.iter().zip(totals.troubles) {
                if count > 0 {
                    let [protocol, port] = of_port(label);
                    let labels = [protocol, port, ("reason", trouble.as_str().into())];
                    counter(&mut family, &labels, count)?;
                }
            }
        }
        Ok(())
    }

    fn tables(&self, out: &mut Out<'_>) -> Result<(), Error> {
        out.gauge(
            "fastingress_table_generation",
            "Number of the live route table",
            self.generation,
        )?;
        out.gauge("fastingress_tables_alive", "Route tables in memory", self.tables_alive)?;
        let help = "From the bytes of a change to the live table";
        let mut family = out.family("fastingress_table_swap_seconds", help, MetricType::Histogram)?;
        histogram(&mut family, &self.snapshot.swaps)?;
        let mut family = out.family(
            "fastingress_problems",
            "What is wrong in the configuration",
            MetricType::Gauge,
        )?;
        for ((code, severity), count) in &self.problems {
            gauge(
                &mut family,
                &[("code", escape(code)), ("severity", escape(severity))],
                *count,
            )?;
        }
        Ok(())
    }

    fn troubles(&self, out: &mut Out<'_>) -> Result<(), Error> {
        let help = "Access records that were not written";
        out.counter("fastingress_access_log_dropped", help, self.gauges.log_dropped)?;
        out.counter(
            "fastingress_panics",
            "Connections that ended in a panic",
            self.snapshot.panics,
        )?;
        let mut family = out.family("fastingress_refused", "Turned away before routing", MetricType::Counter)?;
        for (reason, count) in &self.snapshot.refused {
            counter(&mut family, &[("reason", (*reason).into())], *count)?;
        }
        let help = "Connections of HTTP/2 that were ended because they broke a bound";
        let mut family = out.family("fastingress_http2_floods", help, MetricType::Counter)?;
        for (kind, count) in &self.snapshot.floods {
            counter(&mut family, &[("kind", (*kind).into())], *count)?;
        }
        Ok(())
    }

    fn process(&self, out: &mut Out<'_>) -> Result<(), Error> {
        let parts = [
            (
                "process_open_fds",
                "Open file descriptors",
                self.snapshot.open_descriptors,
            ),
            (
                "process_max_fds",
                "Limit on open file descriptors",
                self.snapshot.descriptor_limit,
            ),
            (
                "process_resident_memory_bytes",
                "Resident memory",
                self.snapshot.resident_bytes,
            ),
        ];
        for (name, help, value) in parts {
            if let Some(value) = value {
                out.gauge(name, help, value)?;
            }
        }
        let mut family = out.family("fastingress_build", "The program", MetricType::Info)?;
        family.encode_info(&[("version", escape(&self.gauges.version))])
    }
}

type Label<'a> = (&'static str, Cow<'a, str>);

/// The encoder with shorter words.
struct Out<'a>(DescriptorEncoder<'a>);

impl Out<'_> {
    fn family<'s>(&'s mut self, name: &'s str, help: &str, kind: MetricType) -> Result<MetricEncoder<'s>, Error> {
        self.0.encode_descriptor(name, help, None, kind)
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> Result<(), Error> {
        self.family(name, help, MetricType::Gauge)?.encode_gauge(&signed(value))
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> Result<(), Error> {
        self.family(name, help, MetricType::Counter)?
            .encode_counter::<NoLabelSet, u64, u64>(&value, None)
    }
}

fn of_port(label: &PortLabel) -> [Label<'static>; 2] {
    [
        ("protocol", label.protocol.into()),
        ("port", label.port.to_string().into()),
    ]
}

fn gauge(family: &mut MetricEncoder<'_>, labels: &[Label<'_>], value: u64) -> Result<(), Error> {
    family.encode_family(&labels)?.encode_gauge(&signed(value))
}

fn counter(family: &mut MetricEncoder<'_>, labels: &[Label<'_>], value: u64) -> Result<(), Error> {
    family
        .encode_family(&labels)?
        .encode_counter::<NoLabelSet, u64, u64>(&value, None)
}

fn histogram(metric: &mut MetricEncoder<'_>, totals: &super::histogram::Totals) -> Result<(), Error> {
    metric.encode_histogram::<NoLabelSet>(totals.sum_seconds(), totals.count(), &totals.buckets(), None)
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A label value as the format wants it: the encoder writes it as it is.
fn escape(value: &str) -> Cow<'_, str> {
    if !value.contains(['\\', '"', '\n']) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// Numbers by code and severity from the JSON list of problems. A list that cannot be read counts as empty.
fn count_problems(json: &str) -> BTreeMap<(String, String), u64> {
    #[derive(serde::Deserialize)]
    struct Item {
        code: String,
        severity: String,
    }
    let mut counts = BTreeMap::new();
    for Item { code, severity } in serde_json::from_str::<Vec<Item>>(json).unwrap_or_default() {
        *counts.entry((code, severity)).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests;
