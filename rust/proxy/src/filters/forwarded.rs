//! What the backend is told about the client, and what a client may not say about itself.
//!
//! | header | value |
//! |---|---|
//! | `X-Request-ID` | the client's if it is 1 to 128 visible characters, else 32 random hexadecimal ones |
//! | `X-Real-IP`, `X-Forwarded-For` | the client's address |
//! | `X-Forwarded-Host` | what a trusted proxy says, else the Host of the request |
//! | `X-Forwarded-Port` | what a trusted proxy says, else the port that clients believe they speak to |
//! | `X-Forwarded-Proto`, `X-Forwarded-Scheme`, `X-Scheme` | `https` or `http` |
//! | `X-Forwarded-Prefix` | `x-forwarded-prefix` of the route |
//! | `X-Original-Forwarded-For`, `X-Original-Forwarded-Host` | what the request came with, whoever sent it |
//!
//! Taken out whoever sent them: these, `Proxy`, `ssl-client-*`, names with underscores unless the settings let them pass,
//! and any name that a backend which maps punctuation to underscores would take for one of these. Taken out unless a trusted proxy
//! sent them: `Forwarded` and all other `X-Forwarded-*`.

use super::clean::is_value;
use super::trust::{best_host, forwarded_port, is_trusted};
use super::{Exchange, Verdict};
use fastingress_http1::{Head, Name};
use std::io::Write;
use std::ops::Range;

/// The longest request id that is taken from a client.
const LONGEST_ID: usize = 128;
/// The longest name that is compared with ours after its punctuation was mapped.
const LONGEST_NAME: usize = 64;

/// Replaces what the request says of the client by what is known.
pub(super) fn replace(head: &mut Head, exchange: &Exchange<'_>, scratch: &mut Vec<u8>) -> Verdict {
    let trusted = is_trusted(exchange.conn, exchange.settings);
    let values = Values::collect(head, exchange, trusted, scratch);
    let prefix = exchange
        .route
        .policy
        .x_forwarded_prefix
        .as_deref()
        .filter(|prefix| is_value(prefix.as_bytes()));
    let underscores = exchange.settings.underscores_in_headers;
    head.retain(|id, name, _| match id {
        Name::XForwardedPrefix => trusted && prefix.is_none(),
        Name::Other => may_pass(name, trusted, underscores),
        id => trusted && id == Name::Forwarded || !is_ours(id) && id != Name::Forwarded,
    });
    values.append(head, exchange.scheme().as_bytes(), scratch);
    if let Some(prefix) = prefix {
        head.append(b"X-Forwarded-Prefix", prefix.as_bytes());
    }
    Verdict::Continue
}

/// The new values, as ranges of the scratch memory, collected before the old ones go.
struct Values {
    request_id: Range<usize>,
    client: Range<usize>,
    host: Range<usize>,
    port: Range<usize>,
    original_for: Range<usize>,
    original_host: Range<usize>,
}

impl Values {
    fn collect(head: &Head, exchange: &Exchange<'_>, trusted: bool, scratch: &mut Vec<u8>) -> Self {
        scratch.clear();
        let port = trusted
            .then(|| forwarded_port(head))
            .flatten()
            .unwrap_or(exchange.conn.forwarded_port);
        Self {
            request_id: range(scratch, |out| push_request_id(head, out)),
            client: range(scratch, |out| {
                write!(out, "{}", exchange.client).expect("writing to memory does not fail")
            }),
            host: range(scratch, |out| out.extend_from_slice(best_host(head, exchange))),
            port: range(scratch, |out| {
                out.extend_from_slice(itoa::Buffer::new().format(port).as_bytes())
            }),
            original_for: range(scratch, |out| push_list(head, Name::XForwardedFor, out)),
            original_host: range(scratch, |out| push_list(head, Name::XForwardedHost, out)),
        }
    }

    fn append(&self, head: &mut Head, scheme: &[u8], scratch: &[u8]) {
        let mut append = |name: &[u8], value: &[u8]| {
            if !value.is_empty() {
                head.append(name, value);
            }
        };
        append(b"X-Request-ID", &scratch[self.request_id.clone()]);
        append(b"X-Real-IP", &scratch[self.client.clone()]);
        append(b"X-Forwarded-For", &scratch[self.client.clone()]);
        append(b"X-Forwarded-Host", &scratch[self.host.clone()]);
        append(b"X-Forwarded-Port", &scratch[self.port.clone()]);
        append(b"X-Forwarded-Proto", scheme);
        append(b"X-Forwarded-Scheme", scheme);
        append(b"X-Scheme", scheme);
        append(b"X-Original-Forwarded-For", &scratch[self.original_for.clone()]);
        append(b"X-Original-Forwarded-Host", &scratch[self.original_host.clone()]);
    }
}

/// What `push` adds.
fn range(scratch: &mut Vec<u8>, push: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
    let start = scratch.len();
    push(scratch);
    start..scratch.len()
}

/// All lines of a name as one list.
fn push_list(head: &Head, id: Name, out: &mut Vec<u8>) {
    for (index, value) in head.values(id).enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(value);
    }
}

fn push_request_id(head: &Head, out: &mut Vec<u8>) {
    match head.get(Name::XRequestId).filter(|id| is_sane(id)) {
        Some(id) => out.extend_from_slice(id),
        None => {
            for byte in fastrand::u128(..).to_be_bytes() {
                let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
                out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
}

fn is_sane(id: &[u8]) -> bool {
    !id.is_empty() && id.len() <= LONGEST_ID && id.iter().all(u8::is_ascii_graphic)
}

/// True for the names that are ours to write, or nobody's.
fn is_ours(id: Name) -> bool {
    matches!(
        id,
        Name::Proxy
            | Name::SslClientCert
            | Name::SslClientIssuerDn
            | Name::SslClientSubjectDn
            | Name::SslClientVerify
            | Name::XForwardedFor
            | Name::XForwardedHost
            | Name::XForwardedPort
            | Name::XForwardedPrefix
            | Name::XForwardedProto
            | Name::XForwardedScheme
            | Name::XOriginalForwardedFor
            | Name::XOriginalForwardedHost
            | Name::XRealIp
            | Name::XRequestId
            | Name::XScheme
    )
}

/// Whether a name that the engine does not know may reach the backend.
fn may_pass(name: &[u8], trusted: bool, underscores: bool) -> bool {
    if starts_with(name, b"ssl-client-") || (!trusted && starts_with(name, b"x-forwarded-")) {
        return false;
    }
    let plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    plain || ((underscores || !name.contains(&b'_')) && !is_disguised(name))
}

/// True for a name that is one of ours once its punctuation is mapped, as CGI and WSGI do: `X_Forwarded_For`.
fn is_disguised(name: &[u8]) -> bool {
    let mut mapped = [b'-'; LONGEST_NAME];
    let Some(mapped) = mapped.get_mut(..name.len()) else {
        return false;
    };
    for (to, from) in mapped.iter_mut().zip(name) {
        if from.is_ascii_alphanumeric() {
            *to = *from;
        }
    }
    let id = Name::of(mapped);
    is_ours(id) || id == Name::Forwarded || starts_with(mapped, b"ssl-client-") || starts_with(mapped, b"x-forwarded-")
}

fn starts_with(name: &[u8], prefix: &[u8]) -> bool {
    name.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}
