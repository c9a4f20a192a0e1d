//! A loop on a thread of its own.

use crate::error::{JoinError, RunError, StartError};
use crate::event_loop::EventLoop;
use crate::log;
use crate::panic::drop_payload;
use crate::report::ShutdownReport;
use crate::sync::lock;
use crate::sys::thread;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// A loop on a thread of its own.
///
/// Dropping it stops the loop and waits until everything on it is closed; on the loop's own thread,
/// which cannot wait for itself, it stops the loop and leaves the thread to end by itself. A loop that
/// somebody else runs is left alone. One that nobody has run is closed: what was queued for it is dropped.
///
/// ```
/// use hvloop_event::EventLoopThread;
///
/// let thread = EventLoopThread::new()?;
/// thread.start()?;
/// thread.event_loop().queue_in_loop(|| println!("on the loop's thread"))?;
/// thread.stop();
/// let report = thread.join()?;
/// assert!(report.is_clean());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// libhv: `hv::EventLoopThread`.
pub struct EventLoopThread {
    event_loop: EventLoop,
    state: Arc<ThreadState>,
    handle: Mutex<Option<thread::JoinHandle<()>>>,
    process: AtomicU32,
}

/// What the thread and those who wait for it share.
#[derive(Default)]
struct ThreadState {
    stage: Mutex<Stage>,
    changed: Condvar,
    /// The token of the loop's thread, 0 before it is started.
    thread: AtomicU64,
}

#[derive(Default)]
enum Stage {
    #[default]
    New,
    Starting,
    Running,
    Ended(Result<ShutdownReport, Arc<RunError>>),
}

impl Stage {
    /// Whether the loop runs, or ran, on this thread.
    fn has_the_loop(&self) -> bool {
        match self {
            Self::New => false,
            Self::Starting | Self::Running => true,
            Self::Ended(Ok(_)) => true,
            Self::Ended(Err(e)) => !matches!(**e, RunError::AlreadyRunning | RunError::Closed),
        }
    }
}

impl EventLoopThread {
    /// Makes a loop for a thread of its own; [`start`](EventLoopThread::start) starts the thread.
    ///
    /// # Errors
    ///
    /// The system has no file descriptor left.
    pub fn new() -> io::Result<Self> {
        EventLoop::new().map(Self::with_loop)
    }

    /// Uses a loop that was made before, such as with options of its own.
    #[must_use]
    pub fn with_loop(event_loop: EventLoop) -> Self {
        Self {
            event_loop,
            state: Arc::default(),
            handle: Mutex::new(None),
            process: AtomicU32::new(thread::process()),
        }
    }

    /// Starts the thread and returns when the loop runs. Any thread.
    ///
    /// # Errors
    ///
    /// It was started before, there is no thread to be had, or the loop is run by somebody else or
    /// has stopped.
    ///
    /// libhv: `EventLoopThread::start`.
    pub fn start(&self) -> Result<(), StartError> {
        self.start_with(|| {}, || {})
    }

    /// Like [`start`](EventLoopThread::start), with a hook that runs on the thread before the loop
    /// and one that runs after it. A hook that panics is logged; the loop runs all the same.
    ///
    /// # Errors
    ///
    /// As `start`.
    ///
    /// libhv: `EventLoopThread::start(wait, pre, post)`.
    pub fn start_with(
        &self,
        pre: impl FnOnce() + Send + 'static,
        post: impl FnOnce() + Send + 'static,
    ) -> Result<(), StartError> {
        {
            let mut stage = lock(&self.state.stage);
            if !matches!(*stage, Stage::New) {
                return Err(StartError::AlreadyStarted);
            }
            *stage = Stage::Starting;
        }
        self.process.store(thread::process(), Ordering::Relaxed);
        let event_loop = self.event_loop.clone();
        let state = self.state.clone();
        let stack_size = self.event_loop.shared.options.stack_size;
        let spawned = thread::spawn(self.event_loop.name(), stack_size, move || {
            state.thread.store(thread::token(), Ordering::Relaxed);
            hook("pre", pre);
            let running = || state.set(Stage::Running);
            let run = AssertUnwindSafe(|| event_loop.run_with(running));
            let result = catch_unwind(run).unwrap_or_else(|payload| {
                drop_payload(payload);
                let text = "the loop's own code panicked";
                Err(RunError::Io(io::Error::other(text)))
            });
            let result = result.map_err(Arc::new);
            hook("post", post);
            state.set(Stage::Ended(result));
        });
        match spawned {
            Ok(handle) => *lock(&self.handle) = Some(handle),
            Err(e) => {
                *lock(&self.state.stage) = Stage::New;
                return Err(StartError::Spawn(e));
            }
        }
        match &*self.state.wait(|stage| !matches!(stage, Stage::Starting)) {
            Stage::Ended(Err(e)) => Err(StartError::Run(match **e {
                RunError::AlreadyRunning => RunError::AlreadyRunning,
                RunError::InsideCallback => RunError::InsideCallback,
                RunError::Closed => RunError::Closed,
                RunError::Io(ref e) => RunError::Io(io::Error::new(e.kind(), e.to_string())),
            })),
            _ => Ok(()),
        }
    }

