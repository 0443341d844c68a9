//! One request on one backend connection: send it, wait for the answer's head, relay both bodies.
//!
//! The request body and the answer move at the same time, since a backend may answer before it has read everything.
//! A connection goes back to the pool only from `relayed`, where the request was wholly sent and the answer wholly
//! read; on every other way out it is dropped, which lets the backend know at once.

use crate::downstream::{After, AnswerHead};
use crate::error::Failure;
use crate::filters;
use crate::grpc::Form;
use crate::h3::announce::announce;
use crate::head::{HeadError, poll_head};
use crate::messages::{Ending, framing_from_messages};
use crate::relay::{Pump, PumpError, Tunnel, Wait};
use crate::request::{Found, Request};
use crate::respond;
use crate::upstream::{Choice, Connection};
use fastingress_http1::scan::{Limits, Scan};
use fastingress_http1::{Framing, Head, Name, Version, encode, hop, response as parse};
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// Limits of an answer's head. Big cookies are not an error.
const LIMITS: Limits = Limits {
    head: 64 * 1024,
    headers: 256,
    target: 0,
};

/// Interim answers before the final one. Each may take a read timeout, so their number bounds the wait as well.
const INTERIMS: u32 = 64;

/// One request on one connection.
pub struct Attempt<'r, 'c> {
    request: &'r mut Request<'c>,
    found: &'r Found,
    connection: Connection,
    /// Bytes read from the backend and not used yet.
    inbuf: Vec<u8>,
    head: Box<Head>,
    scan: Scan,
    interims: u32,
    /// The backend takes no more of the request; it may still answer.
    send_failed: Option<io::Error>,
    waiting_since: Instant,
    /// The request did not go out at once.
    has_waited: bool,
    read_timeout: Duration,
    send_timeout: Duration,
    client_timeout: Duration,
}

/// How an exchange with a backend came to its end.
enum Exchanged {
    /// The whole answer was passed on. `keep_alive`: the client's connection may take another request.
    Answered { answer: parse::Response, keep_alive: bool },
    /// The connection had become a tunnel, and that has closed.
    Tunnelled,
}

impl<'r, 'c> Attempt<'r, 'c> {
    /// Prepares to send the request on `connection`, now.
    pub fn new(request: &'r mut Request<'c>, found: &'r Found, mut connection: Connection, now: Instant) -> Self {
        let worker = &request.client.worker;
        let options = &worker.shared.options;
        let read_timeout = filters::read_timeout(&found.route, &found.settings);
        let mut client_timeout = Duration::from_millis(options.body_timeout_ms.into());
        if Form::of(&request.head).is_some() {
            // Between two messages of a call there may be silence: no more is asked of its client than of its server.
            client_timeout = client_timeout.max(read_timeout);
        }
        if let Some(form) = request.grpc_web {
            connection.stream = connection.stream.translated(form);
        }
        Self {
            head: worker.take_head(),
            read_timeout,
            send_timeout: filters::send_timeout(&found.route, &found.settings),
            client_timeout,
            request,
            found,
            connection,
            inbuf: Vec::new(),
            scan: Scan::default(),
            interims: 0,
            send_failed: None,
            waiting_since: now,
            has_waited: false,
        }
    }

    /// Connects while watching the client: one that goes away, or whose deadline passes, is not connected for. A deadline
    /// says nothing about the endpoint, which is not set aside for it.
    pub async fn connect(request: &mut Request<'_>, choice: &Choice, timeout: Duration) -> Result<Connection, Failure> {
        let worker = request.client.worker.clone();
        // Boxed: a handshake is large, seldom, and would have its place in every request.
        let mut connecting = Box::pin(worker.upstreams.connect(choice, timeout));
        poll_fn(|cx| {
            if let Poll::Ready(connected) = connecting.as_mut().poll(cx) {
                return Poll::Ready(connected);
            }
            if request.client.poll_gone(cx).is_ready() {
                return Poll::Ready(Err(Failure::ClientGone));
            }
            request.poll_deadline(cx).map(|()| Err(Failure::Deadline))
        })
        .await
    }

    /// Sends the request and relays the answer.
    // An `async fn` that takes `self` holds it twice.
    #[expect(clippy::manual_async_fn, reason = "an async fn that takes self holds it twice")]
    pub fn run(mut self) -> impl Future<Output = Result<After, Failure>> {
        async move {
            match self.exchange().await? {
                Exchanged::Answered { answer, keep_alive } => Ok(self.relayed(answer, keep_alive)),
                Exchanged::Tunnelled => Ok(After::Gone),
            }
        }
    }

