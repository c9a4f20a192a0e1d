//! Loops that a host drives: another event loop, which has the thread.

use crate::error::{Failure, Outcome, hvloop_error};
use crate::event_loop::hvloop_loop;
use crate::ffi::boundary::boundary;
use crate::ffi::text::to_millis;
use std::ffi::c_int;

/// The descriptor on which a host may wait that drives the loop by `hvloop_loop_run_once`: on the loop's thread.
/// A negative `hvloop_error` elsewhere.
///
/// # Safety
///
/// A loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_backend_fd(event_loop: *const hvloop_loop) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        let local = unsafe { local(event_loop)? };
        Ok(local.backend_fd()?)
    })
}

/// Before a host waits on `hvloop_loop_backend_fd`, on the loop's thread: how many milliseconds it may at the
/// most (-1: without limit), or another negative `hvloop_error`. Then it calls `hvloop_loop_run_once` with 0.
///
/// # Safety
///
/// A loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_prepare_wait(event_loop: *const hvloop_loop) -> i64 {
    boundary(|| {
        // SAFETY: the caller's word.
        let local = unsafe { local(event_loop)? };
        Ok(local.prepare_wait().map_or(-1, to_millis))
    })
}

/// The thread's own half of a loop.
///
/// # Safety
///
/// As [`handle::get`].
unsafe fn local(event_loop: *const hvloop_loop) -> Outcome<hvloop::LocalLoop> {
    // SAFETY: the caller's word.
    let local = unsafe { crate::event_loop::event_loop(event_loop)? }.local();
    local.ok_or_else(|| Failure::new(hvloop_error::Thread, "this is not the loop's thread"))
}
