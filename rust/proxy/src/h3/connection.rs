//! One client's connection: its streams, its silence, its end.

use super::quic::{Connection as Quic, Reader, Writer};
use super::shared::{Held, Shared};
use super::stream::Stream;
use crate::conn::ConnInfo;
use crate::deadline::Deadline;
use crate::downstream::Client;
use crate::error::Failure;
use crate::h2::floods::Flood;
use crate::h2::head;
use crate::request::Arrival;
use crate::transport::Transport;
use crate::worker::Worker;
use crate::{request, respond};
use bytes::Bytes;
use fastingress_http1::{Error, Head, Version, request as parse};
use h3::error::{Code, StreamError};
use h3::server::{Connection, RequestResolver};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// How long a last word may take.
const GOODBYE: Duration = Duration::from_secs(1);
/// How long streams that were on their way may still come once the client knows that it shall open no more.
const CROSSING: Duration = Duration::from_millis(200);
/// More streams than any client opens.
const ALL: usize = usize::MAX >> 4;
/// Heads are this much longer at most when they are packed.
const PACKED: u64 = 2;

type Halves = (Rc<RefCell<Reader>>, Rc<RefCell<Writer>>);

/// Serves a connection until it ends.
pub async fn serve(quic: quinn::Connection, info: Rc<ConnInfo>, worker: Rc<Worker>) {
    let options = &worker.shared.options;
    let limit = options.head_limit as u64;
    let shared = Shared::new(quic.clone(), &worker.shared.budget);
    let adapter = Quic::new(quic, &shared, limit * PACKED);
    let latest = adapter.latest();
    let mut builder = h3::server::builder();
    builder.max_field_section_size(limit).send_grease(false);
    let wait = Duration::from_millis(options.head_timeout_ms.into());
    let Ok(Ok(connection)) = timeout(wait, builder.build(adapter)).await else {
        return;
    };
    let slot = worker.register();
    let idle = Duration::from_millis(options.idle_timeout_ms.into());
    let session = Session {
        shared,
        info,
        worker: worker.clone(),
        latest,
        idle,
        deadline: Deadline::after(idle),
        closing: Closing::No,
        had_streams: false,
        slot,
    };
    session.run(connection).await;
    worker.unregister(slot);
}

/// How far the end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    /// The client was told to open no more streams; those that it has opened are served.
    Asked,
    /// Streams that come now are refused, and the client knows which.
    Final,
}

/// What happens next.
enum Event {
    Request(RequestResolver<Quic, Bytes>),
    /// Go one step towards the end.
    Close(Closing),
    /// The client broke a bound.
    Flood(Flood),
    End,
}

/// What the task of a connection keeps.
struct Session {
    shared: Rc<Shared>,
    info: Rc<ConnInfo>,
    worker: Rc<Worker>,
    latest: Rc<Cell<Option<Halves>>>,
    idle: Duration,
    deadline: Deadline,
    closing: Closing,
    had_streams: bool,
    slot: usize,
}

