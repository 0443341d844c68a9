//! One access record as a line: a JSON object, or text that a person can read.
//!
//! What a client sent can hold any byte. A line holds no control character and is valid UTF-8 whatever comes in, so
//! nobody can forge a second line or a field, or play with the reader's terminal.

use super::time::write_rfc3339;
use std::io::Write;
use std::net::IpAddr;
use std::time::SystemTime;

/// Everything that is said of one request. Client bytes are as they came.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// When the request began.
    pub time: SystemTime,
    /// The client's address.
    pub client: IpAddr,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// `HTTP/1.1` and so on.
    pub protocol: &'a str,
    /// The method; empty if no head could be read.
    pub method: &'a [u8],
    /// The host without port.
    pub host: &'a [u8],
    /// The path with its query.
    pub path: &'a [u8],
    /// The status.
    pub status: u16,
    /// Bytes read from the client.
    pub bytes_in: u64,
    /// Bytes written to the client.
    pub bytes_out: u64,
    /// From first byte to last.
    pub duration_us: u64,
    /// Connecting to the endpoint, if that was needed.
    pub connect_us: Option<u32>,
    /// From the request sent to the first byte of the answer.
    pub upstream_us: Option<u32>,
    /// Namespace and name of the Ingress.
    pub ingress: Option<(&'a str, &'a str)>,
    /// Which rule of it.
    pub rule: Option<Rule>,
    /// `namespace/service:port`.
    pub service: Option<&'a str>,
    /// The endpoint tried last.
    pub endpoint: Option<&'a str>,
    /// Endpoints tried.
    pub tries: u8,
    /// Why we answered ourselves or cut the request short.
    pub reason: Option<&'a str>,
    /// `X-Request-ID`.
    pub request_id: Option<&'a [u8]>,
    /// `User-Agent`.
    pub user_agent: Option<&'a [u8]>,
    /// `Referer`.
    pub referer: Option<&'a [u8]>,
}

/// Which rule of an Ingress took a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// `spec.rules[i].http.paths[j]`.
    Path(u16, u16),
    /// `spec.defaultBackend`.
    Default,
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Rule::Path(rule, path) => write!(f, "rules[{rule}].paths[{path}]"),
            Rule::Default => f.write_str("defaultBackend"),
        }
    }
}

/// Appends the line as a JSON object with a line feed. Every field is always there; what does not apply is null.
pub fn json(line: &Line<'_>, out: &mut Vec<u8>) {
    let mut object = Object { out, first: true };
    let quoted = |name, out: &mut Vec<u8>| json_string(name, out);
    object.field("time", |out| {
        out.push(b'"');
        write_rfc3339(line.time, out);
        out.push(b'"');
    });
    object.field("client", |out| print(out, format_args!("\"{}\"", line.client)));
    object.field("scheme", |out| quoted(line.scheme.as_bytes(), out));
    object.field("protocol", |out| quoted(line.protocol.as_bytes(), out));
    object.field("method", |out| quoted(line.method, out));
    object.field("host", |out| quoted(line.host, out));
    object.field("path", |out| quoted(line.path, out));
    object.field("status", |out| print(out, format_args!("{}", line.status)));
    object.field("bytes_in", |out| print(out, format_args!("{}", line.bytes_in)));
    object.field("bytes_out", |out| print(out, format_args!("{}", line.bytes_out)));
    object.field("duration_ms", |out| milliseconds(line.duration_us, out));
    object.optional("connect_ms", line.connect_us, |us, out| milliseconds(us.into(), out));
    object.optional("upstream_ms", line.upstream_us, |us, out| milliseconds(us.into(), out));
    object.optional("namespace", line.ingress, |(namespace, _), out| {
        quoted(namespace.as_bytes(), out)
    });
    object.optional("ingress", line.ingress, |(_, name), out| quoted(name.as_bytes(), out));
    object.optional("rule", line.rule, |rule, out| print(out, format_args!("\"{rule}\"")));
    object.optional("service", line.service, |service, out| quoted(service.as_bytes(), out));
    object.optional("endpoint", line.endpoint, |endpoint, out| {
        quoted(endpoint.as_bytes(), out)
    });
    object.field("tries", |out| print(out, format_args!("{}", line.tries)));
    object.optional("reason", line.reason, |reason, out| quoted(reason.as_bytes(), out));
    object.optional("request_id", line.request_id, quoted);
    object.optional("user_agent", line.user_agent, quoted);
    object.optional("referer", line.referer, quoted);
    out.extend_from_slice(b"}\n");
}

