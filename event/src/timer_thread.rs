//! Timers on a thread of their own.

use crate::core::timers::TimerId;
use crate::error::{JoinError, LoopClosed, StartError};
use crate::event_loop::EventLoop;
use crate::event_loop_thread::EventLoopThread;
use crate::report::ShutdownReport;
use std::io;
use std::time::Duration;

/// Timers on a thread of their own, for programs that have no loop. Its calls may come from any
/// thread; callbacks run on the timers' thread. Dropping it takes the timers off and ends the
/// thread.
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

    /// See [`EventLoop::set_timeout`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn set_timeout<F>(&self, delay: Duration, f: F) -> Result<TimerId, LoopClosed>
    where
        F: FnOnce(TimerId) + Send + 'static,
    {
        self.event_loop().set_timeout(delay, f)
    }

    /// See [`EventLoop::set_interval`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn set_interval<F>(&self, period: Duration, f: F) -> Result<TimerId, LoopClosed>
    where
        F: FnMut(TimerId) + Send + 'static,
    {
        self.event_loop().set_interval(period, f)
    }

    /// See [`EventLoop::set_timer`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn set_timer<F>(
        &self,
        period: Duration,
        repeat: Option<u32>,
        f: F,
    ) -> Result<TimerId, LoopClosed>
    where
        F: FnMut(TimerId) + Send + 'static,
    {
        self.event_loop().set_timer(period, repeat, f)
    }

    /// See [`EventLoop::kill_timer`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn kill_timer(&self, id: TimerId) -> Result<(), LoopClosed> {
        self.event_loop().kill_timer(id)
    }

    /// See [`EventLoop::reset_timer`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn reset_timer(&self, id: TimerId, period: Option<Duration>) -> Result<(), LoopClosed> {
        self.event_loop().reset_timer(id, period)
    }

    /// The loop on that thread.
    pub fn event_loop(&self) -> &EventLoop {
        self.thread.event_loop()
    }

    /// Takes all timers off and lets the thread end. See [`EventLoopThread::stop`].
    pub fn stop(&self) {
        self.thread.stop();
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

const _: () = {
    const fn send_sync<T: Send + Sync>() {}
    send_sync::<TimerThread>();
};
