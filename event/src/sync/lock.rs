//! Locks of data that is whole whoever has them.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks. A panic while one of these locks is held cannot leave its data half changed, so that a
/// poisoned lock is as good as any.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Changes what is locked. What `f` takes out of it, which is the user's, is dropped with no lock held.
pub fn change<T, R>(mutex: &Mutex<T>, f: impl FnOnce(&mut T) -> R) {
    let old = f(&mut lock(mutex));
    drop(old);
}
