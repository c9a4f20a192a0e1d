use super::*;

const MS: Duration = Duration::from_millis(1);

fn id(n: u64) -> TimerId {
    TimerId::apart(n + 1)
}

/// A `Timers` of numbered callbacks and the clock of its test.
struct World {
    timers: Timers<u64>,
    zero: Instant,
}

impl World {
    fn new() -> Self {
        let zero = Instant::now();
        Self {
            timers: Timers::new(zero),
            zero,
        }
    }

    fn at(&self, ms: u32) -> Instant {
        self.zero + ms * MS
    }

    fn once(&mut self, n: u64, ms: u32) {
        let at = self.at(ms);
        self.arm(n, at, None, Some(1));
    }

    fn every(&mut self, n: u64, first: u32, period: u32, times: Option<u32>) {
        let at = self.at(first);
        self.arm(n, at, Some(period * MS), times);
    }

    /// As one that others know by its number.
    fn arm(&mut self, n: u64, at: Instant, period: Option<Duration>, times: Option<u32>) {
        let name = Name::Given(id(n));
        let named = self.timers.insert(name, at, period, times, n);
        assert_eq!(named, id(n));
    }

    fn has(&mut self, n: u64) -> bool {
        self.timers.find(id(n)).is_some()
    }

    /// One turn: `inside` is called for each timer that fires.
    fn turn_with(&mut self, ms: u32, mut inside: impl FnMut(&mut Self, u64)) -> Vec<u64> {
        let now = self.at(ms);
        self.timers.begin_batch(now);
        let mut fired = Vec::new();
        while let Some(mut one) = self.timers.pop_due() {
            self.timers.check_invariants();
            let n = *one.callback_mut();
            assert_eq!(one.id(), id(n));
            fired.push(n);
            inside(self, n);
            let known = self.has(n);
            let dropped = self.timers.finish(one, now);
            assert_eq!(dropped.is_none(), self.has(n));
            assert!(known || dropped == Some(n));
            self.timers.check_invariants();
        }
        fired
    }

    fn turn(&mut self, ms: u32) -> Vec<u64> {
        self.turn_with(ms, |_, _| {})
    }
}

#[test]
fn timer_order() {
    let mut w = World::new();
    for (n, ms) in [(1, 12), (2, 10), (3, 11), (4, 10)] {
        w.once(n, ms);
    }
    assert_eq!(w.timers.next_deadline(), Some(w.at(10)));
    assert_eq!(w.turn(50), [2, 4, 3, 1]);
    assert_eq!(w.timers.len(), 0);
    assert_eq!(w.timers.next_deadline(), None);
}

#[test]
fn timer_never_early() {
    let mut w = World::new();
    w.once(1, 10);
    let just_before = w.at(10) - Duration::from_nanos(1);
    w.timers.begin_batch(just_before);
    assert!(w.timers.pop_due().is_none());
    assert_eq!(w.turn(10), [1]);
}

#[test]
fn timer_zero() {
    let mut w = World::new();
    w.every(1, 0, 0, None);
    w.once(2, 0);
    for turn in 0..3 {
        let fired = w.turn_with(5, |w, n| {
            if n == 1 {
                w.once(10 + turn, 5);
            }
        });
        let expected = match turn {
            0 => vec![1, 2],
            turn => vec![1, 9 + turn],
        };
        let mut sorted = fired;
        sorted.sort_unstable();
        assert_eq!(
            sorted, expected,
            "a timer armed in a turn fires in the next one"
        );
    }
}

#[test]
fn armed_in_a_batch_with_an_old_deadline_still_waits() {
    let mut w = World::new();
    w.once(1, 5);
    w.once(2, 6);
    let fired = w.turn_with(10, |w, n| {
        if n == 1 {
            w.once(3, 1);
        }
    });
    assert_eq!(fired, [1, 2]);
    assert_eq!(w.turn(10), [3]);
}

#[test]
fn interval_no_drift_no_burst() {
    let mut w = World::new();
    w.every(1, 10, 10, None);
    assert_eq!(w.turn(13), [1]);
    assert_eq!(w.timers.next_deadline(), Some(w.at(20)));
    // 20, 30 and 40 are missed: one call, and back on the grid.
    assert_eq!(w.turn(45), [1]);
    assert_eq!(w.turn(45), []);
    assert_eq!(w.timers.next_deadline(), Some(w.at(50)));
    // On the dot, the next tick is a whole period away.
    assert_eq!(w.turn(60), [1]);
    assert_eq!(w.timers.next_deadline(), Some(w.at(70)));
}

