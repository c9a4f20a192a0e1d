//! The command line.

use crate::history::History;
use crate::mutants::{MUTANTS, SEEDS};
use crate::peers::Certificates;
use crate::run::run;
use crate::shrink::shrink;
use clap::Parser;
use hvloop_event::sim::World;
use std::panic;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// Runs random histories of hvloop's event loop on a simulated world.
#[derive(Parser)]
struct Args {
    /// How many seeds.
    #[arg(long, default_value_t = 5_000)]
    seeds: u64,
    /// The first one.
    #[arg(long, default_value_t = 0)]
    start: u64,
    /// How many threads, each with worlds of its own.
    #[arg(long)]
    threads: Option<usize>,
    /// Run one seed and print what happens.
    #[arg(long)]
    replay: Option<u64>,
    /// Shorten the replayed history first.
    #[arg(long)]
    shrink: bool,
    /// With that deliberate bug in the library.
    #[arg(long)]
    mutant: Option<String>,
    /// Check that every deliberate bug is found.
    #[arg(long)]
    mutants: bool,
}

pub fn main() -> ExitCode {
    // Panics of the histories are caught by the library; all others are told.
    let hook = panic::take_hook();
    let args = Args::parse();
    // A search catches them all and replays what it finds; there they are told.
    let quiet = args.replay.is_none();
    panic::set_hook(Box::new(move |info| {
        let on_purpose = info.payload().downcast_ref::<&str>() == Some(&crate::ctx::ON_PURPOSE);
        if !on_purpose && !quiet {
            hook(info);
        }
    }));
    let mutant = match args.mutant.as_deref().map(find_mutant) {
        None => None,
        Some(Some(name)) => Some(name),
        Some(None) => {
            eprintln!("there is no such mutant");
            return ExitCode::from(2);
        }
    };
    if let Some(seed) = args.replay {
        return replay(seed, args.shrink, mutant);
    }
    let threads = args
        .threads
        .or_else(|| std::thread::available_parallelism().ok().map(Into::into))
        .unwrap_or(1);
    if args.mutants {
        return check_mutants(threads);
    }
    let started = Instant::now();
    let failed = search(args.start, args.seeds, threads, mutant);
    let took = started.elapsed().as_secs_f64();
    match failed {
        None => {
            let rate = args.seeds as f64 / took;
            println!(
                "{} seeds without a violation, {took:.1} s, {rate:.0} a second",
                args.seeds
            );
            ExitCode::SUCCESS
        }
        Some(seed) => {
            println!("seed {seed} fails. To see it: tests/simulation.sh --replay {seed} --shrink");
            replay(seed, true, mutant)
        }
    }
}

fn find_mutant(name: &str) -> Option<&'static str> {
    MUTANTS
        .iter()
        .map(|(name, _)| *name)
        .find(|known| *known == name)
}

/// The first seed that fails, if one does.
fn search(start: u64, seeds: u64, threads: usize, mutant: Option<&'static str>) -> Option<u64> {
    let next = AtomicU64::new(start);
    let end = start.saturating_add(seeds);
    let stop = AtomicBool::new(false);
    let failed = AtomicU64::new(u64::MAX);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                World::set_mutant(mutant);
                let certificates = Rc::new(Certificates::new());
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    if !run(&History::new(seed), &certificates, false).is_empty() {
                        failed.fetch_min(seed, Ordering::Relaxed);
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    Some(failed.into_inner()).filter(|seed| *seed != u64::MAX)
}

fn replay(seed: u64, shorten: bool, mutant: Option<&'static str>) -> ExitCode {
    World::set_mutant(mutant);
    let certificates = Rc::new(Certificates::new());
    let mut history = History::new(seed);
    let fails = |history: &History| !run(history, &certificates, false).is_empty();
    if shorten && fails(&history) {
        history = shrink(&history, fails);
    }
    let violations = run(&history, &certificates, true);
    for violation in &violations {
        println!("seed {seed}: {violation}");
    }
    if violations.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn check_mutants(threads: usize) -> ExitCode {
    let mut missed = 0;
    for (name, what) in MUTANTS {
        match search(0, SEEDS, threads, Some(name)) {
            None => {
                missed += 1;
                println!("MISSED  {name}: {what}");
            }
            Some(seed) => {
                World::set_mutant(Some(name));
                let certificates = Rc::new(Certificates::new());
                let fails = |history: &History| !run(history, &certificates, false).is_empty();
                let history = shrink(&History::new(seed), fails);
                let violations = run(&history, &certificates, false);
                let first = violations.first().cloned().unwrap_or_default();
                println!("caught  {name} by seed {seed}: {first}");
                for action in &history.actions {
                    println!("            {:?}: {:?}", action.when, action.op);
                }
                World::set_mutant(None);
            }
        }
    }
    println!(
        "{} of {} mutants caught",
        MUTANTS.len() - missed,
        MUTANTS.len()
    );
    if missed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
