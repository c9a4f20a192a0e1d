//! Idle callbacks, and what a loop keeps for its user.

use crate::common::loops::{on_loop, started, stop_clean};
use hvloop_test_support::{DEADLINE, Event, Monitor, wait_for};

/// So often as asked for, each time before a sleep; then the loop sleeps.
#[test]
fn idle_callbacks() {
    let thread = started();
    let calls = Monitor::new(0);
    let c = calls.clone();
    thread
        .event_loop()
        .set_idle(Some(3), move |_| c.update(|c| *c += 1))
        .unwrap();
    // A sleep each, unless the next task is there before.
    assert!(wait_for(DEADLINE.as_secs(), || {
        on_loop(thread.event_loop(), |_| ());
        calls.read(|c| *c == 3)
    }));
    on_loop(thread.event_loop(), |_| ());
    assert_eq!(calls.read(|c| *c), 3);

    // For ever, until it takes itself off; what it begins is done at once.
    let (endless, done) = (Monitor::new(0), Event::new());
    let (e, d) = (endless.clone(), done.clone());
    on_loop(thread.event_loop(), move |local| {
        let here = local.clone();
        local.set_idle(None, move |id| {
            let count = e.update(|e| {
                *e += 1;
                *e
            });
            here.queue_in_loop(|| {}); // so that there is a next time
            if count == 5 {
                assert!(here.kill_idle(id) && !here.kill_idle(id));
                d.set();
            }
        });
    });
    done.expect("five calls");
    on_loop(thread.event_loop(), |_| ());
    assert_eq!(endless.read(|e| *e), 5);

    // One that stays does not keep the loop awake.
    let c = calls.clone();
    thread
        .event_loop()
        .set_idle(None, move |_| c.update(|c| *c += 1))
        .unwrap();
    assert!(calls.wait(DEADLINE, |c| *c > 3));
    let sleeps = || {
        let before = thread.event_loop().metrics().ticks;
        std::thread::park_timeout(crate::common::loops::MS * 300);
        thread.event_loop().metrics().ticks == before
    };
    assert!(
        wait_for(DEADLINE.as_secs(), sleeps),
        "an idle loop turns on"
    );
    stop_clean(&thread);
}

/// A panic in one is caught, and others are called.
#[test]
fn idle_callback_panics() {
    let thread = started();
    let called = Event::new();
    let c = called.clone();
    thread
        .event_loop()
        .set_idle(Some(1), |_| panic!("on purpose"))
        .unwrap();
    thread
        .event_loop()
        .set_idle(Some(1), move |_| c.set())
        .unwrap();
    called.expect("the other one");
    stop_clean(&thread);
    assert_eq!(thread.event_loop().metrics().panics, 1);
}

/// One context a loop, of any type, dropped on the loop's thread.
#[test]
fn loop_context() {
    struct Context(Monitor<Vec<std::thread::ThreadId>>, u32);
    impl Drop for Context {
        fn drop(&mut self) {
            self.0.update(|seen| seen.push(std::thread::current().id()));
        }
    }
    let thread = started();
    let dropped = Monitor::new(Vec::new());
    let d = dropped.clone();
    let id = on_loop(thread.event_loop(), move |local| {
        assert!(local.context::<Context>().is_none());
        local.set_context(Context(d.clone(), 1));
        local.set_context(Context(d, 2));
        assert_eq!(local.context::<Context>().unwrap().1, 2);
        assert!(local.context::<String>().is_none());
        std::thread::current().id()
    });
    assert_eq!(dropped.read(Clone::clone), [id]);
    stop_clean(&thread);
    assert_eq!(dropped.read(Clone::clone), [id, id]);
}
