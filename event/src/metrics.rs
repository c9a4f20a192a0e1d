//! Counters of a loop, readable from any thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A reading of a loop's counters, from [`EventLoop::metrics`](crate::EventLoop::metrics).
///
/// Each number is exact, but the loop goes on while they are read, so that two of them may be of
/// different moments.
// Large: one number a field, which have nothing to do with each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Turns of the loop.
    pub ticks: u64,
    /// Tasks run.
    pub tasks: u64,
    /// Timer callbacks run.
    pub timers_fired: u64,
    /// Timers armed now.
    pub timers: u64,
    /// Connections now, those still connecting included.
    pub connections: u64,
    /// Connections accepted by listeners.
    pub accepted: u64,
    /// Times that a listener could not accept for want of descriptors or memory.
    pub accept_errors: u64,
    /// Bytes read from sockets.
    pub bytes_in: u64,
    /// Bytes written to sockets.
    pub bytes_out: u64,
    /// Bytes of memory that connections hold: see
    /// [`LoopOptions::memory_limit`](crate::LoopOptions::memory_limit). As of the end of the last turn.
    pub memory: u64,
    /// Connections closed since they held too much memory.
    pub memory_closes: u64,
    /// Panics caught in callbacks.
    pub panics: u64,
    /// The longest that one callback ran, or those of one read, or some tasks of a long queue.
    pub longest_callback: Duration,
    /// Sockets, connects and [`Hold`](crate::Hold)s that keep a stopping loop draining.
    pub holds: u64,
}

/// One counter. Written by the loop's thread alone, so that adding needs no locked instruction.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.set(self.get().wrapping_add(n));
    }

    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The live counters behind [`Metrics`].
// Large: as [`Metrics`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) ticks: Counter,
    pub(crate) tasks: Counter,
    /// What they took, with what was between those of one turn.
    pub(crate) task_ns: Counter,
    pub(crate) timers_fired: Counter,
    pub(crate) timers: Counter,
    pub(crate) connections: Counter,
    pub(crate) accepted: Counter,
    pub(crate) accept_errors: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) memory: Counter,
    pub(crate) memory_closes: Counter,
    pub(crate) panics: Counter,
    pub(crate) longest_callback_ns: Counter,
}

impl Counters {
    pub(crate) fn read(&self, holds: u64) -> Metrics {
        Metrics {
            ticks: self.ticks.get(),
            tasks: self.tasks.get(),
            timers_fired: self.timers_fired.get(),
            timers: self.timers.get(),
            connections: self.connections.get(),
            accepted: self.accepted.get(),
            accept_errors: self.accept_errors.get(),
            bytes_in: self.bytes_in.get(),
            bytes_out: self.bytes_out.get(),
            memory: self.memory.get(),
            memory_closes: self.memory_closes.get(),
            panics: self.panics.get(),
            longest_callback: Duration::from_nanos(self.longest_callback_ns.get()),
            holds,
        }
    }
}
