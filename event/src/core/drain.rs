//! How far a shutdown is, and what it has counted. Reads no clock of its own.

use super::shared::LoopShared;
use crate::error::CloseReason;
use crate::report::ShutdownReport;
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

/// See the module.
#[derive(Debug)]
pub(super) struct Drain {
    /// When draining began.
    began: Option<Instant>,
    /// The limit that `deadline` was made from, to see when `stop_with` shortened it.
    limit: Duration,
    /// When what is left is closed by force.
    deadline: Option<Instant>,
    /// When a turn in which a stop is asked for, or a shorter limit, comes to its end.
    hurry: Option<Instant>,
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
            hurry: None,
            made: now,
            last_since: None,
            last_turns: 0,
            ran_before: 0,
            report: ShutdownReport::default(),
            failure: None,
        }
    }

    /// The loop has noticed that it is to stop.
    pub(super) fn begin(&mut self, now: Instant) {
        self.began = Some(now);
    }

    pub(super) fn has_begun(&self) -> bool {
        self.began.is_some()
    }

    /// When what is left is closed by force; `None` while not draining.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether the deadline is over.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|at| now >= at)
    }

    /// Whether the deadline is that of this limit.
    pub(super) fn follows(&self, limit: Duration) -> bool {
        self.limit == limit
    }

    /// Sets the deadline, and moves it if the limit was shortened. Never later than it was.
    pub(super) fn follow_limit(&mut self, limit: Duration, clock: impl FnOnce() -> Instant) {
        self.hurry = None;
        if !self.follows(limit) {
            self.limit = limit;
            let at = clock().checked_add(limit);
            self.deadline = match (self.deadline, at) {
                (Some(old), Some(new)) => Some(old.min(new)),
                (old, new) => old.or(new),
            };
        }
    }

    /// A turn looks at the clock, as a stop is wanted: whether it has to come to its end. The first look
    /// that finds a stop, or a limit, that is not followed yet gives it a moment.
    pub(super) fn check_time(&mut self, limit: Duration, now: Instant) -> bool {
        if self.is_over(now) {
            return true;
        }
        if self.has_begun() && self.follows(limit) {
            return false;
        }
        now >= *self.hurry.get_or_insert(now + GRACE)
    }

    /// Counts a task that ran while stopping.
    pub(super) fn note_task(&mut self) {
        if self.has_begun() {
            self.report.tasks_run += 1;
        }
    }

    /// How many tasks may wait at the most, once draining has begun.
    pub(super) fn most_tasks(&self) -> Option<u64> {
        let most = self.last_since.map_or(u64::MAX - 1, |_| LAST_TASKS as u64);
        self.has_begun().then_some(most)
    }

    /// A turn in which nothing is left but queued work. Whether that was the last one: see [`LAST_TURNS`].
    pub(super) fn take_last_turn(&mut self, shared: &LoopShared, now: Instant) -> bool {
        let since = match self.last_since {
            Some(since) => since,
            None => {
                self.ran_before = self.report.tasks_run;
                shared.set_room(LAST_TIME, LAST_TASKS as u64);
                *self.last_since.insert(now)
            }
        };
        self.last_turns += 1;
        self.last_turns > LAST_TURNS
            || self.report.tasks_run - self.ran_before > LAST_TASKS
            || now.saturating_duration_since(since) > LAST_TIME
    }

    /// Counts how a connection ended, while draining.
    pub(super) fn note_end(&mut self, was_open: bool, reason: &CloseReason, lost: usize) {
        if !self.has_begun() {
            return;
        }
        let report = &mut self.report;
        report.lost_bytes += lost;
        match (was_open, reason) {
            (true, CloseReason::Forced) => report.forced += 1,
            (true, reason) if reason.is_clean() => report.closed_cleanly += 1,
            (true, _) => report.failed += 1,
            (false, _) => report.aborted_connects += 1,
        }
    }

    /// What the deadline closed by force.
    pub(super) fn still_held(&mut self, held: Vec<String>) {
        self.report.still_held = held;
    }

    /// What keeps the loop from going on.
    pub(super) fn fail(&mut self, error: io::Error) {
        self.failure.get_or_insert(error);
    }

    /// The end: what is told of it.
    ///
    /// # Errors
    ///
    /// What made the loop fail, if it did not end by a stop.
    pub(super) fn end(&mut self, now: Instant) -> io::Result<ShutdownReport> {
        let since = self.began.unwrap_or(self.made);
        self.report.elapsed = now.saturating_duration_since(since);
        match self.failure.take() {
            Some(error) => Err(error),
            None => Ok(self.report.clone()),
        }
    }
}
