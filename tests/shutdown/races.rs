//! Races between starting, stopping, joining and queueing.

use hvloop::event::{JoinError, RunError, StartError};
use hvloop::{EventLoop, EventLoopThread, LoopStatus};
use hvloop_test_support::{DEADLINE, Event, Latch};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::Duration;

/// A stop that lands anywhere around the start is never lost.
#[test]
fn stop_races_start() {
    for round in 0..20_000usize {
        let thread = Arc::new(EventLoopThread::new().unwrap());
        let (gate, at) = (Arc::new(Barrier::new(2)), thread.clone());
        if round % 4 == 0 {
            // From another thread, at the same moment.
            let g = gate.clone();
            let stopper = std::thread::spawn(move || {
                g.wait();
                at.event_loop().stop();
            });
            gate.wait();
            thread.start().unwrap();
            stopper.join().unwrap();
        } else if round % 4 == 1 {
            thread.stop();
            thread.start().unwrap();
        } else if round % 4 == 2 {
            thread.start().unwrap();
            thread.stop();
        } else {
            let event_loop = thread.event_loop().clone();
            thread
                .event_loop()
                .queue_in_loop(move || event_loop.stop())
                .unwrap();
            thread.start().unwrap();
        }
        assert!(thread.join().unwrap().is_clean());
        assert_eq!(thread.event_loop().status(), LoopStatus::Stopped);
    }
}

#[test]
fn concurrent_stop_and_join() {
    for _ in 0..500 {
        let thread = Arc::new(EventLoopThread::new().unwrap());
        thread.start().unwrap();
        let threads: Vec<_> = (0..4)
            .map(|n| {
                let thread = thread.clone();
                std::thread::spawn(move || {
                    if n % 2 == 0 {
                        thread.stop();
                    }
                    thread.join().unwrap()
                })
            })
            .collect();
        let reports: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        assert!(reports.iter().all(|report| *report == reports[0]));
        assert_eq!(thread.join().unwrap(), reports[0]);
    }
}

/// What is queued before run() runs in run(); what is queued just before a stop runs exactly once,
/// in its sender's order; what is refused comes back.
#[test]
fn stop_runs_queued_tasks() {
    const SENDERS: usize = 4;
    for _ in 0..50 {
        let thread = EventLoopThread::new().unwrap();
        thread.start().unwrap();
        let ran = Arc::new(Mutex::new(Vec::new()));
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (event_loop, ran) = (thread.event_loop().clone(), ran.clone());
                std::thread::spawn(move || {
                    let mut accepted = 0;
                    for n in 0..2_000usize {
                        let ran = ran.clone();
                        let task = move || ran.lock().unwrap().push((sender, n));
                        match event_loop.queue_in_loop(task) {
                            Ok(()) => accepted += 1,
                            Err(refused) => {
                                // It is really the closure that comes back.
                                let _task = refused.into_inner();
                                return accepted;
                            }
                        }
                    }
                    accepted
                })
            })
            .collect();
        thread.stop();
        thread.join().unwrap();
        let accepted: Vec<usize> = senders.into_iter().map(|s| s.join().unwrap()).collect();
        let ran = ran.lock().unwrap();
        for (sender, &accepted) in accepted.iter().enumerate() {
            let of_it: Vec<usize> = ran.iter().filter(|r| r.0 == sender).map(|r| r.1).collect();
            assert_eq!(of_it, (0..accepted).collect::<Vec<_>>());
        }
    }
}

#[test]
fn queue_before_run() {
    let event_loop = EventLoop::new().unwrap();
    let (tell, told) = mpsc::channel();
    for n in 0..3 {
        let tell = tell.clone();
        event_loop
            .queue_in_loop(move || tell.send(n).unwrap())
            .unwrap();
    }
    event_loop.stop();
    event_loop.run().unwrap();
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [0, 1, 2]);
    assert!(event_loop.queue_in_loop(|| {}).is_err());
    assert!(matches!(event_loop.run(), Err(RunError::Closed)));
}

#[test]
fn run_in_loop_after_start() {
    for _ in 0..2_000 {
        let thread = EventLoopThread::new().unwrap();
        thread.start().unwrap();
        let (tell, told) = mpsc::channel();
        let event_loop = thread.event_loop().clone();
        assert!(!event_loop.is_in_loop_thread());
        let at = event_loop.clone();
        let task = move || tell.send((std::thread::current().id(), at.is_in_loop_thread()));
        event_loop.run_in_loop(move || task().unwrap()).unwrap();
        let (id, in_loop) = told.recv_timeout(DEADLINE).unwrap();
        assert!(in_loop && id != std::thread::current().id());
    }
}

