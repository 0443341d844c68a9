//! Heads between the types of the `http` crate and ours, both ways. The only file of the data path that knows both.
//!
//! What a client may send is judged in [`fastingress_http1::assemble`], by the rules of HTTP/1; here names and values only
//! change their form.

use crate::messages::Ending;
use fastingress_http1::assemble::{self, Parts};
use fastingress_http1::scan::Limits;
use fastingress_http1::{Error, Head, Name, Trailers, Version, request, response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use std::sync::LazyLock;

/// The names that the engine knows, in the form of the `http` crate, as they are numbered.
static KNOWN: LazyLock<Vec<HeaderName>> = LazyLock::new(|| {
    Name::KNOWN
        .iter()
        .map(|(_, text)| HeaderName::from_static(text))
        .collect()
});

/// Fills a head from a request. `protocol` is that of an extended CONNECT (RFC 8441, RFC 9220).
pub fn read_request(
    version: Version,
    request: &http::request::Parts,
    protocol: Option<&str>,
    ended: bool,
    limits: &Limits,
    head: &mut Head,
) -> Result<request::Request, Error> {
    let parts = Parts {
        method: request.method.as_str().as_bytes(),
        authority: request.uri.authority().map(|authority| authority.as_str().as_bytes()),
        path: request
            .uri
            .path_and_query()
            .map_or(&b""[..], |path| path.as_str().as_bytes()),
        ended,
    };
    match protocol {
        Some(protocol) if request.method == Method::CONNECT => {
            let key = websocket_key();
            let protocol = protocol.as_bytes();
            assemble::upgrade(version, &parts, protocol, &key, fields(&request.headers), limits, head)
        }
        Some(_) => Err(Error::BadUpgrade),
        None => assemble::request(version, &parts, fields(&request.headers), limits, head),
    }
}

/// Fills a head from an answer to a request of this method.
pub fn read_response(
    version: Version,
    answer: &http::response::Parts,
    ended: bool,
    method: &[u8],
    limits: &Limits,
    head: &mut Head,
) -> Result<response::Response, Error> {
    let status = answer.status.as_u16();
    assemble::response(version, status, fields(&answer.headers), ended, method, limits, head)
}

/// The trailers of a body.
pub fn read_trailers(trailers: &HeaderMap) -> Result<Trailers, Error> {
    Trailers::assemble(fields(trailers))
}

/// An answer with the fields of a head.
pub fn write_response(head: &Head, ending: Ending) -> Result<http::Response<()>, Unsendable> {
    let mut answer = http::Response::new(());
    *answer.status_mut() = StatusCode::from_u16(head.status()).map_err(|_| Unsendable)?;
    let bodiless = matches!(head.status(), 100..=199 | 204);
    write_fields(head, |id| bodiless && id == Name::ContentLength, answer.headers_mut())?;
    state_length(head, ending, answer.headers_mut());
    Ok(answer)
}

/// A request with the fields of a head. `scheme` is `http` or `https`.
pub fn write_request(head: &Head, scheme: &'static str, ending: Ending) -> Result<http::Request<()>, Unsendable> {
    let authority = head.get(Name::Host).unwrap_or(head.authority());
    let uri = Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query(head.target())
        .build()
        .map_err(|_| Unsendable)?;
    let mut request = http::Request::new(());
    *request.method_mut() = Method::from_bytes(head.method()).map_err(|_| Unsendable)?;
    *request.uri_mut() = uri;
    *request.version_mut() = http::Version::HTTP_2;
    write_fields(head, |id| id == Name::Host, request.headers_mut())?;
    state_length(head, ending, request.headers_mut());
    Ok(request)
}

/// Trailers in the form of the `http` crate.
pub fn write_trailers(trailers: &Trailers) -> Result<HeaderMap, Unsendable> {
    let mut map = HeaderMap::new();
    for (id, name, value) in trailers.iter() {
        append(&mut map, id, name, value)?;
    }
    Ok(map)
}

/// About as many bytes as the fields of a head take, for counters.
pub fn weight(head: &Head) -> u64 {
    head.iter()
        .map(|(_, name, value)| (name.len() + value.len()) as u64)
        .sum()
}

/// A head that these protocols cannot carry.
#[derive(Debug, thiserror::Error)]
#[error("the head cannot be sent")]
pub struct Unsendable;

impl From<Unsendable> for std::io::Error {
    fn from(error: Unsendable) -> Self {
        std::io::Error::new(std::io::ErrorKind::InvalidData, error)
    }
}

fn fields(map: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    map.iter()
        .map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
}

fn write_fields(head: &Head, skip: impl Fn(Name) -> bool, map: &mut HeaderMap) -> Result<(), Unsendable> {
    // One more, for a length.
    map.try_reserve(head.iter().count() + 1).map_err(|_| Unsendable)?;
    for (id, name, value) in head.iter() {
        if !skip(id) && !ends_here(id) {
            append(map, id, name, value)?;
        }
    }
    Ok(())
}

/// Fields of a connection of HTTP/1 (RFC 9113, 8.2.2).
fn ends_here(id: Name) -> bool {
    matches!(
        id,
        Name::Connection
            | Name::KeepAlive
            | Name::ProxyConnection
            | Name::TransferEncoding
            | Name::Upgrade
            | Name::Http2Settings
    )
}

fn append(map: &mut HeaderMap, id: Name, name: &[u8], value: &[u8]) -> Result<(), Unsendable> {
    let name = match (id as usize).checked_sub(1) {
        Some(known) => KNOWN[known].clone(),
        None => HeaderName::from_bytes(name).map_err(|_| Unsendable)?,
    };
    let value = HeaderValue::from_bytes(value).map_err(|_| Unsendable)?;
    map.try_append(name, value).map_err(|_| Unsendable)?;
    Ok(())
}

fn state_length(head: &Head, ending: Ending, map: &mut HeaderMap) {
    if let Ending::After(length) = ending
        && head.get(Name::ContentLength).is_none()
    {
        map.insert(http::header::CONTENT_LENGTH, HeaderValue::from(length));
    }
}

/// Sixteen random bytes in base64 (RFC 6455, 4.1): the client of HTTP/2 sends none, the backend wants one.
fn websocket_key() -> [u8; 24] {
    use base64::Engine;
    let mut key = [0; 24];
    let written = base64::engine::general_purpose::STANDARD.encode_slice(fastrand::u128(..).to_le_bytes(), &mut key);
    debug_assert_eq!(written.ok(), Some(key.len()), "sixteen bytes are 24 characters");
    key
}
