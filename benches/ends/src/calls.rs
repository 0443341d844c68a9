//! Answers unary calls of gRPC, over HTTP/2 by prior knowledge. A call gets its own message back.
//!
//! A call of `/bench.Echo/Seen` gets a message of the authority and the fields that came with it, one on a line. What a proxy has made
//! another request of than a call gets 415 (gRPC over HTTP/2, section "Requests").

use crate::Outcome;
use bytes::{BufMut, Bytes, BytesMut};
use h2::RecvStream;
use h2::server::SendResponse;
use http::header::{CONTENT_TYPE, TE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use tokio::net::TcpStream;

const SEEN: &str = "/bench.Echo/Seen";
const WINDOW: u32 = 1 << 20;
const STREAMS: u32 = 1000;

/// All calls of one connection, each as it comes.
pub(crate) async fn answer(stream: TcpStream) -> Outcome {
    let mut connection = h2::server::Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_concurrent_streams(STREAMS)
        .handshake(stream)
        .await?;
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted?;
        tokio::task::spawn_local(call(request, respond));
    }
    Ok(())
}

async fn call(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) -> Result<(), h2::Error> {
    let mut response = Response::new(());
    if !is_call(&request) {
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return respond.send_response(response, true).map(drop);
    }
    let (head, body) = request.into_parts();
    let message = whole(body).await?;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let mut sending = respond.send_response(response, false)?;
    let answer = if head.uri.path() == SEEN { seen(&head) } else { message };
    // Messages are far below any window: what has no room is kept by the library until it has.
    sending.send_data(answer, false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    sending.send_trailers(trailers)
}

fn is_call(request: &Request<RecvStream>) -> bool {
    let has = |name, value: &str| request.headers().get(name).is_some_and(|found| found == value);
    request.method() == http::Method::POST && has(CONTENT_TYPE, "application/grpc") && has(TE, "trailers")
}

/// The body, which is most often one frame.
async fn whole(mut body: RecvStream) -> Result<Bytes, h2::Error> {
    let mut all = Bytes::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        all = if all.is_empty() {
            piece
        } else {
            [all, piece].concat().into()
        };
    }
    // A body that was cut off is no message.
    body.trailers().await?;
    Ok(all)
}

/// As a message: not compressed, its length, its bytes.
fn seen(head: &Parts) -> Bytes {
    let mut lines = BytesMut::new();
    let host = head.uri.host().unwrap_or_default();
    lines.put(format!("host: {host}\n").as_bytes());
    for (name, value) in &head.headers {
        lines.put(name.as_str().as_bytes());
        lines.put(&b": "[..]);
        lines.put(value.as_bytes());
        lines.put_u8(b'\n');
    }
    let mut message = BytesMut::with_capacity(5 + lines.len());
    message.put_u8(0);
    message.put_u32(u32::try_from(lines.len()).unwrap_or(u32::MAX));
    message.put(lines);
    message.freeze()
}
