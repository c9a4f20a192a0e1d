//! loom models of the inbox and the gate: every interleaving of a few threads. Run by
//! `tests/loom.sh`, which also shows that deliberate bugs (`hvloop_mutant`) are caught.

use super::gate::{Gate, Phase, Released};
use super::inbox::{Inbox, Wake};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use std::time::Duration;

/// An eventfd: counts what nobody has taken yet.
#[derive(Default)]
struct Bell {
    rung: Mutex<usize>,
    told: Condvar,
    wakes: AtomicUsize,
}

impl Bell {
    /// Blocks until rung, as a poll does; a wake that is lost is a deadlock, which loom reports.
    fn poll(&self) {
        let mut rung = self.rung.lock().expect("loom");
        while *rung == 0 {
            rung = self.told.wait(rung).expect("loom");
        }
        *rung = 0;
    }
}

struct Ring(Arc<Bell>);

impl Wake for Ring {
    fn wake(&self) {
        self.0.wakes.fetch_add(1, Ordering::SeqCst);
        *self.0.rung.lock().expect("loom") += 1;
        self.0.told.notify_one();
    }
}

fn inbox<T: Send + 'static>() -> (Arc<Inbox<T>>, Arc<Bell>) {
    let bell = Arc::new(Bell::default());
    (Arc::new(Inbox::new(Box::new(Ring(bell.clone())))), bell)
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

/// Sleeps as the loop does and returns what has come.
fn sleep_and_take<T>(inbox: &Inbox<T>, bell: &Bell) -> Vec<T> {
    if inbox.prepare_sleep() {
        bell.poll();
    }
    inbox.awake();
    std::iter::from_fn(|| inbox.pop()).collect()
}

#[test]
fn wake_never_lost() {
    loom::model(|| {
        let (inbox, bell) = inbox();
        let sender = inbox.clone();
        let thread = thread::spawn(move || send(&sender, 1).expect("open"));
        let mut got = Vec::new();
        while got.is_empty() {
            got = sleep_and_take(&inbox, &bell);
        }
        assert_eq!(got, [1]);
        thread.join().expect("loom");
    });
}

#[test]
fn notify_never_lost() {
    loom::model(|| {
        let (inbox, bell) = inbox::<()>();
        let gate = Arc::new(Gate::new(Duration::ZERO));
        let (stopper, at) = (inbox.clone(), gate.clone());
        let thread = thread::spawn(move || {
            at.request_stop(None);
            stopper.notify();
        });
        while !gate.stop_requested() {
            sleep_and_take(&inbox, &bell);
        }
        thread.join().expect("loom");
    });
}

#[test]
fn one_wake_per_sleep() {
    loom::model(|| {
        let (inbox, bell) = inbox();
        assert!(inbox.prepare_sleep());
        let threads = [1, 2].map(|n| {
            let inbox = inbox.clone();
            thread::spawn(move || send(&inbox, n).expect("open"))
        });
        bell.poll();
        for thread in threads {
            thread.join().expect("loom");
        }
        assert_eq!(bell.wakes.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn close_keeps_what_was_accepted_and_order() {
    loom::model(|| {
        let (inbox, _bell) = inbox();
        let sender = inbox.clone();
        let thread = thread::spawn(move || {
            let first = send(&sender, 1).is_ok();
            let second = send(&sender, 2).is_ok();
            (first, second)
        });
        inbox.close();
        let got: Vec<i32> = std::iter::from_fn(|| inbox.pop()).collect();
        let accepted = thread.join().expect("loom");
        let expected: &[i32] = match accepted {
            (true, true) => &[1, 2],
            (true, false) => &[1],
            (false, false) => &[],
            (false, true) => panic!("opened again"),
        };
        assert_eq!(got, expected);
        assert_eq!(inbox.pop(), None, "accepted after the close");
    });
}

#[test]
fn stop_is_never_lost_to_a_run() {
    loom::model(|| {
        let gate = Arc::new(Gate::new(Duration::ZERO));
        let stopper = gate.clone();
        let thread = thread::spawn(move || stopper.request_stop(None));
        assert!(gate.begin_run(1).is_ok());
        assert!(thread.join().expect("loom"));
        assert!(gate.stop_requested());
    });
}

#[test]
fn owner_is_published_before_running() {
    loom::model(|| {
        let gate = Arc::new(Gate::new(Duration::ZERO));
        let watcher = gate.clone();
        let thread = thread::spawn(move || {
            if watcher.phase() == Phase::Running {
                assert_eq!(watcher.owner(), 1);
            }
        });
        assert!(gate.begin_run(1).is_ok());
        thread.join().expect("loom");
    });
}

#[test]
fn one_thread_runs_it() {
    loom::model(|| {
        let gate = Arc::new(Gate::new(Duration::ZERO));
        let other = gate.clone();
        let thread = thread::spawn(move || other.begin_run(2).is_ok());
        let mine = gate.begin_run(1).is_ok();
        assert!(mine != thread.join().expect("loom"));
        assert_eq!(gate.owner(), if mine { 1 } else { 2 });
    });
}

#[test]
fn the_last_hold_wakes_a_draining_loop() {
    loom::model(|| {
        let (inbox, bell) = inbox::<()>();
        let gate = Arc::new(Gate::new(Duration::ZERO));
        assert!(gate.begin_run(1).is_ok() && gate.acquire() && gate.acquire());
        let threads = [(); 2].map(|()| {
            let (gate, inbox) = (gate.clone(), inbox.clone());
            thread::spawn(move || {
                if gate.release() == Released::WakeLoop {
                    inbox.notify();
                }
            })
        });
        gate.begin_drain();
        while !gate.try_close() {
            sleep_and_take(&inbox, &bell);
        }
        assert_eq!(gate.holds(), 0);
        for thread in threads {
            thread.join().expect("loom");
        }
    });
}

#[test]
fn a_hold_is_in_time_or_refused() {
    loom::model(|| {
        let gate = Arc::new(Gate::new(Duration::ZERO));
        assert!(gate.begin_run(1).is_ok());
        gate.begin_drain();
        let holder = gate.clone();
        let thread = thread::spawn(move || {
            let held = holder.acquire();
            if held {
                assert!(holder.phase() == Phase::Draining, "closed over a hold");
                let _ = holder.release();
            }
            held
        });
        let closed = gate.try_close();
        let held = thread.join().expect("loom");
        assert!(closed || held);
    });
}

#[test]
fn finish_wakes_who_waits() {
    loom::model(|| {
        let gate = Arc::new(Gate::new(Duration::ZERO));
        let waiter = gate.clone();
        let thread = thread::spawn(move || waiter.wait_stopped(None));
        gate.finish();
        assert!(thread.join().expect("loom"));
        assert_eq!(gate.phase(), Phase::Stopped);
    });
}
