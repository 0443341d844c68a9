//! What must hold between the parts of a compiler, checked by tests after every change.

use crate::compiler::Compiler;
use crate::digest::Digest;
use crate::schema::Kind;
use hashbrown::HashMap;

impl Compiler {
    /// Checks what must hold between its parts.
    ///
    /// # Panics
    /// Something does not hold. For tests.
    pub fn check_invariants(&self) {
        self.parts.backends.check_invariants();
        self.parts.ingresses.check_invariants();
        self.parts.upstreams.check_invariants();
        let mut sum = Digest::default();
        self.entries
            .iter()
            .flat_map(HashMap::values)
            .for_each(|entry| sum.replace(None, Some(entry.digest)));
        assert_eq!(sum, self.digest, "the running digest is the sum of the entries");

        let mut ids: Vec<usize> = self.entries[Kind::Fragment as usize]
            .values()
            .filter_map(|entry| entry.fragment.map(|id| id as usize))
            .collect();
        ids.sort_unstable();
        assert_eq!(
            ids,
            self.fragments.iter().map(|(id, _)| id).collect::<Vec<_>>(),
            "each fragment has its entry"
        );
        self.hosts.check_invariants(&self.fragments);

        let mut users: HashMap<&str, u32> = HashMap::new();
        let fallback = self
            .fallback
            .iter()
            .filter_map(|fallback| fallback.route.target.backend.as_ref());
        for cell in self
            .fragments
            .iter()
            .flat_map(|(_, fragment)| fragment.cells())
            .chain(fallback)
            .chain(self.streams.cells())
        {
            *users.entry(&cell.key).or_default() += 1;
        }
        for (key, counted, entry) in self.parts.backends.users() {
            assert_eq!(
                users.get(key).copied().unwrap_or(0),
                counted,
                "the users of the cell {key} are counted"
            );
            let known = self.entries[Kind::Endpoints as usize].contains_key(key);
            assert!(!entry || known, "the cell {key} has an entry");
        }
        let ingresses: u32 = self.parts.ingresses.users().map(|(_, users)| users).sum();
        assert_eq!(
            ingresses as usize,
            ids.len() + 1,
            "each fragment uses one Ingress, and the controller another"
        );
    }
}
