//! Threads, told apart.

thread_local! {
    /// Has an address of its own on each thread, to the thread's very end: it needs no destructor.
    static HERE: u8 = const { 0 };
}

/// Names the thread that calls: a number that no other thread has as long as this one runs. Not 0.
pub(crate) fn this_thread() -> usize {
    HERE.with(|here| (&raw const *here).addr())
}

/// The system's number of the thread that calls, or another one where the system has none.
pub(crate) fn number() -> i64 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return i64::from(rustix::thread::gettid().as_raw_nonzero().get());
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    return i64::try_from(this_thread()).unwrap_or(0);
}
