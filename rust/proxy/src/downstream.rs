//! One client connection from its first byte to its last: waits for a head, has the request served, keeps alive or
//! closes in an orderly way.
//!
//! While it waits it is a small task without buffers. What happens to a request is in `request`.

use crate::accept::Open;
use crate::buffers::Lease;
use crate::conn::ConnInfo;
use crate::deadline::Deadline;
use crate::error::Failure;
use crate::head::{HeadError, poll_head};
use crate::messages::Ending;
use crate::relay::Outbox;
use crate::request::Arrival;
use crate::transport::Transport;
use crate::worker::Worker;
use crate::{linger, request, respond};
use fastingress_http1::scan::Scan;
use fastingress_http1::{Framing, Head, Version, encode, request as parse};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::time::Instant;

/// Bytes of later requests that are taken in while one is served.
const PIPELINED: usize = 64 * 1024;

/// One client connection.
pub struct Client {
    /// The byte stream.
    pub stream: Transport,
    /// Bytes read and not used yet.
    pub inbuf: Vec<u8>,
    /// What is known about the connection.
    pub info: Rc<ConnInfo>,
    /// The one timer of the connection.
    pub deadline: Deadline,
    /// The thread it lives on.
    pub worker: Rc<Worker>,
    /// What `inbuf` holds of the global budget.
    held: Lease,
    /// Among the connections that are woken when the worker drains.
    slot: Option<usize>,
}

/// What is to become of a connection after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It waits for the next request.
    KeepAlive,
    /// It closes; the client has sent everything it was going to send.
    Close,
    /// It closes while the client may still be sending: what comes is read and dropped, so that the answer is not lost
    /// to a reset.
    Linger,
    /// It has gone, or is of no more use.
    Gone,
}

/// The head of an answer and how its body goes out.
#[derive(Debug, Clone, Copy)]
pub struct AnswerHead<'a> {
    /// Status and fields.
    pub head: &'a Head,
    /// Of the body, for this client.
    pub framing: Framing,
    /// Of the request.
    pub version: Version,
    /// The connection goes on.
    pub keep_alive: bool,
    /// It answers a HEAD.
    pub to_head: bool,
    /// Trailers may come behind a body whose length is known.
    pub may_have_trailers: bool,
}

/// How waiting for a head ended.
enum Next {
    Request(Box<Head>, parse::Request, Arrival),
    Refused(Failure, Box<Head>),
    Quiet,
}

/// What is known of a head that has not come yet, or not wholly.
#[derive(Default)]
struct Awaited {
    scan: Scan,
    /// When the first part of it was seen.
    since: Option<Instant>,
    /// Taken when all of it is here: an idle connection has none.
    head: Option<Box<Head>>,
}

impl Client {
    /// Serves a connection of HTTP/1 until it ends. `inbuf` was read from it already.
    ///
    /// No `async fn`: one keeps its arguments beside what is made of them, for as long as the connection lives.
    pub fn serve(stream: Transport, info: Rc<ConnInfo>, inbuf: Vec<u8>, open: Open) -> impl Future<Output = ()> {
        let slot = open.worker().register();
        let mut client = Client::new(stream, info, open.worker().clone());
        client.inbuf = inbuf;
        client.slot = Some(slot);
        async move {
            let after = client.requests().await;
            client.close(after).await;
            // The socket first: once no connection is counted, none is open.
            drop(client);
            drop(open);
        }
    }

    /// A client whose requests are served one by one by whoever makes it.
    pub fn new(stream: Transport, info: Rc<ConnInfo>, worker: Rc<Worker>) -> Self {
        let wait = Duration::from_millis(worker.shared.options.head_timeout_ms.into());
        Client {
            stream,
            inbuf: Vec::new(),
            info,
            deadline: Deadline::with(worker.take_timer(), wait),
            held: Lease::new(&worker.shared.budget),
            worker,
            slot: None,
        }
    }

