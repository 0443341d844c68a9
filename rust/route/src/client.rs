//! What a host asks of the certificates of its clients, compiled.
//!
//! Nothing is judged here: chains and dates are the data path's business.

use crate::schema::ClientAuth;
use regex::Regex;

/// What a pattern may take in memory once it is compiled. Bytes.
const PATTERN_SIZE: usize = 1 << 18;

/// What a host asks of the certificates of its clients. Two are equal when they ask the same.
#[derive(Debug)]
pub struct ClientPolicy {
    /// As it was sent.
    pub auth: ClientAuth,
    /// `match_cn`, if it is a regular expression.
    pattern: Option<Regex>,
}

impl ClientPolicy {
    /// Compiles the pattern, if there is one.
    pub(crate) fn new(auth: ClientAuth) -> Self {
        let pattern = auth.match_cn.as_deref().and_then(|source| compile(source).ok());
        Self { auth, pattern }
    }

    /// What is wrong with the pattern; no subject matches one that is wrong.
    pub(crate) fn fault(&self) -> Option<String> {
        let source = self.auth.match_cn.as_deref()?;
        compile(source).err().map(|error| error.to_string())
    }

    /// Whether the subject of a certificate, as RFC 2253 writes it, is one of those asked for. The pattern is looked
    /// for anywhere in it and case matters, as in ingress-nginx.
    #[must_use]
    pub fn takes_subject(&self, subject: &str) -> bool {
        self.auth.match_cn.is_none() || self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(subject))
    }
}

impl PartialEq for ClientPolicy {
    fn eq(&self, other: &Self) -> bool {
        self.auth == other.auth
    }
}

fn compile(source: &str) -> Result<Regex, regex::Error> {
    regex::RegexBuilder::new(source).size_limit(PATTERN_SIZE).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(match_cn: Option<&str>) -> ClientPolicy {
        ClientPolicy::new(ClientAuth {
            authority: "ns/ca".into(),
            verify: crate::schema::VerifyClient::On,
            depth: 1,
            match_cn: match_cn.map(Into::into),
            error_page: None,
            pass_certificate: false,
        })
    }

    #[test]
    fn a_pattern_is_looked_for_in_the_whole_subject() {
        assert!(policy(None).takes_subject(""));
        let named = policy(Some("CN=alice"));
        assert!(named.takes_subject("CN=alice") && named.takes_subject("OU=x,CN=alice,O=y"));
        assert!(!named.takes_subject("CN=Alice") && !named.takes_subject("") && !named.takes_subject("CN=bob"));
    }

    #[test]
    fn a_pattern_that_is_none_takes_nobody_and_says_why() {
        let broken = policy(Some("CN=(alice"));
        assert!(!broken.takes_subject("CN=(alice") && broken.fault().is_some());
        assert_eq!(policy(Some("CN=a")).fault(), None);
        assert_eq!(policy(None).fault(), None);
    }
}
