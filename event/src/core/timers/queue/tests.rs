use super::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;

/// The same, the simple way.
#[derive(Default)]
struct Model {
    queue: BTreeMap<(Nanos, u64), u32>,
    /// Of each slot, where it is in the queue.
    slots: Vec<Option<(Nanos, u64)>>,
    armings: u64,
}

impl Model {
    fn push(&mut self, slot: u32, deadline: Nanos) {
        let slot = slot as usize;
        if slot >= self.slots.len() {
            self.slots.resize(slot + 1, None);
        }
        self.slots[slot] = Some((deadline, self.armings));
        self.queue.insert((deadline, self.armings), slot as u32);
        self.armings += 1;
    }

    fn remove(&mut self, slot: u32) {
        let place = self.slots.get_mut(slot as usize).and_then(Option::take);
        place.map(|place| self.queue.remove(&place));
    }

    fn first(&self) -> Option<Nanos> {
        self.queue.first_key_value().map(|(place, _)| place.0)
    }

    /// The next one until `now` of those that were armed before that number.
    fn pop_due(&mut self, now: Nanos, limit: u64) -> Option<u32> {
        let mut due = self.queue.range(..=(now, u64::MAX));
        let (_, slot) = due.find(|(place, _)| place.1 < limit)?;
        let slot = *slot;
        self.remove(slot);
        Some(slot)
    }
}

/// Both of them.
struct Pair {
    queue: Queue,
    model: Model,
    rng: StdRng,
    now: Nanos,
}

impl Pair {
    fn new(seed: u64) -> Self {
        Self {
            queue: Queue::new(),
            model: Model::default(),
            rng: StdRng::seed_from_u64(seed),
            now: 0,
        }
    }

    /// From a nanosecond to centuries, and sometimes that of another one, or long ago.
    fn deadline(&mut self) -> Nanos {
        match self.rng.random_range(0..8) {
            0 => self.model.first().unwrap_or(self.now),
            1 => self.now - self.any_time(),
            2 => Nanos::MAX - self.rng.random_range(0..2),
            3 => self.now,
            _ => self.now.saturating_add(self.any_time()),
        }
    }

    /// Of any order of magnitude.
    fn any_time(&mut self) -> Nanos {
        let below = 1 << self.rng.random_range(0..62);
        self.rng.random_range(0..below)
    }

    fn operate(&mut self, slots: u32) {
        let slot = self.rng.random_range(0..slots);
        self.queue_remove(slot);
        if self.rng.random_bool(0.6) {
            let deadline = self.deadline();
            self.push(slot, deadline);
        }
    }

    fn queue_remove(&mut self, slot: u32) {
        if (slot as usize) < self.queue.armings.len() {
            self.queue.remove(slot);
        }
        self.model.remove(slot);
    }

    fn push(&mut self, slot: u32, deadline: Nanos) {
        self.queue.arm(slot);
        self.queue.push(slot, deadline);
        self.model.push(slot, deadline);
    }

    /// A turn, with changes in between; sometimes left before its end.
    fn turn(&mut self, slots: u32) {
        let limit = self.model.armings;
        self.queue.begin_batch(self.now);
        for left in (0..self.rng.random_range(1..100)).rev() {
            let fired = self.queue.pop_due().map(|node| node.slot);
            assert_eq!(fired, self.model.pop_due(self.now, limit));
            if fired.is_none() || left == 0 {
                break;
            }
            if self.rng.random_bool(0.3) {
                self.operate(slots);
                assert_eq!(self.queue.first(), self.model.first());
            }
        }
    }

    fn check(&mut self) {
        self.queue.check_invariants();
        assert_eq!(self.queue.len(), self.model.queue.len());
        assert_eq!(self.queue.first(), self.model.first());
    }
}

#[test]
fn any_times_come_in_the_order_of_a_sorted_map() {
    for seed in 0..45 {
        let mut pair = Pair::new(seed);
        let slots = [3, 40, 1000][seed as usize % 3];
        for _ in 0..60 {
            for _ in 0..pair.rng.random_range(0..slots) {
                pair.operate(slots);
            }
            if pair.rng.random_bool(0.5) {
                pair.check();
            }
            // To the next one, or anywhere; now and then not at all.
            pair.now = match pair.rng.random_range(0..4) {
                0 => pair.now,
                1 => pair.now.saturating_add(pair.any_time() >> 30),
                _ => pair.model.first().unwrap_or(pair.now).max(pair.now),
            };
            pair.turn(slots);
            pair.check();
        }
        let left: Vec<u32> = pair.model.queue.into_values().collect();
        let drained = pair.queue.drain();
        let drained: Vec<u32> = drained.into_iter().map(|node| node.slot).collect();
        assert_eq!(drained, left, "seed {seed}");
    }
}

