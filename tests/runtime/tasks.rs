//! Tasks: where and when they run, what their panics do, and what is counted.

use crate::common::loops::{MS, Told, drive, on_loop, started, started_with, stop_without_panic};
use hvloop::event::{RunError, Turn};
use hvloop::{
    EventLoop, EventLoopThread, Listen, LocalLoop, LoopOptions, LoopStatus, TryQueueError,
    WebSocketClient, WebSocketServer, WebSocketService,
};
use hvloop_test_support::{DEADLINE, Event, Monitor, wait_for};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

fn ticks(local: &LocalLoop) -> u64 {
    local.event_loop().metrics().ticks
}

/// `run_in_loop` runs inside the call on the loop's thread; `queue_in_loop` and `post_event` never
/// do, but in a later turn.
#[test]
fn run_in_loop_is_at_once_and_queue_in_loop_is_not() {
    let thread = started();
    let (tell, told) = mpsc::channel();
    on_loop(thread.event_loop(), move |local| {
        let event_loop = local.event_loop();
        let t = tell.clone();
        event_loop
            .run_in_loop(move || t.send(("run", 0)).unwrap())
            .unwrap();
        let t = tell.clone();
        let queued_in = ticks(local);
        event_loop
            .post_event(move |local| t.send(("posted", ticks(local) - queued_in)).unwrap())
            .unwrap();
        event_loop
            .queue_in_loop(move || {
                let local = EventLoop::current().unwrap();
                tell.send(("queued", ticks(&local) - queued_in)).unwrap();
            })
            .unwrap();
        // What was not at once has not run by now, whatever happened above.
        std::thread::sleep(MS);
    });
    let next = || told.recv_timeout(DEADLINE).unwrap();
    assert_eq!(next(), ("run", 0));
    assert_eq!((next(), next()), (("posted", 1), ("queued", 1)));
    stop_without_panic(&thread);
}

/// `LocalLoop` takes what is not `Send`, and queues it like any other task: for the next task
/// phase, in the order of the calls.
#[test]
fn local_loop_takes_what_is_not_send() {
    let thread = started();
    let (tell, told) = mpsc::channel();
    thread
        .event_loop()
        .queue_in_loop(move || {
            let local = EventLoop::current().unwrap();
            assert!(local.event_loop().is_in_loop_thread());
            let queued_in = ticks(&local);
            let log = Rc::new(RefCell::new(Vec::new()));
            let l = log.clone();
            local.set_timeout(Duration::ZERO, move |_| l.borrow_mut().push("timeout"));
            let (l, count) = (log.clone(), Cell::new(0));
            local.set_timer(Duration::ZERO, Some(2), move |_| {
                count.set(count.get() + 1);
                l.borrow_mut().push("timer");
            });
            let l = log.clone();
            local.queue_in_loop(move || {
                let local = EventLoop::current().unwrap();
                assert_eq!(ticks(&local), queued_in + 1, "the next turn");
                l.borrow_mut().push("queued");
            });
            assert!(log.borrow().is_empty(), "never in the call");
            let inner = local.clone();
            local.set_interval(MS, move |_| {
                let log = log.borrow();
                let count = |what| log.iter().filter(|had| **had == what).count();
                assert!(count("timer") <= 2);
                if log.len() == 4 {
                    assert_eq!(["timeout", "timer", "queued"].map(count), [1, 2, 1]);
                    tell.send(()).unwrap();
                    inner.event_loop().stop();
                }
            });
        })
        .unwrap();
    told.recv_timeout(DEADLINE).expect("an assertion above");
    assert!(thread.join().unwrap().is_clean());
    assert_eq!(thread.event_loop().metrics().panics, 0);
}

/// The two ways to queue keep the order of one thread's calls.
#[test]
fn local_and_shared_queue_keep_their_order() {
    let thread = started();
    let (tell, told) = mpsc::channel();
    on_loop(thread.event_loop(), move |local| {
        for n in 0..6 {
            let tell = tell.clone();
            let task = move || tell.send(n).unwrap();
            if n % 2 == 0 {
                local.event_loop().queue_in_loop(task).unwrap();
            } else {
                local.queue_in_loop(task);
            }
        }
    });
    let order: Vec<i32> = (0..6)
        .map(|_| told.recv_timeout(DEADLINE).unwrap())
        .collect();
    assert_eq!(order, [0, 1, 2, 3, 4, 5]);
    stop_without_panic(&thread);
}

