//! The shutdown: Draining, Closing, Stopped (`docs/design.md`, section "Shutdown").

use super::LocalLoop;
use super::LoopCore;
use super::entity::Role;
use crate::error::CloseReason;
use crate::log;
use crate::report::ShutdownReport;
use crate::sync::Phase;
use crate::sys::clock;
use std::io;
use std::time::{Duration, Instant};

/// Turns, tasks and time that a loop still has when nothing is left but work that was queued while it
/// drained: what follows from what was accepted comes to its end, and work that makes work anew, or
/// comes as fast as it is done, does not keep the loop from its own.
const LAST_TURNS: u32 = 1024;
const LAST_TASKS: usize = 4096;
const LAST_TIME: Duration = Duration::from_secs(1);

/// How long a turn goes on once it has seen that the loop is to stop.
const GRACE: Duration = Duration::from_millis(10);

/// How far the shutdown is, and what it has counted.
#[derive(Debug)]
pub(super) struct Drain {
    /// When draining began.
    began: Option<Instant>,
    /// The limit that `deadline` was made from, to see when `stop_with` shortened it.
    limit: Duration,
    /// When what is left is closed by force.
    deadline: Option<Instant>,
    made: Instant,
    /// Since when nothing is left but queued work, the turns since then, and the tasks that had run
    /// before.
    last_since: Option<Instant>,
    last_turns: u32,
    ran_before: usize,
    report: ShutdownReport,
    /// What ended the loop if it was not a stop.
    failure: Option<io::Error>,
}

impl Drain {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: None,
            limit: Duration::MAX,
            deadline: None,
            made: now,
            last_since: None,
            last_turns: 0,
            ran_before: 0,
            report: ShutdownReport::default(),
            failure: None,
        }
    }
}

impl LoopCore {
    /// When the drain closes by force what is left; `None` while not draining.
    pub(super) fn drain_deadline(&self) -> Option<Instant> {
        self.drain.borrow().deadline
    }

    /// Whether step 11 has something to do, so that the loop must not sleep before it.
    pub(super) fn phase_is_due(&self) -> bool {
        let gate = &self.shared.gate;
        match gate.phase() {
            Phase::Idle | Phase::Running | Phase::Paused => gate.stop_requested(),
            Phase::Draining => {
                gate.holds() == 0 || gate.drain_timeout() != self.drain.borrow().limit
            }
            Phase::Closing | Phase::Stopped => true,
        }
    }

    /// Whether connections are no longer taken.
    pub(crate) fn is_stopping(&self) -> bool {
        self.shared.gate.stop_requested()
            || !matches!(
                self.shared.gate.phase(),
                Phase::Idle | Phase::Running | Phase::Paused
            )
    }

    /// Whether the loop takes no calls any more: what was accepted runs, and that is the end.
    pub(crate) fn has_closed(&self) -> bool {
        matches!(self.shared.gate.phase(), Phase::Closing | Phase::Stopped)
    }

    /// Whether a turn has to come to its end, whatever is left to read or to write: the drain's deadline
    /// is over, or a stop waits for the turn to end. Looked at within all work that peers can make much of.
    pub(crate) fn must_hurry(&self) -> bool {
        let gate = &self.shared.gate;
        if !gate.stop_requested() {
            return false;
        }
        let now = clock::now();
        let (deadline, is_known) = {
            let drain = self.drain.borrow();
            let is_known = drain.began.is_some() && drain.limit == gate.drain_timeout();
            (drain.deadline, is_known)
        };
        if deadline.is_some_and(|at| now >= at) {
            return true;
        }
        if is_known {
            return false;
        }
        let at = self.hurry.get().unwrap_or(now + GRACE);
        self.hurry.set(Some(at));
        now >= at
    }

    /// Counts a task that ran while stopping.
    pub(super) fn note_task(&self) {
        let mut drain = self.drain.borrow_mut();
        if drain.began.is_some() {
            drain.report.tasks_run += 1;
        }
    }

    /// Adds the time that a task took. While stopping, no more tasks are taken than can be run in the time
    /// that is left.
    pub(super) fn note_task_time(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.shared.counters.task_ns.add(took);
        let most = match &*self.drain.borrow() {
            Drain { began: None, .. } => return,
            Drain { last_since, .. } => last_since.map_or(u64::MAX - 1, |_| LAST_TASKS as u64),
        };
        if let Some(deadline) = self.drain_deadline() {
            let left = deadline.saturating_duration_since(self.seen.get());
            self.shared.set_room(left, most);
        }
    }

