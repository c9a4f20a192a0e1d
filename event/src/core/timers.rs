//! The timers of one loop, in order of (deadline, when armed).
//!
//! A firing timer's callback is *out*: [`Timers::pop_due`] hands it to the caller, who calls it
//! with no borrow of the `Timers` alive and gives it back by [`Timers::finish`]. Between the two the
//! timer is still known, so that its own callback may remove, reset or count it. Callbacks leave
//! only by return value, never by a drop in here: a `Drop` of the user's may call back in.
//!
//! A timer is in a slot that its id mostly names, so that it is found without a search. What is to fire has a node
//! in a [`Queue`]; what is removed leaves a dead one behind, of which there are never many more than of others.
//! Arming and removing cost O(1) on the whole, firing O(log n) of those that are near. Room that many
//! timers took is given back once there is none left.

mod id;
mod node;
mod queue;
mod wheel;

pub use id::TimerId;
use node::Nanos;
use queue::Queue;
use slab::Slab;
use std::collections::HashMap;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

/// Room for so many timers is kept when there are none.
const KEEP: usize = 1024;

/// See the module. Lives on the loop's thread; reads no clock.
#[derive(Debug)]
pub(crate) struct Timers<C> {
    /// Every timer there is: queued, firing, or too far away to have a deadline.
    timers: Slab<Timer<C>>,
    /// What is to fire, in order.
    queue: Queue,
    /// The slots of those whose ids name none.
    apart: HashMap<TimerId, u32>,
    /// What the queue counts from.
    zero: Instant,
}

#[derive(Debug)]
struct Timer<C> {
    id: TimerId,
    state: State<C>,
    /// The interval after the first deadline, and the delay that a reset uses.
    period: Option<Period>,
    /// How many more times it will fire, the firing under way excluded, if it is not without end.
    remaining: u32,
    is_endless: bool,
}

/// What a new timer is called.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Name {
    /// By the id that others have of it already.
    Given(TimerId),
    /// By this number, which no other one has, and its slot.
    Number(u64),
}

/// What a timer does.
#[derive(Debug)]
enum State<C> {
    /// It waits in the queue; or is later than that can tell, but may be reset.
    Armed(C),
    /// The callback is out.
    Firing,
    /// The callback is out, and the timer was reset meanwhile, to that deadline.
    Restarted(Option<Nanos>),
}

/// A timer that fires now, with its callback. To be given back by [`Timers::finish`].
#[derive(Debug)]
#[must_use = "the timer counts as firing until it is given to `finish`"]
pub(crate) struct Fired<C> {
    id: TimerId,
    deadline: Nanos,
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
    /// No timers. Deadlines are expected to be later than `zero`.
    pub(crate) fn new(zero: Instant) -> Self {
        Self {
            timers: Slab::new(),
            queue: Queue::new(),
            apart: HashMap::new(),
            zero,
        }
    }

    /// Arms a new timer for `deadline`, and says its id; `None`: later than an `Instant` can tell, so
    /// that it never fires unless it is reset. (So is one of centuries away.)
    ///
    /// `period` is the interval at which it goes on after that, and the delay that a
    /// [`reset`](Self::reset) restarts it with; with `None` it fires once. Zero: once a turn.
    /// `remaining` is how often it fires in all, `None` without end; zero counts as one. The
    /// name must be new.
    ///
    /// # Panics
    ///
    /// There are 2^32 - 1 timers already: memory ends long before.
    pub(crate) fn insert(
        &mut self,
        name: Name,
        deadline: impl Into<Option<Instant>>,
        period: Option<Duration>,
        remaining: Option<u32>,
        callback: C,
    ) -> TimerId {
        let remaining = match period {
            Some(_) => remaining.map(|n| n.max(1)),
            None => Some(1),
        };
        let deadline = deadline.into().and_then(|at| self.nanos(at));
        let entry = self.timers.vacant_entry();
        assert!(entry.key() < u32::MAX as usize, "no slot is left");
        let slot = entry.key() as u32; // below `u32::MAX`, which is no slot
        let id = match name {
            Name::Given(id) => id,
            Name::Number(number) => {
                TimerId::in_slot(number, slot).unwrap_or_else(|| TimerId::apart(number))
            }
        };
        if id.is_apart() {
            let old = self.apart.insert(id, slot);
            debug_assert!(old.is_none(), "timer id {id} was given out twice");
        }
        entry.insert(Timer {
            id,
            state: State::Armed(callback),
            period: period.map(Period::new),
            remaining: remaining.unwrap_or_default(),
            is_endless: remaining.is_none(),
        });
        self.queue.arm(slot);
        self.enqueue(slot, deadline);
        id
    }

