//! The memory that the connections of a loop hold: what many small limits add up to.
//!
//! Counted is what they own on the heap for what was sent and not written (its buffers as large as they
//! are, shared bytes once for all queues) and for what came and was not handed on, as their handlers tell.
//! Each change is counted where it happens, so that asking costs nothing.

use super::LoopCore;
use crate::error::CloseReason;
use crate::io::conn::ConnSlot;
use crate::local_loop::LocalLoop;
use crate::log;
use crate::mutant::mutant;
use crate::sys::Key;
use std::cell::Cell;
use std::cmp::Reverse;

/// What part of the limit is freed beyond what is too much: so that the greediest are not looked for again
/// with each byte.
const FREED: usize = 16;

/// See the module.
#[derive(Default)]
pub(crate) struct Memory {
    /// Bytes of all connections, but for those that are shared.
    own: Cell<usize>,
    /// Connections were closed for it in this turn: what they held is given back at its end.
    relieved: Cell<bool>,
    /// That was not enough: the next turn comes at once.
    more: Cell<bool>,
}

impl Memory {
    /// Counts what the connection holds now.
    pub(crate) fn charge(&self, slot: &mut ConnSlot) {
        let now = slot.memory();
        if now < slot.charged && mutant!("memory_not_given_back") {
            return;
        }
        self.own.set(self.own.get() - slot.charged + now);
        slot.charged = now;
    }

    /// The connection has gone.
    pub(crate) fn discharge(&self, slot: &mut ConnSlot) {
        let held = std::mem::take(&mut slot.charged);
        if !mutant!("memory_of_the_gone_counted") {
            self.own.set(self.own.get() - held);
        }
    }

    /// Bytes of all connections, but for those that are shared.
    #[cfg(hvloop_sim)]
    pub(crate) fn own(&self) -> usize {
        self.own.get()
    }

    /// Whether more is to be closed, in the next turn.
    pub(super) fn has_work(&self) -> bool {
        self.more.get()
    }
}

impl LoopCore {
    /// Bytes that the connections hold.
    pub(crate) fn memory_used(&self) -> usize {
        self.memory.own.get() + self.buffers.shared_bytes()
    }

    /// Counts what a connection holds of what came to it.
    pub(crate) fn set_gathered(&self, key: Key, bytes: usize) {
        let mut slots = self.slots.borrow_mut();
        if let Some(slot) = slots.get_mut(key).filter(|slot| !slot.life.is_closed()) {
            slot.gathered = bytes;
            self.memory.charge(slot);
        }
    }

    /// The end of a turn: what was closed has given back what it held, but for what others hold, too.
    pub(super) fn count_memory(&self) {
        let used = self.memory_used();
        let over = self
            .shared
            .options
            .memory_limit
            .is_some_and(|limit| used > limit);
        self.memory
            .more
            .set(self.memory.relieved.replace(false) && over);
        self.shared.counters.memory.set(used as u64);
    }

    /// Closes the greediest connections if all together hold too much.
    pub(super) fn relieve(&self, local: &LocalLoop) {
        match self.shared.options.memory_limit {
            Some(limit) if self.memory_used() > limit && !self.memory.relieved.get() => {
                self.close_greediest(local, limit);
            }
            _ => {}
        }
    }

    #[cold]
    fn close_greediest(&self, local: &LocalLoop, limit: usize) {
        if mutant!("memory_limit_ignored") {
            return;
        }
        let used = self.memory_used();
        let mut greediest: Vec<(usize, Key)> = {
            let slots = self.slots.borrow();
            let open = slots.iter().filter(|(_, slot)| !slot.life.is_closed());
            let greedy = open.map(|(key, slot)| (slot.greed(), key));
            greedy.filter(|(greed, _)| *greed > 0).collect()
        };
        self.memory.relieved.set(!greediest.is_empty());
        greediest.sort_unstable_by_key(|(greed, _)| Reverse(*greed));
        let mut too_much = used - (limit - limit / FREED);
        for (greed, key) in greediest {
            self.close_for_memory(local, key, limit, used);
            match too_much.checked_sub(greed) {
                None | Some(0) => break,
                Some(rest) => too_much = rest,
            }
        }
    }

    fn close_for_memory(&self, local: &LocalLoop, key: Key, limit: usize, used: usize) {
        let up = match self.slots.borrow().get(key) {
            Some(slot) => {
                let (loop_name, greed) = (&self.shared.options.name, slot.greed());
                log::warn!(
                    "hvloop: loop {loop_name} holds {used} bytes for its connections, over its limit of \
                     {limit}: closing the {} with {greed}",
                    slot.describe()
                );
                slot.life.is_up()
            }
            None => return,
        };
        self.shared.counters.memory_closes.add(1);
        if up {
            self.with_handler(local, key, |handler, conn| {
                handler.on_memory_limit(conn, limit);
            });
        } else {
            self.begin_close(key, CloseReason::MemoryLimit(limit));
        }
    }
}
