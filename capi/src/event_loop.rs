//! Loops.

use crate::error::{Failure, Outcome, hvloop_error};
use crate::ffi::boundary::{boundary, status};
use crate::ffi::callback::Data;
use crate::ffi::handle::{self, Object, Opaque};
use crate::ffi::text::{millis, put, some_millis};
use crate::loop_options::{self, hvloop_loop_options};
use crate::report::hvloop_report;
use crate::signal_list::Signals;
use hvloop::event::Turn;
use hvloop::{EventLoop, LoopStatus};
use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// A loop. Counted: `hvloop_loop_retain` and `hvloop_loop_release`. Each function may be called on any thread,
/// unless it says otherwise. A loop has one handle, however often it is asked for.
#[allow(non_camel_case_types, reason = "named as C has it")]
pub struct hvloop_loop {
    _private: (),
}

/// See [`hvloop_loop`].
pub(crate) struct LoopBody {
    pub(crate) event_loop: EventLoop,
    binding: Mutex<Option<Arc<Data>>>,
    pub(crate) signals: Signals,
}

impl LoopBody {
    pub(crate) fn new(event_loop: EventLoop) -> Self {
        Self {
            event_loop,
            binding: Mutex::default(),
            signals: Signals::default(),
        }
    }
}

impl Opaque for hvloop_loop {
    type Body = LoopBody;
    const KIND: usize = 2;
}

/// The loop behind a handle.
///
/// # Safety
///
/// As [`handle::get`].
pub(crate) unsafe fn event_loop<'a>(event_loop: *const hvloop_loop) -> Outcome<&'a EventLoop> {
    // SAFETY: the caller's word.
    unsafe { handle::get(event_loop) }.map(|object| &object.body.event_loop)
}

/// The handle of each loop that C knows of: there is one, as programs compare them.
static HANDLES: Mutex<BTreeMap<u64, Weak<Object<hvloop_loop>>>> = Mutex::new(BTreeMap::new());

/// Gives C a count of the loop's handle.
pub(crate) fn give(event_loop: &EventLoop) -> *mut hvloop_loop {
    let mut handles = HANDLES.lock().unwrap_or_else(PoisonError::into_inner);
    let number = event_loop.id().raw();
    if let Some(object) = handles.get(&number).and_then(Weak::upgrade) {
        return handle::give(object);
    }
    handles.retain(|_, object| object.strong_count() > 0);
    let object = Object::new(LoopBody::new(event_loop.clone()));
    handles.insert(number, Arc::downgrade(&object));
    handle::give(object)
}

/// Where a loop is in its life.
#[repr(i32)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum hvloop_status {
    /// No thread has run it yet.
    Idle = 0,
    /// A thread runs it.
    Running = 1,
    /// A thread runs it, but no callback runs until it is resumed or stopped.
    Paused = 2,
    /// It was told to stop: connections finish.
    Draining = 3,
    /// Every connection is closed; what was accepted before runs.
    Closing = 4,
    /// It has stopped, for good.
    Stopped = 5,
}

impl From<LoopStatus> for hvloop_status {
    fn from(status: LoopStatus) -> Self {
        match status {
            LoopStatus::Idle => Self::Idle,
            LoopStatus::Running => Self::Running,
            LoopStatus::Paused => Self::Paused,
            LoopStatus::Draining => Self::Draining,
            LoopStatus::Closing => Self::Closing,
            // Not exhaustive; nothing comes after the end.
            _ => Self::Stopped,
        }
    }
}

/// A loop with these options; NULL: the defaults. One count is the caller's. NULL if it fails.
///
/// # Safety
///
/// NULL, or options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_new(options: *const hvloop_loop_options) -> *mut hvloop_loop {
    boundary(|| {
        // SAFETY: the caller's word.
        let options = unsafe { loop_options::options(options)? };
        Ok(give(&EventLoop::with_options(options)?))
    })
}

/// One more count of a loop, which is returned. NULL if it is none.
///
/// # Safety
///
/// A loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_retain(event_loop: *mut hvloop_loop) -> *mut hvloop_loop {
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::share(event_loop).map(handle::give) })
}

