//! The memory that the connections of a loop hold: what many small limits add up to.
//!
//! Counted is what they own on the heap for what was sent and not written (its buffers as large as they
//! are, shared bytes once for all queues) and for what came and was not handed on, as their handlers tell.
//! Each change is counted where it happens, so that asking costs nothing.

use super::LocalLoop;
use super::buffers::BufferPool;
use super::entity::Role;
use super::share::Share;
use super::shared::LoopShared;
use crate::log;
use std::cell::Cell;
use std::cmp::Reverse;
use std::rc::Rc;

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
    /// What holds `charged` bytes, of which a server keeps account, holds `now`.
    pub(crate) fn charge(&self, share: Option<&Rc<Share>>, charged: &mut usize, now: usize) {
        let before = std::mem::replace(charged, now);
        self.own.set(self.own.get() - before + now);
        if let Some(share) = share {
            share.change(before, now);
        }
    }

    /// It has gone.
    pub(crate) fn discharge(&self, share: Option<&Rc<Share>>, charged: &mut usize) {
        let held = std::mem::take(charged);
        self.own.set(self.own.get() - held);
        if let Some(share) = share {
            share.change(held, 0);
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

    /// Bytes that the connections hold.
    fn used(&self, pool: &BufferPool) -> usize {
        self.own.get() + pool.shared_bytes()
    }

    /// The end of a turn: what was closed has given back what it held, but for what others hold, too.
    pub(super) fn end_turn(&self, shared: &LoopShared, pool: &BufferPool) {
        let used = self.used(pool);
        let over = shared
            .options
            .memory_limit
            .is_some_and(|limit| used > limit);
        self.more.set(self.relieved.replace(false) && over);
        shared.counters.memory.set(used as u64);
    }
}

/// Closes the greediest connections if all together hold too much.
pub(super) fn relieve(local: &LocalLoop) {
    let core = local.core();
    match core.shared.options.memory_limit {
        Some(limit) if core.memory.used(&core.buffers) > limit && !core.memory.relieved.get() => {
            close_greediest(local, limit);
        }
        _ => {}
    }
}

#[cold]
fn close_greediest(local: &LocalLoop, limit: usize) {
    let core = local.core();
    let used = core.memory.used(&core.buffers);
    let mut greediest: Vec<_> = core
        .registry
        .all(|role| role == Role::Connection)
        .into_iter()
        .map(|entity| (entity.greed(), entity))
        .filter(|(greed, entity)| *greed > 0 && !entity.place().is_closing())
        .collect();
    core.memory.relieved.set(!greediest.is_empty());
    greediest.sort_unstable_by_key(|(greed, _)| Reverse(*greed));
    let mut too_much = used - (limit - limit / FREED);
    for (greed, entity) in greediest {
        let (loop_name, name) = (&core.shared.options.name, entity.describe());
        log::warn!(
            "hvloop: loop {loop_name} holds {used} bytes for its connections, over its limit of \
             {limit}: closing the {name} with {greed}"
        );
        core.shared.counters.memory_closes.add(1);
        entity.relieve(local, limit);
        match too_much.checked_sub(greed) {
            None | Some(0) => break,
            Some(rest) => too_much = rest,
        }
    }
}
