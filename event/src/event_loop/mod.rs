//! The handle of a loop.

mod tasks;

pub(crate) use self::tasks::once;

use crate::core::LocalLoop;
use crate::core::LoopCore;
use crate::core::current;
use crate::core::idle::IdleId;
use crate::core::shared::{LoopId, LoopShared};
use crate::error::{LoopClosed, RunError};
use crate::hold::Hold;
use crate::metrics::Metrics;
use crate::options::LoopOptions;
use crate::report::ShutdownReport;
use crate::sync::{BeginRunError, Phase};
use crate::sys::thread;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// An event loop: one thread runs it, every callback runs on that thread, and other threads hand
/// work over. This is a handle; clones name the same loop, and all of its methods may be called
/// from any thread.
///
/// The thread that calls [`run`](EventLoop::run) is the loop's thread until `run` returns. A loop
/// runs once: after a stop it stays stopped.
///
/// ```
/// use hvloop_event::EventLoop;
/// use std::time::Duration;
///
/// let event_loop = EventLoop::new()?;
/// let handle = event_loop.clone();
/// event_loop.set_timeout(Duration::from_millis(10), move |_| handle.stop())?;
/// let report = event_loop.run()?;
/// assert!(report.is_clean());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// libhv: `hv::EventLoop`.
#[derive(Clone)]
pub struct EventLoop {
    pub(crate) shared: Arc<LoopShared>,
}

/// What a turn of [`EventLoop::run_once`] left behind: one of two, of which there will be no more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Turn {
    /// The loop goes on: call again.
    Continue,
    /// The loop has stopped.
    Stopped(ShutdownReport),
}

impl EventLoop {
    /// Makes a loop with the default [`LoopOptions`].
    ///
    /// # Errors
    ///
    /// The system has no file descriptor left.
    pub fn new() -> io::Result<Self> {
        Self::with_options(LoopOptions::new())
    }

    /// Makes a loop.
    ///
    /// # Errors
    ///
    /// The system has no file descriptor left.
    pub fn with_options(options: LoopOptions) -> io::Result<Self> {
        LoopShared::new(options).map(Self::from_shared)
    }

    pub(crate) fn from_shared(shared: Arc<LoopShared>) -> Self {
        Self { shared }
    }

    /// Runs the loop on this thread until it is stopped, everything on it is closed, and every
    /// accepted task has run. A `stop()` that came first is kept: then `run` finishes what was
    /// attached and returns.
    ///
    /// When it has returned, no callback runs any more and no file descriptor of the loop is open.
    ///
    /// # Errors
    ///
    /// The loop runs already, has stopped, or cannot be set up; or this is a callback of a loop.
    ///
    /// libhv: `EventLoop::run`, `hloop_run`.
    pub fn run(&self) -> Result<ShutdownReport, RunError> {
        self.run_with(|| {})
    }

    /// `run`, telling when this thread has become the loop's.
    pub(crate) fn run_with(&self, running: impl FnOnce()) -> Result<ShutdownReport, RunError> {
        let local = self.local_or_enter()?;
        let whole = Unwinding(&self.shared);
        running();
        while !local.core().turn(&local, None) {}
        let left = self.leave(local);
        std::mem::forget(whole);
        left
    }

    /// Turns the loop once, waiting at most `timeout` for something to do (`None`: without limit).
    /// For hosts that drive the loop themselves: this thread becomes the loop's thread with the
    /// first call and stays it. Call until [`Turn::Stopped`].
    ///
    /// # Errors
    ///
    /// As [`run`](EventLoop::run); the loop belongs to another thread.
    pub fn run_once(&self, timeout: Option<Duration>) -> Result<Turn, RunError> {
        let local = self.local_or_enter()?;
        let whole = Unwinding(&self.shared);
        let turned = match local.core().turn(&local, timeout) {
            true => self.leave(local).map(Turn::Stopped),
            false => Ok(Turn::Continue),
        };
        std::mem::forget(whole);
        turned
    }

