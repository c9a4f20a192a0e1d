//! The half of a loop that other threads touch, held by every handle.

use super::LocalLoop;
use crate::metrics::{Counters, Metrics};
use crate::options::LoopOptions;
use crate::report::ShutdownReport;
use crate::sync::{Gate, Inbox, Permit, Phase, lock};
use crate::sys::{DnsPool, Poller, thread};
use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::parked::Parked;

/// Work for the loop's thread, in the memory that it brings: for [`EventLoop::queue_task`](crate::EventLoop::queue_task).
/// Closures are such work.
pub trait Task: Send {
    /// Does it. On the loop's thread; what is left of it is dropped there.
    fn run(self: Box<Self>, local: &LocalLoop);
}

impl<F: FnOnce(&LocalLoop) + Send> Task for F {
    fn run(self: Box<Self>, local: &LocalLoop) {
        self(local);
    }
}

/// Numbers the loops, timers, lookups, idle callbacks and holds of the process: none has that of another one, on
/// whatever loop.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// One of those numbers.
pub(crate) fn next_id() -> NonZeroU64 {
    NonZeroU64::MIN.saturating_add(take_ids(1).start - 1)
}

/// So many of those numbers, for what is numbered on one thread.
pub(super) fn take_ids(count: u64) -> Range<u64> {
    let first = NEXT_ID.fetch_add(count, Ordering::Relaxed);
    first..first + count
}

/// Names a loop among all of the process, see [`EventLoop::id`](crate::EventLoop::id).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoopId(NonZeroU64);

number_id!(LoopId);

/// See the module.
pub(crate) struct LoopShared {
    /// Tells loops apart, also for the names of what is on them.
    pub(crate) id: LoopId,
    pub(crate) options: LoopOptions,
    pub(crate) inbox: Inbox<Box<dyn Task>>,
    pub(crate) gate: Gate,
    pub(crate) counters: Counters,
    pub(crate) dns: DnsPool,
    /// What other threads have begun under names that they have, and the loop does not know yet.
    arming: AtomicU64,
    /// Connections that there are, and that are on their way to the loop, which does not know of them
    /// yet. One number, so that none counts twice while it arrives.
    load: AtomicI64,
    /// How many tasks may wait, once a stop was asked for.
    room: AtomicU64,
    parked: Parked,
    /// Explicit holds by name, for the report.
    holds: Mutex<BTreeMap<u64, Arc<str>>>,
    report: Mutex<Option<ShutdownReport>>,
}

impl LoopShared {
    /// Opens a loop's poller and makes its shared half.
    pub(crate) fn new(options: LoopOptions) -> io::Result<Arc<Self>> {
        let (parked, waker) = Parked::new()?;
        Ok(Arc::new(Self {
            inbox: Inbox::new(Box::new(move || waker.wake())),
            gate: Gate::new(options.drain_timeout),
            counters: Counters::default(),
            dns: DnsPool::new(options.resolver.clone()),
            id: LoopId(next_id()),
            arming: AtomicU64::new(0),
            load: AtomicI64::new(0),
            room: AtomicU64::new(u64::MAX),
            parked,
            holds: Mutex::default(),
            report: Mutex::default(),
            options,
        }))
    }

    /// Counts what has its name already and is on its way to the loop, before it is posted.
    pub(crate) fn begin_arming(&self) {
        self.arming.fetch_add(1, Ordering::AcqRel);
    }

