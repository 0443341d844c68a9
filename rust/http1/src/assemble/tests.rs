//! Requests and answers in parts, against the rules that lines obey.

use super::*;
use crate::{encode, scan::Scan};
use proptest::prelude::*;

type Field<'a> = (&'a str, &'a [u8]);

fn parts(path: &str) -> Parts<'_> {
    Parts {
        method: b"GET",
        authority: Some(b"shop.example.com"),
        path: path.as_bytes(),
        ended: true,
    }
}

fn fill_request(parts: &Parts<'_>, fields: &[Field<'_>]) -> Result<(Request, Head), Error> {
    let mut head = Head::new();
    let fields = fields.iter().map(|(name, value)| (name.as_bytes(), *value));
    let parsed = request(Version::Http2, parts, fields, &Limits::default(), &mut head)?;
    Ok((parsed, head))
}

fn refused(parts: &Parts<'_>, fields: &[Field<'_>]) -> Error {
    fill_request(parts, fields).expect_err("must not pass")
}

#[test]
fn a_request_is_filled_as_its_lines_would_be() {
    let post = Parts {
        method: b"POST",
        ended: false,
        ..parts("/cart?x=1")
    };
    let (parsed, head) = fill_request(&post, &[("content-length", b"5"), ("x-a", b"1")]).expect("passes");
    assert_eq!(parsed.framing, Framing::Length(5));
    assert_eq!(
        (head.method(), head.path(), head.query()),
        (&b"POST"[..], &b"/cart"[..], Some(&b"x=1"[..]))
    );
    assert_eq!(
        (head.host(), head.get(Name::Host)),
        (&b"shop.example.com"[..], Some(&b"shop.example.com"[..]))
    );
    assert_eq!(head.version(), Version::Http2);
}

#[test]
fn a_body_of_unknown_length_goes_on_in_chunks_and_no_body_as_none() {
    let open = Parts {
        ended: false,
        ..parts("/")
    };
    assert_eq!(fill_request(&open, &[]).expect("passes").0.framing, Framing::Chunked);
    assert_eq!(
        fill_request(&parts("/"), &[]).expect("passes").0.framing,
        Framing::Empty
    );
}