/// The loop sleeps without a limit between two tasks: a lost wake would hang here.
#[test]
fn wake_never_lost() {
    let thread = EventLoopThread::new().unwrap();
    thread.start().unwrap();
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let event_loop = thread.event_loop().clone();
            std::thread::spawn(move || {
                for _ in 0..2_000 {
                    let (tell, told) = mpsc::channel();
                    event_loop
                        .queue_in_loop(move || tell.send(()).unwrap())
                        .unwrap();
                    told.recv_timeout(DEADLINE).unwrap();
                }
            })
        })
        .collect();
    for sender in senders {
        sender.join().unwrap();
    }
}

#[test]
fn drop_thread_in_own_loop() {
    let thread = EventLoopThread::new().unwrap();
    thread.start().unwrap();
    let event_loop = thread.event_loop().clone();
    event_loop
        .queue_in_loop(move || {
            assert_eq!(thread.join(), Err(JoinError::WouldDeadlock));
            drop(thread);
        })
        .unwrap();
    assert!(event_loop.wait_stopped(Some(DEADLINE)));
}

#[test]
fn use_after_loop_stop() {
    let thread = EventLoopThread::new().unwrap();
    assert_eq!(thread.join(), Err(JoinError::NotStarted));
    thread.start().unwrap();
    assert!(matches!(thread.start(), Err(StartError::AlreadyStarted)));
    let held = thread.event_loop().hold("mine").unwrap();
    thread.event_loop().stop_with(Duration::from_millis(20));
    let report = thread.join().unwrap();
    assert_eq!(report.still_held, ["mine"]);
    drop(held);
    let event_loop = thread.event_loop().clone();
    drop(thread);
    assert!(event_loop.set_timeout(Duration::ZERO, |_| {}).is_err());
    assert!(event_loop.hold("late").is_err());
    assert!(event_loop.run_in_loop(|| {}).is_err());
    event_loop.stop();
    event_loop.pause();
    event_loop.resume();
    assert_eq!(event_loop.status(), LoopStatus::Stopped);
    assert_eq!(event_loop.report(), Some(report));
}

#[test]
fn stop_user_driven_loop() {
    let event_loop = EventLoop::new().unwrap();
    let (other, ran) = (event_loop.clone(), Arc::new(AtomicUsize::new(0)));
    let stopper = std::thread::spawn(move || {
        let r = ran.clone();
        other
            .queue_in_loop(move || {
                r.fetch_add(1, Ordering::Relaxed);
            })
            .unwrap();
        other.stop();
        ran
    });
    let report = loop {
        match event_loop.run_once(Some(DEADLINE)).unwrap() {
            hvloop::event::Turn::Continue => assert!(event_loop.is_in_loop_thread()),
            hvloop::event::Turn::Stopped(report) => break report,
        }
    };
    assert!(report.is_clean());
    assert_eq!(stopper.join().unwrap().load(Ordering::Relaxed), 1);
}

#[test]
fn run_inside_a_callback_is_an_error() {
    let event_loop = EventLoop::new().unwrap();
    let (inner, same) = (EventLoop::new().unwrap(), event_loop.clone());
    let asked = Latch::new(1);
    let a = asked.clone();
    event_loop
        .queue_in_loop(move || {
            assert!(matches!(inner.run(), Err(RunError::InsideCallback)));
            assert!(matches!(same.run(), Err(RunError::InsideCallback)));
            a.count_down();
            same.stop();
        })
        .unwrap();
    event_loop.run().unwrap();
    assert_eq!(asked.left(), 0);
    assert_eq!(event_loop.metrics().panics, 0);
}

#[test]
fn nothing_runs_while_paused() {
    let thread = EventLoopThread::new().unwrap();
    thread.start().unwrap();
    let event_loop = thread.event_loop().clone();
    let paused = Event::new();
    let (p, at) = (paused.clone(), event_loop.clone());
    event_loop
        .queue_in_loop(move || {
            at.pause();
            p.set();
        })
        .unwrap();
    paused.expect("the pause");
    assert_eq!(event_loop.status(), LoopStatus::Paused);
    let ran = Event::new();
    let r = ran.clone();
    // Accepted, and waits. (The tick of the pause may still have had a task phase before it.)
    event_loop.queue_in_loop(move || r.set()).unwrap();
    let ticks = event_loop.metrics().ticks;
    assert!(!ran.wait(Duration::from_millis(50)), "ran at tick {ticks}");
    event_loop.resume();
    ran.expect("the task after the resume");
    event_loop.pause();
    event_loop.stop();
    assert!(thread.join().unwrap().is_clean());
}