/// Gives a count of a loop back. NULL is allowed. A loop that runs goes on without one.
///
/// # Safety
///
/// NULL, or a loop; the count is the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_release(event_loop: *mut hvloop_loop) {
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::take(event_loop).map(drop) })
}

/// The loop in whose callback the calling thread is, with one count for the caller. NULL outside of callbacks.
#[unsafe(no_mangle)]
pub extern "C" fn hvloop_loop_current() -> *mut hvloop_loop {
    boundary(|| match EventLoop::current() {
        Some(local) => Ok(give(&local.event_loop())),
        None => Err(Failure::new(
            hvloop_error::NotFound,
            "no callback of a loop is running",
        )),
    })
}

/// The number of a loop, which no other loop of the process has. 0 if it is none.
///
/// # Safety
///
/// A loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_id(event_loop: *const hvloop_loop) -> u64 {
    // SAFETY: the caller's word.
    boundary(|| unsafe { self::event_loop(event_loop) }.map(|event_loop| event_loop.id().raw()))
}

/// Runs a loop on this thread until it has stopped. `report`, if it is not NULL, is told how that went. 0 or a
/// negative `hvloop_error`.
///
/// # Safety
///
/// A loop; NULL, or a place for a report.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_run(
    event_loop: *const hvloop_loop,
    report: *mut hvloop_report,
) -> c_int {
    status(|| {
        // Its own handle: callbacks may give the caller's back.
        // SAFETY: the caller's word.
        let object = unsafe { handle::share(event_loop)? };
        let ran = object.body.event_loop.run()?;
        // SAFETY: the caller's word.
        unsafe { put(report, hvloop_report::from(&ran)) };
        Ok(())
    })
}

/// Turns a loop once on this thread, which is the loop's from then on, waiting so many milliseconds at the most
/// for something to do (-1: without limit). 1: call again; 0: it has stopped, and `report`, if it is not NULL,
/// says how; or a negative `hvloop_error`.
///
/// # Safety
///
/// A loop; NULL, or a place for a report.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_run_once(
    event_loop: *const hvloop_loop,
    timeout_ms: i64,
    report: *mut hvloop_report,
) -> c_int {
    boundary(|| {
        let timeout = millis(timeout_ms)?;
        // SAFETY: the caller's word.
        let object = unsafe { handle::share(event_loop)? };
        match object.body.event_loop.run_once(timeout)? {
            Turn::Continue => Ok(1),
            Turn::Stopped(ran) => {
                // SAFETY: the caller's word.
                unsafe { put(report, hvloop_report::from(&ran)) };
                Ok(0)
            }
        }
    })
}

/// Asks a loop to stop: its connections finish, what is left when the time is over is closed by force, and then
/// `hvloop_loop_run` returns. Never waits. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_stop(event_loop: *const hvloop_loop) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { self::event_loop(event_loop) }.map(EventLoop::stop))
}

/// As `hvloop_loop_stop`, within so many milliseconds; 0: at once, by force.
///
/// # Safety
///
/// A loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_stop_with(
    event_loop: *const hvloop_loop,
    timeout_ms: i64,
) -> c_int {
    status(|| {
        let timeout = some_millis(timeout_ms)?;
        // SAFETY: the caller's word.
        unsafe { self::event_loop(event_loop)? }.stop_with(timeout);
        Ok(())
    })
}

/// Waits until a loop has stopped, so many milliseconds at the most (-1: without limit). 0, or a negative
/// `hvloop_error`: the time was over, or this is the loop's own thread, which would wait for itself.
///
/// # Safety
///
/// A loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_wait_stopped(
    event_loop: *const hvloop_loop,
    timeout_ms: i64,
) -> c_int {
    status(|| {
        let timeout = millis(timeout_ms)?;
        // SAFETY: the caller's word.
        let event_loop = unsafe { self::event_loop(event_loop)? };
        match event_loop.wait_stopped(timeout) {
            true => Ok(()),
            false if event_loop.is_in_loop_thread() => Err(Failure::new(
                hvloop_error::Thread,
                "the loop's own thread would wait for itself",
            )),
            false => Err(Failure::new(
                hvloop_error::Timeout,
                "the loop has not stopped yet",
            )),
        }
    })
}