/// `current()` is the loop whose callback runs, and nothing elsewhere.
#[test]
fn current_is_the_loop_of_the_callback() {
    assert!(EventLoop::current().is_none());
    let event_loop = EventLoop::new().unwrap();
    assert!(event_loop.local().is_none(), "nobody runs it");
    let (same, stranger) = (event_loop.clone(), EventLoop::new().unwrap());
    event_loop
        .queue_in_loop(move || {
            let current = EventLoop::current().unwrap().event_loop();
            assert!(current.same_loop(&same) && !current.same_loop(&stranger));
            assert!(same.local().is_some() && stranger.local().is_none());
            same.assert_in_loop_thread();
            assert!(!stranger.is_in_loop_thread());
        })
        .unwrap();
    let turn = event_loop.run_once(Some(Duration::ZERO)).unwrap();
    assert_eq!(turn, Turn::Continue);
    assert!(EventLoop::current().is_none(), "between two turns");
    assert!(event_loop.local().is_some());
    event_loop.stop();
    drive(&event_loop);
    assert!(event_loop.local().is_none() && !event_loop.is_in_loop_thread());
    assert_eq!(event_loop.metrics().panics, 0);
    let elsewhere = AssertUnwindSafe(|| event_loop.assert_in_loop_thread());
    assert!(catch_unwind(elsewhere).is_err());
}

/// `run` and `run_once` on a loop that is owned, on one that has stopped, and inside a callback.
#[test]
fn run_twice_is_an_error() {
    let thread = started();
    let event_loop = thread.event_loop();
    assert!(matches!(event_loop.run(), Err(RunError::AlreadyRunning)));
    let once = event_loop.run_once(None);
    assert!(matches!(once, Err(RunError::AlreadyRunning)));
    assert_eq!(event_loop.status(), LoopStatus::Running, "unharmed");
    on_loop(event_loop, |local| {
        let own = local.event_loop();
        assert!(matches!(own.run(), Err(RunError::InsideCallback)));
        let once = own.run_once(Some(Duration::ZERO));
        assert!(matches!(once, Err(RunError::InsideCallback)));
        // Nor another loop: a thread runs one at a time.
        let other = EventLoop::new().unwrap();
        assert!(matches!(other.run(), Err(RunError::InsideCallback)));
        assert_eq!(other.status(), LoopStatus::Idle);
    });
    let second = EventLoopThread::with_loop(event_loop.clone());
    let refused = second.start().unwrap_err().to_string();
    assert!(refused.contains("already running"), "{refused}");
    // Dropping the second thread leaves the loop that it was refused alone.
    drop(second);
    assert!(!event_loop.is_stopping());
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
    assert!(matches!(event_loop.run(), Err(RunError::Closed)));
    assert!(matches!(event_loop.run_once(None), Err(RunError::Closed)));
}

