//! Makes a connection to an endpoint, and tells its ejection state how that went.

use super::connection::Connection;
use super::peer::Peer;
use super::stream::Stream;
use crate::error::Failure;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;

pub(super) async fn connect(peer: &Rc<Peer>, timeout: Duration) -> Result<Connection, Failure> {
    let stream = dial(peer, timeout).await?;
    peer.counts.opened();
    Ok(Connection::new(Stream::Plain(stream), peer, Instant::now()))
}

/// A connection that no pool will see.
pub(super) async fn dial(peer: &Rc<Peer>, timeout: Duration) -> Result<TcpStream, Failure> {
    let stream = match tokio::time::timeout(timeout, TcpStream::connect(peer.key.address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            peer.counts.failed();
            if !is_our_own_lack(&error) {
                peer.eject.failed(Instant::now());
            }
            return Err(Failure::Connect(error));
        }
        Err(_) => {
            peer.counts.failed();
            peer.eject.failed(Instant::now());
            return Err(Failure::ConnectTimeout);
        }
    };
    // A request leaves in one write; waiting for more would only delay it.
    stream.set_nodelay(true).map_err(Failure::Connect)?;
    peer.eject.succeeded();
    Ok(stream)
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
