//! What Python sends: the values of the desired state, as they cross the boundary.
//!
//! The desired state is a mapping of key to value. A change set carries the keys whose values differ, each with its
//! whole new value, and the keys that are gone. Values travel as opaque msgpack blobs inside the change set, so that
//! both sides can state a digest over exactly the same bytes and Python can tell "did it change?" by comparing them.
//!
//! The Python mirror of this file is `fastingress/model/`; `tests/fixtures/golden/` is read by the tests of both.
//! Every struct is a map of field name to value; a field that has its default value may be left out, and an unknown
//! field is an error, so the two sides cannot drift apart silently.

use serde::{Deserialize, Serialize};

/// The version of this schema. A change set of another version is refused.
pub const VERSION: u32 = 1;

/// A set of changes to the desired state, or all of it.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeSet {
    /// Must equal [`VERSION`].
    pub version: u32,
    /// True when this is everything there is: keys that are not among `upserts` are removed.
    #[serde(default)]
    pub full: bool,
    /// New or changed values, in any order.
    #[serde(default)]
    pub upserts: Vec<Upsert>,
    /// Keys that are gone. A key that is not known is ignored.
    #[serde(default)]
    pub removals: Vec<Key>,
}

/// One key of the desired state. On the wire: a two-element array.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Key(pub Kind, pub Box<str>);

/// One key with its whole new value. On the wire: a three-element array of kind, name and the value's msgpack bytes.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Upsert(pub Kind, pub Box<str>, #[serde(with = "serde_bytes")] pub Vec<u8>);

/// The kinds of key. Each kind of thing that changes on its own has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// [`Settings`]; the name is a scope: `process`, or `class/NAME`.
    Settings,
    /// [`EndpointSet`]; the name is `namespace/service:port`, port as the Ingress wrote it.
    Endpoints,
    /// [`Upstream`]; the name is a hash of the value.
    Upstream,
    /// [`Certificate`]; the name is `namespace/secret`.
    Certificate,
    /// [`Fragment`]; the name is `host/uid`.
    Fragment,
    /// [`Authority`]; the name is `namespace/secret`.
    Authority,
    /// [`Stream`]; the name is `tcp/PORT` or `udp/PORT`.
    Stream,
    /// [`Tickets`]; the name is `process`.
    Tickets,
}

/// One Ingress's rules for one host. The fragments of a host are merged by the compiler, oldest first.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fragment {
    /// Lower case, without port: `shop.example.com`, `*.example.com`, or empty for every host.
    pub host: Box<str>,
    /// The Ingress it comes from.
    pub ingress: IngressRef,
    /// Sorts by age as plain text, oldest first, ties included: no two Ingresses have the same.
    pub age: Box<str>,
    /// The settings scope. Values that a policy leaves open are looked up there at each request.
    #[serde(default = "process_scope")]
    pub scope: Box<str>,
    /// A weak fragment serves its host only while no other fragment that is not weak names it; of several weak ones
    /// the oldest alone serves (`server-alias`, `from-to-www-redirect`).
    #[serde(default)]
    pub weak: bool,
    /// The certificate of this host, as `namespace/secret`. The oldest fragment of a host that has one decides.
    #[serde(default)]
    pub certificate: Option<Box<str>>,
    /// Whether clients of this host must show a certificate. The oldest fragment of a host that says so decides.
    #[serde(default)]
    pub client_auth: Option<ClientAuth>,
    /// Where TLS connections to this host go unopened. The oldest fragment of a host that has one decides.
    #[serde(default)]
    pub passthrough: Option<Target>,
    /// The policies of that Ingress; they apply to all its routes.
    #[serde(default)]
    pub policy: Policy,
    /// True when, under `compat = ingress-nginx`, this fragment turns every path of its host into a regex.
    #[serde(default)]
    pub regex_host: bool,
    /// The path rules, in the order of the Ingress.
    #[serde(default)]
    pub routes: Vec<Route>,
    /// `spec.defaultBackend`: takes what no path rule of this host takes; with an empty host, what nothing else takes.
    #[serde(default)]
    pub default_backend: Option<Target>,
}

fn process_scope() -> Box<str> {
    "process".into()
}

/// Names an Ingress.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct IngressRef {
    /// Its namespace.
    pub namespace: Box<str>,
    /// Its name.
    pub name: Box<str>,
    /// Its uid; from manifests one is made from where it stands.
    pub uid: Box<str>,
}

