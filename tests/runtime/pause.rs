//! Pausing and resuming: nothing runs, nothing is lost, and a stop ends it.

use crate::common::loops::{MS, on_loop, started, stop_without_panic};
use crate::common::net::{Net, Transport};
use crate::common::tcp_client::Recorded;
use crate::over_tcp_and_tls;
use hvloop::event::Turn;
use hvloop::{CloseReason, EventLoop, EventLoopThread, LoopStatus};
use hvloop_test_support::{DEADLINE, Event, wait_for};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

over_tcp_and_tls! {
    /// Bytes, and the end of the stream, that come while paused are all there after it: readiness
    /// is edge-triggered and told once.
    pause_keeps_readiness => keeps_readiness;
    /// A stop while paused writes what was accepted and finishes what is open.
    stop_while_paused => stops;
}

/// Waits until a turn that began after this call has begun: all before it are over.
fn turn_over(event_loop: &EventLoop) {
    let turn = event_loop.metrics().ticks;
    event_loop.queue_in_loop(|| {}).unwrap();
    assert!(wait_for(30, || event_loop.metrics().ticks > turn));
}

/// Pauses, and waits until the turn of the pause is over.
fn pause(event_loop: &EventLoop) {
    event_loop.pause();
    assert_eq!(event_loop.status(), LoopStatus::Paused);
    // One may have begun just before the pause, the next one sees it.
    turn_over(event_loop);
    turn_over(event_loop);
}

fn keeps_readiness(transport: Transport) {
    const SIZE: usize = 50_000;
    let net = Net::new(transport);
    let (go, sent) = (Event::new(), Event::new());
    let (g, s) = (go.clone(), sent.clone());
    let server = net.peer(move |conn| {
        let mut hello = [0; 5];
        conn.read_exact(&mut hello)?;
        conn.send(&hello)?;
        g.expect("the pause");
        for part in vec![7; SIZE].chunks(1000) {
            conn.send(part)?;
        }
        s.set();
        conn.finish()
    });
    let thread = started();
    let client = Recorded::new(thread.event_loop());
    client.connect(net.to(&server));
    client.client.send(b"hello").unwrap();
    client.wait("the echo", |seen| seen.bytes == b"hello");
    pause(thread.event_loop());
    go.set();
    sent.expect("the peer's bytes");
    // The loop has noticed, and has not told.
    turn_over(thread.event_loop());
    turn_over(thread.event_loop());
    client.seen.read(|seen| {
        assert_eq!(seen.bytes.len(), 5, "told while paused");
        assert!(seen.closed.is_empty());
    });
    thread.event_loop().resume();
    client.wait("all bytes", |seen| seen.bytes.len() == 5 + SIZE);
    assert!(matches!(client.only_close(), CloseReason::Peer));
    client.threads.assert_one_thread();
    stop_without_panic(&thread);
}

fn stops(transport: Transport) {
    let net = Net::new(transport);
    let server = net.peer(|conn| {
        let mut all = Vec::new();
        conn.read_to_end(&mut all)?;
        assert_eq!(all, b"sent while paused");
        conn.finish()
    });
    let thread = started();
    let client = Recorded::new(thread.event_loop());
    client.connect(net.to(&server));
    pause(thread.event_loop());
    client.client.send(b"sent while paused").unwrap();
    let report = stop_without_panic(&thread);
    assert_eq!(report.closed_cleanly, 1, "{report}");
    assert!(matches!(client.only_close(), CloseReason::Stopped));
    server.wait_finished(1);
    assert!(server.errors().is_empty(), "{:?}", server.errors());
    thread.event_loop().pause();
    assert_eq!(thread.event_loop().status(), LoopStatus::Stopped);
}

/// Tasks and timers wait; those that are due come once, after the resume.
#[test]
fn pause_resume() {
    let thread = started();
    let event_loop = thread.event_loop();
    let ran = Arc::new(AtomicUsize::new(0));
    let count = || {
        let ran = ran.clone();
        move || {
            ran.fetch_add(1, Ordering::SeqCst);
        }
    };
    let interval = count();
    let interval = event_loop.set_interval(MS, move |_| interval()).unwrap();
    assert!(wait_for(30, || ran.load(Ordering::SeqCst) > 3));
    pause(event_loop);
    event_loop.pause(); // twice is once
    let before = ran.load(Ordering::SeqCst);
    for _ in 0..10 {
        event_loop.queue_in_loop(count()).unwrap();
        turn_over(event_loop);
    }
    std::thread::sleep(20 * MS); // for the interval to be due many times
    turn_over(event_loop);
    assert_eq!(ran.load(Ordering::SeqCst), before, "ran while paused");
    // Asleep, though tasks wait: it comes to rest, and does not spin.
    let rests = || {
        let turns = event_loop.metrics().ticks;
        std::thread::sleep(20 * MS);
        event_loop.metrics().ticks == turns
    };
    assert!(wait_for(30, rests), "spins while paused");
    event_loop.resume();
    event_loop.resume();
    assert_eq!(event_loop.status(), LoopStatus::Running);
    on_loop(event_loop, |_| {});
    assert!(ran.load(Ordering::SeqCst) >= before + 10);
    assert!(wait_for(30, || ran.load(Ordering::SeqCst) > before + 12));
    event_loop.kill_timer(interval).unwrap();
    stop_without_panic(&thread);
}

/// Paused before it runs: it runs paused, and `start` does not hang.
#[test]
fn pause_before_run() {
    let event_loop = EventLoop::new().unwrap();
    event_loop.pause();
    let ran = Event::new();
    let r = ran.clone();
    event_loop.queue_in_loop(move || r.set()).unwrap();
    let thread = EventLoopThread::with_loop(event_loop.clone());
    thread.start().unwrap();
    assert_eq!(event_loop.status(), LoopStatus::Paused);
    turn_over(&event_loop);
    turn_over(&event_loop);
    assert!(!ran.is_set());
    event_loop.resume();
    ran.expect("the task");
    stop_without_panic(&thread);
}

/// A host that drives the loop gets its turns back while it is paused.
#[test]
fn pause_of_a_user_driven_loop() {
    let event_loop = EventLoop::new().unwrap();
    let ran = Event::new();
    let r = ran.clone();
    event_loop.queue_in_loop(move || r.set()).unwrap();
    event_loop.pause();
    for _ in 0..5 {
        assert_eq!(event_loop.run_once(Some(MS)).unwrap(), Turn::Continue);
        assert!(!ran.is_set());
    }
    event_loop.resume();
    let turn = event_loop.run_once(Some(Duration::ZERO));
    assert_eq!(turn.unwrap(), Turn::Continue);
    assert!(ran.is_set());
    event_loop.pause();
    event_loop.stop();
    assert!(matches!(
        event_loop.run_once(Some(DEADLINE)).unwrap(),
        Turn::Stopped(_)
    ));
}

/// Two threads that pause and resume, and one that queues: no task is lost, and a stop gets
/// through.
#[test]
fn pause_races() {
    const TASKS: usize = 5_000;
    let thread = started();
    let event_loop = thread.event_loop();
    let ran = Arc::new(AtomicUsize::new(0));
    let over = Event::new();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let over = &over;
            scope.spawn(move || {
                while !over.is_set() {
                    event_loop.pause();
                    event_loop.resume();
                }
                event_loop.pause();
            });
        }
        for _ in 0..TASKS {
            let ran = ran.clone();
            let task = move || {
                ran.fetch_add(1, Ordering::SeqCst);
            };
            event_loop.queue_in_loop(task).unwrap();
        }
        over.set();
    });
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
    assert_eq!(ran.load(Ordering::SeqCst), TASKS);
}
