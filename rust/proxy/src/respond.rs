//! Answers we make ourselves: of filters, and of everything that went wrong. The one place that turns a failure into
//! bytes for the client.

use crate::downstream::{After, AnswerHead, Client};
use crate::error::Failure;
use crate::filters::{self, Local};
use crate::grpc::{Form, Status};
use crate::h3::announce::announce;
use crate::record::Record;
use crate::relay::{Outbox, Sink};
use crate::request::{Request, protocol};
use fastingress_http1::{Framing, Head, Name, Version};
use fastingress_route::schema::Settings;
use std::future::poll_fn;
use std::io::{self, Write};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

/// What is to be said.
struct Answer<'a> {
    status: u16,
    location: Option<&'a [u8]>,
    reason: &'static str,
    keep_alive: bool,
    /// The settings that say how to come back.
    strict: Option<Arc<Settings>>,
    /// The client speaks gRPC and reads this.
    grpc: Option<(Form, Status)>,
    /// Says where HTTP/3 is.
    announces: bool,
}

/// Answers in place of a backend because a filter says so.
pub async fn local(request: &mut Request<'_>, local: &Local) -> Result<After, Failure> {
    request.record.reason = Some(local.reason);
    let keep_alive = may_keep_alive(request);
    let answer = Answer {
        status: local.status,
        location: local.location.as_deref(),
        reason: local.reason,
        keep_alive,
        strict: request.strict.clone(),
        grpc: form_of(request)
            .filter(|_| local.location.is_none())
            .map(|form| (form, Status::of(local.status))),
        announces: request.announces,
    };
    Ok(send(request, &answer).await)
}

/// Answers because something went wrong, if an answer can still be given.
pub async fn fail(request: &mut Request<'_>, failure: Failure) -> After {
    request.record.reason = Some(failure.reason());
    if request.answered || matches!(failure, Failure::ClientGone) {
        if request.record.status == 0 {
            request.record.status = failure.status();
        }
        return After::Gone;
    }
    // A misdirected request is to come again on a connection of its own.
    let keep_alive = may_keep_alive(request) && !matches!(failure, Failure::BadRequest(_) | Failure::Misdirected);
    let answer = Answer {
        status: failure.status(),
        location: None,
        reason: failure.reason(),
        keep_alive,
        strict: request.strict.clone(),
        grpc: form_of(request).map(|form| (form, status_of(&failure))),
        announces: request.announces,
    };
    send(request, &answer).await
}

/// Ends the answer to a call of gRPC that is under way, with a status in place of the backend's: between two pieces of its
/// body, and only if its length was not said. Any other answer is left to be cut.
pub fn end_call(request: &mut Request<'_>, failure: &Failure) {
    if form_of(request) == Some(Form::Native) {
        let trailers = status_of(failure).trailers(failure.reason());
        // A stream that has gone needs no end.
        let _gone = request.client.stream.finish(Some(&trailers));
    }
}

/// Answers a head that was refused before there was a request.
pub async fn refuse(client: &mut Client, head: &Head, failure: Failure) -> After {
    let mut record = Record::new(Instant::now(), &client.info, protocol(head.version()));
    record.status = failure.status();
    record.reason = Some(failure.reason());
    let answer = Answer {
        status: failure.status(),
        location: None,
        reason: failure.reason(),
        keep_alive: false,
        strict: None,
        grpc: spoken(head).map(|form| (form, status_of(&failure))),
        announces: false,
    };
    record.bytes_out = write(client, head, &answer).await;
    let worker = &client.worker;
    worker.metrics.request(&record);
    if let Some(log) = &worker.log {
        log.write(&record, head);
    }
    After::Linger
}

/// The form of gRPC that a client has to be answered in.
fn form_of(request: &Request<'_>) -> Option<Form> {
    request.grpc_web.or_else(|| spoken(&request.head))
}

/// gRPC needs HTTP/2, and whoever sends its media type in HTTP/1 is no client of it.
fn spoken(head: &Head) -> Option<Form> {
    let newer = matches!(head.version(), Version::Http2 | Version::Http3);
    Form::of(head).filter(|form| newer && *form == Form::Native)
}

fn status_of(failure: &Failure) -> Status {
    match failure {
        Failure::Deadline => Status::DeadlineExceeded,
        other => Status::of(other.status()),
    }
}

fn may_keep_alive(request: &Request<'_>) -> bool {
    request.parsed.keep_alive
        && matches!(request.parsed.framing, Framing::Empty | Framing::Length(0))
        && !request.client.worker.is_draining()
}

async fn send(request: &mut Request<'_>, answer: &Answer<'_>) -> After {
    request.answered = true;
    request.record.status = answer.status;
    request.record.bytes_out += write(request.client, &request.head, answer).await;
    if answer.keep_alive {
        After::KeepAlive
    } else {
        After::Linger
    }
}

