//! HTTP/2 of clients: one task per connection, one per stream.
//!
//! | module | what it is |
//! |---|---|
//! | [`guard`] | between the `h2` crate and the socket: frames counted, bytes accounted for |
//! | [`floods`] | how much of what a client may send |
//! | [`frames`] | the headers of frames as bytes go by |
//! | [`held`] | bytes that a connection holds, for the budget |
//! | [`wire`] | the socket, and what waits to be written to it |
//! | [`stream`] | one stream as the spine sees it |
//! | [`head`] | heads between the `http` crate and ours |
//!
//! The connection's task accepts streams, ends the connection in an orderly way, and asks a client that is silent under
//! long streams whether it is still there. A stream's request goes through the same spine as any other.

pub mod floods;
pub mod frames;
mod guard;
pub mod head;
pub mod held;
mod stream;
mod wire;

pub use guard::PREFACE;

use crate::conn::ConnInfo;
use crate::deadline::Deadline;
use crate::downstream::Client;
use crate::error::Failure;
use crate::request::Arrival;
use crate::transport::Transport;
use crate::worker::Worker;
use crate::{request, respond};
use bytes::Bytes;
use fastingress_http1::Version;
use floods::Flood;
use guard::{Guard, Shared};
use h2::server::{Builder, Connection, SendResponse};
use h2::{Ping, PingPong, Reason, RecvStream};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use stream::Stream;
use tokio::time::timeout;

/// Streams of a connection at the same time.
const STREAMS: u32 = 128;
/// Bytes of a request body that may be on their way unasked: what a stream gets out of a round trip.
const STREAM_WINDOW: u32 = guard::STREAM_WINDOW;
/// All streams may fill theirs, so that one that stands still takes nothing from the others. Memory is bounded by the
/// budget of the process, not by windows.
const CONNECTION_WINDOW: u32 = STREAMS * STREAM_WINDOW;
/// Bytes of one answer that the library may hold. More would not be faster, and slow clients would cost more.
const SEND_BUFFER: usize = 64 * 1024;
/// Streams that may come and be reset within one read. The library has a bound of its own for these, far lower than what a page
/// that is left resets; what is counted beneath it comes first.
const RESETS_AT_ONCE: usize = 512;
/// A connection with streams that is silent for so long is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(30);
/// And has so long to answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// A connection that is not read from while memory is short looks again so soon.
const THROTTLE: Duration = Duration::from_millis(20);
/// How long a last word may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// Serves a connection until it ends. `prefix` was read from it already.
pub async fn serve(io: Transport, prefix: Vec<u8>, info: Rc<ConnInfo>, worker: Rc<Worker>) {
    let shared = Shared::new(io, &worker.shared.budget);
    let options = &worker.shared.options;
    let guard = Guard::new(prefix, shared.clone(), worker.clone());
    let wait = Duration::from_millis(options.head_timeout_ms.into());
    // What is boxed here is short, and its memory is not kept for the life of the connection.
    let shaken = Box::pin(timeout(wait, builder(options.head_limit).handshake::<_, Bytes>(guard)));
    let Ok(Ok(mut connection)) = shaken.await else {
        return;
    };
    let slot = worker.register();
    let mut session = Session {
        pings: connection.ping_pong(),
        idle: Duration::from_millis(options.idle_timeout_ms.into()),
        patience: Duration::from_millis(options.body_timeout_ms.into()),
        deadline: Deadline::after(Duration::from_millis(options.idle_timeout_ms.into())),
        throttle: Deadline::after(THROTTLE),
        head: Deadline::after(wait),
        head_timeout: wait,
        asked: false,
        closing: false,
        had_streams: false,
        shared,
        info,
        worker: worker.clone(),
        slot,
    };
    let end = poll_fn(|cx| session.poll(cx, &mut connection)).await;
    worker.unregister(slot);
    Box::pin(session.end(&mut connection, end)).await;
}

fn builder(head_limit: usize) -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(STREAMS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(u32::try_from(head_limit).unwrap_or(u32::MAX))
        .max_send_buffer_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(RESETS_AT_ONCE)
        .enable_connect_protocol();
    builder
}

/// How a connection came to its end.
enum End {
    /// It is closed, or of no more use.
    Closed,
    /// The client broke a bound.
    Flood(Flood),
    /// The client does not answer.
    Silent,
    /// The client broke the protocol; the library has told it so.
    Broken,
}

/// What the task of a connection keeps.
struct Session {
    shared: Rc<Shared>,
    info: Rc<ConnInfo>,
    worker: Rc<Worker>,
    pings: Option<PingPong>,
    idle: Duration,
    /// With a client that takes next to nothing of an answer.
    patience: Duration,
    deadline: Deadline,
    throttle: Deadline,
    head: Deadline,
    head_timeout: Duration,
    /// A PING of ours has not been answered.
    asked: bool,
    /// The client was told to open no more streams.
    closing: bool,
    had_streams: bool,
    slot: usize,
}

