//! Tasks.

use crate::error::Outcome;
use crate::event_loop::{event_loop, hvloop_loop};
use crate::ffi::boundary::status;
use crate::ffi::callback::Callback;
use std::ffi::{c_int, c_void};

/// Something to be done once: `call(data)`. `drop(data)`, unless it is NULL, follows, or comes instead, exactly
/// once: on the loop's thread, or before the function returns that refuses the task.
#[repr(C)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy)]
pub struct hvloop_task {
    /// What is called. Not NULL.
    pub call: Option<unsafe extern "C" fn(data: *mut c_void)>,
    /// How `data` is given up; NULL: there is nothing to be done.
    pub drop: Option<unsafe extern "C" fn(data: *mut c_void)>,
    /// What both are called with.
    pub data: *mut c_void,
}

impl hvloop_task {
    /// As a Rust closure.
    pub(crate) fn into_closure(self) -> Outcome<impl FnOnce() + Send + 'static> {
        let task = Callback::new(self.call, self.drop, self.data)?;
        Ok(move || {
            // SAFETY: what is called, and with what, is C's own; once, on the loop's thread.
            unsafe { task.function()(task.data()) }
        })
    }
}

/// Runs a task on the loop's thread: at once if this is it, else in its next turn. 0, or a negative
/// `hvloop_error`: the loop takes no more.
///
/// # Safety
///
/// A loop; the task may be called, and dropped, on the loop's thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_run_in_loop(
    event_loop: *const hvloop_loop,
    task: hvloop_task,
) -> c_int {
    status(|| {
        let task = task.into_closure()?;
        // SAFETY: the caller's word.
        let event_loop = unsafe { self::event_loop(event_loop)? };
        Ok(event_loop.run_in_loop(task)?)
    })
}

/// Runs a task in a later turn of the loop, never within this call; those of one thread in their order. 0, or a
/// negative `hvloop_error`: the loop takes no more.
///
/// # Safety
///
/// As `hvloop_loop_run_in_loop`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_queue_in_loop(
    event_loop: *const hvloop_loop,
    task: hvloop_task,
) -> c_int {
    status(|| {
        let task = task.into_closure()?;
        // SAFETY: the caller's word.
        let event_loop = unsafe { self::event_loop(event_loop)? };
        Ok(event_loop.queue_in_loop(task)?)
    })
}
