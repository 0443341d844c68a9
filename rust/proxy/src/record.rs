//! The access record of one request: filled in by the steps it walks through, read by metrics and the access log.

use crate::conn::ConnInfo;
use fastingress_route::Route;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// What is to be said of one request. Times are instants, turned into durations when the record is formatted.
#[derive(Debug)]
pub struct Record {
    /// When the first byte of the head was read.
    pub start: Instant,
    /// The route that took it; `None` when none did or the head was refused.
    pub route: Option<Arc<Route>>,
    /// The client.
    pub peer: SocketAddr,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The protocol of the request: `HTTP/1.1` and so on.
    pub protocol: &'static str,
    /// The endpoint that answered, or that was tried last.
    pub endpoint: Option<Arc<str>>,
    /// How many endpoints were tried.
    pub tries: u8,
    /// Head bytes and body bytes read from the client.
    pub bytes_in: u64,
    /// Head bytes and body bytes written to the client.
    pub bytes_out: u64,
    /// The status sent; 499 when the client went away before one was.
    pub status: u16,
    /// How long connecting took, if a connection was made. Microseconds.
    pub connect_us: Option<u32>,
    /// From the request being sent to the first byte of the answer. Microseconds.
    pub upstream_us: Option<u32>,
    /// From first byte to last. Microseconds; set at the end.
    pub duration_us: u64,
    /// Why we answered ourselves or cut the request short: a stable word such as `no_endpoints`, `client_gone`.
    pub reason: Option<&'static str>,
    /// Whether a line is to be written.
    pub log: bool,
}

impl Record {
    /// The record of a request that has just come.
    pub fn new(start: Instant, conn: &ConnInfo, protocol: &'static str) -> Self {
        Self {
            start,
            route: None,
            peer: conn.peer,
            scheme: if conn.is_https() { "https" } else { "http" },
            protocol,
            endpoint: None,
            tries: 0,
            bytes_in: 0,
            bytes_out: 0,
            status: 0,
            connect_us: None,
            upstream_us: None,
            duration_us: 0,
            reason: None,
            log: true,
        }
    }
}
