//! The loop itself, on its own thread: the tick, what is on it, timers, deferred calls and the drain.
//!
//! Everything here is `!Send` and belongs to the thread that runs the loop. Two rules hold
//! throughout (I4 in `docs/design.md`): no `RefCell` borrow outlives the statement that takes it,
//! and none is alive while user code runs or is dropped.

pub(crate) mod account;
pub(crate) mod attachments;
pub(crate) mod buffers;
pub(crate) mod calls;
pub(crate) mod current;
mod drain;
pub(crate) mod entity;
pub(crate) mod given_up;
mod guard;
pub(crate) mod idle;
#[cfg(hvloop_sim)]
mod invariants;
pub(crate) mod load;
pub(crate) mod lookup;
pub(crate) mod loop_timers;
pub(crate) mod memory;
mod parked;
mod phases;
mod polling;
mod registry;
pub(crate) mod share;
pub(crate) mod shared;
pub(crate) mod shares;
pub(crate) mod slots;
pub(crate) mod spares;
mod tick;
pub(crate) mod timers;
mod turn;
mod users;

use crate::error::CloseReason;
use crate::sys::{Key, Poller, clock, random_seed};
use buffers::BufferPool;
use calls::{Calls, Deferred, LocalTask};
use drain::Drain;
use entity::Place;
use idle::{IdleId, OnIdle};
use loop_timers::{LoopTimers, TimerAction};
use memory::Memory;
use polling::Polling;
use rand::SeedableRng;
use rand::rngs::StdRng;
use registry::Registry;
use shared::LoopShared;
use shares::Shares;
use slots::OwnKey;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use timers::TimerId;
use turn::Turn;
use users::Users;

/// The loop as its own thread sees it: what needs no lock, no `Send` and no queue.
///
/// Got from [`EventLoop::current`](crate::EventLoop::current) inside a callback, or handed to the callbacks of
/// [`EventLoop::post_event`](crate::EventLoop::post_event). It cannot leave the thread:
///
/// ```compile_fail
/// fn send<T: Send>() {}
/// send::<hvloop_event::LocalLoop>();
/// ```
#[derive(Clone)]
pub struct LocalLoop {
    core: Rc<LoopCore>,
}

impl LocalLoop {
    pub(crate) fn new(core: Rc<LoopCore>) -> Self {
        Self { core }
    }

    pub(crate) fn core(&self) -> &LoopCore {
        &self.core
    }
}

debug_fields!(LocalLoop, this: "name" = this.core.shared.options.name);

/// A loop on its own thread: each part borrows what is its own for moments.
pub(crate) struct LoopCore {
    pub(crate) shared: Arc<LoopShared>,
    pub(crate) poller: Polling,
    pub(crate) registry: Registry,
    pub(crate) timers: LoopTimers,
    pub(crate) users: Users,
    pub(crate) buffers: BufferPool,
    pub(crate) memory: Memory,
    pub(crate) shares: Shares,
    calls: Calls,
    turn: Turn,
    drain: RefCell<Drain>,
    rng: RefCell<StdRng>,
}

impl LoopCore {
    /// Makes the loop's thread-side half.
    ///
    /// # Errors
    ///
    /// The system had no randomness to give.
    pub(crate) fn new(shared: Arc<LoopShared>, poller: Poller) -> io::Result<Self> {
        let rng = match shared.options.seed {
            Some(seed) => StdRng::seed_from_u64(seed),
            None => StdRng::from_seed(random_seed()?),
        };
        let now = clock::now();
        Ok(Self {
            poller: Polling::new(poller),
            registry: Registry::new(shared.clone()),
            shared,
            timers: LoopTimers::new(now),
            users: Users::default(),
            buffers: BufferPool::default(),
            memory: Memory::default(),
            shares: Shares::default(),
            calls: Calls::default(),
            turn: Turn::new(now),
            drain: RefCell::new(Drain::new(now)),
            rng: RefCell::new(rng),
        })
    }

    /// The time that this tick works with; taken once a tick, after the poll.
    pub(crate) fn now(&self) -> Instant {
        self.turn.now.get()
    }

