//! A roll of all living things of a sort, shared with the tables. Kept in chunks, so that a new table shares all but the
//! chunks in which something came or went.

use hashbrown::HashMap;
use std::sync::Arc;

const CHUNKS: u64 = 64;

/// The roll as one table holds it.
pub(crate) type Sheets<T> = Box<[Arc<[Arc<T>]>]>;

#[derive(Debug)]
pub(crate) struct Roll<T> {
    chunks: Vec<Chunk<T>>,
}

#[derive(Debug)]
struct Chunk<T> {
    living: HashMap<u64, Arc<T>, foldhash::fast::RandomState>,
    /// What the last table got; `None` since something changed.
    sheet: Option<Arc<[Arc<T>]>>,
}

impl<T> Roll<T> {
    pub(crate) fn new() -> Self {
        Self {
            chunks: (0..CHUNKS)
                .map(|_| Chunk {
                    living: HashMap::default(),
                    sheet: None,
                })
                .collect(),
        }
    }

    pub(crate) fn insert(&mut self, id: u64, item: &Arc<T>) {
        let chunk = self.chunk(id);
        chunk.living.insert(id, Arc::clone(item));
        chunk.sheet = None;
    }

    pub(crate) fn remove(&mut self, id: u64) {
        let chunk = self.chunk(id);
        chunk.living.remove(&id);
        chunk.sheet = None;
    }

    pub(crate) fn sheets(&mut self) -> Sheets<T> {
        let sheet = |chunk: &mut Chunk<T>| {
            Arc::clone(
                chunk
                    .sheet
                    .get_or_insert_with(|| chunk.living.values().cloned().collect()),
            )
        };
        self.chunks.iter_mut().map(sheet).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.living.len()).sum()
    }

    fn chunk(&mut self, id: u64) -> &mut Chunk<T> {
        let index = usize::try_from(id % CHUNKS).expect("a chunk number is small");
        &mut self.chunks[index]
    }
}
