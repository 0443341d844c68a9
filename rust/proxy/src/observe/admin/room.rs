//! Room for connections: so many, and when there is none the one that is least missed makes room.
//!
//! Whoever opens connections and says nothing must not keep a probe from being answered. This module picks and tells; the
//! connection ends itself.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// For this long a request counts as under way: its answer is ready at once, and only has to be sent.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// The connections that are being served.
pub struct Room {
    limit: usize,
    places: RefCell<Vec<Rc<Place>>>,
}

/// One of them.
pub struct Place {
    /// When it was accepted, or when its last request came.
    since: Cell<Instant>,
    asked: Cell<bool>,
    ended: Notify,
}

impl Room {
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            places: RefCell::default(),
        }
    }

    /// A place for a new connection. True with it when another one was told to end.
    pub fn enter(&self) -> (Rc<Place>, bool) {
        let mut places = self.places.borrow_mut();
        let is_full = places.len() >= self.limit;
        let now = Instant::now();
        if is_full && let Some(at) = least_missed(&places, now) {
            places.remove(at).ended.notify_one();
        }
        let place = Rc::new(Place {
            since: Cell::new(now),
            asked: Cell::new(false),
            ended: Notify::new(),
        });
        places.push(place.clone());
        (place, is_full)
    }

    /// Gives the place back, if nobody else has it yet.
    pub fn leave(&self, place: &Rc<Place>) {
        self.places.borrow_mut().retain(|other| !Rc::ptr_eq(other, place));
    }
}

impl Place {
    /// A request came.
    pub fn ask(&self) {
        self.since.set(Instant::now());
        self.asked.set(true);
    }

    /// Waits until this connection has to make room.
    pub async fn ended(&self) {
        self.ended.notified().await;
    }

    fn is_under_way(&self, now: Instant) -> bool {
        self.asked.get() && now.saturating_duration_since(self.since.get()) < UNDER_WAY
    }
}

/// Of those without a request under way the one that has been silent longest; if there is none, of all.
fn least_missed(places: &[Rc<Place>], now: Instant) -> Option<usize> {
    (0..places.len()).min_by_key(|at| (places[*at].is_under_way(now), places[*at].since.get()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(since: Instant, asked: bool) -> Rc<Place> {
        Rc::new(Place {
            since: Cell::new(since),
            asked: Cell::new(asked),
            ended: Notify::new(),
        })
    }

    #[test]
    fn the_one_silent_longest_goes_and_a_request_under_way_goes_last() {
        let start = Instant::now();
        let after = |tenths: u32| start + UNDER_WAY * tenths / 10;
        let asked_early = place(after(1), true);
        let silent_early = place(after(2), false);
        let asked_late = place(after(3), true);
        let silent_late = place(after(4), false);
        let picked = |places: &[&Rc<Place>], now| {
            let places: Vec<_> = places.iter().map(|place| Rc::clone(place)).collect();
            least_missed(&places, now)
        };
        let all = [&silent_late, &asked_late, &silent_early, &asked_early];
        assert_eq!(picked(&all, after(5)), Some(2), "silent, and longest so");
        assert_eq!(picked(&all, after(12)), Some(3), "its request is long over");
        assert_eq!(picked(&all[..2], after(5)), Some(0));
        assert_eq!(
            picked(&[&asked_late, &asked_early], after(5)),
            Some(1),
            "somebody has to go"
        );
        assert_eq!(picked(&[], after(5)), None);
    }

    #[test]
    fn a_place_that_was_given_back_is_free() {
        let room = Room::new(2);
        let (first, _) = room.enter();
        let (_second, _) = room.enter();
        room.leave(&first);
        assert!(!room.enter().1);
        assert!(room.enter().1);
        room.leave(&first);
        assert_eq!(room.places.borrow().len(), 2);
    }
}
