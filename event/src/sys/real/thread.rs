//! Threads: naming, spawning and telling them apart.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use std::thread::JoinHandle;

static NEXT_TOKEN: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static TOKEN: Cell<u64> = const { Cell::new(0) };
}

/// A number that no other thread of this process has or had; never 0.
///
/// While the thread's locals are being destroyed it may be a number of its own kind
/// (`u64::MAX`), which owns no loop.
pub(crate) fn token() -> u64 {
    TOKEN
        .try_with(|token| {
            if token.get() == 0 {
                token.set(NEXT_TOKEN.fetch_add(1, Ordering::Relaxed));
            }
            token.get()
        })
        .unwrap_or(u64::MAX)
}

/// The number of this process: another one in a child made by fork.
pub(crate) fn process() -> u32 {
    std::process::id()
}

/// Starts a named thread, maybe with a stack of so many bytes.
///
/// # Errors
///
/// What the operating system said when it had no thread to give.
pub(crate) fn spawn<T: Send + 'static>(
    name: &str,
    stack_size: Option<usize>,
    f: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let mut builder = std::thread::Builder::new().name(name.to_owned());
    if let Some(bytes) = stack_size {
        builder = builder.stack_size(bytes);
    }
    builder.spawn(f)
}

/// Binds this thread to the n-th CPU that the process may use, counted round. `false`: the system
/// does not.
#[cfg(feature = "affinity")]
pub(crate) fn pin(n: usize) -> bool {
    let cpus = core_affinity::get_core_ids().unwrap_or_default();
    let cpu = cpus.get(n.checked_rem(cpus.len()).unwrap_or(0));
    cpu.is_some_and(|cpu| core_affinity::set_for_current(*cpu))
}
