//! HTTP/2 to endpoints: a few connections for each, with many requests on one.
//!
//! A connection is used for as many streams as the endpoint allows, up to a bound of our own; when all are full another
//! one is opened, up to a bound as well, and beyond that requests wait. Only one is being opened at a time: requests that come
//! meanwhile wait for it rather than to open one each. One that the endpoint is leaving (GOAWAY), that has served enough or has
//! grown old takes no new streams and closes when those it has have ended.

mod counted;
mod stream;

use super::PoolConfig;
use super::manner::{Manner, Wire};
use super::peer::Peer;
use super::stream::Stream;
use crate::buffers::Budget;
use crate::error::Failure;
use crate::h2::held::Held;
use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

use counted::Counted;
use stream::MessageStream;
pub use stream::NeverProcessed;

/// Streams on one connection, whatever more the endpoint allows.
const MOST_STREAMS: usize = 128;
/// Connections to one endpoint from one worker.
const MOST_CONNECTIONS: usize = 32;
/// What an endpoint may send on one stream before we have passed it on.
const STREAM_WINDOW: u32 = 64 * 1024;
/// The same of a connection: enough for all streams, so that those that stand still hold up no others.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * MOST_STREAMS as u32;
/// What waits on one stream to be written to the endpoint.
const SEND_BUFFER: usize = 64 * 1024;
/// An answer's head, as for HTTP/1.
const HEAD: u32 = 64 * 1024;
/// How often a connection with streams is asked whether it lives. Servers of gRPC take more than one in five minutes for
/// an attack.
const KEEP_ALIVE: Duration = Duration::from_secs(330);
/// How often it is asked because no answer came.
const PING_AT_MOST: Duration = Duration::from_secs(5);
/// How long it may take to say so.
const PONG: Duration = Duration::from_secs(10);

/// The connections of one worker to one endpoint.
#[derive(Default)]
pub(super) struct Carriers {
    list: RefCell<Vec<Rc<Carrier>>>,
    opening: Cell<bool>,
    /// Something has come about that those who wait want to see.
    news: Notify,
    /// Counts attempts to open one, with how the last one failed.
    attempts: Cell<u64>,
    failed: RefCell<Option<(u64, Failure)>>,
}

/// One connection.
struct Carrier {
    manner: Manner,
    peer: Rc<Peer>,
    requests: RefCell<SendRequest<Bytes>>,
    streams: Rc<Cell<usize>>,
    held: Rc<Held>,
    served: Cell<u32>,
    born: Instant,
    idle_since: Cell<Instant>,
    /// Asks it whether it lives.
    doubt: Rc<Notify>,
}

impl Carrier {
    fn has_room(&self) -> bool {
        let allowed = self.requests.borrow().current_max_send_streams();
        self.streams.get() < allowed.min(MOST_STREAMS)
    }

    /// True when it takes no new stream: closed, or the endpoint has said that it will.
    fn is_closing(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        matches!(self.requests.borrow_mut().poll_ready(&mut cx), Poll::Ready(Err(_)))
    }

    /// A stream takes so many bytes that had come.
    fn taken(&self, bytes: usize) {
        self.held.taken(bytes);
        self.held.settle(self.streams.get(), 0);
    }

    /// A stream gives so many bytes to be sent.
    fn given(&self, stream: u32, bytes: usize) {
        self.held.given(stream, bytes);
        self.held.settle(self.streams.get(), 0);
    }

    fn is_over(&self, config: &PoolConfig, now: Instant) -> bool {
        let idle = self.streams.get() == 0 && now.saturating_duration_since(self.idle_since.get()) >= config.idle_time;
        idle || now.saturating_duration_since(self.born) >= config.max_age || self.served.get() >= config.max_requests
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.peer.counts.idle_closed();
    }
}

/// A stream on a connection, for as long as it lives.
struct Lease(Rc<Carrier>);

impl Lease {
    fn new(carrier: &Rc<Carrier>) -> Self {
        if carrier.streams.get() == 0 {
            carrier.peer.counts.idle_closed();
        }
        carrier.streams.set(carrier.streams.get() + 1);
        carrier.served.set(carrier.served.get().saturating_add(1));
        Self(carrier.clone())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let carrier = &self.0;
        carrier.streams.set(carrier.streams.get() - 1);
        carrier.taken(0); // one that is gone holds nothing
        if carrier.streams.get() == 0 {
            carrier.idle_since.set(Instant::now());
            carrier.peer.counts.idle_opened();
        }
        carrier.peer.carriers.news.notify_one();
    }
}

/// A stream on a connection that is there, if one has room.
pub(super) fn checkout(peer: &Rc<Peer>, manner: &Manner, config: &PoolConfig) -> Option<Stream> {
    let now = Instant::now();
    let mut list = peer.carriers.list.borrow_mut();
    list.retain(|carrier| !carrier.is_closing() && !carrier.is_over(config, now));
    let carrier = list
        .iter()
        .find(|carrier| carrier.manner == *manner && carrier.has_room())?;
    Some(Stream::Messages(Box::new(MessageStream::new(Lease::new(carrier)))))
}

