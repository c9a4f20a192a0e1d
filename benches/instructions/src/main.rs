//! How many instructions the hot paths take, under valgrind, held against `baseline.txt`: what grew by more than 3 %
//! is an error. See `benches/README.md`.

mod baseline;
mod echo;
mod measure;
mod work;

use baseline::{Baseline, Verdict};
use clap::{Parser, Subcommand};
use measure::Valgrind;
use std::collections::VecDeque;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Parser)]
#[command(
    about = "Instruction counts of the hot paths, held against benches/instructions/baseline.txt"
)]
struct Args {
    /// Take what is measured as the baseline from now on.
    #[arg(long)]
    accept: bool,
    /// Only paths whose names begin so; with --accept the others keep what they have.
    #[arg(long)]
    only: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Does the work once, so many times; for a profile: valgrind --tool=callgrind ... work NAME TIMES
    Work { name: String, times: u64 },
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

/// Whether nothing has grown.
fn run(args: &Args) -> Fallible<bool> {
    if let Some(Command::Work { name, times }) = &args.command {
        work::find(name)?.run(*times)?;
        return Ok(true);
    }
    let valgrind = Valgrind::new()?;
    let machine = valgrind.machine()?;
    let baseline = Baseline::read()?;
    let counts = count(&valgrind, args.only.as_deref())?;
    let verdict = Verdict::new(&baseline, &machine, &counts);
    print!("{verdict}");
    if args.accept {
        Baseline::write(baseline, &machine, &counts)?;
        return Ok(true);
    }
    Ok(!verdict.has_grown())
}

/// The counts of all paths, in their order; as many at a time as there are processors.
fn count(valgrind: &Valgrind, only: Option<&str>) -> Fallible<Vec<(&'static str, u64)>> {
    let wanted = |name: &str| only.is_none_or(|only| name.starts_with(only));
    let all = work::ALL.iter().filter(|work| wanted(work.name));
    let all: VecDeque<_> = all.enumerate().collect();
    if all.is_empty() {
        return Err("no such path".into());
    }
    let (left, done) = (Mutex::new(all), Mutex::new(Vec::new()));
    let next = || left.lock().ok()?.pop_front();
    let at_a_time = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                while let Some((n, work)) = next() {
                    let count = valgrind.count_each(work.name, work.times);
                    if let Ok(mut done) = done.lock() {
                        done.push((n, work.name, count));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner()?;
    done.sort_by_key(|(n, ..)| *n);
    let counts = done.into_iter().map(|(_, name, count)| {
        let count = count.map_err(|e| format!("{name}: {e}"))?;
        Ok((name, count))
    });
    counts.collect()
}
