//! The path that the backend sees, when it is not the one the client asked for.
//!
//! The target of a rewrite is a template. On a route that matches by regex, `$1` to `$9` in it are the captures; on any
//! other they are empty. It replaces the whole path. The query stays; if the template has one of its own, the request's
//! is added to it, and if the template ends in `?` the request's is dropped, as nginx does. A template that is a full URL
//! redirects there.
//!
//! Captures are taken from the path in match form, which is encoded, so a capture cannot decode into anything. In the query of a template,
//! what would begin another parameter is encoded as well.

use super::clean::{self, Class, is_host, push, settle};
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
    captures.fill(out, path, clean::target)?;
    if let Some(own_query) = own_query {
        out.push(b'?');
        push_template_query(out, own_query, captures)?;
    }
    if let Some(query) = query {
        out.push(if own_query.is_some() { b'&' } else { b'?' });
        push(out, query, clean::query);
    }
    Some(())
}

/// The query of a template: each capture by itself, so that it stays within its parameter.
fn push_template_query(out: &mut Vec<u8>, mut template: &str, captures: &Captures<'_>) -> Option<()> {
    while let Some(at) = next_group(template) {
        push(out, &template.as_bytes()[..at], clean::target);
        captures.fill(out, &template[at..at + 2], clean::query_value)?;
        template = &template[at + 2..];
    }
    push(out, template.as_bytes(), clean::target);
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
    /// Adds the template with its captures, encoded where they are not of the class. `None` when the pattern does not match.
    fn fill(&self, out: &mut Vec<u8>, template: &str, class: Class) -> Option<()> {
        let start = out.len();
        match self.pattern {
            Some(pattern) if !pattern.expand(self.path, template, out) => return None,
            Some(_) => {}
            None => push_without_groups(out, template),
        }
        settle(out, start, class);
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

#[cfg(test)]
mod tests {
    use super::super::testing::Scene;

    fn scene(path: &'static str, regex: bool, template: &str) -> Scene {
        let mut scene = Scene {
            rule_path: path,
            regex,
            ..Scene::default()
        };
        scene.policy.rewrite = Some(template.into());
        scene
    }

    /// The target that the backend sees, or the answer.
    fn target(scene: &Scene, target: &str) -> String {
        let came = scene.step("rewrite", &format!("GET {target} HTTP/1.1\nHost: shop.example\n\n"));
        match came
            .strip_prefix("GET ")
            .and_then(|came| came.split_once(" HTTP/1.1\nHost: shop.example\n\n"))
        {
            Some((target, "")) => target.to_owned(),
            _ => came,
        }
    }

    #[test]
    fn on_a_regex_route_captures_fill_the_template() {
        for (path, template, asked, seen) in [
            ("/api(/|$)(.*)", "/$2", "/api/v1/x", "/v1/x"),
            ("/api(/|$)(.*)", "/$2", "/api", "/"),
            ("/api(/|$)(.*)", "/$2", "/API/v1?q=1", "/v1?q=1"),
            ("/api(/|$)(.*)", "/$2", "/api/a%20b%2Fc%C3%A9", "/a%20b%2Fc%C3%A9"),
            ("/api(/|$)(.*)", "/$2", "/api/%41%2e", "/A."),
            (
                "/api(/|$)(.*)",
                "/$2",
                "/api/x%0d%0aSet-Cookie:y",
                "/x%0D%0ASet-Cookie:y",
            ),
            ("/api(/|$)(.*)", "/$2", "/api/x%3Fy%23z", "/x%3Fy%23z"),
            ("/(a)(b)?", "/<$1$2$3>", "/a", "/%3Ca%3E"),
            ("/x/(.*)", "$1", "/x/y", "/y"),
            ("/x(.*)", "$1", "/x/y", "/y"),
            ("/x/(.*)", "/new dir/$1", "/x/y", "/new%20dir/y"),
            ("/x/(.*)", "/\r\nX: $1#é", "/x/y", "/%0D%0AX:%20y%23%C3%A9"),
            ("/x/(.*)", "/$$1$0$", "/x/y", "/$y$0$"),
        ] {
            assert_eq!(
                target(&scene(path, true, template), asked),
                seen,
                "{path} {template} {asked}"
            );
        }
    }

    #[test]
    fn on_any_other_route_the_whole_path_becomes_the_target() {
        for (template, asked, seen) in [
            ("/", "/shop/cart", "/"),
            ("/", "/shop/cart?a=b", "/?a=b"),
            ("/new", "/shop", "/new"),
            ("/$1/x$2", "/shop", "//x"),
            ("$1", "/shop", "/"),
            ("new", "/shop", "/new"),
            ("/price$", "/shop", "/price$"),
        ] {
            assert_eq!(
                target(&scene("/shop", false, template), asked),
                seen,
                "{template} {asked}"
            );
        }
    }

    #[test]
    fn the_query_stays_beside_the_templates_own() {
        for (template, asked, seen) in [
            ("/$1", "/x/y?a=b&c", "/y?a=b&c"),
            ("/$1", "/x/y?", "/y"),
            ("/$1", "/x/y??a=/../%0d\"", "/y??a=/../%0d\""),
            ("/i?p=$1", "/x/y", "/i?p=y"),
            ("/i?p=$1", "/x/y?a=b", "/i?p=y&a=b"),
            ("/i?p=$1?", "/x/y?a=b", "/i?p=y"),
            ("/$1?", "/x/y?a=b", "/y"),
            ("/i?p=$1&r=2", "/x/y&admin=1", "/i?p=y%26admin%3D1&r=2"),
            ("/i?p=$1", "/x/a%26b+c;d%3Fe%20", "/i?p=a%26b%2Bc%3Bd%3Fe%20"),
            ("/i?p=a b#c", "/x/y", "/i?p=a%20b%23c"),
        ] {
            assert_eq!(
                target(&scene("/x/(.*)", true, template), asked),
                seen,
                "{template} {asked}"
            );
        }
    }

    #[test]
    fn a_target_equal_to_the_path_or_empty_is_no_rewrite() {
        for (path, regex, template) in [
            ("/shop", false, "/shop"),
            ("/shop", true, "/shop"),
            ("/x(.*)", true, ""),
        ] {
            assert_eq!(target(&scene(path, regex, template), "/shop/%41?a"), "/shop/%41?a");
        }
        let star = "OPTIONS * HTTP/1.1\nHost: shop.example\n\n";
        assert_eq!(scene("/shop", false, "/").step("rewrite", star), star);
    }

    #[test]
    fn a_full_url_redirects_there() {
        for (template, asked, told) in [
            ("https://new.example/$1", "/x/y?a=b", "https://new.example/y?a=b"),
            ("http://new.example/$1?b=c", "/x/y?a=b", "http://new.example/y?b=c&a=b"),
            ("https://new.example", "/x/y", "https://new.example"),
            ("https://new.example?to=$1", "/x/y&z", "https://new.example?to=y%26z"),
            (
                "https://new.example$1",
                "/x/.evil.example",
                "https://new.example/.evil.example",
            ),
            (
                "https://new.example$1",
                "/x/@evil.example",
                "https://new.example/@evil.example",
            ),
            ("https://new.example:8443$1", "/x/99", "https://new.example:8443/99"),
            (
                "https://new.example/$1",
                "/x/%0d%0aSet-Cookie:y",
                "https://new.example/%0D%0ASet-Cookie:y",
            ),
            ("https://new.example/\r\n$1", "/x/y", "https://new.example/%0D%0Ay"),
            ("https://$1", "/x/some.example/y", "https://some.example/y"),
        ] {
            let told = format!("302 rewrite_redirect {told}");
            assert_eq!(
                target(&scene("/x/(.*)", true, template), asked),
                told,
                "{template} {asked}"
            );
        }
    }

    #[test]
    fn no_capture_turns_a_rewrite_into_a_redirect() {
        let scene = scene("/x/(.*)", true, "$1");
        assert_eq!(target(&scene, "/x/https://evil.example/"), "/https:/evil.example/");
        assert_eq!(target(&scene, "/x/http:%2F%2Fevil.example"), "/http:%2F%2Fevil.example");
    }

    #[test]
    fn a_path_that_the_pattern_does_not_take_is_not_passed_on() {
        assert_eq!(target(&scene("/x/(.*)", true, "/$1"), "/other"), "500 rewrite_failed");
    }
}
