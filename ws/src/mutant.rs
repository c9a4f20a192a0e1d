//! Deliberate bugs for the tests; see the module of this name in `hvloop-event`.

/// Whether the bug of that name is on: never in a normal build.
#[cfg(not(any(hvloop_sim, hvloop_mutants)))]
macro_rules! mutant {
    ($name:tt) => {
        false
    };
}

/// Whether the bug of that name is on.
#[cfg(hvloop_sim)]
macro_rules! mutant {
    ($name:tt) => {
        hvloop_event::sim::mutant_is_on($name)
    };
}

/// Whether the bug of that name is on.
#[cfg(all(hvloop_mutants, not(hvloop_sim)))]
macro_rules! mutant {
    ($name:tt) => {
        hvloop_event::mutant_is_on($name)
    };
}

pub(crate) use mutant;