    async fn exchange(&mut self) -> Result<Exchanged, Failure> {
        self.begin()?;
        let answer = loop {
            let answer = poll_fn(|cx| self.poll_answer(cx)).await?;
            if !answer.interim {
                break answer;
            }
            self.interims += 1;
            if self.interims > INTERIMS {
                return Err(Failure::EndlessInterim);
            }
            self.forward_interim().await?;
        };
        self.request.record.upstream_us = Some(micros(self.waiting_since.elapsed()));
        if answer.upgrade {
            return Box::pin(self.tunnel()).await;
        }
        let is_success = (200..300).contains(&self.head.status());
        if is_success && self.request.parsed.upgrade && self.request.client.stream.messages().is_some() {
            // To a client of HTTP/2 any success means that the tunnel is open (RFC 8441, 5).
            return Err(Failure::BadResponse(fastingress_http1::Error::BadUpgrade));
        }
        self.relay(answer).await
    }

    fn begin(&mut self) -> Result<(), Failure> {
        let Request {
            client,
            head,
            parsed,
            body,
            ..
        } = &mut *self.request;
        let buffers = &client.worker.buffers;
        if let Some(stream) = self.connection.stream.messages() {
            let ending = match parsed.framing {
                Framing::Empty | Framing::Length(0) => Ending::Now,
                Framing::Length(length) if client.stream.messages().is_none() => Ending::After(length),
                _ => Ending::Open,
            };
            body.begin(buffers, |_| {});
            stream.send_request(head, ending).map_err(Failure::of_upstream)?;
            body.out.count(1); // something has been sent
            return Ok(());
        }
        body.begin(buffers, |out| {
            if parsed.upgrade {
                encode::request_upgrade(head, out);
            } else {
                encode::request(head, parsed.framing, true, out);
            }
        });
        Ok(())
    }

