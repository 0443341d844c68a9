//! What holds for every message: round trips, naive twins, idempotence.

use fastingress_http1::head::Version;
use fastingress_http1::{
    Decoder, Encoder, Error, Event, Framing, Head, Limits, Name, Scan, encode, path, request, response,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// Cuts bytes at these places, wherever they fall.
fn split<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

/// What a decoder makes of a body: its data, its chunk sizes, its trailers.
#[derive(Debug, Default, PartialEq)]
struct Body {
    data: Vec<u8>,
    chunks: Vec<u64>,
    trailers: Vec<(Vec<u8>, Vec<u8>)>,
    rest: Vec<u8>,
}

/// Decodes pieces and writes every event out again.
fn relay(framing: Framing, to: Framing, pieces: &[&[u8]]) -> Result<(Body, Vec<u8>), Error> {
    let (mut decoder, mut encoder) = (Decoder::new(framing), Encoder::new(framing, to));
    let (mut body, mut out) = (Body::default(), Vec::new());
    for piece in pieces.iter().copied().chain([&b""[..]]) {
        let mut at = 0;
        loop {
            let (taken, event) = decoder.decode(&piece[at..])?;
            at += taken;
            let Some(event) = event else { break };
            encoder.before(&event, &mut out);
            if let Event::Data(data) = event {
                out.extend_from_slice(data);
            }
            encoder.after(&event, &mut out);
            match event {
                Event::Data(data) => body.data.extend_from_slice(data),
                Event::ChunkStart(size) => body.chunks.push(size),
                Event::Trailers(all) => {
                    body.trailers
                        .extend(all.iter().map(|(_, name, value)| (name.to_vec(), value.to_vec())));
                }
                Event::ChunkEnd | Event::End => {}
            }
        }
        body.rest.extend_from_slice(&piece[at..]);
    }
    decoder.finish_on_eof()?;
    encoder.finish(&mut out);
    Ok((body, out))
}

/// A chunk decoder as simple as can be, for whole input without extensions and trailers: sizes, data and what is left over.
fn naive_chunks(mut input: &[u8]) -> Option<(Vec<u64>, Vec<u8>, &[u8])> {
    let (mut sizes, mut data) = (Vec::new(), Vec::new());
    loop {
        let end = input.windows(2).position(|pair| pair == b"\r\n")?;
        let digits = std::str::from_utf8(&input[..end]).ok()?;
        if digits.is_empty() || digits.len() > 16 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let size = u64::from_str_radix(digits, 16).ok().filter(|size| *size < 1 << 63)?;
        input = &input[end + 2..];
        if size == 0 {
            return Some((sizes, data, input.strip_prefix(b"\r\n")?));
        }
        let (chunk, rest) = input.split_at_checked(usize::try_from(size).ok()?)?;
        sizes.push(size);
        data.extend_from_slice(chunk);
        input = rest.strip_prefix(b"\r\n")?;
    }
}

/// Bytes that look like chunks more often than not.
fn almost_chunks() -> impl Strategy<Value = Vec<u8>> {
    let good = vec(any::<u8>(), 1..20).prop_map(|data| {
        let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
        chunk.extend(data);
        chunk.extend(b"\r\n");
        chunk
    });
    let odd = prop::sample::select(vec![
        &b"5\r\nhello\n"[..],
        b"0",
        b"\r\n",
        b"0x1\r\na\r\n",
        b"00001\r\na\r\n",
        b"1 \r\na\r\n",
        b"A\r\n0123456789\r\n",
        b"fffffffffffffffff\r\n",
    ]);
    let part = prop_oneof![8 => good, 1 => odd.prop_map(<[u8]>::to_vec)];
    (
        vec(part, 0..6),
        prop_oneof![4 => Just(&b"0\r\n\r\n"[..]), 1 => Just(&b"0\r\n"[..])],
        vec(any::<u8>(), 0..8),
    )
        .prop_map(|(parts, last, rest)| {
            let mut bytes = parts.concat();
            bytes.extend(last);
            bytes.extend(rest);
            bytes
        })
}

fn token() -> impl Strategy<Value = String> {
    "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}"
}

/// A header value as it is once trimmed.
fn value() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(b'\t'), 0x20..=0x7eu8, 0x80..=0xffu8], 0..40).prop_map(|bytes| bytes.trim_ascii().to_vec())
}

/// Header lines whose names the engine does not look at.
fn fields() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let free = token().prop_filter("free", |name| Name::of(name.as_bytes()) == Name::Other);
    vec((free, value()), 0..20)
}

