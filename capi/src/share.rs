//! Loops that Rust and C share: [`share`] gives C a handle of a Rust program's loop, [`event_loop`] has the loop
//! behind a handle that C made.

use crate::event_loop::{give, hvloop_loop};
use hvloop::EventLoop;

/// A handle of a loop for C, with one count, which `hvloop_loop_release` gives back. A loop has one handle,
/// however often it is shared.
pub fn share(event_loop: &EventLoop) -> *mut hvloop_loop {
    give(event_loop)
}

/// The loop behind a handle. `None`: it is NULL, or none.
///
/// # Safety
///
/// NULL, or a handle that some function of the ABI gave and that is not released yet.
pub unsafe fn event_loop(handle: *const hvloop_loop) -> Option<EventLoop> {
    // SAFETY: the caller's word.
    unsafe { crate::event_loop::event_loop(handle) }
        .ok()
        .cloned()
}
