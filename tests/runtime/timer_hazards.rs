//! Timers: never early, in order, cancelled at once.

use hvloop::{EventLoop, TimerId};
use hvloop_test_support::DEADLINE;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);

/// Runs a loop on this thread whose first task is `f`, until it stops.
fn run(f: impl FnOnce(&hvloop::LocalLoop) + Send + 'static) {
    let event_loop = EventLoop::new().unwrap();
    // An assertion in a callback must not leave the loop running for ever.
    let at = event_loop.clone();
    let over = move |_| {
        at.stop();
        panic!("never stopped");
    };
    event_loop.set_timeout(2 * DEADLINE, over).unwrap();
    event_loop.post_event(f).unwrap();
    assert!(event_loop.run().unwrap().is_clean());
    assert_eq!(event_loop.metrics().panics, 0, "an assertion in a callback");
}

fn stop() {
    EventLoop::current().unwrap().event_loop().stop();
}

#[test]
fn timer_never_early() {
    run(|local| {
        let left = Rc::new(Cell::new(200u32));
        for n in 0..200u64 {
            let left = left.clone();
            let delay = Duration::from_micros(n * 137);
            let armed = Instant::now();
            local.set_timeout(delay, move |_| {
                assert!(
                    armed.elapsed() >= delay,
                    "{delay:?} after {:?}",
                    armed.elapsed()
                );
                left.set(left.get() - 1);
                if left.get() == 0 {
                    stop();
                }
            });
        }
    });
}

#[test]
fn timer_order() {
    run(|local| {
        let order = Rc::new(RefCell::new(Vec::new()));
        let arm = |name: u32, delay: Duration| {
            let order = order.clone();
            local.set_timeout(delay, move |_| order.borrow_mut().push(name));
        };
        arm(3, 12 * MS);
        arm(1, 10 * MS);
        arm(2, 11 * MS);
        // Ties in the order in which they were armed, though a stall makes all of them due.
        for name in 10..20 {
            arm(name, 20 * MS);
        }
        let until = Instant::now() + 30 * MS;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        let order = order.clone();
        local.set_timeout(40 * MS, move |_| {
            // Each of the ties was armed a little later than the one before.
            let expected: Vec<u32> = (1..4).chain(10..20).collect();
            assert_eq!(*order.borrow(), expected);
            stop();
        });
    });
}

#[test]
fn timer_zero() {
    run(|local| {
        let fired = Rc::new(Cell::new(false));
        let f = fired.clone();
        local.set_timeout(Duration::ZERO, move |_| {
            f.set(true);
            stop();
        });
        assert!(!fired.get(), "never in the call");
    });
}

#[test]
fn timer_cancel_1e6() {
    run(|local| {
        let before = local.event_loop().metrics().timers;
        let ids: Vec<TimerId> = (0..1_000_000u64)
            .map(|n| local.set_timeout(Duration::from_secs(60 + n % 1000), |_| unreachable!()))
            .collect();
        assert_eq!(local.event_loop().metrics().timers, before + 1_000_000);
        for id in ids {
            assert!(local.kill_timer(id));
            assert!(!local.kill_timer(id));
        }
        assert_eq!(local.event_loop().metrics().timers, before);
        stop();
    });
}

#[test]
fn interval_no_drift_no_burst() {
    run(|local| {
        let armed = Instant::now();
        let calls = Rc::new(Cell::new(0u32));
        local.set_interval(10 * MS, move |id| {
            calls.set(calls.get() + 1);
            let call = calls.get();
            if call == 2 {
                // Misses several of its turns.
                let until = Instant::now() + 45 * MS;
                while Instant::now() < until {
                    std::hint::spin_loop();
                }
            }
            // The grid: the n-th call is not before n periods, whatever came between.
            assert!(armed.elapsed() >= 10 * MS * call);
            if call == 3 {
                // One call for those that were missed, on the grid: at 30 ms or later, never three
                // calls in a row.
                assert!(armed.elapsed() >= 60 * MS, "{:?}", armed.elapsed());
            }
            if call == 5 {
                let local = EventLoop::current().unwrap();
                assert!(local.kill_timer(id));
                local.event_loop().stop();
            }
        });
    });
}

#[test]
fn repeat_count_and_self_cancel() {
    run(|local| {
        let calls = Rc::new(Cell::new(0));
        let c = calls.clone();
        local.set_timer(Duration::ZERO, Some(3), move |_| c.set(c.get() + 1));
        let once = Rc::new(Cell::new(0));
        let o = once.clone();
        local.set_interval(Duration::ZERO, move |id| {
            o.set(o.get() + 1);
            assert!(EventLoop::current().unwrap().kill_timer(id));
        });
        // Many turns after the third call: a busy machine may be late for any of them.
        let left = Cell::new(20);
        local.set_interval(Duration::ZERO, move |_| {
            assert!(calls.get() <= 3 && once.get() <= 1);
            if calls.get() == 3 {
                left.set(left.get() - 1);
            }
            if left.get() == 0 {
                assert_eq!(once.get(), 1);
                stop();
            }
        });
    });
}

/// A timer that an earlier callback of the same turn kills does not fire.
#[test]
fn killed_in_the_same_turn() {
    run(|local| {
        let victim = Rc::new(Cell::new(None::<TimerId>));
        let v = victim.clone();
        local.set_timeout(MS, move |_| {
            let local = EventLoop::current().unwrap();
            assert!(local.kill_timer(v.get().unwrap()));
        });
        victim.set(Some(local.set_timeout(2 * MS, |_| unreachable!())));
        let until = Instant::now() + 5 * MS;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        local.set_timeout(10 * MS, |_| stop());
    });
}

#[test]
fn reset_counts_from_now() {
    run(|local| {
        let armed = Instant::now();
        let id = local.set_timeout(Duration::from_secs(3600), move |_| {
            assert!(armed.elapsed() >= 5 * MS);
            stop();
        });
        assert!(local.reset_timer(id, Some(5 * MS)));
    });
}

/// A task that queues itself for ever starves neither timers nor the stop.
#[test]
fn self_posting_task_does_not_starve() {
    fn again(event_loop: EventLoop) {
        let next = event_loop.clone();
        // Refused once the loop has closed: the end.
        let _ = event_loop.queue_in_loop(move || again(next));
    }
    run(|local| {
        again(local.event_loop());
        local.set_timeout(5 * MS, |_| stop());
    });
}

/// Timers go by the monotonic clock: the wall clock is not asked anywhere.
#[test]
fn timer_ignores_wall_clock() {
    for banned in ["SystemTime", "UNIX_EPOCH"] {
        for source in rust_files(&format!("{}/event/src", env!("CARGO_MANIFEST_DIR"))) {
            let text = std::fs::read_to_string(&source).unwrap();
            assert!(!text.contains(banned), "{banned} in {source}");
        }
    }
}

fn rust_files(dir: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path().to_str().unwrap().to_owned();
        if path.ends_with(".rs") {
            found.push(path);
        } else if std::fs::metadata(&path).unwrap().is_dir() {
            found.extend(rust_files(&path));
        }
    }
    found
}
