//! How long to wait for a backend: what the route's upstream policy says, else the settings.

use fastingress_route::Route;
use fastingress_route::schema::Settings;
use std::time::Duration;

/// To connect to an endpoint.
pub fn connect_timeout(route: &Route, settings: &Settings) -> Duration {
    millis(route.target.upstream.connect_timeout_ms, settings.connect_timeout_ms)
}

/// Between two reads from an endpoint.
pub fn read_timeout(route: &Route, settings: &Settings) -> Duration {
    millis(route.target.upstream.read_timeout_ms, settings.read_timeout_ms)
}

/// Between two writes to an endpoint.
pub fn send_timeout(route: &Route, settings: &Settings) -> Duration {
    millis(route.target.upstream.send_timeout_ms, settings.send_timeout_ms)
}

fn millis(own: Option<u32>, inherited: u32) -> Duration {
    Duration::from_millis(own.unwrap_or(inherited).into())
}
