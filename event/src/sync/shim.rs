//! std's atomics and locks, or loom's in their place.

#[cfg(not(loom))]
mod imp {
    pub(crate) use std::hint::spin_loop;
    pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use std::thread::yield_now;

    /// The queue behind the inbox: many senders, one receiver, FIFO per sender.
    pub(crate) struct Queue<T> {
        sender: crossbeam_channel::Sender<T>,
        receiver: crossbeam_channel::Receiver<T>,
    }

    impl<T> Queue<T> {
        pub(crate) fn new() -> Self {
            let (sender, receiver) = crossbeam_channel::unbounded();
            Self { sender, receiver }
        }

        pub(crate) fn push(&self, value: T) {
            // Both ends live in this struct, so that the channel is never disconnected.
            if self.sender.send(value).is_err() {
                log::error!("hvloop: the inbox is disconnected");
            }
        }

        pub(crate) fn pop(&self) -> Option<T> {
            self.receiver.try_recv().ok()
        }

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

    /// The twin of the channel for loom, which does not see into crossbeam.
    pub(crate) struct Queue<T>(Mutex<VecDeque<T>>);

    impl<T> Queue<T> {
        pub(crate) fn new() -> Self {
            Self(Mutex::new(VecDeque::new()))
        }

        pub(crate) fn push(&self, value: T) {
            self.0.lock().expect("loom").push_back(value);
        }

        pub(crate) fn pop(&self) -> Option<T> {
            self.0.lock().expect("loom").pop_front()
        }

        pub(crate) fn len(&self) -> usize {
            self.0.lock().expect("loom").len()
        }
    }
}

pub(crate) use imp::*;
