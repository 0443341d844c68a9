//! The spine: one request from its head to its access record.
//!
//! The steps are those of the crate's heading: route, filters, upstream, relay, log. Errors leave sideways as a
//! [`Failure`] and are answered in `respond`.

use crate::attempt::Attempt;
use crate::downstream::{After, Client};
use crate::error::Failure;
use crate::filters::{self, Verdict};
use crate::grpc::{self, Form};
use crate::h3::announce::is_announced_to;
use crate::messages::framing_from_messages;
use crate::record::Record;
use crate::relay::{Pump, grpc_web};
use crate::respond;
use crate::tls::client_auth::{self, Admission};
use crate::upstream::{Choice, Tried};
use fastingress_http1::{Framing, Head, Name, Version, hop, path, request as parse};
use fastingress_route::{Route, schema};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Bytes of a request body that are kept in case it must be sent again.
const REPLAY: usize = 64 * 1024;

/// How long endpoints that have gone are found out about before each of them counts as a try.
const FIND_OUT: Duration = Duration::from_secs(1);

/// Connections to one endpoint that may refuse the same request unseen.
const REFUSALS: u32 = 3;

/// One request under way.
pub struct Request<'c> {
    /// The connection it came on.
    pub client: &'c mut Client,
    /// Its head, edited by the filters.
    pub head: Box<Head>,
    /// What its head says about body and connection.
    pub parsed: parse::Request,
    /// Its body on the way up.
    pub body: Pump,
    /// What will be logged.
    pub record: Record,
    /// The form of gRPC-Web it came in, if it is passed on as gRPC.
    pub grpc_web: Option<Form>,
    /// When a call of gRPC has to be over.
    until: Option<tokio::time::Instant>,
    /// When the whole answer was passed on.
    pub ended: Option<tokio::time::Instant>,
    /// True once a byte of the final answer may have reached the client.
    pub answered: bool,
    /// Pooled connections have had their chance.
    only_fresh: bool,
    /// Its answer says where HTTP/3 is.
    pub announces: bool,
    /// The settings that its answer says how to come back by, if it came over TLS to a host with a certificate.
    pub strict: Option<Arc<schema::Settings>>,
    path: Vec<u8>,
}

/// When a head came, and how many bytes it had.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// When its first byte was read.
    pub start: Instant,
    /// Its length on the wire.
    pub bytes: usize,
}

/// The route of a request with the settings it is served under.
pub struct Found {
    /// The route.
    pub route: Arc<Route>,
    /// The settings of its scope, as they were when the request came.
    pub settings: Arc<schema::Settings>,
    /// What is spoken to its backend, as it was then.
    pub protocol: schema::Protocol,
    host_has_certificate: bool,
    admission: Option<Admission>,
}

/// Serves one request and says what is to become of its connection,
/// and when it was over.
pub async fn serve(
    client: &mut Client,
    head: Box<Head>,
    parsed: parse::Request,
    arrival: Arrival,
) -> (After, tokio::time::Instant) {
    let mut request = Request::new(client, head, parsed, arrival);
    let after = match request.run().await {
        Ok(after) => after,
        Err(failure) => respond::fail(&mut request, failure).await,
    };
    (after, request.finish())
}

impl<'c> Request<'c> {
    fn new(client: &'c mut Client, head: Box<Head>, parsed: parse::Request, arrival: Arrival) -> Self {
        let mut record = Record::new(arrival.start, &client.info, protocol(head.version()));
        record.bytes_in = arrival.bytes as u64;
        let body = Pump::new(parsed.framing, parsed.framing, 0, &client.worker.shared.budget);
        let path = client.worker.buffers.take();
        Self {
            client,
            head,
            parsed,
            body,
            record,
            grpc_web: None,
            until: None,
            ended: None,
            answered: false,
            only_fresh: false,
            announces: false,
            strict: None,
            path,
        }
    }

    async fn run(&mut self) -> Result<After, Failure> {
        if self.client.worker.shared.budget.is_exhausted() {
            return Err(Failure::Overload);
        }
        let found = self.route()?;
        if self.parsed.upgrade && speaks_messages(&found) {
            // There is no change of protocol in HTTP/2, and a GET is one without it.
            self.parsed.upgrade = false;
        }
        if let Verdict::Respond(local) = self.filter(&found) {
            return respond::local(self, &local).await;
        }
        self.prepare_call(&found);
        self.upstream(&found).await
    }

    /// What a call of gRPC needs: its deadline, and to be made of gRPC-Web where the route says so.
    fn prepare_call(&mut self, found: &Found) {
        let Some(form) = Form::of(&self.head) else {
            return;
        };
        let start = tokio::time::Instant::from_std(self.record.start);
        self.until = grpc::timeout(&self.head).map(|time| start + time);
        let asked = found.route.policy.grpc_web.unwrap_or(false) && speaks_messages(found);
        if asked && form != Form::Native {
            self.grpc_web = Some(form);
            grpc_web::translate_request(&mut self.head, form);
        }
    }