    /// The time of the clock, for when something happens or begins: the turn's is behind by as long as
    /// callbacks have taken.
    pub(crate) fn clock_now(&self) -> Instant {
        clock::now()
    }

    /// A key of this loop's, for a name that users get.
    pub(crate) fn own(&self, key: Key) -> OwnKey {
        OwnKey::new(key, self.shared.id)
    }

    /// The key behind a name; that of nothing if it names something of another loop's.
    pub(crate) fn mine(&self, key: OwnKey) -> Key {
        key.on(self.shared.id)
    }

    /// Ends the wait of a host that this thread is about to begin: there is something to do, or it is due
    /// earlier than the host was told. Costs a look where no host waits.
    fn tell_host(&self) {
        if self.turn.host_waits.replace(false) {
            self.shared.inbox.notify();
        }
    }

    /// What is being looked at may bring so many bytes in this turn.
    pub(crate) fn allow(&self, bytes: usize) {
        self.turn.allowance.set(bytes);
    }

    /// What it may still bring, in bytes.
    pub(crate) fn allowance(&self) -> usize {
        self.turn.allowance.get()
    }

    /// Takes `cost` off what it may still bring. `false`: that was all, or the turn has to end.
    pub(crate) fn spend(&self, cost: usize) -> bool {
        let left = self.turn.allowance.get().saturating_sub(cost);
        self.turn.allowance.set(left);
        left > 0 && !self.check_time()
    }

    /// Whether it may still bring something.
    pub(crate) fn may_bring(&self) -> bool {
        self.turn.allowance.get() > 0 && !self.check_time()
    }

    /// Runs `f` with the loop's random numbers.
    pub(crate) fn with_rng<R>(&self, f: impl FnOnce(&mut StdRng) -> R) -> R {
        f(&mut self.rng.borrow_mut())
    }

    /// Marks it for the flush of step 9.
    pub(crate) fn mark_dirty(&self, place: &Place) {
        if !place.dirty.replace(true) {
            self.registry.dirty.borrow_mut().push(place.key());
            self.tell_host();
        }
    }

    /// Marks it to be looked at in the next tick without waiting for the poller.
    pub(crate) fn mark_ready(&self, place: &Place) {
        if !place.ready.replace(true) {
            self.registry.ready.borrow_mut().push(place.key());
            self.tell_host();
        }
    }

    /// Begins the end of what has that key.
    pub(crate) fn begin_close(&self, local: &LocalLoop, key: Key, reason: CloseReason) {
        if let Some(entity) = self.registry.find(key) {
            entity.close(local, reason);
        }
    }

    /// Puts it on the list of step 10, which ends and frees it. Only the first reason counts.
    pub(crate) fn list_closing(&self, place: &Place, reason: CloseReason) {
        if !place.closing.replace(true) {
            let closing = &self.registry.closing;
            closing.borrow_mut().push_back((place.key(), reason));
            self.tell_host();
        }
    }

    /// Puts a call off to step 8 of this tick, or of the next one.
    pub(crate) fn defer(&self, call: Deferred) {
        self.calls.deferred.borrow_mut().push_back(call);
        self.tell_host();
    }

    /// Puts one of its own calls off to step 8 of this tick, or of the next one.
    pub(crate) fn defer_for(&self, place: &Place, which: u8) {
        self.defer(Deferred::Entity(place.key(), which));
    }

    /// Queues a task that is not `Send`, for step 4 of the next tick.
    pub(crate) fn queue_local(&self, task: LocalTask) {
        let Some(permit) = self.shared.reserve() else {
            return self.drop_user(task);
        };
        self.calls.local_tasks.borrow_mut().push_back(task);
        permit.send(Box::new(|local: &LocalLoop| {
            let task = local.core().calls.local_tasks.borrow_mut().pop_front();
            if let Some(task) = task {
                task();
            }
        }));
    }

    /// See [`LocalLoop::set_idle`].
    pub(crate) fn set_idle(&self, id: IdleId, repeat: Option<u32>, callback: OnIdle) {
        self.users.idles.add(id, repeat, callback);
        self.tell_host();
    }

