//! The gate: a loop's phase, its stop latch and its count of holds.
//!
//! # The word
//!
//! Phase, stop, pause and holds share one word, so that "no hold is left and it drains" is one
//! read, and "so it closes" is one write that fails if a hold was taken in between. Every edge of
//! the life is one named method:
//!
//! ```text
//! Idle --begin_run--> Running <--pause, resume--> Paused
//!      Running, Paused --begin_drain--> Draining --try_close, force_close--> Closing
//!      any --finish--> Stopped
//! ```
//!
//! The owner is a second word. It is written before the phase says Running and cleared after the
//! phase says Stopped, so that whoever sees a phase in between sees an owner.

use super::shim::{AtomicU64, Condvar, Mutex, MutexGuard, Ordering};
use std::fmt;
use std::sync::PoisonError;
use std::time::Duration;

/// Where a loop is in its life. It only moves forward, but for Running and Paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// No thread has run it yet.
    Idle,
    /// A thread runs it.
    Running,
    /// A thread runs it, but no callback runs until it is resumed or stopped.
    Paused,
    /// It was told to stop: connections finish.
    Draining,
    /// Every connection is closed; what was accepted before runs.
    Closing,
    /// It has stopped, for good.
    Stopped,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Draining => "draining",
            Self::Closing => "closing",
            Self::Stopped => "stopped",
        })
    }
}

/// The bits of the phase; Paused is RUNNING with PAUSE.
const PHASE: u64 = 0b111;
const IDLE: u64 = 0;
const RUNNING: u64 = 1;
const DRAINING: u64 = 2;
const CLOSING: u64 = 3;
const STOPPED: u64 = 4;
/// Latched by `request_stop`; nothing clears it.
const STOP: u64 = 1 << 3;
/// Set by `pause`, also before the run; cleared by `resume` and when draining begins.
const PAUSE: u64 = 1 << 4;
/// One hold. 56 bits of them: each hold is a value that its owner keeps in memory, and there is no
/// memory for 2^56 of them, so that the count cannot overflow.
const HOLD: u64 = 1 << 8;
/// The owner while no thread runs the loop.
const NOBODY: u64 = 0;

/// What every handle of a loop asks before it does anything, and what ends the loop. See the
/// module. Methods are for any thread unless they say "the loop's thread".
pub(crate) struct Gate {
    word: AtomicU64,
    /// The token of the thread that runs the loop, or [`NOBODY`].
    owner: AtomicU64,
    /// How long a drain may take, in nanoseconds. Only ever shortened.
    drain_timeout: AtomicU64,
    stopped: Mutex<bool>,
    told: Condvar,
}

/// Why a thread may not run the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BeginRunError {
    /// Another thread does, or this one already.
    AlreadyRunning,
    /// It has stopped, for good.
    Closed,
}

impl Gate {
    /// The gate of a loop that has not run; its drain takes at most `drain_timeout`.
    pub(crate) fn new(drain_timeout: Duration) -> Self {
        Self {
            word: AtomicU64::new(IDLE),
            owner: AtomicU64::new(NOBODY),
            drain_timeout: AtomicU64::new(nanos(drain_timeout)),
            stopped: Mutex::new(false),
            told: Condvar::new(),
        }
    }

    /// Where the loop is; on another thread than the loop's, where it was a moment ago.
    pub(crate) fn phase(&self) -> Phase {
        let word = self.word.load(Ordering::Acquire);
        match word & PHASE {
            IDLE => Phase::Idle,
            RUNNING if word & PAUSE != 0 => Phase::Paused,
            RUNNING => Phase::Running,
            DRAINING => Phase::Draining,
            CLOSING => Phase::Closing,
            _ => Phase::Stopped,
        }
    }

