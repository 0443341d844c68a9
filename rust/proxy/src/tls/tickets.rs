//! Session tickets: keys of our own that change by themselves, or keys that replicas share.
//!
//! A ticket names its key, brings a random salt, and is sealed with what the two make together, so that a key may seal any
//! number of tickets. It holds the time it was made at: a shared key may live for years, a ticket lives for hours.

use super::store::Scoped;
use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, rand};
use fastingress_route::schema::{self, Problem};
use rustls::server::ProducesTickets;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a ticket opens a session.
const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
/// How long a key of our own makes tickets. After that it only opens them, until the last one it made has run out.
const TURN: Duration = Duration::from_secs(6 * 60 * 60);
/// Our own keys: the one that makes tickets and those that still may have to open some.
const KEPT: usize = 3;
/// How far the clocks of replicas may be apart. Seconds.
const APART: u64 = 60;

const NAME: usize = 16;
const SALT: usize = 16;
const TIME: usize = 8;
const TAG: usize = 16;
const SEALED_WITH: usize = 32 + NONCE_LEN;

/// The lengths that a shared key may have, as nginx has them. Bytes.
const LENGTHS: [usize; 2] = [48, 80];

#[derive(Clone)]
struct Key {
    name: [u8; NAME],
    secret: Vec<u8>,
}

impl Key {
    /// The first bytes are the name, all others the secret.
    fn new(bytes: &[u8]) -> Option<Self> {
        let (name, secret) = bytes.split_first_chunk()?;
        Some(Self {
            name: *name,
            secret: secret.to_vec(),
        })
    }

    fn random() -> Option<Self> {
        let mut bytes = [0; LENGTHS[0]];
        rand::fill(&mut bytes).ok()?;
        Self::new(&bytes)
    }

    /// What a ticket with this salt is sealed with.
    fn seal(&self, salt: &[u8]) -> Option<(LessSafeKey, Nonce)> {
        let mut bytes = [0; SEALED_WITH];
        let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(&self.secret);
        secret
            .expand(&[b"fastingress session ticket"], SealedWith)
            .and_then(|made| made.fill(&mut bytes))
            .ok()?;
        let (key, nonce) = bytes.split_at(SEALED_WITH - NONCE_LEN);
        let key = UnboundKey::new(&AES_256_GCM, key).ok()?;
        Some((LessSafeKey::new(key), Nonce::try_assume_unique_for_key(nonce).ok()?))
    }
}

struct SealedWith;

impl hkdf::KeyType for SealedWith {
    fn len(&self) -> usize {
        SEALED_WITH
    }
}

/// The keys at one moment; the first one makes tickets.
struct Keys {
    list: Vec<Key>,
    /// When the first one began; `None`: they are shared, and others say when they change.
    since: Option<Instant>,
}

/// Makes and opens tickets. Shared by all threads.
pub struct Tickets {
    keys: ArcSwap<Keys>,
    /// Held by whoever changes the keys.
    changing: Mutex<()>,
}

impl std::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tickets({} keys, withheld)", self.keys.load().list.len())
    }
}