    /// Takes an idle callback off and drops it, with no borrow held. `false`: there was none.
    pub(crate) fn kill_idle(&self, id: IdleId) -> bool {
        let removed = self.users.idles.remove(id);
        let existed = removed.is_some();
        if !existed {
            self.users.given_up.note(&self.shared, id.raw());
        }
        self.drop_user(removed);
        existed
    }

    /// Arms a timer for `deadline` (`None`: later than the clock can tell), under an id that it was given
    /// before or a new one.
    pub(crate) fn arm(
        &self,
        id: Option<TimerId>,
        deadline: Option<Instant>,
        period: Option<Duration>,
        repeat: Option<u32>,
        action: TimerAction,
    ) -> TimerId {
        let id = self
            .timers
            .arm(&self.shared, id, deadline, period, repeat, action);
        self.tell_host();
        id
    }

    /// Arms one of its own timers. `None`: too far away for the clock to express, which is no limit.
    pub(crate) fn arm_for(&self, place: &Place, after: Duration, which: u8) -> Option<TimerId> {
        let deadline = clock::now().checked_add(after)?;
        let action = TimerAction::Entity(place.key(), which);
        Some(self.arm(None, Some(deadline), None, Some(1), action))
    }

    /// Lets a timer count from now again. See [`timers::Timers::reset`].
    pub(crate) fn reset_timer(&self, id: TimerId, period: Option<Duration>) -> bool {
        let reset = self.timers.reset(id, period);
        self.tell_host();
        reset
    }

    /// Takes a timer off and drops its callback, with no borrow held. `false`: there was none.
    pub(crate) fn kill_timer(&self, id: TimerId) -> bool {
        let (existed, removed) = self.timers.kill(&self.shared, id);
        if !existed && id.is_apart() {
            self.users.given_up.note(&self.shared, id.raw());
        }
        self.drop_user(removed);
        existed
    }

    /// Calls user code. `None`: it panicked, which was logged and counted; what it leaves behind
    /// is the caller's to close.
    pub(crate) fn call_user<R>(&self, what: &'static str, f: impl FnOnce() -> R) -> Option<R> {
        self.call_user_from(None, what, f)
    }

    /// Calls user code, from `start` on if it is known that this is now.
    fn call_user_from<R>(
        &self,
        start: Option<Instant>,
        what: &'static str,
        f: impl FnOnce() -> R,
    ) -> Option<R> {
        debug_assert!(self.is_unborrowed(), "a borrow is alive at a user callback");
        let calling = &self.turn.calling;
        if !calling.begin(what) {
            return self.shared.catch(what, f);
        }
        let start = start.unwrap_or_else(clock::now);
        let result = self.shared.catch(what, f);
        calling.end();
        let end = clock::now();
        self.turn.seen.set(end);
        let took = end.saturating_duration_since(start);
        self.shared.note_time(took, calling);
        result
    }

    /// Drops what may be the user's: a `Drop` of theirs may call back in, or panic.
    pub(crate) fn drop_user<T>(&self, value: T) {
        debug_assert!(self.is_unborrowed(), "a borrow is alive at a user's drop");
        self.shared.drop_user(value);
    }

    /// Drops several values, each by itself: a second panic on the way out of the first would end the
    /// process. How many.
    fn drop_each<T>(&self, values: impl IntoIterator<Item = T>) -> usize {
        values
            .into_iter()
            .map(|value| self.drop_user(value))
            .count()
    }

    /// I4: no borrow is alive.
    fn is_unborrowed(&self) -> bool {
        self.poller.is_unborrowed()
            && self.registry.is_unborrowed()
            && self.timers.is_unborrowed()
            && self.users.is_unborrowed()
            && self.calls.is_unborrowed()
            && self.drain.try_borrow_mut().is_ok()
            && self.rng.try_borrow_mut().is_ok()
    }
}

impl Drop for LoopCore {
    fn drop(&mut self) {
        self.give_up();
    }
}
