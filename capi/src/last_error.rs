//! Why a function failed.

use crate::ffi::boundary;
use std::ffi::c_char;

/// The text of the last failure of this thread; empty if there was none. It is valid until the next function of
/// the ABI fails on this thread. Never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn hvloop_last_error() -> *const c_char {
    boundary::last_error()
}
