//! TCP services: a connection goes to an endpoint as it came, after a PROXY header where one is asked for.

use super::account::Account;
use super::reach::{Reached, reach};
use super::relay::Relay;
use crate::accept::{self, Open};
use crate::observe::streams::PortLabel;
use crate::proxy_protocol::{self, Addresses, Denied};
use crate::worker::{Phase, Worker};
use arc_swap::ArcSwap;
use fastingress_route::Stream;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Accepts on one socket until the port closes, and then what still waits there.
pub(crate) async fn listen(
    socket: std::net::TcpListener,
    now: Arc<ArcSwap<Stream>>,
    worker: Rc<Worker>,
    phase: watch::Receiver<Phase>,
) {
    let Ok(listener) = TcpListener::from_std(socket) else {
        return worker.metrics.refused("accept_failed");
    };
    let serve_one = |client, peer| {
        let open = Open::unnamed(&worker);
        let stream = now.load_full();
        tokio::task::spawn_local(async move {
            let open = open;
            serve(client, accept::unmapped(peer), &stream, open.worker()).await;
        });
    };
    accept::listen(listener, &worker, phase, serve_one).await;
}

async fn serve(client: TcpStream, peer: SocketAddr, stream: &Stream, worker: &Rc<Worker>) {
    let Ok(local) = client.local_addr().map(accept::unmapped) else {
        return;
    };
    let label = PortLabel {
        protocol: "tcp",
        port: stream.port,
    };
    let mut account = Account::open(worker, label, peer, &local.to_string(), &stream.route);
    let mut addresses = Addresses {
        source: peer,
        destination: local,
    };
    if stream.accept_proxy {
        match proxy_protocol::ask(&client, peer.ip(), &worker.shared.options).await {
            Ok(told) => addresses = told.unwrap_or(addresses),
            Err(Denied(reason)) => return account.refused(reason),
        }
        account.record.peer = addresses.source;
    }
    let Reached {
        stream: endpoint,
        _choice,
    } = match reach(&stream.route, worker, &mut account).await {
        Ok(reached) => reached,
        Err(failure) => return account.failed(&failure),
    };
    let idle = Duration::from_millis(stream.idle_timeout_ms.into());
    let mut relay = Relay::new(client, endpoint, idle, worker);
    match stream.send_proxy {
        0 => {}
        1 => relay.first(|out| proxy_protocol::compose_v1(Some(&addresses), out)),
        _ => relay.first(|out| proxy_protocol::compose_v2(Some(&addresses), out)),
    }
    let end = relay.run(&mut account).await;
    account.ended(end);
}
