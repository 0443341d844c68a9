//! A compiled path regex: how it matches, and how a rewrite is filled in from it.
//!
//! Most patterns are the `regex` crate's, linear in the path. Look-around and back-references, which real
//! configurations use, go to `fancy-regex` under a limit of backtracking; a path that exceeds it does not match.

use regex_syntax::hir::{Hir, HirKind, Look};

/// Bytes that one compiled pattern may take. Paths are short; nested repetition is what is refused.
const SIZE_LIMIT: usize = 512 << 10;
/// Bytes that the caches of one pattern may take.
const CACHE_LIMIT: usize = 256 << 10;
/// Steps of backtracking for one path.
const BACKTRACK_LIMIT: usize = 100_000;
/// Characters of a source.
const SOURCE_LIMIT: usize = 4096;

/// A compiled path regex. Anchored at the start, case-insensitive, matched on the match form of a path.
#[derive(Debug)]
pub struct Pattern {
    source: Box<str>,
    /// What every match begins with, in lower case: refuses most paths without running the engine.
    prefix: Box<[u8]>,
    engine: Engine,
}

#[derive(Debug)]
enum Engine {
    Linear(regex::bytes::Regex),
    Backtracking(Box<fancy_regex::Regex>),
}

/// Why a pattern was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The source does not parse.
    #[error("{0}")]
    Syntax(Box<str>),
    /// It would take too much memory.
    #[error("the pattern is too large: it may have {SOURCE_LIMIT} characters and take {SIZE_LIMIT} bytes compiled")]
    TooLarge,
}

impl Pattern {
    /// Compiles `source`, which is anchored at the start whether or not it says so.
    ///
    /// # Errors
    /// The source is no regular expression, or its compiled form is too large.
    pub fn new(source: &str) -> Result<Self, PatternError> {
        if source.chars().count() > SOURCE_LIMIT {
            return Err(PatternError::TooLarge);
        }
        let parsed = regex_syntax::ParserBuilder::new()
            .utf8(false)
            .unicode(false)
            .build()
            .parse(source);
        let (prefix, engine) = match parsed {
            Ok(hir) => (literal_prefix(&hir), linear(source)?),
            Err(_) => (Box::default(), backtracking(source)?),
        };
        Ok(Self {
            source: source.into(),
            prefix,
            engine,
        })
    }

    /// The source, as it was given.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What every match begins with, in lower case; empty if that is not plain text.
    pub(crate) fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// Whether the path begins with a match.
    #[must_use]
    pub fn is_match(&self, path: &[u8]) -> bool {
        if !path
            .get(..self.prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(&self.prefix))
        {
            return false;
        }
        match &self.engine {
            Engine::Linear(regex) => regex.is_match(path),
            Engine::Backtracking(regex) => {
                std::str::from_utf8(path).is_ok_and(|path| regex.is_match(path).unwrap_or(false))
            }
        }
    }

    /// Appends `template` to `out` with `$1` to `$9` replaced by what the groups took of `path`; a group that took no
    /// part or does not exist gives nothing. The template takes the place of the whole path, also of what lies behind
    /// the match. False, and nothing is appended, if the path does not match.
    pub fn expand(&self, path: &[u8], template: &str, out: &mut Vec<u8>) -> bool {
        match &self.engine {
            Engine::Linear(regex) => {
                let Some(groups) = regex.captures(path) else {
                    return false;
                };
                fill(template, out, |n| groups.get(n).map(|group| group.as_bytes()));
            }
            Engine::Backtracking(regex) => {
                let Ok(path) = std::str::from_utf8(path) else {
                    return false;
                };
                let Ok(Some(groups)) = regex.captures(path) else {
                    return false;
                };
                fill(template, out, |n| groups.get(n).map(|group| group.as_str().as_bytes()));
            }
        }
        true
    }
}

fn linear(source: &str) -> Result<Engine, PatternError> {
    regex::bytes::RegexBuilder::new(&anchored(source))
        .case_insensitive(true)
        .unicode(false)
        .size_limit(SIZE_LIMIT)
        .dfa_size_limit(CACHE_LIMIT)
        .build()
        .map(Engine::Linear)
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => PatternError::TooLarge,
            other => PatternError::Syntax(one_line(&other.to_string())),
        })
}

fn backtracking(source: &str) -> Result<Engine, PatternError> {
    // Parsed alone first: `a)(b` must not become valid by the group that the anchor needs.
    let refused = |error: fancy_regex::Error| PatternError::Syntax(one_line(&error.to_string()));
    fancy_regex::Expr::parse_tree(source).map_err(refused)?;
    fancy_regex::RegexBuilder::new(&anchored(source))
        .case_insensitive(true)
        .backtrack_limit(BACKTRACK_LIMIT)
        .delegate_size_limit(SIZE_LIMIT)
        .delegate_dfa_size_limit(CACHE_LIMIT)
        .build()
        .map(|regex| Engine::Backtracking(Box::new(regex)))
        .map_err(refused)
}

fn anchored(source: &str) -> String {
    format!(r"\A(?:{source})")
}

