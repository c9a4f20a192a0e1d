//! Signals of the system.

use crate::error::{Failure, hvloop_error};
use crate::event_loop::hvloop_loop;
use crate::ffi::boundary::status;
use crate::ffi::callback::Callback;
use crate::ffi::handle;
use crate::ffi::text::put;
use std::ffi::{c_int, c_void};
use std::io;

/// What a signal calls: `call(data, signum)`, on the loop's thread. `drop(data)`, unless it is NULL, comes exactly
/// once, after the last call: on the loop's thread, or before the function returns that refuses it.
#[repr(C)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy)]
pub struct hvloop_signal_callback {
    /// What is called, with the number of the signal. Not NULL.
    pub call: Option<unsafe extern "C" fn(data: *mut c_void, signum: c_int)>,
    /// How `data` is given up; NULL: there is nothing to be done.
    pub drop: Option<unsafe extern "C" fn(data: *mut c_void)>,
    /// What both are called with.
    pub data: *mut c_void,
}

/// Calls back each time that the process gets that signal; several that come close together may be one call. `id`,
/// if it is not NULL, gets a number for `hvloop_loop_remove_signal`. The process has hvloop's handler for the
/// signal from then on; one that was there before is called, too. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A loop; the callback may be called, and dropped, on the loop's thread; NULL, or a place for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_add_signal(
    event_loop: *const hvloop_loop,
    signum: c_int,
    callback: hvloop_signal_callback,
    id: *mut u64,
) -> c_int {
    status(|| {
        let signal = Callback::new(callback.call, callback.drop, callback.data)?;
        // SAFETY: the caller's word.
        let object = unsafe { handle::get(event_loop)? };
        let call = move |signum| {
            // SAFETY: what is called, and with what, is C's own; on the loop's thread.
            unsafe { signal.function()(signal.data(), signum) }
        };
        let added = object.body.event_loop.add_signal(signum, call);
        let added = added.map_err(|error| match error.kind() {
            io::ErrorKind::NotConnected => {
                Failure::new(hvloop_error::Closed, "the loop takes no more")
            }
            io::ErrorKind::InvalidInput => Failure::argument(error.to_string()),
            _ => Failure::from(error),
        })?;
        let number = object.body.signals.add(added);
        // SAFETY: the caller's word.
        unsafe { put(id, number) };
        Ok(())
    })
}

/// Listens no more. On the loop's thread the callback is not called after this; from another one it still may be
/// until the loop gets to know. 0, also if there is none, or a negative `hvloop_error`.
///
/// # Safety
///
/// A loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_remove_signal(
    event_loop: *const hvloop_loop,
    id: u64,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let object = unsafe { handle::get(event_loop)? };
        if let Some(signal) = object.body.signals.remove(id) {
            signal.remove();
        }
        Ok(())
    })
}
