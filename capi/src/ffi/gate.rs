//! After an object was freed none of its callbacks runs.

use super::thread::this_thread;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Lets calls in until it is shut, and then waits for those that run. Nothing is locked during a call.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    left: Condvar,
}

#[derive(Default)]
struct State {
    shut: bool,
    /// The threads of the calls that run.
    running: Vec<usize>,
}

impl Gate {
    /// Makes a call. `None`: it is shut, and nothing was called.
    pub(crate) fn enter<R>(&self, call: impl FnOnce() -> R) -> Option<R> {
        {
            let mut state = self.lock();
            if state.shut {
                return None;
            }
            state.running.push(this_thread());
        }
        let _leaves = Leaves(self);
        Some(call())
    }

    /// Lets nobody in any more. Whoever is in may go on.
    pub(crate) fn shut(&self) {
        self.lock().shut = true;
    }

    /// Waits until nobody is in, but for the thread that calls.
    pub(crate) fn wait(&self) {
        let me = this_thread();
        let mut state = self.lock();
        while state.running.iter().any(|thread| *thread != me) {
            state = self
                .left
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call is under way.
struct Leaves<'a>(&'a Gate);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        let me = this_thread();
        let mut state = self.0.lock();
        if let Some(last) = state.running.iter().rposition(|thread| *thread == me) {
            state.running.swap_remove(last);
        }
        let awaited = state.shut;
        drop(state);
        // Each time would be a call of the system.
        if awaited {
            self.0.left.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;

    #[test]
    fn nobody_is_in_once_it_is_shut() {
        let gate = Gate::default();
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

    #[test]
    fn who_shuts_it_from_inside_does_not_wait_for_itself() {
        let gate = Gate::default();
        let entered = gate.enter(|| {
            gate.enter(|| gate.shut());
            gate.wait();
            gate.enter(|| ()).is_none()
        });
        assert_eq!(entered, Some(true));
    }
}