    /// Whether a stop has to be noticed, or the drain's deadline.
    pub(super) fn must_move_on(&self) -> bool {
        let stopping = self.drain.borrow().began.is_some();
        match stopping {
            true => self.is_overdue(),
            false => self.shared.gate.stop_requested(),
        }
    }

    /// Whether the drain's deadline is over, as of the last callback.
    pub(super) fn is_overdue(&self) -> bool {
        if self.drain.borrow().began.is_none() {
            return false;
        }
        self.follow_limit();
        let now = self.seen.get().max(self.now());
        self.drain_deadline().is_some_and(|at| now >= at)
    }

    /// Whether nothing is left that the end has to wait for. See [`LAST_TURNS`].
    fn is_quiet(&self) -> bool {
        if self.shared.inbox.is_empty() && !self.has_calls_pending() {
            return true;
        }
        if self.shared.gate.holds() > 0 {
            return false;
        }
        let now = self.seen.get().max(self.now());
        let mut drain = self.drain.borrow_mut();
        let since = match drain.last_since {
            Some(since) => since,
            None => {
                drain.ran_before = drain.report.tasks_run;
                self.shared.set_room(LAST_TIME, LAST_TASKS as u64);
                *drain.last_since.insert(now)
            }
        };
        drain.last_turns += 1;
        drain.last_turns > LAST_TURNS
            || drain.report.tasks_run - drain.ran_before > LAST_TASKS
            || now.saturating_duration_since(since) > LAST_TIME
    }

    /// Counts how a connection ended, if the loop is draining.
    pub(crate) fn note_end(&self, was_open: bool, reason: &CloseReason, lost: usize) {
        let mut drain = self.drain.borrow_mut();
        if drain.began.is_none() {
            return;
        }
        let report = &mut drain.report;
        report.lost_bytes += lost;
        match (was_open, reason) {
            (true, CloseReason::Forced) => report.forced += 1,
            (true, reason) if reason.is_clean() => report.closed_cleanly += 1,
            (true, _) => report.failed += 1,
            (false, _) => report.aborted_connects += 1,
        }
    }

    /// The loop cannot go on: drain with a deadline of now.
    pub(super) fn fail(&self, error: io::Error) {
        self.drain.borrow_mut().failure.get_or_insert(error);
        self.shared.gate.request_stop(Some(Duration::ZERO));
    }

    /// Step 11. `true`: everything is closed, and the loop is to be finished.
    pub(super) fn advance_phase(&self, local: &LocalLoop) -> bool {
        let gate = &self.shared.gate;
        match gate.phase() {
            Phase::Idle | Phase::Running | Phase::Paused if gate.stop_requested() => {
                self.drain.borrow_mut().began = Some(clock::now());
                self.follow_limit();
                // What was accepted before the stop may be a message for a connection: it goes out
                // before the connection is told to finish. What comes later waits for its turn, and
                // so does the rest of a queue too long for the deadline: else those who go on
                // sending could put it off further.
                self.run_some_tasks(local, self.shared.inbox.len());
                gate.begin_drain();
                self.enter_drain(local);
            }
            Phase::Idle | Phase::Running | Phase::Paused => return false,
            Phase::Draining => {}
            Phase::Closing | Phase::Stopped => return true,
        }
        // All together: nothing queued, nothing to call, nobody holds.
        if self.is_quiet() && gate.try_close() {
            return true;
        }
        self.follow_limit();
        let due = self.drain_deadline().is_some_and(|at| clock::now() >= at);
        if due {
            self.force(local);
        }
        due
    }

    /// Tells everything to finish, in the order of the contract.
    fn enter_drain(&self, local: &LocalLoop) {
        log::debug!("hvloop: loop {} is draining", self.shared.options.name);
        // Listeners first: nothing comes in any more.
        for source in self.all(|role| role == Role::Source) {
            source.stop(local);
        }
        // Reconnect back-offs and the like, before any connection ends and could start one.
        let attached = {
            let attachments = self.attachments.borrow();
            attachments
                .keys()
                .into_iter()
                .filter_map(|key| attachments.get(key).cloned())
                .collect::<Vec<_>>()
        };
        for attachment in attached {
            self.call_user("stop", || attachment.on_stop(local));
        }
        self.cancel_lookups();
        for connection in self.all(|role| role == Role::Connection) {
            connection.stop(local);
        }
    }

