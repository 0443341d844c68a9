//! Reads the PROXY header of a connection and not a byte more: what follows is the stream's.
//!
//! The bytes that wait are looked at in place. As long as they are the beginning of a header all of them belong to it and
//! are taken; once the header is whole, exactly its rest is.

use super::{Addresses, parse};
use crate::filters::is_within;
use crate::options::Options;
use std::io;
use std::net::IpAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Bytes that are looked at in one go: all of most headers.
const LOOK: usize = 536;

/// Why there is no header. The text is the reason under which it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Denied(pub(crate) &'static str);

const GONE: Denied = Denied("proxy_protocol_gone");

/// The addresses that the header of a connection from `peer` tells, if headers are taken from there.
pub(crate) async fn ask(stream: &TcpStream, peer: IpAddr, options: &Options) -> Result<Option<Addresses>, Denied> {
    if !is_within(peer, &options.proxy_protocol_from) {
        return Err(Denied("proxy_protocol_untrusted"));
    }
    receive(stream, Duration::from_millis(options.head_timeout_ms.into())).await
}

/// The addresses that the header of this connection tells, within `wait`; `None` when it tells none.
pub(super) async fn receive(stream: &TcpStream, wait: Duration) -> Result<Option<Addresses>, Denied> {
    match timeout(wait, read(stream)).await {
        Ok(read) => read,
        Err(_) => Err(Denied("proxy_protocol_timeout")),
    }
}

async fn read(stream: &TcpStream) -> Result<Option<Addresses>, Denied> {
    let mut held = Vec::new();
    loop {
        let before = held.len();
        look(stream, &mut held).await.map_err(|_| GONE)?;
        let header = parse(&held).map_err(|_| Denied("proxy_protocol_malformed"))?;
        held.truncate(header.map_or(held.len(), |header| header.length));
        take(stream, &mut held[before..]).map_err(|_| GONE)?;
        if let Some(header) = header {
            return Ok(header.addresses);
        }
    }
}

/// Waits for bytes and appends those that are there, leaving them where they are.
async fn look(stream: &TcpStream, held: &mut Vec<u8>) -> io::Result<()> {
    let before = held.len();
    held.resize(before + LOOK, 0);
    let seen = stream.peek(&mut held[before..]).await?;
    held.truncate(before + seen);
    match seen {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// Takes as many bytes as `space` has, which are there.
fn take(stream: &TcpStream, space: &mut [u8]) -> io::Result<()> {
    match stream.try_read(space)? {
        taken if taken == space.len() => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