    /// Sends what can be sent and reads the next head of the backend.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<parse::Response, Failure>> {
        self.poll_request_body(cx)?;
        if let Poll::Ready(answer) = self.poll_answer_head(cx) {
            return Poll::Ready(answer);
        }
        let body = &self.request.body;
        let (at, failure) = if body.is_done() || self.send_failed.is_some() {
            if body.is_read() && self.request.client.poll_gone(cx).is_ready() {
                return Poll::Ready(Err(Failure::ClientGone));
            }
            (self.waiting_since + self.read_timeout, Failure::ReadTimeout)
        } else {
            match body.wait() {
                (Wait::Sink, since) => (since + self.send_timeout, Failure::SendTimeout),
                (_, since) => (since + self.client_timeout, Failure::ClientTimeout),
            }
        };
        self.request.poll_late(cx, at, failure).map(Err)
    }

    /// Moves the request body. A backend that takes no more of it is not an error yet: it may have answered.
    fn poll_request_body(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let Request { client, body, .. } = &mut *self.request;
        if body.is_done() || self.send_failed.is_some() {
            return Ok(());
        }
        let stream = &mut self.connection.stream;
        match body.poll(
            cx,
            &mut client.stream,
            &mut client.inbuf,
            stream,
            &client.worker.buffers,
        ) {
            Poll::Ready(Ok(())) if self.has_waited => self.waiting_since = Instant::now(),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(PumpError::Source(error))) => return Err(of_client(&error)),
            Poll::Ready(Err(PumpError::Framing(error))) => return Err(Failure::BadRequest(error)),
            Poll::Ready(Err(PumpError::TooLarge)) => return Err(Failure::BodyTooLarge),
            Poll::Ready(Err(PumpError::Sink(error))) => {
                if let Some(refused) = refusal_in(&error) {
                    return Err(Failure::BadRequest(refused));
                }
                self.send_failed = Some(error);
                self.waiting_since = Instant::now();
            }
            Poll::Pending => self.has_waited = true,
        }
        Ok(())
    }

    fn poll_answer_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<parse::Response, Failure>> {
        let Self {
            request,
            connection,
            inbuf,
            head,
            scan,
            send_failed,
            ..
        } = self;
        let upgrade = request.parsed.upgrade;
        let method = request.head.method();
        let buffers = &request.client.worker.buffers;
        let read = if let Some(stream) = connection.stream.messages() {
            stream.poll_response(cx, method, head)
        } else {
            poll_head(cx, &mut connection.stream, inbuf, scan, &LIMITS, buffers, |bytes| {
                head.clear();
                parse::parse(bytes, &LIMITS, method, upgrade, head)
            })
        };
        read.map_err(|error| match error {
            HeadError::Refused(error) => Failure::BadResponse(error),
            HeadError::Io(error) => Failure::of_upstream(error),
            HeadError::Ended => Failure::UpstreamGone(
                send_failed
                    .take()
                    .unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()),
            ),
        })
    }

    /// Passes a 1xx on. A client of HTTP/1.0 knows none.
    async fn forward_interim(&mut self) -> Result<(), Failure> {
        let version = self.request.head.version();
        if version == Version::Http10 {
            return Ok(());
        }
        hop::strip_hop_by_hop(&mut self.head, false);
        if let Some(stream) = self.request.client.stream.messages() {
            stream.send_interim(&self.head).map_err(|_| Failure::ClientGone)?;
            self.waiting_since = Instant::now();
            return Ok(());
        }
        let mut out = self.pump_to_client(Framing::Empty, Framing::Empty);
        let buffers = &self.request.client.worker.buffers;
        encode::response(
            &self.head,
            Framing::Empty,
            version,
            true,
            false,
            out.out.compose(buffers),
        );
        self.request.client.deadline.restart(self.client_timeout);
        let moved = poll_fn(|cx| {
            if let Poll::Ready(moved) = self.poll_to_client(cx, &mut out) {
                return Poll::Ready(moved);
            }
            let late = self.request.client.deadline.poll(cx);
            late.map(|()| Err(Failure::ClientTimeout))
        })
        .await;
        self.request.record.bytes_out += out.out.written();
        if moved.is_err() {
            // Half an interim answer: whatever came behind it would be read as its rest.
            self.request.answered = true;
        }
        moved?;
        self.waiting_since = Instant::now();
        Ok(())
    }

    /// The answer's head, then both bodies to their ends.
    async fn relay(&mut self, answer: parse::Response) -> Result<Exchanged, Failure> {
        let head_request = self.request.head.method() == b"HEAD";
        let version = self.request.head.version();
        let outgoing = answer.framing.for_client(version);
        let worker = self.request.client.worker.clone();
        let keep_alive = self.request.parsed.keep_alive
            && self.request.body.is_done()
            && outgoing != Framing::UntilClose
            && !worker.is_draining();
        hop::strip_hop_by_hop(&mut self.head, false);
        self.filter_answer();
        let from_messages = self.connection.stream.messages().is_some();
        let incoming = if from_messages {
            framing_from_messages(answer.framing)
        } else {
            answer.framing
        };
        let mut down = self.pump_to_client(incoming, outgoing);
        let begins = AnswerHead {
            head: &self.head,
            framing: outgoing,
            version,
            keep_alive,
            to_head: head_request,
            may_have_trailers: from_messages,
        };
        self.request.answered = true;
        let begun = self.request.client.begin_answer(&begins, &mut down.out);
        begun.map_err(|_| Failure::ClientGone)?;
        self.request.record.status = self.head.status();
        let moved = poll_fn(|cx| self.poll_relay(cx, &mut down)).await;
        self.request.record.bytes_out += down.out.written();
        if let Err(failure @ Failure::Deadline) = &moved {
            self.end_call(failure, outgoing, &down);
        }
        moved?;
        Ok(Exchanged::Answered { answer, keep_alive })
    }

    /// Says at the end of an answer under way why it ends. One whose length was said, or of which something has not left, is
    /// cut instead.
    fn end_call(&mut self, failure: &Failure, framing: Framing, down: &Pump) {
        if framing == Framing::UntilClose && down.out.waiting() == 0 {
            respond::end_call(self.request, failure);
        }
    }

    /// Policies on the answer's head. A Date is added where there is none (RFC 9110 section 6.6.1).
    fn filter_answer(&mut self) {
        if let Some(settings) = &self.request.strict {
            filters::hsts(&mut self.head, settings);
        }
        filters::on_response(&mut self.head, &self.found.route);
        if self.request.announces {
            announce(&mut self.head, self.request.client.worker.shared.alternative.as_deref());
        }
        if self.head.get(Name::Date).is_none() {
            let head = &mut self.head;
            self.request.client.worker.with_date(|date| head.append(b"date", date));
        }
    }

    fn poll_relay(&mut self, cx: &mut Context<'_>, down: &mut Pump) -> Poll<Result<(), Failure>> {
        match self.poll_request_body(cx) {
            // Too late to say so: the answer is under way. It is all the client gets to read, so it goes on to its end.
            Err(Failure::BodyTooLarge | Failure::BadRequest(_)) => {
                self.send_failed = Some(io::ErrorKind::InvalidData.into());
            }
            moved => moved?,
        }
        if self.poll_to_client(cx, down)?.is_ready() {
            return Poll::Ready(Ok(()));
        }
        let body = &self.request.body;
        let (wait, since) = down.wait();
        let (at, failure) = match wait {
            Wait::Sink => (since + self.client_timeout, Failure::ClientTimeout),
            _ if body.is_done() || self.send_failed.is_some() => {
                if body.is_read() && self.request.client.poll_gone(cx).is_ready() {
                    return Poll::Ready(Err(Failure::ClientGone));
                }
                (since + self.read_timeout, Failure::ReadTimeout)
            }
            _ => (since.max(body.wait().1) + self.read_timeout, Failure::ReadTimeout),
        };
        self.request.poll_late(cx, at, failure).map(Err)
    }

    fn poll_to_client(&mut self, cx: &mut Context<'_>, down: &mut Pump) -> Poll<Result<(), Failure>> {
        let client = &mut *self.request.client;
        let moved = down.poll(
            cx,
            &mut self.connection.stream,
            &mut self.inbuf,
            &mut client.stream,
            &client.worker.buffers,
        );
        moved.map_err(|error| match error {
            PumpError::Source(error) => Failure::UpstreamGone(error),
            PumpError::Framing(error) => Failure::BadResponse(error),
            PumpError::Sink(_) | PumpError::TooLarge => Failure::ClientGone,
        })
    }

    /// Both bodies have ended, or the answer has and the request has not.
    fn relayed(mut self, answer: parse::Response, keep_alive: bool) -> After {
        let sent = self.request.body.is_done();
        let now = Instant::now();
        self.request.ended = Some(now);
        let worker = &self.request.client.worker;
        if sent && answer.keep_alive && answer.framing != Framing::UntilClose && self.inbuf.is_empty() {
            worker.upstreams.checkin_at(self.connection, now);
        }
        worker.buffers.give(std::mem::take(&mut self.inbuf));
        worker.give_head(self.head);
        match () {
            () if keep_alive => After::KeepAlive,
            () if self.request.body.is_read() => After::Close,
            () => After::Linger,
        }
    }

    /// After a 101: raw bytes both ways.
    async fn tunnel(&mut self) -> Result<Exchanged, Failure> {
        hop::strip_hop_by_hop(&mut self.head, true);
        self.filter_answer();
        let worker = self.request.client.worker.clone();
        let budget = &worker.shared.budget;
        let (mut up, mut down) = (Tunnel::new(budget), Tunnel::new(budget));
        let client = &mut *self.request.client;
        if let Some(stream) = client.stream.messages() {
            // What was a change of protocol there is a tunnel here (RFC 8441, 5).
            self.head.set_status(200, b"");
            self.head.remove(b"sec-websocket-accept");
            self.head.remove_id(Name::Upgrade);
            let sent = stream
                .send_head(&self.head, Ending::Open)
                .map_err(|_| Failure::ClientGone)?;
            down.out.count(sent);
        } else {
            encode::response_upgrade(&self.head, down.out.compose(&worker.buffers));
        }
        down.out.compose(&worker.buffers).append(&mut self.inbuf);
        up.out.compose(&worker.buffers).append(&mut client.inbuf);
        self.request.answered = true;
        self.request.record.status = self.head.status();
        let ended = poll_fn(|cx| self.poll_tunnel(cx, &mut up, &mut down)).await;
        self.request.record.bytes_out += down.out.written();
        self.request.record.bytes_in += up.out.written();
        ended.map(|()| Exchanged::Tunnelled)
    }

    fn poll_tunnel(&mut self, cx: &mut Context<'_>, up: &mut Tunnel, down: &mut Tunnel) -> Poll<Result<(), Failure>> {
        let client = &mut *self.request.client;
        let buffers = &client.worker.buffers;
        let sent = up.poll(cx, &mut client.stream, &mut self.connection.stream, buffers);
        let received = down.poll(cx, &mut self.connection.stream, &mut client.stream, buffers);
        match (sent, received) {
            (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) => return Poll::Ready(Ok(())),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => return Poll::Ready(Ok(())),
            _ => {}
        }
        let quiet = (up.moved().max(down.moved()) + self.read_timeout, Failure::ReadTimeout);
        let (at, failure) = match up.moved() + self.send_timeout {
            stuck if up.out.waiting() > 0 && stuck < quiet.0 => (stuck, Failure::SendTimeout),
            _ => quiet,
        };
        client.deadline.set(at);
        client.deadline.poll(cx).map(|()| Err(failure))
    }

    fn pump_to_client(&self, incoming: Framing, outgoing: Framing) -> Pump {
        Pump::new(incoming, outgoing, 0, &self.request.client.worker.shared.budget)
    }
}

/// A client that goes away, or one whose trailers are refused.
fn of_client(error: &io::Error) -> Failure {
    refusal_in(error).map_or(Failure::ClientGone, Failure::BadRequest)
}

/// What a stream has refused of what it carries.
fn refusal_in(error: &io::Error) -> Option<fastingress_http1::Error> {
    error.get_ref()?.downcast_ref().copied()
}

fn micros(time: Duration) -> u32 {
    time.as_micros().min(u128::from(u32::MAX)) as u32
}
