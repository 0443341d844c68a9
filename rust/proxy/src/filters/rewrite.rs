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

    #[test]
    fn no_capture_climbs_out_of_the_place_that_the_template_names() {
        for (template, asked) in [
            ("/public/$1", "/files../admin"),
            ("/public/$1", "/files%2e%2e/admin"),
            ("/public/$1", "/files.%2E/admin?q=1"),
            ("/public/$1", "/files..%2fadmin"),
            ("/public/$1", "/files..%5cadmin"),
            ("/public/$1", "/files..\\admin"),
            ("/public/$1", "/files..;a=b/admin"),
            ("/public/$1", "/files.."),
            ("/public/$1", "/files%2e%2e?q=1"),
            ("/public/$1", "/files."),
            ("/public/$1", "/files./x"),
            ("/public/.$1", "/files./x"),
            ("/public/x/$1./admin", "/files."),
            ("/public/%2$1/admin", "/filese.%2fx"),
            ("/public/%$1", "/filesx"),
            ("$1", "/files../admin"),
        ] {
            assert_eq!(
                target(&scene("/files(.*)", true, template), asked),
                "400 rewrite_escapes",
                "{template} {asked}"
            );
        }
        assert_eq!(target(&scene("/x", false, "/a/../b"), "/x"), "400 rewrite_escapes");
    }

    #[test]
    fn dots_that_are_no_segment_are_passed_on() {
        for (asked, seen) in [
            ("/files/.well-known/x", "/public//.well-known/x"),
            ("/files...", "/public/..."),
            ("/files.a/b..", "/public/.a/b.."),
            ("/files/..a/", "/public//..a/"),
            ("/filesa?x=/../b", "/public/a?x=/../b"),
            ("/files%252e%252e/a", "/public/%252e%252e/a"),
        ] {
            assert_eq!(target(&scene("/files(.*)", true, "/public/$1"), asked), seen, "{asked}");
        }
    }

    #[test]
    fn what_becomes_too_long_is_refused_and_not_built() {
        let asked = format!("/x/{}", "a".repeat(8000));
        for (template, fits) in [
            ("/$1$1".to_owned(), true),
            ("/$1$1$1".to_owned(), false),
            ("/?a=$1&b=$1&c=$1".to_owned(), false),
            ("https://new.example/$1$1$1".to_owned(), false),
            (format!("/{}", "$1".repeat(100_000)), false),
            (format!("/?{}", "$1".repeat(100_000)), false),
        ] {
            let seen = target(&scene("/x/(.*)", true, &template), &asked);
            assert_eq!(
                seen == "414 rewrite_too_long",
                !fits,
                "{}",
                &template[..8.min(template.len())]
            );
        }
        let with_query = format!("{asked}?{}", "b".repeat(8000));
        assert_eq!(
            target(&scene("/x/(.*)", true, "/$1$1"), &with_query),
            "414 rewrite_too_long"
        );
        let empty = scene("/x/(.*)", true, &format!("/a{}", "$1".repeat(100_000)));
        assert_eq!(target(&empty, "/x/"), "/a", "the pattern is asked once");
    }

    #[test]
    fn expansion_ends_at_the_limit() {
        let mut out = Vec::new();
        let captures = super::Captures {
            taken: vec![b'a'; 1000],
            limit: 5000,
        };
        let done = captures.fill(&mut out, &"$1".repeat(100_000), super::clean::target);
        assert!(matches!(done, Err(super::Fault::TooLong)));
        assert_eq!(out.len(), 6000);
    }
}