    /// Takes a timer off and returns its callback, for the caller to drop with no borrow alive.
    /// `None`: there is no such timer, or it is firing; then it will not fire again, it does not
    /// count any more, and [`finish`](Self::finish) returns the callback.
    pub(crate) fn remove(&mut self, id: TimerId) -> Option<C> {
        let (slot, timer) = self.find(id)?;
        // Out first, alone: the rest is not worth to be moved.
        let state = std::mem::replace(&mut timer.state, State::Firing);
        self.queue.remove(slot);
        self.forget(slot);
        state.into_callback()
    }

    /// When the next timer is due; a firing one does not count.
    pub(crate) fn next_deadline(&mut self) -> Option<Instant> {
        let first = self.queue.first()?;
        self.instant(first)
    }

    /// How many timers there are, a firing one that was not removed included.
    pub(crate) fn len(&self) -> usize {
        self.timers.len()
    }

    /// Begins a turn's firing: of the timers that are due at `now`, those armed before. A timer that is
    /// armed in a callback waits for the next turn even if it is due at once, so that a turn ends.
    pub(crate) fn begin_batch(&mut self, now: Instant) {
        let now = self.nanos(now).unwrap_or(Nanos::MAX);
        self.queue.begin_batch(now);
        // Where there are many, none is in the processor's cache: it fetches some at once if it is asked for them
        // one after the other, while it would be waited for each between two callbacks.
        for slot in self.queue.due() {
            std::hint::black_box(self.timers.contains(slot as usize));
        }
    }

    /// The earliest timer of the batch, FIFO among equal deadlines.
    pub(crate) fn pop_due(&mut self) -> Option<Fired<C>> {
        let node = self.queue.pop_due()?;
        let timer = self.timers.get_mut(node.slot as usize)?;
        timer.remaining = timer.remaining.saturating_sub(1);
        let id = timer.id;
        let state = std::mem::replace(&mut timer.state, State::Firing);
        state.into_callback().map(|callback| Fired {
            id,
            deadline: node.deadline,
            callback,
        })
    }

    /// Ends a firing; `now` is that of [`begin_batch`](Self::begin_batch).
    ///
    /// A repeating timer is armed again, on the grid that its first deadline and its period make:
    /// it does not drift, and intervals that were missed are one call, not a burst. Returns the
    /// callback if the timer is over, for the caller to drop with no borrow alive.
    #[must_use = "what is the user's must be dropped with no borrow alive"]
    pub(crate) fn finish(&mut self, fired: Fired<C>, now: Instant) -> Option<C> {
        let Fired {
            id,
            deadline,
            callback,
        } = fired;
        let now = self.nanos(now);
        let Some((slot, timer)) = self.find(id) else {
            return Some(callback); // removed while it fired
        };
        let next = match (&timer.state, timer.period) {
            (State::Restarted(next), _) => *next,
            (State::Firing, Some(period)) if timer.is_endless || timer.remaining > 0 => {
                self.queue.arm(slot);
                now.and_then(|now| next_tick(deadline, period.nanos()?, now))
            }
            (State::Firing, _) => {
                self.forget(slot);
                return Some(callback);
            }
            (State::Armed(_), _) => return Some(callback), // none fires twice at once
        };
        if let Some((_, timer)) = self.find(id) {
            timer.state = State::Armed(callback);
        }
        self.enqueue(slot, next);
        None
    }

    /// Lets a timer count from `now` again (libhv: `htimer_reset`): it fires after `new_delay`,
    /// which is its period from then on, or after its period if none is given. How often it still
    /// fires stays the same, but a timer in its last firing gets one more.
    ///
    /// `false`: there is no such timer, or it has no period and none was given.
    pub(crate) fn reset(&mut self, id: TimerId, now: Instant, new_delay: Option<Duration>) -> bool {
        let Some((slot, timer)) = self.find(id) else {
            return false;
        };
        let Some(delay) = new_delay.map(Period::new).or(timer.period) else {
            return false;
        };
        // A timer without a period stays one: it fires once.
        timer.period = timer.period.map(|_| delay);
        timer.remaining = timer.remaining.max(1);
        let now = self.nanos(now);
        let next = now.and_then(|now| now.checked_add(delay.nanos()?));
        self.queue.remove(slot);
        self.queue.arm(slot);
        match self.find(id) {
            Some((_, timer)) if !matches!(timer.state, State::Armed(_)) => {
                timer.state = State::Restarted(next);
            }
            _ => self.enqueue(slot, next),
        }
        true
    }