    /// It has arrived, or was refused.
    pub(crate) fn end_arming(&self) {
        self.arming.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether something may be on its way whose name others have.
    pub(crate) fn is_arming(&self) -> bool {
        self.arming.load(Ordering::Acquire) > 0
    }

    /// Counts an explicit hold; `None` once the loop is closing.
    pub(crate) fn hold(&self, name: &str) -> Option<u64> {
        if !self.gate.acquire() {
            return None;
        }
        let id = next_id().get();
        lock(&self.holds).insert(id, Arc::from(name));
        Some(id)
    }

    /// Gives an explicit hold back, waking a loop that waited for it.
    pub(crate) fn release_hold(&self, id: u64) {
        lock(&self.holds).remove(&id);
        self.release();
    }

    /// Gives one count of the gate back.
    pub(crate) fn release(&self) {
        if self.gate.release() {
            self.inbox.notify();
        }
    }

    /// Whether connections are no longer taken.
    pub(crate) fn is_stopping(&self) -> bool {
        self.gate.stop_requested()
            || !matches!(
                self.gate.phase(),
                Phase::Idle | Phase::Running | Phase::Paused
            )
    }

    /// Whether the loop takes no calls any more: what was accepted runs, and that is the end.
    pub(crate) fn has_closed(&self) -> bool {
        matches!(self.gate.phase(), Phase::Closing | Phase::Stopped)
    }

    /// The names of the explicit holds that are still there.
    pub(crate) fn hold_names(&self) -> Vec<String> {
        lock(&self.holds).values().map(|n| n.to_string()).collect()
    }

    /// Asks the loop to stop. Any thread.
    pub(crate) fn stop(&self, limit: Option<Duration>) {
        self.gate.request_stop(limit);
        let room = self.room_for(self.gate.drain_timeout()).min(MOST_ROOM);
        self.room.fetch_min(room, Ordering::Relaxed);
        self.inbox.notify();
    }

    /// How many tasks may wait from now on: those that can be run in that time, and so many at the most.
    /// The loop's thread, while it stops.
    pub(super) fn set_room(&self, time: Duration, most: u64) {
        let room = self.room_for(time).min(most);
        self.room.store(room, Ordering::Relaxed);
    }

    /// How many tasks can be run in half of that time, by what they have taken so far: others run on the
    /// same processors, too. One at the least, and those of a moment.
    fn room_for(&self, time: Duration) -> u64 {
        let ran = self.counters.tasks.get();
        // As if there had been some more that took no time: a slow one among few is no rule, and nor is a
        // quick one.
        let each = self.counters.task_ns.get() / (ran + TASKS_TO_JUDGE_BY);
        let tasks = time.max(LAST_MOMENT).as_nanos() / (2 * u128::from(each.max(1)));
        let most = match ran >= TASKS_TO_JUDGE_BY {
            true => u64::MAX - 1,
            false => FIRST_ROOM,
        };
        u64::try_from(tasks).unwrap_or(u64::MAX).clamp(1, most)
    }

    /// Asks for room for one task. `None`: the loop takes no more. Of a loop that stops that is also so
    /// once more tasks wait than it may still run: senders that are faster than the loop would else put
    /// its end off, and it may not even have had its turn yet.
    pub(crate) fn reserve(&self) -> Option<Permit<'_, Box<dyn Task>>> {
        let room = self.room.load(Ordering::Relaxed);
        if room != u64::MAX && self.inbox.len() as u64 >= room {
            self.inbox.close();
        }
        self.inbox.reserve()
    }

    /// Takes the poller, for the thread that has begun to run the loop; opens it again if it was
    /// [parked](LoopShared::park).
    ///
    /// # Errors
    ///
    /// What the system said to the latter.
    pub(crate) fn take_poller(&self) -> io::Result<Poller> {
        self.parked.take()
    }

    /// Called when a handle goes. A call that waits for a loop that nobody has run yet may have the last
    /// handles of it, and then nobody ever will: so the descriptors are given back while work waits.
    /// [`take_poller`](LoopShared::take_poller) opens them again.
    #[cfg(not(hvloop_sim))]
    pub(crate) fn park(&self) {
        if self.gate.phase() != Phase::Idle || self.inbox.is_empty() {
            return;
        }
        self.parked.park();
    }

    /// Ends a loop that nobody has run, and that nobody is to run any more: what was queued is dropped,
    /// and who waits is told. `false`: somebody runs it, or it has stopped.
    pub(crate) fn abandon(&self) -> bool {
        if !self.gate.claim(thread::token()) {
            return false;
        }
        self.close(ShutdownReport::default());
        true
    }

    /// How many connections there are, and are on their way; on another thread than the loop's, were a
    /// moment ago.
    pub(crate) fn load(&self) -> i64 {
        self.load.load(Ordering::Relaxed)
    }

    pub(super) fn add_load(&self, connections: i64) {
        if connections != 0 {
            self.load.fetch_add(connections, Ordering::Relaxed);
        }
    }

    /// The end: refuses work, closes the waker (the last file descriptor that handles keep alive),
    /// and wakes whoever waits for the loop.
    pub(crate) fn close(&self, report: ShutdownReport) {
        self.inbox.close();
        self.drop_tasks();
        self.parked.close();
        *lock(&self.report) = Some(report);
        self.gate.finish();
    }

    /// Anything is left only where the loop never ran, could not be set up, or ended with its thread.
    fn drop_tasks(&self) {
        while let Some(task) = self.inbox.pop() {
            self.drop_user(task);
        }
    }

    pub(crate) fn metrics(&self) -> Metrics {
        self.counters.read(self.gate.holds())
    }

    pub(crate) fn report(&self) -> Option<ShutdownReport> {
        lock(&self.report).clone()
    }
}

impl Drop for LoopShared {
    fn drop(&mut self) {
        self.drop_tasks();
    }
}

/// Time for tasks even at a deadline.
const LAST_MOMENT: Duration = Duration::from_millis(200);

/// How many tasks may wait: at the most until the loop has noticed its stop, and as long as it has not run
/// enough of them to tell what they take.
const MOST_ROOM: u64 = 16 * 1024;
const FIRST_ROOM: u64 = 2 * 1024;
const TASKS_TO_JUDGE_BY: u64 = 64;
