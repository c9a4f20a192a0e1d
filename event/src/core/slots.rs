//! Keyed storage whose keys never come to name something else.
//!
//! A [`Key`] is an index and a generation. The generation of an index moves on when its value is taken
//! out, so that an old key, such as that of an event in this tick's batch, finds nothing
//! (`stale_event_after_fd_reuse`).

use super::shared::LoopId;
use crate::sys::Key;
use slab::Slab;

/// A key, and the loop whose it is: keys of two loops look alike. For the names that users get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct OwnKey {
    key: Key,
    of: LoopId,
}

impl OwnKey {
    pub(crate) fn new(key: Key, of: LoopId) -> Self {
        Self { key, of }
    }

    /// The key, on that loop; on any other the key of nothing.
    pub(crate) fn on(self, event_loop: LoopId) -> Key {
        match self.of == event_loop {
            true => self.key,
            false => Key::NONE,
        }
    }

    /// The key alone.
    pub(crate) fn key(self) -> Key {
        self.key
    }
}

/// Room for the first values.
const FIRST: usize = 16;

/// See the module.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    /// `None`: the index is retired.
    entries: Slab<Option<T>>,
    /// That of the value at each index, or of the next one.
    generations: Vec<u32>,
    /// Indices that have used up their generations: keys must not come again.
    retired: usize,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            entries: Slab::new(),
            generations: Vec::new(),
            retired: 0,
        }
    }
}

impl<T> Slots<T> {
    /// Stores a value.
    ///
    /// # Panics
    ///
    /// Every index is in use, which takes 2^32 - 1 values: memory and descriptors end long before.
    pub(crate) fn insert(&mut self, value: T) -> Key {
        self.insert_with(|_| value)
    }

    /// Stores the value that is made for its key. Panics as [`insert`](Self::insert) does.
    pub(crate) fn insert_with(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        if self.entries.len() == self.entries.capacity() {
            // By a quarter: twice as much would be half empty where there are many.
            let more = FIRST.max(self.entries.len() / 4);
            self.entries.reserve_exact(more);
            self.generations.reserve_exact(more);
        }
        let vacant = self.entries.vacant_entry();
        let place = vacant.key();
        assert!(place < u32::MAX as usize, "no index is left");
        if place == self.generations.len() {
            self.generations.push(0);
        }
        let generation = self.generations[place];
        let index = place as u32; // below u32::MAX
        let key = Key { index, generation };
        vacant.insert(Some(make(key)));
        key
    }

    /// The value of that key, if it is still there.
    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let value = self.entries.get(key.index as usize)?.as_ref();
        value.filter(|_| self.is_current(key))
    }

    fn is_current(&self, key: Key) -> bool {
        self.generations.get(key.index as usize) == Some(&key.generation)
    }

    /// Takes a value out. From now on its key finds nothing.
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let place = key.index as usize;
        if !self.is_current(key) {
            return None;
        }
        let value = self.entries.get_mut(place)?.take()?;
        let next = key.generation.checked_add(1);
        match next {
            Some(next) => {
                self.generations[place] = next;
                self.entries.remove(place);
            }
            None => self.retired += 1,
        }
        Some(value)
    }

    /// How many values there are.
    #[cfg(any(test, hvloop_sim))]
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.retired
    }

    /// The keys and values, by index.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.entries.iter().filter_map(|(place, value)| {
            let key = Key {
                index: place as u32, // as `insert_with` gave it out
                generation: self.generations[place],
            };
            value.as_ref().map(|value| (key, value))
        })
    }

    /// The values whose index is below that.
    pub(crate) fn first(&self, end: usize) -> impl Iterator<Item = &T> {
        let entries = (0..end).filter_map(|place| self.entries.get(place));
        entries.filter_map(Option::as_ref)
    }

    /// The keys by index, for a walk in which values come and go.
    pub(crate) fn keys(&self) -> Vec<Key> {
        self.iter().map(|(key, _)| key).collect()
    }

    /// Takes every value out, as by [`remove`](Self::remove).
    pub(crate) fn drain(&mut self) -> Vec<T> {
        let keys = self.keys();
        keys.into_iter()
            .filter_map(|key| self.remove(key))
            .collect()
    }

    /// What is wrong with the count. O(n): for tests.
    #[cfg(any(test, hvloop_sim))]
    pub(crate) fn check_invariants(&self) -> Result<(), String> {
        let full = self.iter().count();
        match full == self.len() {
            true => Ok(()),
            false => Err(format!("{full} values, and {} are counted", self.len())),
        }
    }
}

#[cfg(test)]
mod tests;
