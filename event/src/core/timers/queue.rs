//! Which timer is next, in order of (deadline, when armed).
//!
//! What is near is in a heap. The rest is in a [`Wheel`], and comes into the heap when that is empty, so that
//! the heap is small, and what is removed early is never put in order. Where the wheel has moved on to what is far
//! away, and much that is nearer came after that, it goes back.
//!
//! A timer is known by its slot in [`Timers`](super::Timers). What is removed stays behind as a dead node,
//! until it comes to the top of the heap or there are more dead ones than others: then all of them go, which
//! is cheaper than to look for each.

use super::node::{Nanos, Node};
use super::wheel::{self, Wheel};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Dead nodes that are let be, however few others there are.
const FEW: usize = 64;
/// A heap of so many is small.
const SMALL: usize = 1024;
/// In the number of an arming: the timer is armed, and not in the queue.
const OUT: u64 = 1 << 63;

/// See the module.
#[derive(Debug)]
pub(super) struct Queue {
    /// All that is not ahead of the wheel.
    heap: BinaryHeap<Reverse<Node>>,
    wheel: Wheel,
    /// What the batch took out of the heap and has not fired, in order.
    due: VecDeque<Node>,
    /// The number of the last arming of each slot, with [`OUT`] if it is not in the queue. Nodes of other
    /// armings are dead.
    armings: Vec<u64>,
    /// The number of the next arming.
    next_arming: u64,
    /// How many nodes are alive.
    alive: usize,
    /// When the last batch began.
    now: Nanos,
    /// How many have gone into the heap since the wheel had moved on too far for them.
    early: usize,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            wheel: Wheel::new(0),
            due: VecDeque::new(),
            armings: Vec::new(),
            next_arming: 0,
            alive: 0,
            now: 0,
            early: 0,
        }
    }

    /// Notes that the timer in that slot, which is not in the queue, is armed now. It goes in by
    /// [`push`](Self::push).
    pub(super) fn arm(&mut self, slot: u32) {
        let index = slot as usize;
        if index >= self.armings.len() {
            self.armings.resize(index + 1, OUT);
        }
        self.armings[index] = self.next_arming | OUT;
        self.next_arming += 1;
    }

    /// Puts in the timer of that slot, which was armed before.
    pub(super) fn push(&mut self, slot: u32, deadline: Nanos) {
        let arming = &mut self.armings[slot as usize];
        *arming &= !OUT;
        let node = Node {
            deadline,
            arming: *arming,
            slot,
        };
        self.alive += 1;
        let is_early = !self.wheel.is_ahead(deadline) && wheel::is_between(self.now, deadline);
        self.early += usize::from(is_early);
        self.put_in(node);
        if self.heap.len() > SMALL && self.early > self.nodes() / 2 {
            self.go_back();
        }
    }

    /// Takes out the timer of that slot, if it is in.
    pub(super) fn remove(&mut self, slot: u32) {
        let arming = &mut self.armings[slot as usize];
        if *arming & OUT == 0 {
            *arming |= OUT;
            self.alive -= 1;
            self.bury_many();
        }
    }

    /// The deadline of the first one.
    pub(super) fn first(&mut self) -> Option<Nanos> {
        while self.root().is_some_and(|node| !self.is_alive(&node)) {
            self.heap.pop();
        }
        let due = self.due.iter().find(|node| self.is_alive(node));
        let queued = self.heap.peek().map(|node| &node.0);
        due.into_iter()
            .chain(queued)
            .map(|node| node.deadline)
            .min()
    }

    /// Begins a batch: those with deadlines until `now` come out by [`pop_due`](Self::pop_due), those that
    /// are put in from now on do not.
    pub(super) fn begin_batch(&mut self, now: Nanos) {
        self.now = now;
        if self.due.is_empty() && self.root().is_none_or(|first| first.deadline > now) {
            return;
        }
        // The last batch may have been left before its end.
        self.heap.extend(self.due.drain(..).map(Reverse));
        self.bury_many();
        while let Some(node) = self.root().filter(|node| node.deadline <= now) {
            self.heap.pop();
            self.due.push_back(node);
        }
        let armings = &self.armings;
        self.due
            .retain(|node| armings[node.slot as usize] == node.arming);
    }

    /// The slots of the batch, dead ones included.
    pub(super) fn due(&self) -> impl Iterator<Item = u32> {
        self.due.iter().map(|node| node.slot)
    }

    /// The next one of the batch.
    pub(super) fn pop_due(&mut self) -> Option<Node> {
        while let Some(node) = self.due.pop_front() {
            if self.is_alive(&node) {
                self.armings[node.slot as usize] |= OUT;
                self.alive -= 1;
                return Some(node);
            }
        }
        None
    }

    /// Takes all out, in order, and gives the memory back.
    pub(super) fn drain(&mut self) -> Vec<Node> {
        let mut left: Vec<Node> = self.living().copied().collect();
        left.sort_unstable();
        self.clear();
        left
    }

    /// Forgets all, and gives the memory back.
    pub(super) fn clear(&mut self) {
        *self = Self {
            wheel: Wheel::new(self.now),
            next_arming: self.next_arming,
            now: self.now,
            ..Self::new()
        };
    }

    fn nodes(&self) -> usize {
        self.heap.len() + self.due.len() + self.wheel.len()
    }

    fn is_alive(&self, node: &Node) -> bool {
        self.armings[node.slot as usize] == node.arming
    }

    fn living(&self) -> impl Iterator<Item = &Node> {
        let near = self.heap.iter().map(|node| &node.0);
        let all = near.chain(&self.due).chain(self.wheel.iter());
        all.filter(|node| self.is_alive(node))
    }

    /// The first one, dead or alive, of all that the batch did not take.
    fn root(&mut self) -> Option<Node> {
        self.wheel.advance(&mut self.heap);
        self.heap.peek().map(|node| node.0)
    }

    /// Lets the wheel stand where the last batch was. Costs no more than what has come since the last time did.
    fn go_back(&mut self) {
        self.early = 0;
        let heap = std::mem::take(&mut self.heap);
        let wheel = std::mem::replace(&mut self.wheel, Wheel::new(self.now));
        let near = heap.iter().map(|node| &node.0);
        for node in near.chain(wheel.iter()) {
            if self.is_alive(node) {
                self.put_in(*node);
            }
        }
    }

    fn put_in(&mut self, node: Node) {
        match self.wheel.is_ahead(node.deadline) {
            true => self.wheel.push(node),
            false => self.heap.push(Reverse(node)),
        }
    }

    /// Takes the dead nodes out, if there are many.
    fn bury_many(&mut self) {
        if self.nodes() <= 2 * self.alive + FEW {
            return;
        }
        let armings = &self.armings;
        let is_alive = |node: &Node| armings[node.slot as usize] == node.arming;
        self.wheel.retain(is_alive);
        self.due.retain(is_alive);
        self.heap.retain(|node| is_alive(&node.0));
        self.heap.shrink_to(2 * self.heap.len());
    }

    /// How many are in.
    #[cfg(any(test, debug_assertions))]
    #[cfg_attr(not(test), allow(dead_code, reason = "for debugging and simulation"))]
    pub(super) fn len(&self) -> usize {
        self.alive
    }

    /// Whether the timer of that slot is in.
    #[cfg(any(test, debug_assertions))]
    #[cfg_attr(not(test), allow(dead_code, reason = "for debugging and simulation"))]
    pub(super) fn contains(&self, slot: u32) -> bool {
        let arming = self.armings.get(slot as usize);
        arming.is_some_and(|arming| arming & OUT == 0)
    }

    /// Panics if the order is broken, or something is not counted. O(n): for tests.
    #[cfg(any(test, debug_assertions))]
    #[cfg_attr(not(test), allow(dead_code, reason = "for debugging and simulation"))]
    pub(super) fn check_invariants(&self) {
        let ahead = |node: &Reverse<Node>| self.wheel.is_ahead(node.0.deadline);
        assert!(!self.heap.iter().any(ahead), "for the wheel");
        assert!(self.due.iter().is_sorted(), "the batch is not in order");
        self.wheel.check_invariants();
        let alive = self.living().count();
        assert_eq!(alive, self.alive, "a timer without its node");
        let armed = self.armings.iter().filter(|arming| *arming & OUT == 0);
        assert_eq!(armed.count(), alive, "a node without its timer");
    }
}

#[cfg(test)]
mod tests;
