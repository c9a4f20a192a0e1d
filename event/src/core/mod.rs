//! The loop itself, on its own thread: the tick, what is on it, timers, deferred calls and the drain.
//!
//! Everything here is `!Send` and belongs to the thread that runs the loop. Two rules hold
//! throughout (I4 in `docs/design.md`): no `RefCell` borrow outlives the statement that takes it,
//! and none is alive while user code runs or is dropped.

pub(crate) mod attachments;
pub(crate) mod buffers;
pub(crate) mod current;
mod drain;
pub(crate) mod entity;
pub(crate) mod guard;
pub(crate) mod idle;
#[cfg(hvloop_sim)]
mod invariants;
pub(crate) mod load;
pub(crate) mod lookup;
pub(crate) mod memory;
mod registry;
pub(crate) mod shared;
pub(crate) mod slots;
mod tick;
pub(crate) mod timers;

use crate::error::CloseReason;
use crate::sys::{Key, Poller, Readiness, clock, random_seed, thread};
use attachments::Attachment;
use buffers::BufferPool;
use drain::Drain;
use entity::Entity;
use load::Load;
use rand::SeedableRng;
use rand::rngs::StdRng;
use shared::LoopShared;
use slots::{OwnKey, Slots};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use timers::{TimerId, Timers};

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

impl fmt::Debug for LocalLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalLoop")
            .field("name", &self.core.shared.options.name)
            .finish_non_exhaustive()
    }
}

/// What a timer does when it fires.
pub(crate) enum TimerAction {
    /// A user's callback.
    User(Box<dyn FnMut(TimerId)>),
    /// One of an entity's own, by its number.
    Entity(Key, u8),
}

/// A call put off to the tick's own frame (step 8), so that no API call runs user code.
pub(crate) enum Deferred {
    /// One of an entity's own, by its number.
    Entity(Key, u8),
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
    entities: RefCell<Slots<Rc<dyn Entity>>>,
    pub(crate) timers: RefCell<Timers<TimerAction>>,
    /// Timers of other threads that were killed here before they arrived.
    killed_early: RefCell<HashSet<TimerId>>,
    deferred: RefCell<VecDeque<Deferred>>,
    /// Tasks that are not `Send`: each has its place in the inbox, so that their order is kept.
    local_tasks: RefCell<VecDeque<LocalTask>>,
    /// What has something to write in step 9.
    dirty: RefCell<Vec<Key>>,
    /// What is to be looked at again in the next tick: its budget ended a read early.
    ready: RefCell<Vec<Key>>,
    /// What waits for its turn with something that takes long (a TLS handshake), in that order. Marked as
    /// those of `ready` are.
    costly: RefCell<VecDeque<Key>>,
    /// What ends in step 10.
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
    pub(crate) load: Load,
    /// `finish` has run.
    finished: Cell<bool>,
    /// A tick is on the stack.
    ticking: Cell<bool>,
    /// Tasks were left in the inbox by the batch limit.
    tasks_left: Cell<bool>,
    /// What the connection that is being read may still bring in this turn, in bytes.
    allowance: Cell<usize>,
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
            entities: RefCell::new(Slots::new()),
            timers: RefCell::new(Timers::new()),
            killed_early: RefCell::default(),
            deferred: RefCell::default(),
            local_tasks: RefCell::default(),
            dirty: RefCell::default(),
            ready: RefCell::default(),
            costly: RefCell::default(),
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
            load: Load::default(),
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
        clock::now()
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
        if self.host_waits.replace(false) {
            self.shared.inbox.notify();
        }
    }

    /// What is being looked at may bring so many bytes in this turn.
    pub(crate) fn allow(&self, bytes: usize) {
        self.allowance.set(bytes);
    }

    /// Takes `cost` off what it may still bring. `false`: that was all, or the turn has to end.
    pub(crate) fn spend(&self, cost: usize) -> bool {
        let left = self.allowance.get().saturating_sub(cost);
        self.allowance.set(left);
        left > 0 && !self.must_hurry()
    }

    /// Whether it may still bring something.
    pub(crate) fn may_bring(&self) -> bool {
        self.allowance.get() > 0 && !self.must_hurry()
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
}

impl Drop for LoopCore {
    fn drop(&mut self) {
        self.give_up();
    }
}
