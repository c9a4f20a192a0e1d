//! Timers and tasks of hvloop's loop.

use hvloop::EventLoop;
use hvloop_compare::Result;
use hvloop_compare::control::Meter;
use hvloop_compare::on_loop::{
    LoopArgs, Poster, Work, all_set, begin_posting, far, fired, near, timers_took,
};
use std::hint::black_box;
use std::time::Instant;

#[derive(Clone)]
struct Hvloop(EventLoop);

impl Poster for Hvloop {
    fn post(&self, task: impl FnOnce() + Send + 'static) {
        // Refused only once the loop has stopped, and the process with it.
        _ = self.0.queue_in_loop(task);
    }
}

fn main() -> Result<()> {
    let args = LoopArgs::get()?;
    let event_loop = EventLoop::new()?;
    match args.work {
        Work::Timers { count, .. } => event_loop.with_local(move |local| {
            let delays = far(count);
            let mut timers = Vec::with_capacity(count);
            let meter = Meter::start();
            for (n, delay) in delays.into_iter().enumerate() {
                timers.push(local.set_timeout(delay, move |_| _ = black_box(n)));
            }
            let set = meter.cpu_ns();
            let meter = Meter::start();
            for timer in timers {
                local.kill_timer(timer);
            }
            timers_took(count, set, meter.cpu_ns());
            local.event_loop().stop();
        })?,
        Work::Fires { count } => event_loop.with_local(move |local| {
            for due in near(count) {
                let delay = due.saturating_duration_since(Instant::now());
                local.set_timeout(delay, move |_| fired(due));
            }
            all_set();
        })?,
        Work::Post { .. } | Work::Wake { .. } => begin_posting(&args, Hvloop(event_loop.clone()))?,
    }
    event_loop.run()?;
    Ok(())
}