/// All that is on the way from a wheel to the next one, when it is the first of its turn and the last.
#[test]
fn edges_of_the_wheels() {
    for shift in [19, 20, 21, 25, 26, 27, 31, 32, 33, 38, 44, 50, 56, 61] {
        let edge: Nanos = 1 << shift;
        let mut pair = Pair::new(0);
        // From beyond the edge, and from before it.
        for start in [0, edge - 2, edge - (1 << 20), edge, edge + (1 << 20)] {
            pair.now = start.max(0);
            for (slot, off) in [0, 1, -1, 2, -2, 1 << 20, -(1 << 20), edge]
                .into_iter()
                .enumerate()
            {
                pair.queue_remove(slot as u32);
                pair.push(slot as u32, edge + off);
            }
            while let Some(first) = pair.model.first() {
                pair.check();
                pair.now = pair.now.max(first);
                let limit = pair.model.armings;
                pair.queue.begin_batch(pair.now);
                loop {
                    let fired = pair.queue.pop_due().map(|node| node.slot);
                    assert_eq!(
                        fired,
                        pair.model.pop_due(pair.now, limit),
                        "{shift} {start}"
                    );
                    if fired.is_none() {
                        break;
                    }
                }
            }
        }
    }
}

/// Among equal deadlines it is the order of arming, from whatever part of the queue they come.
#[test]
fn equal_deadlines_in_the_order_of_arming() {
    let mut queue = Queue::new();
    let deadline = 1 << 40;
    for slot in 0..500 {
        queue.arm(slot);
        queue.push(slot, deadline);
    }
    // From now on they go into the heap.
    assert_eq!(queue.first(), Some(deadline));
    for slot in (500..1000).rev() {
        queue.arm(slot);
        queue.push(slot, deadline);
    }
    queue.check_invariants();
    queue.begin_batch(deadline);
    let fired: Vec<u32> = std::iter::from_fn(|| queue.pop_due())
        .map(|node| node.slot)
        .collect();
    assert_eq!(fired, (0..500).chain((500..1000).rev()).collect::<Vec<_>>());
}

/// One that is far away and was the first to be asked for does not make a heap of all that comes before it.
#[test]
fn a_far_one_keeps_no_other_out_of_the_wheel() {
    let mut pair = Pair::new(3);
    pair.push(0, 1 << 60);
    pair.check();
    for slot in 1..20_000 {
        let deadline = 1_000 + pair.rng.random_range(0..1 << 40);
        pair.push(slot, deadline);
        if slot % 5 == 0 {
            let gone = pair.rng.random_range(1..slot);
            pair.queue_remove(gone);
        }
        if slot % 1_000 == 0 {
            pair.check();
        }
    }
    let heap = pair.queue.heap.len();
    assert!(heap <= 2 * SMALL, "{heap} in the heap");
    while let Some(first) = pair.model.first() {
        pair.now = first;
        pair.turn(20_000);
        if pair.model.armings > 60_000 {
            break;
        }
    }
    pair.check();
}

/// However many come and go, near or far: what stays is in proportion to those that are there.
#[test]
fn the_dead_are_buried() {
    for deadline in [0, 1 << 22, 1 << 36, 1 << 50] {
        let mut queue = Queue::new();
        for n in 0..300_000_u32 {
            let slot = n % 100;
            if n >= 100 {
                queue.remove(slot);
            }
            queue.arm(slot);
            queue.push(slot, deadline + Nanos::from(n));
            let nodes = queue.heap.len() + queue.wheel.len();
            assert!(nodes <= 2 * 100 + FEW + 1, "{nodes} nodes of 100 timers");
            if n % 10_000 == 0 {
                queue.check_invariants();
            }
        }
        for slot in 0..100 {
            queue.remove(slot);
        }
        assert!(
            queue.heap.capacity() + queue.wheel.len() <= 500,
            "room for none"
        );
        assert_eq!(queue.first(), None);
    }
}
