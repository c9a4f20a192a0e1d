//! Timers that are cancelled, reset and armed by callbacks and by other threads. What a single
//! timer promises is in `timer_hazards`.

use crate::common::loops::{HOUR, MS, Told, on_loop, started, stop_without_panic};
use hvloop::{EventLoop, LocalLoop, TimerId};
use hvloop_test_support::{DEADLINE, Event, Monitor, ThreadLog, wait_for};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Runs a loop on this thread whose first task is `f`, until it stops.
fn run(f: impl FnOnce(&LocalLoop) + Send + 'static) {
    let event_loop = EventLoop::new().unwrap();
    // An assertion in a callback must not leave the loop running for ever.
    event_loop
        .set_timeout(DEADLINE, |_| panic!("never stopped"))
        .unwrap();
    let stop = event_loop.clone();
    event_loop
        .set_timeout(DEADLINE, move |_| stop.stop())
        .unwrap();
    event_loop.post_event(f).unwrap();
    assert!(event_loop.run().unwrap().is_clean());
    assert_eq!(event_loop.metrics().panics, 0, "an assertion in a callback");
}

fn here() -> LocalLoop {
    EventLoop::current().unwrap()
}

fn stop() {
    here().event_loop().stop();
}

fn ticks() -> u64 {
    here().event_loop().metrics().ticks
}

