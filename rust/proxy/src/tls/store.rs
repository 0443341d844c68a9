//! The certificates by key, replaced while handshakes go on.
//!
//! Keys are spread over shards, each behind a pointer of its own. A change copies the shards it touches and swaps their
//! pointers, so one certificate among 10,000 copies some forty pointers, and a handshake waits for nobody. Which
//! name gets which certificate is not known here.

use super::config::TlsError;
use super::default;
use super::pair::{Invalid, Pair};
use arc_swap::ArcSwap;
use fastingress_route::schema::{self, Problem};
use hashbrown::{HashMap, HashSet};
use rustls::sign::CertifiedKey;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

const SHARDS: usize = 256;

type Shard = HashMap<Box<str>, Arc<Pair>, foldhash::fast::FixedState>;

/// A scope with all that is wrong in it now.
pub type Scoped = (Box<str>, Vec<Problem>);

/// Every certificate of the desired state, and the self-signed one. Shared by all threads.
pub struct Certificates {
    shards: Box<[ArcSwap<Shard>]>,
    hasher: foldhash::fast::FixedState,
    /// Held by whoever changes something, never by a handshake. Holds the hosts that were said to have a certificate
    /// which is not for them.
    changing: Mutex<HashSet<Box<str>>>,
    fallback: Arc<CertifiedKey>,
    /// Seconds before the end of a certificate from which on that is a problem.
    warning: AtomicU32,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificates({})", self.len())
    }
}

/// What may be shown of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CertificateView {
    /// `namespace/secret`.
    pub key: Box<str>,
    /// The names it is for, `*.` in front of wildcards.
    pub names: Vec<String>,
    /// The last second it is valid, since 1970.
    pub not_after: i64,
}

impl Certificates {
    /// A store with nothing but the self-signed default certificate, which is made here.
    ///
    /// # Errors
    /// [`TlsError::Default`] when it cannot be made.
    pub fn new() -> Result<Arc<Self>, TlsError> {
        let shards = (0..SHARDS).map(|_| ArcSwap::from_pointee(Shard::default())).collect();
        Ok(Arc::new(Self {
            shards,
            hasher: foldhash::fast::FixedState::default(),
            changing: Mutex::default(),
            fallback: default::self_signed()?,
            warning: AtomicU32::new(0),
        }))
    }

    /// From so many seconds before its end on, a certificate is a problem; 0: only from its end on.
    pub fn warn_before(&self, seconds: u32) {
        self.warning.store(seconds, Ordering::Relaxed);
    }

    /// Replaces, adds and (`None`) removes certificates. They are parsed at once; keys are loaded when first needed.
    ///
    /// The answer has a scope `certificate:KEY` for each change, empty when nothing is wrong. A certificate that cannot
    /// be read counts as absent; one that has expired is served all the same.
    pub fn apply(&self, changes: &[(Box<str>, Option<schema::Certificate>)]) -> Vec<Scoped> {
        let clock = self.clock();
        let _changing = self.lock();
        let mut touched: HashMap<usize, Shard> = HashMap::new();
        let mut answer = Vec::with_capacity(changes.len());
        for (key, certificate) in changes {
            let at = self.shard_of(key);
            let shard = touched
                .entry(at)
                .or_insert_with(|| Shard::clone(&self.shards[at].load()));
            let problems = match certificate.as_ref().map(Pair::parse) {
                None => {
                    shard.remove(key);
                    Vec::new()
                }
                Some(Ok(pair)) => {
                    let problems = take_problems(key, &pair, clock).unwrap_or_default();
                    shard.insert(key.clone(), Arc::new(pair));
                    problems
                }
                Some(Err(invalid)) => {
                    shard.remove(key);
                    vec![problem_of(key, &invalid)]
                }
            };
            answer.push((scope_of(key), problems));
        }
        for (at, shard) in touched {
            self.shards[at].store(Arc::new(shard));
        }
        answer
    }

