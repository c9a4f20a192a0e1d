//! In the place of what the gate of callbacks knows of threads: each model is two lanes wide.

use loom::sync::atomic::{AtomicUsize, Ordering};
use std::cell::Cell;

/// How many lanes there are.
pub(crate) const THREADS: usize = 2;

loom::lazy_static! {
    static ref NEXT: AtomicUsize = AtomicUsize::new(0);
}

loom::thread_local! {
    static NUMBER: Cell<Option<usize>> = Cell::new(None);
}

/// One thread's lane is not the next one's.
pub(crate) fn thread_number() -> usize {
    NUMBER.with(|number| {
        let known = number.get();
        let mine = known.unwrap_or_else(|| NEXT.fetch_add(1, Ordering::Relaxed));
        number.set(Some(mine));
        mine
    })
}
