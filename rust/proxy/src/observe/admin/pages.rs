//! What each path of the admin port answers.

use super::AdminState;
use super::query::{Url, parameters, parse_url};
use crate::observe::exposition;
use fastingress_http1::path::normalise;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode, Uri};
use serde::Serialize;
use serde_json::json;

type Page = Response<Full<Bytes>>;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

const INDEX: &str = "fastingress admin\n\
    /metrics   counters for Prometheus\n\
    /healthz   200 while the process lives\n\
    /readyz    200 when requests may be sent here, else 503 with the reason\n\
    /routes    the route table as JSON\n\
    /streams   TCP and UDP services and hosts whose TLS passes through, as JSON\n\
    /explain   ?url=...&method=...&header=Name:+value : which rule takes a request, and why the others do not\n\
    /problems  what is wrong in the configuration, as JSON\n";

/// Answers one request.
pub fn answer(method: &Method, uri: &Uri, state: &dyn AdminState) -> Page {
    let page: fn(&Uri, &dyn AdminState) -> Page = match uri.path() {
        "/" => |_, _| page(StatusCode::OK, TEXT, INDEX),
        "/metrics" => |_, state| page(StatusCode::OK, exposition::CONTENT_TYPE, state.metrics()),
        "/healthz" => |_, _| page(StatusCode::OK, TEXT, "ok\n"),
        "/readyz" => |_, state| ready(state),
        "/streams" => |_, state| page(StatusCode::OK, JSON, state.streams()),
        "/routes" => |_, state| serialised(&state.table().routes()),
        "/explain" => {
            |uri, state| explain(uri.query().unwrap_or_default(), state).unwrap_or_else(|message| bad(&message))
        }
        "/problems" => |_, state| page(StatusCode::OK, JSON, state.problems().as_bytes().to_vec()),
        _ => |_, _| page(StatusCode::NOT_FOUND, TEXT, "not found; / lists what there is\n"),
    };
    if method != Method::GET && method != Method::HEAD {
        let mut refusal = self::page(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n");
        refusal
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    page(uri, state)
}

fn page(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Page {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn ready(state: &dyn AdminState) -> Page {
    match state.ready() {
        Ok(()) => page(StatusCode::OK, TEXT, "ok\n"),
        Err(reason) => page(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{reason}\n")),
    }
}

fn serialised(value: &impl Serialize) -> Page {
    match serde_json::to_vec(value) {
        Ok(body) => page(StatusCode::OK, JSON, body),
        Err(error) => page(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
    }
}

fn bad(message: &str) -> Page {
    page(StatusCode::BAD_REQUEST, JSON, json!({ "error": message }).to_string())
}

/// The same JSON as the library's `explain`. Method and headers are checked; no condition looks at them yet.
fn explain(query: &str, state: &dyn AdminState) -> Result<Page, String> {
    let mut url = None;
    for (name, value) in parameters(query)? {
        match &*name {
            "url" => url = Some(parse_url(&value)?),
            "method" => {
                Method::from_bytes(value.as_bytes()).map_err(|_| format!("{value:?} is not a method"))?;
            }
            "header" => {
                value
                    .split_once(':')
                    .ok_or_else(|| format!("the header {value:?} has no colon"))?;
            }
            _ => return Err(format!("unknown parameter {name:?}; there are url, method and header")),
        }
    }
    let Url { host, path, .. } = url.ok_or("the parameter url is missing")?;
    let table = state.table();
    let merge_slashes = table.settings().now.load().merge_slashes;
    let mut scratch = Vec::new();
    let path = normalise(path.as_bytes(), merge_slashes, &mut scratch)
        .map_err(|error| format!("a request with the path {path:?} is refused: {}", error.as_str()))?;
    Ok(serialised(&table.explain(&host, path)))
}
