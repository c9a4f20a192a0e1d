//! The gate: the loop's phase, the stop latch and the count of holds.

use super::shim::{AtomicU64, Condvar, Mutex, Ordering};
use std::fmt;
use std::time::Duration;

/// Where a loop is in its life; it only moves forward, but between Running and Paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Not run yet.
    Idle,
    /// A thread runs it.
    Running,
    /// A thread runs it, but no callback runs until it is resumed.
    Paused,
    /// It was told to stop: connections finish.
    Draining,
    /// Every connection is closed; accepted tasks run.
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

const IDLE: u64 = 0;
const RUNNING: u64 = 1;
const DRAINING: u64 = 2;
const CLOSING: u64 = 3;
const STOPPED: u64 = 4;
const PHASE: u64 = 0b111;
/// Latched by `request_stop`; nothing clears it.
const STOP: u64 = 1 << 3;
const PAUSE: u64 = 1 << 4;
/// One hold. 56 bits of them: more than any machine has file descriptors, or memory for `Hold`s.
const HOLD: u64 = 1 << 8;

/// See the module. One word; every edge is one read-modify-write.
pub(crate) struct Gate {
    word: AtomicU64,
    /// The token of the thread that runs the loop, 0 for none; published before the phase says
    /// Running.
    owner: AtomicU64,
    /// How long a drain may take, in nanoseconds. Only ever shortened.
    limit: AtomicU64,
    stopped: Mutex<bool>,
    told: Condvar,
}

/// Why a thread may not run the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BeginRunError {
    /// Another one does.
    AlreadyRunning,
    /// It has stopped.
    Closed,
}

/// What giving a hold back asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Released {
    /// Nothing.
    Quiet,
    /// That was the last hold of a draining loop: wake it.
    WakeLoop,
}

impl Released {
    pub(crate) fn must_wake(self) -> bool {
        self == Self::WakeLoop
    }
}

impl Gate {
    pub(crate) fn new(drain_limit: Duration) -> Self {
        Self {
            word: AtomicU64::new(IDLE),
            owner: AtomicU64::new(0),
            limit: AtomicU64::new(nanos(drain_limit)),
            stopped: Mutex::new(false),
            told: Condvar::new(),
        }
    }

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

    /// Latches the stop; `limit` shortens the time for the drain. `true`: the first time.
    pub(crate) fn request_stop(&self, limit: Option<Duration>) -> bool {
        if let Some(limit) = limit {
            self.limit.fetch_min(nanos(limit), Ordering::AcqRel);
        }
        self.word.fetch_or(STOP, Ordering::AcqRel) & STOP == 0
    }

    pub(crate) fn stop_requested(&self) -> bool {
        self.word.load(Ordering::Acquire) & STOP != 0
    }

    pub(crate) fn drain_limit(&self) -> Duration {
        Duration::from_nanos(self.limit.load(Ordering::Acquire))
    }

    /// `true`: it was not paused. Nothing is paused once a stop is wanted.
    pub(crate) fn pause(&self) -> bool {
        self.change(|word| {
            let may = word & (STOP | PAUSE) == 0 && word & PHASE <= RUNNING;
            may.then_some(word | PAUSE)
        })
        .is_ok()
    }

    /// `true`: it was paused.
    pub(crate) fn resume(&self) -> bool {
        self.word.fetch_and(!PAUSE, Ordering::AcqRel) & PAUSE != 0
    }

    /// Makes the thread the loop's owner. A stop that came before stays.
    pub(crate) fn begin_run(&self, owner: u64) -> Result<(), BeginRunError> {
        // The owner first: whoever sees Running sees it. Only one thread gets past this.
        #[cfg(not(hvloop_mutant = "owner_after_phase"))]
        self.take_ownership(owner)?;
        let run = self.change(|word| match word & PHASE {
            #[cfg(hvloop_mutant = "run_clears_stop")]
            IDLE => Some((word & !STOP) | RUNNING),
            #[cfg(not(hvloop_mutant = "run_clears_stop"))]
            IDLE => Some(word | RUNNING),
            _ => None,
        });
        #[cfg(hvloop_mutant = "owner_after_phase")]
        self.take_ownership(owner)?;
        run.map(drop).map_err(|_| BeginRunError::AlreadyRunning)
    }

    fn take_ownership(&self, owner: u64) -> Result<(), BeginRunError> {
        if self.phase() == Phase::Stopped {
            return Err(BeginRunError::Closed);
        }
        let taken = self
            .owner
            .compare_exchange(0, owner, Ordering::AcqRel, Ordering::Acquire);
        if taken.is_err() {
            return Err(BeginRunError::AlreadyRunning);
        }
        // It may have run and stopped in between: then it stays stopped.
        if self.phase() == Phase::Stopped {
            self.owner.store(0, Ordering::Release);
            return Err(BeginRunError::Closed);
        }
        Ok(())
    }

    /// The token of the loop's thread, 0 for none.
    pub(crate) fn owner(&self) -> u64 {
        self.owner.load(Ordering::Acquire)
    }

    /// Running to Draining. The loop's thread.
    pub(crate) fn begin_drain(&self) {
        let drained = self.change(|word| {
            let running = word & PHASE == RUNNING;
            running.then_some((word & !(PHASE | PAUSE)) | DRAINING)
        });
        debug_assert!(drained.is_ok(), "drained in phase {}", self.phase());
    }

    /// Takes a hold; `false` from Closing on. Any thread.
    pub(crate) fn acquire(&self) -> bool {
        self.change(|word| (word & PHASE < CLOSING).then_some(word + HOLD))
            .is_ok()
    }

