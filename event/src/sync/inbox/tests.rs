//! The inbox on one thread, and under real threads; every interleaving: [`super::super::models`].

use super::*;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

const _: () = {
    const fn send_sync<T: Send + Sync>() {}
    send_sync::<Inbox<Box<dyn FnOnce() + Send>>>();
};

/// An inbox that counts its wakes, and passes them on to a sleeper.
fn inbox<T>() -> (Inbox<T>, Arc<AtomicUsize>, mpsc::Receiver<()>) {
    let (ring, rung) = mpsc::channel();
    let wakes = Arc::new(AtomicUsize::new(0));
    let counted = wakes.clone();
    let wake = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        ring.send(()).expect("the sleeper outlives the senders");
    };
    (Inbox::new(Box::new(wake)), wakes, rung)
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
    let (inbox, wakes, _rung) = inbox();
    let wakes = || wakes.load(Ordering::Relaxed);
    send(&inbox, 1).expect("open");
    assert_eq!(wakes(), 0, "nobody sleeps");
    assert!(!inbox.prepare_sleep(), "something is there");
    send(&inbox, 2).expect("open");
    assert_eq!(wakes(), 0, "it did not go to sleep");
    inbox.awake();
    assert_eq!((inbox.pop(), inbox.pop()), (Some(1), Some(2)));
    assert!(inbox.is_empty());
    for sleep in 1..=3 {
        assert!(inbox.prepare_sleep(), "nothing is there");
        for n in 0..10 {
            send(&inbox, n).expect("open");
        }
        inbox.notify();
        assert_eq!(wakes(), sleep);
        inbox.awake();
        assert_eq!(inbox.len(), 10);
        assert_eq!(std::iter::from_fn(|| inbox.pop()).count(), 10);
    }
}

#[test]
fn a_notice_wakes_and_queues_nothing() {
    let (inbox, wakes, _rung) = inbox::<()>();
    inbox.notify();
    assert!(!inbox.prepare_sleep(), "noticed before the sleep");
    inbox.awake();
    assert!(inbox.prepare_sleep());
    inbox.notify();
    assert_eq!(wakes.load(Ordering::Relaxed), 1);
    assert_eq!(inbox.pop(), None);
}

#[test]
fn closed_gives_back_and_keeps_what_it_accepted() {
    let (inbox, _wakes, _rung) = inbox();
    send(&inbox, "in").expect("open");
    drop(inbox.reserve().expect("open"));
    assert!(!inbox.is_closed());
    inbox.close();
    inbox.close();
    assert!(inbox.is_closed());
    assert_eq!(send(&inbox, "out"), Err("out"));
    assert_eq!((inbox.pop(), inbox.pop()), (Some("in"), None));
}

/// Senders against a receiver that sleeps whenever it may: no wake is lost, each sender's order is
/// kept, there is at most one wake a sleep, and a close among the sends loses and invents nothing.
#[test]
fn senders_against_a_sleeper_and_a_close() {
    const SENDERS: usize = 4;
    const BEFORE_CLOSE: usize = 20_000;
    const HANG: Duration = Duration::from_secs(30);
    let (inbox, wakes, rung) = inbox();
    let closing = AtomicBool::new(false);
    let start = Barrier::new(SENDERS + 1);
    let mut got = [0_usize; SENDERS];
    // Kept for the end: a panic before the close would leave the senders running.
    let (mut disorder, mut lost_wake) = (Vec::new(), false);
    let (mut taken, mut sleeps) = (0, 0);
    let accepted = std::thread::scope(|scope| {
        let threads = [0, 1, 2, 3].map(|sender| {
            let (inbox, closing, start) = (&inbox, &closing, &start);
            scope.spawn(move || {
                start.wait();
                let mut n = 0;
                while send(inbox, (sender, n)).is_ok() {
                    n += 1;
                }
                assert!(closing.load(Ordering::Acquire), "refused before the close");
                assert!(inbox.reserve().is_none(), "opened again");
                n
            })
        });
        let mut take = |(sender, n): (usize, usize)| {
            if n != got[sender] {
                disorder.push((sender, got[sender], n));
            }
            got[sender] += 1;
        };
        start.wait();
        let mut batch = Batch::new();
        while taken < BEFORE_CLOSE && !lost_wake {
            if inbox.prepare_sleep() {
                sleeps += 1;
                lost_wake = rung.recv_timeout(HANG).is_err();
            }
            inbox.awake();
            while let Some(value) = inbox.next(&mut batch) {
                take(value);
                taken += 1;
                if taken == BEFORE_CLOSE {
                    break;
                }
            }
        }
        closing.store(true, Ordering::Release);
        inbox.close();
        while let Some(value) = inbox.next(&mut batch) {
            take(value);
        }
        threads.map(|thread| thread.join().expect("a sender failed"))
    });
    assert!(!lost_wake, "slept with work queued");
    assert_eq!(disorder, [], "sender, expected, came");
    assert_eq!(got, accepted, "taken and accepted, by sender");
    assert_eq!(inbox.pop(), None, "accepted after the close");
    assert!(wakes.load(Ordering::Relaxed) <= sleeps);
}

/// A batch is what is there when the one before is empty; the whole is counted, and one by one.
#[test]
fn batches() {
    let (inbox, _wakes, _rung) = inbox();
    let mut batch = Batch::new();
    let queue = |values: std::ops::Range<i32>| {
        for n in values {
            send(&inbox, n).expect("open");
        }
    };
    assert_eq!(inbox.next(&mut batch), None);
    queue(0..3);
    assert_eq!(
        (inbox.next(&mut batch), batch.len(), inbox.len()),
        (Some(0), 2, 2)
    );
    queue(3..5);
    assert_eq!((batch.len(), inbox.len()), (2, 4));
    let rest: Vec<_> = std::iter::from_fn(|| inbox.next(&mut batch)).collect();
    assert_eq!(rest, [1, 2, 3, 4]);
    assert!(inbox.is_empty());
    // The room that a burst needed is not kept.
    queue(0..20_000);
    assert_eq!(
        std::iter::from_fn(|| inbox.next(&mut batch)).count(),
        20_000
    );
    queue(0..1);
    assert_eq!(inbox.next(&mut batch), Some(0));
    queue(0..1);
    assert_eq!(inbox.next(&mut batch), Some(0));
    assert!(batch.capacity() <= KEEP, "{}", batch.capacity());
}