    async fn requests(&mut self) -> After {
        loop {
            // One type for both: what they are made of would be kept beside them.
            let served: Pin<Box<dyn Future<Output = (After, Instant)> + '_>> = match self.next().await {
                Next::Request(head, parsed, arrival) => Box::pin(request::serve(self, head, parsed, arrival)),
                Next::Refused(failure, head) => Box::pin(self.refuse(failure, head)),
                Next::Quiet => return After::Close,
            };
            let (after, now) = served.await;
            if after != After::KeepAlive {
                return after;
            }
            let idle = Duration::from_millis(self.worker.shared.options.idle_timeout_ms.into());
            self.deadline.set(now + idle);
        }
    }

    async fn refuse(&mut self, failure: Failure, head: Box<Head>) -> (After, Instant) {
        let after = respond::refuse(self, &head, failure).await;
        self.worker.give_head(head);
        (after, Instant::now())
    }

    fn next(&mut self) -> impl Future<Output = Next> {
        let mut awaited = Awaited::default();
        poll_fn(move |cx| {
            let outcome = std::task::ready!(self.poll_next(cx, &mut awaited));
            let Awaited { since, head, .. } = std::mem::take(&mut awaited);
            let head = || head.unwrap_or_else(|| self.worker.take_head());
            Poll::Ready(match outcome {
                Ok((parsed, bytes)) => {
                    let start = since.map_or_else(std::time::Instant::now, Instant::into_std);
                    Next::Request(head(), parsed, Arrival { start, bytes })
                }
                Err(Some(failure)) => Next::Refused(failure, head()),
                Err(None) => Next::Quiet,
            })
        })
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        awaited: &mut Awaited,
    ) -> Poll<Result<(parse::Request, usize), Option<Failure>>> {
        let Self {
            stream, inbuf, worker, ..
        } = self;
        let limits = &worker.shared.limits;
        let Awaited { scan, head, .. } = &mut *awaited;
        let read = poll_head(cx, stream, inbuf, scan, limits, &worker.buffers, |bytes| {
            let head = head.get_or_insert_with(|| worker.take_head());
            parse::parse(bytes, limits, head).map(|parsed| (parsed, bytes.len()))
        });
        self.held.set(self.inbuf.len());
        match read {
            Poll::Ready(Ok(parsed)) => return Poll::Ready(Ok(parsed)),
            Poll::Ready(Err(HeadError::Refused(error))) => return Poll::Ready(Err(Some(Failure::BadRequest(error)))),
            Poll::Ready(Err(HeadError::Ended | HeadError::Io(_))) => return Poll::Ready(Err(None)),
            Poll::Pending => {}
        }
        if !self.inbuf.is_empty() {
            return self.poll_slow_head(cx, &mut awaited.since);
        }
        self.poll_idle(cx)
    }

    /// Part of a head is here: the rest must come in time, and while there is memory for it.
    fn poll_slow_head<T>(
        &mut self,
        cx: &mut Context<'_>,
        since: &mut Option<Instant>,
    ) -> Poll<Result<T, Option<Failure>>> {
        let wait = Duration::from_millis(self.worker.shared.options.head_timeout_ms.into());
        if self.worker.shared.budget.is_exhausted() {
            return Poll::Ready(Err(Some(Failure::Overload)));
        }
        let since = *since.get_or_insert_with(Instant::now);
        self.deadline.set(since + wait);
        self.deadline.poll(cx).map(|()| Err(Some(Failure::ClientTimeout)))
    }

    /// Nothing is here: the connection idles, and closes quietly after a while or when the worker drains.
    fn poll_idle<T>(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Option<Failure>>> {
        if let Some(slot) = self.slot {
            self.worker.idle(slot, cx.waker());
        }
        if let Some(until) = self.worker.idle_deadline() {
            self.deadline.set(until);
        }
        std::task::ready!(self.deadline.poll(cx));
        if self.stream.has_unread_bytes() {
            // The next request came at the last moment: its head timeout runs from here.
            self.deadline
                .restart(Duration::from_millis(self.worker.shared.options.head_timeout_ms.into()));
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Err(None))
    }

    /// Ready when the client has gone. What it sends meanwhile is kept for later, up to a bound.
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(stream) = self.stream.messages() {
            return stream.poll_gone(cx);
        }
        let Self {
            stream,
            inbuf,
            worker,
            held,
            ..
        } = self;
        while inbuf.len() < PIPELINED && !worker.shared.budget.is_exhausted() {
            let read = worker.buffers.with_scratch(|scratch| {
                let mut space = ReadBuf::new(&mut scratch[..PIPELINED]);
                std::task::ready!(Pin::new(&mut *stream).poll_read(cx, &mut space))?;
                if inbuf.capacity() == 0 {
                    *inbuf = worker.buffers.take();
                }
                inbuf.extend_from_slice(space.filled());
                Poll::Ready(Ok::<usize, std::io::Error>(space.filled().len()))
            });
            match read {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(_)) => held.set(inbuf.len()),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Pending
    }

    /// Sends the head of an answer, or puts it into `out` in front of the body that goes through there.
    pub fn begin_answer(&mut self, answer: &AnswerHead<'_>, out: &mut Outbox) -> io::Result<()> {
        let AnswerHead { head, framing, .. } = *answer;
        if let Some(stream) = self.stream.messages() {
            let ending = match framing {
                _ if answer.to_head || framing == Framing::Empty => Ending::Now,
                Framing::Length(0) if !answer.may_have_trailers => Ending::Now,
                Framing::Length(length) if !answer.may_have_trailers => Ending::After(length),
                _ => Ending::Open,
            };
            out.count(stream.send_head(head, ending)?);
            return Ok(());
        }
        let AnswerHead {
            version,
            keep_alive,
            to_head,
            ..
        } = *answer;
        encode::response(
            head,
            framing,
            version,
            keep_alive,
            to_head,
            out.compose(&self.worker.buffers),
        );
        Ok(())
    }

    /// What takes time is boxed: it is seldom needed, and an idle connection would keep the room for it.
    async fn close(&mut self, after: After) {
        match after {
            After::Linger => Box::pin(linger::close(&mut self.stream, &self.worker.buffers)).await,
            After::Close if self.stream.has_unread_bytes() => {
                Box::pin(linger::close(&mut self.stream, &self.worker.buffers)).await
            }
            // It sees the FIN when the socket is dropped.
            After::Close | After::KeepAlive if matches!(self.stream, Transport::Plain(_)) => {}
            After::Close | After::KeepAlive => {
                let goodbye = tokio::time::timeout(Duration::from_secs(1), self.stream.shutdown());
                let _gone_already = Box::pin(goodbye).await;
            }
            After::Gone => {}
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            self.worker.unregister(slot);
        }
        if let Some(timer) = self.deadline.take_timer() {
            self.worker.give_timer(timer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Listener, Metrics};
    use crate::options::Options;
    use crate::tls::{Authorities, Certificates};
    use crate::upstream::{PoolConfig, UpstreamShared, Upstreams};
    use crate::worker::Shared;
    use arc_swap::ArcSwap;
    use fastingress_route::RouteTable;
    use std::sync::Arc;
    use tokio::net::{TcpListener, TcpStream};

    /// With more, its task is of the next larger size, 512 bytes.
    const SMALL: usize = 280;

    fn worker() -> Rc<Worker> {
        let authorities = Arc::<Authorities>::default();
        let upstreams = UpstreamShared::new(authorities.clone(), Certificates::new().unwrap());
        let table = Arc::new(ArcSwap::new(RouteTable::empty()));
        let shared = Arc::new(Shared::new(Options::default(), table, authorities, 16));
        let upstreams = Upstreams::new(upstreams, PoolConfig::default(), shared.budget.clone());
        let metrics = Metrics::new(1, false).worker(0);
        Rc::new(Worker::new(shared, upstreams, metrics, None))
    }

    /// An accepted connection, and the other end of it.
    async fn connection() -> (Transport, Rc<ConnInfo>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (here, peer) = listener.accept().await.unwrap();
        let info = ConnInfo {
            peer,
            port: 80,
            tls: None,
            forwarded_port: 80,
            https_before: false,
        };
        (Transport::Plain(here), Rc::new(info), there)
    }

    #[tokio::test]
    async fn a_connection_is_a_small_task() {
        let (stream, info, _there) = connection().await;
        let served = Client::serve(stream, info, Vec::new(), Open::new(&worker(), Listener::Http));
        let size = size_of_val(&served);
        assert!(size <= SMALL, "{size}");
    }

    #[tokio::test]
    async fn a_connection_that_waits_has_no_head() {
        let (stream, info, mut there) = connection().await;
        let worker = worker();
        let warm: Box<Head> = Box::default();
        let place: *const Head = &raw const *warm;
        worker.give_head(warm);
        let mut client = Client::new(stream, info, worker.clone());
        let mut next = std::pin::pin!(client.next());
        assert!(poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx).is_pending())).await);
        let still_there = worker.take_head();
        assert!(std::ptr::eq(&raw const *still_there, place));

        worker.give_head(still_there);
        there
            .write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            .await
            .unwrap();
        let Next::Request(head, ..) = next.await else {
            panic!("it is a request");
        };
        assert!(std::ptr::eq(&raw const *head, place));
    }
}
