//! Sets an endpoint aside after a failed connect, for a while that doubles with each failure.
//!
//! Nothing here decides what happens when all endpoints are aside: see `balance`.

use std::cell::Cell;
use std::time::Duration;
use tokio::time::Instant;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// The ejection state of one endpoint.
#[derive(Debug, Default)]
pub(super) struct Eject {
    failures: Cell<u32>,
    until: Cell<Option<Instant>>,
}

impl Eject {
    /// True while it is set aside.
    pub(super) fn is_aside(&self, now: Instant) -> bool {
        self.until.get().is_some_and(|until| now < until)
    }

    /// A connect failed. A failure while it is aside was under way before, or was made for lack of any other endpoint: it changes
    /// nothing, else a hundred requests that fail at once would set it aside for the longest time.
    pub(super) fn failed(&self, now: Instant) {
        if self.is_aside(now) {
            return;
        }
        let failures = self.failures.get();
        let pause = FIRST.saturating_mul(1 << failures.min(5)).min(LONGEST);
        self.failures.set(failures.saturating_add(1));
        self.until.set(Some(now + pause));
    }

    /// It was reached.
    pub(super) fn succeeded(&self) {
        if self.failures.get() > 0 {
            self.failures.set(0);
            self.until.set(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(eject: &Eject, mut now: Instant, count: usize) -> Vec<u64> {
        let mut pauses = Vec::new();
        for _ in 0..count {
            eject.failed(now);
            let until = eject.until.get().expect("it was set aside");
            assert!(eject.is_aside(until - Duration::from_nanos(1)));
            assert!(!eject.is_aside(until));
            pauses.push((until - now).as_secs());
            now = until;
        }
        pauses
    }

    #[test]
    fn the_pause_doubles_up_to_thirty_seconds() {
        assert_eq!(
            pauses(&Eject::default(), Instant::now(), 8),
            [1, 2, 4, 8, 16, 30, 30, 30]
        );
    }

    #[test]
    fn a_success_starts_over() {
        let eject = Eject::default();
        let now = Instant::now();
        pauses(&eject, now, 4);
        eject.succeeded();
        assert!(!eject.is_aside(now));
        assert_eq!(pauses(&eject, now, 2), [1, 2]);
    }

    #[test]
    fn failures_at_once_count_once() {
        let eject = Eject::default();
        let now = Instant::now();
        for _ in 0..64 {
            eject.failed(now);
        }
        assert!(eject.is_aside(now + Duration::from_millis(999)));
        assert!(!eject.is_aside(now + Duration::from_secs(1)));
    }
}