#[test]
fn repeats_as_often_as_told() {
    let mut w = World::new();
    w.every(1, 1, 1, Some(3));
    w.every(2, 1, 1, Some(0));
    let now = w.at(1);
    w.arm(3, now, None, None);
    assert_eq!(w.turn(1), [1, 2, 3]);
    assert_eq!(w.turn(2), [1]);
    // A call for several missed intervals is one call.
    assert_eq!(w.turn(9), [1]);
    assert_eq!(w.timers.len(), 0);
}

#[test]
fn remove_takes_off_at_once() {
    let mut w = World::new();
    w.once(1, 1);
    w.once(2, 2);
    assert_eq!(w.timers.remove(id(1)), Some(1));
    assert_eq!(w.timers.remove(id(1)), None);
    assert_eq!(w.timers.next_deadline(), Some(w.at(2)));
    assert_eq!(w.turn(9), [2]);
    assert_eq!(w.timers.remove(id(2)), None);
}

#[test]
fn a_callback_removes_itself_and_others() {
    let mut w = World::new();
    w.every(1, 1, 1, None);
    w.once(2, 1);
    let fired = w.turn_with(1, |w, _| {
        assert_eq!(w.timers.len(), 2);
        assert_eq!(w.timers.remove(id(1)), None, "its callback is out");
        assert_eq!(w.timers.remove(id(2)), Some(2));
        assert_eq!(w.timers.len(), 0);
        assert!(!w.timers.reset(id(1), w.at(1), Some(MS)), "it is gone");
    });
    assert_eq!(fired, [1]);
    assert_eq!(w.turn(9), []);
}

#[test]
fn removed_while_firing_returns_the_callback_at_finish() {
    let mut w = World::new();
    w.every(1, 1, 1, None);
    let now = w.at(1);
    w.timers.begin_batch(now);
    let fired = w.timers.pop_due().expect("it is due");
    assert_eq!(w.timers.next_deadline(), None);
    assert_eq!(w.timers.remove(id(1)), None);
    assert_eq!(w.timers.finish(fired, now), Some(1));
    assert_eq!(w.timers.next_deadline(), None);
}

#[test]
fn reset_restarts_from_now() {
    let mut w = World::new();
    w.every(1, 10, 10, Some(1));
    assert!(w.timers.reset(id(1), w.at(4), None));
    assert_eq!(w.timers.next_deadline(), Some(w.at(14)));
    assert!(w.timers.reset(id(1), w.at(5), Some(3 * MS)));
    assert_eq!(w.turn(7), []);
    assert_eq!(w.turn(8), [1]);
    assert!(!w.timers.reset(id(1), w.at(9), Some(MS)), "it is over");
}

#[test]
fn reset_moves_the_grid_and_the_period() {
    let mut w = World::new();
    w.every(1, 10, 10, None);
    assert!(w.timers.reset(id(1), w.at(3), Some(4 * MS)));
    assert_eq!(w.turn(8), [1]);
    assert_eq!(w.timers.next_deadline(), Some(w.at(11)));
}

#[test]
fn reset_inside_its_own_callback() {
    let mut w = World::new();
    w.every(1, 10, 10, None);
    let fired = w.turn_with(12, |w, _| {
        assert!(w.timers.reset(id(1), w.at(12), None));
        assert!(w.timers.reset(id(1), w.at(13), None), "the last one counts");
        assert_eq!(w.timers.next_deadline(), None, "it is still firing");
    });
    assert_eq!(fired, [1]);
    assert_eq!(w.timers.next_deadline(), Some(w.at(23)));
}

#[test]
fn reset_in_the_last_firing_gives_one_more() {
    let mut w = World::new();
    w.every(1, 1, 5, Some(1));
    let mut again = true;
    for (ms, expected) in [(1, vec![1]), (5, vec![]), (6, vec![1]), (99, vec![])] {
        let fired = w.turn_with(ms, |w, _| {
            if std::mem::take(&mut again) {
                assert!(w.timers.reset(id(1), w.at(1), None));
            }
        });
        assert_eq!(fired, expected);
    }
}

#[test]
fn reset_in_a_callback_to_now_waits_for_the_next_turn() {
    let mut w = World::new();
    w.once(1, 1);
    w.once(2, 2);
    w.once(3, 3);
    let fired = w.turn_with(5, |w, n| {
        assert!(w.timers.reset(id(3), w.at(5), Some(Duration::ZERO)));
        assert!(n < 3);
    });
    assert_eq!(fired, [1, 2]);
    assert_eq!(w.turn(5), [3]);
}

