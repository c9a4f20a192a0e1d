//! What loops do without sockets: timers, and tasks from other threads.

use crate::args::pin;
use crate::control::{Meter, fail, say};
use crate::{Error, Result};
use clap::{Parser, Subcommand};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long it is waited until a loop sleeps.
const SETTLE: Duration = Duration::from_millis(200);
/// Between two wake-ups.
const PAUSE: Duration = Duration::from_micros(500);
/// From when on the timers that fire are due, and for how long.
const AHEAD: Duration = Duration::from_millis(500);
const SPREAD: Duration = Duration::from_secs(1);

/// Work for a loop.
#[derive(Parser)]
pub struct LoopArgs {
    /// The CPU of the loop.
    #[arg(long)]
    pub cpu: Option<usize>,
    /// The CPU of the threads that post.
    #[arg(long)]
    pub other_cpu: Option<usize>,
    /// What to do.
    #[command(subcommand)]
    pub work: Work,
}

/// See the module.
#[derive(Subcommand)]
pub enum Work {
    /// Sets timers that are due in 10 to 70 s, then cancels them in the same order.
    Timers {
        /// How many.
        #[arg(long, default_value_t = 1_000_000)]
        count: usize,
        /// Without what a callback needs, where timers are to be had apart from it.
        #[arg(long)]
        bare: bool,
    },
    /// Sets timers that are due within one second, and waits for all.
    Fires {
        /// How many.
        #[arg(long, default_value_t = 100_000)]
        count: usize,
    },
    /// Threads post tasks as fast as they can.
    Post {
        /// How many threads.
        #[arg(long, default_value_t = 1)]
        producers: usize,
        /// Of all threads together.
        #[arg(long, default_value_t = 1_000_000)]
        tasks: usize,
    },
    /// A thread posts a task each 500 µs, while the loop sleeps.
    Wake {
        /// How often.
        #[arg(long, default_value_t = 2_000)]
        times: usize,
    },
}

impl LoopArgs {
    /// Reads them, and makes the process ready.
    pub fn get() -> Result<Self> {
        let args = Self::parse();
        args.cpu.map_or(Ok(()), pin)?;
        Ok(args)
    }
}

/// What this program cannot do.
pub fn not_here() -> Result<()> {
    Err(Error::from("this is not compared here"))
}

/// When timers that are set and cancelled would be due.
pub fn far(count: usize) -> Vec<Duration> {
    let mut rng = StdRng::seed_from_u64(1);
    (0..count)
        .map(|_| Duration::from_micros(rng.random_range(10_000_000..70_000_000)))
        .collect()
}

/// Tells what setting and cancelling took.
pub fn timers_took(count: usize, set_ns: u64, cancel_ns: u64) {
    let each = |ns: u64| ns as f64 / count as f64;
    say(format_args!(
        "timers set_ns={:.1} cancel_ns={:.1}",
        each(set_ns),
        each(cancel_ns)
    ));
}

struct Fires {
    begin: Option<Instant>,
    since: Option<Meter>,
    late: Vec<u64>,
    early: u64,
    all: usize,
}

thread_local! {
    static FIRES: RefCell<Fires> =
        const { RefCell::new(Fires { begin: None, since: None, late: Vec::new(), early: 0, all: 0 }) };
}

/// When the timers that fire are due.
pub fn near(count: usize) -> Vec<Instant> {
    let (mut rng, begin) = (StdRng::seed_from_u64(2), Instant::now() + AHEAD);
    FIRES.with_borrow_mut(|fires| {
        fires.begin = Some(begin);
        fires.all = count;
        fires.late.reserve(count);
    });
    (0..count)
        .map(|_| begin + SPREAD.mul_f64(rng.random_range(0.0..1.0)))
        .collect()
}

/// All timers are set.
pub fn all_set() {
    FIRES.with_borrow_mut(|fires| {
        if fires.begin.is_none_or(|begin| Instant::now() > begin) {
            fail("setting the timers took longer than until the first one was due");
        }
        fires.since = Some(Meter::start());
    });
}

/// One has fired. With the last one the process ends.
pub fn fired(due: Instant) {
    let now = Instant::now();
    FIRES.with_borrow_mut(|fires| {
        fires.early += u64::from(now < due);
        fires
            .late
            .push(now.saturating_duration_since(due).as_nanos() as u64);
        let (Some(since), true) = (fires.since, fires.late.len() == fires.all) else {
            return;
        };
        let cpu = since.cpu_ns() as f64 / fires.all as f64;
        fires.late.sort_unstable();
        let late = |part: usize| fires.late[fires.all * part / 100] as f64 / 1000.0;
        say(format_args!(
            "fires cpu_ns={cpu:.1} late_p50_us={:.1} late_p99_us={:.1} early={}",
            late(50),
            late(99),
            fires.early
        ));
        std::process::exit(0);
    });
}

/// How a thread gives a loop a task.
pub trait Poster: Clone + Send + 'static {
    /// Runs it on the loop's thread.
    fn post(&self, task: impl FnOnce() + Send + 'static);
}

static SINCE: OnceLock<Meter> = OnceLock::new();

/// Begins to post; the process ends once all has been done.
pub fn begin_posting(args: &LoopArgs, poster: impl Poster) -> Result<()> {
    let cpu = args.other_cpu;
    match args.work {
        Work::Post { producers, tasks } => {
            let each = tasks / producers.max(1);
            let all = (each * producers) as u64;
            for _ in 0..producers {
                let poster = poster.clone();
                on_cpu(cpu, move || {
                    SINCE.get_or_init(Meter::start);
                    for n in 0..each {
                        poster.post(move || ran(n, all));
                    }
                });
            }
        }
        Work::Wake { times } => on_cpu(cpu, move || {
            for _ in 0..times {
                std::thread::sleep(PAUSE);
                let posted = Instant::now();
                poster.post(move || woken(posted, times));
            }
        }),
        Work::Timers { .. } | Work::Fires { .. } => return not_here(),
    }
    Ok(())
}

fn on_cpu(cpu: Option<usize>, f: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        if let Err(e) = cpu.map_or(Ok(()), pin) {
            fail(&e);
        }
        std::thread::sleep(SETTLE);
        f();
        // What it keeps alive is kept until the end of the process.
        std::thread::park();
    });
}

thread_local! {
    static DONE: Cell<u64> = const { Cell::new(0) };
}

fn ran(task: usize, all: u64) {
    black_box(task);
    let done = DONE.get() + 1;
    DONE.set(done);
    if done < all {
        return;
    }
    if let Some(since) = SINCE.get() {
        let each = since.cpu_ns() as f64 / all as f64;
        say(format_args!("post cpu_ns={each:.1}"));
        std::process::exit(0);
    }
}

thread_local! {
    static WAKES: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

fn woken(posted: Instant, times: usize) {
    let took = posted.elapsed().as_nanos() as u64;
    WAKES.with_borrow_mut(|wakes| {
        wakes.push(took);
        if wakes.len() == times {
            wakes.sort_unstable();
            let at = |part: usize| wakes[times * part / 100] as f64 / 1000.0;
            say(format_args!(
                "wake p50_us={:.2} p99_us={:.2}",
                at(50),
                at(99)
            ));
            std::process::exit(0);
        }
    });
}