/// A stream on a connection that has room: waits for one, or opens one by `connect`.
pub(super) async fn acquire<C>(
    peer: &Rc<Peer>,
    manner: &Manner,
    config: &PoolConfig,
    budget: &Arc<Budget>,
    timeout: Duration,
    connect: impl FnOnce() -> C,
) -> Result<Stream, Failure>
where
    C: Future<Output = Result<Wire, Failure>>,
{
    let carriers = &peer.carriers;
    let deadline = Instant::now() + timeout;
    // An attempt that is under way counts, one that is over does not.
    let first = carriers.attempts.get() + u64::from(!carriers.opening.get());
    loop {
        if let Some(stream) = checkout(peer, manner, config) {
            // Whoever waits behind may find room as well.
            carriers.news.notify_one();
            return Ok(stream);
        }
        if let Some(failure) = carriers.failure_since(first) {
            carriers.news.notify_one();
            return Err(failure);
        }
        if !carriers.opening.get() && carriers.list.borrow().len() < MOST_CONNECTIONS {
            break;
        }
        let news = tokio::time::timeout_at(deadline, carriers.news.notified()).await;
        news.map_err(|_| Failure::ConnectTimeout)?;
    }
    let opening = Opening::begin(carriers);
    let opened = match connect().await {
        Ok(wire) => open(peer, manner, wire, budget, deadline).await,
        Err(failure) => Err(failure),
    };
    match opened {
        Ok(()) => {
            drop(opening);
            checkout(peer, manner, config).ok_or_else(gone)
        }
        Err(failure) => {
            *carriers.failed.borrow_mut() = Some((carriers.attempts.get(), failure.of_the_same_connect()));
            Err(failure)
        }
    }
}

/// It closed as soon as it was there, or allows no stream at all.
fn gone() -> Failure {
    Failure::UpstreamGone(io::ErrorKind::ConnectionReset.into())
}

impl Carriers {
    /// How the last attempt failed, if it did and was this one or a later one.
    fn failure_since(&self, first: u64) -> Option<Failure> {
        match &*self.failed.borrow() {
            Some((attempt, failure)) if *attempt >= first => Some(failure.of_the_same_connect()),
            _ => None,
        }
    }

    /// Lets go of those that are worn out. True while there are any.
    pub(super) fn sweep(&self, config: &PoolConfig, now: Instant) -> bool {
        // What a connection takes along at its end must not find the list in use.
        let mut over = Vec::new();
        let mut list = self.list.borrow_mut();
        list.retain(|carrier| {
            let kept = !carrier.is_closing() && !carrier.is_over(config, now);
            if !kept {
                over.push(carrier.clone());
            }
            kept
        });
        !list.is_empty()
    }

    /// Lets go of all: the endpoint is not used any more.
    pub(super) fn clear(&self) {
        let list = std::mem::take(&mut *self.list.borrow_mut());
        drop(list);
    }
}

/// While a connection is being opened; whatever becomes of it, the next may then be.
struct Opening<'p>(&'p Carriers);

impl<'p> Opening<'p> {
    fn begin(carriers: &'p Carriers) -> Self {
        carriers.opening.set(true);
        carriers.attempts.set(carriers.attempts.get() + 1);
        Self(carriers)
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.opening.set(false);
        self.0.news.notify_one();
    }
}

async fn open(
    peer: &Rc<Peer>,
    manner: &Manner,
    wire: Wire,
    budget: &Arc<Budget>,
    deadline: Instant,
) -> Result<(), Failure> {
    let held = Rc::new(Held::new(budget, STREAM_WINDOW));
    let streams = Rc::new(Cell::new(0));
    let wire = Counted::new(Stream::from(wire), held.clone(), streams.clone());
    let mut builder = Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_header_list_size(HEAD)
        .enable_push(false);
    let shaken = tokio::time::timeout_at(deadline, builder.handshake::<_, Bytes>(wire)).await;
    let (requests, connection) = shaken
        .map_err(|_| Failure::ConnectTimeout)?
        .map_err(|error| Failure::Connect(io::Error::other(error)))?;
    let doubt = Rc::new(Notify::new());
    let now = Instant::now();
    let carrier = Carrier {
        manner: manner.clone(),
        peer: peer.clone(),
        requests: RefCell::new(requests),
        streams,
        held,
        served: Cell::new(0),
        born: now,
        idle_since: Cell::new(now),
        doubt: doubt.clone(),
    };
    peer.counts.idle_opened();
    peer.carriers.list.borrow_mut().push(Rc::new(carrier));
    tokio::task::spawn_local(drive(connection, doubt));
    Ok(())
}

/// Moves the frames of a connection until it ends. Nobody waits for it: streams learn of its end by themselves.
async fn drive(mut connection: Connection<Counted, Bytes>, doubt: Rc<Notify>) {
    let Some(mut pings) = connection.ping_pong() else {
        return;
    };
    let mut connection = pin!(connection);
    let mut lived = Instant::now();
    loop {
        tokio::select! {
            _ended = &mut connection => return,
            () = doubt.notified() => if lived.elapsed() < PING_AT_MOST {
                continue;
            },
            () = tokio::time::sleep(KEEP_ALIVE) => {}
        }
        let pong = tokio::time::timeout(PONG, pings.ping(h2::Ping::opaque()));
        tokio::select! {
            _ended = &mut connection => return,
            pong = pong => if !matches!(pong, Ok(Ok(_))) {
                return; // the other end is not there any more
            }
        }
        lived = Instant::now();
    }
}

#[cfg(test)]
mod tests;
