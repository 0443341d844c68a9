//! The compiled fragments by number: what entries, hosts and upstream policies name them by.

use crate::fragment::{Compiled, Patterns};
use crate::upstreams::FragmentId;

/// The compiled fragments by number.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    list: Vec<Option<Compiled>>,
    free: Vec<FragmentId>,
}

impl Fragments {
    pub(crate) fn next_id(&mut self) -> FragmentId {
        self.free.last().copied().unwrap_or_else(|| {
            let id = FragmentId::try_from(self.list.len()).expect("there are fewer than 2^32 fragments");
            self.list.push(None);
            self.free.push(id);
            id
        })
    }

    pub(crate) fn put(&mut self, id: FragmentId, fragment: Compiled) {
        debug_assert_eq!(self.free.last(), Some(&id), "the number was asked for just before");
        self.free.pop();
        self.list[id as usize] = Some(fragment);
    }

    pub(crate) fn take(&mut self, id: FragmentId) -> Compiled {
        self.free.push(id);
        self.list[id as usize]
            .take()
            .expect("an entry's number is that of a fragment")
    }

    pub(crate) fn get(&self, id: FragmentId) -> &Compiled {
        self.list[id as usize]
            .as_ref()
            .expect("a host's number is that of a fragment")
    }

    /// Makes sure that the rules of a fragment can be had as regexes, if so asked.
    pub(crate) fn prepare(&mut self, id: FragmentId, regex: bool, patterns: &mut Patterns) {
        if let Some(fragment) = self.get_mut(id).filter(|_| regex) {
            fragment.make_regexes(patterns);
        }
    }

    pub(crate) fn get_mut(&mut self, id: FragmentId) -> Option<&mut Compiled> {
        self.list[id as usize].as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Compiled)> {
        self.list
            .iter()
            .enumerate()
            .filter_map(|(id, fragment)| Some((id, fragment.as_ref()?)))
    }
}