#[test]
fn without_a_period_reset_needs_a_delay() {
    let mut w = World::new();
    w.once(1, 5);
    assert!(!w.timers.reset(id(1), w.at(0), None));
    assert_eq!(w.timers.next_deadline(), Some(w.at(5)));
    assert!(w.timers.reset(id(1), w.at(0), Some(9 * MS)));
    assert_eq!(w.turn(9), [1]);
    assert_eq!(w.timers.len(), 0, "it still fires once only");
}

#[test]
fn too_far_away_never_fires_but_is_known() {
    let mut w = World::new();
    w.every(1, 1, 1, None);
    w.arm(2, w.at(1), Some(Duration::MAX), None);
    assert!(w.timers.reset(id(1), w.at(0), Some(Duration::MAX)));
    assert_eq!(w.turn(1), [2]);
    assert_eq!(w.timers.next_deadline(), None);
    assert_eq!(w.timers.len(), 2);
    assert!(w.timers.reset(id(1), w.at(1), Some(MS)));
    assert_eq!(w.turn(2), [1]);
    w.timers.check_invariants();
    assert_eq!(w.timers.drain(), [1, 2]);
}

#[test]
fn next_tick_is_exact_over_long_times() {
    let year = 365 * 24 * 3600 * 1_000_000_000;
    // A year is 3 * 10_512_000_000_000_000 ns, so that one nanosecond more is one into a tick.
    assert_eq!(next_tick(0, 3, year + 1), Some(year + 3));
    assert_eq!(next_tick(-year, 3, 1), Some(3));
    assert_eq!(next_tick(7, 0, year), Some(year));
    assert_eq!(next_tick(Nanos::MAX - 1, 2, 0), None);
    assert_eq!(next_tick(0, Nanos::MAX, year), Some(Nanos::MAX));
}

#[test]
fn drain_gives_all_in_order_and_ends_the_firing_one() {
    let mut w = World::new();
    w.every(1, 1, 1, None);
    w.once(2, 9);
    w.once(3, 8);
    let now = w.at(1);
    w.timers.begin_batch(now);
    let fired = w.timers.pop_due().expect("it is due");
    assert_eq!(w.timers.drain(), [3, 2]);
    assert_eq!(w.timers.finish(fired, now), Some(1));
    assert_eq!(w.timers.len(), 0);
    assert_eq!(w.turn(99), []);
    w.timers.check_invariants();
}

#[test]
#[should_panic(expected = "given out twice")]
fn an_id_is_armed_once() {
    let mut w = World::new();
    w.once(1, 1);
    w.once(1, 2);
}

/// An id names its slot, and not what is in it later, or in the same slot elsewhere.
#[test]
fn an_id_is_for_one_timer() {
    let mut w = World::new();
    let at = w.at(5);
    let arm = |w: &mut World, n| {
        let name = Name::Number(n);
        w.timers.insert(name, at, Some(MS), None, n)
    };
    let first = arm(&mut w, 1);
    assert_eq!(w.timers.remove(id(1)), None, "another name");
    assert_eq!(w.timers.remove(first), Some(1));
    let second = arm(&mut w, 2);
    assert_eq!((first.slot(), second.slot()), (Some(0), Some(0)));
    assert!(!w.timers.reset(first, at, Some(MS)));
    assert_eq!(w.timers.remove(first), None);
    let mut elsewhere = World::new();
    elsewhere.once(3, 5);
    assert_eq!(elsewhere.timers.remove(second), None);
    let third = arm(&mut elsewhere, 4);
    assert_eq!(third.slot(), Some(1));
    assert_eq!(elsewhere.timers.remove(arm(&mut w, 3)), None);
    assert_eq!(w.timers.remove(second), Some(2));
    assert_eq!(w.timers.len(), 1);
}

