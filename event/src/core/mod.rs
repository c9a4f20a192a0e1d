//! The loop itself, on its own thread: the tick, slots, timers, deferred calls and the drain.
//!
//! Everything here is `!Send` and belongs to the thread that runs the loop. Two rules hold
//! throughout (I4 in `docs/design.md`): no `RefCell` borrow outlives the statement that takes it,
//! and none is alive while user code runs or is dropped.

pub(crate) mod buffers;
pub(crate) mod current;
mod drain;
pub(crate) mod guard;
pub(crate) mod idle;
#[cfg(hvloop_sim)]
mod invariants;
mod lookup;
pub(crate) mod memory;
pub(crate) mod shared;
pub(crate) mod slots;
pub(crate) mod sources;
mod tick;
pub(crate) mod timers;

use crate::error::CloseReason;
use crate::io::conn::ConnSlot;
use crate::local_loop::{Attachment, LocalLoop};
use crate::mutant::mutant;
use crate::sys::{Key, Poller, Readiness, Stream, clock, random_seed, thread};
use buffers::BufferPool;
use drain::Drain;
use rand::SeedableRng;
use rand::rngs::StdRng;
use shared::LoopShared;
use slots::{OwnKey, Slots};
use sources::SourceSlot;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{HashSet, VecDeque};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use timers::{TimerId, Timers};

/// What a timer does when it fires.
pub(crate) enum TimerAction {
    /// A user's callback.
    User(Box<dyn FnMut(TimerId)>),
    /// One of a connection's own deadlines.
    Conn(Key, crate::io::conn::ConnTimer),
    /// A source's own.
    Source(Key),
}

/// A call put off to the tick's own frame (step 8), so that no API call runs user code.
pub(crate) enum Deferred {
    /// The send queue of a connection fell to its low mark.
    LowWater(Key),
    /// What a connection's handler waits for has left its send queue.
    Sent(Key),
    /// An adopted connection comes up.
    Up(Key),
    /// A connection leaves this loop.
    Leave(Key),
    /// A connection's handler asked to be called.
    Handler(Key),
    /// Something of the layers above.
    Call(Box<dyn FnOnce(&LocalLoop)>),
}

/// A task that is not `Send`.
pub(crate) type LocalTask = Box<dyn FnOnce()>;

