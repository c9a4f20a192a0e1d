//! Timers that are not near: a hierarchy of wheels, in which a timer is put without a look at any other.
//!
//! Time is counted in granules of about a quarter of a millisecond. Those of the current turn of the innermost wheel have
//! a slot each; a slot of the next wheel is such a turn, and so on. The wheel stands at a granule, and has
//! what is later than that; it moves on when asked for what is next.

use super::node::{Nanos, Node};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Nanoseconds of a granule, as a power of two.
const GRANULE: u32 = 18;
/// Slots of a wheel, as a power of two.
const DIGIT: u32 = 6;
const SLOTS: usize = 1 << DIGIT;
/// A slot keeps room for so many when it is emptied.
const KEEP: usize = 32;

/// See the module.
#[derive(Debug)]
pub(super) struct Wheel {
    /// Where it stands.
    at: u64,
    /// As many as were needed.
    levels: Vec<Level>,
    len: usize,
}

#[derive(Debug)]
struct Level {
    slots: [Vec<Node>; SLOTS],
    /// A bit for each slot that has something.
    occupied: u64,
}

impl Wheel {
    /// A wheel that stands at that time.
    pub(super) fn new(at: Nanos) -> Self {
        Self {
            at: granule(at.max(0)),
            levels: Vec::new(),
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether a deadline is later than where the wheel stands.
    pub(super) fn is_ahead(&self, deadline: Nanos) -> bool {
        deadline >= 0 && granule(deadline) > self.at
    }

    /// Puts in what is [ahead](Self::is_ahead).
    pub(super) fn push(&mut self, node: Node) {
        let granule = granule(node.deadline);
        // The first digit that is not that of where the wheel stands.
        let level = (granule ^ self.at).checked_ilog2().unwrap_or(0) / DIGIT;
        let slot = (granule >> (level * DIGIT)) as usize % SLOTS;
        let level = level as usize;
        if level >= self.levels.len() {
            self.levels.resize_with(level + 1, Level::new);
        }
        let level = &mut self.levels[level];
        level.slots[slot].push(node);
        level.occupied |= 1 << slot;
        self.len += 1;
    }

    /// Moves on to the first granule that has something, which goes to what is near.
    pub(super) fn advance(&mut self, near: &mut BinaryHeap<Reverse<Node>>) {
        while near.is_empty() {
            let Some(first) = self.levels.iter().position(|level| level.occupied != 0) else {
                return;
            };
            let level = &mut self.levels[first];
            let slot = level.occupied.trailing_zeros();
            level.occupied &= !(1 << slot);
            let mut nodes = std::mem::take(&mut level.slots[slot as usize]);
            self.len -= nodes.len();
            let shift = first as u32 * DIGIT;
            let turn = self.at >> shift >> DIGIT;
            self.at = (turn << DIGIT | u64::from(slot)) << shift;
            if first == 0 {
                near.extend(nodes.drain(..).map(Reverse));
            }
            for node in nodes.drain(..) {
                match self.is_ahead(node.deadline) {
                    true => self.push(node),
                    false => near.push(Reverse(node)),
                }
            }
            if nodes.capacity() <= KEEP {
                self.levels[first].slots[slot as usize] = nodes;
            }
        }
    }

    /// Keeps those of which that is true.
    pub(super) fn retain(&mut self, keep: impl Fn(&Node) -> bool) {
        self.len = 0;
        for level in &mut self.levels {
            for (nth, nodes) in level.slots.iter_mut().enumerate() {
                nodes.retain(&keep);
                nodes.shrink_to(2 * nodes.len());
                self.len += nodes.len();
                if nodes.is_empty() {
                    level.occupied &= !(1 << nth);
                }
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Node> {
        self.levels.iter().flat_map(|level| &level.slots).flatten()
    }

    /// Panics if something is not where it is looked for. O(n): for tests.
    #[cfg(any(test, debug_assertions))]
    #[cfg_attr(not(test), allow(dead_code, reason = "for debugging and simulation"))]
    pub(super) fn check_invariants(&self) {
        assert_eq!(self.iter().count(), self.len, "not as many as counted");
        for (level, Level { slots, occupied }) in self.levels.iter().enumerate() {
            let shift = level as u32 * DIGIT;
            for (slot, nodes) in slots.iter().enumerate() {
                assert_eq!(occupied >> slot & 1 == 1, !nodes.is_empty(), "the bit");
                for node in nodes {
                    let granule = granule(node.deadline);
                    assert!(granule > self.at, "it is over");
                    assert_eq!((granule >> shift) as usize % SLOTS, slot, "another slot");
                    let turns = [granule, self.at].map(|granule| granule >> shift >> DIGIT);
                    assert_eq!(turns[0], turns[1], "another turn");
                }
            }
        }
    }
}

impl Level {
    fn new() -> Self {
        Self {
            slots: std::array::from_fn(|_| Vec::new()),
            occupied: 0,
        }
    }
}

/// Whether a wheel that stood at that time would have the deadline ahead.
pub(super) fn is_between(at: Nanos, deadline: Nanos) -> bool {
    deadline >= 0 && granule(deadline) > granule(at.max(0))
}

/// The granule of a time that is not before the first one.
fn granule(deadline: Nanos) -> u64 {
    deadline.unsigned_abs() >> GRANULE
}
