//! What keeps a stopping loop, for how long, and what its report says.

use crate::common::loops::{HOUR, MS, Told, drive, on_loop, started, stop_without_panic};
use hvloop::event::{JoinError, StartError};
use hvloop::{EventLoop, EventLoopThread, LoopOptions, LoopStatus, ShutdownReport};
use hvloop_test_support::{DEADLINE, Event, wait_for};
use std::sync::mpsc;
use std::time::Duration;

/// A loop thread with that limit for its drain.
fn limited(limit: Duration) -> EventLoopThread {
    let options = LoopOptions::new().drain_timeout(limit);
    let thread = EventLoopThread::with_loop(EventLoop::with_options(options).unwrap());
    thread.start().unwrap();
    thread
}

/// A hold keeps a stopping loop turning: tasks and timers run, and the last drop ends it.
#[test]
fn hold_keeps_the_loop_draining() {
    let thread = started();
    let event_loop = thread.event_loop().clone();
    let one = event_loop.hold("one").unwrap();
    thread.stop();
    assert!(wait_for(30, || event_loop.status() == LoopStatus::Draining));
    assert!(event_loop.is_running() && event_loop.is_stopping());
    let two = event_loop.hold("two, while it drains").unwrap();
    for _ in 0..3 {
        on_loop(&event_loop, |local| assert!(local.is_stopping()));
        let (tell, told) = mpsc::channel();
        event_loop
            .set_timeout(MS, move |_| tell.send(()).unwrap())
            .unwrap();
        told.recv_timeout(DEADLINE).unwrap();
    }
    drop(one);
    on_loop(&event_loop, |_| {});
    assert_eq!(event_loop.status(), LoopStatus::Draining, "one is left");
    drop(two);
    let report = thread.join().unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(report.tasks_run >= 4, "{report}");
    assert!(event_loop.hold("late").is_err());
}

/// The last hold may go inside a callback of the loop, too.
#[test]
fn hold_released_on_the_loop() {
    for _ in 0..200 {
        let thread = started();
        let hold = thread.event_loop().hold("moved").unwrap();
        thread.stop();
        thread
            .event_loop()
            .queue_in_loop(move || drop(hold))
            .unwrap();
        assert!(thread.join().unwrap().is_clean());
    }
}

/// A hold that outlives the deadline is named; what else is waited for is not.
#[test]
fn hold_past_the_deadline_is_named() {
    let limit = 1_000 * MS;
    let thread = limited(limit);
    let short = thread.event_loop().hold("given back").unwrap();
    let long = thread.event_loop().hold("kept too long").unwrap();
    thread.stop();
    drop(short);
    let report = thread.join().unwrap();
    assert_eq!(report.still_held, ["kept too long"]);
    assert!(!report.is_clean());
    assert!(report.to_string().contains("kept too long"), "{report}");
    assert!(report.elapsed >= limit, "{report}");
    drop(long);
    assert_eq!(thread.event_loop().status(), LoopStatus::Stopped);
}

/// `stop_with` shortens the drain that is under way, and never lengthens it.
#[test]
fn stop_with_shortens() {
    let thread = limited(HOUR);
    let event_loop = thread.event_loop();
    let hold = event_loop.hold("for ever").unwrap();
    thread.stop();
    assert!(wait_for(30, || event_loop.status() == LoopStatus::Draining));
    event_loop.stop_with(2 * HOUR);
    on_loop(event_loop, |_| {});
    assert_eq!(event_loop.status(), LoopStatus::Draining);
    event_loop.stop_with(MS);
    assert_eq!(thread.join().unwrap().still_held, ["for ever"]);
    drop(hold);

    // A longer limit than the loop's own changes nothing.
    let thread = limited(MS);
    let hold = thread.event_loop().hold("short").unwrap();
    thread.event_loop().stop_with(HOUR);
    assert_eq!(thread.join().unwrap().still_held, ["short"]);
    drop(hold);

    // Zero: at once.
    let thread = limited(HOUR);
    let hold = thread.event_loop().hold("zero").unwrap();
    thread.event_loop().stop_with(Duration::ZERO);
    assert_eq!(thread.join().unwrap().still_held, ["zero"]);
    drop(hold);
}

