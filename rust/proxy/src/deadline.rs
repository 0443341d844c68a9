//! One lazy deadline per connection.
//!
//! Moving it is writing a field. The timer underneath is touched only when it fires too early or would fire too late,
//! so a busy connection re-arms it about once a minute and not once a request.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// A timer of the runtime. It may be used again for another deadline while it is still set.
pub type Timer = Pin<Box<Sleep>>;

/// A point in time that can be moved cheaply.
#[derive(Debug)]
pub struct Deadline {
    at: Instant,
    timer: Option<Timer>,
}

impl Deadline {
    /// A deadline that far from now. No timer is made before the first poll.
    pub fn after(wait: Duration) -> Self {
        Self {
            at: Instant::now() + wait,
            timer: None,
        }
    }

    /// The same with a timer that served before, wherever that stands.
    pub fn with(timer: Option<Timer>, wait: Duration) -> Self {
        Self {
            at: Instant::now() + wait,
            timer,
        }
    }

    /// Lets go of the timer, if one was made.
    pub fn take_timer(&mut self) -> Option<Timer> {
        self.timer.take()
    }

    /// Moves it.
    pub fn set(&mut self, at: Instant) {
        self.at = at;
    }

    /// Moves it to that far from now.
    pub fn restart(&mut self, wait: Duration) {
        self.at = Instant::now() + wait;
    }

    /// Ready when it has passed. To be polled after the I/O it guards was pending.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(self.at)));
        if timer.deadline() > self.at {
            timer.as_mut().reset(self.at);
        }
        loop {
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if timer.deadline() >= self.at {
                return Poll::Ready(());
            }
            timer.as_mut().reset(self.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[tokio::test(start_paused = true)]
    async fn fires_at_the_moved_time_whether_moved_earlier_or_later() {
        let start = Instant::now();
        let mut deadline = Deadline::after(Duration::from_secs(60));
        assert!(poll_fn(|cx| Poll::Ready(deadline.poll(cx))).await.is_pending());

        deadline.set(start + Duration::from_secs(10));
        poll_fn(|cx| deadline.poll(cx)).await;
        assert_eq!(start.elapsed().as_secs(), 10);

        deadline.set(start + Duration::from_secs(90));
        poll_fn(|cx| deadline.poll(cx)).await;
        assert_eq!(start.elapsed().as_secs(), 90);
    }
}
