//! A head as khttp's parser reads it, and the body that it finds behind it.

use crate::{Line, line};
use khttp::{BodyReader, Headers, Request, Response};
use std::io::{Read, empty};

/// A message that khttp read.
#[derive(Debug)]
pub struct Message {
    /// The method of a request.
    pub method: String,
    /// The target of a request, as it stands there.
    pub target: String,
    /// The status of a response.
    pub status: u16,
    /// Its lines, but Content-Length.
    pub lines: Vec<Line>,
    /// Its Content-Length.
    pub length: Option<u64>,
    /// Bytes of the head.
    pub taken: usize,
    /// Its body, read from what follows the head; `None` when that failed.
    pub body: Option<Vec<u8>>,
}

/// False for bytes with white space at the end of a line, which khttp takes for a part of a header's value. Such a message must not be
/// held against it as it came, only as we pass it on.
pub fn can_read(bytes: &[u8]) -> bool {
    !bytes.windows(2).any(|pair| matches!(pair, b" \r" | b"\t\r"))
}

/// The request at the front of these bytes.
pub fn request(bytes: &[u8]) -> Option<Message> {
    let request = Request::parse(bytes).ok()?;
    let mut reader = BodyReader::from_request(&bytes[request.buf_offset..], empty(), &request.headers);
    let body = read(&mut reader);
    let (lines, length) = (lines(&request.headers), request.headers.get_content_length());
    let (method, target) = (request.method.to_string(), request.uri.as_str().to_owned());
    Some(Message {
        method,
        target,
        status: 0,
        lines,
        length,
        taken: request.buf_offset,
        body,
    })
}

/// The response at the front of these bytes.
pub fn response(bytes: &[u8]) -> Option<Message> {
    let response = Response::parse(bytes).ok()?;
    let mut reader = BodyReader::from_response(&bytes[response.buf_offset..], empty(), &response.headers);
    let body = read(&mut reader);
    let (lines, length) = (lines(&response.headers), response.headers.get_content_length());
    let (method, target) = Default::default();
    Some(Message {
        method,
        target,
        status: response.status.code,
        lines,
        length,
        taken: response.buf_offset,
        body,
    })
}

fn read(reader: &mut impl Read) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    reader.read_to_end(&mut body).ok()?;
    Some(body)
}

fn lines(headers: &Headers<'_>) -> Vec<Line> {
    headers
        .iter()
        .map(|(name, value)| line(name.as_bytes(), value))
        .collect()
}
