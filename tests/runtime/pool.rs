//! Several loops: starting, choosing among them, stopping side by side.

use crate::common::loops::on_loop;
use hvloop::event::{JoinError, StartError};
use hvloop::{
    EventLoop, EventLoopThread, EventLoopThreadPool, LoadBalance, LoopOptions, LoopStatus,
};
use hvloop_test_support::{DEADLINE, Monitor, wait_for};
use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, mpsc};

fn pool(threads: usize) -> EventLoopThreadPool {
    let options = LoopOptions::new().name("pool").drain_timeout(DEADLINE);
    EventLoopThreadPool::with_options(threads, &options).unwrap()
}

fn started(threads: usize) -> EventLoopThreadPool {
    let pool = pool(threads);
    pool.start().unwrap();
    pool
}

fn number_of(pool: &EventLoopThreadPool, event_loop: &EventLoop) -> usize {
    let mut loops = pool.event_loops();
    loops.position(|l| l.same_loop(event_loop)).unwrap()
}

/// A stop before the start is kept, one without a start is not waited for.
#[test]
fn stop_unstarted_pool() {
    let never = pool(3);
    let task = Monitor::new(false);
    never.stop();
    assert_eq!(never.join().unwrap_err(), JoinError::NotStarted);
    drop(never);

    let pool = pool(3);
    pool.stop();
    let ran = task.clone();
    let event_loop = pool.event_loop(1).unwrap();
    let queued = event_loop.queue_in_loop(move || ran.update(|ran| *ran = true));
    queued.unwrap();
    pool.start().unwrap();
    let reports = pool.join().unwrap();
    assert!(reports.len() == 3 && reports.iter().all(|r| r.is_clean()));
    assert!(
        task.read(|ran| *ran),
        "what was accepted before the start runs"
    );
    assert!(!pool.is_running());
}

