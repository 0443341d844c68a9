//! What of gRPC a proxy has to know: who speaks it, deadlines, and how to say that something went wrong.
//!
//! A client of gRPC reads `grpc-status`, not the status of HTTP, so our own answers to it carry both. Calls themselves pass
//! as any other request of HTTP/2.

use fastingress_http1::{Head, Name, Trailers};
use std::time::Duration;

const NATIVE: &[u8] = b"application/grpc";
const WEB: &[u8] = b"application/grpc-web";
const WEB_TEXT: &[u8] = b"application/grpc-web-text";

/// The forms in which a client speaks gRPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// gRPC itself, over HTTP/2.
    Native,
    /// gRPC-Web with bodies as they are.
    Web,
    /// gRPC-Web with bodies in base64.
    WebText,
}

impl Form {
    /// The form of a request; `None` if it is no call.
    pub fn of(head: &Head) -> Option<Self> {
        let kind = head.get(Name::ContentType)?;
        [(Form::Native, NATIVE), (Form::WebText, WEB_TEXT), (Form::Web, WEB)]
            .into_iter()
            .find(|(_, name)| suffix(kind, name).is_some())
            .map(|(form, _)| form)
    }

    /// The media type of its messages, without what says how they are encoded.
    pub fn media_type(self) -> &'static [u8] {
        match self {
            Form::Native => NATIVE,
            Form::Web => WEB,
            Form::WebText => WEB_TEXT,
        }
    }

    /// Makes what a head says its body is in this form be what it is in `other`: `application/grpc-web+proto` becomes
    /// `application/grpc+proto`.
    pub fn rename(self, head: &mut Head, other: Form) {
        let kind = head
            .get(Name::ContentType)
            .and_then(|kind| suffix(kind, self.media_type()));
        if let Some(suffix) = kind {
            let renamed = [other.media_type(), suffix].concat();
            head.set(b"content-type", &renamed);
        }
    }
}

/// What follows the name of a media type, if it is that one.
fn suffix<'k>(kind: &'k [u8], name: &[u8]) -> Option<&'k [u8]> {
    let (begin, rest) = kind.split_at_checked(name.len())?;
    let ends = matches!(rest.first(), None | Some(b'+' | b';' | b' ' | b'\t'));
    (ends && begin.eq_ignore_ascii_case(name)).then_some(rest)
}

/// How long the client gives the call in all: `grpc-timeout`, at most eight digits and a unit.
pub fn timeout(head: &Head) -> Option<Duration> {
    let (unit, digits) = head.find(b"grpc-timeout")?.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count = digits
        .iter()
        .fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    Some(match unit {
        b'H' => Duration::from_secs(count * 3600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

/// A status of gRPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Something else.
    Unknown = 2,
    /// The client's deadline has passed.
    DeadlineExceeded = 4,
    /// Not for this client.
    PermissionDenied = 7,
    /// Too large.
    ResourceExhausted = 8,
    /// There is no such method.
    Unimplemented = 12,
    /// The request is broken.
    Internal = 13,
    /// Nobody can answer now; a client may try again.
    Unavailable = 14,
    /// The client has to say who it is.
    Unauthenticated = 16,
}

impl Status {
    /// What a client of gRPC is told in place of a status of HTTP: the mapping of gRPC's own documents, and beyond it bodies and
    /// heads that are too large.
    pub fn of(http: u16) -> Self {
        match http {
            400 => Status::Internal,
            401 => Status::Unauthenticated,
            403 => Status::PermissionDenied,
            404 => Status::Unimplemented,
            413 | 431 => Status::ResourceExhausted,
            429 | 502 | 503 | 504 => Status::Unavailable,
            _ => Status::Unknown,
        }
    }

    /// The status and what it is about, at the end of an answer.
    pub fn trailers(self, message: &str) -> Trailers {
        let status = self.text();
        let fields = [
            (&b"grpc-status"[..], status.as_bytes()),
            (b"grpc-message", message.as_bytes()),
        ];
        Trailers::assemble(fields.into_iter()).expect("both may be trailers")
    }

    /// The number, as text.
    pub fn text(self) -> String {
        (self as u8).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &[u8], value: &[u8]) -> Head {
        let mut head = Head::new();
        head.append(name, value);
        head
    }

    #[test]
    fn who_speaks_grpc_says_so_in_the_media_type() {
        for (kind, form) in [
            ("application/grpc", Some(Form::Native)),
            ("Application/GRPC+proto", Some(Form::Native)),
            ("application/grpc; charset=utf-8", Some(Form::Native)),
            ("application/grpc-web", Some(Form::Web)),
            ("application/grpc-web+json", Some(Form::Web)),
            ("application/grpc-web-text", Some(Form::WebText)),
            ("application/grpc-web-text+proto", Some(Form::WebText)),
            ("application/grpcs", None),
            ("application/grp", None),
            ("text/html", None),
        ] {
            assert_eq!(Form::of(&with(b"Content-Type", kind.as_bytes())), form, "{kind}");
        }
        assert_eq!(Form::of(&Head::new()), None);
    }

    #[test]
    fn a_form_becomes_another_and_keeps_the_encoding() {
        let mut head = with(b"content-type", b"application/grpc-web-text+proto");
        Form::WebText.rename(&mut head, Form::Native);
        assert_eq!(head.get(Name::ContentType), Some(&b"application/grpc+proto"[..]));
        Form::Web.rename(&mut head, Form::WebText);
        assert_eq!(
            head.get(Name::ContentType),
            Some(&b"application/grpc+proto"[..]),
            "it was another form"
        );
    }

    #[test]
    fn a_status_at_the_end_is_two_trailers() {
        let trailers = Status::DeadlineExceeded.trailers("deadline_exceeded");
        let fields: Vec<_> = trailers.iter().map(|(_, name, value)| (name, value)).collect();
        assert_eq!(
            fields,
            [
                (&b"grpc-status"[..], &b"4"[..]),
                (b"grpc-message", b"deadline_exceeded")
            ]
        );
    }

    #[test]
    fn deadlines_are_digits_and_a_unit() {
        let of = |value: &str| timeout(&with(b"grpc-timeout", value.as_bytes()));
        for (value, expected) in [
            ("1H", Duration::from_secs(3600)),
            ("2M", Duration::from_secs(120)),
            ("3S", Duration::from_secs(3)),
            ("400m", Duration::from_millis(400)),
            ("5u", Duration::from_micros(5)),
            ("99999999n", Duration::from_nanos(99_999_999)),
        ] {
            assert_eq!(of(value), Some(expected), "{value}");
        }
        for value in ["", "S", "1", "1s", "-1S", "123456789S", "1 S", "1.5S"] {
            assert_eq!(of(value), None, "{value}");
        }
    }
}
