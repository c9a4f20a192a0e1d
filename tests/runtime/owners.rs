//! Who owns a loop, and what becomes of one that nobody runs, or whose thread goes away.

use crate::common::loops::{MS, started, stop_clean};
use hvloop::event::{JoinError, StartError, Turn};
use hvloop::{
    Connect, EventLoop, EventLoopThread, EventLoopThreadPool, LoopStatus, ReconnectPolicy,
    TcpClient, WebSocketClient,
};
use hvloop_test_support::{DEADLINE, Event, refuse_port, wait_for};
use std::sync::Arc;
use std::time::Duration;

/// Runs a loop on a thread of the test's.
fn run(event_loop: &EventLoop) -> std::thread::JoinHandle<hvloop::ShutdownReport> {
    let at = event_loop.clone();
    let thread = std::thread::spawn(move || at.run().unwrap());
    assert!(wait_for(30, || event_loop.status() == LoopStatus::Running));
    thread
}

fn is_served(event_loop: &EventLoop) {
    let done = Event::new();
    let d = done.clone();
    event_loop.queue_in_loop(move || d.set()).unwrap();
    done.expect("a task");
    assert!(!event_loop.is_stopping());
}

/// A thread that was refused the loop, because somebody else runs it, leaves it alone.
#[test]
fn refused_thread_does_not_stop_the_loop() {
    for given in [false, true] {
        let thread = match given {
            false => EventLoopThread::new().unwrap(),
            true => EventLoopThread::with_loop(EventLoop::new().unwrap()),
        };
        let event_loop = thread.event_loop().clone();
        let runner = run(&event_loop);
        let refused = thread.start().unwrap_err();
        assert!(matches!(refused, StartError::Run(_)), "{refused}");
        assert!(matches!(thread.join(), Err(JoinError::Failed(_))));
        drop(thread);
        is_served(&event_loop);
        // Nor does one that never asked.
        drop(EventLoopThread::with_loop(event_loop.clone()));
        is_served(&event_loop);
        event_loop.stop();
        assert!(runner.join().unwrap().is_clean());
    }
}

/// The thread that runs it still does: its drop stops the loop.
#[test]
fn owner_stops_its_loop() {
    let first = started();
    let event_loop = first.event_loop().clone();
    let second = EventLoopThread::with_loop(event_loop.clone());
    assert!(second.start().is_err());
    drop(second);
    is_served(&event_loop);
    drop(first);
    assert_eq!(event_loop.status(), LoopStatus::Stopped);
}

/// A pool that could not start all its loops stops those that it started, and no other.
#[test]
fn refused_pool_stops_its_own() {
    let pool = EventLoopThreadPool::with_threads(3).unwrap();
    let loops: Vec<_> = pool.event_loops().cloned().collect();
    let runner = run(&loops[1]);
    assert!(matches!(pool.start(), Err(StartError::Run(_))));
    assert!(loops[0].wait_stopped(Some(DEADLINE)));
    is_served(&loops[1]);
    drop(pool);
    is_served(&loops[1]);
    loops[1].stop();
    assert!(runner.join().unwrap().is_clean());
    assert!(loops[2].wait_stopped(Some(DEADLINE)));
}

/// A thread, or a pool, that was never started takes its loops along: what was queued goes, also
/// where it has the loop, and who waits is told.
#[test]
fn never_started() {
    let kept = Arc::new(());
    let queue = |event_loop: &EventLoop| {
        let (k, own) = (kept.clone(), event_loop.clone());
        event_loop.queue_in_loop(move || drop((k, own))).unwrap();
        let (k, own) = (kept.clone(), event_loop.clone());
        let timer = move |_| {
            let _both = (&k, &own);
        };
        event_loop.set_interval(MS, timer).unwrap();
        let (k, client) = (kept.clone(), WebSocketClient::new(event_loop));
        client.on_close(move |_, _| {
            let _kept = &k;
        });
        client.open("ws://127.0.0.1:1/").unwrap();
        client.detach();
        let (k, client) = (kept.clone(), TcpClient::new(event_loop));
        client.on_close(move |_, _| {
            let _kept = &k;
        });
        client.connect(Connect::to("127.0.0.1", 1)).unwrap();
    };
    let thread = EventLoopThread::new().unwrap();
    let pool = EventLoopThreadPool::with_threads(2).unwrap();
    let given = EventLoopThread::with_loop(EventLoop::new().unwrap());
    let mut loops: Vec<_> = pool.event_loops().cloned().collect();
    loops.push(thread.event_loop().clone());
    loops.push(given.event_loop().clone());
    loops.iter().for_each(queue);
    assert!(Arc::strong_count(&kept) > 16);
    let waiters: Vec<_> = loops
        .iter()
        .cloned()
        .map(|event_loop| std::thread::spawn(move || event_loop.wait_stopped(None)))
        .collect();
    drop((thread, pool, given));
    for waiter in waiters {
        assert!(waiter.join().unwrap());
    }
    assert_eq!(Arc::strong_count(&kept), 1, "what was queued is kept");
    for event_loop in loops {
        assert_eq!(event_loop.status(), LoopStatus::Stopped);
        assert!(event_loop.queue_in_loop(|| {}).is_err());
        assert!(event_loop.run().is_err());
    }
}