    /// The loop.
    ///
    /// libhv: `EventLoopThread::loop`.
    pub fn event_loop(&self) -> &EventLoop {
        &self.event_loop
    }

    /// Whether the loop runs.
    ///
    /// libhv: `EventLoopThread::isRunning`.
    pub fn is_running(&self) -> bool {
        self.event_loop.is_running()
    }

    /// Tells the loop to stop and returns at once. See [`EventLoop::stop`].
    ///
    /// libhv: `EventLoopThread::stop`.
    pub fn stop(&self) {
        self.event_loop.stop();
    }

    /// Stops the loop if this is the thread that runs it: not if that was refused.
    pub(crate) fn stop_own(&self) {
        let own = lock(&self.state.stage).has_the_loop();
        if own {
            self.event_loop.stop();
        }
    }

    /// Whether the thread, if it was started, is not that of a process which this one was forked from.
    fn is_of_this_process(&self) -> bool {
        self.process.load(Ordering::Relaxed) == thread::process()
    }

    /// Whether this is the loop's thread; also before and after the loop runs, in the hooks.
    pub(crate) fn is_current(&self) -> bool {
        self.state.thread.load(Ordering::Relaxed) == thread::token()
    }

    /// Waits until the thread has ended: every connection closed, every accepted task run, the post
    /// hook done. Does not stop the loop. May be called from several threads, and again.
    ///
    /// # Errors
    ///
    /// [`JoinError::WouldDeadlock`] on the loop's own thread; the thread was never started; this is a
    /// child made by fork, which has no such thread; the loop failed.
    ///
    /// libhv: `EventLoopThread::join`.
    pub fn join(&self) -> Result<ShutdownReport, JoinError> {
        if self.is_current() {
            return Err(JoinError::WouldDeadlock);
        }
        if !self.is_of_this_process() {
            return Err(JoinError::Forked);
        }
        if matches!(*lock(&self.state.stage), Stage::New) {
            return Err(JoinError::NotStarted);
        }
        let result = {
            let stage = self.state.wait(|stage| matches!(stage, Stage::Ended(_)));
            match &*stage {
                Stage::Ended(result) => result.clone(),
                _ => return Err(JoinError::NotStarted),
            }
        };
        // The first one to come also waits for the thread itself to be gone.
        let handle = lock(&self.handle).take();
        if let Some(Err(payload)) = handle.map(thread::JoinHandle::join) {
            log::error!("hvloop: a loop thread panicked at its end");
            drop_payload(payload);
        }
        result.map_err(|e| JoinError::Failed(Arc::from(e.to_string())))
    }
}

impl Drop for EventLoopThread {
    fn drop(&mut self) {
        if !self.is_of_this_process() {
            // In a child made by fork, which has no such thread: one of its own may have the number, and the
            // handle's drop would detach that.
            let handle = self
                .handle
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(handle.take());
            return;
        }
        if matches!(*lock(&self.state.stage), Stage::New) {
            self.event_loop.shared.abandon();
            return;
        }
        self.stop_own();
        match self.join() {
            Ok(_) | Err(JoinError::NotStarted | JoinError::WouldDeadlock) => {}
            Err(e) => log::warn!("hvloop: a loop thread ended: {e}"),
        }
    }
}

impl ThreadState {
    fn set(&self, stage: Stage) {
        *lock(&self.stage) = stage;
        self.changed.notify_all();
    }

    fn wait(&self, until: impl Fn(&Stage) -> bool) -> std::sync::MutexGuard<'_, Stage> {
        let stage = lock(&self.stage);
        self.changed
            .wait_while(stage, |stage| !until(stage))
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn hook(which: &str, f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        log::error!("hvloop: the {which} hook of a loop thread panicked");
        drop_payload(payload);
    }
}

debug_fields!(EventLoopThread, this: "event_loop" = this.event_loop);
