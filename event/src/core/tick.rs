//! One turn of the loop. The numbered steps are part of the API: see `docs/design.md`, section
//! "The tick".

use super::calls::Deferred;
use super::entity::{Entity, Role};
use super::loop_timers::TimerAction;
use super::shared::Task;
use super::{LocalLoop, LoopCore, memory, registry, shares};
use crate::error::CloseReason;
use crate::log;
use crate::sync::Phase;
use crate::sys::{Key, Wait, clock};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Tasks run in one tick; the rest waits for the next one, behind I/O and timers.
const TASK_BATCH: usize = 1024;
/// Tasks that may run, and the time that they may take, between two looks at the drain's deadline.
const TASKS_A_LOOK: usize = 64;
const A_MOMENT: Duration = Duration::from_millis(10);
/// Tasks of many that are timed together.
const TASKS_TIMED: usize = 8;
/// How much of what takes long is done in one tick: a TLS handshake may cost a millisecond of CPU time.
const COSTLY: usize = 8;
/// Deferred calls run in one tick.
const DEFERRED_BATCH: usize = 4096;

impl LoopCore {
    /// Turns once, blocking in the poll for at most `limit` (`None`: until there is something to
    /// do). `true`: the loop has closed and this was its last turn.
    pub(crate) fn turn(&self, local: &LocalLoop, limit: Option<Duration>) -> bool {
        self.turn.host_waits.set(false);
        self.turn.ticking.set(true);
        let closed = self.steps(local, limit);
        self.turn.ticking.set(false);
        #[cfg(hvloop_sim)]
        if let Err(broken) = super::invariants::check(self) {
            crate::sys::sim::World::here().violation(broken);
        }
        closed
    }

    fn steps(&self, local: &LocalLoop, limit: Option<Duration>) -> bool {
        let stopping = self.shared.gate.stop_requested();
        if self.shared.gate.phase() != Phase::Paused || stopping {
            self.run_idle();
        }
        // 1, 2
        self.poll(limit);
        // 3
        self.turn.now.set(clock::now());
        self.shared.counters.ticks.add(1);
        let stopping = self.shared.gate.stop_requested();
        if self.shared.gate.phase() == Phase::Paused && !stopping {
            self.stash_events();
            return false;
        }
        // 4
        self.run_tasks(local);
        // 5, 6
        self.run_io(local);
        // 7
        self.run_timers(local);
        // 8
        self.run_deferred(local);
        // 9
        self.flush_dirty(local);
        memory::relieve(local);
        shares::relieve(local);
        // 10
        self.run_closing(local);
        self.memory.end_turn(&self.shared, &self.buffers);
        shares::end_turn(local);
        // 11
        self.advance_phase(local)
    }

    /// Before step 1: calls each idle callback once, if there is nothing else to do.
    fn run_idle(&self) {
        let idles = &self.users.idles;
        if idles.is_empty() || self.has_work() || !self.shared.inbox.is_empty() {
            return;
        }
        for id in idles.ids() {
            let Some(mut callback) = idles.take(id) else {
                continue; // killed by one before
            };
            self.call_user("idle", || callback(id));
            let ended = idles.put_back(id, callback);
            self.drop_user(ended);
        }
    }

    /// For a host that waits in its own poll: how long it may, before it lets the loop turn
    /// (`None`: without limit). From now on what other threads send makes the poller's descriptor
    /// readable, and so does what this thread itself does.
    pub(crate) fn prepare_wait(&self) -> Option<Duration> {
        let (wait, may_sleep) = self.begin_wait(None, self.poller.may_have_more());
        self.turn.host_waits.set(may_sleep);
        wait.left()
    }

    /// How long to wait for something to do, at most `limit`, and whether that is a sleep, which what other
    /// threads send ends. Not if there is something to do; nothing is to be done while the loop is paused.
    fn begin_wait(&self, limit: Option<Duration>, more: bool) -> (Wait, bool) {
        let gate = &self.shared.gate;
        let paused = gate.phase() == Phase::Paused && !gate.stop_requested();
        let wait = match paused {
            true => Wait::new(None, limit),
            false if more || self.has_work() => Wait::No,
            false => Wait::new(self.next_deadline(), limit),
        };
        match wait != Wait::No && self.shared.inbox.prepare_sleep() {
            true => (wait, true),
            false => (Wait::No, false),
        }
    }

