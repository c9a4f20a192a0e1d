//! Several loops, each on a thread of its own.

use crate::error::{JoinError, StartError};
use crate::event_loop::EventLoop;
use crate::event_loop_thread::EventLoopThread;
use crate::load_balance::{Chooser, LoadBalance};
use crate::options::LoopOptions;
use crate::report::ShutdownReport;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// Several loops, each on a thread of its own, and a choice among them for new work.
///
/// The loops are there from the beginning, so that clients can be put on them before
/// [`start`](EventLoopThreadPool::start). Dropping the pool stops all loops that it started side by side
/// and waits for them; on a thread of one of its loops, that one is left to end by itself. See
/// [`EventLoopThread`] for loops that it did not start.
///
/// ```
/// use hvloop_event::{EventLoopThreadPool, LoadBalance};
///
/// let pool = EventLoopThreadPool::with_threads(2)?;
/// pool.start()?;
/// let event_loop = pool.next_loop(LoadBalance::RoundRobin);
/// event_loop.queue_in_loop(|| println!("on one of the two threads"))?;
/// pool.stop();
/// assert!(pool.join()?.iter().all(|report| report.is_clean()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// libhv: `hv::EventLoopThreadPool`.
pub struct EventLoopThreadPool {
    threads: Vec<EventLoopThread>,
    chooser: Chooser,
}

impl EventLoopThreadPool {
    /// As many loops as the machine runs threads at the same time.
    ///
    /// # Errors
    ///
    /// The system had no file descriptors for the loops' pollers.
    pub fn new() -> io::Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::with_threads(threads)
    }

    /// So many loops, with the default options.
    ///
    /// # Errors
    ///
    /// As [`new`](EventLoopThreadPool::new); or `threads` is zero
    /// ([`io::ErrorKind::InvalidInput`]).
    ///
    /// libhv: `EventLoopThreadPool(threadNum)`, `setThreadNum`.
    pub fn with_threads(threads: usize) -> io::Result<Self> {
        Self::with_options(threads, &LoopOptions::new())
    }

    /// So many loops with those options; each has its number behind its name.
    ///
    /// # Errors
    ///
    /// As [`with_threads`](EventLoopThreadPool::with_threads).
    pub fn with_options(threads: usize, options: &LoopOptions) -> io::Result<Self> {
        if threads == 0 {
            let text = "a pool has at least one thread";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let make = |n| {
            let name = format!("{}-{n}", options.name);
            let options = options.clone().name(&name);
            EventLoop::with_options(options).map(EventLoopThread::with_loop)
        };
        Ok(Self {
            threads: (0..threads).map(make).collect::<io::Result<_>>()?,
            chooser: Chooser::default(),
        })
    }

    /// How many loops there are. Any thread.
    ///
    /// libhv: `threadNum`.
    pub fn thread_num(&self) -> usize {
        self.threads.len()
    }

    /// Starts all threads and returns when every loop runs.
    ///
    /// # Errors
    ///
    /// The pool was started before, or a thread could not be started; then those that were are
    /// stopped again.
    ///
    /// libhv: `start(true)`.
    pub fn start(&self) -> Result<(), StartError> {
        self.start_with(|_| {}, |_| {})
    }

    /// Like [`start`](EventLoopThreadPool::start); each thread calls `pre` with its number before
    /// its loop runs, and `post` after it has stopped.
    ///
    /// # Errors
    ///
    /// As `start`.
    ///
    /// libhv: `start(true, pre, post)`.
    pub fn start_with(
        &self,
        pre: impl Fn(usize) + Send + Sync + 'static,
        post: impl Fn(usize) + Send + Sync + 'static,
    ) -> Result<(), StartError> {
        let (pre, post) = (Arc::new(pre), Arc::new(post));
        for (n, thread) in self.threads.iter().enumerate() {
            let (pre, post) = (pre.clone(), post.clone());
            let started = thread.start_with(move || pre(n), move || post(n));
            if let Err(e) = started {
                // A second start() must not stop what the first one started.
                if !matches!(e, StartError::AlreadyStarted) {
                    self.stop_own();
                }
                return Err(e);
            }
        }
        Ok(())
    }

    /// Like [`start_with`](EventLoopThreadPool::start_with), with each thread bound to a CPU of its
    /// own, as far as there are as many: thread n to the n-th that the process may use. Where the
    /// system does not let a thread be bound, that is logged and it runs all the same.
    ///
    /// # Errors
    ///
    /// As [`start`](EventLoopThreadPool::start).
    #[cfg(feature = "affinity")]
    pub fn start_pinned(
        &self,
        pre: impl Fn(usize) + Send + Sync + 'static,
        post: impl Fn(usize) + Send + Sync + 'static,
    ) -> Result<(), StartError> {
        let pinned = move |n| {
            if !crate::sys::thread::pin(n) {
                crate::log::warn!("hvloop: thread {n} of a pool is not bound to a CPU");
            }
            pre(n);
        };
        self.start_with(pinned, post)
    }

    /// The loop for the next piece of work, one that runs if there is any: see [`LoadBalance`]. Any
    /// thread.
    ///
    /// libhv: `nextLoop(lb)`.
    pub fn next_loop(&self, balance: LoadBalance) -> &EventLoop {
        let at = |n: usize| self.threads[n].event_loop();
        at(self.chooser.choose(balance, self.threads.len(), at))
    }

    /// The loop of that number, from 0. Any thread.
    ///
    /// libhv: `loop(idx)`.
    pub fn event_loop(&self, n: usize) -> Option<&EventLoop> {
        self.threads.get(n).map(EventLoopThread::event_loop)
    }

    /// All loops, by number.
    pub fn event_loops(&self) -> impl Iterator<Item = &EventLoop> {
        self.threads.iter().map(EventLoopThread::event_loop)
    }

    /// Whether any of the loops runs.
    ///
    /// libhv: `isRunning`.
    pub fn is_running(&self) -> bool {
        self.threads.iter().any(EventLoopThread::is_running)
    }

    /// Stops all loops: they drain side by side, each within its own deadline. Never blocks; any
    /// thread, any number of times, also before [`start`](EventLoopThreadPool::start), whose loops
    /// then drain and end at once.
    ///
    /// libhv: `stop`.
    pub fn stop(&self) {
        self.event_loops().for_each(EventLoop::stop);
    }

    /// Stops the loops that run on the pool's own threads.
    fn stop_own(&self) {
        self.threads.iter().for_each(EventLoopThread::stop_own);
    }

    /// Like [`stop`](EventLoopThreadPool::stop), with a time-out for the drain of each loop.
    pub fn stop_with(&self, timeout: Duration) {
        self.event_loops().for_each(|at| at.stop_with(timeout));
    }

    /// Waits until every loop has stopped, and returns their reports by number. May be called by
    /// several threads.
    ///
    /// # Errors
    ///
    /// The pool was never started; this is a thread of one of its loops; or a loop ended with an
    /// error, which is told when all have ended.
    ///
    /// libhv: `join`.
    pub fn join(&self) -> Result<Vec<ShutdownReport>, JoinError> {
        if self.threads.iter().any(EventLoopThread::is_current) {
            return Err(JoinError::WouldDeadlock);
        }
        let results: Vec<_> = self.threads.iter().map(EventLoopThread::join).collect();
        results.into_iter().collect()
    }
}

impl Drop for EventLoopThreadPool {
    fn drop(&mut self) {
        // All before any is waited for, which the drop of each thread does.
        self.stop_own();
    }
}

debug_fields!(EventLoopThreadPool, this: "threads" = this.threads);
