//! The header names that the engine itself looks at.
//!
//! A name is recognised once, when its line is stored; after that, comparing is comparing a byte. Every other name is
//! [`Name::Other`] and is compared as text, without regard to case.

macro_rules! names {
    ($($variant:ident = $text:literal),* $(,)?) => {
        /// A header name the engine knows, or `Other`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum Name { Other, $($variant),* }

        impl Name {
            /// Every known name with its lower-case text.
            pub const KNOWN: &'static [(Name, &'static str)] = &[$((Name::$variant, $text)),*];

            /// The lower-case text; empty for `Other`.
            pub fn text(self) -> &'static str {
                match self { Name::Other => "", $(Name::$variant => $text),* }
            }
        }
    };
}

names! {
    Accept = "accept",
    AltSvc = "alt-svc",
    Authorization = "authorization",
    CacheControl = "cache-control",
    Connection = "connection",
    ContentLength = "content-length",
    ContentType = "content-type",
    Cookie = "cookie",
    Date = "date",
    Expect = "expect",
    Forwarded = "forwarded",
    Host = "host",
    Http2Settings = "http2-settings",
    KeepAlive = "keep-alive",
    Location = "location",
    Origin = "origin",
    Proxy = "proxy",
    ProxyAuthenticate = "proxy-authenticate",
    ProxyAuthorization = "proxy-authorization",
    ProxyConnection = "proxy-connection",
    Referer = "referer",
    RetryAfter = "retry-after",
    Server = "server",
    SetCookie = "set-cookie",
    SslClientCert = "ssl-client-cert",
    SslClientIssuerDn = "ssl-client-issuer-dn",
    SslClientSubjectDn = "ssl-client-subject-dn",
    SslClientVerify = "ssl-client-verify",
    StrictTransportSecurity = "strict-transport-security",
    Te = "te",
    Trailer = "trailer",
    TransferEncoding = "transfer-encoding",
    Upgrade = "upgrade",
    UserAgent = "user-agent",
    Via = "via",
    XForwardedFor = "x-forwarded-for",
    XForwardedHost = "x-forwarded-host",
    XForwardedPort = "x-forwarded-port",
    XForwardedPrefix = "x-forwarded-prefix",
    XForwardedProto = "x-forwarded-proto",
    XForwardedScheme = "x-forwarded-scheme",
    XOriginalForwardedFor = "x-original-forwarded-for",
    XOriginalForwardedHost = "x-original-forwarded-host",
    XRealIp = "x-real-ip",
    XRequestId = "x-request-id",
    XScheme = "x-scheme",
}

impl Name {
    /// Recognises a name, in any case.
    pub fn of(name: &[u8]) -> Name {
        let Some(first) = name.first() else { return Name::Other };
        let Some(row) = FIRST.get(name.len()) else {
            return Name::Other;
        };
        let mut at = row[usize::from(first & 0x1f)];
        while at != NONE {
            let (id, text) = Self::KNOWN[usize::from(at)];
            if is_in_any_case(name, text.as_bytes()) {
                return id;
            }
            at = NEXT[usize::from(at)];
        }
        Name::Other
    }

    /// The bit of this name in a set of names.
    pub(crate) const fn bit(self) -> u64 {
        1 << self as u8
    }
}

/// A set of names holds them all.
const _: () = assert!(Name::KNOWN.len() < u64::BITS as usize);

/// `name`, which is as long as `lower`, is `lower` in any case. Eight bytes at a time: this is asked for each line.
fn is_in_any_case(name: &[u8], lower: &[u8]) -> bool {
    let (words, rest) = name.as_chunks();
    let (lower_words, lower_rest) = lower.as_chunks();
    let same =
        |(word, lower): (&[u8; 8], &[u8; 8])| lower_case(u64::from_le_bytes(*word)) == u64::from_le_bytes(*lower);
    words.iter().zip(lower_words).all(same) && rest.eq_ignore_ascii_case(lower_rest)
}

/// Eight bytes with each ASCII letter in lower case.
const fn lower_case(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let low = word & (EACH * 0x7f);
    let from_a = low + EACH * (0x80 - b'A' as u64);
    let past_z = low + EACH * (0x7f - b'Z' as u64);
    let is_upper = (from_a & !past_z & !word) & (EACH * 0x80);
    word | (is_upper >> 2)
}

/// No name.
const NONE: u8 = u8::MAX;

/// By length and the low five bits of the first byte, which are the same for both cases of a letter: a name to compare with.
static FIRST: [[u8; 32]; 32] = TABLES.0;

/// By name: another one of the same length and first letter.
static NEXT: [u8; Name::KNOWN.len()] = TABLES.1;

const TABLES: ([[u8; 32]; 32], [u8; Name::KNOWN.len()]) = {
    let mut first = [[NONE; 32]; 32];
    let mut next = [NONE; Name::KNOWN.len()];
    let mut at = 0;
    while at < Name::KNOWN.len() {
        let text = Name::KNOWN[at].1.as_bytes();
        let slot = &mut first[text.len()][(text[0] & 0x1f) as usize];
        next[at] = *slot;
        *slot = at as u8;
        at += 1;
    }
    (first, next)
};