    /// Gives a hold back. Any thread, also after the loop has closed in spite of it.
    pub(crate) fn release(&self) -> Released {
        let before = self.word.fetch_sub(HOLD, Ordering::AcqRel);
        debug_assert!(before >= HOLD, "a hold was released twice");
        let last = before / HOLD == 1 && before & PHASE == DRAINING;
        if last && cfg!(not(hvloop_mutant = "release_does_not_wake")) {
            Released::WakeLoop
        } else {
            Released::Quiet
        }
    }

    pub(crate) fn holds(&self) -> u64 {
        self.word.load(Ordering::Acquire) / HOLD
    }

    /// Draining to Closing if there is no hold, at one stroke. The loop's thread.
    pub(crate) fn try_close(&self) -> bool {
        self.change(|word| {
            let may = word & PHASE == DRAINING && word < HOLD;
            may.then_some((word & !PHASE) | CLOSING)
        })
        .is_ok()
    }

    /// Draining to Closing whatever the holds; returns how many were left. The loop's thread.
    pub(crate) fn force_close(&self) -> u64 {
        let before = self.change(|word| Some((word & !PHASE) | CLOSING));
        before.unwrap_or_else(|word| word) / HOLD
    }

    /// To Stopped: the loop has no owner any more, and whoever waits wakes. The loop's thread.
    pub(crate) fn finish(&self) {
        // The phase first: who sees no owner must not take the loop for one that may be run.
        let _before = self.change(|word| Some((word & !(PHASE | PAUSE)) | STOPPED | STOP));
        self.owner.store(0, Ordering::Release);
        *self.lock_stopped() = true;
        self.told.notify_all();
    }

    /// Waits for [`finish`](Gate::finish); `false`: `timeout` was over before.
    pub(crate) fn wait_stopped(&self, timeout: Option<Duration>) -> bool {
        let mut stopped = self.lock_stopped();
        match timeout {
            None => {
                while !*stopped {
                    stopped = match self.told.wait(stopped) {
                        Ok(stopped) => stopped,
                        Err(poisoned) => poisoned.into_inner(),
                    };
                }
                true
            }
            #[cfg(not(loom))]
            Some(timeout) => {
                let waited = self.told.wait_timeout_while(stopped, timeout, |s| !*s);
                match waited {
                    Ok((stopped, _)) => *stopped,
                    Err(poisoned) => *poisoned.into_inner().0,
                }
            }
            #[cfg(loom)]
            Some(_) => *stopped,
        }
    }

    fn lock_stopped(&self) -> super::shim::MutexGuard<'_, bool> {
        match self.stopped.lock() {
            Ok(stopped) => stopped,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// One edge: `to` gives the next word, or `None` to leave it. `Ok` and `Err` have the word
    /// before.
    fn change(&self, to: impl FnMut(u64) -> Option<u64>) -> Result<u64, u64> {
        self.word
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, to)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn gate() -> Gate {
        Gate::new(Duration::from_secs(5))
    }

    #[test]
    fn a_whole_life() {
        let gate = gate();
        assert_eq!(gate.phase(), Phase::Idle);
        assert_eq!(gate.begin_run(7), Ok(()));
        assert_eq!((gate.owner(), gate.phase()), (7, Phase::Running));
        assert_eq!(gate.begin_run(8), Err(BeginRunError::AlreadyRunning));
        assert!(gate.pause() && !gate.pause());
        assert_eq!(gate.phase(), Phase::Paused);
        assert!(gate.resume() && !gate.resume());
        assert!(gate.acquire());
        assert!(gate.request_stop(None) && !gate.request_stop(None));
        assert!(!gate.pause(), "not once a stop is wanted");
        gate.begin_drain();
        assert!(!gate.try_close(), "held");
        assert!(gate.acquire());
        assert_eq!(gate.release(), Released::Quiet);
        assert_eq!(gate.release(), Released::WakeLoop);
        assert!(gate.try_close());
        assert!(!gate.acquire());
        gate.finish();
        assert_eq!((gate.owner(), gate.phase()), (0, Phase::Stopped));
        assert_eq!(gate.begin_run(7), Err(BeginRunError::Closed));
        assert!(gate.wait_stopped(None));
    }

    #[test]
    fn a_stop_before_the_run_stays() {
        let gate = gate();
        assert!(gate.request_stop(None));
        assert_eq!(gate.begin_run(1), Ok(()));
        assert!(gate.stop_requested());
    }

    #[test]
    fn a_forced_close_leaves_holds_that_may_still_go() {
        let gate = gate();
        assert_eq!(gate.begin_run(1), Ok(()));
        assert!(gate.acquire() && gate.acquire());
        gate.request_stop(None);
        gate.begin_drain();
        assert_eq!(gate.force_close(), 2);
        assert_eq!(gate.release(), Released::Quiet);
        gate.finish();
        assert_eq!(gate.release(), Released::Quiet);
        assert_eq!((gate.holds(), gate.phase()), (0, Phase::Stopped));
    }

    #[test]
    fn the_limit_is_only_shortened() {
        let gate = gate();
        gate.request_stop(Some(Duration::from_secs(9)));
        assert_eq!(gate.drain_limit(), Duration::from_secs(5));
        gate.request_stop(Some(Duration::ZERO));
        gate.request_stop(Some(Duration::from_secs(1)));
        assert_eq!(gate.drain_limit(), Duration::ZERO);
    }

    #[test]
    fn waiting_has_its_time() {
        let gate = gate();
        assert!(!gate.wait_stopped(Some(Duration::ZERO)));
        gate.finish();
        assert!(gate.wait_stopped(Some(Duration::ZERO)));
    }

    const _: () = {
        const fn send_sync<T: Send + Sync>() {}
        send_sync::<Gate>();
        send_sync::<super::super::Inbox<Box<dyn FnOnce() + Send>>>();
    };
}