/// Panics in tasks, timers, drops and hooks are caught, counted and logged; the loop goes on.
#[test]
fn panics_do_not_end_the_loop() {
    struct PanicsInDrop;
    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("on purpose, in a drop");
        }
    }
    let logged = crate::checks::log_of("panicky");
    let event_loop = EventLoop::with_options(LoopOptions::new().name("panicky")).unwrap();
    let thread = EventLoopThread::with_loop(event_loop.clone());
    let after = Event::new();
    let a = after.clone();
    thread
        .start_with(
            || panic!("on purpose, in pre"),
            move || {
                a.set();
                panic!("on purpose, in post")
            },
        )
        .unwrap();
    event_loop
        .queue_in_loop(|| panic!("on purpose, in a task"))
        .unwrap();
    let interval = event_loop
        .set_interval(MS, |_| panic!("on purpose, in an interval"))
        .unwrap();
    // An interval that panics goes on: it is only that call which failed.
    assert!(wait_for(30, || event_loop.metrics().panics >= 3));
    event_loop.kill_timer(interval).unwrap();
    let before = on_loop(&event_loop, |local| local.event_loop().metrics().panics);
    let captured = PanicsInDrop;
    let timer = event_loop.set_timeout(Duration::from_secs(3600), move |_| drop(captured));
    event_loop.kill_timer(timer.unwrap()).unwrap();
    let panics = on_loop(&event_loop, |local| local.event_loop().metrics().panics);
    assert_eq!(panics, before + 1);
    event_loop
        .post_event(|local| local.queue_in_loop(|| panic!("on purpose, local")))
        .unwrap();
    assert!(wait_for(30, || event_loop.metrics().panics == before + 2));
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
    assert!(after.is_set());
    for what in ["in a task", "in an interval", "in a drop", "local"] {
        assert!(
            logged().iter().any(|line| line.contains(what)),
            "not logged: {what}"
        );
    }
}

#[test]
fn metrics_count() {
    let thread = started();
    let event_loop = thread.event_loop();
    let before = on_loop(event_loop, |local| local.event_loop().metrics());
    for _ in 0..10 {
        event_loop.queue_in_loop(|| {}).unwrap();
    }
    let fired = Event::new();
    let f = fired.clone();
    event_loop.set_timeout(MS, move |_| f.set()).unwrap();
    event_loop.set_timeout(DEADLINE, |_| {}).unwrap();
    fired.expect("the timer");
    event_loop
        .queue_in_loop(|| std::thread::sleep(3 * MS))
        .unwrap();
    let hold = event_loop.hold("counted").unwrap();
    let after = on_loop(event_loop, |local| local.event_loop().metrics());
    // Ten, two that arm timers, the long one, and the one that reads.
    assert_eq!(after.tasks - before.tasks, 14);
    assert_eq!(after.timers_fired - before.timers_fired, 1);
    assert_eq!((after.timers, after.holds, after.connections), (1, 1, 0));
    assert!(after.ticks > before.ticks);
    assert!(after.longest_callback >= 3 * MS);
    assert_eq!(after.panics, 0);
    drop(hold);
    assert_eq!(event_loop.metrics().holds, 0);
    stop_without_panic(&thread);
}

/// A callback over the threshold is named in a warning, with its loop and its time.
#[test]
fn slow_callback_is_logged() {
    let logged = crate::checks::log_of("slowpoke");
    let options = LoopOptions::new().name("slowpoke");
    let thread = started_with(options.clone().slow_callback(Some(5 * MS)));
    on_loop(thread.event_loop(), |_| std::thread::sleep(10 * MS));
    stop_without_panic(&thread);
    let lines = logged();
    let slow = |line: &&String| line.contains("held the loop") && line.contains("a task callback");
    let slow = lines.iter().find(slow);
    assert!(slow.unwrap().starts_with("WARN"), "{lines:?}");

    let logged = crate::checks::log_of("relaxed");
    let thread = started_with(options.name("relaxed").slow_callback(None));
    on_loop(thread.event_loop(), |_| std::thread::sleep(10 * MS));
    stop_without_panic(&thread);
    let lines = logged();
    assert!(!lines.iter().any(|line| line.contains("held")), "{lines:?}");
}

