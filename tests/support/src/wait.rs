//! Waiting for something that another thread does, without polling.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A value that threads change and wait on. Clones share the value.
#[derive(Debug, Default)]
pub struct Monitor<T> {
    inner: Arc<(Mutex<T>, Condvar)>,
}

impl<T> Clone for Monitor<T> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<T> Monitor<T> {
    /// A monitor that holds `value`.
    pub fn new(value: T) -> Self {
        Self {
            inner: Arc::new((Mutex::new(value), Condvar::new())),
        }
    }

    /// Changes the value and wakes every waiter.
    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.lock());
        self.inner.1.notify_all();
        result
    }

    /// Reads the value.
    pub fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.lock())
    }

    /// Waits until `done` holds for the value, at most for `limit`. Answers whether it held.
    #[must_use]
    pub fn wait(&self, limit: Duration, mut done: impl FnMut(&T) -> bool) -> bool {
        let (guard, _) = self
            .inner
            .1
            .wait_timeout_while(self.lock(), limit, |value| !done(value))
            .unwrap_or_else(PoisonError::into_inner);
        done(&guard)
    }

    /// A waiter's panic must not hide the value from the other threads, so poisoning is ignored.
    fn lock(&self) -> MutexGuard<'_, T> {
        self.inner.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that happens once. Clones are the same event.
#[derive(Clone, Debug, Default)]
pub struct Event(Monitor<bool>);

impl Event {
    /// An event that has not happened.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that it happened.
    pub fn set(&self) {
        self.0.update(|happened| *happened = true);
    }

    /// Whether it happened.
    pub fn is_set(&self) -> bool {
        self.0.read(|happened| *happened)
    }

    /// Waits for it, at most for `limit`. Answers whether it happened.
    #[must_use]
    pub fn wait(&self, limit: Duration) -> bool {
        self.0.wait(limit, |happened| *happened)
    }

    /// Waits for it; panics with `what` when it has not happened after [`crate::DEADLINE`].
    #[track_caller]
    pub fn expect(&self, what: &str) {
        assert!(
            self.wait(crate::DEADLINE),
            "waited {:?} in vain for: {what}",
            crate::DEADLINE
        );
    }
}

/// A count that goes down to zero. Clones share the count.
#[derive(Clone, Debug)]
pub struct Latch(Monitor<usize>);

impl Latch {
    /// A latch that opens after `count` calls of [`Latch::count_down`].
    pub fn new(count: usize) -> Self {
        Self(Monitor::new(count))
    }

    /// Takes one off. Panics when the latch is open already: then something happened too often.
    #[track_caller]
    pub fn count_down(&self) {
        let underflow = self.0.update(|left| {
            let underflow = *left == 0;
            *left = left.saturating_sub(1);
            underflow
        });
        assert!(!underflow, "latch counted down below zero");
    }

    /// How many are left.
    pub fn left(&self) -> usize {
        self.0.read(|left| *left)
    }

    /// Waits for zero, at most for `limit`. Answers whether it was reached.
    #[must_use]
    pub fn wait(&self, limit: Duration) -> bool {
        self.0.wait(limit, |left| *left == 0)
    }

    /// Waits for zero; panics with `what` and what is left after [`crate::DEADLINE`].
    #[track_caller]
    pub fn expect(&self, what: &str) {
        assert!(
            self.wait(crate::DEADLINE),
            "{} left after {:?}: {what}",
            self.left(),
            crate::DEADLINE
        );
    }
}

/// Waits until `condition` holds, at most for `seconds`. Answers whether it held.
///
/// For conditions that nobody announces (the kernel's view of a process, a getter of the library under
/// test): it looks again every millisecond. Where an event can be had, use [`Event`], [`Latch`] or
/// [`Monitor`].
#[must_use]
pub fn wait_for(seconds: u64, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
}
