//! The path that the backend sees, when it is not the one the client asked for.
//!
//! The target of a rewrite is a template. On a route that matches by regex, `$1` to `$9` in it are the captures; on any
//! other they are empty. It replaces the whole path. The query stays; if the template has one of its own, the request's
//! is added to it, and if the template ends in `?` the request's is dropped, as nginx does. A template that is a full URL
//! redirects there.
//!
//! Captures are taken from the path in match form, which is encoded, so a capture cannot decode into anything. In the query of a template,
//! what would begin another parameter is encoded as well. What comes out is looked at as a whole: a path with a dot segment
//! would leave the place that the template names, and one that is longer than a target may be is nothing to send.

use super::clean::{self, Class, is_host, push};
use super::{Exchange, Verdict};
use fastingress_http1::{Head, path};
use fastingress_route::{Pattern, Route};

/// Bytes of a rewritten target, or as many as the client's own had if those were more.
const LONGEST: usize = 16 * 1024;

/// Rewrites the target, or redirects.
pub(super) fn rewrite(head: &mut Head, exchange: &Exchange<'_>, scratch: &mut Vec<u8>) -> Verdict {
    let Some(template) = template(exchange.route) else {
        return Verdict::Continue;
    };
    // `OPTIONS *` is about no path.
    if !head.target().starts_with(b"/") {
        return Verdict::Continue;
    }
    scratch.clear();
    let pattern = exchange.route.pattern.as_deref();
    let limit = LONGEST.max(head.target().len());
    let done = Captures::of(pattern, exchange.path, limit).and_then(|captures| match split_url(template) {
        None => push_origin(scratch, template, &captures, head.query()),
        Some((start, rest)) => push_url(scratch, start, rest, &captures, head.query()),
    });
    match done {
        Err(Fault::Unmatched) => Verdict::refuse(500, "rewrite_failed"),
        Err(Fault::Escapes) => Verdict::refuse(400, "rewrite_escapes"),
        Err(Fault::TooLong) => Verdict::refuse(414, "rewrite_too_long"),
        Ok(Form::Url) => Verdict::redirect(302, scratch.clone(), "rewrite_redirect"),
        Ok(Form::Origin) => {
            head.set_target(scratch);
            Verdict::Continue
        }
    }
}

/// What was made of a template.
enum Form {
    /// A path, with or without a query.
    Origin,
    /// A full URL.
    Url,
}

/// Why nothing was made of it.
enum Fault {
    /// The captures cannot be had.
    Unmatched,
    /// The path has a dot segment, or an escape that is none.
    Escapes,
    /// The target would be longer than one may be.
    TooLong,
}

/// The template of a route that rewrites. One that equals the path of the rule says: no rewrite.
fn template(route: &Route) -> Option<&str> {
    route
        .policy
        .rewrite
        .as_deref()
        .filter(|template| !template.is_empty() && **template != *route.path)
}

/// Splits a full URL behind its scheme and what of its host is written out. Decided by the template alone: no
/// capture turns a rewrite into a redirect.
fn split_url(template: &str) -> Option<(&str, &str)> {
    let scheme = ["http://", "https://"]
        .into_iter()
        .find(|scheme| template.starts_with(scheme))?;
    let host = template[scheme.len()..].find(['/', '?', '$', '#']);
    Some(template.split_at(host.map_or(template.len(), |at| scheme.len() + at)))
}

fn push_origin(out: &mut Vec<u8>, template: &str, captures: &Captures, query: Option<&[u8]>) -> Result<Form, Fault> {
    push_rest(out, template, captures, query)?;
    if out.first() != Some(&b'/') {
        out.insert(0, b'/');
    }
    let path_ends = out.iter().position(|byte| *byte == b'?').unwrap_or(out.len());
    if has_dots(&out[..path_ends]) {
        return Err(Fault::Escapes);
    }
    Ok(Form::Origin)
}