/// Callbacks of one read, and tasks of a long queue, are timed together: how many, and the last by name.
#[test]
fn slow_callbacks_in_a_row_are_logged() {
    let logged = crate::checks::log_of("slow row");
    let options = LoopOptions::new().name("slow row").slow_callback(5 * MS);
    let event_loop = EventLoop::with_options(options).unwrap();
    let server = WebSocketServer::new(&event_loop);
    let slow = WebSocketService::new().on_message(|_, _| std::thread::sleep(4 * MS));
    server.route("*", slow.on_close(|channel, _| channel.event_loop().stop()));
    let to = Listen::tcp(std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
    let port = server.listen(to).unwrap().inet().unwrap().port();
    let client = WebSocketClient::new(&event_loop);
    client.on_open(|ws, _| {
        for _ in 0..3 {
            ws.send_text("slow").unwrap();
        }
        ws.close(1000, "").unwrap();
    });
    client.open(&format!("ws://127.0.0.1:{port}/")).unwrap();
    for _ in 0..100 {
        let nap = || std::thread::sleep(MS);
        event_loop.queue_in_loop(nap).unwrap();
    }
    event_loop.run().unwrap();
    let lines = logged();
    let has = |count: &str, name: &str| {
        let count = format!("{count} callbacks in a row, the last of them a {name} callback, held");
        lines.iter().any(|line| line.contains(&count))
    };
    assert!(has("8", "task"), "{lines:?}");
    assert!(has("3", "on_message"), "{lines:?}");
}

/// Over the limit a task comes back; it is taken once the loop has run some, and not by a closed loop.
#[test]
fn tasks_over_the_limit_come_back() {
    let options = LoopOptions::new().task_limit(3);
    let event_loop = EventLoop::with_options(options).unwrap();
    let ran = Arc::new(AtomicUsize::new(0));
    let task = || {
        let ran = ran.clone();
        move || _ = ran.fetch_add(1, Ordering::Relaxed)
    };
    event_loop.queue_in_loop(task()).unwrap();
    event_loop.try_queue_in_loop(task()).unwrap();
    event_loop.try_queue_in_loop(task()).unwrap();
    let refused = event_loop.try_queue_in_loop(task()).unwrap_err();
    assert!(matches!(refused, TryQueueError::Full(_)), "{refused:?}");
    refused.into_inner()();
    assert_eq!(ran.load(Ordering::Relaxed), 1);
    // The others have nobody to tell.
    event_loop.queue_in_loop(task()).unwrap();
    assert!(matches!(
        event_loop.run_once(Some(Duration::ZERO)),
        Ok(Turn::Continue)
    ));
    assert_eq!(ran.load(Ordering::Relaxed), 5);
    event_loop.try_queue_in_loop(task()).unwrap();
    event_loop.stop();
    event_loop.run().unwrap();
    assert_eq!(ran.load(Ordering::Relaxed), 6);
    let refused = event_loop.try_queue_in_loop(task()).unwrap_err();
    assert!(matches!(refused, TryQueueError::Closed(_)), "{refused:?}");
}

/// The loop sleeps without a limit, with no timer of any kind, and is woken by one task.
#[test]
fn wake_latency() {
    let thread = started();
    let event_loop = thread.event_loop();
    on_loop(event_loop, |_| {});
    for _ in 0..100 {
        // At rest: no turn between two readings. A poll with a period of up to 20 ms shows here.
        let mut last = u64::MAX;
        assert!(wait_for(30, || {
            let before = std::mem::replace(&mut last, event_loop.metrics().ticks);
            std::thread::sleep(MS / 5);
            before == last
        }));
        on_loop(event_loop, |_| {});
    }
    let mut last = event_loop.metrics().ticks;
    assert!(wait_for(30, || {
        let before = std::mem::replace(&mut last, event_loop.metrics().ticks);
        std::thread::sleep(100 * MS);
        before == last
    }));
    stop_without_panic(&thread);
}

/// A refused task comes back whole: it can be called, and it drops where its owner says.
#[test]
fn refused_task_comes_back() {
    let thread = started();
    stop_without_panic(&thread);
    let event_loop = thread.event_loop();
    let (told, dropped) = Told::new();
    let ran = Monitor::new(0);
    let r = ran.clone();
    let task = move || {
        r.update(|ran| *ran += 1);
        drop(told);
    };
    let task = event_loop.queue_in_loop(task).unwrap_err().into_inner();
    let task = event_loop.run_in_loop(task).unwrap_err().into_inner();
    assert!(dropped.read(Vec::is_empty));
    task();
    assert_eq!(ran.read(|ran| *ran), 1);
    dropped.read(|dropped| assert_eq!(dropped[..], [std::thread::current().id()]));
    let posted = event_loop.post_event(|_| {});
    assert_eq!(posted.unwrap_err().to_string(), "the event loop is closed");
}
