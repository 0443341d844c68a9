//! Makes a connection to an endpoint, and tells its ejection state how that went.

use super::manner::{Manner, Wire};
use super::peer::Peer;
use super::tls::HandshakeError;
use crate::error::Failure;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// How long a connection with many requests on it may be without an acknowledgement from the other end.
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);

/// Connects, and shakes hands where that is wanted, all within `timeout`.
///
/// An endpoint that can be reached and does not get on with us is not set aside: others may get on with it.
pub(super) async fn connect(peer: &Rc<Peer>, manner: &Manner, timeout: Duration) -> Result<Wire, Failure> {
    let wire = watched(peer, timeout, establish(peer, manner)).await?;
    peer.counts.opened();
    Ok(wire)
}

/// A connection that no pool will see.
pub(super) async fn dial(peer: &Rc<Peer>, timeout: Duration) -> Result<TcpStream, Failure> {
    watched(peer, timeout, reach(peer)).await
}

/// Waits for a connection and tells how it went.
async fn watched<T>(
    peer: &Rc<Peer>,
    timeout: Duration,
    connecting: impl Future<Output = Result<T, HandshakeError>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(timeout, connecting).await {
        Ok(Ok(connected)) => {
            peer.eject.succeeded();
            Ok(connected)
        }
        Ok(Err(HandshakeError::Tls(failure))) => {
            peer.counts.failed();
            Err(Failure::UpstreamTls(failure))
        }
        Ok(Err(HandshakeError::Io(error))) => {
            peer.counts.failed();
            if !is_our_own_lack(&error) {
                peer.eject.failed(Instant::now());
            }
            Err(Failure::Connect(error))
        }
        Err(_) => {
            peer.counts.failed();
            peer.eject.failed(Instant::now());
            Err(Failure::ConnectTimeout)
        }
    }
}

async fn reach(peer: &Rc<Peer>) -> Result<TcpStream, HandshakeError> {
    let stream = TcpStream::connect(peer.address).await.map_err(HandshakeError::Io)?;
    // A request leaves in one write; waiting for more would only delay it.
    stream.set_nodelay(true).map_err(HandshakeError::Io)?;
    Ok(stream)
}

async fn establish(peer: &Rc<Peer>, manner: &Manner) -> Result<Wire, HandshakeError> {
    let stream = reach(peer).await?;
    if manner.is_http2() {
        let socket = socket2::SockRef::from(&stream);
        socket
            .set_tcp_user_timeout(Some(UNACKNOWLEDGED))
            .map_err(HandshakeError::Io)?;
    }
    manner.handshake(stream, peer.address).await
}

/// True when this machine ran out of something, which says nothing about the endpoint.
fn is_our_own_lack(error: &io::Error) -> bool {
    let lacks = [
        libc::EMFILE,
        libc::ENFILE,
        libc::ENOBUFS,
        libc::ENOMEM,
        libc::EADDRNOTAVAIL,
        libc::EAGAIN,
    ];
    error.raw_os_error().is_some_and(|code| lacks.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_out_of_descriptors_is_not_the_endpoints_doing() {
        for (code, ours) in [
            (libc::EMFILE, true),
            (libc::ENFILE, true),
            (libc::EADDRNOTAVAIL, true),
            (libc::ECONNREFUSED, false),
            (libc::EHOSTUNREACH, false),
            (libc::ENETUNREACH, false),
            (libc::ECONNRESET, false),
        ] {
            assert_eq!(is_our_own_lack(&io::Error::from_raw_os_error(code)), ours, "{code}");
        }
    }
}