/// One path rule.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// As written. Starts with `/`, or is empty for a raw prefix that takes everything; a regex has no leading `^`.
    pub path: Box<str>,
    /// How the path is matched.
    pub kind: PathKind,
    /// Which rule of the Ingress this is: the indices in `spec.rules[i].http.paths[j]`.
    #[serde(default)]
    pub rule: (u16, u16),
    /// Where requests go.
    pub target: Target,
}

/// How a path is matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PathKind {
    /// The whole path, case-sensitive.
    Exact,
    /// By path element.
    Prefix,
    /// As text: `/foo` takes `/foobar` too. What ingress-nginx makes of ImplementationSpecific.
    RawPrefix,
    /// A regular expression, anchored at the start, case-insensitive.
    Regex,
}

/// Where a route sends its requests.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The Service, for logs and metrics; empty for a target that has none.
    #[serde(default)]
    pub service: Box<str>,
    /// The key of an [`EndpointSet`]; empty when there is nothing to send to: every request is answered 503.
    #[serde(default)]
    pub endpoints: Box<str>,
    /// The key of an [`Upstream`]; empty for the defaults.
    #[serde(default)]
    pub upstream: Box<str>,
}

/// The addresses behind one Service port.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointSet {
    /// False while nothing is known about the Service (it does not exist, say), which differs from having no endpoints.
    #[serde(default)]
    pub known: bool,
    /// `address:port`, an IPv6 address in brackets; without duplicates, sorted.
    #[serde(default)]
    pub addresses: Vec<Box<str>>,
    /// A name to resolve in place of addresses (an ExternalName Service).
    #[serde(default)]
    pub dns: Option<DnsTarget>,
    /// What the Service says is spoken there (`appProtocol`); an [`Upstream`] that says otherwise wins.
    #[serde(default)]
    pub protocol: Option<Protocol>,
}

/// A name whose addresses are the endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DnsTarget {
    /// The host name.
    pub name: Box<str>,
    /// The port at each of its addresses.
    pub port: u16,
    /// Allow addresses that are loopback, link-local or unspecified; always true for local manifests.
    #[serde(default)]
    pub allow_local: bool,
}

/// How to speak to the endpoints of a backend. Values left out come from the settings.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// How an endpoint is chosen.
    #[serde(default)]
    pub balance: Balance,
    /// Milliseconds to connect.
    #[serde(default)]
    pub connect_timeout_ms: Option<u32>,
    /// Milliseconds between two reads.
    #[serde(default)]
    pub read_timeout_ms: Option<u32>,
    /// Milliseconds between two writes.
    #[serde(default)]
    pub send_timeout_ms: Option<u32>,
    /// What is spoken to them. Left out: what their [`EndpointSet`] says, or else HTTP/1.1.
    #[serde(default)]
    pub protocol: Option<Protocol>,
    /// How TLS is spoken, where it is.
    #[serde(default)]
    pub tls: UpstreamTls,
}

/// What is spoken to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http,
    /// HTTP/1.1 over TLS.
    Https,
    /// HTTP/2 with prior knowledge.
    H2c,
    /// HTTP/2 over TLS.
    H2,
    /// As the client came: [`Protocol::Http`] on the plain port, [`Protocol::Https`] on the TLS port.
    Auto,
}

/// How TLS is spoken to an endpoint. The defaults are those of ingress-nginx.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamTls {
    /// The name to verify and to send; the host of the request where it is left out.
    pub name: Option<Box<str>>,
    /// Send the name (SNI).
    pub send_name: bool,
    /// Verify the certificate of the endpoint.
    pub verify: bool,
    /// Most certificates between that of the endpoint and a root.
    pub verify_depth: u8,
    /// `TLSv1.2`, `TLSv1.3`; empty for both.
    pub protocols: Vec<Box<str>>,
    /// Cipher suites by name; empty for all.
    pub ciphers: Vec<Box<str>>,
    /// The roots to verify against: the key of an [`Authority`]; the well-known ones where it is left out.
    pub authority: Option<Box<str>>,
    /// The certificate to show: the key of a [`Certificate`].
    pub certificate: Option<Box<str>>,
}

impl Default for UpstreamTls {
    fn default() -> Self {
        Self {
            name: None,
            send_name: false,
            verify: false,
            verify_depth: 1,
            protocols: Vec::new(),
            ciphers: Vec::new(),
            authority: None,
            certificate: None,
        }
    }
}

/// How an endpoint is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// Each in turn, starting at a random one.
    #[default]
    RoundRobin,
    /// The one with the fewest requests under way, of two picked at random.
    LeastRequests,
}

