//! Timers on a thread of their own, and by the calendar.

use crate::common::loops::MS;
use hvloop::TimerThread;
use hvloop_test_support::{DEADLINE, Event, Monitor};

/// All five calls, from another thread; the drop ends all.
#[test]
fn timer_thread() {
    let timers = TimerThread::new().unwrap();
    let (once, ticks) = (Event::new(), Monitor::new(0));
    let o = once.clone();
    timers.set_timeout(MS, move |_| o.set()).unwrap();
    let t = ticks.clone();
    let interval = timers
        .set_interval(MS, move |_| t.update(|t| *t += 1))
        .unwrap();
    once.expect("the timeout");
    assert!(ticks.wait(DEADLINE, |t| *t >= 3));
    timers.kill_timer(interval).unwrap();
    let counted = Monitor::new(0);
    let c = counted.clone();
    let hour = 3_600_000 * MS;
    let timer = timers
        .set_timer(hour, Some(2), move |_| c.update(|c| *c += 1))
        .unwrap();
    timers.reset_timer(timer, Some(MS)).unwrap();
    assert!(counted.wait(DEADLINE, |c| *c == 2));
    timers.stop();
    assert!(timers.join().unwrap().is_clean());
    assert!(timers.set_timeout(MS, |_| {}).is_err());

    let timers = TimerThread::new().unwrap();
    let event_loop = hvloop::EventLoop::clone(&timers);
    timers.set_interval(MS, |_| {}).unwrap();
    drop(timers);
    assert_eq!(event_loop.metrics().timers, 0);
}

/// Every second by the calendar, twice; then one that is taken off before its time.
#[cfg(feature = "cron")]
#[test]
fn cron_timers() {
    use crate::common::loops::{on_loop, started, stop_clean};
    use hvloop::CronSchedule;
    let thread = started();
    let calls = Monitor::new(0);
    let c = calls.clone();
    let schedule = CronSchedule::parse("* * * * * *").unwrap();
    let set = thread
        .event_loop()
        .set_cron(schedule, Some(2), move |_| c.update(|c| *c += 1));
    set.unwrap();
    assert!(calls.wait(DEADLINE, |c| *c == 2));
    on_loop(thread.event_loop(), |_| ());
    assert_eq!(thread.event_loop().metrics().timers, 0, "it is over");
    let never = CronSchedule::period(Some(0), Some(0), Some(1), None, Some(1)).unwrap();
    let id = thread
        .event_loop()
        .set_cron(never, None, |_| panic!("new year"))
        .unwrap();
    assert_eq!(on_loop(thread.event_loop(), |_| ()), ());
    assert_eq!(thread.event_loop().metrics().timers, 1);
    thread.event_loop().kill_timer(id).unwrap();
    on_loop(thread.event_loop(), |_| ());
    assert_eq!(thread.event_loop().metrics().timers, 0);
    stop_clean(&thread);
}
