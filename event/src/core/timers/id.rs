//! What timers are called.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::num::NonZeroU64;

/// Names one timer among all of the process. Never reused, so that it names nothing once its own is
/// gone, and nothing on another loop.
#[derive(Clone, Copy)]
pub struct TimerId {
    number: NonZeroU64,
    /// Where to find it on its loop, or [`UNPLACED`].
    slot: u32,
}

/// The slot of a timer that was given its number before its loop knew of it.
const UNPLACED: u32 = u32::MAX;

impl TimerId {
    /// The id of that number, of a timer that is on its way to its loop. Numbers are given out by the loop's
    /// shared half.
    pub(crate) fn from_raw(number: NonZeroU64) -> Self {
        let slot = UNPLACED;
        Self { number, slot }
    }

    /// The same id, of a timer that is in that slot for as long as it lives.
    pub(super) fn in_slot(self, slot: u32) -> Self {
        Self { slot, ..self }
    }

    pub(super) fn slot(self) -> Option<u32> {
        (self.slot != UNPLACED).then_some(self.slot)
    }

    pub(super) fn number(self) -> NonZeroU64 {
        self.number
    }

    /// The number behind the id, for logs and foreign interfaces (libhv: `TimerID`). No other timer of
    /// the process has it.
    pub fn raw(self) -> u64 {
        self.number.get()
    }
}

/// By the number: the slot says only where to look.
impl PartialEq for TimerId {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for TimerId {}

impl Hash for TimerId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

impl fmt::Debug for TimerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TimerId").field(&self.number).finish()
    }
}

impl fmt::Display for TimerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}
