//! What any thread can ask of a loop: tasks, timers and lookups.

use super::EventLoop;
use crate::core::LocalLoop;
use crate::core::current;
use crate::core::load::Arriving;
use crate::core::lookup::DnsQuery;
use crate::core::shared::Task;
use crate::core::shared::next_id;
use crate::core::timers::TimerId;
#[cfg(feature = "cron")]
use crate::cron::{self, CronSchedule};
use crate::error::{LoopClosed, TryQueueError};
use crate::sys::clock;
use std::cell::Cell;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

impl EventLoop {
    /// Runs `f` on the loop's thread: at once if this is it, else in its next turn.
    ///
    /// # Errors
    ///
    /// The loop takes no more, as it has closed or is about to; `f` comes back.
    ///
    /// libhv: `EventLoop::runInLoop`.
    pub fn run_in_loop<F: FnOnce() + Send + 'static>(&self, f: F) -> Result<(), LoopClosed<F>> {
        if self.is_in_loop_thread() {
            // In the caller's own frame: a panic is the caller's, as with any call.
            f();
            return Ok(());
        }
        self.queue_in_loop(f)
    }

    /// Runs `f` on the loop's thread in its next task phase, never in this call. Accepted tasks run
    /// exactly once, in the order in which one thread queued them, also those queued before `run`
    /// or just before a stop. While the loop drains it takes tasks, too; but work that makes work does
    /// not keep it from its end: see [`stop`](EventLoop::stop).
    ///
    /// The only exception is a loop that is never run: its tasks are dropped with its last handle, or
    /// with the [`EventLoopThread`](crate::EventLoopThread) that was to run it. (A task that has a handle
    /// of its own loop keeps both in memory, without the loop's descriptors, unless such a thread goes.)
    ///
    /// # Errors
    ///
    /// The loop takes no more, as it has closed or is about to; `f` comes back.
    ///
    /// libhv: `EventLoop::queueInLoop`.
    pub fn queue_in_loop<F: FnOnce() + Send + 'static>(&self, f: F) -> Result<(), LoopClosed<F>> {
        match self.shared.reserve() {
            Some(permit) => {
                permit.send(Box::new(move |_: &LocalLoop| f()));
                Ok(())
            }
            None => Err(LoopClosed(f)),
        }
    }

    /// Like [`queue_in_loop`](EventLoop::queue_in_loop), with work that is in a box already, and is done where it is:
    /// what another language gives has its place there, too.
    ///
    /// # Errors
    ///
    /// The loop takes no more, as it has closed or is about to; the work comes back.
    pub fn queue_task(&self, task: Box<dyn Task>) -> Result<(), LoopClosed<Box<dyn Task>>> {
        match self.shared.reserve() {
            Some(permit) => {
                permit.send(task);
                Ok(())
            }
            None => Err(LoopClosed(task)),
        }
    }

    /// Like [`queue_in_loop`](EventLoop::queue_in_loop), unless as many tasks wait as
    /// [`LoopOptions::task_limit`](crate::LoopOptions::task_limit) allows: for senders that can be faster than
    /// the loop, which else fill the memory.
    ///
    /// # Errors
    ///
    /// `Full`: so many wait. `Closed`: the loop takes no more, as it has closed or is about to. `f` comes back.
    ///
    /// ```
    /// use hvloop_event::{EventLoop, LoopOptions, TryQueueError};
    ///
    /// let event_loop = EventLoop::with_options(LoopOptions::new().task_limit(1))?;
    /// assert!(event_loop.try_queue_in_loop(|| {}).is_ok());
    /// match event_loop.try_queue_in_loop(|| {}) {
    ///     Err(TryQueueError::Full(task)) => drop(task), // or later once more
    ///     other => panic!("{other:?}"),
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_queue_in_loop<F>(&self, f: F) -> Result<(), TryQueueError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        let limit = self.shared.options.task_limit.unwrap_or(usize::MAX);
        match self.shared.reserve() {
            // Nobody else can queue one meanwhile.
            Some(permit) if self.shared.inbox.len() < limit => {
                permit.send(Box::new(move |_: &LocalLoop| f()));
                Ok(())
            }
            Some(_) => Err(TryQueueError::Full(f)),
            None => Err(TryQueueError::Closed(f)),
        }
    }

    /// Like [`queue_in_loop`](EventLoop::queue_in_loop), with the loop as its thread sees it as an
    /// argument.
    ///
    /// # Errors
    ///
    /// The loop takes no more, as it has closed or is about to; `f` comes back.
    ///
    /// libhv: `EventLoop::postEvent`.
    pub fn post_event<F>(&self, f: F) -> Result<(), LoopClosed<F>>
    where
        F: FnOnce(&LocalLoop) + Send + 'static,
    {
        match self.shared.reserve() {
            Some(permit) => {
                permit.send(Box::new(f));
                Ok(())
            }
            None => Err(LoopClosed(f)),
        }
    }

    /// As [`run_in_loop`](EventLoop::run_in_loop), for code that needs the loop's side: at once if
    /// this is the loop's thread, else in its next turn.
    ///
    /// # Errors
    ///
    /// The loop takes no more, as it has closed or is about to; `f` was dropped.
    pub fn with_local<F>(&self, f: F) -> Result<(), LoopClosed>
    where
        F: FnOnce(&LocalLoop) + Send + 'static,
    {
        match current::find(&self.shared) {
            Some(local) => {
                f(&local);
                Ok(())
            }
            None => self.post_event(f).map_err(LoopClosed::without_value),
        }
    }

    /// Like [`post_event`](EventLoop::post_event), for a task that begins a connection: from now on it
    /// counts as one of the loop's for [`LoadBalance::LeastConnections`](crate::LoadBalance). For
    /// protocols.
    ///
    /// # Errors
    ///
    /// The loop takes no more, as it has closed or is about to; `f` comes back.
    pub fn post_connect<F>(&self, f: F) -> Result<(), LoopClosed<F>>
    where
        F: FnOnce(&LocalLoop) + Send + 'static,
    {
        let Some(permit) = self.shared.reserve() else {
            return Err(LoopClosed(f));
        };
        let arriving = Arriving::at(&self.shared);
        permit.send(Box::new(move |local: &LocalLoop| {
            local.core().registry.load.arrives_now();
            f(local);
            drop(arriving); // it is there by now, or has failed
        }));
        Ok(())
    }

    /// Calls `f` once, `delay` from now: never early, by the monotonic clock. Zero is allowed and
    /// means the next turn. The id may be used at once.
    ///
    /// # Errors
    ///
    /// The loop takes no more, as it has closed or is about to.
    ///
    /// libhv: `EventLoop::setTimeout`.
    pub fn set_timeout<F>(&self, delay: Duration, f: F) -> Result<TimerId, LoopClosed>
    where
        F: FnOnce(TimerId) + Send + 'static,
    {
        self.set_timer(delay, Some(1), once(f))
    }

    /// Calls `f` every `period`, first one period from now. The schedule is fixed: it does not
    /// drift, and turns that were missed are made up for by one call, not a burst. A period of zero
    /// means once a turn.
    ///
    /// # Errors
    ///
    /// The loop takes no more, as it has closed or is about to.
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
    /// The loop takes no more, as it has closed or is about to.
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
        let f = Box::new(f);
        if let Some(local) = current::find(&self.shared) {
            return Ok(local.arm(None, now, period, repeat, f));
        }
        let id = TimerId::apart(next_id().get());
        self.begin_as(id.raw(), move |local| {
            local.arm(Some(id), now, period, repeat, f);
        })?;
        Ok(id)
    }

    /// Begins something on the loop's thread under a name that the caller has already. If that is given up there
    /// before it arrives, `f` is dropped.
    pub(super) fn begin_as<F>(&self, name: u64, f: F) -> Result<(), LoopClosed>
    where
        F: FnOnce(&LocalLoop) + Send + 'static,
    {
        if let Some(local) = current::find(&self.shared) {
            f(&local);
            return Ok(());
        }
        self.shared.begin_arming();
        let posted = self.post_event(move |local| {
            let core = local.core();
            match core.users.given_up.arrives(&core.shared, name) {
                true => f(local),
                false => local.drop_user(f),
            }
        });
        posted.map_err(|refused| {
            self.shared.end_arming();
            refused.without_value()
        })
    }

    /// Takes a timer off. From another thread it may still fire until the loop gets to know.
    ///
    /// # Errors
    ///
    /// The loop takes no more, as it has closed or is about to, and its timers with it.
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
    /// The loop takes no more, as it has closed or is about to.
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

    /// Calls `f` at the times of a schedule, `repeat` times (`None`: for ever). What was missed, as
    /// by a machine that slept, is made up for by one call. [`kill_timer`](EventLoop::kill_timer)
    /// takes it off.
    ///
    /// # Errors
    ///
    /// The loop takes no more, as it has closed or is about to.
    ///
    /// libhv: `htimer_add_period`.
    #[cfg(feature = "cron")]
    pub fn set_cron<F>(
        &self,
        schedule: CronSchedule,
        repeat: Option<u32>,
        f: F,
    ) -> Result<TimerId, LoopClosed>
    where
        F: FnMut(TimerId) + Send + 'static,
    {
        let (wait, repeat, look) = cron::timer(schedule, repeat, f);
        self.set_timer(wait, repeat, look)
    }

    /// Looks up the addresses of `host` on a worker thread and calls `f` with them on the loop's. Any
    /// thread. An IP address is answered without asking anybody. Not called if the loop closes before; the
    /// zones of IPv6 addresses are not told. [`LocalLoop::resolve_dns`] is the same on the loop's thread, for
    /// callbacks that are not `Send`.
    ///
    /// # Errors
    ///
    /// The loop takes no more, as it has closed or is about to. That the system had no thread to give is told by `f`.
    ///
    /// libhv: `hloop_resolve_dns`; libuv: `uv_getaddrinfo`.
    pub fn resolve_dns<F>(&self, host: &str, f: F) -> Result<DnsQuery, LoopClosed>
    where
        F: FnOnce(io::Result<Vec<IpAddr>>) + Send + 'static,
    {
        let query = DnsQuery::next();
        let host = host.to_owned();
        self.begin_as(query.raw(), move |local| {
            // In a cell, to have it back if nothing is begun.
            let f = Rc::new(Cell::new(Some(f)));
            let answered = f.clone();
            let begun = local.resolve_as(query, &host, move |answer| {
                if let Some(f) = answered.take() {
                    f(answer);
                }
            });
            if let Err(e) = begun {
                local.queue_in_loop(move || {
                    if let Some(f) = f.take() {
                        f(Err(e));
                    }
                });
            }
        })?;
        Ok(query)
    }

    /// Gives a lookup up: its callback is dropped on the loop's thread. On that thread it is never called
    /// after this; from another one it may still be until the loop gets to know. Any thread.
    ///
    /// # Errors
    ///
    /// The loop takes no more, as it has closed or is about to, and its lookups with it.
    pub fn cancel_dns(&self, query: DnsQuery) -> Result<(), LoopClosed> {
        self.with_local(move |local| {
            local.cancel_dns(query);
        })
    }
}

/// The callback of a timer that fires once.
pub(crate) fn once(f: impl FnOnce(TimerId)) -> impl FnMut(TimerId) {
    let mut f = Some(f);
    move |id| {
        if let Some(f) = f.take() {
            f(id);
        }
    }
}