    /// This thread's half of the loop, which it may own already by `run_once`.
    fn local_or_enter(&self) -> Result<LocalLoop, RunError> {
        if current::ticking().is_some() {
            return Err(RunError::InsideCallback);
        }
        match current::find(&self.shared) {
            Some(local) => Ok(local),
            None => self.enter(),
        }
    }

    /// Makes this thread the loop's.
    fn enter(&self) -> Result<LocalLoop, RunError> {
        match self.shared.gate.begin_run(thread::token()) {
            Ok(()) => {}
            Err(BeginRunError::AlreadyRunning) => return Err(RunError::AlreadyRunning),
            Err(BeginRunError::Closed) => return Err(RunError::Closed),
        }
        // I1: only the thread that won `begin_run` gets here, and it does so once.
        let poller = self.shared.take_poller();
        match poller.and_then(|poller| LoopCore::new(self.shared.clone(), poller)) {
            Ok(core) => {
                let core = Rc::new(core);
                current::own(core.clone());
                Ok(LocalLoop::new(core))
            }
            Err(e) => {
                self.shared.close(ShutdownReport::default());
                Err(RunError::Io(e))
            }
        }
    }

    /// Ends the loop on its thread: what was accepted runs, closures drop, waiters wake.
    fn leave(&self, local: LocalLoop) -> Result<ShutdownReport, RunError> {
        let result = local.core().finish(&local);
        current::disown(&self.shared);
        drop(local);
        let report = result.as_ref().cloned().unwrap_or_default();
        self.shared.close(report);
        result.map_err(RunError::Io)
    }

    /// Tells the loop to stop: every connection finishes (or is closed by force at the deadline of
    /// [`LoopOptions::drain_timeout`]), then `run` returns. Never blocks; may be called from any
    /// thread and any callback, any number of times, before, while and after the loop runs. It is
    /// never lost and cannot be taken back.
    ///
    /// Tasks that were accepted before the stop run, and so do those that are accepted while the loop
    /// drains. They keep it from its end for a short while at the most (1,024 turns, 4,096 tasks or one
    /// second) once nothing else does; and if more wait than can be run until the deadline, the loop
    /// takes no more. What is not taken comes back to its sender.
    ///
    /// libhv: `EventLoop::stop`, `hloop_stop`.
    pub fn stop(&self) {
        self.shared.stop(None);
    }

    /// Like [`stop`](EventLoop::stop), with at most `timeout` for the connections to finish, counted
    /// from when the loop notices; zero closes by force at once. Shortens the time of a stop that
    /// is under way; never lengthens it.
    pub fn stop_with(&self, timeout: Duration) {
        self.shared.stop(Some(timeout));
    }

    /// Blocks until the loop has stopped, or `timeout` is over (`None`: without limit). `true`: it
    /// has stopped. On the loop's own thread, which would wait for itself, it answers at once.
    pub fn wait_stopped(&self, timeout: Option<Duration>) -> bool {
        if self.is_in_loop_thread() {
            return self.status() == Phase::Stopped;
        }
        self.shared.gate.wait_stopped(timeout)
    }

    /// The report of the stop, once the loop has stopped.
    pub fn report(&self) -> Option<ShutdownReport> {
        self.shared.report()
    }

    /// Halts the loop: no callback runs until [`resume`](EventLoop::resume) or a stop. What comes
    /// in meanwhile, tasks included, waits. Does nothing once the loop is stopping.
    ///
    /// libhv: `EventLoop::pause`, `hloop_pause`.
    pub fn pause(&self) {
        if self.shared.gate.pause() {
            self.shared.inbox.notify();
        }
    }

    /// Lets a paused loop go on.
    ///
    /// libhv: `EventLoop::resume`, `hloop_resume`.
    pub fn resume(&self) {
        if self.shared.gate.resume() {
            self.shared.inbox.notify();
        }
    }

    /// Where the loop is in its life.
    ///
    /// libhv: `EventLoop::status`.
    pub fn status(&self) -> Phase {
        self.shared.gate.phase()
    }