    /// Sets the deadline, and moves it when `stop_with` shortened the limit. Never later than it
    /// was. Counted from now, and not from when a turn began in which callbacks may have taken long.
    fn follow_limit(&self) {
        let limit = self.shared.gate.drain_timeout();
        self.hurry.set(None);
        let mut drain = self.drain.borrow_mut();
        if limit != drain.limit {
            drain.limit = limit;
            let at = clock::now().checked_add(limit);
            drain.deadline = match (drain.deadline, at) {
                (Some(old), Some(new)) => Some(old.min(new)),
                (old, new) => old.or(new),
            };
        }
    }

    /// The deadline: closes the rest and names it.
    fn force(&self, local: &LocalLoop) {
        let held = {
            let connections = self.all(|role| role == Role::Connection);
            let sources = self.all(|role| role == Role::Source);
            let left = connections.iter().chain(&sources);
            left.filter(|entity| !entity.place().is_closing())
                .map(|entity| entity.describe())
                .chain(self.shared.hold_names())
                .collect::<Vec<_>>()
        };
        if !held.is_empty() {
            log::warn!(
                "hvloop: loop {} closes by force at its deadline: {}",
                self.shared.options.name,
                held.join(", ")
            );
        }
        self.drain.borrow_mut().report.still_held = held;
        self.force_all(local, &CloseReason::Forced);
        self.run_all_closing(local);
        self.shared.gate.force_close();
    }

    /// After the last turn: closes the inbox, runs what it accepted, and drops every closure of
    /// the user's on this thread.
    ///
    /// # Errors
    ///
    /// What made the loop fail, if it did not end by a stop.
    pub(crate) fn finish(&self, local: &LocalLoop) -> io::Result<ShutdownReport> {
        self.shared.inbox.close();
        self.ticking.set(true);
        while let Some(task) = self.shared.inbox.pop() {
            self.run_task(local, task);
        }
        // Only what did not keep the loop alive is left.
        self.force_all(local, &CloseReason::Stopped);
        // What those tasks began to close, or put off. Nothing new can begin any more, so that this ends;
        // but for a handler that lets itself be refused again each time.
        for _ in 0..LAST_TURNS {
            if !self.has_calls_pending() {
                break;
            }
            self.run_deferred(local);
            self.run_all_closing(local);
        }
        self.cancel_lookups();
        let attached = self.attachments.borrow_mut().drain();
        for attachment in attached {
            self.call_user("end", || attachment.on_loop_end(local));
            self.drop_user(attachment);
        }
        self.drop_all();
        self.ticking.set(false);
        self.finished.set(true);
        drop(self.poller.borrow_mut().take());
        self.shared.counters.timers.set(0);
        let mut drain = self.drain.borrow_mut();
        let since = drain.began.unwrap_or(drain.made);
        let elapsed = clock::now().saturating_duration_since(since);
        drain.report.elapsed = elapsed;
        match drain.failure.take() {
            Some(error) => Err(error),
            None => Ok(drain.report.clone()),
        }
    }

    /// Drops everything of the user's. A drop may leave something new, which then goes, too.
    fn drop_all(&self) {
        for _ in 0..LAST_TURNS {
            let timers = self.timers.borrow_mut().drain();
            let idles = self.idles.borrow_mut().drain();
            let deferred = std::mem::take(&mut *self.deferred.borrow_mut());
            let tasks = std::mem::take(&mut *self.local_tasks.borrow_mut());
            let lookups = self.lookups.borrow_mut().drain();
            let attachments = self.attachments.borrow_mut().drain();
            let context = self.context.borrow_mut().take();
            let empty = timers.is_empty()
                && idles.is_empty()
                && deferred.is_empty()
                && tasks.is_empty()
                && lookups.is_empty()
                && attachments.is_empty()
                && context.is_none();
            if empty {
                break;
            }
            self.drop_each(timers);
            self.drop_each(idles);
            self.drop_each(deferred);
            self.drop_each(tasks);
            self.drop_each(lookups);
            self.drop_each(attachments);
            self.drop_user(context);
        }
    }

    /// The loop's thread ends, or unwinds, and has not finished it: the sockets close without their
    /// callbacks, everything of the user's is dropped, and whoever waits for the loop waits no more.
    pub(crate) fn give_up(&self) {
        if self.finished.replace(true) {
            return;
        }
        log::error!(
            "hvloop: loop {} ended with its thread, without a stop",
            self.shared.options.name
        );
        self.ticking.set(false);
        self.host_waits.set(false);
        self.shared.inbox.close();
        let entities = self.entities.borrow_mut().drain();
        self.drop_each(entities);
        self.closing.borrow_mut().clear();
        self.drop_all();
        drop(self.poller.borrow_mut().take());
        self.shared.counters.timers.set(0);
        self.shared.counters.connections.set(0);
        self.shared.close(ShutdownReport::default());
    }
}