/// A host's thread that ends in a back-off, with timers, lookups and contexts that have the loop: who
/// waits for the loop is told, and what was the user's is gone.
#[test]
fn thread_that_ends_in_a_back_off() {
    for panics in [false, true] {
        let event_loop = EventLoop::new().unwrap();
        let kept = Arc::new(());
        let (at, k) = (event_loop.clone(), kept.clone());
        let host = std::thread::spawn(move || {
            let turn = at.run_once(Some(Duration::ZERO)).unwrap();
            assert_eq!(turn, Turn::Continue);
            let local = at.local().unwrap();
            let policy = ReconnectPolicy::fixed(DEADLINE * 100);
            let (tcp, ws) = (TcpClient::new(&at), {
                let options = hvloop::ClientOptions::new().reconnect(Some(policy));
                WebSocketClient::with_options(&at, options)
            });
            tcp.set_reconnect(Some(policy)).unwrap();
            let closed = Arc::new(std::sync::atomic::AtomicUsize::new(0));
            let (c, kept) = (closed.clone(), k.clone());
            tcp.on_close(move |_, _| {
                let _kept = &kept;
                c.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            });
            let (c, kept) = (closed.clone(), k.clone());
            ws.on_close(move |_, _| {
                let _kept = &kept;
                c.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            });
            let port = refuse_port().port();
            tcp.connect(Connect::to("127.0.0.1", port)).unwrap();
            ws.open(&format!("ws://127.0.0.1:{port}/")).unwrap();
            let (here, kept) = (local.clone(), k.clone());
            local.set_interval(DEADLINE, move |_| {
                let _both = (&here, &kept);
            });
            let (here, kept) = (local.clone(), k.clone());
            local.set_idle(None, move |_| {
                let _both = (&here, &kept);
            });
            local.set_context((local.clone(), k.clone()));
            while closed.load(std::sync::atomic::Ordering::Relaxed) < 2 {
                let turn = at.run_once(Some(MS)).unwrap();
                assert_eq!(turn, Turn::Continue);
            }
            let (here, kept) = (local.clone(), k.clone());
            local.queue_in_loop(move || drop((here, kept)));
            let (here, kept) = (local.clone(), k.clone());
            local
                .resolve_dns("127.0.0.1", move |_| drop((here, kept)))
                .unwrap();
            tcp.close(); // which its loop does not get to
            ws.detach();
            if panics {
                panic!("on purpose, in a host");
            }
        });
        let ended = event_loop.wait_stopped(Some(DEADLINE));
        assert_eq!(host.join().is_err(), panics);
        assert!(ended, "waited for a loop whose thread has gone");
        assert_eq!(Arc::strong_count(&kept), 1, "kept beyond the thread");
        assert!(event_loop.queue_in_loop(|| {}).is_err());
    }
}

/// A thread that goes away between its turns ends the loop for others, which then have their work back.
#[test]
fn thread_that_ends_with_work() {
    let thread = started();
    let event_loop = EventLoop::new().unwrap();
    let at = event_loop.clone();
    let host = std::thread::spawn(move || {
        let turn = at.run_once(Some(Duration::ZERO)).unwrap();
        assert_eq!(turn, Turn::Continue);
        let again = at.clone();
        at.queue_in_loop(move || drop(again)).unwrap();
    });
    host.join().unwrap();
    assert!(event_loop.wait_stopped(Some(DEADLINE)));
    assert!(event_loop.queue_in_loop(|| {}).is_err());
    stop_clean(&thread);
}
