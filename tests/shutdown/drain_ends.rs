//! Work that makes work does not keep a loop from its end.

use crate::common::loops::MS;
use hvloop::event::conn::{Conn, Handler};
use hvloop::{CloseReason, Connect, EventLoop, EventLoopThread, LocalLoop, LoopOptions, TcpClient};
use hvloop_test_support::{DEADLINE, Event, wait_for};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A limit that no stop comes near which has nothing to wait for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running loop whose drain may take far longer.
fn patient() -> EventLoopThread {
    limited(PATIENCE)
}

fn limited(limit: Duration) -> EventLoopThread {
    let options = LoopOptions::new().drain_timeout(limit);
    let thread = EventLoopThread::with_loop(EventLoop::with_options(options).unwrap());
    thread.start().unwrap();
    thread
}

#[derive(Clone, Default)]
struct Counts {
    accepted: Arc<AtomicU64>,
    ran: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
}

impl Counts {
    fn read(&self) -> [u64; 3] {
        [&self.accepted, &self.ran, &self.refused].map(|n| n.load(Ordering::Relaxed))
    }
}

fn one(n: &AtomicU64) {
    n.fetch_add(1, Ordering::Relaxed);
}

fn queue_again(event_loop: &EventLoop, counts: &Counts) {
    let (next, c) = (event_loop.clone(), counts.clone());
    let queued = event_loop.queue_in_loop(move || {
        one(&c.ran);
        queue_again(&next, &c);
    });
    one(match queued {
        Ok(()) => &counts.accepted,
        Err(_) => &counts.refused,
    });
}

#[track_caller]
fn stops_soon(thread: &EventLoopThread) {
    thread.stop();
    let report = thread.join().unwrap();
    // By itself, and not by the limit: a machine with much else to do gets nowhere near it.
    assert!(report.elapsed < PATIENCE, "{report}");
    assert!(report.is_clean(), "{report}");
}

/// Tasks that queue themselves: each that was accepted runs, and the end is not put off.
#[test]
fn task_that_queues_itself() {
    for chains in [1, 3, 2_000] {
        let thread = patient();
        let counts = Counts::default();
        for _ in 0..chains {
            queue_again(thread.event_loop(), &counts);
        }
        assert!(wait_for(30, || counts.read()[1] > 2 * chains));
        stops_soon(&thread);
        let [accepted, ran, refused] = counts.read();
        assert_eq!((accepted, refused), (ran, chains), "each chain ends once");
    }
}

/// The same by `LocalLoop`, by `post_event`, and by timers that arm themselves.
#[test]
fn other_work_that_makes_work() {
    fn local(here: &LocalLoop, ran: Arc<AtomicU64>) {
        let again = here.clone();
        here.queue_in_loop(move || {
            one(&ran);
            local(&again, ran.clone());
        });
    }
    fn posted(event_loop: &EventLoop, ran: Arc<AtomicU64>) {
        let again = event_loop.clone();
        let post = move |_: &LocalLoop| {
            one(&ran);
            posted(&again, ran.clone());
        };
        drop(event_loop.post_event(post));
    }
    fn timed(event_loop: &EventLoop, ran: Arc<AtomicU64>) {
        let again = event_loop.clone();
        let armed = event_loop.set_timeout(Duration::ZERO, move |_| {
            one(&ran);
            timed(&again, ran.clone());
            let queued = ran.clone();
            drop(again.queue_in_loop(move || one(&queued)));
        });
        let _refused_at_the_end = armed;
    }
    fn idle(event_loop: &EventLoop, ran: Arc<AtomicU64>) {
        let again = event_loop.clone();
        let set = event_loop.set_idle(None, move |_| {
            let ran = ran.clone();
            drop(again.queue_in_loop(move || one(&ran)));
        });
        set.unwrap();
    }
    for which in 0..4 {
        let thread = patient();
        let event_loop = thread.event_loop().clone();
        let ran = Arc::new(AtomicU64::new(0));
        let r = ran.clone();
        event_loop
            .post_event(move |here| match which {
                0 => local(here, r),
                1 => posted(&here.event_loop(), r),
                2 => timed(&here.event_loop(), r),
                _ => idle(&here.event_loop(), r),
            })
            .unwrap();
        assert!(wait_for(30, || ran.load(Ordering::Relaxed) > 3), "{which}");
        stops_soon(&thread);
    }
}

/// A short chain of tasks is not cut: what follows from what was accepted runs to its end.
#[test]
fn short_chain_runs_to_its_end() {
    fn chain(event_loop: &EventLoop, left: u32, done: Event) {
        let next = event_loop.clone();
        let queued = event_loop.queue_in_loop(move || match left {
            0 => done.set(),
            _ => chain(&next, left - 1, done),
        });
        queued.unwrap();
    }
    let thread = patient();
    let event_loop = thread.event_loop();
    let done = Event::new();
    event_loop.pause();
    chain(event_loop, 8, done.clone());
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
    assert!(done.is_set());
}

