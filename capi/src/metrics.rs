//! The counters of a loop.

use crate::event_loop::hvloop_loop;
use crate::ffi::boundary::status;
use crate::ffi::text::{put, to_millis};
use std::ffi::c_int;

// Large: the counters of Rust's `Metrics`, one for one.
/// Counters of a loop. See `hvloop_loop_metrics`.
#[repr(C)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy, Default)]
pub struct hvloop_metrics {
    /// Turns of the loop.
    pub ticks: u64,
    /// Tasks run.
    pub tasks: u64,
    /// Timer callbacks run.
    pub timers_fired: u64,
    /// Timers armed now.
    pub timers: u64,
    /// Connections now, those still connecting included.
    pub connections: u64,
    /// Connections accepted by listeners.
    pub accepted: u64,
    /// Times that a listener could not accept for want of descriptors or memory.
    pub accept_errors: u64,
    /// Bytes read from sockets.
    pub bytes_in: u64,
    /// Bytes written to sockets.
    pub bytes_out: u64,
    /// Bytes of memory that connections hold.
    pub memory: u64,
    /// Connections closed since they held too much memory.
    pub memory_closes: u64,
    /// Panics caught in callbacks.
    pub panics: u64,
    /// The longest that a callback ran, in milliseconds.
    pub longest_callback_ms: i64,
    /// What keeps a stopping loop draining: sockets, connects, holds.
    pub holds: u64,
}

/// Reads the counters of a loop. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A loop; NULL, or a place for them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_metrics(
    event_loop: *const hvloop_loop,
    metrics: *mut hvloop_metrics,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let read = unsafe { crate::event_loop::event_loop(event_loop)? }.metrics();
        let read = hvloop_metrics {
            ticks: read.ticks,
            tasks: read.tasks,
            timers_fired: read.timers_fired,
            timers: read.timers,
            connections: read.connections,
            accepted: read.accepted,
            accept_errors: read.accept_errors,
            bytes_in: read.bytes_in,
            bytes_out: read.bytes_out,
            memory: read.memory,
            memory_closes: read.memory_closes,
            panics: read.panics,
            longest_callback_ms: to_millis(read.longest_callback),
            holds: read.holds,
        };
        // SAFETY: the caller's word.
        unsafe { put(metrics, read) };
        Ok(())
    })
}