    /// Steps 1 and 2: how long to sleep, and the sleep.
    fn poll(&self, limit: Option<Duration>) {
        let (wait, _) = self.begin_wait(limit, false);
        let polled = self.poller.poll(wait);
        self.shared.inbox.awake();
        if let Err(e) = polled {
            // Without a poller no connection can finish: close all by force.
            log::error!("hvloop: loop {} cannot poll: {e}", self.shared.options.name);
            self.fail(e);
        }
    }

    /// Whether there is something to do without waiting.
    pub(super) fn has_work(&self) -> bool {
        self.turn.tasks_left.get()
            || self.registry.has_work()
            || !self.calls.is_empty()
            || self.memory.has_work()
            || self.shares.has_work()
            || self.phase_is_due()
    }

    /// When the next timer is due, the drain is to end, or spare buffers are looked at.
    fn next_deadline(&self) -> Option<Instant> {
        let timer = self.timers.next_deadline();
        let drain = self.drain.borrow().deadline();
        [timer, drain, self.buffers.trim(self.turn.latest())]
            .into_iter()
            .flatten()
            .min()
    }

    /// Paused: readiness is edge-triggered, so it is kept for when the loop goes on.
    fn stash_events(&self) {
        let mut events = self.poller.events.take();
        for event in events.drain(..) {
            if let Some(entity) = self.registry.find(event.key) {
                entity.note(&event);
                self.mark_ready(entity.place());
            }
        }
        self.poller.events.set(events);
    }

    /// Step 4: the tasks that were queued when the step began, at most a batch of them.
    fn run_tasks(&self, local: &LocalLoop) {
        let queued = self.shared.inbox.len();
        self.run_some_tasks(local, queued.min(TASK_BATCH));
        self.turn.tasks_left.set(!self.shared.inbox.is_empty());
    }

    /// Runs so many tasks; no more than take a moment once a stop is wanted that step 11 has not noticed,
    /// or the drain's deadline is over.
    pub(super) fn run_some_tasks(&self, local: &LocalLoop, count: usize) {
        let start = clock::now();
        let mut last = start;
        let mut done = 0;
        while done < count {
            let long = done >= TASKS_A_LOOK || last.saturating_duration_since(start) >= A_MOMENT;
            if long && self.check_stop() {
                break;
            }
            let ran = match count - done >= TASKS_A_LOOK {
                true => self.run_group(local, last),
                false => self.run_next(local, last),
            };
            if ran == 0 {
                break;
            }
            done += ran;
            let end = self.turn.seen.get();
            self.note_task_time(end.saturating_duration_since(last));
            last = end;
        }
    }

    /// Runs the next tasks of many, from `start` on, which is now. How many. The clock is read once for all,
    /// as it takes as long as a short task; they are few once a stop is wanted.
    fn run_group(&self, local: &LocalLoop, start: Instant) -> usize {
        let ran = || {
            let more = |&n: &usize| n == 0 || !self.shared.gate.stop_requested();
            (0..TASKS_TIMED)
                .take_while(more)
                .map(|_| self.run_next(local, start))
                .sum()
        };
        self.call_user_from(Some(start), "task", ran).unwrap_or(0)
    }

    /// Runs the next task, if there is one. How many.
    fn run_next(&self, local: &LocalLoop, start: Instant) -> usize {
        match self.next_task() {
            Some(task) => {
                self.run_task(local, task, start);
                1
            }
            None => 0,
        }
    }

    /// The oldest task that waits.
    pub(super) fn next_task(&self) -> Option<Box<dyn Task>> {
        self.shared.inbox.next(&mut self.calls.tasks.borrow_mut())
    }

    /// Runs one task, from `start` on, which is now.
    pub(super) fn run_task(&self, local: &LocalLoop, task: Box<dyn Task>, start: Instant) {
        self.shared.counters.tasks.add(1);
        self.drain.borrow_mut().note_task();
        self.call_user_from(Some(start), "task", || task.run(local));
    }

    /// Steps 5 and 6: what the poller said, then reads that a budget ended early.
    fn run_io(&self, local: &LocalLoop) {
        let leftover = registry::take(&self.registry.ready);
        let mut events = self.poller.events.take();
        for event in events.drain(..) {
            let Some(entity) = self.registry.find(event.key) else {
                continue; // stale
            };
            entity.note(&event);
            // One that is to be read below has its whole budget there, and not twice.
            if !entity.place().is_ready() {
                self.look_at_in_time(local, entity);
            }
        }
        self.poller.events.set(events);
        for entity in leftover.iter().filter_map(|key| self.registry.find(*key)) {
            entity.place().ready.set(false);
            self.look_at_in_time(local, entity);
        }
        registry::give_back(&self.registry.ready, leftover);
        self.run_costly(local);
    }

