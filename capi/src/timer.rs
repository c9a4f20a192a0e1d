//! Timers and idle callbacks.

use crate::error::{Failure, Outcome};
use crate::event_loop::{event_loop, hvloop_loop};
use crate::ffi::boundary::status;
use crate::ffi::callback::Callback;
use crate::ffi::text::{millis, put, some_millis, text};
use hvloop::{CronSchedule, IdleId, TimerId};
use std::ffi::{c_char, c_int, c_void};

/// As often as the loop runs, for `hvloop_loop_set_timer` and its likes.
pub const HVLOOP_FOREVER: u32 = u32::MAX;

/// What a timer, or an idle callback, calls: `call(data, id)`. `drop(data)`, unless it is NULL, comes exactly
/// once, after the last call: on the loop's thread, or before the function returns that refuses it.
#[repr(C)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy)]
pub struct hvloop_timer_callback {
    /// What is called, with the id of the timer. Not NULL.
    pub call: Option<unsafe extern "C" fn(data: *mut c_void, id: u64)>,
    /// How `data` is given up; NULL: there is nothing to be done.
    pub drop: Option<unsafe extern "C" fn(data: *mut c_void)>,
    /// What both are called with.
    pub data: *mut c_void,
}

impl hvloop_timer_callback {
    /// As a Rust closure.
    fn into_closure(self) -> Outcome<impl FnMut(u64) + Send + 'static> {
        let timer = Callback::new(self.call, self.drop, self.data)?;
        Ok(move |id| {
            // SAFETY: what is called, and with what, is C's own; on the loop's thread.
            unsafe { timer.function()(timer.data(), id) }
        })
    }
}

/// How often: a count that is not zero, or for ever.
fn times(repeat: u32) -> Outcome<Option<u32>> {
    match repeat {
        0 => Err(Failure::argument("a timer that never fires")),
        HVLOOP_FOREVER => Ok(None),
        repeat => Ok(Some(repeat)),
    }
}

fn timer_id(id: u64) -> Outcome<TimerId> {
    TimerId::from_raw(id).ok_or_else(|| Failure::argument("0 is no id"))
}

/// Calls back every `period_ms` milliseconds, `repeat` times (`HVLOOP_FOREVER`), first one period from now,
/// never early. `id`, if it is not NULL, gets the timer's number, which each call is told, too: the first one may
/// come before this returns to another thread than the loop's. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A loop; the callback may be called, and dropped, on the loop's thread; NULL, or a place for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_set_timer(
    event_loop: *const hvloop_loop,
    period_ms: i64,
    repeat: u32,
    callback: hvloop_timer_callback,
    id: *mut u64,
) -> c_int {
    status(|| {
        let mut call = callback.into_closure()?;
        let (period, repeat) = (some_millis(period_ms)?, times(repeat)?);
        // SAFETY: the caller's word.
        let event_loop = unsafe { self::event_loop(event_loop)? };
        let timer = event_loop.set_timer(period, repeat, move |id| call(id.raw()))?;
        // SAFETY: the caller's word.
        unsafe { put(id, timer.raw()) };
        Ok(())
    })
}

/// Calls back at the times of a cron pattern, such as `"30 8 * * 1"`, `repeat` times (`HVLOOP_FOREVER`). As
/// `hvloop_loop_set_timer` otherwise.
///
/// # Safety
///
/// As `hvloop_loop_set_timer`; a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_set_cron(
    event_loop: *const hvloop_loop,
    pattern: *const c_char,
    repeat: u32,
    callback: hvloop_timer_callback,
    id: *mut u64,
) -> c_int {
    status(|| {
        let mut call = callback.into_closure()?;
        // SAFETY: the caller's word.
        let pattern = unsafe { text(pattern)? };
        let schedule =
            CronSchedule::parse(pattern).map_err(|error| Failure::argument(error.to_string()))?;
        let repeat = times(repeat)?;
        // SAFETY: the caller's word.
        let event_loop = unsafe { self::event_loop(event_loop)? };
        let timer = event_loop.set_cron(schedule, repeat, move |id| call(id.raw()))?;
        // SAFETY: the caller's word.
        unsafe { put(id, timer.raw()) };
        Ok(())
    })
}

/// Takes a timer off. On the loop's thread it does not fire any more; from another one it still may until the
/// loop gets to know. 0, also if there is none, or a negative `hvloop_error`.
///
/// # Safety
///
/// A loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_kill_timer(event_loop: *const hvloop_loop, id: u64) -> c_int {
    status(|| {
        let id = timer_id(id)?;
        // SAFETY: the caller's word.
        Ok(unsafe { self::event_loop(event_loop)? }.kill_timer(id)?)
    })
}

/// Lets a timer count from now again, with another period (-1: its own). 0, also if there is none, or a negative
/// `hvloop_error`.
///
/// # Safety
///
/// A loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_reset_timer(
    event_loop: *const hvloop_loop,
    id: u64,
    period_ms: i64,
) -> c_int {
    status(|| {
        let (id, period) = (timer_id(id)?, millis(period_ms)?);
        // SAFETY: the caller's word.
        Ok(unsafe { self::event_loop(event_loop)? }.reset_timer(id, period)?)
    })
}

/// Calls back once each time that the loop has nothing to do, `repeat` times (`HVLOOP_FOREVER`). As
/// `hvloop_loop_set_timer` otherwise.
///
/// # Safety
///
/// As `hvloop_loop_set_timer`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_set_idle(
    event_loop: *const hvloop_loop,
    repeat: u32,
    callback: hvloop_timer_callback,
    id: *mut u64,
) -> c_int {
    status(|| {
        let mut call = callback.into_closure()?;
        let repeat = times(repeat)?;
        // SAFETY: the caller's word.
        let event_loop = unsafe { self::event_loop(event_loop)? };
        let idle = event_loop.set_idle(repeat, move |id| call(id.raw()))?;
        // SAFETY: the caller's word.
        unsafe { put(id, idle.raw()) };
        Ok(())
    })
}

/// Takes an idle callback off, as `hvloop_loop_kill_timer` does a timer.
///
/// # Safety
///
/// A loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_kill_idle(event_loop: *const hvloop_loop, id: u64) -> c_int {
    status(|| {
        let id = IdleId::from_raw(id).ok_or_else(|| Failure::argument("0 is no id"))?;
        // SAFETY: the caller's word.
        Ok(unsafe { self::event_loop(event_loop)? }.kill_idle(id)?)
    })
}