/// What is too large for an id of both is found by its number.
#[test]
fn ids_without_a_slot() {
    let last = (1 << 43) - 1;
    let ids = [1, 2, last].map(|n| TimerId::in_slot(n, (1 << 20) - 1).expect("it fits"));
    assert!(
        ids.iter()
            .all(|id| id.slot() == Some((1 << 20) - 1) && !id.is_apart())
    );
    assert!(ids[0] != ids[1] && ids[1] != ids[2]);
    assert_eq!(TimerId::in_slot(1, 1 << 20), None);
    assert_eq!(TimerId::in_slot(last + 1, 0), None);
    assert_eq!(TimerId::in_slot(u64::MAX, 0), None);
    let mut w = World::new();
    let at = w.at(5);
    for n in [last, last + 1, last + 2, u64::MAX >> 1] {
        let id = w.timers.insert(Name::Number(n), at, Some(MS), None, n);
        assert_eq!(id.is_apart(), n > last);
        assert_eq!(TimerId::from_raw(id.raw()), Some(id));
        w.timers.check_invariants();
        assert!(w.timers.reset(id, at, None));
        assert_eq!(w.timers.remove(id), Some(n));
        assert_eq!(w.timers.remove(id), None);
        w.timers.check_invariants();
    }
}

/// A timer that is armed in a callback into the slot of one that is due is none of the batch.
#[test]
fn a_slot_that_is_used_again_in_a_batch_waits() {
    let mut w = World::new();
    for n in 1..=3 {
        w.once(n, 1);
    }
    let fired = w.turn_with(2, |w, n| {
        if n == 1 {
            assert_eq!(w.timers.remove(id(2)), Some(2));
            w.once(4, 0);
            assert_eq!(w.timers.next_deadline(), Some(w.at(0)));
        }
    });
    assert_eq!(fired, [1, 3]);
    assert_eq!(w.turn(2), [4]);
}

#[test]
fn timer_cancel_1e6() {
    let mut w = World::new();
    let live = std::rc::Rc::new(());
    let mut timers = Timers::new(w.zero);
    let mut ids = Vec::new();
    for n in 0..1_000_000_u32 {
        // As of connections that each push their idle limit ahead.
        let at = w.at(30_000 + n / 100);
        let name = Name::Number(u64::from(n) + 1);
        ids.push(timers.insert(name, at, None, Some(1), live.clone()));
    }
    for id in ids {
        assert!(timers.remove(id).is_some());
    }
    assert_eq!(std::rc::Rc::strong_count(&live), 1);
    assert_eq!((timers.len(), timers.queue.len()), (0, 0));
    assert!(timers.timers.capacity() <= KEEP, "room for what has gone");
    w.once(1, 1);
    assert_eq!(w.turn(1), [1]);
}

/// The same contract, the slow way: every timer in a `Vec`, searched in full.
#[derive(Debug, Clone, Copy)]
struct Naive {
    n: u64,
    deadline: u64,
    seq: u64,
    period: Option<u64>,
    left: Option<u32>,
}

struct Model {
    timers: Vec<Naive>,
    seq: u64,
}

impl Model {
    fn add(&mut self, n: u64, deadline: u64, period: Option<u64>, left: Option<u32>) {
        let seq = self.seq;
        self.seq += 1;
        self.timers.push(Naive {
            n,
            deadline,
            seq,
            period,
            left,
        });
    }

    fn remove(&mut self, n: u64) -> bool {
        let before = self.timers.len();
        self.timers.retain(|t| t.n != n);
        self.timers.len() < before
    }

    /// `firing` is the timer whose callback runs.
    fn reset(&mut self, n: u64, now: u64, delay: Option<u64>) -> bool {
        let seq = self.seq;
        let Some(timer) = self.timers.iter_mut().find(|t| t.n == n) else {
            return false;
        };
        let Some(delay) = delay.or(timer.period) else {
            return false;
        };
        timer.period = timer.period.map(|_| delay);
        timer.left = timer.left.map(|left| left.max(1));
        timer.deadline = now + delay;
        timer.seq = seq;
        self.seq += 1;
        true
    }

    fn due(&self, now: u64, limit: u64) -> Option<Naive> {
        let due = self.timers.iter();
        due.filter(|t| t.deadline <= now && t.seq < limit)
            .min_by_key(|t| (t.deadline, t.seq))
            .copied()
    }

    /// After the callback of `fired` ran.
    fn finish(&mut self, fired: Naive, now: u64) {
        let Some(at) = self.timers.iter().position(|t| t.n == fired.n) else {
            return;
        };
        let timer = &mut self.timers[at];
        if timer.seq != fired.seq {
            return; // Reset meanwhile.
        }
        let Some(period) = timer.period.filter(|_| timer.left != Some(0)) else {
            self.timers.remove(at);
            return;
        };
        if period == 0 {
            timer.deadline = now;
        }
        while period > 0 && timer.deadline <= now {
            timer.deadline += period;
        }
        timer.seq = self.seq;
        self.seq += 1;
    }
}

