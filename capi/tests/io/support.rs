//! What the tests share.

use hvloop_capi::event_loop::{hvloop_loop, hvloop_loop_new, hvloop_loop_release};
use hvloop_capi::io::common::hvloop_io_release;
use hvloop_capi::io::hvloop_io;
use hvloop_capi::task::hvloop_task;
use hvloop_capi::thread::{
    hvloop_thread, hvloop_thread_free, hvloop_thread_loop, hvloop_thread_new, hvloop_thread_start,
};
use std::ffi::{CStr, c_void};
use std::ptr::null;
use std::time::{Duration, Instant};

/// How long a test waits before it has failed.
pub const DEADLINE: Duration = Duration::from_secs(60);

pub const NULL: i32 = -1;
pub const ARGUMENT: i32 = -3;
pub const CLOSED: i32 = -4;
pub const STATE: i32 = -5;
pub const NOT_OPEN: i32 = -6;
pub const FULL: i32 = -7;
pub const IO: i32 = -8;
pub const NOT_FOUND: i32 = -11;
pub const THREAD: i32 = -12;
pub const UNSUPPORTED: i32 = -13;
pub const HANDLE: i32 = -14;

pub const NO_HOOK: hvloop_task = hvloop_task {
    call: None,
    drop: None,
    data: std::ptr::null_mut(),
};

/// A loop on a thread of its own, for a test.
pub struct Loop {
    thread: *mut hvloop_thread,
    event_loop: *mut hvloop_loop,
}

unsafe impl Sync for Loop {}

impl Loop {
    pub fn started() -> Self {
        let thread = unsafe { hvloop_thread_new(null()) };
        assert!(!thread.is_null());
        assert_eq!(unsafe { hvloop_thread_start(thread, NO_HOOK, NO_HOOK) }, 0);
        let event_loop = unsafe { hvloop_thread_loop(thread) };
        Self { thread, event_loop }
    }

    pub fn get(&self) -> *mut hvloop_loop {
        self.event_loop
    }

    /// Runs something on the loop's thread, and waits for what it returns.
    pub fn run<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        struct Call<F, R>(Option<F>, std::sync::mpsc::Sender<R>);
        unsafe extern "C" fn call<F: FnOnce() -> R, R>(data: *mut c_void) {
            let call = unsafe { &mut *data.cast::<Call<F, R>>() };
            let result = call.0.take().expect("once")();
            call.1.send(result).expect("the test");
        }
        fn of<F: FnOnce() -> R, R>(_: &Call<F, R>) -> unsafe extern "C" fn(data: *mut c_void) {
            call::<F, R>
        }
        let (tell, told) = std::sync::mpsc::channel();
        let mut waiting = Call(Some(f), tell);
        let task = hvloop_task {
            call: Some(of(&waiting)),
            drop: None,
            data: (&raw mut waiting).cast(),
        };
        let queued = unsafe { hvloop_capi::task::hvloop_loop_run_in_loop(self.event_loop, task) };
        assert_eq!(queued, 0);
        told.recv_timeout(DEADLINE).expect("the loop runs")
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        unsafe { hvloop_loop_release(self.event_loop) };
        unsafe { hvloop_thread_free(self.thread) };
    }
}

/// A loop that nobody runs.
pub fn idle_loop() -> *mut hvloop_loop {
    let event_loop = unsafe { hvloop_loop_new(null()) };
    assert!(!event_loop.is_null());
    event_loop
}

/// Waits until it is so.
pub fn wait_for(what: &str, mut f: impl FnMut() -> bool) {
    let start = Instant::now();
    while !f() {
        assert!(start.elapsed() < DEADLINE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The text of this thread's last failure.
pub fn last_error() -> String {
    let text = unsafe { CStr::from_ptr(hvloop_capi::last_error::hvloop_last_error()) };
    text.to_string_lossy().into_owned()
}

/// A count of a handle, which is given back.
pub struct Kept(pub *mut hvloop_io);

unsafe impl Send for Kept {}
unsafe impl Sync for Kept {}

impl Drop for Kept {
    fn drop(&mut self) {
        unsafe { hvloop_io_release(self.0) };
    }
}
