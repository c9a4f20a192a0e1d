//! How a program is asked for figures: lines on its input, and answers on its output.
//!
//! `mark`: messages, CPU time (user and system, of the whole process) and time until now; two marks are the
//! begin and the end of what is measured. `memory`: what is resident. `stop`: what the program does to
//! stop. The end of the input ends the process. All of it is done by a thread of its own, which sleeps
//! meanwhile, so that the loop that is measured has no part in it but a count.

use crate::Result;
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::cell::Cell;
use std::fmt::Display;
use std::io::BufRead;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

/// Loops that may count.
const LOOPS: usize = 8;

/// A loop's count, alone in its cache line.
#[repr(align(128))]
struct Count(AtomicU64);

static COUNTS: [Count; LOOPS] = [const { Count(AtomicU64::new(0)) }; LOOPS];
static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// This thread's count; taken at the first message.
    static MINE: Cell<Option<&'static Count>> = const { Cell::new(None) };
}

/// Counts messages of the loop on this thread.
#[inline]
pub fn count(messages: u64) {
    let Count(mine) = MINE.get().unwrap_or_else(take_count);
    mine.store(mine.load(Ordering::Relaxed) + messages, Ordering::Relaxed);
}

#[cold]
fn take_count() -> &'static Count {
    let Some(count) = COUNTS.get(NEXT.fetch_add(1, Ordering::Relaxed)) else {
        fail("too many threads count");
    };
    MINE.set(Some(count));
    count
}

/// How many were counted, on all threads.
pub fn counted() -> u64 {
    let counts = COUNTS
        .iter()
        .map(|Count(count)| count.load(Ordering::Relaxed));
    counts.sum()
}

/// CPU time and time from one moment on.
#[derive(Clone, Copy)]
pub struct Meter {
    cpu: Timespec,
    wall: Instant,
}

impl Meter {
    /// From now on.
    pub fn start() -> Self {
        Self {
            cpu: clock_gettime(ClockId::ProcessCPUTime),
            wall: Instant::now(),
        }
    }

    /// CPU time of the process since then, in ns: what getrusage calls user and system time.
    pub fn cpu_ns(&self) -> u64 {
        let now = clock_gettime(ClockId::ProcessCPUTime);
        nanos(now) - nanos(self.cpu)
    }

    /// Time since then, in ns.
    pub fn wall_ns(&self) -> u64 {
        self.wall.elapsed().as_nanos() as u64
    }
}

fn nanos(time: Timespec) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Says a line.
pub fn say(line: impl Display) {
    println!("{line}");
}

/// Answers the lines of the input from now on. `stop` is called for that line, on the thread of the control.
pub fn listen(stop: impl FnOnce() + Send + 'static) {
    let began = Meter::start();
    let mut stop = Some(stop);
    std::thread::spawn(move || {
        for line in std::io::stdin()
            .lock()
            .lines()
            .map_while(std::result::Result::ok)
        {
            match line.as_str() {
                "mark" => {
                    let (messages, cpu, wall) = (counted(), began.cpu_ns(), began.wall_ns());
                    say(format_args!(
                        "mark messages={messages} cpu_ns={cpu} wall_ns={wall}"
                    ));
                }
                "memory" => match resident_kib() {
                    Ok(kib) => say(format_args!("memory resident_kib={kib}")),
                    Err(e) => fail(&*e),
                },
                "stop" => {
                    if let Some(stop) = stop.take() {
                        stop();
                    }
                }
                other => fail(&format!("an unknown command: {other}")),
            }
        }
        std::process::exit(0);
    });
}

/// Ends the process with a word about why.
pub fn fail(why: &(impl Display + ?Sized)) -> ! {
    eprintln!("{why}");
    std::process::exit(1);
}

/// Resident memory of the process. `VmRSS` may be old by a few pages for each thread; this is not.
fn resident_kib() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB"));
    Ok(kib.ok_or("no Rss")?.trim().parse()?)
}

/// How far the connections of a client are; says so when all are open, and when all have closed.
pub struct Connections {
    all: usize,
    open: AtomicUsize,
    closed: AtomicUsize,
    began: Meter,
    stopping: std::sync::OnceLock<Meter>,
}

impl Connections {
    /// They begin to open now.
    pub fn new(all: usize) -> Self {
        Self {
            all,
            open: AtomicUsize::new(0),
            closed: AtomicUsize::new(0),
            began: Meter::start(),
            stopping: std::sync::OnceLock::new(),
        }
    }

    /// One is open.
    pub fn opened(&self) {
        if self.open.fetch_add(1, Ordering::Relaxed) + 1 == self.all {
            say(format_args!(
                "ready cpu_ns={} wall_ns={}",
                self.began.cpu_ns(),
                self.began.wall_ns()
            ));
        }
    }

    /// All of them are about to be closed.
    pub fn stop(&self) {
        self.stopping.get_or_init(Meter::start);
    }

    /// One was closed in order: each side has said so. `true`: it was the last one.
    pub fn closed(&self) -> bool {
        if self.stopping.get().is_none() {
            fail("a connection was closed before the stop");
        }
        self.closed.fetch_add(1, Ordering::Relaxed) + 1 == self.all
    }

    /// All have closed, and whatever they were on has ended.
    pub fn stopped(&self) {
        let closed = self.closed.load(Ordering::Relaxed);
        if closed != self.all {
            fail(&format!("{closed} of {} were closed in order", self.all));
        }
        if let Some(stopping) = self.stopping.get() {
            say(format_args!(
                "stopped cpu_ns={} wall_ns={}",
                stopping.cpu_ns(),
                stopping.wall_ns()
            ));
        }
    }
}
