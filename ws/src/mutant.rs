//! Deliberate bugs for the simulation; see the module of this name in `hvloop-event`.

/// Whether the bug of that name is on: never in a normal build.
macro_rules! mutant {
    ($name:tt) => {
        $crate::mutant::is_on($name)
    };
}
pub(crate) use mutant;

/// See [`mutant!`].
#[cfg(not(hvloop_sim))]
pub(crate) const fn is_on(_name: &str) -> bool {
    false
}

#[cfg(hvloop_sim)]
pub(crate) use hvloop_event::sim::mutant_is_on as is_on;