    /// The end of step 6: what takes long, first come, first served.
    fn run_costly(&self, local: &LocalLoop) {
        for _ in 0..COSTLY {
            if self.check_time() {
                break;
            }
            let next = self.registry.costly.borrow_mut().pop_front();
            let Some(key) = next else { break };
            if let Some(entity) = self.registry.find(key) {
                entity.place().ready.set(false);
                entity.costly(local);
            }
        }
    }

    /// Now, or in the next turn if this one has to end.
    fn look_at_in_time(&self, local: &LocalLoop, entity: Rc<dyn Entity>) {
        if self.check_time() {
            return self.mark_ready(entity.place());
        }
        entity.ready(local);
        memory::relieve(local);
        shares::relieve(local);
    }

    /// Step 7: the timers that are due, of those armed before the step.
    fn run_timers(&self, local: &LocalLoop) {
        let now = self.now();
        self.timers.begin_batch(now);
        // When the one before had ended.
        let mut last = None;
        loop {
            let fired = self.timers.pop_due();
            let Some(mut fired) = fired else { break };
            let id = fired.id();
            match fired.callback_mut() {
                TimerAction::User(callback) => {
                    self.shared.counters.timers_fired.add(1);
                    self.call_user_from(last, "timer", || callback(id));
                    last = Some(self.turn.seen.get());
                }
                TimerAction::Entity(key, which) => {
                    if let Some(entity) = self.registry.find(*key) {
                        entity.timer(local, *which);
                    }
                    last = None;
                }
            }
            let done = self.timers.finish(fired, now);
            self.drop_user(done);
            if self.check_deadline() {
                break;
            }
        }
        self.shared.counters.timers.set(self.timers.len());
    }

    /// Step 8: calls put off to here; those they put off in turn wait for the next tick.
    pub(super) fn run_deferred(&self, local: &LocalLoop) {
        let queued = self.calls.deferred.borrow().len();
        for _ in 0..queued.min(DEFERRED_BATCH) {
            let call = self.calls.deferred.borrow_mut().pop_front();
            match call {
                None => break,
                Some(Deferred::Entity(key, which)) => {
                    if let Some(entity) = self.registry.find(key) {
                        entity.deferred(local, which);
                    }
                }
                Some(Deferred::Call(f)) => {
                    self.call_user("deferred", || f(local));
                }
            }
        }
    }

    /// Step 9: one write for each that has something to send.
    fn flush_dirty(&self, local: &LocalLoop) {
        let dirty = registry::take(&self.registry.dirty);
        for key in &dirty {
            if self.check_time() {
                // Marked as it is, for the next turn.
                self.registry.dirty.borrow_mut().push(*key);
                continue;
            }
            if let Some(entity) = self.registry.find(*key) {
                entity.place().dirty.set(false);
                entity.flush(local);
            }
        }
        registry::give_back(&self.registry.dirty, dirty);
    }

    /// Step 10: ends what is on the closing list, as it was when the step began.
    fn run_closing(&self, local: &LocalLoop) {
        let listed = self.registry.closing.borrow().len();
        for _ in 0..listed {
            let next = self.registry.closing.borrow_mut().pop_front();
            let Some((key, reason)) = next else { break };
            self.end(local, key, reason);
        }
    }

    /// Step 10 for one of them: ended, freed, its hold released.
    fn end(&self, local: &LocalLoop, key: Key, reason: CloseReason) {
        let Some(entity) = self.registry.find(key) else {
            return;
        };
        let role = entity.place().role();
        entity.end(local, reason);
        let removed = self.registry.remove(key);
        self.drop_user(removed);
        self.registry.release(role);
    }

    /// Whether anything is waiting for step 8 or 10.
    pub(super) fn has_calls_pending(&self) -> bool {
        !self.calls.is_empty() || !self.registry.closing.borrow().is_empty()
    }

    /// Ends everything on the closing list until none is left, as the loop closes.
    pub(super) fn run_all_closing(&self, local: &LocalLoop) {
        while !self.registry.closing.borrow().is_empty() {
            self.run_closing(local);
        }
    }

    /// Closes everything by force, connections first.
    pub(super) fn force_all(&self, local: &LocalLoop, reason: &CloseReason) {
        let connections = self.registry.all(|role| role == Role::Connection);
        let others = self.registry.all(|role| role != Role::Connection);
        for entity in connections.into_iter().chain(others) {
            entity.force(local, reason.clone());
        }
    }
}
