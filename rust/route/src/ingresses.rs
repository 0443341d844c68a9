//! The Ingresses that routes come from, and the small numbers by which their counters are found.
//!
//! A number is taken again only when nothing holds its last Ingress any more: a request that is under way may still
//! count for an Ingress that is long gone from the table.

use crate::compiled::Ingress;
use crate::roll::{Roll, Sheets};
use crate::schema::IngressRef;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};

/// How many retired numbers are looked at for one that is free, so that long streams cannot make this slow.
const LOOKS: usize = 16;

#[derive(Debug)]
pub(crate) struct Ingresses {
    living: HashMap<IngressRef, Living, foldhash::fast::RandomState>,
    roll: Roll<Ingress>,
    retired: VecDeque<(u32, Weak<Ingress>)>,
    next: u32,
}

#[derive(Debug)]
struct Living {
    ingress: Arc<Ingress>,
    users: u32,
}

impl Ingresses {
    pub(crate) fn new() -> Self {
        Self {
            living: HashMap::default(),
            roll: Roll::new(),
            retired: VecDeque::new(),
            next: 0,
        }
    }

    /// The one of that name, for one more user; each is given back with [`Self::release`].
    pub(crate) fn acquire(&mut self, of: &IngressRef) -> Arc<Ingress> {
        if let Some(living) = self.living.get_mut(of) {
            living.users += 1;
            return Arc::clone(&living.ingress);
        }
        let ingress = Arc::new(Ingress {
            of: of.clone(),
            slot: self.free_slot(),
        });
        self.roll.insert(u64::from(ingress.slot), &ingress);
        self.living.insert(
            of.clone(),
            Living {
                ingress: Arc::clone(&ingress),
                users: 1,
            },
        );
        ingress
    }

    pub(crate) fn release(&mut self, ingress: &Arc<Ingress>) {
        let Some(living) = self.living.get_mut(&ingress.of) else {
            return;
        };
        living.users -= 1;
        if living.users == 0 {
            self.roll.remove(u64::from(ingress.slot));
            self.retired.push_back((ingress.slot, Arc::downgrade(ingress)));
            self.living.remove(&ingress.of);
        }
    }

    pub(crate) fn sheets(&mut self) -> Sheets<Ingress> {
        self.roll.sheets()
    }

    /// Users of each living Ingress.
    pub(crate) fn users(&self) -> impl Iterator<Item = (&Arc<Ingress>, u32)> {
        self.living.values().map(|living| (&living.ingress, living.users))
    }

    pub(crate) fn check_invariants(&self) {
        assert_eq!(self.living.len(), self.roll.len(), "the roll names each living Ingress");
        let mut slots: Vec<u32> = self.users().map(|(ingress, _)| ingress.slot).collect();
        slots.extend(self.retired.iter().map(|(slot, _)| *slot));
        slots.sort_unstable();
        let all: Vec<u32> = (0..self.next).collect();
        assert_eq!(slots, all, "each slot is either in use or retired, once");
    }

    fn free_slot(&mut self) -> u32 {
        for _ in 0..self.retired.len().min(LOOKS) {
            let Some((slot, ingress)) = self.retired.pop_front() else {
                break;
            };
            if ingress.strong_count() == 0 {
                return slot;
            }
            self.retired.push_back((slot, ingress));
        }
        self.next += 1;
        self.next - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> IngressRef {
        IngressRef {
            namespace: "default".into(),
            name: name.into(),
            uid: name.into(),
        }
    }

    #[test]
    fn one_name_is_one_ingress() {
        let mut all = Ingresses::new();
        let (one, two) = (all.acquire(&named("a")), all.acquire(&named("a")));
        assert!(Arc::ptr_eq(&one, &two));
        all.release(&one);
        assert!(Arc::ptr_eq(&one, &all.acquire(&named("a"))), "kept while it has a user");
        all.check_invariants();
    }

    #[test]
    fn a_slot_is_taken_again_only_when_the_last_holder_is_gone() {
        let mut all = Ingresses::new();
        let held = all.acquire(&named("a"));
        all.release(&held);
        let second = all.acquire(&named("b"));
        assert_ne!(held.slot, second.slot);
        let slot = held.slot;
        drop(held);
        assert_eq!(all.acquire(&named("c")).slot, slot);
        all.check_invariants();
    }
}
