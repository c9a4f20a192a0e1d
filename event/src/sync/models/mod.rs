//! loom models of the inbox and the gate: every interleaving of a few threads, up to a bound of
//! preemptions. `tests/loom.sh` runs them.

mod gate;
mod inbox;

use super::inbox::{Inbox, Wake};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Arc, Condvar, Mutex};

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

struct Ring(Arc<Bell>);

impl Wake for Ring {
    fn wake(&self) {
        self.0.wakes.fetch_add(1, Ordering::SeqCst);
        *self.0.rung.lock().expect("not poisoned") = true;
        self.0.told.notify_one();
    }
}

fn new_inbox<T>() -> (Arc<Inbox<T>>, Arc<Bell>) {
    let bell = Arc::new(Bell::default());
    let inbox = Inbox::new(Box::new(Ring(bell.clone())));
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
    std::iter::from_fn(|| inbox.pop()).collect()
}