    /// Latches the stop, in any phase; `limit` shortens the drain's limit and never lengthens it.
    /// `true`: the first stop. The caller then wakes the loop.
    pub(crate) fn request_stop(&self, limit: Option<Duration>) -> bool {
        // The limit first: who sees the stop sees it.
        if let Some(limit) = limit {
            self.drain_timeout.fetch_min(nanos(limit), Ordering::AcqRel);
        }
        self.word.fetch_or(STOP, Ordering::AcqRel) & STOP == 0
    }

    /// Whether a stop was requested.
    pub(crate) fn stop_requested(&self) -> bool {
        self.word.load(Ordering::Acquire) & STOP != 0
    }

    /// How long the drain may take, from when it begins. May still become shorter.
    pub(crate) fn drain_timeout(&self) -> Duration {
        Duration::from_nanos(self.drain_timeout.load(Ordering::Acquire))
    }

    /// Idle or Running: pauses. `true`: it was not paused, and is now. Nothing pauses once a stop
    /// was requested.
    pub(crate) fn pause(&self) -> bool {
        self.change(|word| {
            let may = word & (STOP | PAUSE) == 0 && word & PHASE <= RUNNING;
            may.then_some(word | PAUSE)
        })
        .is_ok()
    }

    /// Ends a pause. `true`: it was paused, and is not now. Once a stop was requested it is the
    /// stop that ends the pause, and this does nothing.
    pub(crate) fn resume(&self) -> bool {
        self.change(|word| (word & (STOP | PAUSE) == PAUSE).then_some(word & !PAUSE))
            .is_ok()
    }

    /// Idle to Running (or Paused): the calling thread, whose token is `owner` and not zero, owns
    /// the loop until [`finish`](Gate::finish). A stop that came before stays requested.
    ///
    /// # Errors
    ///
    /// Another thread owns it, or it has stopped.
    pub(crate) fn begin_run(&self, owner: u64) -> Result<(), BeginRunError> {
        debug_assert_ne!(owner, NOBODY, "a thread's token is not zero");
        if self.phase() == Phase::Stopped {
            return Err(BeginRunError::Closed);
        }
        // Only one thread at a time gets past this.
        self.owner
            .compare_exchange(NOBODY, owner, Ordering::AcqRel, Ordering::Acquire)
            .map_err(|_| BeginRunError::AlreadyRunning)?;
        self.idle_to_running().inspect_err(|_| {
            // Its owner finished it since the look above: there is no owner for ever.
            self.owner.store(NOBODY, Ordering::Release);
        })
    }

    /// The calling thread owns a loop that nobody runs, to end it by [`finish`](Gate::finish) without
    /// running it. `false`: another thread owns it, or it has stopped.
    pub(crate) fn claim(&self, owner: u64) -> bool {
        debug_assert_ne!(owner, NOBODY, "a thread's token is not zero");
        let claimed =
            self.owner
                .compare_exchange(NOBODY, owner, Ordering::AcqRel, Ordering::Acquire);
        if claimed.is_err() {
            return false;
        }
        // Without an owner it is Idle or Stopped, and with this one it stays so.
        let idle = self.phase() == Phase::Idle;
        if !idle {
            self.owner.store(NOBODY, Ordering::Release);
        }
        idle
    }

    /// The phase's part of `begin_run`. It is Stopped if it is not Idle: only a thread that found
    /// no owner gets here.
    fn idle_to_running(&self) -> Result<(), BeginRunError> {
        self.change(|word| (word & PHASE == IDLE).then_some(word | RUNNING))
            .map(drop)
            .map_err(|_| BeginRunError::Closed)
    }

    /// The token of the thread that runs the loop; 0: none does. A thread that finds its own token
    /// here is the loop's.
    pub(crate) fn owner(&self) -> u64 {
        self.owner.load(Ordering::Acquire)
    }

    /// Running or Paused to Draining. The loop's thread, once a stop was requested.
    pub(crate) fn begin_drain(&self) {
        let begun = self.change(|word| {
            let runs = word & PHASE == RUNNING;
            runs.then_some((word & !(PHASE | PAUSE)) | DRAINING)
        });
        debug_assert!(begun.is_ok(), "began to drain when {}", self.phase());
    }

