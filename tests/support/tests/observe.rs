//! Waiting and observing. One test, because it compares the open files of the whole process.

use std::fs::File;
use std::time::Duration;

use hvloop_test_support::{EchoServer, Event, Latch, ThreadLog, Tls, ctxt, fds};

#[test]
fn observations_tell_the_truth() {
    let before = fds::open_fds();
    let file = File::open("/dev/null").expect("open");
    let new = fds::new_fds(&before);
    assert_eq!(new.len(), 1);
    assert_eq!(new[0].1, "/dev/null");
    drop(file);
    fds::assert_no_new_fds(&before);
    drop(EchoServer::start(Tls::Off));
    fds::assert_no_new_fds(&before);

    let latch = Latch::new(2);
    let event = Event::new();
    let log = ThreadLog::new();
    assert!(!latch.wait(Duration::ZERO) && !event.wait(Duration::ZERO));
    let worker = {
        let (latch, event, log) = (latch.clone(), event.clone(), log.clone());
        std::thread::spawn(move || {
            log.record();
            latch.count_down();
            log.record();
            latch.count_down();
            let tid = ctxt::current_tid().expect("/proc");
            let slept = ctxt::voluntary_ctxt_switches(tid).expect("/proc");
            event.expect("the test goes on");
            ctxt::voluntary_ctxt_switches(tid).expect("/proc") - slept
        })
    };
    latch.expect("two counts");
    let worker_id = worker.thread().id();
    log.assert_all_on(worker_id);
    assert_eq!(log.calls(), 2);
    event.set();
    let slept = worker.join().expect("join");
    assert!(slept < 1000, "a thread that waits does not wake: {slept}");
    log.record();
    assert!(std::panic::catch_unwind(|| log.assert_one_thread()).is_err());
    assert!(std::panic::catch_unwind(|| latch.count_down()).is_err());
}
