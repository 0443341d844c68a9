//! What is counted and logged of one stream, from its beginning to its end.

use super::relay::End;
use crate::error::Failure;
use crate::observe::streams::{PortCounters, PortLabel, Trouble};
use crate::record::Record;
use crate::worker::Worker;
use fastingress_route::Route;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// The account of one stream. It is closed when it is dropped.
pub(crate) struct Account {
    /// What the log will say.
    pub(crate) record: Record,
    /// The counters of the port.
    pub(crate) counters: Arc<PortCounters>,
    /// What was asked for: a server name, or our own address.
    target: Box<str>,
    worker: Rc<Worker>,
}

impl Account {
    /// A stream of `peer` begins, on the port that `label` says.
    pub(crate) fn open(
        worker: &Rc<Worker>,
        label: PortLabel,
        peer: SocketAddr,
        target: &str,
        route: &Arc<Route>,
    ) -> Self {
        let counters = worker.metrics.port(label);
        counters.opened();
        let protocol = match label.protocol {
            "tcp" => "TCP",
            "udp" => "UDP",
            _ => "TLS",
        };
        Self {
            record: Record {
                start: Instant::now(),
                route: Some(route.clone()),
                peer,
                scheme: label.protocol,
                protocol,
                endpoint: None,
                tries: 0,
                bytes_in: 0,
                bytes_out: 0,
                status: 200,
                connect_us: None,
                upstream_us: None,
                duration_us: 0,
                reason: None,
                log: route.settings.now.load().access_log,
            },
            counters,
            target: target.into(),
            worker: worker.clone(),
        }
    }

    /// No endpoint could be reached.
    pub(crate) fn failed(&mut self, failure: &Failure) {
        self.record.status = failure.status();
        self.record.reason = Some(failure.reason());
        self.counters.trouble(match failure {
            Failure::NoBackend | Failure::NoEndpoints => Trouble::NoEndpoints,
            _ => Trouble::ConnectFailed,
        });
    }

    /// What a client had to send first did not come.
    pub(crate) fn refused(&mut self, reason: &'static str) {
        self.record.status = 400;
        self.record.reason = Some(reason);
        self.counters.trouble(Trouble::ProxyHeader);
    }

    /// The relay has ended.
    pub(crate) fn ended(&mut self, end: End) {
        let trouble = match end {
            End::Closed => return,
            End::Reset => Trouble::Reset,
            End::Idle => Trouble::IdleTimeout,
        };
        self.record.reason = Some(trouble.as_str());
        self.counters.trouble(trouble);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.counters.closed();
        self.record.duration_us = self.record.start.elapsed().as_micros() as u64;
        if self.record.log
            && let Some(log) = &self.worker.log
        {
            log.write_stream(&self.record, self.target.as_bytes());
        }
    }
}