/// Composes and sends; gives the number of bytes that the client took. A client that takes nothing for too long has
/// lost its answer.
async fn write(client: &mut Client, request: &Head, answer: &Answer<'_>) -> u64 {
    let worker = client.worker.clone();
    let mut out = Outbox::new(&worker.shared.budget);
    let begun = compose(client, request, answer, &mut out);
    client
        .deadline
        .restart(Duration::from_millis(worker.shared.options.body_timeout_ms.into()));
    if begun.is_ok() {
        poll_fn(|cx| {
            if out.poll_flush(cx, &mut client.stream, &worker.buffers).is_ready() {
                return Poll::Ready(());
            }
            client.deadline.poll(cx)
        })
        .await;
        // A stream that has gone needs no end.
        let _gone = client.stream.finish(None);
    }
    out.written()
}

fn compose(client: &mut Client, request: &Head, answer: &Answer<'_>, out: &mut Outbox) -> io::Result<()> {
    if let Some((form, status)) = answer.grpc {
        return compose_grpc(client, request, answer, form, status, out);
    }
    let worker = client.worker.clone();
    let json = wants_json(request);
    let mut page = worker.buffers.take();
    write_page(answer, json, &mut page);
    let mut head = worker.take_head();
    head.set_version(Version::Http11);
    head.set_status(answer.status, phrase(answer.status).as_bytes());
    worker.with_date(|date| head.append(b"date", date));
    let kind: &[u8] = if json {
        b"application/json"
    } else {
        b"text/html; charset=utf-8"
    };
    head.append(b"content-type", kind);
    if let Some(location) = answer.location {
        head.append(b"location", location);
    }
    if answer.announces {
        announce(&mut head, worker.shared.alternative.as_deref());
    }
    if let Some(settings) = &answer.strict {
        filters::hsts(&mut head, settings);
    }
    let to_head = request.method() == b"HEAD";
    let begun = client.begin_answer(
        &AnswerHead {
            head: &head,
            framing: Framing::Length(page.len() as u64),
            version: request.version(),
            keep_alive: answer.keep_alive,
            to_head,
            may_have_trailers: false,
        },
        out,
    );
    if !to_head {
        out.compose(&worker.buffers).extend_from_slice(&page);
    }
    worker.give_head(head);
    worker.buffers.give(page);
    begun
}

/// An answer of gRPC that is nothing but a head. Its status of HTTP is 200, since clients look no further at any other.
fn compose_grpc(
    client: &mut Client,
    request: &Head,
    answer: &Answer<'_>,
    form: Form,
    status: Status,
    out: &mut Outbox,
) -> io::Result<()> {
    let worker = client.worker.clone();
    let mut head = worker.take_head();
    head.set_version(Version::Http11);
    head.set_status(200, b"OK");
    worker.with_date(|date| head.append(b"date", date));
    head.append(b"content-type", form.media_type());
    head.append(b"grpc-status", status.text().as_bytes());
    head.append(b"grpc-message", answer.reason.as_bytes());
    let begun = client.begin_answer(
        &AnswerHead {
            head: &head,
            framing: Framing::Length(0),
            version: request.version(),
            keep_alive: answer.keep_alive,
            to_head: false,
            may_have_trailers: false,
        },
        out,
    );
    worker.give_head(head);
    begun
}

/// True when the client names JSON and does not name HTML.
fn wants_json(request: &Head) -> bool {
    let accepts = |kind: &[u8]| {
        request
            .values(Name::Accept)
            .any(|value| memchr::memmem::find(value, kind).is_some())
    };
    accepts(b"application/json") && !accepts(b"text/html")
}

fn write_page(answer: &Answer<'_>, json: bool, page: &mut Vec<u8>) {
    let Answer { status, reason, .. } = answer;
    let phrase = told(reason).unwrap_or_else(|| phrase(*status));
    let written = if json {
        writeln!(page, r#"{{"status":{status},"error":"{phrase}","reason":"{reason}"}}"#)
    } else {
        writeln!(
            page,
            "<!doctype html>\n<title>{status} {phrase}</title>\n<h1>{status} {phrase}</h1>\n<p>fastingress: {reason}</p>"
        )
    };
    written.expect("writing into a vector does not fail");
}

/// What a page says in place of the phrase of its status; people look for these words.
fn told(reason: &str) -> Option<&'static str> {
    match reason {
        "no_client_certificate" => Some("No required SSL certificate was sent"),
        "bad_client_certificate" => Some("The SSL certificate error"),
        _ => None,
    }
}

/// The reason phrase of a status (RFC 9110 section 15).
pub fn phrase(status: u16) -> &'static str {
    match status {
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        305 => "Use Proxy",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        499 => "Client Closed Request",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "Error",
    }
}
