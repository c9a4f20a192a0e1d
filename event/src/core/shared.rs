//! The half of a loop that other threads touch, held by every handle.

use crate::local_loop::LocalLoop;
use crate::metrics::{Counters, Metrics};
use crate::mutant::mutant;
use crate::options::LoopOptions;
use crate::report::ShutdownReport;
use crate::sync::{Gate, Inbox};
use crate::sys::{DnsPool, LoopWaker, Poller};
use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::timers::TimerId;

/// Work for the loop's thread.
pub(crate) type Task = Box<dyn FnOnce(&LocalLoop) + Send>;

/// Numbers the loops, timers and holds of the process: none has that of another one, on whatever loop.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

fn next_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// See the module.
pub(crate) struct LoopShared {
    /// Tells loops apart, for the names of what is on them.
    pub(crate) number: u64,
    pub(crate) options: LoopOptions,
    pub(crate) inbox: Inbox<Task>,
    pub(crate) gate: Gate,
    pub(crate) counters: Counters,
    pub(crate) dns: DnsPool,
    waker: LoopWaker,
    /// Timers that other threads have armed and the loop does not know yet.
    arming: AtomicU64,
    /// The poller, until a thread runs the loop.
    poller: Mutex<Option<Poller>>,
    /// Explicit holds by name, for the report.
    holds: Mutex<BTreeMap<u64, Arc<str>>>,
    report: Mutex<Option<ShutdownReport>>,
}

impl LoopShared {
    /// Opens a loop's poller and makes its shared half.
    pub(crate) fn new(options: LoopOptions) -> io::Result<Arc<Self>> {
        let (poller, waker) = Poller::new()?;
        Ok(Arc::new(Self {
            inbox: Inbox::new(Box::new(waker.clone())),
            gate: Gate::new(options.drain_limit),
            counters: Counters::default(),
            dns: DnsPool::new(options.resolver.clone()),
            waker,
            number: next_id(),
            arming: AtomicU64::new(0),
            poller: Mutex::new(Some(poller)),
            holds: Mutex::default(),
            report: Mutex::default(),
            options,
        }))
    }

    /// A name for a timer, given out on any thread before the loop knows of it. No timer of another
    /// loop has it.
    pub(crate) fn next_timer_id(&self) -> TimerId {
        let since_it_was_made = u64::from(mutant!("timer_ids_of_each_loop")) * self.number;
        TimerId::from_raw(NonZeroU64::MIN.saturating_add(next_id() - since_it_was_made))
    }

    /// Counts a timer on its way to the loop, before it is posted.
    pub(crate) fn begin_arming(&self) {
        self.arming.fetch_add(1, Ordering::AcqRel);
    }

    /// The timer has arrived, or was refused.
    pub(crate) fn end_arming(&self) {
        self.arming.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether a timer that the loop does not know may be on its way.
    pub(crate) fn is_arming(&self) -> bool {
        self.arming.load(Ordering::Acquire) > 0
    }

    /// Counts an explicit hold; `None` once the loop is closing.
    pub(crate) fn hold(&self, name: &str) -> Option<u64> {
        if !self.gate.acquire() {
            return None;
        }
        let id = next_id();
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
        if self.gate.release().must_wake() {
            self.inbox.notify();
        }
    }

    /// The names of the explicit holds that are still there.
    pub(crate) fn hold_names(&self) -> Vec<String> {
        lock(&self.holds).values().map(|n| n.to_string()).collect()
    }

    /// Takes the poller, once.
    pub(crate) fn take_poller(&self) -> Option<Poller> {
        lock(&self.poller).take()
    }

    /// The end: refuses work, closes the waker (the last file descriptor that handles keep alive),
    /// and wakes whoever waits for the loop.
    pub(crate) fn close(&self, report: ShutdownReport) {
        self.inbox.close();
        // Anything is left only where the loop could not be set up, or ended with its thread.
        while let Some(task) = self.inbox.pop() {
            drop(task);
        }
        self.waker.close();
        *lock(&self.report) = Some(report);
        self.gate.finish();
    }

    pub(crate) fn metrics(&self) -> Metrics {
        self.counters.read(self.gate.holds())
    }

    pub(crate) fn report(&self) -> Option<ShutdownReport> {
        lock(&self.report).clone()
    }
}

/// Locks. A panic while one of these locks is held cannot leave its data half changed, so that a
/// poisoned lock is as good as any.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
