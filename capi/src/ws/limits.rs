//! Limits and compression, as C says them.

use crate::error::{Failure, Outcome};
use hvloop::DeflateOptions;
use hvloop::ws::protocol::Limits;
use std::ffi::c_int;

/// Messages of so many bytes at the most, in as few frames as one.
pub(super) fn limits(size: usize) -> Limits {
    Limits::new().max_frame(size).max_message(size)
}

/// Whether to compress, by a number of C's.
pub(super) fn deflate(on: c_int) -> Outcome<Option<DeflateOptions>> {
    match on {
        0 => Ok(None),
        1 => Ok(Some(DeflateOptions::new())),
        _ => Err(Failure::argument(format!("{on} is neither 0 nor 1"))),
    }
}
