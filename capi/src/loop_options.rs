//! What can be set about a loop.

use crate::error::Outcome;
use crate::ffi::boundary::{boundary, status};
use crate::ffi::handle::{self, Object, Opaque};
use crate::ffi::text::{millis, some_millis, text};
use hvloop::LoopOptions;
use std::ffi::{c_char, c_int};
use std::sync::{Mutex, PoisonError};

/// Stack of a loop's thread, in bytes: C++ callbacks may put a lot there.
const STACK: usize = 8 * 1024 * 1024;

/// Options of a loop, for `hvloop_loop_new` and `hvloop_pool_new`. Any thread.
#[allow(non_camel_case_types, reason = "named as C has it")]
pub struct hvloop_loop_options {
    _private: (),
}

impl Opaque for hvloop_loop_options {
    type Body = Mutex<LoopOptions>;
    const KIND: usize = 1;
}

/// The defaults of loops that C makes.
pub(crate) fn defaults() -> LoopOptions {
    LoopOptions::new().stack_size(STACK)
}

/// What they are set to; NULL: the defaults.
///
/// # Safety
///
/// As [`handle::get`].
pub(crate) unsafe fn options(options: *const hvloop_loop_options) -> Outcome<LoopOptions> {
    if options.is_null() {
        return Ok(defaults());
    }
    // SAFETY: the caller's word.
    let options = unsafe { handle::get(options)? };
    let options = options.body.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(options.clone())
}

/// Changes them.
///
/// # Safety
///
/// As [`handle::get`].
unsafe fn change(
    options: *const hvloop_loop_options,
    f: impl FnOnce(LoopOptions) -> Outcome<LoopOptions>,
) -> Outcome {
    // SAFETY: the caller's word.
    let options = unsafe { handle::get(options)? };
    let mut options = options.body.lock().unwrap_or_else(PoisonError::into_inner);
    *options = f(options.clone())?;
    Ok(())
}

/// Options with the defaults: a stop takes 5 s at the most, a thread has a stack of 8 MiB. NULL if it fails.
#[unsafe(no_mangle)]
pub extern "C" fn hvloop_loop_options_new() -> *mut hvloop_loop_options {
    boundary(|| Ok(handle::give(Object::new(Mutex::new(defaults())))))
}

/// Frees options. NULL is allowed.
///
/// # Safety
///
/// NULL, or options that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_options_free(options: *mut hvloop_loop_options) {
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::take(options).map(drop) })
}

/// The loop's name, in log lines and as its thread's. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// Options, and a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_options_set_name(
    options: *mut hvloop_loop_options,
    name: *const c_char,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let name = unsafe { text(name)? };
        // SAFETY: the caller's word.
        unsafe { change(options, |options| Ok(options.name(name))) }
    })
}

/// How long a stop may take, in milliseconds, before what is left is closed by force; 0: at once. Default
/// 5,000. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// Options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_options_set_drain_timeout(
    options: *mut hvloop_loop_options,
    ms: i64,
) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe {
        change(options, |options| {
            Ok(options.drain_timeout(some_millis(ms)?))
        })
    })
}

/// Callbacks that run longer than so many milliseconds are named in the log; -1: none are. Default 100. 0 or a
/// negative `hvloop_error`.
///
/// # Safety
///
/// Options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_options_set_slow_callback(
    options: *mut hvloop_loop_options,
    ms: i64,
) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { change(options, |options| Ok(options.slow_callback(millis(ms)?))) })
}

/// The stack of a thread that is started for the loop, in bytes. Default 8 MiB. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// Options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_options_set_stack_size(
    options: *mut hvloop_loop_options,
    bytes: usize,
) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { change(options, |options| Ok(options.stack_size(bytes))) })
}
