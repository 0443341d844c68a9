//! A connection to the TLS port of which nothing but the server name is read: it goes to its backend as it came.
//!
//! The bytes that were looked at are still in the socket, so nothing has to be sent again.

use super::account::Account;
use super::reach::{Reached, reach};
use super::relay::Relay;
use crate::conn::ConnInfo;
use crate::observe::Handshake;
use crate::observe::streams::PortLabel;
use crate::tls::hello::{self, Way};
use crate::worker::Worker;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpStream;

/// Relays the connection to its end if it is to pass through. `Some`: it is to be terminated, and no byte is missing.
pub(crate) async fn divert(stream: TcpStream, info: &ConnInfo, worker: &Rc<Worker>) -> Option<TcpStream> {
    let wait = Duration::from_millis(worker.shared.options.handshake_timeout_ms.into());
    let (name, route) = match tokio::time::timeout(wait, hello::way(&stream, worker)).await {
        Ok(Way::Terminate) => return Some(stream),
        Ok(Way::Pass(name, route)) => (name, route),
        Err(_) => {
            worker.metrics.handshake("", Handshake::Timeout);
            return None;
        }
    };
    let label = PortLabel {
        protocol: "tls",
        port: info.port,
    };
    let mut account = Account::open(worker, label, info.peer, &name, &route);
    let Reached {
        stream: endpoint,
        _choice,
    } = match reach(&route, worker, &mut account).await {
        Ok(reached) => reached,
        Err(failure) => {
            account.failed(&failure);
            return None;
        }
    };
    let idle = Duration::from_millis(worker.shared.options.stream_timeout_ms.into());
    let end = Relay::new(stream, endpoint, idle, worker).run(&mut account).await;
    account.ended(end);
    None
}
