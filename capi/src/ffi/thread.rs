//! Threads, told apart.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many groups of threads [`thread_number`] is made for.
pub(crate) const THREADS: usize = 8;

thread_local! {
    /// 0: it has none yet. It needs no destructor: there to the thread's very end.
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

/// A small number of the thread that calls, which no other one has: those that are asked for one after the other follow one another.
pub(crate) fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    match NUMBER.get() {
        0 => {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            NUMBER.set(number);
            number
        }
        number => number,
    }
}

/// The system's number of the thread that calls, or another one where the system has none.
pub(crate) fn number() -> i64 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return i64::from(rustix::thread::gettid().as_raw_nonzero().get());
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    return i64::try_from(thread_number()).unwrap_or(0);
}
