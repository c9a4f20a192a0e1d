//! Several loops, each on a thread of its own.

use crate::error::{Failure, Outcome};
use crate::event_loop::{self, hvloop_loop};
use crate::ffi::boundary::{boundary, status};
use crate::ffi::callback::Callback;
use crate::ffi::handle::{self, Object, Opaque};
use crate::loop_options::{self, hvloop_loop_options};
use hvloop::{EventLoopThreadPool, LoadBalance};
use std::ffi::{c_int, c_void};

/// Several loops, each on a thread of its own. Any thread.
#[allow(non_camel_case_types, reason = "named as C has it")]
pub struct hvloop_pool {
    _private: (),
}

impl Opaque for hvloop_pool {
    type Body = EventLoopThreadPool;
    const KIND: usize = 5;
}

/// How a loop is chosen for new work.
#[repr(i32)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum hvloop_load_balance {
    /// One after the other.
    RoundRobin = 0,
    /// Any one.
    Random = 1,
    /// The one with the fewest connections.
    LeastConnections = 2,
}

/// The choice of that number: C may give any.
pub(crate) fn load_balance(number: c_int) -> Outcome<LoadBalance> {
    match number {
        0 => Ok(LoadBalance::RoundRobin),
        1 => Ok(LoadBalance::Random),
        2 => Ok(LoadBalance::LeastConnections),
        _ => Err(Failure::argument(format!(
            "{number} is no hvloop_load_balance"
        ))),
    }
}

/// What each thread of a pool calls before its loop runs, or after: `call(data, n)`, on several threads at a
/// time. `drop(data)`, unless it is NULL, comes exactly once, after the last call.
#[repr(C)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy)]
pub struct hvloop_pool_hook {
    /// What is called, with the number of the thread. NULL: nothing is.
    pub call: Option<unsafe extern "C" fn(data: *mut c_void, n: usize)>,
    /// How `data` is given up; NULL: there is nothing to be done.
    pub drop: Option<unsafe extern "C" fn(data: *mut c_void)>,
    /// What both are called with.
    pub data: *mut c_void,
}

impl hvloop_pool_hook {
    fn into_closure(self) -> Outcome<impl Fn(usize) + Send + Sync + 'static> {
        let hook = match self.call {
            None if self.drop.is_none() => None,
            call => Some(Callback::new(call, self.drop, self.data)?),
        };
        Ok(move |n| {
            if let Some(hook) = &hook {
                // SAFETY: what is called, and with what, is C's own; on any thread.
                unsafe { hook.function()(hook.data(), n) }
            }
        })
    }
}

/// A pool of so many threads, 1 at least, whose loops have these options; NULL: the defaults. It is not started
/// yet. NULL if it fails.
///
/// # Safety
///
/// NULL, or options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_pool_new(
    threads: usize,
    options: *const hvloop_loop_options,
) -> *mut hvloop_pool {
    boundary(|| {
        // SAFETY: the caller's word.
        let options = unsafe { loop_options::options(options)? };
        let pool = EventLoopThreadPool::with_options(threads, &options)?;
        Ok(handle::give(Object::new(pool)))
    })
}

/// Starts all threads, and waits until they run their loops. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A pool; the hooks may be called, and dropped, on its threads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_pool_start(
    pool: *const hvloop_pool,
    pre: hvloop_pool_hook,
    post: hvloop_pool_hook,
) -> c_int {
    status(|| {
        let (pre, post) = (pre.into_closure()?, post.into_closure()?);
        // SAFETY: the caller's word.
        let object = unsafe { handle::share(pool)? };
        Ok(object.body.start_with(pre, post)?)
    })
}

/// How many threads a pool has. 0 if it is none.
///
/// # Safety
///
/// A pool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_pool_size(pool: *const hvloop_pool) -> u64 {
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::get(pool) }.map(|object| object.body.thread_num() as u64))
}

/// The n-th loop of a pool, with one count for the caller. NULL: there is none.
///
/// # Safety
///
/// A pool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_pool_loop(pool: *const hvloop_pool, n: usize) -> *mut hvloop_loop {
    boundary(|| {
        // SAFETY: the caller's word.
        let object = unsafe { handle::get(pool)? };
        let event_loop = object.body.event_loop(n);
        let event_loop = event_loop.ok_or_else(|| Failure::argument("there are not so many"))?;
        Ok(event_loop::give(event_loop))
    })
}

/// The loop for the next piece of work, by a `hvloop_load_balance`, with one count for the caller. NULL if it
/// fails.
///
/// # Safety
///
/// A pool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_pool_next_loop(
    pool: *const hvloop_pool,
    balance: c_int,
) -> *mut hvloop_loop {
    boundary(|| {
        let balance = load_balance(balance)?;
        // SAFETY: the caller's word.
        let object = unsafe { handle::get(pool)? };
        Ok(event_loop::give(object.body.next_loop(balance)))
    })
}

/// Asks all loops to stop. Never waits. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A pool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_pool_stop(pool: *const hvloop_pool) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        unsafe { handle::get(pool)? }.body.stop();
        Ok(())
    })
}

/// Waits until all threads have ended. 0, or a negative `hvloop_error`: this is one of them, they were never
/// started, or a loop failed.
///
/// # Safety
///
/// A pool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_pool_join(pool: *const hvloop_pool) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let object = unsafe { handle::share(pool)? };
        object.body.join()?;
        Ok(())
    })
}

/// Stops the loops, waits for the threads, unless this is one of them, and frees the pool. NULL is allowed.
///
/// # Safety
///
/// NULL, or a pool that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_pool_free(pool: *mut hvloop_pool) {
    // Its drop stops and waits.
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::take(pool).map(drop) })
}