    /// Takes every timer off. The callbacks come in the order of their deadlines, those without
    /// one last; that of a firing timer comes from [`finish`](Self::finish).
    pub(crate) fn drain(&mut self) -> Vec<C> {
        let queued = self.queue.drain();
        let mut timers = std::mem::take(&mut self.timers);
        self.apart = HashMap::new();
        let mut callbacks = Vec::with_capacity(timers.len());
        let in_order = queued.into_iter();
        let in_order = in_order.filter_map(|node| timers.try_remove(node.slot as usize));
        callbacks.extend(in_order.filter_map(|timer| timer.state.into_callback()));
        let rest = timers.into_iter();
        callbacks.extend(rest.filter_map(|(_, timer)| timer.state.into_callback()));
        callbacks
    }

    /// The timer of that id, and its slot.
    fn find(&mut self, id: TimerId) -> Option<(u32, &mut Timer<C>)> {
        let slot = match id.slot() {
            Some(slot) => slot,
            None => *self.apart.get(&id)?,
        };
        let timer = self.timers.get_mut(slot as usize)?;
        (timer.id == id).then_some((slot, timer))
    }

    /// Puts an armed timer into the queue.
    fn enqueue(&mut self, slot: u32, deadline: Option<Nanos>) {
        if let Some(deadline) = deadline {
            self.queue.push(slot, deadline);
        }
    }

    /// Empties a slot whose callback is out.
    fn forget(&mut self, slot: u32) {
        let slot = slot as usize;
        if let Some(timer) = self.timers.try_remove(slot)
            && timer.id.is_apart()
        {
            self.apart.remove(&timer.id);
        }
        if self.timers.is_empty() && self.timers.capacity() > KEEP {
            self.timers = Slab::new();
            self.apart = HashMap::new();
            self.queue.clear();
        }
    }

    /// As the queue counts; `None`: it cannot count that far, which is 292 years.
    fn nanos(&self, at: Instant) -> Option<Nanos> {
        match at.checked_duration_since(self.zero) {
            Some(after) => Nanos::try_from(after.as_nanos()).ok(),
            None => {
                let before = self.zero.saturating_duration_since(at).as_nanos();
                Some(Nanos::try_from(before).map_or(Nanos::MIN, |before| -before))
            }
        }
    }

    /// The inverse of `nanos`.
    fn instant(&self, nanos: Nanos) -> Option<Instant> {
        let distance = Duration::from_nanos(nanos.unsigned_abs());
        match nanos < 0 {
            true => self.zero.checked_sub(distance),
            false => self.zero.checked_add(distance),
        }
    }

    /// Panics if the views of the timers do not agree. O(n): for tests.
    #[cfg(any(test, debug_assertions))]
    #[cfg_attr(not(test), allow(dead_code, reason = "for debugging and simulation"))]
    pub(crate) fn check_invariants(&self) {
        self.queue.check_invariants();
        let mut queued = 0;
        for (slot, timer) in &self.timers {
            let slot = slot as u32;
            let is_queued = self.queue.contains(slot);
            queued += usize::from(is_queued);
            match timer.state {
                State::Armed(_) => {
                    let is_over = timer.remaining == 0 && !timer.is_endless;
                    assert!(!is_over, "armed but over");
                }
                State::Firing | State::Restarted(_) => {
                    assert!(!is_queued, "firing and queued");
                }
            }
            let found = match timer.id.slot() {
                Some(named) => Some(named),
                None => self.apart.get(&timer.id).copied(),
            };
            assert_eq!(found, Some(slot), "not where its id says");
        }
        assert_eq!(queued, self.queue.len(), "a node of no timer");
        let apart = self.timers.iter().filter(|(_, t)| t.id.is_apart());
        assert_eq!(apart.count(), self.apart.len(), "an id of no timer");
    }
}

impl<C> State<C> {
    fn into_callback(self) -> Option<C> {
        match self {
            Self::Armed(callback) => Some(callback),
            Self::Firing | Self::Restarted(_) => None,
        }
    }
}

/// A `Duration` in half its room. What is longer than the queue can tell is as long as that.
#[derive(Debug, Clone, Copy)]
struct Period(NonZeroU64);

impl Period {
    fn new(duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(NonZeroU64::MIN.saturating_add(nanos))
    }

    /// `None`: longer than the queue can tell.
    fn nanos(self) -> Option<Nanos> {
        Nanos::try_from(self.0.get() - 1).ok()
    }
}

/// The first time after `now` that is a whole number of periods after `deadline`; for a period of
/// zero, `now`. `None`: later than the queue can tell.
fn next_tick(deadline: Nanos, period: Nanos, now: Nanos) -> Option<Nanos> {
    let late = now.saturating_sub(deadline).max(0);
    if late < period {
        return deadline.checked_add(period);
    }
    match late.checked_rem(period) {
        Some(into_tick) => now.checked_add(period - into_tick),
        None => Some(now),
    }
}

#[cfg(test)]
mod tests;
