//! Chooses an endpoint for a stream and connects to it; as long as none could be reached nothing was sent, so another one
//! may always be tried.

use super::account::Account;
use crate::error::Failure;
use crate::filters;
use crate::upstream::{Choice, Tried};
use crate::worker::Worker;
use fastingress_route::Route;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// How long endpoints that turn out to be gone do not count as tries.
const FIND_OUT: Duration = Duration::from_millis(500);

/// A connection to an endpoint, which counts as busy there while the choice lives.
pub(crate) struct Reached {
    /// The connection.
    pub(crate) stream: TcpStream,
    /// Whom it is to.
    pub(crate) _choice: Choice,
}

/// Connects to an endpoint of the route, trying as many as the settings permit.
pub(crate) async fn reach(route: &Route, worker: &Worker, account: &mut Account) -> Result<Reached, Failure> {
    let cell = route.target.backend.as_ref().ok_or(Failure::NoBackend)?;
    let settings = route.settings.now.load_full();
    let timeout = filters::connect_timeout(route, &settings);
    let (begun, record) = (Instant::now(), &mut account.record);
    let mut tried = Tried::default();
    let mut tries_left = settings.tries.max(1);
    let mut last = Failure::NoEndpoints;
    while let Some(choice) = worker.upstreams.choose(cell, route.target.upstream.balance, &tried) {
        let was_aside = worker.upstreams.is_aside(&choice, tokio::time::Instant::now());
        tried.add(&choice);
        record.tries = record.tries.saturating_add(1);
        record.endpoint = Some(choice.text().clone());
        let start = Instant::now();
        last = match worker.upstreams.dial(&choice, timeout).await {
            Ok(stream) => {
                record.connect_us = Some(start.elapsed().as_micros().min(u128::from(u32::MAX)) as u32);
                return Ok(Reached {
                    stream,
                    _choice: choice,
                });
            }
            Err(failure) => failure,
        };
        // One that was thought to be well has just gone: that is found out once, at no cost to the others.
        if last.is_nobody_there() && !was_aside && begun.elapsed() < FIND_OUT {
            continue;
        }
        tries_left = tries_left.saturating_sub(1);
        if tries_left == 0 || !worker.upstreams.may_retry(cell) {
            break;
        }
    }
    Err(last)
}
