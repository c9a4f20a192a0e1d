//! Locks.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; nothing under these locks can be left half changed by a panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
