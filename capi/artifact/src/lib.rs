//! The libraries that C and C++ link: see `hvloop-capi-impl`, which has all of the code.

pub use hvloop_capi::*;
