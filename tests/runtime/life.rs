//! The life of loops and their threads across threads: starts, stops, joins and drops that race.

use crate::common::loops::{MS, Told, started, stop_without_panic};
use hvloop::event::JoinError;
use hvloop::{EventLoop, EventLoopThread, LoopOptions, LoopStatus};
use hvloop_test_support::{DEADLINE, Event, wait_for};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

/// One thread starts, another one stops and joins: none hangs, none loses the stop, and a join
/// that comes before the start says so.
#[test]
fn stop_and_join_race_start() {
    const ROUNDS: usize = 3_000;
    let (give, given) = mpsc::channel::<Arc<EventLoopThread>>();
    let barrier = Arc::new(Barrier::new(2));
    let at = barrier.clone();
    let stopper = std::thread::spawn(move || {
        for (round, thread) in given.iter().enumerate() {
            at.wait();
            if round % 2 == 0 {
                std::thread::yield_now();
            }
            thread.stop();
            let report = loop {
                match thread.join() {
                    Err(JoinError::NotStarted) => std::thread::yield_now(),
                    report => break report.unwrap(),
                }
            };
            assert!(report.is_clean());
            assert_eq!(thread.event_loop().status(), LoopStatus::Stopped);
        }
    });
    for _ in 0..ROUNDS {
        let thread = Arc::new(EventLoopThread::new().unwrap());
        give.send(thread.clone()).unwrap();
        barrier.wait();
        thread.start().unwrap();
        assert!(thread.join().unwrap().is_clean());
    }
    drop(give);
    stopper.join().unwrap();
}

/// A stop by a task of the loop itself, racing with one from outside.
#[test]
fn stop_by_a_task_and_from_outside() {
    for _ in 0..500 {
        let thread = started();
        let event_loop = thread.event_loop().clone();
        // Refused if the stop below is done already.
        let _ = thread.event_loop().queue_in_loop(move || event_loop.stop());
        thread.stop();
        assert!(thread.join().unwrap().is_clean());
    }
}

/// Handles are cloned and dropped on any thread, in every state of the loop; the last one to go
/// takes what is left along.
#[test]
fn drop_handle_any_thread() {
    for state in ["idle", "stopping", "running", "stopped"] {
        for on_loop in [false, true] {
            let event_loop = EventLoop::new().unwrap();
            let thread = EventLoopThread::with_loop(event_loop.clone());
            if state != "idle" {
                thread.start().unwrap();
            }
            let hold = event_loop.hold("the test").unwrap();
            match state {
                "stopping" => thread.stop(),
                "stopped" => {
                    thread.event_loop().stop_with(Duration::ZERO);
                    thread.join().unwrap();
                }
                _ => {}
            }
            let (told, dropped) = Told::new();
            let queued = event_loop.queue_in_loop(move || drop(told)).is_ok();
            assert_eq!(queued, state != "stopped");
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    let handle = event_loop.clone();
                    std::thread::spawn(move || drop((handle.clone(), handle)))
                })
                .collect();
            // (Nor does a task with a handle of its own keep the loop that its thread leaves.)
            if on_loop && queued {
                event_loop
                    .clone()
                    .queue_in_loop(move || drop(event_loop))
                    .unwrap();
            } else {
                drop(event_loop);
            }
            for thread in threads {
                thread.join().unwrap();
            }
            drop(hold);
            drop(thread); // stops and joins, or closes what it has not started
            assert_eq!(dropped.read(Vec::len), 1, "{state}");
        }
    }
}