impl Session {
    async fn run(mut self, mut connection: Connection<Quic, Bytes>) {
        loop {
            let event = poll_fn(|cx| self.poll(cx, &mut connection)).await;
            match event {
                Event::Request(resolver) => self.open(resolver),
                Event::Close(step) => {
                    self.closing = step;
                    let more = if step == Closing::Asked { ALL } else { 1 };
                    let _told_or_gone = timeout(GOODBYE, connection.shutdown(more)).await;
                    self.deadline.restart(CROSSING);
                }
                Event::Flood(flood) => {
                    self.worker.metrics.flooded(flood);
                    return self.shared.close(Code::H3_EXCESSIVE_LOAD);
                }
                Event::End => return,
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, connection: &mut Connection<Quic, Bytes>) -> Poll<Event> {
        self.shared.attend(cx.waker());
        self.worker.idle(self.slot, cx.waker());
        if let Some(flood) = self.shared.caught() {
            return Poll::Ready(Event::Flood(flood));
        }
        if self.worker.is_draining() && self.closing == Closing::No {
            return Poll::Ready(Event::Close(Closing::Asked));
        }
        // What it waits for is kept in the connection, not in the future.
        match pin!(connection.accept()).poll(cx) {
            Poll::Ready(Ok(Some(resolver))) => return Poll::Ready(Event::Request(resolver)),
            Poll::Ready(Ok(None) | Err(_)) => return Poll::Ready(Event::End),
            Poll::Pending => {}
        }
        self.poll_silence(cx)
    }

    /// A connection without streams closes after a while, or soon when the worker drains.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let has_streams = self.shared.streams() > 0;
        if has_streams != self.had_streams {
            self.had_streams = has_streams;
            self.deadline.restart(match self.closing {
                Closing::No => self.idle,
                Closing::Asked | Closing::Final => CROSSING,
            });
        }
        if let (Closing::Asked, Some(until)) = (self.closing, self.worker.idle_deadline()) {
            self.deadline.set(until);
        }
        if has_streams && self.closing != Closing::Asked {
            return Poll::Pending;
        }
        std::task::ready!(self.deadline.poll(cx));
        Poll::Ready(match self.closing {
            Closing::No | Closing::Asked => Event::Close(Closing::Final),
            Closing::Final => Event::End,
        })
    }

    /// A stream of its own for a request.
    fn open(&self, resolver: RequestResolver<Quic, Bytes>) {
        let Some(halves) = self.latest.take() else { return };
        if self.shared.is_over_share() {
            // Nothing of it was done, so the client may ask elsewhere.
            halves.0.borrow_mut().stop(Code::H3_REQUEST_REJECTED);
            halves.1.borrow_mut().cancel(Code::H3_REQUEST_REJECTED);
            return;
        }
        let opened = Opened {
            held: self.shared.enter(),
            halves,
            info: self.info.clone(),
            worker: self.worker.clone(),
        };
        tokio::task::spawn_local(opened.serve(resolver));
    }
}

/// A stream whose head is still to come.
struct Opened {
    held: Held,
    halves: Halves,
    info: Rc<ConnInfo>,
    worker: Rc<Worker>,
}

impl Opened {
    async fn serve(self, resolver: RequestResolver<Quic, Bytes>) {
        let start = Instant::now();
        let wait = Duration::from_millis(self.worker.shared.options.head_timeout_ms.into());
        let (request, heads) = match timeout(wait, resolver.resolve_request()).await {
            Ok(Ok(resolved)) => resolved,
            Ok(Err(error)) => return self.fail(&error),
            Err(_) => return self.cancel(Code::H3_REQUEST_CANCELLED),
        };
        let mut head = self.worker.take_head();
        let parsed = self.read(request, &mut head).await;
        let mut stream = Stream::new(heads, self.halves, self.held);
        if let Ok(parsed) = &parsed {
            stream.expect(parsed);
        }
        let mut client = Client::new(Transport::Messages(Box::new(stream)), self.info, self.worker);
        match parsed {
            Ok(parsed) => {
                let bytes = head::weight(&head) as usize;
                Box::pin(request::serve(&mut client, head, parsed, Arrival { start, bytes })).await;
            }
            Err(error) => {
                respond::refuse(&mut client, &head, Failure::BadRequest(error)).await;
                client.worker.give_head(head);
            }
        }
    }

    async fn read(&self, request: http::Request<()>, head: &mut Head) -> Result<parse::Request, Error> {
        let ended = poll_fn(|cx| Poll::Ready(self.halves.0.borrow_mut().has_ended(cx))).await;
        let (parts, ()) = request.into_parts();
        let protocol = parts
            .extensions
            .get::<h3::ext::Protocol>()
            .map(h3::ext::Protocol::as_str);
        let limits = &self.worker.shared.limits;
        head::read_request(Version::Http3, &parts, protocol, ended, limits, head)
    }

    /// There was no request.
    fn fail(&self, error: &StreamError) {
        match error {
            // The library has answered with 431.
            StreamError::HeaderTooBig { .. } => self.held.shared().note(Flood::HeaderBomb),
            StreamError::StreamError { .. } => {
                self.held.shared().note(Flood::ProvokedReset);
                self.cancel(Code::H3_MESSAGE_ERROR);
            }
            _ => {
                self.held.shared().note(Flood::RapidReset);
                self.cancel(Code::H3_REQUEST_CANCELLED);
            }
        }
    }

    fn cancel(&self, code: Code) {
        self.halves.0.borrow_mut().stop(code);
        self.halves.1.borrow_mut().cancel(code);
    }
}
