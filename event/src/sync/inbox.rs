//! The way into a loop for other threads: a queue that wakes its one sleeping receiver, and that
//! can be closed without losing what it accepted.
//!
//! One lock guards the queue and what the loop is about: a value that is queued is seen by the look
//! before a sleep, or wakes the sleeper. The loop takes all that is queued at one stroke, into a
//! [`Batch`] of its own: one lock for each batch, not for each value.

use super::shim::{AtomicU64, Mutex, MutexGuard, Ordering};
use std::collections::VecDeque;
use std::mem;
use std::sync::PoisonError;

/// Wakes the loop's thread out of its poll: makes the one that blocks now, or the next one, return. Any
/// thread; must not block for long, must not call back into the inbox, and may come when the loop has gone.
type Wake = Box<dyn Fn() + Send + Sync>;

/// What the loop's thread has taken out of its inbox, and not given to anybody yet: its half of the queue.
pub(crate) type Batch<T> = VecDeque<T>;

/// A queue with room for more than that is given back when it is empty.
const KEEP: usize = 4096;

/// Work from any thread for the one thread that runs the loop. See the module.
pub(crate) struct Inbox<T> {
    state: Mutex<State<T>>,
    /// How many values were queued since the beginning; written under the lock.
    queued: AtomicU64,
    /// How many of them have left; written by the receiver alone.
    left: AtomicU64,
    wake: Wake,
}

struct State<T> {
    queue: VecDeque<T>,
    /// Something has come since the loop last began to drain.
    pending: bool,
    /// The loop blocks, or is about to.
    sleeping: bool,
    /// Nothing is accepted any more.
    closed: bool,
}

impl<T> State<T> {
    /// Notes that something has come. Whether the loop sleeps and nobody has woken it yet.
    fn come(&mut self) -> bool {
        let first = !mem::replace(&mut self.pending, true);
        first && self.sleeping
    }
}

/// The right to put one value into the inbox. Dropped unused, it is given back.
///
/// It is the inbox's lock: keep it for a few instructions, and run no code of a user's meanwhile.
#[must_use = "an unused permit queues nothing"]
pub(crate) struct Permit<'a, T> {
    inbox: &'a Inbox<T>,
    state: MutexGuard<'a, State<T>>,
}

impl<T> Inbox<T> {
    /// An open, empty inbox, whose loop is woken by `wake`.
    pub(crate) fn new(wake: Wake) -> Self {
        Self {
            state: Mutex::new(State {
                queue: VecDeque::new(),
                pending: false,
                sleeping: false,
                closed: false,
            }),
            queued: AtomicU64::new(0),
            left: AtomicU64::new(0),
            wake,
        }
    }

    /// Asks for room for one value. `None`: closed, and the caller still owns what it wanted to
    /// send. Any thread.
    pub(crate) fn reserve(&self) -> Option<Permit<'_, T>> {
        let state = self.state();
        let open = !state.closed;
        open.then_some(Permit { inbox: self, state })
    }

    /// Makes the loop turn once more without a value: a stop, a resume, the last hold. Any thread.
    pub(crate) fn notify(&self) {
        let wakes = self.state().come();
        self.wake_if(wakes);
    }

    /// Announces that the loop will block. `false`: something has come, so it must not. Either way
    /// [`awake`](Inbox::awake) follows the poll. The loop's thread.
    #[must_use = "a loop that must not block would sleep through what has come"]
    pub(crate) fn prepare_sleep(&self) -> bool {
        let mut state = self.state();
        state.sleeping = !state.pending;
        state.sleeping
    }

    /// Ends the sleep: what comes from now on is pending anew. After the poll and before the drain;
    /// the loop's thread.
    pub(crate) fn awake(&self) {
        let mut state = self.state();
        state.sleeping = false;
        state.pending = false;
    }

    /// Takes the oldest value: of the batch, which gets all that is queued once it is empty. The loop's
    /// thread.
    pub(crate) fn next(&self, batch: &mut Batch<T>) -> Option<T> {
        if batch.is_empty() && !self.is_empty() {
            if batch.capacity() > KEEP {
                *batch = VecDeque::new();
            }
            mem::swap(batch, &mut self.state().queue);
        }
        self.note_left(batch.pop_front())
    }

    /// Takes the oldest value, where no loop has a batch: the thread that ends it.
    pub(crate) fn pop(&self) -> Option<T> {
        let value = self.state().queue.pop_front();
        self.note_left(value)
    }

    /// There is one receiver, so that this needs no update at one stroke.
    fn note_left(&self, value: Option<T>) -> Option<T> {
        if value.is_some() {
            let left = self.left.load(Ordering::Relaxed);
            self.left.store(left + 1, Ordering::Relaxed);
        }
        value
    }

    /// How many values wait, in the queue and in the batch; on another thread than the loop's, how many
    /// did a moment ago.
    pub(crate) fn len(&self) -> usize {
        let left = self.left.load(Ordering::Relaxed);
        let queued = self.queued.load(Ordering::Acquire);
        queued.saturating_sub(left) as usize // each has its place in memory
    }

    /// Whether no value waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Refuses every later [`reserve`](Inbox::reserve): [`next`](Inbox::next) until `None` yields all
    /// that was accepted, then and for ever. May be called again. Any thread.
    pub(crate) fn close(&self) {
        self.state().closed = true;
    }

    /// Whether [`close`](Inbox::close) was called.
    #[cfg(test)]
    pub(crate) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Whatever panicked while it was locked: what is in it is whole.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_if(&self, wakes: bool) {
        if wakes {
            (self.wake)();
        }
    }
}

impl<T> Permit<'_, T> {
    /// Queues the value, and wakes the loop if it sleeps and nobody has woken it yet.
    pub(crate) fn send(self, value: T) {
        let Self { inbox, mut state } = self;
        state.queue.push_back(value);
        let queued = inbox.queued.load(Ordering::Relaxed);
        inbox.queued.store(queued + 1, Ordering::Release);
        let wakes = state.come();
        drop(state);
        inbox.wake_if(wakes);
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