/// True for a path with a dot segment, in whichever way one may be spelled, or with an escape that is none.
fn has_dots(path: &[u8]) -> bool {
    let mut scratch = Vec::new();
    let Ok(normal) = path::normalise(path, false, &mut scratch) else {
        return true;
    };
    // Slashes are not merged, so a dot segment alone takes slashes away; at the end it leaves one that was not there.
    let slashes = |path: &[u8]| path.iter().filter(|byte| **byte == b'/').count();
    slashes(normal) != slashes(path) || normal.ends_with(b"/") != path.ends_with(b"/")
}

fn push_url(
    out: &mut Vec<u8>,
    start: &str,
    rest: &str,
    captures: &Captures,
    query: Option<&[u8]>,
) -> Result<Form, Fault> {
    push(out, start.as_bytes(), clean::uri);
    let host_ends = out.len();
    push_rest(out, rest, captures, query)?;
    // A host that is written out ends here, so that a capture `.evil.example` is not made part of it.
    let is_whole = start
        .split_once("://")
        .is_some_and(|(_, host)| is_host(host.as_bytes()));
    if is_whole && !matches!(out.get(host_ends), None | Some(b'/' | b'?')) {
        out.insert(host_ends, b'/');
    }
    Ok(Form::Url)
}

/// Path and query.
fn push_rest(out: &mut Vec<u8>, template: &str, captures: &Captures, query: Option<&[u8]>) -> Result<(), Fault> {
    let (template, query) = match template.strip_suffix('?') {
        Some(template) => (template, None),
        None => (template, query.filter(|query| !query.is_empty())),
    };
    let (path, own_query) = match template.split_once('?') {
        Some((path, own_query)) => (path, Some(own_query)),
        None => (template, None),
    };
    captures.fill(out, path, clean::target)?;
    if let Some(own_query) = own_query {
        out.push(b'?');
        // Each capture by itself, so that it stays within its parameter.
        captures.fill(out, own_query, clean::query_value)?;
    }
    if let Some(query) = query {
        out.push(if own_query.is_some() { b'&' } else { b'?' });
        push(out, query, clean::query);
    }
    captures.check(out)
}

/// Where the next `$1` to `$9` stands.
fn next_group(template: &str) -> Option<usize> {
    template
        .as_bytes()
        .windows(2)
        .position(|pair| pair[0] == b'$' && matches!(pair[1], b'1'..=b'9'))
}

/// What the groups took, and how long a target may become.
struct Captures {
    /// Of `$1` to `$9`, parted by line feeds, which no path in match form holds. Empty on a route without a pattern.
    taken: Vec<u8>,
    limit: usize,
}

impl Captures {
    /// Asks the pattern once, however often the template names a group.
    fn of(pattern: Option<&Pattern>, path: &[u8], limit: usize) -> Result<Self, Fault> {
        let mut taken = Vec::new();
        match pattern {
            Some(pattern) if !pattern.expand(path, "$1\n$2\n$3\n$4\n$5\n$6\n$7\n$8\n$9", &mut taken) => {
                Err(Fault::Unmatched)
            }
            _ => Ok(Self { taken, limit }),
        }
    }

    /// Adds the template with its captures, which are encoded where they are not of the class. Ends as soon as it is too much.
    fn fill(&self, out: &mut Vec<u8>, mut template: &str, class: Class) -> Result<(), Fault> {
        while let Some(at) = next_group(template) {
            push(out, &template.as_bytes()[..at], clean::target);
            let group = usize::from(template.as_bytes()[at + 1] - b'1');
            let taken = self.taken.split(|byte| *byte == b'\n').nth(group);
            push(out, taken.unwrap_or_default(), class);
            self.check(out)?;
            template = &template[at + 2..];
        }
        push(out, template.as_bytes(), clean::target);
        self.check(out)
    }

    fn check(&self, out: &[u8]) -> Result<(), Fault> {
        if out.len() > self.limit {
            return Err(Fault::TooLong);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