    /// Loads every key that no handshake has needed yet and sees whether it belongs to its certificate; also notices
    /// what has expired since it was last looked at. Slow (about 0.1 ms for a P-256 key): for a background thread and
    /// for `check`. Holds no lock.
    ///
    /// The answer names the scopes in which something has changed. Before it is published, a certificate may have been
    /// replaced: publish it under the lock that `apply` is called under, or ask [`Certificates::problems`] again there.
    pub fn verify_pairs(&self) -> Vec<Scoped> {
        let mut answer = Vec::new();
        for shard in &self.shards {
            for (key, pair) in shard.load_full().iter() {
                let _ = pair.signing();
                let Some(problems) = take_problems(key, pair, self.clock()) else {
                    continue;
                };
                if self.find(key).is_some_and(|current| Arc::ptr_eq(&current, pair)) {
                    answer.push((scope_of(key), problems));
                }
            }
        }
        answer
    }

    /// All that is known to be wrong with a certificate now; empty for one that is absent.
    pub fn problems(&self, key: &str) -> Vec<Problem> {
        self.find(key)
            .map_or_else(Vec::new, |pair| problems_of(key, &pair, defects(&pair, self.clock())))
    }

    /// Compares hosts with the certificates they are given, `(host, key)` for each host that has one. A certificate
    /// that is absent or broken is not spoken of here.
    ///
    /// The answer has a scope `certificate-name:HOST` for each host whose certificate is not for it, and an empty one
    /// for each that was named at the last call and is fine or gone now.
    pub fn check_names<'a>(&self, names: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<Scoped> {
        let mut known = self.lock();
        let mut answer = Vec::new();
        let mut current = HashSet::new();
        for (host, key) in names {
            let Some(pair) = self.find(key).filter(|pair| !pair.names().cover(host)) else {
                continue;
            };
            known.remove(host);
            current.insert(Box::from(host));
            answer.push((name_scope(host), vec![not_for(host, key, &pair)]));
        }
        answer.extend(known.drain().map(|host| (name_scope(&host), Vec::new())));
        *known = current;
        answer
    }

    /// Whether the certificate is for a host, in lower case; `*.example.com` asks for that wildcard. `None`: it is absent.
    pub fn covers(&self, key: &str, host: &str) -> Option<bool> {
        self.find(key).map(|pair| pair.names().cover(host))
    }

    /// Every certificate that could be read, sorted by key.
    pub fn view(&self) -> Vec<CertificateView> {
        let mut views = Vec::with_capacity(self.len());
        for shard in &self.shards {
            views.extend(shard.load().iter().map(|(key, pair)| CertificateView {
                key: key.clone(),
                names: pair.names().list(),
                not_after: pair.not_after(),
            }));
        }
        views.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        views
    }

    /// Every certificate that could be read, with the last second it is valid, since 1970; sorted by key.
    pub fn expiries(&self) -> Vec<(Box<str>, i64)> {
        let mut all = Vec::with_capacity(self.len());
        for shard in &self.shards {
            all.extend(shard.load().iter().map(|(key, pair)| (key.clone(), pair.not_after())));
        }
        all.sort_unstable();
        all
    }

    /// How many certificates there are, the self-signed one apart.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.load().len()).sum()
    }

    /// True when there is none but the self-signed one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every certificate that could be read.
    pub(super) fn pairs(&self) -> Vec<Arc<Pair>> {
        let shards = self.shards.iter().map(|shard| shard.load_full());
        shards
            .flat_map(|shard| shard.values().cloned().collect::<Vec<_>>())
            .collect()
    }

    /// One certificate. Waits for nothing.
    pub fn find(&self, key: &str) -> Option<Arc<Pair>> {
        self.shards[self.shard_of(key)].load().get(key).cloned()
    }

    pub(super) fn fallback(&self) -> &Arc<CertifiedKey> {
        &self.fallback
    }

    /// Runs something at the moment that a change is under way.
    #[cfg(test)]
    pub(super) fn while_changing(&self, run: impl FnOnce()) {
        let _changing = self.lock();
        run();
    }

    fn clock(&self) -> Clock {
        Clock {
            now: seconds_now(),
            warning: self.warning.load(Ordering::Relaxed).into(),
        }
    }

    fn shard_of(&self, key: &str) -> usize {
        self.hasher.hash_one(key) as usize % SHARDS
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Box<str>>> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a certificate is looked at. Seconds.
#[derive(Debug, Clone, Copy)]
struct Clock {
    now: i64,
    warning: i64,
}

// What can be wrong with a certificate that was read, as bits, so that a change is told once.
const EXPIRED: u8 = 1;
const UNUSABLE_KEY: u8 = 2;
const MISMATCH: u8 = 4;
const EXPIRES_SOON: u8 = 8;
const NO_STAPLE: u8 = 16;

fn defects(pair: &Pair, clock: Clock) -> u8 {
    let key = match pair.checked() {
        Some(Err(Invalid::Mismatch)) => MISMATCH,
        Some(Err(_)) => UNUSABLE_KEY,
        Some(Ok(())) | None => 0,
    };
    let age = match pair.not_after() - clock.now {
        left if left < 0 => EXPIRED,
        left if left < clock.warning => EXPIRES_SOON,
        _ => 0,
    };
    let staple = if pair.staple_fault(clock.now).is_some() {
        NO_STAPLE
    } else {
        0
    };
    key | age | staple
}

/// All problems, if they differ from what was told before.
fn take_problems(key: &str, pair: &Pair, clock: Clock) -> Option<Vec<Problem>> {
    let found = defects(pair, clock);
    let told = pair.reported.swap(found, Ordering::Relaxed);
    (found != told).then(|| problems_of(key, pair, found))
}

fn problems_of(key: &str, pair: &Pair, found: u8) -> Vec<Problem> {
    let mut problems = Vec::new();
    if found & MISMATCH != 0 {
        problems.push(problem_of(key, &Invalid::Mismatch));
    }
    if found & UNUSABLE_KEY != 0 {
        problems.push(problem_of(key, &Invalid::UnusableKey));
    }
    let seconds = u64::try_from(pair.not_after()).unwrap_or(0);
    let when = || crate::observe::time::rfc3339(UNIX_EPOCH + std::time::Duration::from_secs(seconds));
    if found & NO_STAPLE != 0 {
        let why = pair.staple_fault(seconds_now()).unwrap_or_default();
        problems.push(problem("InvalidStaple", format!("Secret {key}: {why}")));
    }
    if found & EXPIRES_SOON != 0 {
        let message = format!("Secret {key}: the certificate expires at {}; renew it", when());
        problems.push(problem("CertificateExpiresSoon", message));
    }
    if found & EXPIRED != 0 {
        let message = format!(
            "Secret {key}: the certificate expired at {}; it is still served",
            when()
        );
        problems.push(problem("CertificateExpired", message));
    }
    problems
}

fn problem_of(key: &str, invalid: &Invalid) -> Problem {
    problem(
        invalid.code(),
        format!("Secret {key}: {invalid}; the default certificate is served"),
    )
}

fn not_for(host: &str, key: &str, pair: &Pair) -> Problem {
    let mut names = pair.names().list();
    let more = names.len().saturating_sub(10);
    names.truncate(10);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let names = if names.is_empty() {
        "no name".into()
    } else {
        names.join(", ")
    };
    let message = format!(
        "the certificate in Secret {key} is not for {host} but for {names}{more}; the default certificate is served"
    );
    problem("CertificateNameMismatch", message)
}

fn problem(code: &str, message: String) -> Problem {
    Problem {
        code: code.into(),
        ingress: None,
        message: message.into(),
    }
}

fn scope_of(key: &str) -> Box<str> {
    format!("certificate:{key}").into()
}

fn name_scope(host: &str) -> Box<str> {
    format!("certificate-name:{host}").into()
}

/// Since 1970.
pub(super) fn seconds_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