/// A loop on its own thread. One `RefCell` a concern, so that borrows stay small.
pub(crate) struct LoopCore {
    pub(crate) shared: Arc<LoopShared>,
    /// Gone once the loop has closed: a `LocalLoop` that a user kept holds no fd.
    poller: RefCell<Option<Poller>>,
    pub(crate) slots: RefCell<Slots<ConnSlot>>,
    pub(crate) sources: RefCell<Slots<SourceSlot>>,
    pub(crate) timers: RefCell<Timers<TimerAction>>,
    /// Timers of other threads that were killed here before they arrived.
    killed_early: RefCell<HashSet<TimerId>>,
    deferred: RefCell<VecDeque<Deferred>>,
    /// Tasks that are not `Send`: each has its place in the inbox, so that their order is kept.
    local_tasks: RefCell<VecDeque<LocalTask>>,
    /// Connections with bytes to flush in step 9.
    dirty: RefCell<Vec<Key>>,
    /// Connections to read again in the next tick: their budget ended a read early.
    ready: RefCell<Vec<Key>>,
    /// Connections in the middle of their TLS handshake whose peer has said something, in that order.
    /// Marked as those of `ready` are.
    handshakes: RefCell<VecDeque<Key>>,
    /// Connections to free in step 10.
    closing: RefCell<VecDeque<(Key, CloseReason)>>,
    pub(crate) attachments: RefCell<Slots<Rc<dyn Attachment>>>,
    lookups: RefCell<Slots<lookup::Lookup>>,
    idles: RefCell<Slots<idle::Idle>>,
    /// The user's, for [`LocalLoop::context`].
    pub(crate) context: RefCell<Option<Rc<dyn Any>>>,
    pub(crate) buffers: BufferPool,
    pub(crate) memory: memory::Memory,
    events: Cell<Vec<Readiness>>,
    now: Cell<Instant>,
    /// When the last callback had ended.
    seen: Cell<Instant>,
    /// A host waits on the poller's descriptor, or is about to.
    host_waits: Cell<bool>,
    /// The connections that are part of the loop's load.
    counted: Cell<i64>,
    /// What comes now is part of it already.
    arriving: Cell<bool>,
    /// `finish` has run.
    finished: Cell<bool>,
    /// A tick is on the stack.
    ticking: Cell<bool>,
    /// Tasks were left in the inbox by the batch limit.
    tasks_left: Cell<bool>,
    /// What the connection that is being read may still bring in this turn, in bytes.
    pub(crate) allowance: Cell<usize>,
    /// When a turn in which a stop is asked for, or a shorter limit, comes to its end.
    hurry: Cell<Option<Instant>>,
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
            shared,
            poller: RefCell::new(Some(poller)),
            slots: RefCell::new(Slots::new()),
            sources: RefCell::new(Slots::of_sources()),
            timers: RefCell::new(Timers::new()),
            killed_early: RefCell::default(),
            deferred: RefCell::default(),
            local_tasks: RefCell::default(),
            dirty: RefCell::default(),
            ready: RefCell::default(),
            handshakes: RefCell::default(),
            closing: RefCell::default(),
            attachments: RefCell::new(Slots::new()),
            lookups: RefCell::new(Slots::new()),
            idles: RefCell::new(Slots::new()),
            context: RefCell::default(),
            buffers: BufferPool::default(),
            memory: memory::Memory::default(),
            events: Cell::default(),
            now: Cell::new(now),
            seen: Cell::new(now),
            host_waits: Cell::new(false),
            counted: Cell::new(0),
            arriving: Cell::new(false),
            finished: Cell::new(false),
            ticking: Cell::new(false),
            tasks_left: Cell::new(false),
            allowance: Cell::new(0),
            hurry: Cell::new(None),
            drain: RefCell::new(Drain::new(now)),
            rng: RefCell::new(rng),
        })
    }

    /// The time that this tick works with; taken once a tick, after the poll.
    pub(crate) fn now(&self) -> Instant {
        self.now.get()
    }

    /// The time of the clock, for when something happens or begins: the turn's is behind by as long as
    /// callbacks have taken.
    pub(crate) fn clock_now(&self) -> Instant {
        match mutant!("counts_from_the_turn") {
            true => self.now(),
            false => clock::now(),
        }
    }

    /// A key of this loop's, for a name that users get.
    pub(crate) fn own(&self, key: Key) -> OwnKey {
        OwnKey::new(key, self.shared.number)
    }

    /// The key behind a name; that of nothing if it names something of another loop's.
    pub(crate) fn mine(&self, key: OwnKey) -> Key {
        key.on(self.shared.number)
    }

    /// Whether a tick is on the stack.
    pub(crate) fn is_ticking(&self) -> bool {
        self.ticking.get()
    }

    /// Whether the calling thread owns the loop (I1): always, but for threads that are simulated.
    pub(crate) fn is_mine(&self) -> bool {
        self.shared.gate.owner() == thread::token()
    }

    /// Ends the wait of a host that this thread is about to begin: there is something to do, or it is due
    /// earlier than the host was told. Costs a look where no host waits.
    pub(crate) fn tell_host(&self) {
        if self.host_waits.replace(false) && !mutant!("host_not_told") {
            self.shared.inbox.notify();
        }
    }

    /// Runs `f` with the loop's random numbers.
    pub(crate) fn with_rng<R>(&self, f: impl FnOnce(&mut StdRng) -> R) -> R {
        f(&mut self.rng.borrow_mut())
    }

    /// Runs `f` with the poller, for registering sockets.
    ///
    /// # Errors
    ///
    /// The loop has closed.
    pub(crate) fn with_poller<R>(&self, f: impl FnOnce(&Poller) -> io::Result<R>) -> io::Result<R> {
        match &*self.poller.borrow() {
            Some(poller) => f(poller),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Takes sockets off the poller and closes them.
    pub(crate) fn close_sockets(&self, sockets: Vec<Stream>) {
        let poller = self.poller.borrow();
        for mut socket in sockets {
            if let Some(poller) = &*poller {
                socket.deregister(poller);
            }
            if socket.is_to_itself() {
                // Else the system keeps its port for a minute, which is that of a server to come.
                socket.reset_on_drop();
            }
        }
    }

    /// Puts a call off to step 8 of this tick, or of the next one.
    pub(crate) fn defer(&self, call: Deferred) {
        self.deferred.borrow_mut().push_back(call);
        self.tell_host();
    }

    /// Queues a task that is not `Send`, for step 4 of the next tick.
    pub(crate) fn queue_local(&self, task: LocalTask) {
        let Some(permit) = self.shared.reserve() else {
            return self.drop_user(task);
        };
        self.local_tasks.borrow_mut().push_back(task);
        permit.send(Box::new(|local: &LocalLoop| {
            let task = local.core().local_tasks.borrow_mut().pop_front();
            if let Some(task) = task {
                task();
            }
        }));
    }

    /// Marks a connection for the flush of step 9.
    pub(crate) fn mark_dirty(&self, key: Key) {
        let mut slots = self.slots.borrow_mut();
        if let Some(slot) = slots.get_mut(key)
            && !slot.in_dirty
        {
            slot.in_dirty = true;
            self.dirty.borrow_mut().push(key);
            self.tell_host();
        }
    }

    /// Marks a connection or a source to be looked at in the next tick without waiting for the
    /// poller.
    pub(crate) fn mark_ready(&self, key: Key) {
        if let Some(false) = self.set_ready_mark(key, true) {
            self.ready.borrow_mut().push(key);
            self.tell_host();
        }
    }

    /// Lets the connection's TLS handshake wait for its turn.
    pub(crate) fn queue_handshake(&self, key: Key) {
        if let Some(false) = self.set_ready_mark(key, true) {
            self.handshakes.borrow_mut().push_back(key);
        }
    }

    /// Sets the mark that says whether the key is on one of the lists of what is ready; what it was before,
    /// `None` if it is stale.
    fn set_ready_mark(&self, key: Key, mark: bool) -> Option<bool> {
        if slots::is_source(key) {
            let mut sources = self.sources.borrow_mut();
            let slot = sources.get_mut(key)?;
            return Some(std::mem::replace(&mut slot.in_ready, mark));
        }
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(key)?;
        Some(std::mem::replace(&mut slot.in_ready, mark))
    }

    /// Whether the key is to be looked at without waiting for the poller.
    pub(crate) fn is_marked_ready(&self, key: Key) -> bool {
        let marked = match slots::is_source(key) {
            true => self.sources.borrow().get(key).is_some_and(|s| s.in_ready),
            false => self.slots.borrow().get(key).is_some_and(|s| s.in_ready),
        };
        marked && !mutant!("budget_twice")
    }

    /// Counts the connections that there are.
    pub(crate) fn count_connections(&self) {
        let count = self.slots.borrow().len() as u64;
        self.shared.counters.connections.set(count);
        if !self.arriving.get() {
            self.count_load(0);
        }
    }

    /// One that counts already, as on its way, is about to arrive.
    pub(crate) fn arrives_now(&self) {
        self.arriving.set(true);
    }

    /// It has arrived, or has not: it counts no more as on its way.
    pub(crate) fn arrived(&self, on_their_way: i64) {
        self.arriving.set(false);
        self.count_load(-on_their_way);
    }

    /// Adds to the load what has come and gone since the last time, and so many more.
    fn count_load(&self, more: i64) {
        let count = self.shared.counters.connections.get() as i64; // memory ends long before
        self.shared
            .add_load(count - self.counted.replace(count) + more);
    }

    /// Begins the end of a connection or a source: nothing is read or written any more, and step 10
    /// closes the fd, calls `on_close` and frees the slot. Only the first reason counts.
    pub(crate) fn begin_close(&self, key: Key, reason: CloseReason) {
        let first = match slots::is_source(key) {
            true => {
                let closes = self.with_source(key, |slot| slot.closed = true);
                closes.is_some()
            }
            false => match self.slots.borrow_mut().get_mut(key) {
                Some(slot) => slot.life.close(),
                None => false,
            },
        };
        if first {
            self.closing.borrow_mut().push_back((key, reason));
            self.tell_host();
        }
    }

    /// Arms a timer for `deadline`; `None`: later than the clock can tell.
    pub(crate) fn arm(
        &self,
        id: TimerId,
        deadline: Option<Instant>,
        period: Option<std::time::Duration>,
        repeat: Option<u32>,
        action: TimerAction,
    ) {
        let mut timers = self.timers.borrow_mut();
        timers.insert(id, deadline, period, repeat, action);
        self.shared.counters.timers.set(timers.len() as u64);
        self.tell_host();
    }

    /// Lets a timer count from now again. See [`Timers::reset`].
    pub(crate) fn reset_timer(&self, id: TimerId, period: Option<std::time::Duration>) -> bool {
        let reset = {
            let mut timers = self.timers.borrow_mut();
            timers.reset(id, clock::now(), period)
        };
        self.tell_host();
        reset
    }

    /// Takes a timer off and drops its callback, with no borrow held. `false`: there was none.
    pub(crate) fn kill_timer(&self, id: TimerId) -> bool {
        let (existed, removed) = {
            let mut timers = self.timers.borrow_mut();
            let before = timers.len();
            let removed = timers.remove(id);
            let existed = removed.is_some() || timers.len() < before;
            self.shared.counters.timers.set(timers.len() as u64);
            (existed, removed)
        };
        if !existed && self.shared.is_arming() {
            self.killed_early.borrow_mut().insert(id);
        }
        self.drop_user(removed);
        existed
    }

    /// A timer of another thread arrives. `false`: it was killed before.
    pub(crate) fn arrives(&self, id: TimerId) -> bool {
        self.shared.end_arming();
        let mut killed = self.killed_early.borrow_mut();
        let wanted = !killed.remove(&id);
        if !self.shared.is_arming() {
            killed.clear(); // ids that were over already
        }
        wanted
    }

    /// Arms one of a connection's own timers in place of `old`.
    pub(crate) fn arm_conn_timer(
        &self,
        old: Option<TimerId>,
        after: std::time::Duration,
        key: Key,
        what: crate::io::conn::ConnTimer,
    ) -> Option<TimerId> {
        if let Some(old) = old {
            self.kill_timer(old);
        }
        let id = self.shared.next_timer_id();
        // A limit too far away for the clock to express is no limit.
        let deadline = clock::now().checked_add(after)?;
        self.arm(
            id,
            Some(deadline),
            None,
            Some(1),
            TimerAction::Conn(key, what),
        );
        Some(id)
    }
}

impl Drop for LoopCore {
    fn drop(&mut self) {
        self.give_up();
    }
}
