//! What the queue keeps of a timer.

/// A time, in nanoseconds from when the [`Timers`](super::Timers) began.
pub(super) type Nanos = i64;

/// The timer in that slot, as it was armed. In order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Node {
    pub(super) deadline: Nanos,
    /// The number of the arming.
    pub(super) arming: u64,
    pub(super) slot: u32,
}
