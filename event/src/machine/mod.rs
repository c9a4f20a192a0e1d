//! Pure state machines: no socket, no clock, no thread. Time is an argument.

pub(crate) mod addresses;
pub(crate) mod backoff;
pub(crate) mod ending;
pub(crate) mod lifecycle;
pub(crate) mod race;
pub(crate) mod read_side;
pub(crate) mod write_side;
