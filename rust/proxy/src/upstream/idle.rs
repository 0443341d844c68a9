//! Idle connections: a stack per endpoint, and all of them in the order they came.
//!
//! The last one in is the first one out, so under a falling load the others grow old and close. Any may be taken out
//! in constant time, so both caps can close the one that has been idle longest. Entries live in slots that are used
//! again: nothing is allocated once the slots are there. Knows nothing of sockets or clocks.

use std::cell::Cell;

/// No slot.
const NONE: u32 = u32::MAX;

/// Something that belongs to a stack.
pub(super) trait Stacked {
    /// The stack it belongs to; always the same one.
    fn stack(&self) -> &Stack;
}

/// The idle connections of one endpoint: where they begin in the slots.
#[derive(Debug)]
pub(super) struct Stack {
    top: Cell<u32>,
    bottom: Cell<u32>,
    len: Cell<u32>,
}

impl Default for Stack {
    fn default() -> Self {
        Self {
            top: Cell::new(NONE),
            bottom: Cell::new(NONE),
            len: Cell::new(0),
        }
    }
}

impl Stack {
    /// How many are on it.
    pub(super) fn len(&self) -> usize {
        self.len.get() as usize
    }
}

struct Slot<T> {
    /// `None` in a free slot; `newer` is then the next free one.
    entry: Option<T>,
    older: u32,
    newer: u32,
    below: u32,
    above: u32,
}

/// All idle connections of a worker.
pub(super) struct Idle<T> {
    slots: Vec<Slot<T>>,
    free: u32,
    oldest: u32,
    newest: u32,
    len: usize,
}