#[test]
fn cookie_crumbs_are_joined() {
    let crumbs: &[Field<'_>] = &[
        ("cookie", b"a=1"),
        ("x-a", b"1"),
        ("cookie", b"b=2"),
        ("cookie", b"c=3"),
    ];
    let joined = |crumbs: &[Field<'_>]| {
        let (_, head) = fill_request(&parts("/"), crumbs).expect("passes");
        head.values(Name::Cookie).map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    assert_eq!(joined(crumbs), [b"a=1; b=2; c=3"]);
    for (parts, whole) in [
        (&[&b"a=1"[..], b""][..], &b"a=1"[..]),
        (&[b"", b"a=1"], b"a=1"),
        (&[b"a=1", b"", b"b=2"], b"a=1; b=2"),
        (&[b"", b""], b""),
    ] {
        let crumbs: Vec<Field<'_>> = parts.iter().map(|part| ("cookie", *part)).collect();
        assert_eq!(joined(&crumbs), [whole], "{parts:?}");
    }
}

#[test]
fn an_authority_may_come_from_either_field_but_not_two_from_both() {
    let without = Parts {
        authority: None,
        ..parts("/")
    };
    let (_, head) = fill_request(&without, &[("host", b"a.example")]).expect("passes");
    assert_eq!(head.authority(), b"a.example");
    assert_eq!(refused(&without, &[]), Error::MissingHost);
    assert_eq!(refused(&parts("/"), &[("host", b"other.example")]), Error::BadHost);
    assert!(fill_request(&parts("/"), &[("host", b"shop.example.com")]).is_ok());
    assert_eq!(refused(&without, &[("host", b"a"), ("host", b"a")]), Error::DoubledHost);
    let strange = Parts {
        authority: Some(b"a b"),
        ..parts("/")
    };
    assert_eq!(refused(&strange, &[]), Error::BadHost);
}

#[test]
fn nothing_passes_that_a_line_could_not_hold() {
    for (field, error) in [
        (("x-a", &b"a\r\nb: c"[..]), Error::BareCarriageReturn),
        (("x-a", b"a\nb"), Error::BareLineFeed),
        (("x-a", b"a\0"), Error::Nul),
        (("x-a", b"a\x01"), Error::ControlCharacter),
        (("x-a", b" a"), Error::BadHeader),
        (("x a", b"1"), Error::BadHeader),
        (("x-a:", b"1"), Error::BadHeader),
        (("", b"1"), Error::BadHeader),
        (("X-A", b"1"), Error::BadHeader),
        (("x\r\n-a", b"1"), Error::BadHeader),
        (("content-length", b"-1"), Error::BadLength),
        (("content-length", b"1, 1"), Error::BadLength),
        (("content-length", b"3"), Error::BadLength),
        (("transfer-encoding", b"chunked"), Error::BadTransferEncoding),
        (("connection", b"close"), Error::BadConnection),
        (("keep-alive", b"1"), Error::BadConnection),
        (("proxy-connection", b"close"), Error::BadConnection),
        (("upgrade", b"websocket"), Error::BadConnection),
        (("te", b"gzip"), Error::BadConnection),
        (("expect", b"more"), Error::BadExpectation),
    ] {
        assert_eq!(refused(&parts("/"), &[field]), error, "{field:?}");
    }
    assert_eq!(
        refused(&parts("/"), &[("content-length", b"0"), ("content-length", b"0")]),
        Error::DoubledLength
    );
    for path in ["", "x", "//a b", "/a#b", "http://a/", "*", "/\u{e9}"] {
        assert_eq!(refused(&parts(path), &[]), Error::BadTarget, "{path:?}");
    }
    for (method, error) in [
        (&b"CONNECT"[..], Error::ConnectRefused),
        (b"GE T", Error::BadMethod),
        (b"", Error::BadMethod),
    ] {
        assert_eq!(refused(&Parts { method, ..parts("/") }, &[]), error);
    }
}

#[test]
fn heads_have_the_same_bounds_as_lines() {
    let many: Vec<Field<'_>> = (0..200).map(|_| ("x-a", &b"1"[..])).collect();
    assert_eq!(refused(&parts("/"), &many), Error::TooManyHeaders);
    let crumbs: Vec<Field<'_>> = (0..200).map(|_| ("cookie", &b"a=1"[..])).collect();
    assert!(fill_request(&parts("/"), &crumbs).is_ok(), "crumbs make one line");
    let long = vec![b'a'; 70_000];
    assert_eq!(refused(&parts("/"), &[("x-a", &long)]), Error::HeadTooLarge);
    assert_eq!(
        refused(&parts(&format!("/{}", "a".repeat(20_000))), &[]),
        Error::UriTooLong
    );
}

#[test]
fn a_change_of_protocol_becomes_an_upgrade() {
    let open = Parts {
        method: b"CONNECT",
        ended: false,
        ..parts("/chat")
    };
    let mut head = Head::new();
    let fields = [(&b"sec-websocket-version"[..], &b"13"[..])];
    let limits = Limits::default();
    let parsed = upgrade(
        Version::Http2,
        &open,
        b"websocket",
        b"key",
        fields.into_iter(),
        &limits,
        &mut head,
    );
    assert!(parsed.expect("passes").upgrade);
    for other in [&b"h2c"[..], b"h2", b"", b"a b", b"connect-udp"] {
        let mut head = Head::new();
        let refused = upgrade(
            Version::Http2,
            &open,
            other,
            b"key",
            std::iter::empty(),
            &limits,
            &mut head,
        );
        assert_eq!(refused, Err(Error::BadUpgrade));
    }
    let mut text = Vec::new();
    encode::request_upgrade(&head, &mut text);
    let expected = "GET /chat HTTP/1.1\r\nHost: shop.example.com\r\nsec-websocket-version: 13\r\n\
                    sec-websocket-key: key\r\nupgrade: websocket\r\nConnection: upgrade\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(&text), expected);
}

#[test]
fn an_answer_is_judged_as_its_lines_would_be() {
    let judge = |status, fields: &[Field<'_>], ended, method: &[u8]| {
        let mut head = Head::new();
        let fields = fields.iter().map(|(name, value)| (name.as_bytes(), *value));
        response(
            Version::Http2,
            status,
            fields,
            ended,
            method,
            &Limits::default(),
            &mut head,
        )
    };
    assert_eq!(
        judge(200, &[("content-length", b"5")], false, b"GET")
            .expect("passes")
            .framing,
        Framing::Length(5)
    );
    assert_eq!(
        judge(200, &[], false, b"GET").expect("passes").framing,
        Framing::UntilClose
    );
    assert_eq!(
        judge(200, &[("content-length", b"5")], true, b"HEAD")
            .expect("passes")
            .framing,
        Framing::Empty
    );
    assert_eq!(
        judge(200, &[("content-length", b"5")], true, b"GET"),
        Err(Error::Truncated)
    );
    assert!(judge(103, &[], false, b"GET").expect("passes").interim);
    for bad in [0, 99, 101, 1000] {
        assert_eq!(judge(bad, &[], true, b"GET"), Err(Error::BadStatus));
    }
    assert_eq!(
        judge(200, &[("transfer-encoding", b"chunked")], true, b"GET"),
        Err(Error::BadTransferEncoding)
    );
}

#[test]
fn trailers_obey_the_rules_of_chunked_bodies() {
    let trailers =
        |fields: &[Field<'_>]| Trailers::assemble(fields.iter().map(|(name, value)| (name.as_bytes(), *value)));
    let passed = trailers(&[("grpc-status", b"0"), ("content-encoding", b"x")]).expect("passes");
    assert_eq!(
        passed.iter().map(|(_, name, _)| name).collect::<Vec<_>>(),
        [b"grpc-status"]
    );
    for (field, error) in [
        (("content-length", &b"1"[..]), Error::ForbiddenTrailer),
        (("host", b"a"), Error::ForbiddenTrailer),
        ((":status", b"200"), Error::BadHeader),
        (("x", b"a\r\nb"), Error::BareCarriageReturn),
    ] {
        assert_eq!(trailers(&[field]), Err(error), "{field:?}");
    }
}

proptest! {
    /// What passes here, written as HTTP/1, is read by the strict parser as the same message.
    #[test]
    fn what_passes_is_one_message_of_http_1(
        method in prop_oneof![Just(b"GET".to_vec()), prop::collection::vec(any::<u8>(), 0..8)],
        path in prop_oneof![Just(b"/".to_vec()), prop::collection::vec(any::<u8>(), 0..12)],
        authority in prop_oneof![Just(b"a.example".to_vec()), prop::collection::vec(any::<u8>(), 0..12)],
        fields in prop::collection::vec((
            prop_oneof!["[a-z-]{1,8}".prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 0..8),
                Just(b"content-length".to_vec()), Just(b"cookie".to_vec()), Just(b"host".to_vec())],
            prop_oneof!["[0-9]{1,2}".prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 0..8)],
        ), 0..6),
        ended: bool,
    ) {
        let parts = Parts { method: &method, authority: Some(&authority), path: &path, ended };
        let limits = Limits::default();
        let mut head = Head::new();
        let pairs = fields.iter().map(|(name, value)| (&name[..], &value[..]));
        if let Ok(parsed) = request(Version::Http2, &parts, pairs, &limits, &mut head) {
            let mut text = Vec::new();
            encode::request(&head, parsed.framing, true, &mut text);
            prop_assert_eq!(Scan::default().find_end(&text, &limits), Ok(Some(text.len())));
            let mut again = Head::new();
            let read = crate::request::parse(&text, &limits, &mut again).expect("HTTP/1 takes what passed");
            prop_assert_eq!(read.framing, parsed.framing);
            prop_assert_eq!((again.method(), again.target(), again.authority()), (head.method(), head.target(), head.authority()));
            let framing = |id| matches!(id, Name::ContentLength | Name::TransferEncoding | Name::Host);
            let lines = |head: &Head| head.iter().filter(|line| !framing(line.0))
                .map(|(_, name, value)| (name.to_ascii_lowercase(), value.to_vec())).collect::<Vec<_>>();
            prop_assert_eq!(lines(&again), lines(&head));
        }
    }
}