struct Flood {
    go_on: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Flood {
    /// Threads that queue until they are refused.
    fn start(event_loop: &EventLoop, counts: &Counts, cost: Duration) -> Self {
        let go_on = Arc::new(AtomicBool::new(true));
        let flood = |_| {
            let (event_loop, counts, go_on) = (event_loop.clone(), counts.clone(), go_on.clone());
            std::thread::spawn(move || {
                while go_on.load(Ordering::Relaxed) {
                    let (c, costs) = (counts.clone(), go_on.clone());
                    let queued = event_loop.queue_in_loop(move || {
                        one(&c.ran);
                        let until = Instant::now() + cost;
                        // Nothing once it is over: what was taken then has to run, however much it is.
                        while costs.load(Ordering::Relaxed) && Instant::now() < until {}
                    });
                    if queued.is_err() {
                        return one(&counts.refused);
                    }
                    one(&counts.accepted);
                }
            })
        };
        let threads = (0..4).map(flood).collect();
        Self { go_on, threads }
    }

    /// Each was refused in the end.
    fn end(self) {
        let ended = wait_for(30, || self.threads.iter().all(|t| t.is_finished()));
        self.go_on.store(false, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        assert!(ended, "still accepted after the end");
    }
}

/// Threads that queue until they are refused, with nothing else to wait for and with a hold that
/// outlasts the limit: the limit is one, and what was accepted runs.
#[test]
fn flood_of_tasks() {
    for (held, cost) in [
        (false, Duration::ZERO),
        (true, Duration::ZERO),
        (true, Duration::from_micros(300)),
    ] {
        let limit = match held {
            true => Duration::from_secs(2),
            false => PATIENCE,
        };
        let thread = limited(limit);
        let event_loop = thread.event_loop();
        let hold = held.then(|| event_loop.hold("too long").unwrap());
        let counts = Counts::default();
        // The flood begins with the stop, so that nothing was there before.
        event_loop.stop();
        let flood = Flood::start(event_loop, &counts, cost);
        // While the flood goes on: a drain without a limit has none.
        let ended = wait_for(30, || !event_loop.is_running());
        flood.end();
        let report = thread.join().unwrap();
        assert!(ended, "held {held}, {cost:?} a task: {report}");
        let [accepted, ran, _] = counts.read();
        assert_eq!(accepted, ran);
        assert_eq!(report.is_clean(), !held, "{report}");
        drop(hold);
    }
}

/// A flood that was there before the stop.
#[test]
fn flood_from_before_the_stop() {
    let thread = limited(Duration::from_secs(2));
    let counts = Counts::default();
    let flood = Flood::start(thread.event_loop(), &counts, Duration::ZERO);
    assert!(wait_for(30, || counts.read()[1] > 10_000));
    thread.stop();
    let ended = wait_for(30, || !thread.event_loop().is_running());
    flood.end();
    let report = thread.join().unwrap();
    assert!(ended, "{report}");
    let [accepted, ran, refused] = counts.read();
    assert_eq!((accepted, refused), (ran, 4));
}

/// A client that begins anew in its `on_close`, with the same callback: the loop ends.
#[test]
fn client_that_opens_in_on_close() {
    fn open(client: &Arc<TcpClient>, closes: &Arc<AtomicU64>) -> bool {
        let (weak, c) = (Arc::downgrade(client), closes.clone());
        client.on_close(move |_, _| {
            one(&c);
            if let Some(client) = weak.upgrade() {
                open(&client, &c);
            }
        });
        client.connect(Connect::to("127.0.0.1", 1)).is_ok()
    }
    let thread = patient();
    let client = Arc::new(TcpClient::new(thread.event_loop()));
    let closes = Arc::new(AtomicU64::new(0));
    assert!(open(&client, &closes));
    assert!(wait_for(30, || closes.load(Ordering::Relaxed) > 3));
    stops_soon(&thread);
}

/// A handler that is refused and lets itself be refused again: the loop ends all the same.
#[test]
fn handler_that_is_refused_again() {
    struct Stubborn(Arc<Mutex<u64>>);
    impl Handler for Stubborn {
        fn on_up(&mut self, _: &Conn<'_>) {}
        fn on_data(&mut self, _: &Conn<'_>, _: &mut [u8]) {}
        fn on_close(self: Box<Self>, conn: &Conn<'_>, _: CloseReason) {
            *self.0.lock().unwrap() += 1;
            let to = Connect::to("127.0.0.1", 1);
            if let Err(refused) = conn.local().connect(to, self) {
                conn.local().refuse(refused.into_inner());
            }
        }
    }
    let thread = patient();
    let closes = Arc::new(Mutex::new(0));
    let c = closes.clone();
    let begin = move |local: &LocalLoop| {
        let to = Connect::to("127.0.0.1", 1);
        local.connect(to, Box::new(Stubborn(c))).unwrap();
    };
    thread.event_loop().post_event(begin).unwrap();
    assert!(wait_for(30, || *closes.lock().unwrap() > 3));
    stops_soon(&thread);
}

/// Slow tasks do not put the deadline off: it is looked at between any two.
#[test]
fn slow_tasks_at_the_deadline() {
    let limit = 300 * MS;
    let thread = limited(limit);
    let event_loop = thread.event_loop();
    let peer = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let client = TcpClient::new(event_loop);
    let (up, ran) = (Event::new(), Arc::new(AtomicU64::new(0)));
    let (before, closed) = (ran.clone(), Arc::new(Mutex::new(None)));
    let (u, c) = (up.clone(), closed.clone());
    client.on_connect(move |_| u.set());
    client.on_close(move |_, _| *c.lock().unwrap() = Some(before.load(Ordering::Relaxed)));
    let to = Connect::to("127.0.0.1", peer.local_addr().unwrap().port());
    client.connect(to.close_timeout(DEADLINE)).unwrap();
    up.expect("the connection");
    event_loop.pause();
    for _ in 0..100 {
        let r = ran.clone();
        let task = move || {
            one(&r);
            std::thread::sleep(30 * MS);
        };
        event_loop.queue_in_loop(task).unwrap();
    }
    thread.stop();
    thread.join().unwrap();
    // Some run until the limit, and the rest behind it; a turn may bring one more.
    let before = closed.lock().unwrap().expect("on_close");
    assert!(before <= 300 / 30 + 10, "closed behind {before} tasks");
    assert_eq!(ran.load(Ordering::Relaxed), 100);
}