/// `stop()` returns while the loop's thread is busy; it is noticed afterwards.
#[test]
fn stop_is_nonblocking() {
    let thread = started();
    let (busy, go) = (Event::new(), Event::new());
    let (b, g) = (busy.clone(), go.clone());
    thread
        .event_loop()
        .queue_in_loop(move || {
            b.set();
            // Only let go after every stop() has returned.
            g.expect("the stops");
        })
        .unwrap();
    busy.expect("the callback");
    thread.stop();
    thread.event_loop().stop();
    thread.event_loop().stop_with(DEADLINE);
    assert!(!thread.event_loop().wait_stopped(Some(MS)));
    assert_eq!(thread.event_loop().status(), LoopStatus::Running);
    assert_eq!(thread.event_loop().report(), None);
    go.set();
    let report = thread.join().unwrap();
    assert!(thread.event_loop().wait_stopped(None));
    assert_eq!(thread.event_loop().report(), Some(report));
}

/// A stop that came first: `run()` does what was queued and returns.
#[test]
fn stop_before_run() {
    for way in 0..3 {
        let event_loop = EventLoop::new().unwrap();
        event_loop.stop();
        event_loop.stop();
        assert!(event_loop.is_stopping() && !event_loop.is_running());
        assert_eq!(event_loop.status(), LoopStatus::Idle);
        // Idle is not closed: work is still taken, and done.
        let done = Event::new();
        let d = done.clone();
        event_loop.queue_in_loop(move || d.set()).unwrap();
        let (told, dropped) = Told::new();
        event_loop.set_timeout(HOUR, move |_| drop(told)).unwrap();
        let report = match way {
            0 => event_loop.run().unwrap(),
            1 => drive(&event_loop),
            _ => {
                let thread = EventLoopThread::with_loop(event_loop.clone());
                thread.start().unwrap();
                thread.join().unwrap()
            }
        };
        assert!(report.is_clean(), "{report}");
        assert!(done.is_set());
        assert_eq!(dropped.read(Vec::len), 1);
        assert_eq!(event_loop.status(), LoopStatus::Stopped);
    }
}

/// The stop means the same whoever drives the loop, and from where it comes.
#[test]
fn stop_user_driven_loop() {
    for by_turns in [false, true] {
        for from in ["a task", "a timer", "another thread", "this thread"] {
            let event_loop = EventLoop::new().unwrap();
            let stop = event_loop.clone();
            let mut other = None;
            match from {
                "a task" => event_loop.queue_in_loop(move || stop.stop()).unwrap(),
                "a timer" => drop(event_loop.set_timeout(MS, move |_| stop.stop()).unwrap()),
                "another thread" => {
                    other = Some(std::thread::spawn(move || {
                        // Once it runs, and sleeps without a limit.
                        assert!(wait_for(30, || stop.is_running()));
                        stop.stop();
                    }));
                }
                _ => stop.stop(),
            }
            let report = if by_turns {
                drive(&event_loop)
            } else {
                event_loop.run().unwrap()
            };
            assert!(report.is_clean(), "{from}: {report}");
            assert!(!event_loop.is_in_loop_thread());
            assert!(event_loop.queue_in_loop(|| {}).is_err());
            if let Some(other) = other {
                other.join().unwrap();
            }
        }
    }
}

