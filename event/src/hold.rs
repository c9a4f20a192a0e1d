//! Keeping a stopping loop alive for a moment.

use crate::core::shared::LoopShared;
use std::sync::{Arc, Weak};

/// Keeps a stopping loop draining until it is dropped, or the loop's deadline passes.
///
/// Made by [`EventLoop::hold`](crate::EventLoop::hold); may be moved to and dropped on any thread.
/// A hold that outlives the deadline is named in the
/// [`ShutdownReport`](crate::ShutdownReport::still_held); dropping it later does nothing.
#[must_use = "dropping a Hold at once holds nothing"]
pub struct Hold {
    /// Not the loop itself: a call that waits for the loop may have this.
    shared: Weak<LoopShared>,
    id: u64,
}

impl Hold {
    pub(crate) fn new(shared: &Arc<LoopShared>, name: &str) -> Option<Self> {
        let id = shared.hold(name)?;
        let shared = Arc::downgrade(shared);
        Some(Self { shared, id })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.release_hold(self.id);
        }
    }
}

debug_fields!(Hold, this: "id" = this.id);