/// A certificate chain and its key, PEM as in the Secret. Never printed.
#[derive(Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// `tls.crt`.
    #[serde(with = "serde_bytes")]
    pub chain: Vec<u8>,
    /// `tls.key`.
    #[serde(with = "serde_bytes")]
    pub key: Vec<u8>,
    /// `tls.ocsp`: an answer of the certificate's OCSP responder in DER, to be stapled; empty if there is none.
    #[serde(default, with = "serde_bytes")]
    pub ocsp: Vec<u8>,
}

/// Whom to trust: of clients, or of endpoints.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// `ca.crt`: certificates in PEM.
    #[serde(with = "serde_bytes")]
    pub roots: Vec<u8>,
    /// `ca.crl`: revocation lists in PEM; empty if there are none.
    #[serde(default, with = "serde_bytes")]
    pub revocations: Vec<u8>,
}

/// What a client's certificate is to be (`auth-tls-*`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClientAuth {
    /// The key of an [`Authority`]. While that is absent or broken every request is refused.
    pub authority: Box<str>,
    /// What is asked of clients.
    #[serde(default)]
    pub verify: VerifyClient,
    /// Most certificates between that of the client and a root.
    #[serde(default = "one")]
    pub depth: u8,
    /// A regular expression that the common name has to match.
    #[serde(default)]
    pub match_cn: Option<Box<str>>,
    /// Where clients are sent that are refused; without one they are answered 400.
    #[serde(default)]
    pub error_page: Option<Box<str>>,
    /// Pass the certificate on in `ssl-client-cert`.
    #[serde(default)]
    pub pass_certificate: bool,
}

fn one() -> u8 {
    1
}

/// What is asked of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifyClient {
    /// A certificate that verifies.
    #[default]
    On,
    /// None, or one that verifies.
    Optional,
    /// None, or any; whether it verifies is told to the backend.
    OptionalNoCa,
}

/// A TCP or UDP service on a port of its own.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// Where it goes.
    pub target: Target,
    /// Clients send a PROXY header first. TCP only.
    #[serde(default)]
    pub accept_proxy: bool,
    /// The version of the PROXY header that endpoints get first: 0 for none, 1 or 2. TCP only.
    #[serde(default)]
    pub send_proxy: u8,
    /// Milliseconds without a byte after which a connection or a UDP session ends.
    #[serde(default = "ten_minutes")]
    pub idle_timeout_ms: u32,
    /// Who asks for it, for messages: a flag, or an entry of a ConfigMap.
    #[serde(default)]
    pub origin: Box<str>,
}

fn ten_minutes() -> u32 {
    600_000
}

/// Keys of session tickets, so that replicas take each other's.
#[derive(Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tickets {
    /// 48 or 80 bytes each, newest first: the first one makes tickets, all of them open tickets.
    pub keys: Vec<serde_bytes::ByteBuf>,
}

impl std::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tickets({} keys, withheld)", self.keys.len())
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificate({} bytes, key withheld)", self.chain.len())
    }
}

/// What a route inherits unless its policy says otherwise. The defaults are those of ingress-nginx.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Which behaviour to follow where the API leaves room.
    pub compat: Compat,
    /// What takes a request that nothing else takes.
    pub default_backend: Option<Target>,
    /// The certificate for names that have none, as `namespace/secret`.
    pub default_certificate: Option<Box<str>>,
    /// Redirect plain requests to https on hosts that have a certificate.
    pub ssl_redirect: bool,
    /// Redirect plain requests to https on every host.
    pub force_ssl_redirect: bool,
    /// The status of redirects to https and between `www.` twins.
    pub redirect_code: u16,
    /// Path prefixes that are never redirected to https.
    pub no_tls_redirect: Vec<Box<str>>,
    /// Bytes of a request body; 0 is unlimited.
    pub body_limit: u64,
    /// Milliseconds to connect to an endpoint.
    pub connect_timeout_ms: u32,
    /// Milliseconds between two reads from an endpoint.
    pub read_timeout_ms: u32,
    /// Milliseconds between two writes to an endpoint.
    pub send_timeout_ms: u32,
    /// How many endpoints a request may be tried on.
    pub tries: u8,
    /// Networks whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// Pass header names with underscores on.
    pub underscores_in_headers: bool,
    /// Treat runs of slashes as one when a path is matched.
    pub merge_slashes: bool,
    /// Write an access record for each request.
    pub access_log: bool,
    /// Send `Strict-Transport-Security` with answers over TLS.
    pub hsts: bool,
    /// Its `max-age` in seconds.
    pub hsts_max_age: u64,
    /// Its `includeSubDomains`.
    pub hsts_include_subdomains: bool,
    /// Its `preload`.
    pub hsts_preload: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            compat: Compat::Strict,
            default_backend: None,
            default_certificate: None,
            ssl_redirect: true,
            force_ssl_redirect: false,
            redirect_code: 308,
            no_tls_redirect: vec!["/.well-known/acme-challenge".into()],
            body_limit: 1 << 20,
            connect_timeout_ms: 5_000,
            read_timeout_ms: 60_000,
            send_timeout_ms: 60_000,
            tries: 3,
            trusted_proxies: Vec::new(),
            underscores_in_headers: false,
            merge_slashes: true,
            access_log: true,
            hsts: true,
            hsts_max_age: 31_536_000,
            hsts_include_subdomains: true,
            hsts_preload: false,
        }
    }
}

