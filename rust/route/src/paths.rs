//! Few paths: all of them in one piece of memory, in the order in which they are tried.
//!
//! Per path two bytes of length, one of kind, and the text: the match form, or what every match of a regex begins with.

use crate::compiled::Route;
use crate::fragment::Rule;
use crate::host::is_element_prefix;
use crate::schema::PathKind;
use std::sync::Arc;

/// Above these, a hash finds a path sooner than a scan.
pub(crate) const MOST_PATHS: usize = 16;
const MOST_BYTES: usize = 1024;

const EXACT: u8 = 0;
const PREFIX: u8 = 1;
const RAW_PREFIX: u8 = 2;
const REGEX: u8 = 3;

/// The paths in one piece; `None` if they are too many or too long for it.
pub(crate) fn encode(ranked: &[&Rule]) -> Option<Box<[u8]>> {
    let texts = ranked.iter().map(|rule| text(rule));
    if ranked.len() > MOST_PATHS || texts.clone().map(|text| text.len() + 3).sum::<usize>() > MOST_BYTES {
        return None;
    }
    let mut out = Vec::new();
    for (rule, text) in ranked.iter().zip(texts) {
        out.extend_from_slice(&u16::try_from(text.len()).ok()?.to_le_bytes());
        out.push(code(rule.route.kind));
        out.extend_from_slice(text);
    }
    Some(out.into())
}

/// The place of the first of `routes` that takes the path.
#[inline]
pub(crate) fn find(scan: &[u8], routes: &[Arc<Route>], path: &[u8]) -> Option<usize> {
    let mut rest = scan;
    let mut index = 0;
    while let Some((&[low, high, kind], after)) = rest.split_first_chunk() {
        let (text, after) = after.split_at_checked(usize::from(u16::from_le_bytes([low, high])))?;
        let takes = match kind {
            EXACT => path == text,
            PREFIX => is_element_prefix(text, path),
            RAW_PREFIX => path.starts_with(text),
            _ => is_regex_match(text, routes.get(index)?, path),
        };
        if takes {
            return Some(index);
        }
        rest = after;
        index += 1;
    }
    None
}

fn is_regex_match(start: &[u8], route: &Route, path: &[u8]) -> bool {
    path.get(..start.len())
        .is_some_and(|text| text.eq_ignore_ascii_case(start))
        && route.pattern.as_ref().is_some_and(|pattern| pattern.is_match(path))
}

fn text(rule: &Rule) -> &[u8] {
    match rule.route.kind {
        PathKind::Regex => rule.route.pattern.as_ref().map_or(&[], |pattern| pattern.prefix()),
        _ => rule.form(),
    }
}

fn code(kind: PathKind) -> u8 {
    match kind {
        PathKind::Exact => EXACT,
        PathKind::Prefix => PREFIX,
        PathKind::RawPrefix => RAW_PREFIX,
        PathKind::Regex => REGEX,
    }
}
