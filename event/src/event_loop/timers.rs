//! Timers, from any thread.

use super::EventLoop;
use crate::core::current;
use crate::core::timers::TimerId;
use crate::error::LoopClosed;
use crate::sys::clock;
use std::time::Duration;

impl EventLoop {
    /// Calls `f` once, `delay` from now: never early, by the monotonic clock. Zero is allowed and
    /// means the next turn. The id may be used at once.
    ///
    /// # Errors
    ///
    /// The loop is closed.
    ///
    /// libhv: `EventLoop::setTimeout`.
    pub fn set_timeout<F>(&self, delay: Duration, f: F) -> Result<TimerId, LoopClosed>
    where
        F: FnOnce(TimerId) + Send + 'static,
    {
        let mut f = Some(f);
        self.set_timer(delay, Some(1), move |id| {
            if let Some(f) = f.take() {
                f(id);
            }
        })
    }

    /// Calls `f` every `period`, first one period from now. The schedule is fixed: it does not
    /// drift, and turns that were missed are made up for by one call, not a burst. A period of zero
    /// means once a turn.
    ///
    /// # Errors
    ///
    /// The loop is closed.
    ///
    /// libhv: `EventLoop::setInterval`.
    pub fn set_interval<F>(&self, period: Duration, f: F) -> Result<TimerId, LoopClosed>
    where
        F: FnMut(TimerId) + Send + 'static,
    {
        self.set_timer(period, None, f)
    }

    /// Calls `f` every `period`, `repeat` times (`None`: for ever).
    ///
    /// # Errors
    ///
    /// The loop is closed.
    ///
    /// libhv: `EventLoop::setTimer`.
    pub fn set_timer<F>(
        &self,
        period: Duration,
        repeat: Option<u32>,
        f: F,
    ) -> Result<TimerId, LoopClosed>
    where
        F: FnMut(TimerId) + Send + 'static,
    {
        let now = clock::now();
        let id = self.shared.next_timer_id();
        let f = Box::new(f);
        match current::find(&self.shared) {
            Some(local) => local.arm(id, now, period, repeat, f),
            None => {
                self.shared.begin_arming();
                let posted = self.post_event(move |local| {
                    if local.core().arrives(id) {
                        local.arm(id, now, period, repeat, f);
                    } else {
                        local.drop_user(f);
                    }
                });
                posted.map_err(|refused| {
                    self.shared.end_arming();
                    refused.without_value()
                })?;
            }
        }
        Ok(id)
    }

    /// Takes a timer off. From another thread it may still fire until the loop gets to know.
    ///
    /// # Errors
    ///
    /// The loop is closed, and its timers are gone anyway.
    ///
    /// libhv: `EventLoop::killTimer`.
    pub fn kill_timer(&self, id: TimerId) -> Result<(), LoopClosed> {
        self.with_local(move |local| {
            local.kill_timer(id);
        })
    }

    /// Lets a timer count from now again, with a new period if one is given.
    ///
    /// # Errors
    ///
    /// The loop is closed.
    ///
    /// libhv: `EventLoop::resetTimer`.
    pub fn reset_timer(&self, id: TimerId, period: Option<Duration>) -> Result<(), LoopClosed> {
        let here = current::find(&self.shared);
        if here.is_some_and(|local| local.reset_timer(id, period) || !self.shared.is_arming()) {
            return Ok(());
        }
        // From another thread, or of a timer that is on its way from one: behind it, then.
        self.post_event(move |local| {
            local.reset_timer(id, period);
        })
        .map_err(LoopClosed::without_value)
    }
}
