//! The path that the backend sees, when it is not the one the client asked for.
//!
//! The target of a rewrite is a template. On a route that matches by regex, `$1` to `$9` in it are the captures; on any
//! other they are empty. It replaces the whole path. The query stays; if the template has one of its own, the request's
//! is added to it, and if the template ends in `?` the request's is dropped, as nginx does. A template that is a full URL
//! redirects there.
//!
//! Captures are taken from the path in match form, which is encoded, so a capture cannot decode into anything. In the query of a template,
//! what would begin another parameter is encoded as well.

use super::clean::{is_host, push_query, push_query_value, push_target, push_uri};
use super::{Exchange, Verdict};
use fastingress_http1::Head;
use fastingress_route::{Pattern, Route};

/// Rewrites the target, or redirects.
pub(super) fn rewrite(head: &mut Head, exchange: &Exchange<'_>, scratch: &mut Vec<u8>) -> Verdict {
    let Some(template) = template(exchange.route) else {
        return Verdict::Continue;
    };
    // `OPTIONS *` is about no path.
    if !head.target().starts_with(b"/") {
        return Verdict::Continue;
    }
    let captures = Captures {
        pattern: exchange.route.pattern.as_deref(),
        path: exchange.path,
    };
    scratch.clear();
    let done = match split_url(template) {
        None => push_origin(scratch, template, &captures, head.query()),
        Some((start, rest)) => push_url(scratch, start, rest, &captures, head.query()),
    };
    match done {
        None => Verdict::refuse(500, "rewrite_failed"),
        Some(Form::Url) => Verdict::redirect(302, scratch.clone(), "rewrite_redirect"),
        Some(Form::Origin) => {
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

fn push_origin(out: &mut Vec<u8>, template: &str, captures: &Captures<'_>, query: Option<&[u8]>) -> Option<Form> {
    push_rest(out, template, captures, query)?;
    if out.first() != Some(&b'/') {
        out.insert(0, b'/');
    }
    Some(Form::Origin)
}

fn push_url(out: &mut Vec<u8>, start: &str, rest: &str, captures: &Captures<'_>, query: Option<&[u8]>) -> Option<Form> {
    push_uri(out, start.as_bytes());
    let host_ends = out.len();
    push_rest(out, rest, captures, query)?;
    // A host that is written out ends here, so that a capture `.evil.example` is not made part of it.
    let is_whole = start
        .split_once("://")
        .is_some_and(|(_, host)| is_host(host.as_bytes()));
    if is_whole && !matches!(out.get(host_ends), None | Some(b'/' | b'?')) {
        out.insert(host_ends, b'/');
    }
    Some(Form::Url)
}

/// Path and query. `None` when the captures cannot be had.
fn push_rest(out: &mut Vec<u8>, template: &str, captures: &Captures<'_>, query: Option<&[u8]>) -> Option<()> {
    let (template, query) = match template.strip_suffix('?') {
        Some(template) => (template, None),
        None => (template, query.filter(|query| !query.is_empty())),
    };
    let (path, own_query) = match template.split_once('?') {
        Some((path, own_query)) => (path, Some(own_query)),
        None => (template, None),
    };
    captures.fill(out, path, push_target)?;
    if let Some(own_query) = own_query {
        out.push(b'?');
        push_template_query(out, own_query, captures)?;
    }
    if let Some(query) = query {
        out.push(if own_query.is_some() { b'&' } else { b'?' });
        push_query(out, query);
    }
    Some(())
}

/// The query of a template: each capture by itself, so that it stays within its parameter.
fn push_template_query(out: &mut Vec<u8>, mut template: &str, captures: &Captures<'_>) -> Option<()> {
    while let Some(at) = next_group(template) {
        push_target(out, &template.as_bytes()[..at]);
        captures.fill(out, &template[at..at + 2], push_query_value)?;
        template = &template[at + 2..];
    }
    push_target(out, template.as_bytes());
    Some(())
}

/// Where the next `$1` to `$9` stands.
fn next_group(template: &str) -> Option<usize> {
    template
        .as_bytes()
        .windows(2)
        .position(|pair| pair[0] == b'$' && matches!(pair[1], b'1'..=b'9'))
}

/// Where the captures come from.
struct Captures<'a> {
    pattern: Option<&'a Pattern>,
    path: &'a [u8],
}

impl Captures<'_> {
    /// Adds the template with its captures, encoded by `push` where that is needed. `None` when the pattern does not match.
    fn fill(&self, out: &mut Vec<u8>, template: &str, push: fn(&mut Vec<u8>, &[u8])) -> Option<()> {
        let start = out.len();
        match self.pattern {
            Some(pattern) if !pattern.expand(self.path, template, out) => return None,
            Some(_) => {}
            None => push_without_groups(out, template),
        }
        // Encoding needs a second buffer, so it is done only where something is to be encoded.
        let raw = out.split_off(start);
        push(out, &raw);
        Some(())
    }
}

fn push_without_groups(out: &mut Vec<u8>, mut template: &str) {
    while let Some(at) = next_group(template) {
        out.extend_from_slice(&template.as_bytes()[..at]);
        template = &template[at + 2..];
    }
    out.extend_from_slice(template.as_bytes());
}
