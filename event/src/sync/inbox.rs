//! The way into a loop for other threads: a queue that wakes its one sleeping receiver, and that
//! can be closed without losing what it accepted.

use super::shim::{AtomicU64, Ordering, Queue, spin_loop, yield_now};

/// Wakes the loop's thread out of its poll.
pub(crate) trait Wake: Send + Sync {
    /// Any thread; must not block and must outlive the loop.
    fn wake(&self);
}

/// Something has come since the loop last looked.
const PENDING: u64 = 1;
/// The loop sleeps, or is about to: it must be woken.
const SLEEPING: u64 = 1 << 1;
/// No more permits.
const CLOSED: u64 = 1 << 2;
/// One permit that is given out and not used yet.
const IN_FLIGHT: u64 = 1 << 3;

/// See the module.
///
/// One word holds it all. A sender that finds SLEEPING without PENDING is the one that wakes, so
/// that there is one wake per sleep; a loop that finds PENDING when it is about to sleep does not.
pub(crate) struct Inbox<T> {
    word: AtomicU64,
    queue: Queue<T>,
    waker: Box<dyn Wake>,
}

/// The right to put one value into the inbox. Dropped unused, it is given back.
#[must_use]
pub(crate) struct Permit<'a, T> {
    inbox: &'a Inbox<T>,
}

impl<T> Inbox<T> {
    pub(crate) fn new(waker: Box<dyn Wake>) -> Self {
        Self {
            word: AtomicU64::new(0),
            queue: Queue::new(),
            waker,
        }
    }

    /// Any thread. `None`: closed; the caller keeps what it wanted to send.
    pub(crate) fn reserve(&self) -> Option<Permit<'_, T>> {
        let before = self.word.fetch_add(IN_FLIGHT, Ordering::AcqRel);
        let permit = Permit { inbox: self };
        // A refused permit was counted for a moment: dropping it takes it back.
        (before & CLOSED == 0).then_some(permit)
    }

    /// Any thread. Makes the loop look again: a stop, a resume, the last hold.
    pub(crate) fn notify(&self) {
        let before = self.word.fetch_or(PENDING, Ordering::AcqRel);
        #[cfg(hvloop_mutant = "double_wake")]
        let before = before & !PENDING;
        if before & (SLEEPING | PENDING) == SLEEPING {
            self.waker.wake();
        }
    }

    /// The loop's thread, before it blocks. `false`: something has come, do not block.
    pub(crate) fn prepare_sleep(&self) -> bool {
        #[cfg(hvloop_mutant = "lost_wake")]
        {
            // Looks first and says so later: what comes in between is lost.
            if self.word.load(Ordering::Acquire) & PENDING != 0 {
                return false;
            }
            self.word.fetch_or(SLEEPING, Ordering::AcqRel);
            return true;
        }
        #[cfg(not(hvloop_mutant = "lost_wake"))]
        {
            let before = self.word.fetch_or(SLEEPING, Ordering::AcqRel);
            let quiet = before & PENDING == 0;
            if !quiet {
                self.word.fetch_and(!SLEEPING, Ordering::AcqRel);
            }
            quiet
        }
    }

    /// The loop's thread, after the poll and before it looks into the queue.
    pub(crate) fn awake(&self) {
        self.word.fetch_and(!(SLEEPING | PENDING), Ordering::AcqRel);
    }

    /// The loop's thread.
    pub(crate) fn pop(&self) -> Option<T> {
        self.queue.pop()
    }

    /// How many values wait; may be more at once.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The loop's thread. Refuses every later [`reserve`](Inbox::reserve) and waits until those
    /// that were granted are used: what [`pop`](Inbox::pop) gives from now on is all there is. The
    /// wait is for a few instructions of another thread; no code of a user's runs in them.
    pub(crate) fn close(&self) {
        let mut word = self.word.fetch_or(CLOSED, Ordering::AcqRel);
        let mut spins = 0u32;
        while cfg!(not(hvloop_mutant = "close_ignores_permits")) && word >= IN_FLIGHT {
            if spins < 64 {
                spins += 1;
                spin_loop();
            }
            if spins >= 64 || cfg!(loom) {
                yield_now();
            }
            word = self.word.load(Ordering::Acquire);
        }
    }
}