/// Senders that go on and on while the loop stops and is dropped: each gets its closure back, and
/// none wakes what is no longer there.
#[test]
fn wake_after_loop_dropped() {
    for _ in 0..20 {
        // Its senders do not let the inbox become empty: the deadline ends the drain.
        let options = LoopOptions::new().drain_timeout(5 * MS);
        let thread = EventLoopThread::with_loop(EventLoop::with_options(options).unwrap());
        thread.start().unwrap();
        let go_on = Arc::new(AtomicBool::new(true));
        let senders: Vec<_> = (0..3)
            .map(|_| {
                let (event_loop, go_on) = (thread.event_loop().clone(), go_on.clone());
                std::thread::spawn(move || {
                    let (mut ran, mut refused) = (0, 0);
                    while go_on.load(Ordering::Relaxed) || refused == 0 {
                        match event_loop.queue_in_loop(|| {}) {
                            Ok(()) => ran += 1,
                            Err(_) => refused += 1,
                        }
                        event_loop.stop();
                        if let Ok(timer) = event_loop.set_timeout(Duration::ZERO, |_| {}) {
                            // Refused if it has closed since.
                            let _ = event_loop.kill_timer(timer);
                        }
                    }
                    (ran, refused, event_loop.metrics().tasks)
                })
            })
            .collect();
        let report = thread.join().unwrap();
        assert!(report.is_clean(), "{report}");
        drop(thread);
        go_on.store(false, Ordering::Relaxed);
        for sender in senders {
            let (ran, refused, tasks) = sender.join().unwrap();
            assert!(refused > 0 && tasks >= ran, "{ran} of {tasks}");
        }
    }
}

/// Dropping the thread object in its own loop stops the loop and leaves the thread to end; another
/// owner of the loop can still wait for it.
#[test]
fn drop_thread_in_own_loop() {
    for place in ["task", "timer", "pre hook"] {
        let thread = Arc::new(EventLoopThread::new().unwrap());
        let event_loop = thread.event_loop().clone();
        let (give, given) = mpsc::channel::<Arc<EventLoopThread>>();
        let ended = Event::new();
        let e = ended.clone();
        let drop_it = move || {
            let thread = given.recv_timeout(DEADLINE).unwrap();
            assert_eq!(thread.join(), Err(JoinError::WouldDeadlock));
            // The last one, once the starter has let go of its own.
            assert!(wait_for(30, || Arc::strong_count(&thread) == 1));
            drop(thread);
        };
        match place {
            "pre hook" => {
                let in_hook = thread.clone();
                let pre = move || {
                    assert_eq!(in_hook.join(), Err(JoinError::WouldDeadlock));
                    in_hook.stop();
                };
                thread.start_with(pre, move || e.set()).unwrap();
                drop((thread, drop_it));
            }
            _ => {
                thread.start_with(|| {}, move || e.set()).unwrap();
                if place == "task" {
                    event_loop.queue_in_loop(drop_it).unwrap();
                } else {
                    let once = move |_| drop_it();
                    event_loop.set_timeout(Duration::ZERO, once).unwrap();
                }
                give.send(thread).unwrap();
            }
        }
        assert!(event_loop.wait_stopped(Some(DEADLINE)), "{place}");
        ended.expect("the post hook");
        assert_eq!(event_loop.metrics().panics, 0, "{place}");
    }
}

/// The hooks run on the loop's thread, before and after the loop.
#[test]
fn hooks_run_around_the_loop() {
    let thread = EventLoopThread::new().unwrap();
    let (tell, told) = mpsc::channel();
    let (pre, post) = (tell.clone(), tell.clone());
    let (before, after) = (thread.event_loop().clone(), thread.event_loop().clone());
    let here = || std::thread::current().id();
    thread
        .start_with(
            move || pre.send(("pre", here(), before.status())).unwrap(),
            move || post.send(("post", here(), after.status())).unwrap(),
        )
        .unwrap();
    let at = thread.event_loop().clone();
    thread
        .event_loop()
        .queue_in_loop(move || tell.send(("task", here(), at.status())).unwrap())
        .unwrap();
    stop_without_panic(&thread);
    let seen: Vec<_> = told.try_iter().collect();
    let what: Vec<_> = seen.iter().map(|seen| (seen.0, seen.2)).collect();
    let task = what[1].1; // the stop may have been noticed before it
    assert!(matches!(task, LoopStatus::Running | LoopStatus::Draining));
    assert_eq!(
        what,
        [
            ("pre", LoopStatus::Idle),
            ("task", task),
            ("post", LoopStatus::Stopped)
        ]
    );
    assert!(seen.iter().all(|s| s.1 == seen[0].1) && seen[0].1 != here());
}
