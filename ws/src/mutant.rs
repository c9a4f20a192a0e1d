//! Deliberate bugs for the simulation; see the module of this name in `hvloop-event`.

/// Whether the bug of that name is on: never in a normal build.
#[cfg(not(hvloop_sim))]
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

pub(crate) use mutant;
