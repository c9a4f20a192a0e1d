//! Deliberate bugs, to show that the tests which should catch them do. Most are put into a copy of the sources
//! by `tests/mutants/apply.py`.
//!
//! A bug is off in every normal build, where this is a plain `false`. loom's tests turn one on with
//! `--cfg hvloop_mutant="name"`; a simulated world, which tries many in one run, by
//! `sim::World::set_mutant`; `tests/mutants.sh`, which runs tests on real sockets and threads, by
//! `--cfg hvloop_mutants` and the environment variable `HVLOOP_MUTANT`.

/// Whether the bug of that name is on.
#[cfg(not(any(hvloop_sim, hvloop_mutants)))]
macro_rules! mutant {
    ($name:tt) => {
        cfg!(hvloop_mutant = $name)
    };
}

/// Whether the bug of that name is on.
#[cfg(hvloop_sim)]
macro_rules! mutant {
    ($name:tt) => {
        $crate::sys::sim::mutant_is_on($name)
    };
}

/// Whether the bug of that name is on.
#[cfg(all(hvloop_mutants, not(hvloop_sim)))]
macro_rules! mutant {
    ($name:tt) => {
        $crate::mutant::mutant_is_on($name)
    };
}

pub(crate) use mutant;

/// Whether the environment names this bug.
#[cfg(all(hvloop_mutants, not(hvloop_sim)))]
pub fn mutant_is_on(name: &str) -> bool {
    static ON: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let on = ON.get_or_init(|| std::env::var("HVLOOP_MUTANT").ok());
    on.as_deref() == Some(name)
}