    /// Takes a hold: the loop does not close until it is released, or the drain's limit is over.
    /// `false`, and nothing was taken, from Closing on.
    pub(crate) fn acquire(&self) -> bool {
        self.change(|word| (word & PHASE < CLOSING).then_some(word + HOLD))
            .is_ok()
    }

    /// Gives a hold back, once for each [`acquire`](Gate::acquire) that answered `true`; also when
    /// the loop has closed in spite of it. `true`: that was the last hold of a draining loop, which is to be
    /// woken, so that it can close.
    #[must_use = "a draining loop whose last hold has gone must be woken"]
    pub(crate) fn release(&self) -> bool {
        let Ok(before) = self.change(|word| word.checked_sub(HOLD)) else {
            debug_assert!(false, "a hold was released that nobody has");
            return false;
        };
        before / HOLD == 1 && before & PHASE == DRAINING
    }

    /// How many holds there are; on another thread than the loop's, were a moment ago.
    pub(crate) fn holds(&self) -> u64 {
        self.word.load(Ordering::Acquire) / HOLD
    }

    /// Draining to Closing if there is no hold, at one stroke. `false`: nothing has changed. The
    /// loop's thread.
    pub(crate) fn try_close(&self) -> bool {
        self.change(|word| {
            let may = word & PHASE == DRAINING && word / HOLD == 0;
            may.then_some((word & !PHASE) | CLOSING)
        })
        .is_ok()
    }

    /// Draining to Closing whatever the holds; how many were left. They may still be released, to
    /// no effect. The loop's thread.
    pub(crate) fn force_close(&self) -> u64 {
        let closed = self.change(|word| {
            let drains = word & PHASE == DRAINING;
            drains.then_some((word & !PHASE) | CLOSING)
        });
        debug_assert!(closed.is_ok(), "closed by force when {}", self.phase());
        let (Ok(before) | Err(before)) = closed;
        before / HOLD
    }

    /// To Stopped, from any phase: there is no owner any more, and who waits wakes. The loop's
    /// thread.
    pub(crate) fn finish(&self) {
        let stop = |word| Some((word & !(PHASE | PAUSE)) | STOPPED);
        let (Ok(_before) | Err(_before)) = self.change(stop);
        // After the phase: a thread that finds no owner must not find it Idle or Running.
        self.owner.store(NOBODY, Ordering::Release);
        *self.lock_stopped() = true;
        self.told.notify_all();
    }

    /// Blocks until [`finish`](Gate::finish), or until `timeout` is over (`None`: without limit).
    /// `true`: it has stopped. Any thread but the loop's, which would wait for itself.
    pub(crate) fn wait_stopped(&self, timeout: Option<Duration>) -> bool {
        let mut stopped = self.lock_stopped();
        let Some(timeout) = timeout else {
            while !*stopped {
                stopped = self
                    .told
                    .wait(stopped)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            return true;
        };
        self.wait_for(stopped, timeout)
    }

    #[cfg(not(loom))]
    fn wait_for(&self, stopped: MutexGuard<'_, bool>, timeout: Duration) -> bool {
        let waited = self
            .told
            .wait_timeout_while(stopped, timeout, |stopped| !*stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// loom has no clock: the timeout is over at once.
    #[cfg(loom)]
    fn wait_for(&self, stopped: MutexGuard<'_, bool>, _timeout: Duration) -> bool {
        *stopped
    }

    /// Nothing that can panic runs under this lock, so that a poisoned one is as good as any.
    fn lock_stopped(&self) -> MutexGuard<'_, bool> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One edge: `to` gives the next word, or `None` to leave it. Both `Ok` and `Err` hold the word
    /// before.
    fn change(&self, to: impl FnMut(u64) -> Option<u64>) -> Result<u64, u64> {
        self.word
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, to)
    }
}

/// Nanoseconds; more than 584 years are 584 years.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(all(test, not(loom)))]
mod tests;