impl<T> Permit<'_, T> {
    /// Queues the value, and wakes the loop if it sleeps.
    pub(crate) fn send(self, value: T) {
        self.inbox.queue.push(value);
        self.inbox.notify();
        // The drop takes the count back: only now may a close go on.
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        self.inbox.word.fetch_sub(IN_FLIGHT, Ordering::AcqRel);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::sync::{Arc, mpsc};

    /// Counts wakes, and passes them on to a sleeper.
    struct Bell(AtomicUsize, mpsc::Sender<()>);

    impl Wake for Bell {
        fn wake(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
            self.1.send(()).expect("the sleeper outlives the senders");
        }
    }

    fn inbox<T>() -> (Inbox<T>, Arc<Bell>, mpsc::Receiver<()>) {
        struct Shared(Arc<Bell>);
        impl Wake for Shared {
            fn wake(&self) {
                self.0.wake();
            }
        }
        let (ring, rung) = mpsc::channel();
        let bell = Arc::new(Bell(AtomicUsize::new(0), ring));
        (Inbox::new(Box::new(Shared(bell.clone()))), bell, rung)
    }

    fn send<T>(inbox: &Inbox<T>, value: T) -> Result<(), T> {
        match inbox.reserve() {
            Some(permit) => {
                permit.send(value);
                Ok(())
            }
            None => Err(value),
        }
    }

    #[test]
    fn one_wake_per_sleep() {
        let (inbox, bell, _rung) = inbox();
        let wakes = || bell.0.load(Ordering::Relaxed);
        send(&inbox, 1).expect("open");
        assert_eq!(wakes(), 0, "nobody sleeps");
        assert!(!inbox.prepare_sleep(), "something is there");
        inbox.awake();
        assert_eq!(inbox.pop(), Some(1));
        assert!(inbox.prepare_sleep());
        for n in 0..10 {
            send(&inbox, n).expect("open");
        }
        inbox.notify();
        assert_eq!(wakes(), 1);
        inbox.awake();
        assert_eq!(inbox.len(), 10);
    }

    #[test]
    fn closed_gives_back_and_keeps_what_it_accepted() {
        let (inbox, _bell, _rung) = inbox();
        send(&inbox, "in").expect("open");
        drop(inbox.reserve());
        inbox.close();
        assert_eq!(send(&inbox, "out"), Err("out"));
        assert_eq!(inbox.pop(), Some("in"));
        assert_eq!(inbox.pop(), None);
    }

    /// Four threads against a sleeping receiver: everything arrives, in each sender's order, and a
    /// close in the middle loses nothing that was accepted.
    #[test]
    fn stress() {
        const EACH: u32 = 20_000;
        let (inbox, _bell, rung) = inbox();
        let accepted = AtomicUsize::new(0);
        let mut next = [0; 4];
        let mut got = 0;
        std::thread::scope(|scope| {
            for sender in 0..4usize {
                let (inbox, accepted) = (&inbox, &accepted);
                scope.spawn(move || {
                    for n in 0..EACH {
                        if send(inbox, (sender, n)).is_err() {
                            break;
                        }
                        accepted.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            let mut take = |(sender, n): (usize, u32)| {
                assert_eq!(n, next[sender], "sender {sender}'s order");
                next[sender] += 1;
                got += 1;
                got
            };
            let mut seen = 0;
            while seen < EACH {
                if inbox.prepare_sleep() {
                    rung.recv().expect("a lost wake would hang here");
                }
                inbox.awake();
                while let Some(value) = inbox.pop() {
                    seen = take(value);
                }
            }
            inbox.close();
            while let Some(value) = inbox.pop() {
                take(value);
            }
        });
        assert_eq!(got as usize, accepted.load(Ordering::Relaxed));
    }
}
