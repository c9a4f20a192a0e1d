//! The driver of the shutdown: Draining, Closing, Stopped (`docs/design.md`, section "Shutdown").

use super::entity::Role;
use super::{LocalLoop, LoopCore, lookup};
use crate::error::CloseReason;
use crate::log;
use crate::report::ShutdownReport;
use crate::sync::Phase;
use crate::sys::clock;
use std::io;
use std::time::Duration;

/// How often what ends may leave something new that has to end, too.
const LAST_ROUNDS: u32 = 1024;

impl LoopCore {
    /// Whether step 11 has something to do, so that the loop must not sleep before it.
    pub(super) fn phase_is_due(&self) -> bool {
        let gate = &self.shared.gate;
        match gate.phase() {
            Phase::Idle | Phase::Running | Phase::Paused => gate.stop_requested(),
            Phase::Draining => {
                gate.holds() == 0 || !self.drain.borrow().follows(gate.drain_timeout())
            }
            Phase::Closing | Phase::Stopped => true,
        }
    }

    /// Looks at the clock if a stop is wanted, within all work that peers can make much of. `true`: the turn
    /// has to come to its end, whatever is left to read or to write, since the drain's deadline is over, or
    /// the stop waits for that end.
    pub(crate) fn check_time(&self) -> bool {
        let gate = &self.shared.gate;
        if !gate.stop_requested() {
            return false;
        }
        let mut drain = self.drain.borrow_mut();
        drain.check_time(gate.drain_timeout(), clock::now())
    }

    /// Adds the time that a task took. While stopping, no more tasks are taken than can be run in the time
    /// that is left.
    pub(super) fn note_task_time(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.shared.counters.task_ns.add(took);
        let drain = self.drain.borrow();
        if let (Some(most), Some(deadline)) = (drain.most_tasks(), drain.deadline()) {
            let left = deadline.saturating_duration_since(self.turn.seen.get());
            self.shared.set_room(left, most);
        }
    }

    /// Whether a stop has to be noticed, or [its deadline](Self::check_deadline) is over.
    pub(super) fn check_stop(&self) -> bool {
        let stopping = self.drain.borrow().has_begun();
        match stopping {
            true => self.check_deadline(),
            false => self.shared.gate.stop_requested(),
        }
    }

    /// Follows the limit of a stop that was noticed. Whether its deadline is over, as of the last callback.
    pub(super) fn check_deadline(&self) -> bool {
        if !self.drain.borrow().has_begun() {
            return false;
        }
        self.follow_limit();
        self.drain.borrow().is_over(self.turn.latest())
    }

    /// Whether nothing is queued or put off that the end has to wait for.
    fn is_quiet(&self) -> bool {
        self.shared.inbox.is_empty() && !self.has_calls_pending()
    }

    /// Counts a turn in which only queued work is left. Whether that was the last one.
    fn count_last_turn(&self) -> bool {
        if self.shared.gate.holds() > 0 {
            return false;
        }
        let mut drain = self.drain.borrow_mut();
        drain.take_last_turn(&self.shared, self.turn.latest())
    }

    /// Counts how a connection ended, if the loop is draining.
    pub(crate) fn note_end(&self, was_open: bool, reason: &CloseReason, lost: usize) {
        self.drain.borrow_mut().note_end(was_open, reason, lost);
    }

    /// The loop cannot go on: drain with a deadline of now.
    pub(super) fn fail(&self, error: io::Error) {
        self.drain.borrow_mut().fail(error);
        self.shared.gate.request_stop(Some(Duration::ZERO));
    }

