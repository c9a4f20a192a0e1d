//! Timers of every sort (libhv: `examples/htimer_test.c`, `evpp/TimerThread_test.cpp`).
//!
//! `cargo run --example timers`; with `--features cron` also by the calendar.

use hvloop::{EventLoop, TimerThread};
use std::error::Error;
use std::sync::mpsc;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let ms = Duration::from_millis(1);
    let event_loop = EventLoop::new()?;
    let began = Instant::now();
    let say = move |what: &str| println!("{:>4} ms  {what}", began.elapsed().as_millis());

    event_loop.set_timeout(30 * ms, move |_| say("once, after 30 ms"))?;
    event_loop.set_timer(20 * ms, Some(3), move |_| say("every 20 ms, three times"))?;
    event_loop.set_timeout(Duration::ZERO, move |_| say("in the next turn"))?;
    // Taken off by itself.
    let mut count = 0;
    event_loop.set_interval(15 * ms, move |id| {
        count += 1;
        say(&format!("every 15 ms, number {count}"));
        if let Some(local) = EventLoop::current().filter(|_| count == 4) {
            local.kill_timer(id);
        }
    })?;
    // Put off again and again, as by a watchdog that is fed.
    let watchdog = event_loop.set_timeout(50 * ms, move |_| say("nobody feeds the watchdog"))?;
    let feeder = event_loop.clone();
    let fed = event_loop.set_timer(10 * ms, Some(6), move |_| {
        feeder.reset_timer(watchdog, None).unwrap_or_default();
    })?;
    println!("the watchdog is {watchdog:?}, fed by {fed:?}");
    // Never comes: killed before its time.
    let never = event_loop.set_timeout(60 * ms, |_| unreachable!("it was killed"))?;
    event_loop.kill_timer(never)?;

    #[cfg(feature = "cron")]
    {
        let schedule = hvloop::CronSchedule::parse("* * * * * *")?;
        event_loop.set_cron(schedule, Some(1), move |_| say("a second begins"))?;
    }
    let stop = event_loop.clone();
    let all = if cfg!(feature = "cron") { 1100 } else { 200 };
    event_loop.set_timeout(all * ms, move |_| stop.stop())?;
    event_loop.run()?;

    // Without a loop of one's own.
    let timers = TimerThread::new()?;
    let (tell, told) = mpsc::channel();
    timers.set_timeout(10 * ms, move |_| {
        tell.send("from the timer thread").unwrap_or_default()
    })?;
    say(told.recv()?);
    Ok(())
}
