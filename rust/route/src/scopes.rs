//! Settings by scope: a cell per scope, filled in place. A class without settings of its own follows those of the
//! process.

use crate::compiled::SettingsCell;
use crate::schema::Settings;
use arc_swap::ArcSwap;
use hashbrown::HashMap;
use std::sync::Arc;

/// The scope that the others fall back to.
pub(crate) const PROCESS: &str = "process";

#[derive(Debug)]
pub(crate) struct Scopes {
    process: Arc<SettingsCell>,
    others: HashMap<Box<str>, Living, foldhash::fast::RandomState>,
}

#[derive(Debug)]
struct Living {
    cell: Arc<SettingsCell>,
    /// Fragments of this scope.
    users: u32,
    /// Whether it has settings of its own.
    own: bool,
}

impl Scopes {
    pub(crate) fn new() -> Self {
        Self {
            process: Arc::new(cell(PROCESS, Arc::default())),
            others: HashMap::default(),
        }
    }

    pub(crate) fn process(&self) -> &Arc<SettingsCell> {
        &self.process
    }

    /// The cell of a scope, for one more user; each is given back with [`Self::release`].
    pub(crate) fn acquire(&mut self, scope: &str) -> Arc<SettingsCell> {
        if scope == PROCESS {
            return Arc::clone(&self.process);
        }
        let living = self.living(scope);
        living.users += 1;
        Arc::clone(&living.cell)
    }

    pub(crate) fn release(&mut self, scope: &str) {
        if let Some(living) = self.others.get_mut(scope) {
            living.users -= 1;
        }
        self.forget_if_unused(scope);
    }

    /// The settings of a scope from now on; `None`: none of its own.
    pub(crate) fn set(&mut self, scope: &str, settings: Option<Settings>) {
        if scope == PROCESS {
            self.process.now.store(Arc::new(settings.unwrap_or_default()));
            for living in self.others.values().filter(|living| !living.own) {
                living.cell.now.store(self.process.now.load_full());
            }
            return;
        }
        let inherited = self.process.now.load_full();
        let living = self.living(scope);
        living.own = settings.is_some();
        living.cell.now.store(settings.map_or(inherited, Arc::new));
        self.forget_if_unused(scope);
    }

    fn living(&mut self, scope: &str) -> &mut Living {
        let inherited = &self.process.now;
        self.others.entry_ref(scope).or_insert_with(|| Living {
            cell: Arc::new(cell(scope, inherited.load_full())),
            users: 0,
            own: false,
        })
    }

    fn forget_if_unused(&mut self, scope: &str) {
        if self
            .others
            .get(scope)
            .is_some_and(|living| living.users == 0 && !living.own)
        {
            self.others.remove(scope);
        }
    }
}

fn cell(scope: &str, now: Arc<Settings>) -> SettingsCell {
    SettingsCell {
        scope: scope.into(),
        now: ArcSwap::new(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_tries(tries: u8) -> Option<Settings> {
        Some(Settings {
            tries,
            ..Settings::default()
        })
    }

    #[test]
    fn a_class_follows_the_process_until_it_has_its_own() {
        let mut scopes = Scopes::new();
        let class = scopes.acquire("class/a");
        let tries = || class.now.load().tries;
        assert_eq!(tries(), 3);
        scopes.set(PROCESS, with_tries(5));
        assert_eq!(tries(), 5);
        scopes.set("class/a", with_tries(7));
        scopes.set(PROCESS, with_tries(6));
        assert_eq!(tries(), 7);
        scopes.set("class/a", None);
        assert_eq!(tries(), 6);
        scopes.set(PROCESS, None);
        assert_eq!(tries(), 3);
    }

    #[test]
    fn a_scope_nobody_names_is_forgotten() {
        let mut scopes = Scopes::new();
        scopes.acquire("class/a");
        scopes.set("class/a", with_tries(1));
        scopes.release("class/a");
        assert_eq!(scopes.others.len(), 1, "its settings are still there");
        scopes.set("class/a", None);
        assert!(scopes.others.is_empty());
    }
}
