//! What can be set about a loop.

use crate::sys::{Resolver, SystemResolver};
use std::sync::Arc;
use std::time::Duration;

/// Options of an [`EventLoop`](crate::EventLoop), for
/// [`EventLoop::with_options`](crate::EventLoop::with_options).
///
/// ```
/// use hvloop_event::{EventLoop, LoopOptions};
/// use std::time::Duration;
///
/// let options = LoopOptions::new().drain_timeout(Duration::from_secs(2));
/// let event_loop = EventLoop::with_options(options)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct LoopOptions {
    pub(crate) name: Arc<str>,
    pub(crate) drain_timeout: Duration,
    pub(crate) slow_callback: Option<Duration>,
    pub(crate) memory_limit: Option<usize>,
    pub(crate) task_limit: Option<usize>,
    pub(crate) stack_size: Option<usize>,
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) seed: Option<u64>,
}

impl LoopOptions {
    /// The defaults: named "hvloop", 5 s to drain, a warning for callbacks over 100 ms, the
    /// system's resolver.
    pub fn new() -> Self {
        Self {
            name: Arc::from("hvloop"),
            drain_timeout: Duration::from_secs(5),
            slow_callback: Some(Duration::from_millis(100)),
            memory_limit: Some(1 << 30),
            task_limit: None,
            stack_size: None,
            resolver: Arc::new(SystemResolver),
            seed: None,
        }
    }

    /// The loop's name, in log lines and as the name of an
    /// [`EventLoopThread`](crate::EventLoopThread)'s thread.
    pub fn name(mut self, name: &str) -> Self {
        // A NUL cannot be part of a thread's name.
        self.name = Arc::from(name.replace('\0', " "));
        self
    }

    setters! {
        /// How long a stopping loop lets its connections finish before it closes the rest by force.
        /// Default 5 s; zero: force at once.
        drain_timeout(timeout: Duration) => drain_timeout;

        /// Callbacks that run longer than this are named in a warning in the log; `None`: no warning.
        /// Default 100 ms. Those of one read of a connection are timed together, and so are the tasks of a
        /// long queue, some at a time: the warning then has their number and the name of the last one.
        slow_callback(threshold: impl Into<Option<Duration>>) => slow_callback;

        /// How many bytes of memory the loop's connections may hold together: send queues (as large as their
        /// buffers are; the bytes of a broadcast once), messages of which not all has come, and what a pause
        /// holds back. Over it the greediest are closed until a sixteenth of it is free: a WebSocket with 1009
        /// for an unfinished message and 1008 for what is held back, and at once for its send queue, behind
        /// which no Close would get anywhere; a [`Channel`](crate::Channel) with
        /// [`CloseReason::MemoryLimit`](crate::CloseReason::MemoryLimit). The log names them, and
        /// [`Metrics::memory_closes`](crate::Metrics::memory_closes) counts them. `None`: no limit. Default
        /// 1 GiB, of each loop of a pool.
        ///
        /// Messages that other threads send count from when the loop has taken them. Not counted are the state
        /// of TLS and of compression, and what is bounded by small fixed limits.
        memory_limit(bytes: impl Into<Option<usize>>) => memory_limit;

        /// How many tasks may wait before [`try_queue_in_loop`](crate::EventLoop::try_queue_in_loop) refuses
        /// more; the other calls do not look at it, as they have nobody to tell. `None`: no limit, the default.
        task_limit(tasks: impl Into<Option<usize>>) => task_limit;
        /// The stack of the thread that an [`EventLoopThread`](crate::EventLoopThread), of a pool, too, starts for
        /// the loop, in bytes; the system may round it up. For callbacks that put a lot there, as those of
        /// foreign languages may. What the system cannot give is an error of `start`. `None`, the default: what
        /// std gives its threads, which is 2 MiB, or `RUST_MIN_STACK`. Means nothing to a loop that a thread of
        /// yours runs.
        stack_size(bytes: impl Into<Option<usize>>) => stack_size;

        /// Who looks up host names, on threads of the loop's own. Default: the system
        /// (`getaddrinfo`).
        resolver(resolver: Arc<dyn Resolver>) => resolver;

        /// Seeds the loop's random numbers (reconnect jitter, WebSocket masks), so that a test can be
        /// repeated. **For tests only**: masks that can be foreseen take away what RFC 6455 section 5.3
        /// wants of them. Default: seeded by the operating system.
        dangerous_seed(seed: u64) => seed;
    }
}

impl Default for LoopOptions {
    fn default() -> Self {
        Self::new()
    }
}

debug_fields!(LoopOptions, this:
    "name" = this.name,
    "drain_timeout" = this.drain_timeout,
    "slow_callback" = this.slow_callback,
);
