//! loom models of the inbox and the gate of `hvloop-event`, and of the gate of `capi`'s callbacks: every interleaving of a few threads, up to a
//! bound of preemptions. `tests/loom.sh` runs them. The sources are the library's own, built with loom's
//! atomics.
#![cfg(all(test, loom))]
#![allow(dead_code, unused_imports, reason = "a part of a library, by itself")]

#[path = "../../../capi/src/ffi/gate.rs"]
mod callback_gate;
mod callbacks;
mod gate;
mod inbox;
#[path = "../../../event/src/sync/mod.rs"]
mod sync;
mod thread;

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use sync::{Batch, Inbox};

/// An eventfd and the poll on it.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    told: Condvar,
    wakes: AtomicUsize,
}

impl Bell {
    /// Blocks until rung. A wake that is lost is a deadlock, which loom reports.
    fn poll(&self) {
        let mut rung = self.rung.lock().expect("not poisoned");
        while !*rung {
            rung = self.told.wait(rung).expect("not poisoned");
        }
        *rung = false;
    }

    /// How often it was rung so far.
    fn wakes(&self) -> usize {
        self.wakes.load(Ordering::SeqCst)
    }
}

fn new_inbox<T>() -> (Arc<Inbox<T>>, Arc<Bell>) {
    let bell = Arc::new(Bell::default());
    let ring = bell.clone();
    let inbox = Inbox::new(Box::new(move || {
        ring.wakes.fetch_add(1, Ordering::SeqCst);
        *ring.rung.lock().expect("not poisoned") = true;
        ring.told.notify_one();
    }));
    (Arc::new(inbox), bell)
}

fn send<T>(inbox: &Inbox<T>, value: T) -> Result<(), T> {
    match inbox.reserve() {
        Some(permit) => {
            permit.send(value);
            Ok(())
        }
        None => Err(value),
    }
}

/// One sleep and one drain, as in a turn of the loop. `true`: it blocked.
fn turn<T>(inbox: &Inbox<T>, bell: &Bell, got: &mut Vec<T>) -> bool {
    let sleep = inbox.prepare_sleep();
    if sleep {
        bell.poll();
    }
    inbox.awake();
    got.extend(drain(inbox));
    sleep
}

/// What is queued now.
fn drain<T>(inbox: &Inbox<T>) -> Vec<T> {
    let mut batch = Batch::new();
    std::iter::from_fn(|| inbox.next(&mut batch)).collect()
}
