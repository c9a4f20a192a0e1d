//! The timers of one loop, in order of (deadline, when armed).
//!
//! A firing timer's callback is *out*: [`Timers::pop_due`] hands it to the caller, who calls it
//! with no borrow of the `Timers` alive and gives it back by [`Timers::finish`]. Between the two the
//! timer is still known, so that its own callback may remove, reset or count it. Callbacks leave
//! only by return value, never by a drop in here: a `Drop` of the user's may call back in.
//!
//! Arming and removing cost O(log n), and a removed timer is gone at once: nothing waits in the
//! queue for a deadline that no one needs any more.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

/// Names one timer among all of the process. Never reused, so that it names nothing once its own is
/// gone, and nothing on another loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimerId(NonZeroU64);

impl TimerId {
    /// The id of that number; numbers are given out by the loop's shared half.
    pub(crate) fn from_raw(raw: NonZeroU64) -> Self {
        Self(raw)
    }

    /// The number behind the id, for logs and foreign interfaces (libhv: `TimerID`). No other timer of
    /// the process has it.
    pub fn raw(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for TimerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A place in the queue: the deadline, then the order of arming, which is unique.
type Place = (Instant, u64);

/// See the module. Lives on the loop's thread; reads no clock.
#[derive(Debug)]
pub(crate) struct Timers<C> {
    /// What is to fire, in order.
    queue: BTreeMap<Place, TimerId>,
    /// Every timer there is: queued, firing, or too far away to have a deadline.
    timers: HashMap<TimerId, Timer<C>>,
    /// The number of the next arming.
    next_seq: u64,
}

#[derive(Debug)]
struct Timer<C> {
    /// `None` while firing: it is out.
    callback: Option<C>,
    /// The interval after the first deadline, and the delay that a reset uses.
    period: Option<Duration>,
    /// How many more times it will fire, the firing under way excluded; `None`: without end.
    remaining: Option<u32>,
    when: When,
}

/// Where a timer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// In the queue.
    At(Place),
    /// Later than an `Instant` can tell: not in the queue, but may be reset.
    Never,
    /// The callback is out, for this deadline.
    Firing(Instant),
    /// The callback is out, and the timer was reset meanwhile.
    Restarted(Option<Place>),
}

/// The timers that one turn may fire: those armed before it began. A timer that is armed in a
/// callback waits for the next turn even if it is due at once, so that a turn ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch {
    /// Armings from this number on are not part of it.
    limit: u64,
}

/// A timer that fires now, with its callback. To be given back by [`Timers::finish`].
#[derive(Debug)]
#[must_use = "the timer counts as firing until it is given to `finish`"]
pub(crate) struct Fired<C> {
    id: TimerId,
    callback: C,
}

impl<C> Fired<C> {
    /// Which timer it is.
    pub(crate) fn id(&self) -> TimerId {
        self.id
    }

    /// What to call.
    pub(crate) fn callback_mut(&mut self) -> &mut C {
        &mut self.callback
    }
}

impl<C> Timers<C> {
    /// No timers.
    pub(crate) fn new() -> Self {
        Self {
            queue: BTreeMap::new(),
            timers: HashMap::new(),
            next_seq: 0,
        }
    }

    /// Arms a new timer for `deadline`; `None`: later than an `Instant` can tell, so that it never
    /// fires unless it is reset.
    ///
    /// `period` is the interval at which it goes on after that, and the delay that a
    /// [`reset`](Self::reset) restarts it with; with `None` it fires once. Zero: once a turn.
    /// `remaining` is how often it fires in all, `None` without end; zero counts as one. `id` must
    /// be new.
    pub(crate) fn insert(
        &mut self,
        id: TimerId,
        deadline: impl Into<Option<Instant>>,
        period: Option<Duration>,
        remaining: Option<u32>,
        callback: C,
    ) {
        let place = deadline.into().map(|at| (at, self.take_seq()));
        let timer = Timer {
            callback: Some(callback),
            period,
            remaining: match period {
                Some(_) => remaining.map(|n| n.max(1)),
                None => Some(1),
            },
            when: place.map_or(When::Never, When::At),
        };
        if let Some(place) = place {
            self.queue.insert(place, id);
        }
        let old = self.timers.insert(id, timer);
        debug_assert!(old.is_none(), "timer id {id} was given out twice");
    }

    /// Takes a timer off and returns its callback, for the caller to drop with no borrow alive.
    /// `None`: there is no such timer, or it is firing; then it will not fire again, it does not
    /// count any more, and [`finish`](Self::finish) returns the callback.
    pub(crate) fn remove(&mut self, id: TimerId) -> Option<C> {
        let timer = self.timers.remove(&id)?;
        if let When::At(place) = timer.when {
            self.queue.remove(&place);
        }
        timer.callback
    }