#[test]
fn default_is_one_loop_a_core() {
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(EventLoopThreadPool::new().unwrap().thread_num(), cores);
    let none = EventLoopThreadPool::with_threads(0).unwrap_err();
    assert_eq!(none.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn round_robin_takes_turns_over_threads() {
    let pool = started(3);
    let turns = |_| number_of(&pool, pool.next_loop(LoadBalance::RoundRobin));
    assert_eq!((0..6).map(turns).collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2]);
    let threads: BTreeSet<_> = (0..3)
        .map(|n| {
            on_loop(pool.event_loop(n).unwrap(), |_| {
                std::thread::current().name().map(str::to_owned)
            })
        })
        .collect();
    let names = ["pool-0", "pool-1", "pool-2"].map(|name| Some(name.to_owned()));
    assert_eq!(threads, BTreeSet::from(names));
    assert!(pool.event_loop(3).is_none());
}

#[test]
fn random_reaches_every_loop() {
    let pool = pool(4);
    let reached: BTreeSet<_> = (0..200)
        .map(|_| number_of(&pool, pool.next_loop(LoadBalance::Random)))
        .collect();
    assert_eq!(reached.len(), 4);
}

/// The hooks run on each loop's thread, before and after it; a join there would wait for itself.
#[test]
fn hooks_know_their_number() {
    let pool = Arc::new(pool(2));
    let seen = Monitor::new(Vec::new());
    let (pre, post) = (seen.clone(), seen.clone());
    let inside = pool.clone();
    let hooked = pool.start_with(
        move |n| pre.update(|seen| seen.push(("pre", n, std::thread::current().id()))),
        move |n| {
            assert_eq!(inside.join().unwrap_err(), JoinError::WouldDeadlock);
            post.update(|seen| seen.push(("post", n, std::thread::current().id())));
        },
    );
    hooked.unwrap();
    assert!(matches!(pool.start(), Err(StartError::AlreadyStarted)));
    assert!(pool.is_running(), "a second start stops nothing");
    pool.stop();
    assert_eq!(pool.join().unwrap().len(), 2);
    seen.read(|seen| {
        for n in 0..2 {
            let of: Vec<_> = seen.iter().filter(|(_, m, _)| *m == n).collect();
            assert!(
                matches!(of[..], [("pre", _, a), ("post", _, b)] if a == b),
                "{of:?}"
            );
        }
    });
}

/// Joined by several threads at once, and from a callback.
#[test]
fn pool_joined_from_everywhere() {
    let pool = Arc::new(started(2));
    let inside = pool.clone();
    let refused = on_loop(pool.event_loop(0).unwrap(), move |_| {
        inside.join().unwrap_err()
    });
    assert_eq!(refused, JoinError::WouldDeadlock);
    let joiners: Vec<_> = (0..4)
        .map(|_| {
            let pool = pool.clone();
            std::thread::spawn(move || pool.join().unwrap().len())
        })
        .collect();
    pool.stop();
    for joiner in joiners {
        assert_eq!(joiner.join().unwrap(), 2);
    }
}

/// The drop stops all loops and waits; in a callback of one it waits for the others alone.
#[test]
fn pool_dropped_outside_and_inside() {
    let outside = started(2);
    let loops: Vec<_> = outside.event_loops().cloned().collect();
    drop(outside);
    assert!(loops.iter().all(|l| l.status() == LoopStatus::Stopped));

    let inside = started(2);
    let loops: Vec<_> = inside.event_loops().cloned().collect();
    let (tell, told) = mpsc::channel();
    let other = loops[1].clone();
    let drops = move || {
        drop(inside);
        tell.send(other.status()).unwrap();
    };
    loops[0].queue_in_loop(drops).unwrap();
    assert_eq!(told.recv_timeout(DEADLINE), Ok(LoopStatus::Stopped));
    // The loop whose callback dropped the pool ends by itself.
    assert!(wait_for(DEADLINE.as_secs(), || loops[0].status()
        == LoopStatus::Stopped));
}

/// Each thread runs on one CPU alone.
#[cfg(all(feature = "affinity", target_os = "linux"))]
#[test]
fn pinned_threads_have_one_cpu() {
    let pool = pool(2);
    pool.start_pinned(|_| {}, |_| {}).unwrap();
    let cpus = |n| {
        on_loop(pool.event_loop(n).unwrap(), |_| {
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let list = status.lines().find(|l| l.starts_with("Cpus_allowed_list"));
            list.unwrap().to_owned()
        })
    };
    for n in 0..2 {
        let list = cpus(n);
        let list = list.split_whitespace().last().unwrap();
        assert!(list.parse::<usize>().is_ok(), "not one CPU: {list}");
    }
}

/// As callbacks of foreign code may: on a thread of its own, and on each of a pool's.
#[test]
fn stack_of_a_loops_thread() {
    #[inline(never)]
    fn deep(n: u8) -> usize {
        let frame = [n; 12 * 1024 * 1024];
        std::hint::black_box(&frame)
            .iter()
            .map(|n| usize::from(*n))
            .sum()
    }
    let options = LoopOptions::new()
        .stack_size(16 << 20)
        .drain_timeout(DEADLINE);
    let thread = EventLoopThread::with_loop(EventLoop::with_options(options.clone()).unwrap());
    thread.start().unwrap();
    assert_eq!(on_loop(thread.event_loop(), |_| deep(1)), 12 << 20);
    thread.stop();
    thread.join().unwrap();
    let pool = EventLoopThreadPool::with_options(2, &options).unwrap();
    pool.start().unwrap();
    for event_loop in pool.event_loops() {
        assert_eq!(on_loop(event_loop, |_| deep(1)), 12 << 20);
    }
    pool.stop();
    pool.join().unwrap();
}

/// More than there is: an error, and the loop may be started otherwise.
#[test]
fn stack_that_the_system_has_not() {
    let options = LoopOptions::new().stack_size(usize::MAX / 4);
    let event_loop = EventLoop::with_options(options).unwrap();
    let thread = EventLoopThread::with_loop(event_loop);
    assert!(matches!(thread.start(), Err(StartError::Spawn(_))));
    assert!(!thread.is_running());
}
