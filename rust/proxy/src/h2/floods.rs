//! Bounds on what a client of HTTP/2 may send beside its requests.
//!
//! Each kind of frame that costs us more than the client has a bucket: so many at once, so many a second. The `h2` crate bounds some
//! of it itself; PING and SETTINGS not at all, and it tells nobody what it bounded. Whoever overdraws a bucket is told to
//! calm down (GOAWAY with ENHANCE_YOUR_CALM) and disconnected, and a counter says why.

use std::cell::{Cell, RefCell};
use std::time::Instant;

/// A way to flood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flood {
    /// Streams that are opened and reset at once (CVE-2023-44487).
    RapidReset,
    /// Frames that make us reset streams (CVE-2025-8671).
    ProvokedReset,
    /// Header blocks in many pieces (CVE-2024-27316).
    Continuation,
    /// SETTINGS, each of which has to be acknowledged.
    Settings,
    /// PING, likewise.
    Ping,
    /// Frames without content.
    EmptyFrames,
    /// Header blocks that grow when they are unpacked.
    HeaderBomb,
    /// Windows in many small steps.
    WindowUpdate,
    /// PRIORITY, which means nothing any more.
    Priority,
    /// Frames of types that do not exist.
    Unknown,
    /// Windows that stay shut until an answer is given up.
    SlowWindow,
    /// Heads, or other frames, that drip in.
    SlowHead,
    /// Another bound of the library.
    Other,
}

impl Flood {
    /// All of them.
    pub const ALL: [Flood; 13] = [
        Flood::RapidReset,
        Flood::ProvokedReset,
        Flood::Continuation,
        Flood::Settings,
        Flood::Ping,
        Flood::EmptyFrames,
        Flood::HeaderBomb,
        Flood::WindowUpdate,
        Flood::Priority,
        Flood::Unknown,
        Flood::SlowWindow,
        Flood::SlowHead,
        Flood::Other,
    ];

    /// The value of the label `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Flood::RapidReset => "rapid_reset",
            Flood::ProvokedReset => "provoked_reset",
            Flood::Continuation => "continuation",
            Flood::Settings => "settings",
            Flood::Ping => "ping",
            Flood::EmptyFrames => "empty_frames",
            Flood::HeaderBomb => "header_bomb",
            Flood::WindowUpdate => "window_update",
            Flood::Priority => "priority",
            Flood::Unknown => "unknown_frames",
            Flood::SlowWindow => "slow_window",
            Flood::SlowHead => "slow_head",
            Flood::Other => "other",
        }
    }

    /// The one that the `h2` crate names in the debug data of its GOAWAY.
    pub fn said_in(farewell: &[u8]) -> Option<Flood> {
        let words: [(&[u8], Flood); 5] = [
            (b"too_many_continuations", Flood::Continuation),
            (b"too_many_internal_resets", Flood::ProvokedReset),
            (b"too_many_resets", Flood::RapidReset),
            (b"too_many_data_frames", Flood::EmptyFrames),
            (b"header_list_way_too_large", Flood::HeaderBomb),
        ];
        let found = |words: &[u8]| memchr::memmem::find(farewell, words).is_some();
        words
            .into_iter()
            .find(|(words, _)| found(words))
            .map(|(_, flood)| flood)
    }

    /// How many at once, and how many more each second. Honest clients stay far below: a page that is left resets a
    /// hundred streams, a gRPC client that measures its window pings some hundred times.
    fn bounds(self) -> (u32, u32) {
        match self {
            Flood::RapidReset => (256, 32),
            Flood::ProvokedReset | Flood::HeaderBomb => (32, 2),
            Flood::Continuation => (64, 16),
            Flood::Settings => (32, 2),
            Flood::Ping => (1024, 128),
            Flood::EmptyFrames => (256, 32),
            Flood::WindowUpdate => (16 * 1024, 2048),
            Flood::Priority => (512, 64),
            Flood::Unknown => (64, 8),
            Flood::SlowWindow => (16, 0),
            Flood::SlowHead | Flood::Other => (0, 0),
        }
    }
}

/// The buckets of one connection. A quiet one costs an allocation of nothing.
#[derive(Debug, Default)]
pub struct Floods {
    buckets: RefCell<Vec<(Flood, Bucket)>>,
    caught: Cell<Option<Flood>>,
}

#[derive(Debug)]
struct Bucket {
    /// Thousandths.
    left: u64,
    filled: Instant,
}

impl Floods {
    /// One more of these.
    pub fn note(&self, flood: Flood) {
        let mut buckets = self.buckets.borrow_mut();
        let at = buckets.iter().position(|(kind, _)| *kind == flood).unwrap_or_else(|| {
            let (most, _) = flood.bounds();
            let full = Bucket {
                left: u64::from(most) * 1000,
                filled: Instant::now(),
            };
            buckets.push((flood, full));
            buckets.len() - 1
        });
        if !buckets[at].1.take(flood.bounds(), Instant::now()) {
            self.stop(flood);
        }
    }

    /// Gives back so many of these: what they paid for was worth it.
    pub fn forgive(&self, flood: Flood, count: usize) {
        let (most, _) = flood.bounds();
        if let Some((_, bucket)) = self.buckets.borrow_mut().iter_mut().find(|(kind, _)| *kind == flood) {
            bucket.left = (bucket.left + count as u64 * 1000).min(u64::from(most) * 1000);
        }
    }

    /// Takes it for a flood from now on.
    pub fn stop(&self, flood: Flood) {
        self.caught.set(Some(self.caught.get().unwrap_or(flood)));
    }

    /// The first bucket that was overdrawn.
    pub fn caught(&self) -> Option<Flood> {
        self.caught.get()
    }
}

impl Bucket {
    /// Takes one out, if there is one.
    fn take(&mut self, (most, per_second): (u32, u32), now: Instant) -> bool {
        if self.left < 1000 {
            let passed = now.saturating_duration_since(self.filled).as_millis() as u64;
            self.left = (self.left + passed * u64::from(per_second)).min(u64::from(most) * 1000);
            self.filled = now;
        }
        let enough = self.left >= 1000;
        self.left = self.left.saturating_sub(1000);
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_bucket_gives_what_is_in_it_and_fills_with_time() {
        let start = Instant::now();
        let mut bucket = Bucket {
            left: 2000,
            filled: start,
        };
        let bounds = (2, 4);
        assert!(bucket.take(bounds, start) && bucket.take(bounds, start));
        assert!(!bucket.take(bounds, start));
        let later = start + Duration::from_millis(500);
        assert!(bucket.take(bounds, later) && bucket.take(bounds, later));
        assert!(!bucket.take(bounds, later));
        let much_later = later + Duration::from_secs(100);
        assert!(bucket.take(bounds, much_later) && bucket.take(bounds, much_later));
        assert!(!bucket.take(bounds, much_later), "no more than it holds");
    }

    #[test]
    fn each_kind_has_its_own_bucket_and_the_first_one_overdrawn_is_told() {
        let floods = Floods::default();
        for _ in 0..32 {
            floods.note(Flood::Settings);
            floods.note(Flood::HeaderBomb);
        }
        assert_eq!(floods.caught(), None);
        floods.note(Flood::Settings);
        floods.note(Flood::HeaderBomb);
        assert_eq!(floods.caught(), Some(Flood::Settings));
    }
}
