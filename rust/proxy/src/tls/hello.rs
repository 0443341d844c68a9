//! Reads the server name of a ClientHello before anybody decides to terminate TLS, and leaves every byte where it is.
//!
//! Only done while some host passes through. What takes which way:
//!
//! | what comes | what happens |
//! |---|---|
//! | a name whose host passes through | it passes through |
//! | another name, or none | TLS is terminated |
//! | a ClientHello in several packets or TLS records | is put together first |
//! | one that is not whole in time | the connection ends, as with any late handshake |
//! | with encrypted ClientHello, real or grease | the outer name decides, which is all that can be seen |
//! | more than 16 KiB, anything malformed, or no TLS at all | is left to the TLS library, which refuses it with an alert |
//!
//! RFC 8446 sections 4.1.2 and 5.1, RFC 6066 section 3.

use crate::worker::Worker;
use fastingress_route::Route;
use std::borrow::Cow;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use tokio::io::{Interest, ReadBuf};
use tokio::net::TcpStream;

/// The longest ClientHello that is looked at.
const LONGEST: usize = 16 * 1024;
/// The longest fragment in a TLS record.
const LONGEST_FRAGMENT: usize = 16 * 1024;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const HOST_NAME: u8 = 0;

/// Which way a connection goes.
#[derive(Debug)]
pub(crate) enum Way {
    /// To the backend of this route, unopened, for this server name.
    Pass(Box<str>, Arc<Route>),
    /// TLS is terminated here.
    Terminate,
}

/// Waits until the server name is known, or that there is none, and says which way that goes. No byte is taken.
pub(crate) async fn way(stream: &TcpStream, worker: &Worker) -> Way {
    loop {
        let Ok(ready) = stream.ready(Interest::READABLE).await else {
            return Way::Terminate;
        };
        match look(stream, worker).await {
            Some(way) => return way,
            None if ready.is_read_closed() => return Way::Terminate,
            // What is there does not suffice. Once readiness is taken back, the next wait is for more.
            None => {
                let would_block = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
                let _taken_back = stream.try_io(Interest::READABLE, would_block);
            }
        }
    }
}

/// The way of what is there; `None` if that takes more bytes.
async fn look(stream: &TcpStream, worker: &Worker) -> Option<Way> {
    poll_fn(|cx| {
        worker.buffers.with_scratch(|scratch| {
            let room = scratch.len();
            let mut space = ReadBuf::new(scratch);
            match stream.poll_peek(cx, &mut space) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Err(_)) => Poll::Ready(Some(Way::Terminate)),
                Poll::Ready(Ok(_)) => Poll::Ready(match server_name(space.filled()) {
                    Sight::More if space.filled().len() < room => None,
                    Sight::Name(name) => Some(by_name(&name, worker)),
                    Sight::More | Sight::Nameless => Some(Way::Terminate),
                }),
            }
        })
    })
    .await
}

fn by_name(name: &str, worker: &Worker) -> Way {
    let route = worker.with_table(|table| table.passthrough(name.as_bytes()).cloned());
    route.map_or(Way::Terminate, |route| {
        Way::Pass(name.to_ascii_lowercase().into(), route)
    })
}

/// What the first bytes of a connection tell.
#[derive(Debug, PartialEq, Eq)]
enum Sight<'b> {
    /// Nothing yet: they are the beginning of a ClientHello.
    More,
    /// A server name, as the client wrote it.
    Name(Cow<'b, str>),
    /// No server name, or no ClientHello.
    Nameless,
}

/// Reads the server name of the ClientHello that `bytes` begin with.
fn server_name(bytes: &[u8]) -> Sight<'_> {
    let message = match hello(bytes) {
        Message::Whole(message) => message,
        Message::Part => return Sight::More,
        Message::Foreign => return Sight::Nameless,
    };
    let name = match message {
        Cow::Borrowed(message) => name_in(message).map(Cow::Borrowed),
        Cow::Owned(message) => name_in(&message).map(|name| Cow::Owned(name.to_owned())),
    };
    name.map_or(Sight::Nameless, Sight::Name)
}

enum Message<'b> {
    /// The body of a ClientHello.
    Whole(Cow<'b, [u8]>),
    /// The beginning of one.
    Part,
    /// Something else, or too long.
    Foreign,
}

/// Puts the handshake message together that the records carry. Most come in one, of which nothing is copied.
fn hello(mut bytes: &[u8]) -> Message<'_> {
    let mut held = Cow::Borrowed(&[][..]);
    loop {
        match bytes {
            [HANDSHAKE, 3, ..] | [HANDSHAKE] | [] => {}
            _ => return Message::Foreign,
        }
        let Some((&[_, _, _, high, low], rest)) = bytes.split_first_chunk::<5>() else {
            return Message::Part;
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length == 0 || length > LONGEST_FRAGMENT {
            return Message::Foreign;
        }
        let there = &rest[..length.min(rest.len())];
        if held.is_empty() {
            held = Cow::Borrowed(there);
        } else {
            held.to_mut().extend_from_slice(there);
        }
        if let Some(message) = whole(&held) {
            return message.map_or(Message::Foreign, |length| match held {
                Cow::Borrowed(held) => Message::Whole(Cow::Borrowed(&held[4..4 + length])),
                Cow::Owned(held) => Message::Whole(Cow::Owned(held[4..4 + length].to_vec())),
            });
        }
        let Some(next) = rest.get(length..) else {
            return Message::Part;
        };
        bytes = next;
    }
}

/// Whether a ClientHello is whole, and if so how long; `Err`: it is none.
fn whole(held: &[u8]) -> Option<Result<usize, ()>> {
    if held.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
        return Some(Err(()));
    }
    let &[_, a, b, c] = held.first_chunk::<4>()?;
    let length = u32::from_be_bytes([0, a, b, c]) as usize;
    if length > LONGEST {
        return Some(Err(()));
    }
    (held.len() >= 4 + length).then_some(Ok(length))
}

/// The server name in the body of a ClientHello, if there is one and it can be a host's.
fn name_in(body: &[u8]) -> Option<&str> {
    const VERSION_AND_RANDOM: usize = 34;
    let mut fields = Fields(body.get(VERSION_AND_RANDOM..)?);
    let (_session, _suites, _compression) = (fields.short()?, fields.long()?, fields.short()?);
    let mut extensions = Fields(fields.long()?);
    let mut found = None;
    while !extensions.0.is_empty() {
        let (kind, value) = (extensions.number()?, extensions.long()?);
        // RFC 8446 section 4.2: no kind comes twice.
        if kind == SERVER_NAME && found.replace(value).is_some() {
            return None;
        }
    }
    let mut names = Fields(Fields(found?).long()?);
    while !names.0.is_empty() {
        let (&kind, rest) = names.0.split_first()?;
        names.0 = rest;
        let name = names.long()?;
        if kind == HOST_NAME {
            let name = std::str::from_utf8(name).ok()?;
            let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            return (!name.is_empty() && name.bytes().all(is_host)).then_some(name);
        }
    }
    None
}

/// Fields with their lengths before them.
struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    fn number(&mut self) -> Option<u16> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*number))
    }

    fn short(&mut self) -> Option<&'b [u8]> {
        let (&length, rest) = self.0.split_first()?;
        self.0 = rest;
        self.take(length.into())
    }

    fn long(&mut self) -> Option<&'b [u8]> {
        let length = self.number()?;
        self.take(length.into())
    }

    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (field, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(field)
    }
}

#[cfg(test)]
#[path = "hello_tests.rs"]
mod tests;
