//! No stop lost, one owner, no close over a hold, and the last hold and the end wake who waits.

use super::{new_inbox, turn};
use crate::sync::{BeginRunError, Gate, Phase};
use loom::sync::Arc;
use loom::thread;
use std::time::Duration;

fn new_gate() -> Arc<Gate> {
    Arc::new(Gate::new(Duration::from_secs(5)))
}

/// A gate that drains with `holds` holds.
fn draining(holds: usize) -> Arc<Gate> {
    let gate = new_gate();
    assert_eq!(gate.begin_run(1), Ok(()));
    for _ in 0..holds {
        assert!(gate.acquire());
    }
    assert!(gate.request_stop(None));
    gate.begin_drain();
    gate
}

#[test]
fn stop_never_lost_to_begin_run() {
    loom::model(|| {
        let gate = new_gate();
        let stopper = gate.clone();
        let thread = thread::spawn(move || stopper.request_stop(None));
        assert_eq!(gate.begin_run(1), Ok(()));
        assert!(thread.join().expect("stopper"));
        assert!(gate.stop_requested());
        assert_eq!(gate.phase(), Phase::Running);
    });
}

#[test]
fn stop_never_lost_to_a_sleeping_loop() {
    loom::model(|| {
        let (inbox, bell) = new_inbox::<()>();
        let gate = new_gate();
        let (stopper, inbox2) = (gate.clone(), inbox.clone());
        let thread = thread::spawn(move || {
            stopper.request_stop(Some(Duration::from_secs(1)));
            inbox2.notify();
        });
        assert_eq!(gate.begin_run(1), Ok(()));
        while !gate.stop_requested() {
            turn(&inbox, &bell, &mut Vec::new());
        }
        assert_eq!(gate.drain_timeout(), Duration::from_secs(1));
        thread.join().expect("stopper");
    });
}

#[test]
fn stop_first_for_one_thread() {
    loom::model(|| {
        let gate = new_gate();
        let other = gate.clone();
        let thread = thread::spawn(move || other.request_stop(None));
        let mine = gate.request_stop(None);
        assert!(mine ^ thread.join().expect("stopper"));
    });
}

#[test]
fn stop_beats_pause_and_resume() {
    loom::model(|| {
        let gate = new_gate();
        assert_eq!(gate.begin_run(1), Ok(()));
        let other = gate.clone();
        let thread = thread::spawn(move || {
            other.pause();
            other.resume();
        });
        gate.request_stop(None);
        gate.begin_drain();
        assert_eq!(gate.phase(), Phase::Draining);
        thread.join().expect("pauser");
        assert!(gate.stop_requested());
        assert_eq!(gate.phase(), Phase::Draining);
    });
}

#[test]
fn owner_published_before_running() {
    loom::model(|| {
        let gate = new_gate();
        let watcher = gate.clone();
        let thread = thread::spawn(move || {
            if watcher.phase() == Phase::Running {
                assert_eq!(watcher.owner(), 1);
            }
        });
        assert_eq!(gate.begin_run(1), Ok(()));
        thread.join().expect("watcher");
    });
}

#[test]
fn owner_is_one_thread() {
    loom::model(|| {
        let gate = new_gate();
        let other = gate.clone();
        let thread = thread::spawn(move || other.begin_run(2));
        let mine = gate.begin_run(1);
        let theirs = thread.join().expect("runner");
        let owner = match (mine, theirs) {
            (Ok(()), Err(BeginRunError::AlreadyRunning)) => 1,
            (Err(BeginRunError::AlreadyRunning), Ok(())) => 2,
            both => panic!("{both:?}"),
        };
        assert_eq!((gate.owner(), gate.phase()), (owner, Phase::Running));
    });
}

#[test]
fn claimed_or_run() {
    loom::model(|| {
        let gate = new_gate();
        let other = gate.clone();
        let thread = thread::spawn(move || other.begin_run(2));
        let mine = gate.claim(1);
        if mine {
            assert_eq!(gate.phase(), Phase::Idle);
            gate.finish();
        }
        match (mine, thread.join().expect("runner")) {
            (true, Err(_)) => assert_eq!((gate.owner(), gate.phase()), (0, Phase::Stopped)),
            (false, Ok(())) => assert_eq!((gate.owner(), gate.phase()), (2, Phase::Running)),
            both => panic!("{both:?}"),
        }
    });
}

#[test]
fn owner_is_none_after_finish() {
    loom::model(|| {
        let gate = new_gate();
        assert_eq!(gate.begin_run(1), Ok(()));
        let other = gate.clone();
        let thread = thread::spawn(move || other.begin_run(2));
        gate.finish();
        assert!(thread.join().expect("runner").is_err());
        assert_eq!((gate.owner(), gate.phase()), (0, Phase::Stopped));
    });
}

#[test]
fn last_hold_wakes_a_draining_loop() {
    loom::model(|| {
        let (inbox, bell) = new_inbox::<()>();
        let gate = new_gate();
        assert_eq!(gate.begin_run(1), Ok(()));
        assert!(gate.acquire() && gate.acquire());
        let threads = [(); 2].map(|()| {
            let (gate, inbox) = (gate.clone(), inbox.clone());
            thread::spawn(move || {
                let release = gate.release();
                if release {
                    inbox.notify();
                }
                release
            })
        });
        gate.begin_drain();
        // As the loop does: looks, sleeps, looks again. A missing wake is a deadlock.
        while !gate.try_close() {
            turn(&inbox, &bell, &mut Vec::new());
        }
        assert_eq!(gate.holds(), 0);
        let releases = threads.map(|thread| thread.join().expect("holder"));
        assert_ne!(releases, [true; 2], "both were the last");
    });
}

#[test]
fn close_never_over_a_hold_taken() {
    loom::model(|| {
        let gate = draining(0);
        let holder = gate.clone();
        let thread = thread::spawn(move || {
            let held = holder.acquire();
            if held {
                assert_eq!(holder.phase(), Phase::Draining, "closed over a hold");
                let _ = holder.release();
            }
            held
        });
        let closed = gate.try_close();
        let held = thread.join().expect("holder");
        assert!(closed || held);
        assert_eq!(gate.holds(), 0);
    });
}

#[test]
fn close_by_force_leaves_the_count_right() {
    loom::model(|| {
        let gate = draining(1);
        let holder = gate.clone();
        let thread = thread::spawn(move || holder.release());
        let left = gate.force_close();
        let release = thread.join().expect("holder");
        assert_eq!(release, left == 0);
        assert_eq!((gate.holds(), gate.phase()), (0, Phase::Closing));
    });
}

#[test]
fn finish_wakes_who_waits() {
    loom::model(|| {
        let gate = draining(0);
        let waiters = [(); 2].map(|()| {
            let gate = gate.clone();
            thread::spawn(move || gate.wait_stopped(None) && gate.phase() == Phase::Stopped)
        });
        assert!(gate.try_close());
        gate.finish();
        for waiter in waiters {
            assert!(waiter.join().expect("waiter"));
        }
    });
}
