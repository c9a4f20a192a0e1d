//! What keeps a stopping loop draining.

use crate::event_loop::hvloop_loop;
use crate::ffi::boundary::boundary;
use crate::ffi::handle::{self, Object, Opaque};
use crate::ffi::text::text;
use hvloop::Hold;
use std::ffi::c_char;

/// Keeps a stopping loop draining. See `hvloop_loop_hold`.
#[allow(non_camel_case_types, reason = "named as C has it")]
pub struct hvloop_hold {
    _private: (),
}

impl Opaque for hvloop_hold {
    type Body = Hold;
    const KIND: usize = 3;
}

/// Keeps a loop that stops draining until `hvloop_hold_release`, or its deadline: for work elsewhere that will
/// come back to the loop. `name` is what the log calls it. NULL if it fails.
///
/// # Safety
///
/// A loop, and a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_hold(
    event_loop: *const hvloop_loop,
    name: *const c_char,
) -> *mut hvloop_hold {
    boundary(|| {
        // SAFETY: the caller's word.
        let event_loop = unsafe { crate::event_loop::event_loop(event_loop)? };
        // SAFETY: the caller's word.
        let name = unsafe { text(name)? };
        Ok(handle::give(Object::new(event_loop.hold(name)?)))
    })
}

/// Ends a hold. NULL is allowed.
///
/// # Safety
///
/// NULL, or a hold, which nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_hold_release(hold: *mut hvloop_hold) {
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::take(hold).map(drop) })
}