impl<T: Stacked> Idle<T> {
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: NONE,
            oldest: NONE,
            newest: NONE,
            len: 0,
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Puts one on top of its stack.
    pub(super) fn push(&mut self, entry: T) {
        let place = self.free_slot();
        let stack = entry.stack();
        let (older, below) = (self.newest, stack.top.get());
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = place,
            None => self.oldest = place,
        }
        match self.slots.get_mut(below as usize) {
            Some(slot) => slot.above = place,
            None => stack.bottom.set(place),
        }
        self.newest = place;
        stack.top.set(place);
        stack.len.set(stack.len.get() + 1);
        self.slots[place as usize] = Slot {
            entry: Some(entry),
            older,
            newer: NONE,
            below,
            above: NONE,
        };
        self.len += 1;
    }

    /// Takes the newest of a stack that fits.
    pub(super) fn pop(&mut self, of: &impl Stacked, fits: impl Fn(&T) -> bool) -> Option<T> {
        let mut place = of.stack().top.get();
        while let Some(slot) = self.slots.get(place as usize) {
            if slot.entry.as_ref().is_some_and(&fits) {
                return self.take(place);
            }
            place = slot.below;
        }
        None
    }

    /// Takes the oldest of a stack.
    pub(super) fn remove_bottom(&mut self, of: &impl Stacked) -> Option<T> {
        self.take(of.stack().bottom.get())
    }

    /// Takes the oldest of all.
    pub(super) fn remove_oldest(&mut self) -> Option<T> {
        self.take(self.oldest)
    }

    /// Takes all for which `is_over` says so. Allocates only if there are any.
    pub(super) fn extract(&mut self, mut is_over: impl FnMut(&mut T) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        let mut place = self.oldest;
        while let Some(slot) = self.slots.get_mut(place as usize) {
            let newer = slot.newer;
            if slot.entry.as_mut().is_some_and(&mut is_over) {
                taken.extend(self.take(place));
            }
            place = newer;
        }
        taken
    }

    fn free_slot(&mut self) -> u32 {
        match self.slots.get(self.free as usize) {
            Some(slot) => std::mem::replace(&mut self.free, slot.newer),
            None => {
                self.slots.push(Slot {
                    entry: None,
                    older: NONE,
                    newer: NONE,
                    below: NONE,
                    above: NONE,
                });
                self.slots.len() as u32 - 1
            }
        }
    }

    fn take(&mut self, place: u32) -> Option<T> {
        let slot = self.slots.get_mut(place as usize)?;
        let entry = slot.entry.take()?;
        let (older, newer, below, above) = (slot.older, slot.newer, slot.below, slot.above);
        slot.newer = std::mem::replace(&mut self.free, place);
        let stack = entry.stack();
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match self.slots.get_mut(below as usize) {
            Some(slot) => slot.above = above,
            None => stack.bottom.set(above),
        }
        match self.slots.get_mut(above as usize) {
            Some(slot) => slot.below = below,
            None => stack.top.set(below),
        }
        stack.len.set(stack.len.get() - 1);
        self.len -= 1;
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::rc::Rc;

    struct Entry {
        number: u32,
        owner: usize,
        stack: Rc<Stack>,
    }

    impl Stacked for Entry {
        fn stack(&self) -> &Stack {
            &self.stack
        }
    }

    struct Owner(Rc<Stack>);

    impl Stacked for Owner {
        fn stack(&self) -> &Stack {
            &self.0
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push(usize),
        Pop(usize),
        RemoveBottom(usize),
        RemoveOldest,
        Extract(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0..4usize).prop_map(Step::Push),
            2 => (0..4usize).prop_map(Step::Pop),
            1 => (0..4usize).prop_map(Step::RemoveBottom),
            1 => Just(Step::RemoveOldest),
            1 => (2..5u32).prop_map(Step::Extract),
        ]
    }

    /// Number and owner of all, oldest first, read along the links in both directions.
    fn entries(idle: &Idle<Entry>) -> Vec<(u32, usize)> {
        let walk = |mut place: u32, next: fn(&Slot<Entry>) -> u32| {
            let mut found = Vec::new();
            while let Some(slot) = idle.slots.get(place as usize) {
                let entry = slot.entry.as_ref().expect("a slot that is linked is in use");
                found.push((entry.number, entry.owner));
                place = next(slot);
            }
            found
        };
        let mut backwards = walk(idle.newest, |slot| slot.older);
        backwards.reverse();
        let forwards = walk(idle.oldest, |slot| slot.newer);
        assert_eq!(forwards, backwards);
        forwards
    }

    proptest! {
        #[test]
        fn does_what_a_plain_list_does(steps in prop::collection::vec(step(), 0..200)) {
            let stacks: Vec<Owner> = (0..4).map(|_| Owner(Rc::default())).collect();
            let (mut idle, mut list) = (Idle::new(), Vec::<(u32, usize)>::new());
            let mut most = 0;
            for (number, step) in (0..).zip(steps) {
                match step {
                    Step::Push(owner) => {
                        idle.push(Entry { number, owner, stack: stacks[owner].0.clone() });
                        list.push((number, owner));
                    }
                    Step::Pop(owner) => {
                        let naive = list.iter().rposition(|entry| entry.1 == owner).map(|at| list.remove(at).0);
                        prop_assert_eq!(idle.pop(&stacks[owner], |_| true).map(|entry| entry.number), naive);
                    }
                    Step::RemoveBottom(owner) => {
                        let naive = list.iter().position(|entry| entry.1 == owner).map(|at| list.remove(at).0);
                        prop_assert_eq!(idle.remove_bottom(&stacks[owner]).map(|entry| entry.number), naive);
                    }
                    Step::RemoveOldest => {
                        let naive = (!list.is_empty()).then(|| list.remove(0).0);
                        prop_assert_eq!(idle.remove_oldest().map(|entry| entry.number), naive);
                    }
                    Step::Extract(nth) => {
                        let taken: Vec<u32> = idle.extract(|entry| entry.number % nth == 0).iter().map(|entry| entry.number).collect();
                        let naive: Vec<u32> = list.iter().map(|entry| entry.0).filter(|number| number % nth == 0).collect();
                        list.retain(|entry| entry.0 % nth != 0);
                        prop_assert_eq!(taken, naive);
                    }
                }
                prop_assert_eq!(entries(&idle), list.clone());
                prop_assert_eq!(idle.len(), list.len());
                for (owner, stack) in stacks.iter().enumerate() {
                    prop_assert_eq!(stack.0.len(), list.iter().filter(|entry| entry.1 == owner).count());
                }
                most = most.max(list.len());
                prop_assert!(idle.slots.len() <= most, "slots are used again");
            }
        }
    }
}