/// A thread that drove its loop by `run_once` and went away: who waits does not wait for ever.
#[test]
fn driver_that_goes_away() {
    let event_loop = EventLoop::new().unwrap();
    let at = event_loop.clone();
    let (told, dropped) = Told::new();
    let driver = std::thread::spawn(move || {
        let turn = at.run_once(Some(Duration::ZERO)).unwrap();
        assert_eq!(turn, hvloop::event::Turn::Continue);
        at.set_timeout(HOUR, move |_| drop(told)).unwrap();
        assert!(at.is_in_loop_thread());
    });
    assert!(event_loop.wait_stopped(Some(DEADLINE)));
    driver.join().unwrap();
    assert_eq!(event_loop.status(), LoopStatus::Stopped);
    assert_eq!(dropped.read(Vec::len), 1);
    assert!(event_loop.queue_in_loop(|| {}).is_err());
    assert!(event_loop.run().is_err());
}

/// Timers of the user's go on while the loop drains, and do not keep it.
#[test]
fn stop_with_pending_interval() {
    let thread = started();
    let event_loop = thread.event_loop();
    let (tell, told) = mpsc::channel();
    event_loop
        .set_interval(MS, move |_| tell.send(()).unwrap_or_default())
        .unwrap();
    event_loop.set_timeout(HOUR, |_| {}).unwrap();
    let hold = event_loop.hold("a while").unwrap();
    thread.stop();
    assert!(wait_for(30, || event_loop.status() == LoopStatus::Draining));
    while told.try_recv().is_ok() {}
    for _ in 0..3 {
        told.recv_timeout(DEADLINE)
            .expect("goes on while it drains");
    }
    drop(hold);
    assert!(thread.join().unwrap().is_clean());
    while told.try_recv().is_ok() {}
    assert!(told.recv().is_err(), "the interval is gone with the loop");
}

/// A thread that was never started: stop, join and drop are no-ops that do not hang.
#[test]
fn stop_unstarted() {
    let thread = EventLoopThread::new().unwrap();
    thread.stop();
    assert_eq!(thread.join(), Err(JoinError::NotStarted));
    assert!(!thread.is_running());
    drop(thread);
    // What was queued on it is dropped with the last handle.
    let thread = EventLoopThread::new().unwrap();
    let (told, dropped) = Told::new();
    thread
        .event_loop()
        .queue_in_loop(move || drop(told))
        .unwrap();
    drop(thread);
    assert_eq!(dropped.read(Vec::len), 1);
    // Stopped by somebody else before it was started.
    let event_loop = EventLoop::new().unwrap();
    event_loop.stop();
    event_loop.run().unwrap();
    let thread = EventLoopThread::with_loop(event_loop);
    assert!(matches!(thread.start(), Err(StartError::Run(_))));
    assert!(matches!(thread.join(), Err(JoinError::Failed(_))));
}

/// The report counts the tasks that ran after the stop was noticed.
#[test]
fn report_counts_tasks() {
    let event_loop = EventLoop::new().unwrap();
    let (before, after) = (event_loop.clone(), event_loop.clone());
    event_loop
        .queue_in_loop(move || {
            before.stop();
            for _ in 0..5 {
                after.queue_in_loop(|| {}).unwrap();
            }
        })
        .unwrap();
    let report: ShutdownReport = event_loop.run().unwrap();
    assert_eq!(report.tasks_run, 5, "{report}");
    assert_eq!(event_loop.report(), Some(report));
}

/// Tasks that a task queues while the loop drains run too, also the last ones.
#[test]
fn stop_runs_what_tasks_queue() {
    fn chain(event_loop: EventLoop, left: usize, done: Event) {
        let next = event_loop.clone();
        let task = move || match left {
            0 => done.set(),
            _ => chain(next, left - 1, done),
        };
        // While tasks are waiting the loop does not close.
        event_loop.queue_in_loop(task).unwrap();
    }
    let thread = started();
    let done = Event::new();
    let (event_loop, d) = (thread.event_loop().clone(), done.clone());
    thread
        .event_loop()
        .queue_in_loop(move || {
            event_loop.stop();
            chain(event_loop, 100, d);
        })
        .unwrap();
    stop_without_panic(&thread);
    assert!(done.is_set());
}
