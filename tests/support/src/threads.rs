//! Which threads ran a test's callbacks.

use std::thread::ThreadId;

use crate::wait::Monitor;

/// Records the threads that callbacks run on. Clones share the record.
#[derive(Clone, Debug, Default)]
pub struct ThreadLog {
    seen: Monitor<Vec<ThreadId>>,
}

impl ThreadLog {
    /// An empty record.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records the calling thread.
    pub fn record(&self) {
        let id = std::thread::current().id();
        self.seen.update(|seen| seen.push(id));
    }

    /// How many calls were recorded.
    pub fn calls(&self) -> usize {
        self.seen.read(Vec::len)
    }

    /// Every call came from one thread, and there was at least one. Answers that thread.
    #[track_caller]
    pub fn assert_one_thread(&self) -> ThreadId {
        self.seen.read(|seen| {
            let first = *seen.first().expect("no callback was recorded");
            let other = seen.iter().position(|id| *id != first);
            assert!(
                other.is_none(),
                "callback number {} ran on {:?}, the first on {first:?}",
                other.unwrap_or_default(),
                seen[other.unwrap_or_default()],
            );
            first
        })
    }

    /// Every call came from `thread`, and there was at least one.
    #[track_caller]
    pub fn assert_all_on(&self, thread: ThreadId) {
        assert_eq!(self.assert_one_thread(), thread, "callbacks ran elsewhere");
    }
}
