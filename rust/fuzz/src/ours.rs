//! A message as this project reads it, and as it would pass it on.

use crate::{Line, line};
use fastingress_http1::{Decoder, Encoder, Error, Event, Framing, Limits, Scan};

/// Limits for what we wrote ourselves: a head at its limits may pass them by the lines that we add.
pub const ROOMY: Limits = Limits {
    head: 1 << 20,
    headers: 512,
    target: 1 << 20,
};

/// A body: what it holds, how it is written out again, and how many bytes it took.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// The bytes of the body.
    pub data: Vec<u8>,
    /// Its trailers.
    pub trailers: Vec<Line>,
    /// The bytes that would be written to the other side.
    pub written: Vec<u8>,
    /// Bytes of input that belong to it.
    pub taken: usize,
}

/// Decodes a body that arrives in pieces and writes it out again. `None`: not all of it is there.
pub fn body(from: Framing, to: Framing, pieces: &[&[u8]]) -> Result<Option<Body>, Error> {
    let (mut decoder, mut encoder) = (Decoder::new(from), Encoder::new(from, to));
    let mut body = Body::default();
    for piece in pieces.iter().copied().chain([&b""[..]]) {
        let mut at = 0;
        while !decoder.is_done() {
            let (taken, event) = decoder.decode(&piece[at..])?;
            at += taken;
            let Some(event) = event else {
                assert!(
                    decoder.is_done() || at == piece.len(),
                    "a decoder that asks for more has taken all"
                );
                break;
            };
            encoder.before(&event, &mut body.written);
            if let Event::Data(data) = event {
                body.written.extend_from_slice(data);
            }
            encoder.after(&event, &mut body.written);
            note(event, &mut body);
        }
        body.taken += at;
    }
    if decoder.finish_on_eof().is_err() {
        return Ok(None);
    }
    encoder.finish(&mut body.written);
    Ok(Some(body))
}

fn note(event: Event<'_>, body: &mut Body) {
    match event {
        Event::Data(data) => {
            assert!(!data.is_empty());
            body.data.extend_from_slice(data);
        }
        Event::Trailers(all) => body
            .trailers
            .extend(all.iter().map(|(_, name, value)| line(name, value))),
        Event::ChunkStart(_) | Event::ChunkEnd | Event::End => {}
    }
}

/// The end of a head, found at one stroke and byte by byte: both must say the same.
pub fn head_end(bytes: &[u8], limits: &Limits) -> Result<Option<usize>, Error> {
    let whole = Scan::default().find_end(bytes, limits);
    if bytes.len() <= 512 {
        let mut scan = Scan::default();
        let dripped = (1..=bytes.len())
            .map(|end| scan.find_end(&bytes[..end], limits))
            .find(|said| *said != Ok(None));
        assert_eq!(
            whole,
            dripped.unwrap_or(Ok(None)),
            "a head that drips in is judged otherwise"
        );
    }
    whole
}

/// The lines of a head that was written out, framing included, as an oracle should read them.
pub fn lines_of(written: &[u8]) -> Vec<Line> {
    let text = written.split(|byte| *byte == b'\n').skip(1);
    text.filter_map(|row| {
        let colon = row.iter().position(|byte| *byte == b':')?;
        Some(line(&row[..colon], &row[colon + 1..]))
    })
    .collect()
}

/// Cuts bytes into pieces whose sizes follow from a seed.
pub fn pieces(bytes: &[u8], mut seed: u32) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (piece, after) = rest.split_at((1 + (seed >> 27) as usize).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}
