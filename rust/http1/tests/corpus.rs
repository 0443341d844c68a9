//! The byte-level corpus in `corpus/`: every case whole, in two pieces at every byte, and byte by byte, with one outcome.

mod common;

use common::{Outcome, cases, chunked_outcome, request_outcome, response_outcome, unescape};
use fastingress_http1::{Error, path};
use std::collections::BTreeSet;

/// Cases longer than this are split at their ends and at some places between, not everywhere.
const EVERY_BYTE: usize = 600;

#[test]
fn requests_are_understood_or_refused_alike_however_they_are_split() {
    for case in cases("requests.txt") {
        check(&case, request_outcome);
    }
}

#[test]
fn responses_are_understood_or_refused_alike_however_they_are_split() {
    for case in cases("responses.txt") {
        check(&case, |parts| response_outcome(parts, &case.method, case.upgrade));
    }
}

#[test]
fn chunks_are_understood_or_refused_alike_however_they_are_split() {
    for case in cases("chunks.txt") {
        check(&case, chunked_outcome);
    }
}

#[test]
fn every_rule_has_a_case_that_breaks_it() {
    let mut missing: BTreeSet<&str> = RULES.iter().map(|error| error.as_str()).collect();
    for file in ["requests.txt", "responses.txt", "chunks.txt"] {
        for case in cases(file) {
            if let Some((_, rule)) = case.outcome.split_once("refused ") {
                missing.remove(rule);
            }
        }
    }
    for (_, merged, _) in paths() {
        missing.remove(merged.as_str());
    }
    // Needs more lines than a data file should hold: see `header_lines_are_counted`.
    missing.remove("too_many_headers");
    assert!(missing.is_empty(), "no case breaks {missing:?}");
}

#[test]
fn paths_have_the_match_form_that_the_corpus_says_and_it_is_stable() {
    for (raw, merged, kept) in paths() {
        for (merge, expected) in [(true, &merged), (false, &kept)] {
            let (mut first, mut second) = (Vec::new(), Vec::new());
            let form = path::normalise(&raw, merge, &mut first);
            let said = match form {
                Ok(form) => String::from_utf8(form.to_vec()).expect("match forms are ASCII"),
                Err(error) => error.as_str().to_owned(),
            };
            assert_eq!(
                &said,
                expected,
                "{:?}, merge_slashes {merge}",
                raw.escape_ascii().to_string()
            );
            if let Ok(form) = form {
                assert_eq!(path::normalise(form, merge, &mut second), Ok(form));
            }
        }
    }
}

/// Runs a case in all its splits.
fn check(case: &common::Case, run: impl Fn(&[&[u8]]) -> Outcome) {
    let bytes = case.bytes.as_slice();
    let expected = &case.outcome;
    assert_eq!(&run(&[bytes]), expected, "{}", case.about);
    let step = if bytes.len() <= EVERY_BYTE { 1 } else { bytes.len() / 50 };
    for at in (0..=bytes.len()).step_by(step) {
        let (front, back) = bytes.split_at(at);
        assert_eq!(&run(&[front, back]), expected, "{}, split at {at}", case.about);
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(&run(&single), expected, "{}, byte by byte", case.about);
}

/// Raw path, match form with slashes merged, match form without.
fn paths() -> Vec<(Vec<u8>, String, String)> {
    let text = common::read("paths.txt");
    let rows = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    rows.map(|row| {
        let columns: Vec<&str> = row.split(" => ").collect();
        let merged = columns[1].to_owned();
        (
            unescape(columns[0]),
            merged.clone(),
            columns.get(2).map_or(merged, |kept| (*kept).to_owned()),
        )
    })
    .collect()
}

/// Every rule there is.
const RULES: &[Error] = &[
    Error::BareLineFeed,
    Error::BareCarriageReturn,
    Error::Nul,
    Error::ControlCharacter,
    Error::HeadTooLarge,
    Error::TooManyHeaders,
    Error::UriTooLong,
    Error::BadStartLine,
    Error::BadMethod,
    Error::BadVersion,
    Error::BadTarget,
    Error::ConnectRefused,
    Error::BadHeader,
    Error::SpaceBeforeColon,
    Error::ObsFold,
    Error::MissingHost,
    Error::DoubledHost,
    Error::BadHost,
    Error::BothLengths,
    Error::DoubledLength,
    Error::BadLength,
    Error::BadTransferEncoding,
    Error::BadConnection,
    Error::BadExpectation,
    Error::BadStatus,
    Error::UnexpectedBody,
    Error::BadUpgrade,
    Error::BadChunk,
    Error::ChunkTooLarge,
    Error::BadChunkExtension,
    Error::TrailersTooLarge,
    Error::ForbiddenTrailer,
    Error::Truncated,
    Error::BadEscape,
    Error::BadPath,
];