/// Lets no callback run until `hvloop_loop_resume`, or a stop. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_pause(event_loop: *const hvloop_loop) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { self::event_loop(event_loop) }.map(EventLoop::pause))
}

/// Ends a pause. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_resume(event_loop: *const hvloop_loop) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { self::event_loop(event_loop) }.map(EventLoop::resume))
}

/// Where a loop is in its life: a `hvloop_status`, or a negative `hvloop_error`.
///
/// # Safety
///
/// A loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_status(event_loop: *const hvloop_loop) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        let event_loop = unsafe { self::event_loop(event_loop)? };
        Ok(hvloop_status::from(event_loop.status()) as c_int)
    })
}

/// 1: this is the loop's thread; 0: it is not; or a negative `hvloop_error`.
///
/// # Safety
///
/// A loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_is_in_loop_thread(event_loop: *const hvloop_loop) -> c_int {
    boundary(|| {
        // SAFETY: the caller's word.
        let event_loop = unsafe { self::event_loop(event_loop)? };
        Ok(c_int::from(event_loop.is_in_loop_thread()))
    })
}

/// How the stop of a loop went that has stopped. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A loop; NULL, or a place for a report.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_report(
    event_loop: *const hvloop_loop,
    report: *mut hvloop_report,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let event_loop = unsafe { self::event_loop(event_loop)? };
        let stopped = event_loop.report();
        let stopped =
            stopped.ok_or_else(|| Failure::new(hvloop_error::State, "the loop has not stopped"))?;
        // SAFETY: the caller's word.
        unsafe { put(report, hvloop_report::from(&stopped)) };
        Ok(())
    })
}

/// Keeps a pointer with a loop, for `hvloop_loop_binding`; `drop`, if it is not NULL, is called with the one
/// that it replaces, or with this one when the loop's handle goes, at the latest. 0 or a negative
/// `hvloop_error`; `drop` was called then.
///
/// # Safety
///
/// A loop; `drop` may be called with `data` on any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_set_binding(
    event_loop: *const hvloop_loop,
    data: *mut c_void,
    drop: Option<unsafe extern "C" fn(data: *mut c_void)>,
) -> c_int {
    status(|| {
        let data = Arc::new(Data::new(data, drop));
        // SAFETY: the caller's word.
        let object = unsafe { handle::get(event_loop)? };
        let mut binding = object
            .body
            .binding
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = binding.replace(data);
        std::mem::drop(binding);
        // With nothing locked.
        std::mem::drop(before);
        Ok(())
    })
}

/// Keeps a pointer with a loop as `hvloop_loop_set_binding` does, unless there is one: then `drop`, if it is not
/// NULL, is called. The pointer that is kept; NULL if it fails: `drop` was called then, too.
///
/// # Safety
///
/// As `hvloop_loop_set_binding`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_bind_once(
    event_loop: *const hvloop_loop,
    data: *mut c_void,
    drop: Option<unsafe extern "C" fn(data: *mut c_void)>,
) -> *mut c_void {
    boundary(|| {
        let data = Arc::new(Data::new(data, drop));
        // SAFETY: the caller's word.
        let object = unsafe { handle::get(event_loop)? };
        let mut binding = object
            .body
            .binding
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let kept = binding.get_or_insert_with(|| Arc::clone(&data)).as_ptr();
        std::mem::drop(binding);
        // One that came too late goes with nothing locked.
        std::mem::drop(data);
        Ok(kept)
    })
}

/// The pointer that was kept with a loop; NULL: none. It is valid for as long as nobody replaces it.
///
/// # Safety
///
/// A loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_binding(event_loop: *const hvloop_loop) -> *mut c_void {
    boundary(|| {
        // SAFETY: the caller's word.
        let object = unsafe { handle::get(event_loop)? };
        let binding = object
            .body
            .binding
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Ok(binding
            .as_ref()
            .map_or(std::ptr::null_mut(), |data| data.as_ptr()))
    })
}
