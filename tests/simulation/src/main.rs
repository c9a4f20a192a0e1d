//! Random histories of the event loop on a simulated world. See `tests/simulation.sh`.

#[cfg(hvloop_sim)]
mod cli;
#[cfg(hvloop_sim)]
mod client_plan;
#[cfg(hvloop_sim)]
mod clients;
#[cfg(hvloop_sim)]
mod ctx;
#[cfg(hvloop_sim)]
mod deflating;
#[cfg(hvloop_sim)]
mod extras;
#[cfg(hvloop_sim)]
mod history;
#[cfg(hvloop_sim)]
mod hosting;
#[cfg(hvloop_sim)]
mod mutants;
#[cfg(hvloop_sim)]
mod oracle;
#[cfg(hvloop_sim)]
mod peers;
#[cfg(hvloop_sim)]
mod run;
#[cfg(hvloop_sim)]
mod servers;
#[cfg(hvloop_sim)]
mod services;
#[cfg(hvloop_sim)]
mod serving;
#[cfg(hvloop_sim)]
mod shrink;
#[cfg(hvloop_sim)]
mod work;

#[cfg(hvloop_sim)]
fn main() -> std::process::ExitCode {
    cli::main()
}

/// Without the simulated world there is nothing to run.
#[cfg(not(hvloop_sim))]
fn main() -> std::process::ExitCode {
    eprintln!("built without the simulated world: run tests/simulation.sh");
    std::process::ExitCode::from(2)
}
