//! Loops on threads of their own.

use crate::error::Outcome;
use crate::event_loop::{self, event_loop, hvloop_loop};
use crate::ffi::boundary::{boundary, status};
use crate::ffi::handle::{self, Object, Opaque};
use crate::ffi::text::put;
use crate::loop_options;
use crate::report::hvloop_report;
use crate::task::hvloop_task;
use hvloop::{EventLoop, EventLoopThread};
use std::ffi::c_int;

/// A loop on a thread of its own. Any thread.
#[allow(non_camel_case_types, reason = "named as C has it")]
pub struct hvloop_thread {
    _private: (),
}

impl Opaque for hvloop_thread {
    type Body = EventLoopThread;
    const KIND: usize = 4;
}

/// A hook that is no task: there is nothing to be called.
fn hook(task: hvloop_task) -> Outcome<Option<impl FnOnce() + Send + 'static>> {
    match task.call {
        None if task.drop.is_none() => Ok(None),
        _ => task.into_closure().map(Some),
    }
}

/// A thread for that loop, which nobody may have run; NULL: for a loop of its own. It is not started yet. NULL
/// if it fails.
///
/// # Safety
///
/// NULL, or a loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_thread_new(event_loop: *const hvloop_loop) -> *mut hvloop_thread {
    boundary(|| {
        let event_loop = match event_loop.is_null() {
            true => EventLoop::with_options(loop_options::defaults())?,
            // SAFETY: the caller's word.
            false => unsafe { self::event_loop(event_loop)? }.clone(),
        };
        Ok(handle::give(Object::new(EventLoopThread::with_loop(
            event_loop,
        ))))
    })
}

/// Starts the thread, and waits until it runs its loop. `pre` is called on it before the loop runs, `post` after
/// it has stopped; a `call` of NULL: nothing is. 0, or a negative `hvloop_error`: it was started before, the
/// system has no thread to give, or somebody else runs the loop.
///
/// # Safety
///
/// A thread; the hooks may be called, and dropped, on it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_thread_start(
    thread: *const hvloop_thread,
    pre: hvloop_task,
    post: hvloop_task,
) -> c_int {
    status(|| {
        let (pre, post) = (hook(pre)?, hook(post)?);
        // SAFETY: the caller's word.
        let object = unsafe { handle::share(thread)? };
        let pre = move || _ = pre.map(|pre| pre());
        let post = move || _ = post.map(|post| post());
        Ok(object.body.start_with(pre, post)?)
    })
}

/// The loop of a thread, with one count for the caller. NULL if it is none.
///
/// # Safety
///
/// A thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_thread_loop(thread: *const hvloop_thread) -> *mut hvloop_loop {
    boundary(|| {
        // SAFETY: the caller's word.
        let object = unsafe { handle::get(thread)? };
        Ok(event_loop::give(object.body.event_loop()))
    })
}

/// 1: the thread runs its loop; 0: it does not; or a negative `hvloop_error`.
///
/// # Safety
///
/// A thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_thread_is_running(thread: *const hvloop_thread) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        let object = unsafe { handle::get(thread)? };
        Ok(c_int::from(object.body.is_running()))
    })
}

/// Asks the loop to stop. Never waits. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_thread_stop(thread: *const hvloop_thread) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        unsafe { handle::get(thread)? }.body.stop();
        Ok(())
    })
}

/// Waits until the thread has ended. `report`, if it is not NULL, is told how the stop went. 0, or a negative
/// `hvloop_error`: this is the thread itself, it was never started, or its loop failed.
///
/// # Safety
///
/// A thread; NULL, or a place for a report.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_thread_join(
    thread: *const hvloop_thread,
    report: *mut hvloop_report,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let object = unsafe { handle::share(thread)? };
        let joined = object.body.join()?;
        // SAFETY: the caller's word.
        unsafe { put(report, hvloop_report::from(&joined)) };
        Ok(())
    })
}

/// Stops the loop, waits for the thread, unless this is it, and frees it. NULL is allowed.
///
/// # Safety
///
/// NULL, or a thread that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_thread_free(thread: *mut hvloop_thread) {
    // Its drop stops and waits.
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::take(thread).map(drop) })
}
