//! Builds the programs, lets them take turns, and writes what was measured:
//! `cargo run --release --manifest-path benches/compare/Cargo.toml`
//!
//! A complete run writes `docs/benchmarks.md` and the plots beside it. With `--quick`, which tries whether all
//! of it works, or `--rows` the report is printed, unless `--out` says where to.

mod child;
mod machine;
mod measure;
mod plot;
mod report;
mod results;
mod rows;
mod subjects;

use clap::Parser;
use hvloop_compare::Result;
use indicatif::{ProgressBar, ProgressStyle};
use machine::Quiet;
use measure::Plan;
use results::Results;
use rows::Table;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Where the report of a complete run goes, and the folder of the plots beside it.
const REPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/benchmarks.md");

/// Compares hvloop with its peers, and with the system's calls alone.
#[derive(Parser)]
struct Args {
    /// Tries everything once, and briefly: the figures mean little.
    #[arg(long)]
    quick: bool,
    /// Only these tables, such as `client-wss,timers`; `client` is all that begin so.
    #[arg(long, value_delimiter = ',')]
    rows: Vec<String>,
    /// Only programs whose name has one of these in it, such as `floor,hvloop`.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How often each is measured.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long an echo is measured.
    #[arg(long, default_value_t = 1.5)]
    seconds: f64,
    /// Where the report goes.
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Args {
    fn wants_table(&self, table: &Table) -> bool {
        let is = |name: &String| match table.id.strip_prefix(&**name) {
            Some(rest) => rest.is_empty() || rest.starts_with('-'),
            None => false,
        };
        self.rows.is_empty() || self.rows.iter().any(is)
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(&**part))
    }

    fn is_complete(&self) -> bool {
        !self.quick && self.rows.is_empty() && self.only.is_empty()
    }
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    child::build()?;
    let before = match args.is_complete() {
        true => Quiet::wait()?,
        false => Quiet::look()?,
    };
    if !before.is_quiet() {
        eprintln!(
            "warning: the machine is not quiet: load {:.2}, {:.0} % of the CPUs in use",
            before.load,
            before.busy * 100.0
        );
    }
    let files = tempfile::tempdir()?;
    let plan = plan(&args, files.path())?;
    let rounds = if args.quick { 1 } else { args.rounds.max(1) };
    let mut tables = rows::tables();
    tables.retain(|table| args.wants_table(table));

    let began = Instant::now();
    let results = run(&args, &plan, rounds, &tables)?;
    let out = match (&args.out, args.is_complete()) {
        (Some(out), _) => Some(out.clone()),
        (None, true) => Some(PathBuf::from(REPORT)),
        (None, false) => None,
    };
    let plots = match &out {
        Some(out) => Some(draw(out, &tables, &results)?),
        None => None,
    };
    let run = report::Run {
        command: command(),
        rounds,
        divide: plan.divide,
        warm_up: plan.warm_up.as_secs_f64(),
        measure: plan.measure.as_secs_f64(),
        before,
        minutes: began.elapsed().as_secs_f64() / 60.0,
        plots,
    };
    let text = report::write(&run, &tables, &results)?;
    match out {
        Some(out) => fs::write(out, text)?,
        None => print!("{text}"),
    }
    Ok(match results.failures.is_empty() {
        true => ExitCode::SUCCESS,
        false => {
            let failures = results.failures.join("\n");
            eprintln!("{} failures:\n{failures}", results.failures.len());
            ExitCode::FAILURE
        }
    })
}

/// As it can be typed again.
fn command() -> String {
    let command = "cargo run --release --manifest-path benches/compare/Cargo.toml";
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.is_empty() {
        true => command.to_owned(),
        false => format!("{command} -- {}", arguments.join(" ")),
    }
}

/// How to measure, with a certificate made for this run.
fn plan(args: &Args, folder: &Path) -> Result<Plan> {
    let (cpu, other_cpu) = machine::cpus()?;
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    fs::write(&certificate, made.cert.pem())?;
    fs::write(&key, made.signing_key.serialize_pem())?;
    let (warm_up, measure) = match args.quick {
        true => (Duration::from_millis(100), Duration::from_millis(300)),
        false => (
            Duration::from_millis(500),
            Duration::try_from_secs_f64(args.seconds)?,
        ),
    };
    Ok(Plan {
        warm_up,
        measure,
        divide: if args.quick { 5 } else { 1 },
        cpu,
        other_cpu,
        certificate,
        key,
    })
}

fn run(args: &Args, plan: &Plan, rounds: usize, tables: &[Table]) -> Result<Results> {
    let all = tables.iter().flat_map(|table| &table.rows);
    let count: usize = all
        .map(|row| {
            let wanted = row.subjects.iter().filter(|s| args.wants(s.name));
            wanted.count() * row.kind.repeats() * rounds
        })
        .sum();
    let bar = ProgressBar::new(count as u64);
    bar.set_style(ProgressStyle::with_template(
        "{bar:30} {pos}/{len}, {elapsed} of {duration}, {msg}",
    )?);
    let mut results = Results::default();
    for table in tables {
        for (n, row) in table.rows.iter().enumerate() {
            let mut subjects: Vec<_> = row.subjects.iter().collect();
            subjects.retain(|subject| args.wants(subject.name));
            for _ in 0..rounds * row.kind.repeats() {
                for subject in &subjects {
                    bar.set_message(format!("{}: {}: {}", table.id, row.name, subject.name));
                    match plan.measure(row, subject) {
                        Ok(outcome) => results.add(table, n, subject, outcome),
                        Err(e) => results.failed(table, row, subject, e),
                    }
                    bar.inc(1);
                }
                // Nobody is always the first one, nor always behind the same.
                if subjects.len() > 1 {
                    subjects.rotate_left(1);
                }
            }
        }
    }
    bar.finish_and_clear();
    Ok(results)
}

/// Draws the plots into a folder beside the report; its name.
fn draw(out: &Path, tables: &[Table], results: &Results) -> Result<String> {
    let folder = out.with_extension("");
    fs::create_dir_all(&folder)?;
    for table in tables {
        let lines = results.lines(table);
        if !lines.is_empty() {
            let path = folder.join(format!("{}.svg", table.id));
            plot::draw(&path, table, &lines).map_err(|e| format!("{}: {e}", path.display()))?;
        }
    }
    let name = folder.file_name().ok_or("a report without a name")?;
    Ok(name.to_string_lossy().into_owned())
}