    /// Step 11. `true`: everything is closed, and the loop is to be finished.
    pub(super) fn advance_phase(&self, local: &LocalLoop) -> bool {
        let gate = &self.shared.gate;
        match gate.phase() {
            Phase::Idle | Phase::Running | Phase::Paused if gate.stop_requested() => {
                self.drain.borrow_mut().begin(clock::now());
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
        if (self.is_quiet() || self.count_last_turn()) && gate.try_close() {
            return true;
        }
        self.follow_limit();
        let due = self.drain.borrow().is_over(clock::now());
        if due {
            self.force(local);
        }
        due
    }

    /// Tells everything to finish, in the order of the contract.
    fn enter_drain(&self, local: &LocalLoop) {
        log::debug!("hvloop: loop {} is draining", self.shared.options.name);
        // Listeners first: nothing comes in any more.
        for source in self.registry.all(|role| role == Role::Source) {
            source.stop(local);
        }
        // Reconnect back-offs and the like, before any connection ends and could start one.
        for attachment in self.users.attached() {
            self.call_user("stop", || attachment.on_stop(local));
        }
        lookup::cancel_all(self);
        for connection in self.registry.all(|role| role == Role::Connection) {
            connection.stop(local);
        }
    }

    /// Sets the deadline, and moves it when `stop_with` shortened the limit. Counted from now, and not from
    /// when a turn began in which callbacks may have taken long.
    fn follow_limit(&self) {
        let mut drain = self.drain.borrow_mut();
        drain.follow_limit(self.shared.gate.drain_timeout(), clock::now);
    }

    /// The deadline: closes the rest and names it.
    fn force(&self, local: &LocalLoop) {
        let held = {
            let connections = self.registry.all(|role| role == Role::Connection);
            let sources = self.registry.all(|role| role == Role::Source);
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
        self.drain.borrow_mut().still_held(held);
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
        self.turn.ticking.set(true);
        while let Some(task) = self.next_task() {
            self.run_task(local, task, clock::now());
        }
        // Only what did not keep the loop alive is left.
        self.force_all(local, &CloseReason::Stopped);
        // What those tasks began to close, or put off. Nothing new can begin any more, so that this ends;
        // but for a handler that lets itself be refused again each time.
        for _ in 0..LAST_ROUNDS {
            if !self.has_calls_pending() {
                break;
            }
            self.run_deferred(local);
            self.run_all_closing(local);
        }
        lookup::cancel_all(self);
        let attached = self.users.attachments.borrow_mut().drain();
        for attachment in attached {
            self.call_user("end", || attachment.on_loop_end(local));
            self.drop_user(attachment);
        }
        self.drop_all();
        self.turn.ticking.set(false);
        self.turn.finished.set(true);
        self.poller.close();
        self.shared.counters.timers.set(0);
        self.drain.borrow_mut().end(clock::now())
    }

    /// Drops everything of the user's. A drop may leave something new, which then goes, too.
    fn drop_all(&self) {
        for _ in 0..LAST_ROUNDS {
            let timers = self.timers.drain();
            let idles = self.users.idles.drain();
            let deferred = std::mem::take(&mut *self.calls.deferred.borrow_mut());
            let tasks = std::mem::take(&mut *self.calls.tasks.borrow_mut());
            let local_tasks = std::mem::take(&mut *self.calls.local_tasks.borrow_mut());
            let lookups = std::mem::take(&mut *self.users.lookups.borrow_mut());
            let attachments = self.users.attachments.borrow_mut().drain();
            let context = self.users.context.borrow_mut().take();
            let dropped = [
                self.drop_each(timers),
                self.drop_each(idles),
                self.drop_each(deferred),
                self.drop_each(tasks),
                self.drop_each(local_tasks),
                self.drop_each(lookups.into_values()),
                self.drop_each(attachments),
                self.drop_each(context),
            ];
            if dropped == [0; 8] {
                break;
            }
        }
    }

    /// The loop's thread ends, or unwinds, and has not finished it: the sockets close without their
    /// callbacks, everything of the user's is dropped, and whoever waits for the loop waits no more.
    pub(crate) fn give_up(&self) {
        if self.turn.finished.replace(true) {
            return;
        }
        log::error!(
            "hvloop: loop {} ended with its thread, without a stop",
            self.shared.options.name
        );
        self.turn.ticking.set(false);
        self.turn.host_waits.set(false);
        self.shared.inbox.close();
        let entities = self.registry.entities.borrow_mut().drain();
        self.drop_each(entities);
        self.registry.closing.borrow_mut().clear();
        self.drop_all();
        self.poller.close();
        self.shared.counters.timers.set(0);
        self.shared.counters.connections.set(0);
        self.shared.close(ShutdownReport::default());
    }
}