/// Appends the line as text: time, client, `"METHOD URL PROTOCOL"`, status, then `name=value` for what applies.
pub fn text(line: &Line<'_>, out: &mut Vec<u8>) {
    write_rfc3339(line.time, out);
    print(out, format_args!(" {} \"", line.client));
    escape(line.method, out);
    print(out, format_args!(" {}://", line.scheme));
    escape(line.host, out);
    escape(line.path, out);
    print(
        out,
        format_args!(
            " {}\" {} in={} out={} duration=",
            line.protocol, line.status, line.bytes_in, line.bytes_out
        ),
    );
    time_value(line.duration_us, out);
    for (name, time) in [("connect", line.connect_us), ("upstream", line.upstream_us)] {
        if let Some(microseconds) = time {
            print(out, format_args!(" {name}="));
            time_value(microseconds.into(), out);
        }
    }
    if let Some((namespace, name)) = line.ingress {
        value("ingress", format!("{namespace}/{name}").as_bytes(), out);
    }
    if let Some(rule) = line.rule {
        print(out, format_args!(" rule={rule}"));
    }
    let optional = [
        ("service", line.service.map(str::as_bytes)),
        ("endpoint", line.endpoint.map(str::as_bytes)),
        ("reason", line.reason.map(str::as_bytes)),
        ("id", line.request_id),
    ];
    for (name, bytes) in optional {
        if let Some(bytes) = bytes {
            value(name, bytes, out);
        }
    }
    if line.tries > 1 {
        print(out, format_args!(" tries={}", line.tries));
    }
    for (name, bytes) in [("agent", line.user_agent), ("referer", line.referer)] {
        if let Some(bytes) = bytes {
            quoted_value(name, bytes, out);
        }
    }
    out.push(b'\n');
}

struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl Object<'_> {
    fn field(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        let mark = if std::mem::take(&mut self.first) { '{' } else { ',' };
        print(self.out, format_args!("{mark}\"{name}\":"));
        write(self.out);
    }

    fn optional<T>(&mut self, name: &str, value: Option<T>, write: impl FnOnce(T, &mut Vec<u8>)) {
        self.field(name, |out| match value {
            Some(value) => write(value, out),
            None => out.extend_from_slice(b"null"),
        });
    }
}

fn print(out: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    // Writing to a vector cannot fail.
    let _ = out.write_fmt(arguments);
}

/// `12.345`.
fn milliseconds(microseconds: u64, out: &mut Vec<u8>) {
    print(out, format_args!("{}.{:03}", microseconds / 1000, microseconds % 1000));
}

fn time_value(microseconds: u64, out: &mut Vec<u8>) {
    milliseconds(microseconds, out);
    out.extend_from_slice(b"ms");
}

/// A JSON string. What is not UTF-8 becomes U+FFFD.
fn json_string(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                c if is_unsafe(c) => print(out, format_args!("\\u{:04x}", u32::from(c))),
                c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out.push(b'"');
}

/// Text for a place in quotes: quotes and backslashes get a backslash, what is not plain text becomes `\xNN` by byte.
fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let mut buffer = [0; 4];
            let utf8 = c.encode_utf8(&mut buffer).as_bytes();
            match c {
                '"' | '\\' => out.extend_from_slice(&[b'\\', utf8[0]]),
                c if is_unsafe(c) => hexadecimal(utf8, out),
                _ => out.extend_from_slice(utf8),
            }
        }
        hexadecimal(chunk.invalid(), out);
    }
}

fn hexadecimal(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        print(out, format_args!("\\x{byte:02x}"));
    }
}

/// Control characters, and those that break lines or turn text around. All are in the basic plane.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{feff}'
        )
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

/// ` name=value`, in quotes if the value holds anything that could be taken for more than one word.
fn value(name: &str, bytes: &[u8], out: &mut Vec<u8>) {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:/@+[]%~*".contains(byte);
    if bytes.is_empty() || !bytes.iter().all(plain) {
        return quoted_value(name, bytes, out);
    }
    print(out, format_args!(" {name}="));
    out.extend_from_slice(bytes);
}

fn quoted_value(name: &str, bytes: &[u8], out: &mut Vec<u8>) {
    print(out, format_args!(" {name}=\""));
    escape(bytes, out);
    out.push(b'"');
}

#[cfg(test)]
mod tests;
