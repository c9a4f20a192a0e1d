//! No wake lost or doubled, nothing accepted lost or invented, each sender's order kept.

use super::{drain, new_inbox, send, turn};
use loom::sync::Arc;
use loom::thread;

#[test]
fn wake_never_lost() {
    loom::model(|| {
        let (inbox, bell) = new_inbox();
        let sender = inbox.clone();
        let thread = thread::spawn(move || send(&sender, 1));
        let mut got = Vec::new();
        while got.is_empty() {
            turn(&inbox, &bell, &mut got);
        }
        assert_eq!(got, [1]);
        assert_eq!(thread.join().expect("sender"), Ok(()));
    });
}

#[test]
fn wake_never_lost_with_two_senders() {
    loom::model(|| {
        let (inbox, bell) = new_inbox();
        let threads = [1, 2].map(|n| {
            let sender = inbox.clone();
            thread::spawn(move || send(&sender, n))
        });
        let (mut got, mut sleeps) = (Vec::new(), 0);
        while got.len() < 2 {
            sleeps += usize::from(turn(&inbox, &bell, &mut got));
        }
        for thread in threads {
            assert_eq!(thread.join().expect("sender"), Ok(()));
        }
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
        assert!(bell.wakes() <= sleeps, "more wakes than sleeps");
    });
}

#[test]
fn wake_is_one_a_sleep() {
    loom::model(|| {
        let (inbox, bell) = new_inbox();
        assert!(inbox.prepare_sleep());
        let sender = inbox.clone();
        let sender = thread::spawn(move || send(&sender, 1));
        let notifier = inbox.clone();
        let notifier = thread::spawn(move || notifier.notify());
        bell.poll();
        assert_eq!(sender.join().expect("sender"), Ok(()));
        notifier.join().expect("notifier");
        assert_eq!(bell.wakes(), 1);
        inbox.awake();
        assert_eq!(drain(&inbox), [1]);
    });
}

#[test]
fn notice_never_lost() {
    loom::model(|| {
        let (inbox, bell) = new_inbox::<()>();
        let seen = Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let (notifier, flag) = (inbox.clone(), seen.clone());
        let thread = thread::spawn(move || {
            // Relaxed: that the loop sees what was written before the notice is the inbox's part.
            flag.store(true, loom::sync::atomic::Ordering::Relaxed);
            notifier.notify();
        });
        while !seen.load(loom::sync::atomic::Ordering::Relaxed) {
            turn(&inbox, &bell, &mut Vec::new());
        }
        thread.join().expect("notifier");
    });
}

#[test]
fn close_keeps_exactly_what_was_accepted_in_order() {
    loom::model(|| {
        let (inbox, _bell) = new_inbox();
        let sender = inbox.clone();
        let thread = thread::spawn(move || [send(&sender, 1), send(&sender, 2)]);
        inbox.close();
        let got = drain(&inbox);
        let expected: &[i32] = match thread.join().expect("sender") {
            [Ok(()), Ok(())] => &[1, 2],
            [Ok(()), Err(2)] => &[1],
            [Err(1), Err(2)] => &[],
            other => panic!("opened again, or gave another value back: {other:?}"),
        };
        assert_eq!(got, expected);
        assert_eq!(inbox.pop(), None, "accepted after the close");
        assert!(inbox.is_closed());
    });
}

#[test]
fn close_waits_for_two_senders() {
    loom::model(|| {
        let (inbox, _bell) = new_inbox();
        let threads = [1, 2].map(|n| {
            let sender = inbox.clone();
            thread::spawn(move || send(&sender, n))
        });
        inbox.close();
        let mut got = drain(&inbox);
        got.sort_unstable();
        let results = threads.map(|thread| thread.join().expect("sender"));
        let accepted = [1, 2].into_iter().zip(results);
        let accepted: Vec<i32> = accepted.filter_map(|(n, r)| r.ok().map(|()| n)).collect();
        assert_eq!(got, accepted);
        assert_eq!(inbox.pop(), None, "accepted after the close");
    });
}

#[test]
fn close_does_not_wait_for_a_dropped_permit() {
    loom::model(|| {
        let (inbox, _bell) = new_inbox::<()>();
        let holder = inbox.clone();
        let thread = thread::spawn(move || drop(holder.reserve()));
        inbox.close();
        assert_eq!(inbox.pop(), None);
        thread.join().expect("holder");
    });
}
