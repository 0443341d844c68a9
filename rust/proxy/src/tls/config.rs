//! The configuration of handshakes: protocol versions, cipher suites, resumption, ALPN.
//!
//! Names are parsed here and nowhere else. What the library does not do is an error that names the flag, the value and
//! what is possible: an OpenSSL cipher string that silently lost half of its meaning would be worse.

use super::client_auth::Possession;
use super::resolver::Resolver;
use super::tickets::Tickets;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{cipher_suite as suites, default_provider};
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, WantsServerCert};
use rustls::{
    ConfigBuilder, DistinguishedName, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion, WantsVerifier,
    version,
};
use std::sync::Arc;

/// Sessions kept for clients that resume without a ticket. One takes about a kilobyte.
const SESSIONS: usize = 10_240;

const VERSIONS: &[(&str, &SupportedProtocolVersion)] = &[("TLSv1.2", &version::TLS12), ("TLSv1.3", &version::TLS13)];

/// A suite with the names people know it by.
struct Suite {
    iana: &'static str,
    openssl: &'static str,
    suite: SupportedCipherSuite,
}

#[rustfmt::skip]
static SUITES: [Suite; 9] = [
    Suite { iana: "TLS_AES_256_GCM_SHA384", openssl: "TLS_AES_256_GCM_SHA384", suite: suites::TLS13_AES_256_GCM_SHA384 },
    Suite { iana: "TLS_AES_128_GCM_SHA256", openssl: "TLS_AES_128_GCM_SHA256", suite: suites::TLS13_AES_128_GCM_SHA256 },
    Suite { iana: "TLS_CHACHA20_POLY1305_SHA256", openssl: "TLS_CHACHA20_POLY1305_SHA256", suite: suites::TLS13_CHACHA20_POLY1305_SHA256 },
    Suite { iana: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", openssl: "ECDHE-ECDSA-AES256-GCM-SHA384", suite: suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 },
    Suite { iana: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", openssl: "ECDHE-ECDSA-AES128-GCM-SHA256", suite: suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 },
    Suite { iana: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", openssl: "ECDHE-ECDSA-CHACHA20-POLY1305", suite: suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 },
    Suite { iana: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", openssl: "ECDHE-RSA-AES256-GCM-SHA384", suite: suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 },
    Suite { iana: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", openssl: "ECDHE-RSA-AES128-GCM-SHA256", suite: suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 },
    Suite { iana: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", openssl: "ECDHE-RSA-CHACHA20-POLY1305", suite: suites::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 },
];

/// Why there is no TLS configuration. The text names the flag and the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A protocol version that does not exist here.
    #[error("--ssl-protocols: {value:?} is not possible; choose from {possible}")]
    Protocol {
        /// As given.
        value: String,
        /// All that is possible.
        possible: String,
    },
    /// No protocol version at all.
    #[error("--ssl-protocols: names no protocol; choose from {possible}")]
    NoProtocol {
        /// All that is possible.
        possible: String,
    },
    /// A cipher suite that does not exist here.
    #[error("--ssl-ciphers: {value:?} is not possible; choose from {possible}")]
    Cipher {
        /// As given.
        value: String,
        /// All that is possible, by the name that OpenSSL has for it.
        possible: String,
    },
    /// The self-signed certificate could not be made.
    #[error("cannot make the self-signed default certificate: {0}")]
    Default(String),
    /// The library refused the whole.
    #[error("cannot set up TLS: {0}")]
    Library(String),
}

/// What configurations of handshakes are made from.
pub struct Recipe {
    provider: Arc<CryptoProvider>,
    versions: Vec<&'static SupportedProtocolVersion>,
    own_order: bool,
    http2: bool,
    tickets: Option<Arc<Tickets>>,
    resolver: Arc<Resolver>,
}

impl Recipe {
    /// `protocols`: `TLSv1.2`, `TLSv1.3`. `ciphers`: IANA or OpenSSL names in order of preference, an item may be a list
    /// joined by colons or commas. A list restricts the protocol versions it names suites of; the others keep all that are
    /// safe, as nginx keeps those of TLS 1.3. Empty: all, and the client's order decides. `http2`: offer it. `tickets`: for sessions that
    /// clients keep; without them all are kept here.
    ///
    /// # Errors
    /// A name that is not known, or no protocol at all.
    pub fn parse(
        protocols: &[String],
        ciphers: &[String],
        http2: bool,
        tickets: Option<Arc<Tickets>>,
        resolver: Arc<Resolver>,
    ) -> Result<Self, TlsError> {
        let versions = parse_protocols(protocols)?;
        let chosen = parse_ciphers(ciphers)?;
        let mut provider = default_provider();
        provider.cipher_suites = with_untouched_versions(&chosen);
        Ok(Self {
            provider: Arc::new(provider),
            versions,
            own_order: !chosen.is_empty(),
            http2,
            tickets,
            resolver,
        })
    }

    /// The configuration that all handshakes share which ask for no certificate.
    ///
    /// # Errors
    /// What the library refuses.
    pub fn ordinary(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let mut config = self.finish(self.builder()?.with_no_client_auth());
        config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        if let Some(tickets) = &self.tickets {
            config.ticketer = tickets.clone();
        }
        Ok(Arc::new(config))
    }

    /// One that asks for a certificate, by authorities of these names. It resumes no session: a resumed one would carry
    /// the certificate over without anybody looking at it.
    ///
    /// # Errors
    /// What the library refuses.
    pub fn asking(&self, subjects: Vec<DistinguishedName>) -> Result<Arc<ServerConfig>, TlsError> {
        let verifier = Arc::new(Possession::new(subjects));
        let mut config = self.finish(self.builder()?.with_client_cert_verifier(verifier));
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }

    fn builder(&self) -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, TlsError> {
        ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&self.versions)
            .map_err(library)
    }

    fn finish(&self, builder: ConfigBuilder<ServerConfig, WantsServerCert>) -> ServerConfig {
        let mut config = builder.with_cert_resolver(self.resolver.clone());
        config.ignore_client_order = self.own_order;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if self.http2 {
            config.alpn_protocols.insert(0, b"h2".to_vec());
        }
        config
    }
}

fn library(error: rustls::Error) -> TlsError {
    TlsError::Library(error.to_string())
}

fn items(values: &[String]) -> impl Iterator<Item = &str> {
    values
        .iter()
        .flat_map(|value| value.split([':', ',', ' ']))
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

fn parse_protocols(values: &[String]) -> Result<Vec<&'static SupportedProtocolVersion>, TlsError> {
    let possible = || VERSIONS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let mut versions = Vec::new();
    for item in items(values) {
        let Some((_, version)) = VERSIONS.iter().find(|(name, _)| name.eq_ignore_ascii_case(item)) else {
            return Err(TlsError::Protocol {
                value: item.into(),
                possible: possible(),
            });
        };
        if !versions.contains(version) {
            versions.push(*version);
        }
    }
    if versions.is_empty() {
        return Err(TlsError::NoProtocol { possible: possible() });
    }
    Ok(versions)
}

fn parse_ciphers(values: &[String]) -> Result<Vec<SupportedCipherSuite>, TlsError> {
    let mut chosen = Vec::new();
    for item in items(values) {
        let named = |s: &&Suite| s.iana.eq_ignore_ascii_case(item) || s.openssl.eq_ignore_ascii_case(item);
        let Some(found) = SUITES.iter().find(named) else {
            let possible = SUITES.iter().map(|s| s.openssl).collect::<Vec<_>>().join(", ");
            return Err(TlsError::Cipher {
                value: item.into(),
                possible,
            });
        };
        if !chosen.contains(&found.suite) {
            chosen.push(found.suite);
        }
    }
    Ok(chosen)
}

/// The suites of these names of the registry, and all of the protocol versions that none of them is of. `None` for a name
/// that is not known.
pub(crate) fn suites_named(names: &[Box<str>]) -> Option<Vec<SupportedCipherSuite>> {
    let named = |name: &str| SUITES.iter().find(|s| s.iana == name).map(|s| s.suite);
    let chosen: Vec<_> = names.iter().map(|name| named(name)).collect::<Option<_>>()?;
    Some(with_untouched_versions(&chosen))
}

/// The protocol versions of these names; all for none. `None` for a name that is not known.
pub(crate) fn versions_named(names: &[Box<str>]) -> Option<Vec<&'static SupportedProtocolVersion>> {
    if names.is_empty() {
        return Some(VERSIONS.iter().map(|(_, version)| *version).collect());
    }
    let named = |name: &str| VERSIONS.iter().find(|(known, _)| *known == name).map(|(_, v)| *v);
    names.iter().map(|name| named(name)).collect()
}

/// What was chosen, and all suites of the protocol versions that the choice says nothing about.
fn with_untouched_versions(chosen: &[SupportedCipherSuite]) -> Vec<SupportedCipherSuite> {
    let untouched = |suite: &SupportedCipherSuite| !chosen.iter().any(|c| c.version() == suite.version());
    let rest = SUITES.iter().map(|s| s.suite).filter(untouched);
    chosen.iter().copied().chain(rest).collect()
}

/// The IANA name of a suite, for logs and `TlsInfo`.
pub fn cipher_name(suite: SupportedCipherSuite) -> &'static str {
    SUITES.iter().find(|s| s.suite == suite).map_or("", |s| s.iana)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn protocols_by_name() {
        let versions = |values: &[&str]| parse_protocols(&strings(values));
        assert_eq!(versions(&["TLSv1.3"]).unwrap(), [&version::TLS13]);
        assert_eq!(
            versions(&["tlsv1.3", "TLSv1.2 TLSv1.3"]).unwrap(),
            [&version::TLS13, &version::TLS12]
        );
        for old in ["TLSv1", "TLSv1.1", "SSLv3", "1.3"] {
            let said = versions(&["TLSv1.2", old]).unwrap_err().to_string();
            assert_eq!(
                said,
                format!("--ssl-protocols: {old:?} is not possible; choose from TLSv1.2, TLSv1.3")
            );
        }
        let said = versions(&[" "]).unwrap_err().to_string();
        assert_eq!(said, "--ssl-protocols: names no protocol; choose from TLSv1.2, TLSv1.3");
    }

    #[test]
    fn ciphers_by_either_name_in_the_order_given() {
        for Suite { iana, openssl, suite } in &SUITES {
            assert_eq!(parse_ciphers(&strings(&[iana])).unwrap(), [*suite]);
            assert_eq!(parse_ciphers(&strings(&[&openssl.to_lowercase()])).unwrap(), [*suite]);
            assert_eq!(cipher_name(*suite), *iana);
        }
        let list = strings(&[
            "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256",
            "ECDHE-RSA-AES128-GCM-SHA256",
        ]);
        let expected = [
            suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ];
        assert_eq!(parse_ciphers(&list).unwrap(), expected);
    }

    #[test]
    fn a_cipher_that_does_not_exist_here_is_an_error_that_lists_those_that_do() {
        for foreign in [
            "HIGH",
            "!aNULL",
            "AES256-SHA",
            "ECDHE-RSA-AES128-SHA256",
            "DHE-RSA-AES128-GCM-SHA256",
            "@SECLEVEL=2",
        ] {
            let said = parse_ciphers(&strings(&["ECDHE-RSA-AES128-GCM-SHA256", foreign]))
                .unwrap_err()
                .to_string();
            assert!(
                said.starts_with(&format!("--ssl-ciphers: {foreign:?} is not possible; choose from ")),
                "{said}"
            );
            for suite in &SUITES {
                assert!(said.contains(suite.openssl), "{said}");
            }
        }
    }

    #[test]
    fn the_nine_are_all_that_the_library_has() {
        let mut ours: Vec<_> = SUITES.iter().map(|s| s.suite.suite()).collect();
        let mut theirs: Vec<_> = rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES
            .iter()
            .map(|s| s.suite())
            .collect();
        ours.sort_by_key(|suite| u16::from(*suite));
        theirs.sort_by_key(|suite| u16::from(*suite));
        assert_eq!(ours, theirs);
    }

    #[test]
    fn a_list_leaves_the_protocols_alone_that_it_does_not_speak_of() {
        let chosen = parse_ciphers(&strings(&["ECDHE-RSA-AES128-GCM-SHA256"])).unwrap();
        let all = with_untouched_versions(&chosen);
        assert_eq!(all.len(), 1 + 3);
        assert_eq!(all[0], chosen[0]);
        assert_eq!(with_untouched_versions(&[]).len(), 9);
    }
}
