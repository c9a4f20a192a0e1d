//! The way into a loop for other threads: a queue that wakes its one sleeping receiver, and that
//! can be closed without losing what it accepted.
//!
//! # Why no wake is lost
//!
//! A sender queues first and sets PENDING afterwards; the loop sets SLEEPING before it blocks, and
//! clears both before it drains. All of these change one word, so they have an order. If PENDING
//! comes before SLEEPING, [`Inbox::prepare_sleep`] sees it and the loop does not block. If it comes
//! after, the sender sees SLEEPING and wakes. If it comes before [`Inbox::awake`], the drain after
//! that sees the value; if after, PENDING stays for the next `prepare_sleep`.

use super::shim::{AtomicU64, Ordering, Queue, spin_loop, yield_now};
use std::mem;

/// Wakes the loop's thread out of its poll: makes the one that blocks now, or the next one, return. Any
/// thread; must not block for long, must not call back into the inbox, and may come when the loop has gone.
type Wake = Box<dyn Fn() + Send + Sync>;

/// Something has come since the loop last began to drain.
const PENDING: u64 = 1;
/// The loop blocks, or is about to.
const SLEEPING: u64 = 1 << 1;
/// No more permits.
const CLOSED: u64 = 1 << 2;
/// One permit that is given out and neither used nor dropped. 61 bits of them: a permit lives on
/// its thread's stack, so that the count cannot overflow.
const IN_FLIGHT: u64 = 1 << 3;
/// How often [`Inbox::close`] spins before it lets other threads run.
const SPINS: u32 = 64;

/// Work from any thread for the one thread that runs the loop. See the module.
pub(crate) struct Inbox<T> {
    word: AtomicU64,
    queue: Queue<T>,
    wake: Wake,
}

/// The right to put one value into the inbox. Dropped unused, it is given back.
///
/// [`Inbox::close`] waits for it: keep it for a few instructions, and run no code of a user's
/// meanwhile.
#[must_use = "an unused permit queues nothing"]
pub(crate) struct Permit<'a, T> {
    inbox: &'a Inbox<T>,
}

impl<T> Inbox<T> {
    /// An open, empty inbox, whose loop is woken by `wake`.
    pub(crate) fn new(wake: Wake) -> Self {
        Self {
            word: AtomicU64::new(0),
            queue: Queue::new(),
            wake,
        }
    }

    /// Asks for room for one value. `None`: closed, and the caller still owns what it wanted to
    /// send. Any thread.
    pub(crate) fn reserve(&self) -> Option<Permit<'_, T>> {
        // A closed inbox is not counted up any more: else callers that go on trying could keep
        // `close` waiting. What decides is the count below.
        if self.word.load(Ordering::Acquire) & CLOSED != 0 {
            return None;
        }
        let before = self.word.fetch_add(IN_FLIGHT, Ordering::AcqRel);
        let permit = Permit { inbox: self };
        let open = before & CLOSED == 0;
        // Refused: dropping the permit takes back what was counted.
        open.then_some(permit)
    }

    /// Makes the loop turn once more without a value: a stop, a resume, the last hold. Any thread.
    pub(crate) fn notify(&self) {
        let before = self.word.fetch_or(PENDING, Ordering::AcqRel);
        self.wake_if_first(before);
    }

    /// Announces that the loop will block. `false`: something has come, so it must not. Either way
    /// [`awake`](Inbox::awake) follows the poll. The loop's thread.
    #[must_use = "a loop that must not block would sleep through what has come"]
    pub(crate) fn prepare_sleep(&self) -> bool {
        let quiet = self.word.fetch_or(SLEEPING, Ordering::AcqRel) & PENDING == 0;
        if !quiet {
            // PENDING is set, so that nobody wakes for this SLEEPING meanwhile.
            self.word.fetch_and(!SLEEPING, Ordering::AcqRel);
        }
        quiet
    }

    /// Ends the sleep: what comes from now on is pending anew. After the poll and before the drain;
    /// the loop's thread.
    pub(crate) fn awake(&self) {
        self.word.fetch_and(!(SLEEPING | PENDING), Ordering::AcqRel);
    }

    /// Takes the oldest value. The loop's thread.
    pub(crate) fn pop(&self) -> Option<T> {
        self.queue.pop()
    }

    /// How many values wait; on another thread than the loop's, how many did a moment ago.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether no value waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Refuses every later [`reserve`](Inbox::reserve). Any thread. [`close`](Inbox::close) follows.
    pub(crate) fn refuse(&self) {
        self.word.fetch_or(CLOSED, Ordering::AcqRel);
    }

    /// Refuses every later [`reserve`](Inbox::reserve) and waits until the permits given out are
    /// used or dropped, which is a few instructions of other threads. [`pop`](Inbox::pop) until
    /// `None` yields all that was accepted, then and for ever. May be called again. The loop's
    /// thread.
    pub(crate) fn close(&self) {
        let mut word = self.word.fetch_or(CLOSED, Ordering::AcqRel);
        let mut spins = 0;
        while word >= IN_FLIGHT {
            // loom has to run another thread at once, a real machine may be luckier.
            if spins < SPINS && cfg!(not(loom)) {
                spins += 1;
                spin_loop();
            } else {
                yield_now();
            }
            word = self.word.load(Ordering::Acquire);
        }
    }

    /// Whether [`close`](Inbox::close) was called.
    #[cfg(test)]
    pub(crate) fn is_closed(&self) -> bool {
        self.word.load(Ordering::Acquire) & CLOSED != 0
    }

    /// Sets PENDING and takes one permit back, at one stroke: who sees the permit gone finds the
    /// value queued.
    fn arrive(&self) {
        let arrived = self
            .word
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                Some((word | PENDING) - IN_FLIGHT)
            });
        // The update never declines, so that both arms are the word before.
        let (Ok(before) | Err(before)) = arrived;
        self.wake_if_first(before);
    }

    /// Wakes if `before`, the word before PENDING was set, says that the loop sleeps and that
    /// nobody has woken it yet.
    fn wake_if_first(&self, before: u64) {
        let woken = before & PENDING != 0;
        if before & SLEEPING != 0 && !woken {
            (self.wake)();
        }
    }
}

impl<T> Permit<'_, T> {
    /// Queues the value, and wakes the loop if it sleeps and nobody has woken it yet.
    pub(crate) fn send(self, value: T) {
        let inbox = self.inbox;
        inbox.queue.push(value);
        // `arrive` takes the permit back; its drop must not do so again.
        mem::forget(self);
        inbox.arrive();
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        self.inbox.word.fetch_sub(IN_FLIGHT, Ordering::AcqRel);
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
