//! Keyed storage whose keys never come to name something else.
//!
//! A [`Key`] is an index and a generation. The generation moves on when a slot is emptied, so that
//! an old key finds nothing; and the index is not given out again before
//! [`Slots::release_freed`], at the end of a tick, so that an event of this tick's batch cannot
//! reach what came in the place of its source (`stale_event_after_fd_reuse`).

use crate::mutant::mutant;
use crate::sys::Key;

/// The first index of [`Slots::of_sources`]: what is not a connection has its keys apart, so that
/// one look at a key tells which of the two it names.
const FIRST_SOURCE: u32 = 1 << 31;

/// A key, and the loop whose it is: keys of two loops look alike. For the names that users get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct OwnKey {
    key: Key,
    /// The [number](super::shared::LoopShared::number) of the loop.
    of: u64,
}

/// Whether the key names something of [`Slots::of_sources`].
pub(crate) fn is_source(key: Key) -> bool {
    key.index >= FIRST_SOURCE && key != Key::NONE
}

impl OwnKey {
    pub(crate) fn new(key: Key, of: u64) -> Self {
        Self { key, of }
    }

    /// The key, on that loop; on any other the key of nothing.
    pub(crate) fn on(self, number: u64) -> Key {
        match self.of == number || mutant!("ids_of_any_loop") {
            true => self.key,
            false => Key::NONE,
        }
    }

    /// The key alone.
    pub(crate) fn key(self) -> Key {
        self.key
    }
}

/// Entries that come into being together. Entries never move: a loop with many connections grows
/// without copying them, and without room for as many again.
const CHUNK: usize = 16;

/// See the module.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    /// All of them full to [`CHUNK`] but the last.
    chunks: Vec<Vec<Entry<T>>>,
    /// Empty entries that may be filled, by place; the last one is next.
    free: Vec<u32>,
    /// Emptied in this tick: not to be filled before the next one.
    freed: Vec<u32>,
    len: usize,
    /// The index of the first entry.
    first: u32,
    /// No index reaches this.
    end: u32,
}

#[derive(Debug)]
struct Entry<T> {
    /// That of the value, or of the next one.
    generation: u32,
    value: Option<T>,
}

impl<T> Slots<T> {
    /// No slots.
    pub(crate) fn new() -> Self {
        Self::within(0, FIRST_SOURCE)
    }

    /// No slots, whose keys [say](is_source) that they are not those of connections.
    pub(crate) fn of_sources() -> Self {
        Self::within(FIRST_SOURCE, u32::MAX)
    }

    fn within(first: u32, end: u32) -> Self {
        Self {
            chunks: Vec::new(),
            free: Vec::new(),
            freed: Vec::new(),
            len: 0,
            first,
            end,
        }
    }

    /// Where the entry of that key is, if it is one of these slots.
    fn place(&self, key: Key) -> Option<usize> {
        key.index
            .checked_sub(self.first)
            .map(|place| place as usize)
    }

    fn entry(&self, place: usize) -> Option<&Entry<T>> {
        self.chunks.get(place / CHUNK)?.get(place % CHUNK)
    }

    fn entry_mut(&mut self, place: usize) -> Option<&mut Entry<T>> {
        self.chunks.get_mut(place / CHUNK)?.get_mut(place % CHUNK)
    }

    /// All entries, by place.
    fn entries(&self) -> impl Iterator<Item = &Entry<T>> {
        self.chunks.iter().flatten()
    }

    /// How many entries there are.
    fn places(&self) -> usize {
        let last = self.chunks.last().map_or(0, Vec::len);
        self.chunks.len().saturating_sub(1) * CHUNK + last
    }

    /// An empty entry behind all others; its place.
    fn grow(&mut self) -> u32 {
        let (place, room) = (self.places(), (self.end - self.first) as usize);
        assert!(place < room, "no index is left");
        let empty = Entry {
            generation: 0,
            value: None,
        };
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK => last.push(empty),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(empty);
                self.chunks.push(chunk);
            }
        }
        place as u32 // below `room`, which is of u32
    }

    /// Stores a value.
    ///
    /// # Panics
    ///
    /// Every index is in use, which takes 2^31 - 1 values: memory and descriptors end long before.
    pub(crate) fn insert(&mut self, value: T) -> Key {
        let place = self.free.pop().unwrap_or_else(|| self.grow());
        let entry = &mut self.chunks[place as usize / CHUNK][place as usize % CHUNK];
        debug_assert!(entry.value.is_none(), "a free slot holds a value");
        entry.value = Some(value);
        self.len += 1;
        Key {
            index: self.first + place,
            generation: entry.generation,
        }
    }

    /// The value of that key, if it is still there.
    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let entry = self.entry(self.place(key)?)?;
        let value = entry.value.as_ref();
        value.filter(|_| entry.generation == key.generation || mutant!("stale_key_finds"))
    }

    /// The value of that key, to be changed, if it is still there.
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let place = self.place(key)?;
        let entry = self.entry_mut(place)?;
        let value = entry.value.as_mut();
        value.filter(|_| entry.generation == key.generation || mutant!("stale_key_finds"))
    }

    /// Whether the value of that key is still there.
    #[cfg_attr(not(test), allow(dead_code, reason = "the natural companion of `get`"))]
    pub(crate) fn contains(&self, key: Key) -> bool {
        self.get(key).is_some()
    }

    /// Takes a value out. From now on its key finds nothing; its index comes back with
    /// [`release_freed`](Self::release_freed).
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let place = self.place(key)?;
        let entry = self.entry_mut(place)?;
        if entry.generation != key.generation {
            return None;
        }
        let value = entry.value.take()?;
        // An index that has used up its generations is retired: keys must not come again.
        let early = mutant!("slot_reused_in_batch");
        let next = match early {
            true => Some(entry.generation),
            false => entry.generation.checked_add(1),
        };
        if let Some(next) = next {
            entry.generation = next;
            let list = match early {
                true => &mut self.free,
                false => &mut self.freed,
            };
            list.push(place as u32);
        }
        self.len -= 1;
        Some(value)
    }

    /// Lets the indices of removed values be used again: the tick is over, no event of its batch is
    /// on its way any more.
    pub(crate) fn release_freed(&mut self) {
        self.free.append(&mut self.freed);
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The keys and values, by index.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.entries().enumerate().filter_map(|(place, entry)| {
            let key = Key {
                // `insert` gives out no index that does not fit.
                index: self.first + place as u32,
                generation: entry.generation,
            };
            entry.value.as_ref().map(|value| (key, value))
        })
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

    /// What is wrong with the lists, if they do not agree with the entries (I6). O(n): for tests.
    #[cfg(any(test, hvloop_sim))]
    pub(crate) fn check_invariants(&self) -> Result<(), String> {
        let mut listed = vec![false; self.places()];
        for &index in self.free.iter().chain(&self.freed) {
            let entry = self.entry(index as usize);
            if entry.is_none_or(|entry| entry.value.is_some()) {
                return Err(format!("slot {index} is free, and full or none"));
            }
            if std::mem::replace(&mut listed[index as usize], true) {
                return Err(format!("slot {index} is free twice"));
            }
        }
        for (entry, listed) in self.entries().zip(listed) {
            let retired = entry.generation == u32::MAX && entry.value.is_none();
            if entry.value.is_none() && !listed && !retired {
                return Err("an empty slot is lost".to_owned());
            }
        }
        let full = self.entries().filter(|e| e.value.is_some()).count();
        if full != self.len {
            return Err(format!(
                "{full} slots are full and {} are counted",
                self.len
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