impl Tickets {
    /// With a key of its own. Where there is no randomness to make it from, there are no tickets.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            keys: ArcSwap::from_pointee(Keys::own(Instant::now())),
            changing: Mutex::default(),
        })
    }

    /// Takes the keys that replicas share, or (`None`) goes back to keys of its own.
    ///
    /// The answer has a scope `tickets:KEY` for each change. Keys that cannot be used are a problem, and our own take
    /// their place.
    pub fn apply(&self, changes: &[(Box<str>, Option<schema::Tickets>)]) -> Vec<Scoped> {
        let change = |(key, tickets): &(Box<str>, Option<schema::Tickets>)| {
            let shared = tickets.as_ref().map(Keys::shared);
            let problems = match &shared {
                Some(None) => vec![unusable()],
                _ => Vec::new(),
            };
            let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
            let keys = shared.flatten().unwrap_or_else(|| Keys::own(Instant::now()));
            self.keys.store(Arc::new(keys));
            (format!("tickets:{key}").into(), problems)
        };
        changes.iter().map(change).collect()
    }

    /// The keys, after the first has been replaced if its turn is over.
    fn current(&self, now: Instant) -> Arc<Keys> {
        let keys = self.keys.load_full();
        if !keys.is_over(now) {
            return keys;
        }
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = self.keys.load_full();
        if !keys.is_over(now) {
            return keys;
        }
        let next = Arc::new(keys.next(now));
        self.keys.store(next.clone());
        next
    }

    fn make(&self, plain: &[u8], at: Instant, time: u64) -> Option<Vec<u8>> {
        let keys = self.current(at);
        let key = keys.list.first()?;
        let mut ticket = Vec::with_capacity(NAME + SALT + TIME + plain.len() + TAG);
        ticket.extend_from_slice(&key.name);
        let mut salt = [0; SALT];
        rand::fill(&mut salt).ok()?;
        ticket.extend_from_slice(&salt);
        let mut sealed = Vec::with_capacity(TIME + plain.len() + TAG);
        sealed.extend_from_slice(&time.to_be_bytes());
        sealed.extend_from_slice(plain);
        let (sealer, nonce) = key.seal(&salt)?;
        sealer
            .seal_in_place_append_tag(nonce, Aad::from(&ticket), &mut sealed)
            .ok()?;
        ticket.extend_from_slice(&sealed);
        Some(ticket)
    }

    fn open(&self, ticket: &[u8], at: Instant, time: u64) -> Option<Vec<u8>> {
        let (head, sealed) = ticket.split_at_checked(NAME + SALT)?;
        let (name, salt) = head.split_at(NAME);
        let keys = self.current(at);
        let key = keys.list.iter().find(|key| key.name == name)?;
        let (opener, nonce) = key.seal(salt)?;
        let mut sealed = sealed.to_vec();
        let plain = opener.open_in_place(nonce, Aad::from(head), &mut sealed).ok()?;
        let (made, plain) = plain.split_first_chunk()?;
        let made = u64::from_be_bytes(*made);
        let in_time = made <= time + APART && time.saturating_sub(made) <= LIFETIME.as_secs();
        in_time.then(|| plain.to_vec())
    }
}

impl Keys {
    fn own(now: Instant) -> Self {
        Self {
            list: Key::random().into_iter().collect(),
            since: Some(now),
        }
    }

    /// `None`: there is none, or one of them cannot be used.
    fn shared(tickets: &schema::Tickets) -> Option<Self> {
        let key = |bytes: &serde_bytes::ByteBuf| Key::new(bytes).filter(|_| LENGTHS.contains(&bytes.len()));
        let list: Vec<Key> = tickets.keys.iter().map(key).collect::<Option<_>>()?;
        (!list.is_empty()).then_some(Self { list, since: None })
    }

    fn is_over(&self, now: Instant) -> bool {
        self.since.is_some_and(|since| now.duration_since(since) >= TURN)
    }

    fn next(&self, now: Instant) -> Self {
        let older = self.list.iter().cloned();
        let list: Vec<Key> = Key::random().into_iter().chain(older).take(KEPT).collect();
        Self { list, since: Some(now) }
    }
}

fn unusable() -> Problem {
    Problem {
        code: "InvalidTicketKey".into(),
        ingress: None,
        message: "a shared key of session tickets has 48 or 80 bytes; keys of our own are used, which other replicas \
                  do not have"
            .into(),
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        LIFETIME.as_secs() as u32
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.make(plain, Instant::now(), seconds_now())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.open(cipher, Instant::now(), seconds_now())
    }
}

