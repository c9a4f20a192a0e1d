//! After an object was freed none of its callbacks runs.

use super::thread::{THREADS, thread_number};
use std::cell::Cell;
use std::ptr;
use std::sync::PoisonError;

#[cfg(loom)]
use loom::sync::{
    Condvar, Mutex,
    atomic::{AtomicU64, Ordering},
};
#[cfg(not(loom))]
use std::sync::{
    Condvar, Mutex,
    atomic::{AtomicU64, Ordering},
};

/// In a [`Lane`]: nobody may come in any more. Below it, how many are in.
const SHUT: u64 = 1 << 63;

#[cfg(not(loom))]
thread_local! {
    /// The calls that the thread is in, the last one first. It needs no destructor: there to the thread's very
    /// end, when `exit` was called in a callback.
    static INSIDE: Cell<*const Visit> = const { Cell::new(ptr::null()) };
}

#[cfg(loom)]
loom::thread_local! {
    static INSIDE: Cell<*const Visit> = Cell::new(ptr::null());
}

/// Lets calls in until it is shut, and then waits for those that run. Nothing is locked during a call, which costs
/// one addition to come in and one to leave.
pub(crate) struct Gate {
    /// One for each group of threads, so that threads which come and go at the same time do not meet.
    lanes: Box<[Lane]>,
    /// Whoever leaves when it is shut says so to those who wait.
    leaving: Mutex<()>,
    left: Condvar,
}

#[derive(Default)]
#[repr(align(128))]
struct Lane(AtomicU64);

/// A call that is under way, on the stack of its thread.
struct Visit {
    gate: *const Gate,
    /// The one that it is within.
    outer: *const Visit,
}

impl Default for Gate {
    /// For calls that come from one thread, mostly.
    fn default() -> Self {
        Self::with_lanes(1)
    }
}

impl Gate {
    /// For calls that come from several threads at the same time.
    pub(crate) fn for_threads() -> Self {
        Self::with_lanes(THREADS)
    }

    fn with_lanes(lanes: usize) -> Self {
        Self {
            lanes: (0..lanes).map(|_| Lane::default()).collect(),
            leaving: Mutex::default(),
            left: Condvar::new(),
        }
    }

    /// Makes a call. `None`: it is shut, and nothing was called.
    pub(crate) fn enter<R>(&self, call: impl FnOnce() -> R) -> Option<R> {
        let lane = &self.lanes[thread_number() % self.lanes.len()];
        // Before what the call does, and behind what was done before it was shut: both ways.
        let before = lane.0.fetch_add(1, Ordering::Acquire);
        let _leaves = Leaves { gate: self, lane };
        if before & SHUT != 0 {
            return None;
        }
        let visit = Visit {
            gate: self,
            outer: INSIDE.with(Cell::get),
        };
        INSIDE.with(|inside| inside.set(&raw const visit));
        let _out = Out(visit.outer);
        Some(call())
    }

    /// Lets nobody in any more. Whoever is in may go on.
    pub(crate) fn shut(&self) {
        for lane in &self.lanes {
            lane.0.fetch_or(SHUT, Ordering::AcqRel);
        }
    }

    /// After [`shut`](Self::shut): waits until nobody is in, but for the thread that calls.
    pub(crate) fn wait(&self) {
        let mine = self.visits_of_this_thread();
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        while self.visits() > mine {
            let told = self.left.wait(leaving);
            leaving = told.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How many calls are under way.
    fn visits(&self) -> u64 {
        let visits = |lane: &Lane| lane.0.load(Ordering::Acquire) & !SHUT;
        self.lanes.iter().map(visits).sum()
    }

    /// How many of them are on the stack of the thread that asks.
    fn visits_of_this_thread(&self) -> u64 {
        let mut visits = 0;
        let mut next = INSIDE.with(Cell::get);
        while !next.is_null() {
            // SAFETY: those in the list are on this thread's stack, in calls that have not returned: each is taken
            // off before it goes.
            let visit = unsafe { &*next };
            visits += u64::from(ptr::eq(visit.gate, self));
            next = visit.outer;
        }
        visits
    }
}

/// Takes a visit off its thread's list.
struct Out(*const Visit);

impl Drop for Out {
    fn drop(&mut self) {
        INSIDE.with(|inside| inside.set(self.0));
    }
}

/// Somebody is in, or was about to be.
struct Leaves<'a> {
    gate: &'a Gate,
    lane: &'a Lane,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        // What the call did is done before somebody sees that it has left.
        let before = self.lane.0.fetch_sub(1, Ordering::Release);
        if before & SHUT != 0 {
            // Whoever waits has looked before this, and waits, or looks after it.
            drop(self.gate.leaving.lock());
            self.gate.left.notify_all();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc;

    #[test]
    fn nobody_is_in_once_it_is_shut() {
        for gate in [Gate::default(), Gate::for_threads()] {
            let (inside, told) = mpsc::channel();
            let (go, gone) = mpsc::channel::<()>();
            let over = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let (gate, over) = (&gate, &over);
                scope.spawn(move || {
                    let entered = gate.enter(|| {
                        inside.send(()).expect("the test");
                        gone.recv().expect("the test");
                        over.store(true, Ordering::SeqCst);
                    });
                    assert!(entered.is_some());
                });
                told.recv().expect("the call");
                gate.shut();
                assert!(gate.enter(|| ()).is_none());
                go.send(()).expect("the call");
                gate.wait();
                assert!(over.load(Ordering::SeqCst));
            });
        }
    }

    #[test]
    fn who_shuts_it_from_inside_does_not_wait_for_itself() {
        let (gate, other) = (Gate::default(), Gate::for_threads());
        let entered = gate.enter(|| {
            other.enter(|| gate.enter(|| gate.shut()));
            gate.wait();
            gate.enter(|| ()).is_none()
        });
        assert_eq!(entered, Some(true));
        assert_eq!(gate.visits(), 0);
        assert!(INSIDE.with(Cell::get).is_null());
    }

    #[test]
    fn a_panic_leaves() {
        let gate = Gate::default();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            gate.enter(|| panic!("in the call"));
        }));
        assert!(panicked.is_err());
        gate.shut();
        gate.wait();
        assert!(INSIDE.with(Cell::get).is_null());
    }

    /// From inside of one it waits for those of other threads.
    #[test]
    fn two_are_in_and_one_waits() {
        let gate = Gate::for_threads();
        let (inside, told) = mpsc::channel();
        let (go, gone) = mpsc::channel::<()>();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (gate, over) = (&gate, &over);
            scope.spawn(move || {
                gate.enter(|| {
                    inside.send(()).expect("the test");
                    gone.recv().expect("the test");
                    over.store(true, Ordering::SeqCst);
                });
            });
            told.recv().expect("the call");
            gate.enter(|| {
                gate.shut();
                go.send(()).expect("the call");
                gate.wait();
                assert!(over.load(Ordering::SeqCst));
            });
        });
    }
}
