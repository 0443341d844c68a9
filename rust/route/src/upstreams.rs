//! Upstream policies by the hash that names them, and who uses each: a value that comes or goes later than its users
//! is put into their routes then.

use crate::schema::Upstream;
use hashbrown::{HashMap, HashSet};
use std::sync::Arc;

/// The number of a fragment.
pub(crate) type FragmentId = u32;

#[derive(Debug)]
pub(crate) struct Upstreams {
    default: Arc<Upstream>,
    living: HashMap<Box<str>, Living, foldhash::fast::RandomState>,
}

#[derive(Debug, Default)]
struct Living {
    value: Option<Arc<Upstream>>,
    users: HashSet<FragmentId, foldhash::fast::RandomState>,
}

impl Upstreams {
    pub(crate) fn new() -> Self {
        Self {
            default: Arc::default(),
            living: HashMap::default(),
        }
    }

    /// The value of a key now; the defaults for the empty key and for one that is not known.
    pub(crate) fn value(&self, key: &str) -> Arc<Upstream> {
        let found = self.living.get(key).and_then(|living| living.value.as_ref());
        Arc::clone(found.unwrap_or(&self.default))
    }

    pub(crate) fn acquire(&mut self, key: &str, user: FragmentId) {
        if !key.is_empty() {
            self.living.entry_ref(key).or_default().users.insert(user);
        }
    }

    pub(crate) fn release(&mut self, key: &str, user: FragmentId) {
        if let Some(living) = self.living.get_mut(key) {
            living.users.remove(&user);
        }
        self.forget_if_unused(key);
    }

    /// The value of a key from now on. Gives those who use it and have the old one.
    pub(crate) fn set(&mut self, key: &str, value: Option<Upstream>) -> Vec<FragmentId> {
        let living = self.living.entry_ref(key).or_default();
        living.value = value.map(Arc::new);
        let users = living.users.iter().copied().collect();
        self.forget_if_unused(key);
        users
    }

    pub(crate) fn check_invariants(&self) {
        for (key, living) in &self.living {
            assert!(
                living.value.is_some() || !living.users.is_empty(),
                "nothing needs the upstream policy {key}"
            );
        }
    }

    fn forget_if_unused(&mut self, key: &str) {
        if self
            .living
            .get(key)
            .is_some_and(|living| living.value.is_none() && living.users.is_empty())
        {
            self.living.remove(key);
        }
    }
}