impl Session {
    fn poll(&mut self, cx: &mut Context<'_>, connection: &mut Connection<Guard, Bytes>) -> Poll<End> {
        self.shared.attend(cx.waker());
        self.worker.idle(self.slot, cx.waker());
        loop {
            if let Some(flood) = self.shared.floods.caught() {
                return Poll::Ready(End::Flood(flood));
            }
            if self.worker.is_draining() && !self.closing {
                self.closing = true;
                connection.graceful_shutdown();
            }
            match connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, answer)))) => self.open(request, answer),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(self.end_of(&error)),
                Poll::Ready(None) => return Poll::Ready(End::Closed),
                Poll::Pending => break,
            }
        }
        self.shared.unseen.set(0);
        if let Some(flood) = self.shared.floods.caught() {
            return Poll::Ready(End::Flood(flood));
        }
        if let Poll::Ready(Err(_)) = self.shared.poll_send(cx, &self.worker.buffers) {
            return Poll::Ready(End::Closed);
        }
        if self.shared.is_throttled() {
            self.throttle.restart(THROTTLE);
            if self.throttle.poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
        if let Some(since) = self.shared.waiting_since.get() {
            self.head.set(since + self.head_timeout);
            if self.head.poll(cx).is_ready() {
                return Poll::Ready(End::Flood(Flood::SlowHead));
            }
        }
        self.poll_silence(cx, connection)
    }

    /// An idle connection closes after a while; one with streams is asked whether the client is there.
    fn poll_silence(&mut self, cx: &mut Context<'_>, connection: &mut Connection<Guard, Bytes>) -> Poll<End> {
        let has_streams = self.shared.streams.get() > 0;
        if self.shared.take_heard() || has_streams != self.had_streams {
            self.had_streams = has_streams;
            self.asked = false;
            self.deadline.restart(if has_streams { SILENCE } else { self.idle });
        }
        if let Some(pings) = &mut self.pings
            && self.asked
            && pings.poll_pong(cx).is_ready()
        {
            self.asked = false;
            self.deadline.restart(SILENCE);
        }
        while self.deadline.poll(cx).is_ready() {
            if !has_streams {
                if self.closing {
                    return Poll::Ready(End::Closed);
                }
                self.closing = true;
                connection.graceful_shutdown();
                self.deadline.restart(GOODBYE);
                cx.waker().wake_by_ref();
                continue;
            }
            if self.asked {
                return Poll::Ready(End::Silent);
            }
            if let Some(pings) = &mut self.pings {
                // One that is under way already will do.
                let _under_way = pings.send_ping(Ping::opaque());
                self.asked = pings.poll_pong(cx).is_pending();
                cx.waker().wake_by_ref();
            }
            self.deadline.restart(if self.asked { PATIENCE } else { SILENCE });
        }
        Poll::Pending
    }

    /// A stream of its own for a request.
    fn open(&self, request: http::Request<RecvStream>, mut answer: SendResponse<Bytes>) {
        if self.shared.is_over_share() {
            // Nothing of it was done, so the client may ask elsewhere.
            answer.send_reset(Reason::REFUSED_STREAM);
            return;
        }
        let start = Instant::now();
        let (parts, body) = request.into_parts();
        let ended = body.is_end_stream();
        let mut head = self.worker.take_head();
        let protocol = parts
            .extensions
            .get::<h2::ext::Protocol>()
            .map(h2::ext::Protocol::as_str);
        let limits = &self.worker.shared.limits;
        let parsed = head::read_request(Version::Http2, &parts, protocol, ended, limits, &mut head);
        drop(parts);
        let stream = Stream::new((!ended).then_some(body), answer, &self.shared, self.patience);
        let stream = Transport::Messages(Box::new(stream));
        let mut client = Client::new(stream, self.info.clone(), self.worker.clone());
        // Boxed: the runtime moves a task into its place, and overwrites the whole of it when it is done.
        tokio::task::spawn_local(Box::pin(async move {
            match parsed {
                Ok(parsed) => {
                    let bytes = head::weight(&head) as usize;
                    request::serve(&mut client, head, parsed, Arrival { start, bytes }).await;
                }
                Err(error) => {
                    Box::pin(respond::refuse(&mut client, &head, Failure::BadRequest(error))).await;
                    client.worker.give_head(head);
                }
            }
        }));
    }

    fn end_of(&self, error: &h2::Error) -> End {
        let calm_down = error.reason() == Some(Reason::ENHANCE_YOUR_CALM) && !error.is_remote();
        match self.shared.said.get() {
            Some(flood) => End::Flood(flood),
            None if calm_down => End::Flood(Flood::Other),
            None if error.is_go_away() && !error.is_remote() => End::Broken,
            None => End::Closed,
        }
    }

    /// The last words.
    async fn end(&self, connection: &mut Connection<Guard, Bytes>, end: End) {
        match end {
            End::Closed => return,
            End::Broken => return self.worker.metrics.refused("http2_error"),
            End::Flood(flood) => {
                self.worker.metrics.flooded(flood);
                self.shared.floods.stop(flood);
                connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            }
            End::Silent => connection.abrupt_shutdown(Reason::NO_ERROR),
        }
        let _told_or_gone = timeout(GOODBYE, poll_fn(|cx| connection.poll_closed(cx))).await;
    }
}
