//! Keeping a stopping loop alive for a moment.

use crate::core::shared::LoopShared;
use std::fmt;
use std::sync::Arc;

/// Keeps a stopping loop draining until it is dropped, or the loop's deadline passes.
///
/// Made by [`EventLoop::hold`](crate::EventLoop::hold); may be moved to and dropped on any thread.
/// A hold that outlives the deadline is named in the
/// [`ShutdownReport`](crate::ShutdownReport::still_held); dropping it later does nothing.
#[must_use = "dropping a Hold at once holds nothing"]
pub struct Hold {
    shared: Arc<LoopShared>,
    id: u64,
}

impl Hold {
    pub(crate) fn new(shared: Arc<LoopShared>, name: &str) -> Option<Self> {
        let id = shared.hold(name)?;
        Some(Self { shared, id })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.shared.release_hold(self.id);
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").field("id", &self.id).finish()
    }
}
