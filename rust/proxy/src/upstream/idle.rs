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

    /// Takes the newest of a stack.
    pub(super) fn pop(&mut self, of: &impl Stacked) -> Option<T> {
        self.take(of.stack().top.get())
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
    pub(super) fn extract(&mut self, mut is_over: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        let mut place = self.oldest;
        while let Some(slot) = self.slots.get(place as usize) {
            let newer = slot.newer;
            if slot.entry.as_ref().is_some_and(&mut is_over) {
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
