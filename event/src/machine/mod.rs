//! Pure state machines: no socket, no clock, no thread. Time is an argument.

pub(crate) mod addresses;
pub(crate) mod backoff;
pub(crate) mod lifecycle;
pub(crate) mod race;
