//! What the fuzz targets share: our reading of a message, and the readings of others to hold against it.
//!
//! | module | what it is |
//! |---|---|
//! | [`ours`] | a message as this project reads it, and as it would pass it on |
//! | [`hyper_reads`] | the same bytes as hyper reads them, as server and as client |
//! | [`khttp_reads`] | the same head as khttp's parser reads it |
//! | [`requests`], [`responses`], [`bodies`], [`paths`], [`change_sets`], [`proxy_headers`] | what must hold, one target each |
//!
//! Two oracles, since no single one will do. hyper is the most used HTTP/1 implementation in Rust and judges framing,
//! bodies and trailers with code of its own, but its heads come from httparse, as ours do. khttp's parser shares no code
//! with httparse and is lenient, which is what one wants of somebody who must not be led to read a message otherwise.
//! What an oracle refuses proves nothing and is let pass, except where hyper must take what we wrote ourselves.

pub mod bodies;
pub mod change_sets;
pub mod hyper_reads;
pub mod khttp_reads;
pub mod ours;
pub mod paths;
pub mod proxy_headers;
pub mod requests;
pub mod responses;

/// A header line in the form in which readings are compared: name in lower case, value without white space around it.
pub type Line = (String, Vec<u8>);

/// Brings lines into an order that every reader can give: by name, lines of one name as they came.
pub fn sorted(mut lines: Vec<Line>) -> Vec<Line> {
    lines.sort_by(|one, other| one.0.cmp(&other.0));
    lines
}

/// A line in the form in which readings are compared.
pub fn line(name: &[u8], value: &[u8]) -> Line {
    (
        String::from_utf8_lossy(name).to_ascii_lowercase(),
        value.trim_ascii().to_vec(),
    )
}
