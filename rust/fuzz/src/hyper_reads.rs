//! Bytes as hyper reads them, as server and as client, over memory instead of a socket.

use crate::{Line, line};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

/// The most times anything is polled. A message that needs more has gone wrong.
const POLLS: usize = 10_000;

/// How often a connection is quiet before it ends: hyper keeps no connection alive whose end it has seen.
const PATIENCE: u8 = 8;

/// A message that hyper read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The method of a request.
    pub method: String,
    /// Path and query of a request.
    pub target: String,
    /// The status of a response.
    pub status: u16,
    /// Its lines, by name.
    pub lines: Vec<Line>,
    /// Its body.
    pub body: Vec<u8>,
    /// Its trailers.
    pub trailers: Vec<Line>,
    /// False when the body broke off or was refused.
    pub whole: bool,
}

/// All requests that hyper finds in these bytes.
pub fn requests(bytes: &[u8]) -> Vec<Message> {
    let seen = RefCell::new(Vec::new());
    let wire = Wire {
        input: bytes.to_vec(),
        at: 0,
        open: true,
        patience: PATIENCE,
    };
    {
        let service = service_fn(|request| note(request, &seen));
        let server = hyper::server::conn::http1::Builder::new()
            .max_headers(1024)
            .serve_connection(wire, service);
        let mut server = pin!(server);
        run(|context| server.as_mut().poll(context).map(|_| ()));
    }
    seen.into_inner()
}

/// Notes a request when its head is there, and its body when that is.
async fn note(request: Request<Incoming>, seen: &RefCell<Vec<Message>>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let at = seen.borrow().len();
    seen.borrow_mut().push(Message {
        method: parts.method.to_string(),
        target: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        lines: lines(&parts.headers),
        ..Message::default()
    });
    let (body, trailers, whole) = collect(body).await;
    let message = &mut seen.borrow_mut()[at];
    (message.body, message.trailers, message.whole) = (body, trailers, whole);
    Ok(Response::new(Empty::new()))
}

/// The response that hyper finds in these bytes, which answer a request with this method. Interim ones are skipped.
pub fn response(bytes: &[u8], method: &str) -> Option<Message> {
    let wire = Wire {
        input: bytes.to_vec(),
        at: 0,
        open: false,
        patience: PATIENCE,
    };
    let exchange = async {
        let mut builder = hyper::client::conn::http1::Builder::new();
        let (mut sender, connection) = builder
            .max_headers(1024)
            .handshake::<_, Empty<Bytes>>(wire)
            .await
            .ok()?;
        let request = Request::builder()
            .method(method)
            .uri("/")
            .header("host", "a")
            .body(Empty::new())
            .ok()?;
        let mut connection = pin!(connection);
        let mut answer = pin!(async {
            let (parts, body) = sender.send_request(request).await.ok()?.into_parts();
            let (body, trailers, whole) = collect(body).await;
            let (status, lines) = (parts.status.as_u16(), lines(&parts.headers));
            Some(Message {
                status,
                lines,
                body,
                trailers,
                whole,
                ..Message::default()
            })
        });
        let mut ended = false;
        std::future::poll_fn(|context| {
            ended = ended || connection.as_mut().poll(context).is_ready();
            answer.as_mut().poll(context)
        })
        .await
    };
    let mut exchange = pin!(exchange);
    let mut message = None;
    run(|context| exchange.as_mut().poll(context).map(|found| message = found));
    message
}

/// Polls until it is ready.
fn run(mut poll: impl FnMut(&mut Context<'_>) -> Poll<()>) {
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..POLLS {
        if poll(&mut context).is_ready() {
            return;
        }
    }
}

/// Data, trailers, and whether the body was whole.
async fn collect(mut body: Incoming) -> (Vec<u8>, Vec<Line>, bool) {
    let (mut data, mut trailers) = (Vec::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return (data, trailers, false);
        };
        match frame.into_data() {
            Ok(bytes) => data.extend_from_slice(&bytes),
            Err(frame) => trailers.extend(frame.into_trailers().map(|map| lines(&map)).unwrap_or_default()),
        }
    }
    (data, trailers, true)
}

fn lines(map: &HeaderMap) -> Vec<Line> {
    map.iter()
        .map(|(name, value)| line(name.as_str().as_bytes(), value.as_bytes()))
        .collect()
}

/// A connection whose other side has sent everything and takes everything. Reading waits until it is open: a server's
/// is at once, a client's once something was written.
struct Wire {
    input: Vec<u8>,
    at: usize,
    open: bool,
    /// How often to say that nothing has come yet before saying that nothing will.
    patience: u8,
}

impl Read for Wire {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, mut out: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        if !self.open {
            return Poll::Pending;
        }
        if self.at == self.input.len() && self.patience > 0 {
            self.patience -= 1;
            return Poll::Pending;
        }
        let count = out.remaining().min(self.input.len() - self.at);
        out.put_slice(&self.input[self.at..self.at + count]);
        self.at += count;
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.open = true;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
