//! How many retries a backend may cause: at most a fifth of its requests over the last ten seconds, and in any case three in a
//! second, so that a small load can retry at all.
//!
//! Without it, a backend that fails gets its load multiplied at the moment it can bear it least.

use std::cell::Cell;
use tokio::time::Instant;

/// Seconds that are looked back at, the current one included.
const WINDOW: usize = 10;
/// One retry for this many requests.
const REQUESTS_PER_RETRY: u32 = 5;
/// Retries in one second that are always permitted: at a few requests a second a fifth of them is none, and one bad
/// endpoint of two would show.
const FLOOR: u32 = 10;

/// The retry budget of one backend.
#[derive(Debug)]
pub(super) struct Budget {
    start: Instant,
    /// The current second, counted from `start`.
    second: Cell<u64>,
    requests: [Cell<u32>; WINDOW],
    retries: [Cell<u32>; WINDOW],
}

impl Budget {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            start: now,
            second: Cell::new(0),
            requests: Default::default(),
            retries: Default::default(),
        }
    }

    /// Counts a request.
    pub(super) fn request(&self, now: Instant) {
        let requests = &self.requests[self.roll(now)];
        requests.set(requests.get().saturating_add(1));
    }

    /// True when one more retry is permitted; it is then counted.
    pub(super) fn take_retry(&self, now: Instant) -> bool {
        let current = self.roll(now);
        let retries = self.retries[current].get();
        let permitted = retries < FLOOR || sum(&self.retries) < sum(&self.requests) / u64::from(REQUESTS_PER_RETRY);
        if permitted {
            self.retries[current].set(retries.saturating_add(1));
        }
        permitted
    }

    /// Empties the seconds that have left the window; gives the place of the current one.
    fn roll(&self, now: Instant) -> usize {
        let second = now.saturating_duration_since(self.start).as_secs();
        let passed = second.saturating_sub(self.second.get()).min(WINDOW as u64);
        for back in 0..passed {
            let place = (second - back) as usize % WINDOW;
            self.requests[place].set(0);
            self.retries[place].set(0);
        }
        self.second.set(second.max(self.second.get()));
        self.second.get() as usize % WINDOW
    }
}

fn sum(seconds: &[Cell<u32>; WINDOW]) -> u64 {
    seconds.iter().map(|second| u64::from(second.get())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn take_all(budget: &Budget, now: Instant) -> usize {
        (0..10_000).take_while(|_| budget.take_retry(now)).count()
    }

    #[test]
    fn a_fifth_of_the_requests_may_be_retried() {
        let now = Instant::now();
        let budget = Budget::new(now);
        for _ in 0..100 {
            budget.request(now);
        }
        assert_eq!(take_all(&budget, now), 20);
    }

    #[test]
    fn a_small_load_may_retry_some_times_a_second() {
        let now = Instant::now();
        let budget = Budget::new(now);
        budget.request(now);
        for second in 0..30 {
            assert_eq!(take_all(&budget, now + Duration::from_secs(second)), FLOOR as usize);
        }
    }

    #[test]
    fn requests_and_retries_leave_the_window_after_ten_seconds() {
        let now = Instant::now();
        let budget = Budget::new(now);
        for _ in 0..100 {
            budget.request(now);
        }
        assert_eq!(take_all(&budget, now + Duration::from_secs(9)), 20);
        assert_eq!(
            take_all(&budget, now + Duration::from_secs(10)),
            FLOOR as usize,
            "the requests are forgotten, the retries not"
        );
        for _ in 0..100 {
            budget.request(now + Duration::from_secs(19));
        }
        assert_eq!(
            take_all(&budget, now + Duration::from_secs(19)),
            20 - FLOOR as usize,
            "those of second 10 still count"
        );
        assert_eq!(take_all(&budget, now + Duration::from_secs(1_000_000)), FLOOR as usize);
    }

    #[test]
    fn a_clock_that_steps_back_is_the_same_second() {
        let now = Instant::now() + Duration::from_secs(100);
        let budget = Budget::new(now);
        assert_eq!(take_all(&budget, now + Duration::from_secs(5)), FLOOR as usize);
        assert_eq!(take_all(&budget, now), 0);
    }
}
