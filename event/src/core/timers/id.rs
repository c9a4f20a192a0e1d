//! What timers are called.

use std::num::NonZeroU64;

/// Names one timer among all of the process. Never reused, so that it names nothing once its own is
/// gone, and nothing on another loop.
///
/// libhv: `TimerID`.
// One number: behind the one that no other timer has stands the slot in which its loop finds it. `APART` marks
// those that have none: of a timer that was given its number before its loop knew of it, or for which the number
// or the slot is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimerId(NonZeroU64);

number_id!(TimerId);

/// Bits of a slot: a million timers of a loop have one, and all of the process's first 2^43.
const SLOT_BITS: u32 = 20;
const APART: NonZeroU64 = match NonZeroU64::new(1 << 63) {
    Some(apart) => apart,
    None => NonZeroU64::MIN,
};

impl TimerId {
    /// The id of the timer of that number, which is 1 at least, in that slot. `None`: one of them is too large.
    pub(super) fn in_slot(number: u64, slot: u32) -> Option<Self> {
        let fits = number < APART.get() >> SLOT_BITS && slot < 1 << SLOT_BITS;
        let id = NonZeroU64::new(number << SLOT_BITS | u64::from(slot));
        id.filter(|_| fits).map(Self)
    }

    /// The id of the timer of that number, in whatever slot.
    pub(crate) fn apart(number: u64) -> Self {
        Self(APART | number)
    }

    /// Where its loop finds it; `None`: by the whole number.
    pub(super) fn slot(self) -> Option<u32> {
        let mask = (1 << SLOT_BITS) - 1;
        (!self.is_apart()).then_some((self.0.get() & mask) as u32)
    }

    /// Whether others may have it before its loop knows of the timer.
    pub(crate) fn is_apart(self) -> bool {
        self.0.get() & APART.get() != 0
    }
}
