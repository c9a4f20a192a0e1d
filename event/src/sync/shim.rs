//! std's atomics, locks and a queue; under `cfg(loom)`, the ones that loom can explore.

#[cfg(not(loom))]
mod imp {
    pub(crate) use std::hint::spin_loop;
    pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use std::thread::yield_now;

    /// The queue behind the inbox: unbounded, many senders, one receiver, FIFO per sender.
    pub(crate) struct Queue<T> {
        sender: crossbeam_channel::Sender<T>,
        receiver: crossbeam_channel::Receiver<T>,
    }

    impl<T> Queue<T> {
        /// An empty queue; allocates with the first value.
        pub(crate) fn new() -> Self {
            let (sender, receiver) = crossbeam_channel::unbounded();
            Self { sender, receiver }
        }

        /// Appends a value. Any thread.
        pub(crate) fn push(&self, value: T) {
            if self.sender.send(value).is_err() {
                // A send fails only without a receiver, and this struct owns one.
                unreachable!("the queue owns both ends of its channel");
            }
        }

        /// Takes the oldest value. The loop's thread.
        pub(crate) fn pop(&self) -> Option<T> {
            self.receiver.try_recv().ok()
        }

        /// How many values wait. Any thread.
        pub(crate) fn len(&self) -> usize {
            self.receiver.len()
        }
    }
}

#[cfg(loom)]
mod imp {
    pub(crate) use loom::hint::spin_loop;
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use loom::thread::yield_now;
    use std::collections::VecDeque;
    use std::sync::PoisonError;

    /// The twin of the channel: loom does not see into crossbeam.
    pub(crate) struct Queue<T>(Mutex<VecDeque<T>>);

    impl<T> Queue<T> {
        /// An empty queue.
        pub(crate) fn new() -> Self {
            Self(Mutex::new(VecDeque::new()))
        }

        /// Appends a value.
        pub(crate) fn push(&self, value: T) {
            self.lock().push_back(value);
        }

        /// Takes the oldest value.
        pub(crate) fn pop(&self) -> Option<T> {
            self.lock().pop_front()
        }

        /// How many values wait.
        pub(crate) fn len(&self) -> usize {
            self.lock().len()
        }

        fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

pub(crate) use imp::*;