    /// When the next timer is due; a firing one does not count.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.queue.first_key_value().map(|(place, _)| place.0)
    }

    /// How many timers there are, a firing one that was not removed included.
    pub(crate) fn len(&self) -> usize {
        self.timers.len()
    }

    /// Begins a turn's firing.
    pub(crate) fn begin_batch(&self) -> Batch {
        Batch {
            limit: self.next_seq,
        }
    }

    /// The earliest timer of the batch that is due at `now`, FIFO among equal deadlines.
    ///
    /// Timers armed since the batch began are stepped over. What is armed in a callback counts from
    /// `now` or later, so these stand behind the whole batch and are stepped over only once.
    pub(crate) fn pop_due(&mut self, now: Instant, batch: &Batch) -> Option<Fired<C>> {
        let mut due = self.queue.range(..=(now, u64::MAX));
        let (&place, &id) = due.find(|(place, _)| place.1 < batch.limit)?;
        self.queue.remove(&place);
        let timer = self.timers.get_mut(&id)?;
        timer.when = When::Firing(place.0);
        timer.remaining = timer.remaining.map(|n| n.saturating_sub(1));
        let callback = timer.callback.take()?;
        Some(Fired { id, callback })
    }

    /// Ends a firing; `now` is that of [`pop_due`](Self::pop_due).
    ///
    /// A repeating timer is armed again, on the grid that its first deadline and its period make:
    /// it does not drift, and intervals that were missed are one call, not a burst. Returns the
    /// callback if the timer is over, for the caller to drop with no borrow alive.
    #[must_use = "what is the user's must be dropped with no borrow alive"]
    pub(crate) fn finish(&mut self, fired: Fired<C>, now: Instant) -> Option<C> {
        let Fired { id, callback } = fired;
        let when = match self.timers.get(&id) {
            Some(timer) => match (timer.when, timer.period, timer.remaining) {
                (When::Restarted(place), _, _) => place.map_or(When::Never, When::At),
                (When::Firing(deadline), Some(period), None | Some(1..)) => {
                    let next = next_tick(deadline, period, now);
                    next.map_or(When::Never, |at| When::At((at, self.take_seq())))
                }
                (When::Firing(_), _, _) => {
                    self.timers.remove(&id);
                    return Some(callback);
                }
                // Removed while it fired, and its id armed anew.
                (When::At(_) | When::Never, _, _) => return Some(callback),
            },
            // Removed while it fired.
            None => return Some(callback),
        };
        if let Some(timer) = self.timers.get_mut(&id) {
            timer.when = when;
            timer.callback = Some(callback);
        }
        if let When::At(place) = when {
            self.queue.insert(place, id);
        }
        None
    }

    /// Lets a timer count from `now` again (libhv: `htimer_reset`): it fires after `new_delay`,
    /// which is its period from then on, or after its period if none is given. How often it still
    /// fires stays the same, but a timer in its last firing gets one more.
    ///
    /// `false`: there is no such timer, or it has no period and none was given.
    pub(crate) fn reset(&mut self, id: TimerId, now: Instant, new_delay: Option<Duration>) -> bool {
        let Some(timer) = self.timers.get_mut(&id) else {
            return false;
        };
        let Some(delay) = new_delay.or(timer.period) else {
            return false;
        };
        // A timer without a period stays one: it fires once.
        timer.period = timer.period.map(|_| delay);
        timer.remaining = timer.remaining.map(|n| n.max(1));
        let place = now.checked_add(delay).map(|at| (at, self.next_seq));
        self.next_seq += 1;
        match timer.when {
            When::Firing(_) | When::Restarted(_) => timer.when = When::Restarted(place),
            When::At(_) | When::Never => {
                if let When::At(old) = timer.when {
                    self.queue.remove(&old);
                }
                timer.when = place.map_or(When::Never, When::At);
                if let Some(place) = place {
                    self.queue.insert(place, id);
                }
            }
        }
        true
    }

    /// Takes every timer off. The callbacks come in the order of their deadlines, those without
    /// one last; that of a firing timer comes from [`finish`](Self::finish).
    pub(crate) fn drain(&mut self) -> Vec<C> {
        let mut callbacks = Vec::with_capacity(self.timers.len());
        for (_, id) in std::mem::take(&mut self.queue) {
            callbacks.extend(self.timers.remove(&id).and_then(|timer| timer.callback));
        }
        let rest = std::mem::take(&mut self.timers);
        callbacks.extend(rest.into_values().filter_map(|timer| timer.callback));
        callbacks
    }

    /// Panics if the two views of the timers do not agree. O(n log n): for tests.
    #[cfg(any(test, debug_assertions))]
    #[cfg_attr(not(test), allow(dead_code, reason = "for debugging and simulation"))]
    pub(crate) fn check_invariants(&self) {
        let mut queued = 0;
        for (id, timer) in &self.timers {
            match timer.when {
                When::At(place) => {
                    queued += 1;
                    assert_eq!(self.queue.get(&place), Some(id), "not at its place");
                    assert!(place.1 < self.next_seq, "armed in the future");
                    assert!(timer.callback.is_some(), "queued without a callback");
                    assert_ne!(timer.remaining, Some(0), "queued but over");
                }
                When::Never => assert!(timer.callback.is_some(), "lost its callback"),
                When::Firing(_) | When::Restarted(_) => {
                    assert!(timer.callback.is_none(), "firing with its callback in");
                }
            }
        }
        assert_eq!(queued, self.queue.len(), "a place in the queue of no timer");
    }

    fn take_seq(&mut self) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        seq
    }
}

/// The first time after `now` that is a whole number of periods after `deadline`; for a period of
/// zero, `now`. `None`: later than an `Instant` can tell.
fn next_tick(deadline: Instant, period: Duration, now: Instant) -> Option<Instant> {
    let late = now.saturating_duration_since(deadline);
    if late < period {
        return deadline.checked_add(period);
    }
    if period.is_zero() {
        return Some(now);
    }
    let into_tick = late.as_nanos() % period.as_nanos();
    // Both fit: `into_tick` is less than `period`, which is a `Duration`.
    let into_tick = Duration::new(
        (into_tick / 1_000_000_000) as u64,
        (into_tick % 1_000_000_000) as u32,
    );
    now.checked_add(period - into_tick)
}

#[cfg(test)]
mod tests;