/// Which behaviour to follow where the API leaves room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compat {
    /// Each path means what its own Ingress says; a request whose host has no fitting path goes on to the wildcard
    /// host and to the rules without a host.
    #[default]
    Strict,
    /// One regex path makes every path of its host a regex, and the most precise host that exists owns the request.
    IngressNginx,
}

/// The policies of one Ingress. What is left out comes from the settings of its scope.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// `ssl-redirect`.
    pub ssl_redirect: Option<bool>,
    /// `force-ssl-redirect`.
    pub force_ssl_redirect: Option<bool>,
    /// `temporal-redirect` or `permanent-redirect`.
    pub redirect: Option<Redirect>,
    /// The host of `from-to-www-redirect`: every request goes there, scheme and target kept.
    pub redirect_host: Option<Box<str>>,
    /// `app-root`.
    pub app_root: Option<Box<str>>,
    /// `rewrite-target`.
    pub rewrite: Option<Box<str>>,
    /// `allowlist-source-range`; empty allows everyone.
    pub allow: Vec<ipnet::IpNet>,
    /// `denylist-source-range`, looked at before `allow`.
    pub deny: Vec<ipnet::IpNet>,
    /// `proxy-body-size` in bytes; 0 is unlimited.
    pub body_limit: Option<u64>,
    /// `upstream-vhost`.
    pub upstream_vhost: Option<Box<str>>,
    /// `x-forwarded-prefix`.
    pub x_forwarded_prefix: Option<Box<str>>,
    /// `fastingress.io/request-headers-*`.
    pub request_headers: HeaderEdits,
    /// `fastingress.io/response-headers-*`.
    pub response_headers: HeaderEdits,
    /// `enable-access-log`.
    pub access_log: Option<bool>,
    /// `fastingress.io/grpc-web`: translate gRPC-Web to gRPC.
    pub grpc_web: Option<bool>,
}

/// A redirect to a fixed place.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// The Location, free of control characters.
    pub location: Box<str>,
    /// 300 to 308.
    pub code: u16,
}

/// Edits of a head: removals first, then sets, then additions. Names are lower case and valid tokens.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeaderEdits {
    /// Headers to take out.
    pub remove: Vec<Box<str>>,
    /// Headers that get exactly this value.
    pub set: Vec<(Box<str>, Box<str>)>,
    /// Headers added beside those that are there.
    pub add: Vec<(Box<str>, Box<str>)>,
}

/// What came of a change set.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Report {
    /// The number of the table that holds the change.
    pub generation: u64,
    /// Hexadecimal digest of the whole desired state, 32 characters.
    pub digest: Box<str>,
    /// What was compiled, for tests that count work.
    pub compiled: Compiled,
    /// For each scope named here, all that is wrong in it now; scopes that are not named keep what they had.
    /// A scope is `host:NAME`, or `KIND:KEY` of an entry.
    pub problems: Vec<(Box<str>, Vec<Problem>)>,
}

/// Counts of work done for one change set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Compiled {
    /// Fragments decoded and compiled.
    pub fragments: u32,
    /// Hosts merged again.
    pub hosts: u32,
    /// Endpoint cells swapped.
    pub endpoints: u32,
    /// Certificates parsed.
    pub certificates: u32,
}

/// Something wrong with an object, to be shown to its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// A stable word, `CamelCase`, as in the reason of an Event: `ConflictLost`, `InvalidRegex`, `InvalidCertificate`.
    pub code: Box<str>,
    /// The Ingress it is about, if it is about one.
    pub ingress: Option<IngressRef>,
    /// What is wrong and, where it helps, what to do.
    pub message: Box<str>,
}
