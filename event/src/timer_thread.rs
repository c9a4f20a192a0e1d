//! Timers on a thread of their own.

use crate::error::{JoinError, StartError};
use crate::event_loop::EventLoop;
use crate::event_loop_thread::EventLoopThread;
use crate::report::ShutdownReport;
use std::io;
use std::ops::Deref;

/// Timers on a thread of their own, for programs that have no loop. It has the methods of the
/// [`EventLoop`] there, such as [`set_timeout`](EventLoop::set_timeout) and [`stop`](EventLoop::stop):
/// they may be called from any thread; callbacks run on the timers' thread. Dropping it takes the timers
/// off and ends the thread.
///
/// ```
/// use hvloop_event::TimerThread;
/// use std::time::Duration;
///
/// let timers = TimerThread::new()?;
/// let (tell, told) = std::sync::mpsc::channel();
/// timers.set_timeout(Duration::from_millis(1), move |_| tell.send(()).unwrap_or_default())?;
/// assert_eq!(told.recv(), Ok(()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// libhv: `hv::TimerThread`.
#[derive(Debug)]
pub struct TimerThread {
    thread: EventLoopThread,
}

impl TimerThread {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// The system has no file descriptor, or no thread, to give.
    pub fn new() -> io::Result<Self> {
        let thread = EventLoopThread::new()?;
        match thread.start() {
            Ok(()) => Ok(Self { thread }),
            Err(StartError::Spawn(e)) => Err(e),
            Err(e) => Err(io::Error::other(e)),
        }
    }

    /// Waits until the thread has ended. See [`EventLoopThread::join`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn join(&self) -> Result<ShutdownReport, JoinError> {
        self.thread.join()
    }
}

/// The timers' loop.
impl Deref for TimerThread {
    type Target = EventLoop;

    fn deref(&self) -> &EventLoop {
        self.thread.event_loop()
    }
}
