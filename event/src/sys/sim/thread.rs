//! "Threads": names for who is calling, on the one thread that there is.

use super::world::World;
use std::io;

pub(crate) use std::thread::JoinHandle;

/// The number of the "thread" that is running.
pub(crate) fn token() -> u64 {
    World::find().map_or(u64::MAX, |world| world.thread())
}

/// There is no fork here.
pub(crate) fn process() -> u32 {
    0
}

/// A world has no CPUs to bind a thread to.
#[cfg(feature = "affinity")]
pub(crate) fn pin(_n: usize) -> bool {
    false
}

/// A world has no threads to give.
///
/// # Errors
///
/// Always.
pub(crate) fn spawn<T: Send + 'static>(
    _name: &str,
    _stack_size: Option<usize>,
    _f: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Err(io::ErrorKind::Unsupported.into())
}
