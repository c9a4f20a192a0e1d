//! Foreign code that panics where one would not think of it.

use crate::common::loops::{MS, started, stop_clean};
use hvloop::event::{ForeignSource, Ready, Turn};
use hvloop::{EventLoop, EventLoopThread, Interest, IoHandle, LocalLoop, LoopStatus};
use hvloop_test_support::{DEADLINE, Event, wait_for};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Panics when it is dropped, if it was not told otherwise.
struct Bomb(#[allow(dead_code, reason = "counted")] Arc<()>);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("on purpose, in a drop");
    }
}

/// A mio source that panics in one of its three calls, or in its drop.
#[derive(Debug)]
struct Touchy {
    pipe: mio::net::UnixStream,
    panics: &'static str,
    alive: Arc<()>,
}

impl Touchy {
    fn new(panics: &'static str, alive: &Arc<()>) -> (Self, mio::net::UnixStream) {
        let (pipe, other) = mio::net::UnixStream::pair().unwrap();
        let alive = alive.clone();
        (
            Self {
                pipe,
                panics,
                alive,
            },
            other,
        )
    }

    fn panic_in(&self, what: &str) {
        if self.panics == what {
            panic!("on purpose, in {what}");
        }
    }
}

impl ForeignSource for Touchy {
    fn register(&mut self, r: &mio::Registry, t: mio::Token, i: mio::Interest) -> io::Result<()> {
        self.panic_in("register");
        self.pipe.register(r, t, i)
    }
    fn reregister(&mut self, r: &mio::Registry, t: mio::Token, i: mio::Interest) -> io::Result<()> {
        self.panic_in("reregister");
        self.pipe.reregister(r, t, i)
    }
    fn deregister(&mut self, r: &mio::Registry) -> io::Result<()> {
        self.panic_in("deregister");
        self.pipe.deregister(r)
    }
}

impl Drop for Touchy {
    fn drop(&mut self) {
        let _alive = &self.alive;
        self.panic_in("drop");
    }
}

#[test]
fn source_that_panics() {
    for background in [false, true] {
        for panics in ["register", "reregister", "deregister", "drop"] {
            let thread = started();
            let event_loop = thread.event_loop();
            let alive = Arc::new(());
            let a = alive.clone();
            let (tell, told) = std::sync::mpsc::channel();
            let add = move |local: &LocalLoop| {
                let (source, other) = Touchy::new(panics, &a);
                let ready = |_: &IoHandle, _: &mut Touchy, _: Ready| {};
                let added = match background {
                    false => local.add_source(source, Interest::Read, ready),
                    true => local.add_background_source(source, Interest::Read, ready),
                };
                tell.send((added, other)).unwrap();
            };
            event_loop.post_event(add).unwrap();
            let (added, other) = told.recv_timeout(DEADLINE).expect(panics);
            assert_eq!(added.is_err(), panics == "register");
            if let Ok(handle) = added {
                handle.set_interest(Interest::Both).unwrap();
                assert!(
                    panics != "reregister" || wait_for(30, || event_loop.metrics().panics == 1)
                );
                if panics != "drop" {
                    handle.close().unwrap();
                }
            }
            // The loop goes on, and ends.
            let done = Event::new();
            let d = done.clone();
            event_loop.set_timeout(MS, move |_| d.set()).unwrap();
            done.expect("a timer");
            let stopped = stop_clean(&thread);
            assert!(stopped.is_clean(), "{panics}: {stopped}");
            assert_eq!(event_loop.metrics().panics, 1, "{panics}");
            assert_eq!(Arc::strong_count(&alive), 1, "{panics}");
            drop(other);
        }
    }
}

/// Closures whose drop panics, on a loop that nobody runs, on one whose thread goes away, and on one
/// whose thread is unwinding.
#[test]
fn drops_that_panic() {
    let alive = Arc::new(());
    let bombs = |event_loop: &EventLoop| {
        for _ in 0..3 {
            let (a, b) = (Bomb(alive.clone()), Bomb(alive.clone()));
            event_loop.queue_in_loop(move || drop(a)).unwrap();
            event_loop.set_timeout(DEADLINE, move |_| drop(b)).unwrap();
        }
    };
    // With its last handle, and by the thread that would have run it.
    let event_loop = EventLoop::new().unwrap();
    bombs(&event_loop);
    drop(event_loop);
    let thread = EventLoopThread::new().unwrap();
    bombs(thread.event_loop());
    drop(thread);
    assert_eq!(Arc::strong_count(&alive), 1, "not dropped");
    for panics in [false, true] {
        let event_loop = EventLoop::new().unwrap();
        bombs(&event_loop);
        let (at, a) = (event_loop.clone(), alive.clone());
        let host = std::thread::spawn(move || {
            let turn = at.run_once(Some(Duration::ZERO)).unwrap();
            assert_eq!(turn, Turn::Continue);
            let local = at.local().unwrap();
            local.set_context((Bomb(a.clone()), local.clone()));
            let b = Bomb(a.clone());
            local.set_idle(None, move |_| {
                let _bomb = &b;
            });
            let b = Bomb(a.clone());
            local.queue_in_loop(move || drop(b));
            if panics {
                panic!("on purpose, in a host");
            }
        });
        assert_eq!(host.join().is_err(), panics);
        assert_eq!(event_loop.status(), LoopStatus::Stopped);
        assert_eq!(Arc::strong_count(&alive), 1, "not dropped");
    }
}

/// Hooks of a loop's thread: a panic of theirs, and of what they leave.
#[test]
fn hooks_that_panic() {
    let alive = Arc::new(());
    let thread = EventLoopThread::new().unwrap();
    let (a, b) = (Bomb(alive.clone()), Bomb(alive.clone()));
    thread
        .start_with(move || drop(a), move || std::panic::panic_any(b))
        .unwrap();
    let report = stop_clean(&thread);
    assert!(report.is_clean());
    assert_eq!(Arc::strong_count(&alive), 1);
}
