//! Running loops.

use hvloop::{EventLoop, EventLoopThread, LocalLoop, LoopOptions};
use hvloop_test_support::DEADLINE;
use std::sync::mpsc;
use std::time::Duration;

pub const MS: Duration = Duration::from_millis(1);

pub fn started() -> EventLoopThread {
    let options = LoopOptions::new().drain_limit(DEADLINE);
    let thread = EventLoopThread::with_loop(EventLoop::with_options(options).unwrap());
    thread.start().unwrap();
    thread
}

/// Runs `f` on the loop's thread and brings its result back.
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

#[track_caller]
pub fn stop_clean(thread: &EventLoopThread) {
    thread.stop();
    let report = thread.join().unwrap();
    assert!(report.is_clean(), "{report}");
}