    /// Which route takes it.
    fn route(&mut self) -> Result<Found, Failure> {
        let Self {
            client,
            head,
            record,
            announces,
            strict,
            path,
            ..
        } = self;
        let mut scratch = client.worker.buffers.take();
        let found = client.worker.with_table(|table| {
            let settings = table.settings().now.load();
            let normal = path::normalise(head.path(), settings.merge_slashes, &mut scratch);
            let normal = normal.map_err(Failure::BadRequest)?;
            path.extend_from_slice(normal);
            let lookup = table.lookup(head.host(), normal);
            record.log = settings.access_log;
            let authorities = &client.worker.shared.authorities;
            let admission = client_auth::admit(&client.info, table, head.host(), lookup.client, authorities)
                .map_err(|_| Failure::Misdirected)?;
            // A host whose TLS passes through is not served where TLS was terminated for another.
            if client.info.tls.is_some() && table.passthrough(head.host()).is_some() {
                return Err(Failure::Misdirected);
            }
            *announces = is_announced_to(&client.info, head.version());
            let route = lookup.route.ok_or(Failure::NoRoute)?.clone();
            Ok::<_, Failure>(Found {
                settings: route.settings.now.load_full(),
                protocol: route.target.protocol(),
                host_has_certificate: lookup.host_has_certificate,
                admission,
                route,
            })
        });
        client.worker.buffers.give(scratch);
        let found = found?;
        let Found { route, settings, .. } = &found;
        record.log = route.policy.access_log.unwrap_or(settings.access_log);
        record.route = Some(route.clone());
        *strict = (client.info.tls.is_some() && found.host_has_certificate).then(|| settings.clone());
        Ok(found)
    }

    /// Policies on the request head. From here on the head is what the backend will see.
    fn filter(&mut self, found: &Found) -> Verdict {
        hop::strip_hop_by_hop(&mut self.head, self.parsed.upgrade);
        let Self {
            client,
            head,
            parsed,
            path,
            ..
        } = self;
        let (ip, https) = filters::client_of(head, &client.info, &found.settings);
        let exchange = filters::Exchange {
            conn: &client.info,
            route: &found.route,
            settings: &found.settings,
            host_has_certificate: found.host_has_certificate,
            admission: found.admission.as_ref(),
            path,
            content_length: match parsed.framing {
                Framing::Length(n) => Some(n),
                _ => None,
            },
            client: ip,
            https,
        };
        let mut scratch = client.worker.buffers.take();
        let verdict = filters::on_request(head, &exchange, &mut scratch);
        client.worker.buffers.give(scratch);
        verdict
    }

    /// Tries endpoints until one answers.
    async fn upstream(&mut self, found: &Found) -> Result<After, Failure> {
        let target = &found.route.target;
        let cell = target.backend.as_ref().ok_or(Failure::NoBackend)?;
        let limit = filters::body_limit(&found.route, &found.settings);
        let incoming = match self.client.stream.messages() {
            Some(_) => framing_from_messages(self.parsed.framing),
            None => self.parsed.framing,
        };
        let outgoing = match self.parsed.framing {
            framing if !speaks_messages(found) => framing,
            framing => framing_from_messages(framing),
        };
        self.body = Pump::new(incoming, outgoing, limit, &self.client.worker.shared.budget);
        let repeatable = is_idempotent(self.head.method());
        if (repeatable || speaks_messages(found)) && !matches!(self.parsed.framing, Framing::Empty) {
            self.body.keep_copy(REPLAY, &self.client.worker.shared.budget);
        }
        let worker = self.client.worker.clone();
        let mut tried = Tried::default();
        let mut last = Failure::NoEndpoints;
        let mut tries_left = found.settings.tries.max(1);
        let mut failing_since = None;
        let host = self.head.get(Name::Host).unwrap_or(self.head.host());
        let https = self.client.info.is_https();
        let manner = worker.upstreams.manner(&target.upstream, found.protocol, https, host);
        loop {
            let now = tokio::time::Instant::now();
            let Some(choice) = worker.upstreams.choose_at(cell, target.upstream.balance, &tried, now) else {
                break;
            };
            let choice = choice.speaking(&manner);
            let was_aside = worker.upstreams.is_aside(&choice, now);
            tried.add(&choice);
            self.record.tries = self.record.tries.saturating_add(1);
            self.record.endpoint = Some(choice.text().clone());
            last = match self.on_endpoint(found, &choice, repeatable, now).await {
                Ok(after) => return Ok(after),
                Err(failure) if self.may_try_again(&failure, repeatable) => failure,
                Err(failure) => return Err(failure),
            };
            // One that was thought to be well has just gone. That is found out at no cost to it or to the others, and
            // once only: it is aside now. So any number may go at the same time.
            let failing_since = *failing_since.get_or_insert_with(Instant::now);
            if last.is_nobody_there() && !was_aside && failing_since.elapsed() < FIND_OUT {
                continue;
            }
            tries_left = tries_left.saturating_sub(1);
            if tries_left == 0 || !worker.upstreams.may_retry(cell) {
                break;
            }
        }
        Err(last)
    }

