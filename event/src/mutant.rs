//! Deliberate bugs, to show that the tests which should catch them do.
//!
//! A bug is off in every normal build, where the compiler removes it. loom's tests turn one on with
//! `--cfg hvloop_mutant="name"`; a simulated world, which tries many in one run, by
//! `sim::World::set_mutant`.

/// Whether the bug of that name is on.
macro_rules! mutant {
    ($name:tt) => {
        cfg!(hvloop_mutant = $name) || $crate::mutant::is_on($name)
    };
}
pub(crate) use mutant;

/// See [`mutant!`].
#[cfg(not(hvloop_sim))]
pub(crate) const fn is_on(_name: &str) -> bool {
    false
}

#[cfg(hvloop_sim)]
pub(crate) use crate::sys::sim::mutant_is_on as is_on;