    /// Whether a thread runs the loop: running, paused or on its way out.
    ///
    /// libhv: `EventLoop::isRunning`.
    pub fn is_running(&self) -> bool {
        !matches!(self.status(), Phase::Idle | Phase::Stopped)
    }

    /// Whether the loop was told to stop, or has stopped: it takes no connections any more.
    pub fn is_stopping(&self) -> bool {
        self.shared.gate.stop_requested() || self.status() == Phase::Stopped
    }

    /// Whether this is the loop's thread. `false` everywhere while nobody runs the loop.
    ///
    /// libhv: `EventLoop::isInLoopThread`.
    pub fn is_in_loop_thread(&self) -> bool {
        self.shared.gate.owner() == thread::token()
    }

    /// Asserts that this is the loop's thread.
    ///
    /// # Panics
    ///
    /// On any other thread: that is what it is for.
    ///
    /// libhv: `EventLoop::assertInLoopThread`.
    #[track_caller]
    pub fn assert_in_loop_thread(&self) {
        assert!(
            self.is_in_loop_thread(),
            "not on the thread of event loop {}",
            self.shared.options.name
        );
    }

    /// The loop whose callback is running on this thread, if any. Makes nothing.
    pub fn current() -> Option<LocalLoop> {
        current::ticking()
    }

    /// This loop as this thread sees it, if it is the loop's thread. Also works between two calls
    /// of [`run_once`](EventLoop::run_once).
    pub fn local(&self) -> Option<LocalLoop> {
        current::find(&self.shared)
    }

    /// Whether both handles name the same loop.
    pub fn same_loop(&self, other: &EventLoop) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Calls `f` once each time the loop has nothing to do. See [`LocalLoop::set_idle`]. The id may be used at
    /// once.
    ///
    /// # Errors
    ///
    /// The loop is closed.
    ///
    /// libhv: `hidle_add`.
    pub fn set_idle<F>(&self, repeat: Option<u32>, f: F) -> Result<IdleId, LoopClosed>
    where
        F: FnMut(IdleId) + Send + 'static,
    {
        let id = IdleId::next();
        self.begin_as(id.raw(), move |local| local.set_idle_as(id, repeat, f))?;
        Ok(id)
    }

    /// Takes an idle callback off. From another thread it may still be called until the loop gets to know.
    ///
    /// # Errors
    ///
    /// The loop is closed, and its idle callbacks with it.
    ///
    /// libhv: `hidle_del`.
    pub fn kill_idle(&self, id: IdleId) -> Result<(), LoopClosed> {
        self.with_local(move |local| {
            local.kill_idle(id);
        })
    }

    /// What the loop is called, for tables of what belongs to loops: no other loop of the process has it, also
    /// when this one has gone.
    pub fn id(&self) -> LoopId {
        self.shared.id
    }

    /// Keeps a stopping loop draining until the [`Hold`] is dropped or the deadline passes; for
    /// work elsewhere that will come back to the loop. `name` is what the report calls it.
    ///
    /// # Errors
    ///
    /// The loop is closed.
    pub fn hold(&self, name: &str) -> Result<Hold, LoopClosed> {
        Hold::new(&self.shared, name).ok_or(LoopClosed(()))
    }

    /// Reads the loop's counters.
    pub fn metrics(&self) -> Metrics {
        self.shared.metrics()
    }

    /// The loop's name, from [`LoopOptions::name`].
    pub fn name(&self) -> &str {
        &self.shared.options.name
    }
}

/// Dropped by a panic that leaves the loop's own code, for which no callback can be the reason: it ends
/// the loop, so that nobody waits for it.
struct Unwinding<'a>(&'a Arc<LoopShared>);

impl Drop for Unwinding<'_> {
    fn drop(&mut self) {
        current::give_up(self.0);
    }
}

#[cfg(not(hvloop_sim))]
impl Drop for EventLoop {
    fn drop(&mut self) {
        self.shared.park();
    }
}

debug_fields!(EventLoop, this: "name" = this.shared.options.name, "status" = this.status());