/// Parsers draw a picture of the place over several lines; a problem is one line.
fn one_line(message: &str) -> Box<str> {
    let last = message
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("not a regular expression");
    last.trim().trim_start_matches("error: ").into()
}

/// What every match of the pattern begins with, as far as it is plain text.
fn literal_prefix(hir: &Hir) -> Box<[u8]> {
    let parts = match hir.kind() {
        HirKind::Concat(parts) => parts.as_slice(),
        _ => std::slice::from_ref(hir),
    };
    let text = parts
        .iter()
        .find(|part| !matches!(part.kind(), HirKind::Look(Look::Start)));
    match text.map(Hir::kind) {
        Some(HirKind::Literal(literal)) => literal.0.to_ascii_lowercase().into(),
        _ => Box::default(),
    }
}

fn fill<'p>(template: &str, out: &mut Vec<u8>, group: impl Fn(usize) -> Option<&'p [u8]>) {
    let mut rest = template.as_bytes();
    while let Some(at) = memchr::memchr(b'$', rest) {
        out.extend_from_slice(&rest[..at]);
        let skip = match rest.get(at + 1) {
            Some(&digit @ b'1'..=b'9') => {
                out.extend_from_slice(group(usize::from(digit - b'0')).unwrap_or_default());
                2
            }
            _ => {
                out.push(b'$');
                1
            }
        };
        rest = &rest[at + skip..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(source: &str) -> Pattern {
        Pattern::new(source).expect("the pattern compiles")
    }

    fn expanded(source: &str, path: &str, template: &str) -> Option<String> {
        let mut out = Vec::new();
        pattern(source)
            .expand(path.as_bytes(), template, &mut out)
            .then(|| String::from_utf8(out).expect("text"))
    }

    #[test]
    fn is_anchored_at_the_start_and_open_at_the_end() {
        assert!(pattern("/ba").is_match(b"/banana"));
        assert!(!pattern("/ba").is_match(b"/x/ba"));
        assert!(pattern("^/ba").is_match(b"/banana"));
        assert!(!pattern("/ba$").is_match(b"/banana"));
    }

    #[test]
    fn an_alternative_is_anchored_too() {
        assert!(pattern("/a|/b").is_match(b"/b"));
        assert!(!pattern("/a|/b").is_match(b"/x/b"));
    }

    #[test]
    fn ignores_case() {
        assert!(pattern("/Api/[a-c]").is_match(b"/aPI/B"));
        assert!(pattern("/Api/(?=X)").is_match(b"/aPI/x"));
    }

    #[test]
    fn look_around_works() {
        let pattern = pattern("/(?!admin)[a-z]+");
        assert!(pattern.is_match(b"/shop"));
        assert!(!pattern.is_match(b"/admin"));
    }

    #[test]
    fn what_is_unbalanced_is_refused() {
        for source in ["/a)(b", "/(a", "/[a", "/a)(?=b", "/(?=a"] {
            assert!(matches!(Pattern::new(source), Err(PatternError::Syntax(_))), "{source}");
        }
    }

    #[test]
    fn what_is_too_large_is_refused() {
        assert_eq!(Pattern::new("/(a{1000}){1000}").err(), Some(PatternError::TooLarge));
        assert_eq!(
            Pattern::new(&"a".repeat(SOURCE_LIMIT + 1)).err(),
            Some(PatternError::TooLarge)
        );
    }

    #[test]
    fn endless_backtracking_is_no_match() {
        let pattern = pattern("/(?=(a+)+b)(a+)+$");
        assert!(!pattern.is_match(format!("/{}", "a".repeat(64)).as_bytes()));
    }

    #[test]
    fn a_literal_start_refuses_early_and_rightly() {
        assert_eq!(&*pattern("/Foo/(.*)").prefix, b"/foo/");
        assert_eq!(&*pattern("^/foo[a]?").prefix, b"/foo");
        assert_eq!(&*pattern("/a|/b").prefix, b"");
        assert!(pattern("/foo?").is_match(b"/fo"));
        assert!(pattern(r"/a\.b").is_match(b"/A.B"));
    }

    #[test]
    fn a_rewrite_takes_groups_and_replaces_the_whole_path() {
        assert_eq!(expanded("/api(/|$)(.*)", "/api/v1/x", "/$2").as_deref(), Some("/v1/x"));
        assert_eq!(expanded("/api(/|$)(.*)", "/api", "/$2").as_deref(), Some("/"));
        assert_eq!(expanded("/a", "/a/rest", "/b").as_deref(), Some("/b"));
        assert_eq!(expanded("/(x)?a", "/a", "/<$1>$2").as_deref(), Some("/<>"));
        assert_eq!(expanded("/(a)", "/a", "/$0$$10$").as_deref(), Some("/$0$a0$"));
        assert_eq!(expanded("/b", "/a", "/$1"), None);
    }

    #[test]
    fn a_rewrite_works_with_look_around() {
        assert_eq!(
            expanded("/(?!x)([a-z]+)/(.*)", "/ab/c", "/$2/$1").as_deref(),
            Some("/c/ab")
        );
    }
}