/// Few names, so that edits meet what came; some are known, none decides framing.
fn name() -> impl Strategy<Value = String> {
    "(x-a|X-B|accept|Cookie|X-Real-IP|x-forwarded-for)"
}

fn framing() -> impl Strategy<Value = Framing> {
    prop_oneof![
        Just(Framing::Empty),
        (0..=i64::MAX as u64).prop_map(Framing::Length),
        Just(Framing::Chunked)
    ]
}

/// The lines of a head, as text and bytes.
fn lines(head: &Head) -> Vec<(String, Vec<u8>)> {
    let lines = head.iter().filter(|(id, _, _)| *id == Name::Other);
    lines
        .map(|(_, name, value)| (String::from_utf8_lossy(name).into_owned(), value.to_vec()))
        .collect()
}

proptest! {
    #[test]
    fn a_request_survives_being_written_and_read(
        method in "[A-Z]{1,10}".prop_filter("no tunnels", |method| method != "CONNECT"),
        target in "/[!-\"$-~]{0,60}",
        host in "[a-z0-9]{1,10}(\\.[a-z0-9]{1,10}){0,3}(:[1-9][0-9]{0,3})?",
        fields in fields(),
        framing in framing(),
        keep_alive: bool,
    ) {
        let mut head = Head::new();
        head.set_method(method.as_bytes());
        head.set_target(target.as_bytes());
        head.append(b"Host", host.as_bytes());
        fields.iter().for_each(|(name, value)| head.append(name.as_bytes(), value));
        let mut out = Vec::new();
        encode::request(&head, framing, keep_alive, &mut out);

        let limits = Limits::default();
        prop_assert_eq!(Scan::default().find_end(&out, &limits), Ok(Some(out.len())));
        let mut again = Head::new();
        let parsed = request::parse(&out, &limits, &mut again);
        let expected = request::Request { framing, keep_alive, expect_continue: false, upgrade: false };
        prop_assert_eq!(parsed, Ok(expected));
        prop_assert_eq!(again.method(), method.as_bytes());
        prop_assert_eq!(again.target(), target.as_bytes());
        prop_assert_eq!(again.authority(), host.as_bytes());
        prop_assert_eq!(lines(&again), fields);
    }

    #[test]
    fn a_response_survives_being_written_and_read(
        status in (200u16..600).prop_filter("has a body", |status| !matches!(status, 204 | 304)),
        reason in "[ -~]{0,20}",
        fields in fields(),
        framing in framing(),
    ) {
        let mut head = Head::new();
        head.set_status(status, reason.as_bytes());
        fields.iter().for_each(|(name, value)| head.append(name.as_bytes(), value));
        let mut out = Vec::new();
        encode::response(&head, framing, Version::Http11, true, false, &mut out);

        let mut again = Head::new();
        let parsed = response::parse(&out, &Limits::default(), b"GET", false, &mut again);
        let framing = if framing == Framing::Empty { Framing::Length(0) } else { framing };
        let expected = response::Response { framing, keep_alive: true, interim: false, upgrade: false };
        prop_assert_eq!(parsed, Ok(expected));
        prop_assert_eq!((again.status(), again.reason()), (status, reason.as_bytes()));
        prop_assert_eq!(lines(&again), fields);
    }

    #[test]
    fn the_chunk_decoder_agrees_with_its_naive_twin(
        bytes in almost_chunks(), cuts in vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let decoded = relay(Framing::Chunked, Framing::Chunked, &split(&bytes, &cuts)).ok();
        match naive_chunks(&bytes) {
            Some((chunks, data, rest)) => {
                let (body, out) = decoded.expect("the twin takes it");
                prop_assert_eq!(&body, &Body { data, chunks, trailers: Vec::new(), rest: rest.to_vec() });
                // Written out, only the spelling of the sizes may differ.
                let (again, same) = relay(Framing::Chunked, Framing::Chunked, &[&out]).expect("what is written can be read");
                prop_assert_eq!(Body { rest: Vec::new(), ..body }, again);
                prop_assert_eq!(out, same);
            }
            // What looks like a trailer to the decoder is none to its twin.
            None => if let Some((body, _)) = decoded {
                prop_assert!(bytes.windows(3).any(|three| three == b"0\r\n") && body.rest.len() < bytes.len());
            },
        }
    }

    #[test]
    fn a_body_survives_any_framing_and_any_split(
        data in vec(any::<u8>(), 0..300), cuts in vec(any::<prop::sample::Index>(), 0..8), more in vec(any::<u8>(), 0..8),
    ) {
        let mut bytes = data.clone();
        bytes.extend(&more);
        let length = Framing::Length(data.len() as u64);
        let (body, chunked) = relay(length, Framing::Chunked, &split(&bytes, &cuts)).expect("it is whole");
        prop_assert_eq!((&body.data, &body.rest), (&data, &more));
        let (body, mirrored) = relay(Framing::Chunked, Framing::Chunked, &split(&chunked, &cuts)).expect("it is whole");
        prop_assert_eq!(&body.data, &data);
        prop_assert_eq!(&mirrored, &chunked);
        let (body, plain) = relay(Framing::Chunked, Framing::UntilClose, &split(&mirrored, &cuts)).expect("it is whole");
        prop_assert_eq!((&body.data, &plain), (&data, &data));
        let (body, wrapped) = relay(Framing::UntilClose, Framing::Chunked, &split(&data, &cuts)).expect("it ends so");
        prop_assert_eq!(&body.data, &data);
        prop_assert_eq!(relay(Framing::Chunked, Framing::Chunked, &[&wrapped]).map(|(body, _)| body.data), Ok(data));
    }

    #[test]
    fn trailers_survive_any_split(fields in fields(), cuts in vec(any::<prop::sample::Index>(), 0..8)) {
        let passing: Vec<(Vec<u8>, Vec<u8>)> = fields
            .into_iter()
            .filter(|(name, _)| !name.contains('_'))
            .map(|(name, value)| (format!("X-{name}").into_bytes(), value))
            .collect();
        let mut bytes = b"0\r\n".to_vec();
        for (name, value) in &passing {
            bytes.extend([name.as_slice(), b": ", value, b"\r\n"].concat());
        }
        bytes.extend(b"\r\n");
        let (body, out) = relay(Framing::Chunked, Framing::Chunked, &split(&bytes, &cuts)).expect("good trailers");
        prop_assert_eq!(body.trailers, passing);
        prop_assert_eq!(out, bytes);
    }

    #[test]
    fn the_scan_says_the_same_however_bytes_drip_in(
        bytes in "(GET / HTTP/1.1|\r\n|\n|\r|\0|\t| |a: b|[a-z]{1,30}){0,12}", target in 1usize..60, head in 1usize..120,
    ) {
        let (bytes, limits) = (bytes.as_bytes(), Limits { head, headers: 10, target });
        let whole = Scan::default().find_end(bytes, &limits);
        let mut scan = Scan::default();
        let dripped = (0..=bytes.len()).map(|end| scan.find_end(&bytes[..end], &limits)).find(|said| *said != Ok(None));
        prop_assert_eq!(whole, dripped.unwrap_or(Ok(None)));
    }

    #[test]
    fn no_bytes_make_the_parsers_panic(bytes in vec(any::<u8>(), 0..200)) {
        let (mut head, limits) = (Head::new(), Limits::default());
        if let Ok(Some(end)) = Scan::default().find_end(&bytes, &limits) {
            let _ = request::parse(&bytes[..end], &limits, &mut head);
            let _ = response::parse(&bytes[..end], &limits, b"GET", true, &mut head);
        }
        let _ = relay(Framing::Chunked, Framing::Chunked, &[&bytes]);
    }

    #[test]
    fn a_match_form_is_stable_and_free_of_what_it_must_not_hold(
        raw in "/([a-c.;/\\\\]|%2[eEfF]|%5[cC]|%[0-9a-f]{2}|\\.\\.|//){0,12}", merge: bool,
    ) {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        if let Ok(form) = path::normalise(raw.as_bytes(), merge, &mut first) {
            prop_assert!(form.starts_with(b"/"));
            prop_assert!(!form.split(|byte| *byte == b'/').any(|segment| segment == b"." || segment == b".."));
            prop_assert!(!merge || !form.windows(2).any(|pair| pair == b"//"));
            prop_assert_eq!(path::normalise(form, merge, &mut second), Ok(form));
        }
    }

    #[test]
    fn spelling_a_path_in_escapes_does_not_change_its_match_form(plain in "/[a-z.;=@!/-]{0,20}", which in vec(any::<bool>(), 21)) {
        let spelled: String = plain
            .bytes()
            .zip(&which)
            .map(|(byte, escape)| if *escape && byte != b'/' { format!("%{byte:02x}") } else { char::from(byte).to_string() })
            .collect();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let one = path::normalise(plain.as_bytes(), true, &mut first);
        let other = path::normalise(spelled.as_bytes(), true, &mut second);
        prop_assert_eq!(one, other);
    }

    #[test]
    fn a_backend_that_decodes_slashes_finds_no_dot_segment(raw in "/([a-b.;/\\\\]|%2[eEfF]|%5[cC]){0,12}") {
        let mut scratch = Vec::new();
        if let Ok(form) = path::normalise(raw.as_bytes(), true, &mut scratch) {
            let text = String::from_utf8(form.to_vec()).expect("ASCII").replace("%2F", "/").replace("%5C", "/");
            let dots = text.split('/').map(|segment| segment.split(';').next().unwrap_or_default());
            prop_assert!(!dots.into_iter().any(|segment| segment == "." || segment == ".."));
        }
    }

    #[test]
    fn names_are_recognised_in_any_case(at in 0..Name::KNOWN.len(), upper in vec(any::<bool>(), 32)) {
        let (id, text) = Name::KNOWN[at];
        let spelled: Vec<u8> =
            text.bytes().zip(upper).map(|(byte, upper)| if upper { byte.to_ascii_uppercase() } else { byte }).collect();
        prop_assert_eq!(Name::of(&spelled), id);
    }

    #[test]
    fn other_names_are_not(name in "[a-z-]{0,40}") {
        let naive = Name::KNOWN.iter().find(|(_, text)| *text == name).map_or(Name::Other, |(id, _)| *id);
        prop_assert_eq!(Name::of(name.as_bytes()), naive);
    }
    #[test]
    fn a_name_with_another_byte_is_another_name(
        at in 0..Name::KNOWN.len(),
        place: prop::sample::Index,
        byte: u8,
    ) {
        let (_, text) = Name::KNOWN[at];
        let mut name = text.as_bytes().to_vec();
        name[place.index(text.len())] = byte;
        let is = |known: &(Name, &str)| known.1.as_bytes().eq_ignore_ascii_case(&name);
        let naive = Name::KNOWN.iter().copied().find(is).map_or(Name::Other, |(id, _)| id);
        prop_assert_eq!(Name::of(&name), naive);
    }

    /// Lines are copied in runs where they stand side by side. What comes out is what `iter` says, line by line.
    #[test]
    fn a_head_is_written_line_by_line_however_it_was_made(
        came in vec((name(), "[:] {0,2}", value(), " {0,2}"), 0..12),
        edits in vec((name(), value(), 0..3u8), 0..8),
    ) {
        let mut text = b"GET / HTTP/1.1\r\nHost: a.example\r\n".to_vec();
        for (name, before, value, after) in &came {
            text.extend([name.as_bytes(), before.as_bytes(), value, after.as_bytes(), b"\r\n"].concat());
        }
        text.extend(b"\r\n");
        let mut head = Head::new();
        prop_assert!(request::parse(&text, &Limits::default(), &mut head).is_ok(), "{:?}", String::from_utf8_lossy(&text));
        for (name, value, edit) in &edits {
            match edit {
                0 => head.append(name.as_bytes(), value),
                1 => head.set(name.as_bytes(), value),
                _ => { head.remove(name.as_bytes()); }
            }
        }
        let mut naive = b"GET / HTTP/1.1\r\nHost: a.example\r\n".to_vec();
        for (id, name, value) in head.iter().filter(|(id, ..)| *id != Name::Host) {
            prop_assert_eq!(Name::of(name), id);
            naive.extend([name, b": ", value, b"\r\n"].concat());
        }
        naive.extend(b"\r\n");
        let mut out = Vec::new();
        encode::request(&head, Framing::Empty, true, &mut out);
        prop_assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&naive));
    }
    #[test]
    fn a_length_ends_where_it_does_whatever_part_of_it_went_another_way(
        before in vec(any::<u8>(), 1..20),
        past in 0_u64..20,
        after in vec(any::<u8>(), 0..20),
        rest in vec(any::<u8>(), 0..20),
    ) {
        let mut decoder = Decoder::new(Framing::Length((before.len() + after.len()) as u64 + past));
        prop_assert_eq!(decoder.decode(&before).unwrap(), (before.len(), Some(Event::Data(&before))));
        prop_assert_eq!(decoder.length_left(), Some(after.len() as u64 + past));
        decoder.pass(past);
        prop_assert_eq!(decoder.is_done(), after.is_empty());
        let input = [&after[..], &rest].concat();
        let expected = if after.is_empty() { None } else { Some(Event::Data(&after)) };
        prop_assert_eq!(decoder.decode(&input).unwrap(), (after.len(), expected));
        while !decoder.is_done() {
            prop_assert_eq!(decoder.decode(&rest).unwrap(), (0, Some(Event::End)));
        }
        prop_assert_eq!(decoder.length_left(), None);
    }
}
