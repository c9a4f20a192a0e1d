//! Loops that run, and what is asked of them.

use hvloop::event::{Resolver, Turn};
use hvloop::{EventLoop, EventLoopThread, LocalLoop, LoopOptions, ShutdownReport};
use hvloop_test_support::{DEADLINE, Event, Monitor};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, mpsc};
use std::time::Duration;

pub const MS: Duration = Duration::from_millis(1);

/// Far longer than any test.
pub const HOUR: Duration = Duration::from_secs(3600);

/// A running loop that is never in a hurry.
pub fn started() -> EventLoopThread {
    started_with(LoopOptions::new())
}

/// A running loop with those options, whose drain is never in a hurry.
pub fn started_with(options: LoopOptions) -> EventLoopThread {
    let event_loop = EventLoop::with_options(options.drain_timeout(DEADLINE)).unwrap();
    let thread = EventLoopThread::with_loop(event_loop);
    thread.start().unwrap();
    thread
}

/// Runs `f` on the loop's thread and brings its result back; an assertion that fails in it fails
/// here, since nothing comes.
#[track_caller]
pub fn on_loop<R: Send + 'static>(
    event_loop: &EventLoop,
    f: impl FnOnce(&LocalLoop) -> R + Send + 'static,
) -> R {
    let (tell, told) = mpsc::channel();
    event_loop
        .post_event(move |local| tell.send(f(local)).unwrap())
        .unwrap();
    told.recv_timeout(DEADLINE).expect("the task's result")
}

/// Stops, waits, and checks that nothing was forced.
#[track_caller]
pub fn stop_clean(thread: &EventLoopThread) -> ShutdownReport {
    thread.stop();
    let report = thread.join().unwrap();
    assert!(report.is_clean(), "{report}");
    report
}

/// The same, and no callback of the loop panicked.
#[track_caller]
pub fn stop_without_panic(thread: &EventLoopThread) -> ShutdownReport {
    let report = stop_clean(thread);
    assert_eq!(thread.event_loop().metrics().panics, 0);
    report
}

/// Drives a loop on this thread until it has stopped.
#[track_caller]
pub fn drive(event_loop: &EventLoop) -> ShutdownReport {
    loop {
        match event_loop.run_once(None).unwrap() {
            Turn::Continue => {}
            Turn::Stopped(report) => return report,
        }
    }
}

/// A resolver that is a closure.
pub struct Answers<F>(pub F);

impl<F: Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static> Resolver for Answers<F> {
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        (self.0)(host)
    }
}

/// Loop options with that resolver.
pub fn resolving<F>(resolve: F) -> LoopOptions
where
    F: Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
{
    LoopOptions::new().resolver(Arc::new(Answers(resolve)))
}

/// A running loop with that limit for its drain.
pub fn running(limit: Duration) -> EventLoopThread {
    let options = LoopOptions::new().drain_timeout(limit);
    let thread = EventLoopThread::with_loop(EventLoop::with_options(options).unwrap());
    thread.start().unwrap();
    thread
}

/// A running loop that is never in a hurry.
pub fn patient() -> EventLoopThread {
    running(DEADLINE)
}

/// Waits until the loop is past the turn it is in, and what its callbacks were part of is over.
pub fn settle(event_loop: &EventLoop) {
    let over = Event::new();
    let o = over.clone();
    event_loop.queue_in_loop(move || o.set()).unwrap();
    over.expect("the task");
}

/// Tells when, and on which thread, it is dropped.
pub struct Told {
    dropped: Monitor<Vec<std::thread::ThreadId>>,
}

impl Told {
    pub fn new() -> (Self, Monitor<Vec<std::thread::ThreadId>>) {
        let dropped = Monitor::default();
        (
            Self {
                dropped: dropped.clone(),
            },
            dropped,
        )
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let here = std::thread::current().id();
        self.dropped.update(|dropped| dropped.push(here));
    }
}