    /// One endpoint: a pooled connection, or a fresh one. The first pooled one that turns out to be stale costs nothing;
    /// after that only fresh ones are used, so that every further try counts as one.
    async fn on_endpoint(
        &mut self,
        found: &Found,
        choice: &Choice,
        repeatable: bool,
        now: tokio::time::Instant,
    ) -> Result<After, Failure> {
        let worker = self.client.worker.clone();
        let mut refusals_left = REFUSALS;
        if !self.only_fresh
            && let Some(connection) = worker.upstreams.checkout(choice, !repeatable)
        {
            let outcome = Attempt::new(self, found, connection, now).run().await;
            self.only_fresh = outcome.is_err();
            match outcome {
                Err(failure @ (Failure::UpstreamGone(_) | Failure::UpstreamRefused(_)))
                    if self.may_try_again(&failure, repeatable) => {}
                outcome => return outcome,
            }
        }
        loop {
            let timeout = filters::connect_timeout(&found.route, &found.settings);
            let start = Instant::now();
            let connection = Attempt::connect(self, choice, timeout).await?;
            self.record.connect_us = Some(start.elapsed().as_micros().min(u128::from(u32::MAX)) as u32);
            self.only_fresh = true;
            let now = tokio::time::Instant::now();
            let outcome = Attempt::new(self, found, connection, now).run().await;
            refusals_left -= 1;
            match outcome {
                // It closes one connection in good order and takes requests on the next.
                Err(failure @ Failure::UpstreamRefused(_))
                    if refusals_left > 0 && self.may_try_again(&failure, repeatable) => {}
                outcome => return outcome,
            }
        }
    }

    /// True when the same request may be sent to another endpoint: the client has seen no answer, and either not one
    /// byte was sent or sending it twice does no harm and all of it can be sent again.
    fn may_try_again(&self, failure: &Failure, repeatable: bool) -> bool {
        if self.answered {
            return false;
        }
        match failure {
            Failure::Connect(_) | Failure::ConnectTimeout | Failure::UpstreamTls(_) => true,
            Failure::UpstreamRefused(_) => self.body.copy().is_some(),
            Failure::UpstreamGone(_) | Failure::ReadTimeout | Failure::SendTimeout => {
                self.body.copy().is_some() && (repeatable || self.body.out.written() == 0)
            }
            _ => false,
        }
    }

    /// Ready when the deadline of the call has passed.
    pub fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(until) = self.until else {
            return Poll::Pending;
        };
        self.client.deadline.set(until);
        self.client.deadline.poll(cx)
    }

    /// Ready at that time with that failure, or before it when the deadline of the call has passed.
    pub fn poll_late(&mut self, cx: &mut Context<'_>, at: tokio::time::Instant, failure: Failure) -> Poll<Failure> {
        if self.until.is_some_and(|until| until < at) {
            return self.poll_deadline(cx).map(|()| Failure::Deadline);
        }
        self.client.deadline.set(at);
        self.client.deadline.poll(cx).map(|()| failure)
    }

    fn finish(mut self) -> tokio::time::Instant {
        let ended = self.ended.unwrap_or_else(tokio::time::Instant::now);
        let worker = &self.client.worker;
        self.record.bytes_in += self.body.body_bytes();
        self.record.duration_us = ended
            .into_std()
            .saturating_duration_since(self.record.start)
            .as_micros() as u64;
        worker.metrics.request(&self.record);
        if self.record.log
            && let Some(log) = &worker.log
        {
            log.write(&self.record, &self.head);
        }
        worker.buffers.give(std::mem::take(&mut self.path));
        worker.give_head(self.head);
        ended
    }
}

/// Whether the backend is spoken to in HTTP/2.
fn speaks_messages(found: &Found) -> bool {
    matches!(found.protocol, schema::Protocol::H2c | schema::Protocol::H2)
}

/// Methods that do no harm when they run twice (RFC 9110 section 9.2.2, and the safe ones of WebDAV). Others are never
/// sent twice.
fn is_idempotent(method: &[u8]) -> bool {
    matches!(
        method,
        b"GET" | b"HEAD" | b"PUT" | b"DELETE" | b"OPTIONS" | b"TRACE" | b"PROPFIND" | b"REPORT" | b"SEARCH"
    )
}

/// How the protocol of a request is named in logs.
pub fn protocol(version: Version) -> &'static str {
    match version {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 => "HTTP/1.1",
        Version::Http2 => "HTTP/2.0",
        Version::Http3 => "HTTP/3.0",
    }
}
