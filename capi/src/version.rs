//! Which hvloop this is.

use std::ffi::{c_char, c_int};

/// The version of the ABI that `hvloop.h` declares. Programs compare it with [`hvloop_abi_version`], as the C++
/// headers do: it changes with each change that old programs would not survive.
pub const HVLOOP_ABI_VERSION: c_int = 1;

/// The version of the ABI that the library has.
#[unsafe(no_mangle)]
pub extern "C" fn hvloop_abi_version() -> c_int {
    HVLOOP_ABI_VERSION
}

/// The version of the library, such as "0.1.0". Static text.
#[unsafe(no_mangle)]
pub extern "C" fn hvloop_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
