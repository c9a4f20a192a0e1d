//! Deliberate bugs, to show that the tests which should catch them do.
//!
//! A bug is off in every normal build, where this is a plain `false`. loom's tests turn one on with
//! `--cfg hvloop_mutant="name"`; a simulated world, which tries many in one run, by
//! `sim::World::set_mutant`.

/// Whether the bug of that name is on.
#[cfg(not(hvloop_sim))]
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

pub(crate) use mutant;
