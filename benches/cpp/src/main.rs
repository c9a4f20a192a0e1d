//! What a callback through C++ costs, beside the same callback in Rust:
//! `cargo run --release -p hvloop-cpp-bench`
//!
//! Each work is done by a program in Rust and by one in C++ in turns, on a CPU of its own; the CPU time of the process
//! is what counts. The C++ program is built here, with the static library.

mod load;
mod work;

use clap::Parser;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use work::Work;

/// What a callback through C++ costs.
#[derive(Parser)]
struct Args {
    /// How often each program runs.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Fails if C++ takes more than so many times Rust's CPU time.
    #[arg(long)]
    limit: Option<f64>,
    /// Is a program that is measured: the CPU, and what it does so often.
    #[arg(long, hide = true, num_args = 3, value_names = ["CPU", "WORK", "COUNT"])]
    run: Vec<String>,
}

/// What is done, how often, and what it is called.
const WORKS: [(Work, &str, u64, &str); 4] = [
    (Work::Tasks, "tasks", 1_000_000, "a task posted"),
    (Work::Timers, "timers", 200_000, "a timer set and fired"),
    (Work::Tcp, "tcp", 400_000, "a TCP echo"),
    (Work::Ws, "ws", 400_000, "a WebSocket echo"),
];

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args = Args::parse();
    if let [cpu, work, count] = &args.run[..] {
        pin(cpu.parse()?);
        let work = WORKS.iter().find(|(_, name, ..)| name == work);
        let (work, ..) = work.ok_or("no such work")?;
        work::run(*work, count.parse()?)?;
        println!("{}", cpu_time());
        return Ok(ExitCode::SUCCESS);
    }
    let cpp = build()?;
    let rust = std::env::current_exe()?;
    pin(1);
    println!("| CPU ns | Rust | C++ | C++ ÷ Rust |");
    println!("|---|---:|---:|---:|");
    let mut worst = 0.0_f64;
    for (work, name, count, title) in WORKS {
        let (mut of_rust, mut of_cpp) = (Vec::new(), Vec::new());
        for _ in 0..args.rounds {
            let mut command = Command::new(&rust);
            command.args(["--run", "0"]);
            of_rust.push(measure(command, work, name, count)?);
            let mut command = Command::new(&cpp);
            command.arg("0");
            of_cpp.push(measure(command, work, name, count)?);
        }
        let (of_rust, of_cpp) = (median(of_rust), median(of_cpp));
        let ratio = of_cpp / of_rust;
        worst = worst.max(ratio);
        println!("| {title} | {of_rust:.0} | {of_cpp:.0} | {ratio:.2} |");
    }
    Ok(match args.limit {
        Some(limit) if worst > limit => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

fn pin(cpu: usize) {
    core_affinity::set_for_current(core_affinity::CoreId { id: cpu });
}

fn cpu_time() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The C++ program, with the library that C++ programs get.
fn build() -> Result<PathBuf, Box<dyn Error>> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = own.join("../..");
    let target = std::env::current_exe()?;
    let target = target.parent().and_then(Path::parent).ok_or("no target")?;
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--profile", "capi", "-p", "hvloop-capi"])
        .current_dir(&root)
        .status()?;
    let program = target.join("capi/cpp_work");
    let natives = std::fs::read_to_string(root.join("capi/packaging/native_libs"))?;
    let compiled = Command::new(std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned()))
        .args(["-std=c++17", "-O2"])
        .arg("-I")
        .arg(root.join("capi/include/hv"))
        .arg(own.join("cpp/work.cpp"))
        .arg(target.join("capi/libhvloop.a"))
        .args(natives.split_whitespace())
        .arg("-o")
        .arg(&program)
        .status()?;
    match built.success() && compiled.success() {
        true => Ok(program),
        false => Err("the C++ program was not built".into()),
    }
}

/// CPU nanoseconds for each.
fn measure(
    mut command: Command,
    work: Work,
    name: &str,
    count: u64,
) -> Result<f64, Box<dyn Error>> {
    let mut child = command
        .args([name, &count.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or("no output")?;
    let mut lines = BufReader::new(output).lines();
    let mut number = || -> Result<u64, Box<dyn Error>> {
        Ok(lines.next().ok_or("the program ended")??.parse()?)
    };
    let took = match work {
        Work::Tasks | Work::Timers => number()?,
        Work::Tcp | Work::Ws => {
            let port = u16::try_from(number()?)?;
            load::echoes(work, port, count)?;
            drop(child.stdin.take());
            number()?
        }
    };
    child.wait()?;
    Ok(took as f64 / count as f64)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
