//! Tests of rewrites: what goes in as a request, and what the backend or the client sees.

use super::super::testing::Scene;
use super::{Captures, Fault, clean};

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
    let captures = Captures {
        taken: vec![b'a'; 1000],
        limit: 5000,
    };
    let done = captures.fill(&mut out, &"$1".repeat(100_000), clean::target);
    assert!(matches!(done, Err(Fault::TooLong)));
    assert_eq!(out.len(), 6000);
}