fn stall(time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

/// What is armed in a timer's callback, due at once, waits for the next turn: a turn ends.
#[test]
fn timer_zero_in_a_timer_waits_for_the_next_turn() {
    run(|local| {
        local.set_timeout(Duration::ZERO, |_| {
            let armed_in = ticks();
            here().set_timeout(Duration::ZERO, move |_| {
                assert_eq!(ticks(), armed_in + 1);
                stop();
            });
        });
    });
}

/// An interval of zero is once a turn, and starves neither tasks nor other timers.
#[test]
fn interval_of_zero_is_once_a_turn() {
    run(|local| {
        let calls = Rc::new(RefCell::new(Vec::new()));
        let c = calls.clone();
        local.set_interval(Duration::ZERO, move |_| c.borrow_mut().push(ticks()));
        local.set_interval(5 * MS, move |_| {
            let calls = calls.borrow();
            assert!(calls.windows(2).all(|two| two[0] < two[1]), "{calls:?}");
            // On a busy machine both may be due in one turn.
            if calls.len() > 1 {
                let event_loop = here().event_loop();
                event_loop
                    .post_event(move |local| local.event_loop().stop())
                    .unwrap();
            }
        });
    });
}

#[test]
fn timer_cancels_itself() {
    run(|local| {
        let (told, dropped) = Told::new();
        let (calls, d) = (Rc::new(Cell::new(0)), dropped.clone());
        let c = calls.clone();
        local.set_interval(MS, move |id| {
            let _captured = &told;
            c.set(c.get() + 1);
            let before = here().event_loop().metrics().timers;
            assert!(here().kill_timer(id));
            assert_eq!(here().event_loop().metrics().timers, before - 1);
            assert!(!here().kill_timer(id), "it is gone at once");
            assert!(!here().reset_timer(id, Some(MS)), "and stays gone");
            assert!(d.read(Vec::is_empty), "not dropped while it runs");
        });
        local.set_timeout(10 * MS, move |_| {
            assert_eq!(calls.get(), 1);
            assert_eq!(dropped.read(Vec::len), 1, "dropped when it returned");
            stop();
        });
    });
}

/// libhv's `htimer_reset` in the timer's own callback: one more firing, counted from the reset.
#[test]
fn timer_resets_itself() {
    run(|local| {
        let calls = Cell::new(0);
        let not_before = Cell::new(Instant::now() + MS);
        local.set_timer(MS, Some(1), move |id| {
            assert!(Instant::now() >= not_before.get(), "early");
            calls.set(calls.get() + 1);
            match calls.get() {
                1..=3 => {
                    not_before.set(Instant::now() + 7 * MS);
                    assert!(here().reset_timer(id, Some(7 * MS)));
                }
                _ => stop(),
            }
        });
    });
}

/// An interval that resets itself leaves its old grid.
#[test]
fn interval_resets_itself() {
    run(|local| {
        let calls = Cell::new(0);
        let not_before = Cell::new(Instant::now());
        local.set_interval(MS, move |id| {
            assert!(Instant::now() >= not_before.get(), "early");
            calls.set(calls.get() + 1);
            not_before.set(Instant::now() + 10 * MS);
            assert!(here().reset_timer(id, Some(10 * MS)));
            if calls.get() == 4 {
                stop();
            }
        });
    });
}

/// Of two timers due in the same turn the first puts the second off, and kills the third.
#[test]
fn timer_resets_and_cancels_others_of_the_same_turn() {
    run(|local| {
        let (second, third) = (Rc::new(Cell::new(None)), Rc::new(Cell::new(None)));
        let turn = Rc::new(Cell::new(0));
        let (s, t, u) = (second.clone(), third.clone(), turn.clone());
        local.set_timeout(MS, move |_| {
            u.set(ticks());
            assert!(here().reset_timer(s.get().unwrap(), Some(5 * MS)));
            assert!(here().kill_timer(t.get().unwrap()));
        });
        let u = turn.clone();
        let id = local.set_timeout(2 * MS, move |_| {
            assert!(u.get() > 0 && ticks() > u.get(), "put off");
            here().set_timeout(5 * MS, |_| stop());
        });
        second.set(Some(id));
        let id = local.set_timeout(3 * MS, |_| panic!("killed"));
        third.set(Some(id));
        stall(10 * MS);
    });
}

/// What a killed timer captured is dropped with no borrow alive: its `Drop` may call the loop.
#[test]
fn timer_dropped_by_a_kill_may_call_back() {
    struct Reentrant(TimerId, Rc<Cell<bool>>);
    impl Drop for Reentrant {
        fn drop(&mut self) {
            assert!(here().kill_timer(self.0));
            here().set_timeout(Duration::ZERO, |_| {});
            self.1.set(true);
        }
    }
    run(|local| {
        let dropped = Rc::new(Cell::new(false));
        let other = local.set_timeout(HOUR, |_| {});
        let captured = Reentrant(other, dropped.clone());
        let id = local.set_timeout(HOUR, move |_| drop(captured));
        assert!(local.kill_timer(id));
        assert!(dropped.get());
        assert!(!local.kill_timer(other));
        local.set_timeout(MS, |_| stop());
    });
}

/// On Linux the loop sleeps as long as its timers say, and not whole milliseconds.
#[cfg(target_os = "linux")]
#[test]
fn timers_are_told_within_a_millisecond() {
    /// Again and again until one is quick: on a busy machine most are not.
    fn again() {
        let delay = Duration::from_micros(1300);
        let due = Instant::now() + delay;
        here().set_timeout(delay, move |_| {
            match Instant::now() < due + Duration::from_micros(500) {
                true => stop(),
                false => again(),
            }
        });
    }
    run(|_| again());
}

/// The id works before the loop knows of the timer; the time counts from the call.
#[test]
fn timers_of_other_threads() {
    let thread = started();
    let event_loop = thread.event_loop();
    let threads = ThreadLog::new();
    let (tell, told) = mpsc::channel();
    let (armed, t) = (Instant::now(), threads.clone());
    let id = event_loop.set_timeout(5 * MS, move |id| {
        t.record();
        tell.send((id, armed.elapsed())).unwrap();
    });
    let (fired, after) = told.recv_timeout(DEADLINE).unwrap();
    assert_eq!(fired, id.unwrap());
    assert!(after >= 5 * MS, "{after:?}");
    // Armed and killed from here, one after the other: it never fires.
    for _ in 0..200 {
        let (told, dropped) = Told::new();
        let id = event_loop.set_timeout(Duration::ZERO, move |_| drop(told));
        event_loop.kill_timer(id.unwrap()).unwrap();
        assert!(dropped.wait(DEADLINE, |dropped| !dropped.is_empty()));
        dropped.read(|dropped| threads.assert_all_on(dropped[0]));
    }
    // Put off, and then called near, from here.
    let fired = Event::new();
    let f = fired.clone();
    let id = event_loop.set_timeout(HOUR, move |_| f.set()).unwrap();
    event_loop.reset_timer(id, Some(MS)).unwrap();
    fired.expect("the timer that was reset");
    assert!(wait_for(30, || event_loop.metrics().timers == 0));
    stop_without_panic(&thread);
}

/// The loop's thread kills or resets a timer whose arming by another thread has not arrived yet.
#[test]
fn timer_killed_on_the_loop_before_it_arrives() {
    let thread = started();
    let event_loop = thread.event_loop().clone();
    for kill in [true, false] {
        let (in_task, armed) = (Event::new(), Monitor::new(None));
        let (i, a, on_loop) = (in_task.clone(), armed.clone(), event_loop.clone());
        event_loop
            .queue_in_loop(move || {
                i.set();
                assert!(a.wait(DEADLINE, |id: &Option<TimerId>| id.is_some()));
                let id = a.read(|id| id.unwrap());
                match kill {
                    true => on_loop.kill_timer(id).unwrap(),
                    false => on_loop.reset_timer(id, Some(MS)).unwrap(),
                }
            })
            .unwrap();
        in_task.expect("the task");
        let fired = Event::new();
        let f = fired.clone();
        let delay = if kill { Duration::ZERO } else { HOUR };
        let id = event_loop.set_timeout(delay, move |_| f.set()).unwrap();
        armed.update(|armed| *armed = Some(id));
        if kill {
            assert!(wait_for(30, || event_loop.metrics().timers == 0));
            let later = Event::new();
            let l = later.clone();
            event_loop.set_timeout(5 * MS, move |_| l.set()).unwrap();
            later.expect("a later timer");
            assert!(!fired.is_set());
        } else {
            fired.expect("the timer that was reset");
        }
    }
    stop_without_panic(&thread);
}

/// Killed before the loop runs at all.
#[test]
fn timer_killed_before_run() {
    let event_loop = EventLoop::new().unwrap();
    let id = event_loop.set_timeout(Duration::ZERO, |_| panic!("killed"));
    event_loop.kill_timer(id.unwrap()).unwrap();
    let stop = event_loop.clone();
    event_loop
        .set_timeout(5 * MS, move |_| stop.stop())
        .unwrap();
    event_loop.run().unwrap();
    assert_eq!(event_loop.metrics().panics, 0);
    assert_eq!(event_loop.metrics().timers_fired, 1);
}

/// No times at all, and too far away for the clock and killed: never called, dropped on the loop's thread.
#[test]
fn timer_that_never_fires_is_dropped() {
    let thread = started();
    let loop_thread = on_loop(thread.event_loop(), |_| std::thread::current().id());
    for (period, repeat) in [(Duration::MAX, None), (MS, Some(0))] {
        let (told, dropped) = Told::new();
        let timer = move |_| {
            let _captured = &told;
            panic!("never");
        };
        let id = thread
            .event_loop()
            .set_timer(period, repeat, timer)
            .unwrap();
        if repeat.is_none() {
            // It is there all the same: see `timers_without_end`.
            on_loop(thread.event_loop(), move |local| {
                assert!(local.kill_timer(id));
            });
        }
        assert!(dropped.wait(DEADLINE, |dropped| !dropped.is_empty()));
        dropped.read(|dropped| assert_eq!(dropped[..], [loop_thread]));
    }
    assert_eq!(thread.event_loop().metrics().timers, 0);
    stop_without_panic(&thread);
}

/// Timers that have not fired are dropped by the loop's thread before the loop has stopped.
#[test]
fn timers_are_dropped_with_the_loop() {
    let thread = started();
    let loop_thread = on_loop(thread.event_loop(), |_| std::thread::current().id());
    let (told, dropped) = Told::new();
    thread
        .event_loop()
        .set_interval(HOUR, move |_| {
            let _captured = &told;
        })
        .unwrap();
    stop_without_panic(&thread);
    dropped.read(|dropped| assert_eq!(dropped[..], [loop_thread]));
    assert_eq!(thread.event_loop().metrics().timers, 0);
}
