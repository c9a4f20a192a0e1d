//! Timers and tasks of tokio's runtime of one thread. What a callback is elsewhere is a task here; with `--bare`
//! a timer is a `Sleep` alone, which nobody awaits. Tasks from other threads come through a channel.

use futures_util::FutureExt;
use hvloop_compare::Result;
use hvloop_compare::control::Meter;
use hvloop_compare::on_loop::{
    LoopArgs, Poster, Work, all_set, begin_posting, far, fired, near, timers_took,
};
use std::cell::Cell;
use std::hint::black_box;
use std::pin::Pin;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{spawn, yield_now};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

type Task = Box<dyn FnOnce() + Send>;

#[derive(Clone)]
struct Channel(UnboundedSender<Task>);

impl Poster for Channel {
    fn post(&self, task: impl FnOnce() + Send + 'static) {
        // Refused only once the receiver is gone, and the process with it.
        _ = self.0.send(Box::new(task));
    }
}

thread_local! {
    static SET: Cell<usize> = const { Cell::new(0) };
}

/// Counts the tasks whose timer is set.
struct Set;

impl Set {
    fn new() -> Self {
        SET.set(SET.get() + 1);
        Self
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        SET.set(SET.get() - 1);
    }
}

fn main() -> Result<()> {
    let args = LoopArgs::get()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(args))
}

async fn run(args: LoopArgs) -> Result<()> {
    match args.work {
        Work::Timers { count, bare: true } => {
            let delays = far(count);
            let mut timers: Vec<Pin<Box<Sleep>>> = Vec::with_capacity(count);
            let meter = Meter::start();
            for delay in delays {
                let mut timer = Box::pin(sleep(delay));
                assert!(timer.as_mut().now_or_never().is_none(), "it is not due");
                timers.push(timer);
            }
            let set = meter.cpu_ns();
            let meter = Meter::start();
            timers.into_iter().for_each(drop);
            timers_took(count, set, meter.cpu_ns());
        }
        Work::Timers { count, bare: false } => {
            let delays = far(count);
            let mut timers = Vec::with_capacity(count);
            let meter = Meter::start();
            for (n, delay) in delays.into_iter().enumerate() {
                timers.push(spawn(async move {
                    let timer = sleep(delay);
                    let _set = Set::new();
                    timer.await;
                    black_box(n);
                }));
            }
            while SET.get() < count {
                yield_now().await;
            }
            let set = meter.cpu_ns();
            let meter = Meter::start();
            timers.iter().for_each(|timer| timer.abort());
            while SET.get() > 0 {
                yield_now().await;
            }
            timers_took(count, set, meter.cpu_ns());
        }
        Work::Fires { count } => {
            for due in near(count) {
                spawn(async move {
                    let timer = sleep_until(Instant::from_std(due));
                    SET.set(SET.get() + 1);
                    timer.await;
                    fired(due);
                });
            }
            while SET.get() < count {
                yield_now().await;
            }
            all_set();
            std::future::pending::<()>().await;
        }
        Work::Post { .. } | Work::Wake { .. } => {
            let (sender, mut receiver) = unbounded_channel::<Task>();
            begin_posting(&args, Channel(sender))?;
            tokio::task::unconstrained(async {
                while let Some(task) = receiver.recv().await {
                    task();
                }
            })
            .await;
        }
    }
    Ok(())
}