fn seconds_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn shared(keys: &[&[u8]]) -> Vec<(Box<str>, Option<schema::Tickets>)> {
        let keys = keys
            .iter()
            .map(|key| serde_bytes::ByteBuf::from(key.to_vec()))
            .collect();
        vec![("process".into(), Some(schema::Tickets { keys }))]
    }

    #[test]
    fn a_ticket_opens_where_it_was_made_and_nowhere_else() {
        let (here, there, now) = (Tickets::new(), Tickets::new(), Instant::now());
        let ticket = here.make(b"session", now, NOW).unwrap();
        assert_eq!(here.open(&ticket, now, NOW).unwrap(), b"session");
        assert_eq!(there.open(&ticket, now, NOW), None);
        for at in 0..ticket.len() {
            let mut damaged = ticket.clone();
            damaged[at] ^= 1;
            assert_eq!(here.open(&damaged, now, NOW), None, "byte {at}");
            assert_eq!(here.open(&ticket[..at], now, NOW), None, "{at} bytes");
        }
        assert_ne!(ticket, here.make(b"session", now, NOW).unwrap());
        assert!(!format!("{here:?}").contains(&format!("{:?}", here.keys.load().list[0].secret)));
    }

    #[test]
    fn a_ticket_runs_out_while_its_key_does_not() {
        let tickets = Tickets::new();
        tickets.apply(&shared(&[&[1; 80]]));
        let (now, hours) = (Instant::now(), 60 * 60);
        let ticket = tickets.make(b"x", now, NOW).unwrap();
        assert!(tickets.open(&ticket, now, NOW + 12 * hours).is_some());
        assert!(tickets.open(&ticket, now, NOW + 12 * hours + 1).is_none());
        assert!(tickets.open(&ticket, now, NOW - APART).is_some());
        assert!(
            tickets.open(&ticket, now, NOW - APART - 1).is_none(),
            "made in the future"
        );
    }

    #[test]
    fn keys_of_our_own_take_turns_and_open_what_they_made_until_it_runs_out() {
        let (tickets, start) = (Tickets::new(), Instant::now());
        let name = |at| tickets.make(b"x", at, NOW).unwrap()[..NAME].to_vec();
        let first = tickets.make(b"x", start, NOW).unwrap();
        assert_eq!(name(start + TURN - Duration::from_secs(1)), first[..NAME]);
        let second = name(start + TURN);
        assert_ne!(second, first[..NAME]);
        assert!(tickets.open(&first, start + TURN, NOW).is_some());
        assert_ne!(name(start + 2 * TURN), second);
        assert!(tickets.open(&first, start + 2 * TURN, NOW).is_some());
        assert_ne!(name(start + 3 * TURN), second);
        assert!(tickets.open(&first, start + 3 * TURN, NOW).is_none());
    }

    #[test]
    fn replicas_with_the_same_keys_take_each_others_tickets() {
        let (one, other, now) = (Tickets::new(), Tickets::new(), Instant::now());
        let (old, new): (&[u8], &[u8]) = (&[7; 48], &[8; 80]);
        assert_eq!(one.apply(&shared(&[old])), [("tickets:process".into(), vec![])]);
        other.apply(&shared(&[new, old]));
        let ticket = one.make(b"x", now, NOW).unwrap();
        assert!(other.open(&ticket, now, NOW).is_some());
        let newer = other.make(b"x", now, NOW).unwrap();
        assert!(one.open(&newer, now, NOW).is_none(), "it has the older key alone");
        assert!(
            one.make(b"x", now + 9 * TURN, NOW).unwrap().starts_with(&old[..NAME]),
            "shared keys stay"
        );
        one.apply(&[("process".into(), None)]);
        assert!(one.open(&ticket, now, NOW).is_none());
        assert!(!one.make(b"x", now, NOW).unwrap().starts_with(&old[..NAME]));
    }

    #[test]
    fn a_key_of_another_length_is_a_problem_and_our_own_take_its_place() {
        let tickets = Tickets::new();
        for wrong in [&[&[1; 47][..]][..], &[&[1; 48], &[1; 16]], &[]] {
            let told = tickets.apply(&shared(wrong));
            assert_eq!(&*told[0].1[0].code, "InvalidTicketKey");
            assert!(
                tickets
                    .encrypt(b"x")
                    .is_some_and(|ticket| !ticket.starts_with(&[1; NAME]))
            );
        }
        assert_eq!(tickets.lifetime(), 43_200);
    }
}