#[test]
fn random_operations_agree_with_a_naive_model() {
    // What is near, and what goes through several wheels of the queue.
    let units = [1, 1_000, 1_000_000, 100_000_000, 10_000_000_000, 1 << 50];
    for (seed, unit) in (1..=300).zip(units.into_iter().cycle()) {
        run_seed(seed, Duration::from_nanos(unit));
    }
}

fn run_seed(seed: u64, unit: Duration) {
    let mut state = seed;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let zero = Instant::now();
    let at = |units: u64| zero + unit * units as u32;
    // Now and then later than what comes first.
    let mut timers: Timers<u64> = Timers::new(at(random(2) * 30));
    let mut model = Model {
        timers: Vec::new(),
        seq: 0,
    };
    let mut now = 0;
    let mut made = vec![id(0)]; // that of none
    for _ in 0..60 {
        // Some operations outside of callbacks, then a turn with some inside.
        for _ in 0..random(4) {
            operate(
                &mut timers,
                &mut model,
                &mut random,
                &mut made,
                now,
                &at,
                None,
            );
        }
        now += random(8);
        timers.begin_batch(at(now));
        let limit = model.seq;
        loop {
            // Now and then it is left before its end, as by a stop.
            if random(20) == 0 {
                break;
            }
            let expected = model.due(now, limit);
            let fired = timers.pop_due();
            let got = fired.as_ref().map(Fired::id);
            assert_eq!(
                got,
                expected.map(|t| made[t.n as usize]),
                "seed {seed} at {now}"
            );
            let (Some(fired), Some(expected)) = (fired, expected) else {
                break;
            };
            for timer in &mut model.timers {
                if timer.n == expected.n {
                    timer.left = timer.left.map(|left| left - 1);
                }
            }
            for _ in 0..random(3) {
                let firing = Some(expected.n);
                operate(
                    &mut timers,
                    &mut model,
                    &mut random,
                    &mut made,
                    now,
                    &at,
                    firing,
                );
            }
            let over = timers.finish(fired, at(now));
            model.finish(expected, now);
            let known = model.timers.iter().any(|t| t.n == expected.n);
            assert_eq!(over, (!known).then_some(expected.n), "seed {seed}");
            timers.check_invariants();
        }
        assert_eq!(timers.len(), model.timers.len(), "seed {seed}");
        let next = model.timers.iter().map(|t| t.deadline).min();
        assert_eq!(timers.next_deadline(), next.map(at), "seed {seed}");
    }
    let mut left = model.timers;
    left.sort_by_key(|t| (t.deadline, t.seq));
    let left: Vec<u64> = left.iter().map(|t| t.n).collect();
    assert_eq!(timers.drain(), left, "seed {seed}");
}

fn operate(
    timers: &mut Timers<u64>,
    model: &mut Model,
    random: &mut impl FnMut(u64) -> u64,
    made: &mut Vec<TimerId>,
    now: u64,
    at: &impl Fn(u64) -> Instant,
    firing: Option<u64>,
) {
    let time = |units| at(units) - at(0);
    // Mostly one of the last few, which are likely to be there; often the one that fires.
    let some = |random: &mut dyn FnMut(u64) -> u64| match firing {
        Some(n) if random(2) == 0 => n,
        _ => (made.len() as u64 - 1).saturating_sub(random(12)),
    };
    match random(6) {
        // Not without limit: each timer that fires may make more.
        0..=2 if model.timers.len() < 12 => {
            let deadline = now + random(20);
            let period = (random(3) > 0).then(|| random(6));
            let left = (random(2) > 0).then(|| 1 + random(4) as u32);
            let n = made.len() as u64;
            let (at, every) = (at(deadline), period.map(time));
            let name = match n.is_multiple_of(2) {
                true => Name::Given(id(n)),
                false => Name::Number(n),
            };
            made.push(timers.insert(name, at, every, left, n));
            model.add(n, deadline, period, left);
        }
        1..=3 => {
            let n = some(random);
            let known = model.remove(n);
            let expected = (known && firing != Some(n)).then_some(n);
            assert_eq!(timers.remove(made[n as usize]), expected);
        }
        _ => {
            let n = some(random);
            let delay = (random(2) > 0).then(|| random(15));
            let reset = timers.reset(made[n as usize], at(now), delay.map(time));
            assert_eq!(reset, model.reset(n, now, delay));
        }
    }
    timers.check_invariants();
}
