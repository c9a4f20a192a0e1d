//! Ids name their loop, and durations without end are no mistake.

use crate::common::loops::{MS, Told, settle, started, stop_clean, stop_without_panic};
use hvloop::event::conn::{Conn, ConnId, Connect as Connecting, Handler};
use hvloop::event::{Attachment, LoopId, Turn};
use hvloop::{
    ChannelId, CloseReason, Connect, DnsQuery, EventLoop, EventLoopThread, IdleId, Listen,
    LocalLoop, LoopOptions, TcpClient, TimerId,
};
use hvloop_test_support::{DEADLINE, Event, Latch, Monitor, wait_for};
use std::cell::Cell;
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

/// Two loops of this thread, as it sees them.
fn two() -> [(EventLoop, LocalLoop); 2] {
    [(); 2].map(|()| {
        let event_loop = EventLoop::new().unwrap();
        turn(&event_loop);
        let local = event_loop.local().unwrap();
        (event_loop, local)
    })
}

fn turn(event_loop: &EventLoop) {
    let turned = event_loop.run_once(Some(Duration::ZERO)).unwrap();
    assert_eq!(turned, Turn::Continue);
}

fn end(loops: [(EventLoop, LocalLoop); 2]) {
    for (event_loop, _) in &loops {
        event_loop.stop_with(Duration::ZERO);
        while event_loop.run_once(None).unwrap() == Turn::Continue {}
    }
}

/// Ids of two loops that look alike: none does anything on the other.
#[test]
fn timers_and_idles_of_another_loop() {
    let loops = two();
    let [(first, a), (second, b)] = &loops;
    let fired = Rc::new(Cell::new(0));
    for _ in 0..10 {
        let count = || {
            let fired = fired.clone();
            move || fired.set(fired.get() + 1)
        };
        let (in_a, in_b) = (count(), count());
        let mine = a.set_timeout(Duration::ZERO, move |_| in_a());
        let other = b.set_timeout(Duration::ZERO, move |_| in_b());
        assert_ne!(mine, other);
        assert!(
            !a.kill_timer(other) && !b.kill_timer(mine),
            "of the other loop"
        );
        assert!(!a.reset_timer(other, Some(DEADLINE)) && !b.reset_timer(mine, Some(DEADLINE)));
        first.kill_timer(other).unwrap();
        second.reset_timer(mine, Some(DEADLINE)).unwrap();
        turn(first);
        turn(second);
    }
    assert_eq!(fired.get(), 20);
    let idle = Rc::new(Cell::new(0));
    let (i, j) = (idle.clone(), idle.clone());
    let mine = a.set_idle(Some(1), move |_| i.set(i.get() + 1));
    let other = b.set_idle(Some(1), move |_| j.set(j.get() + 1));
    assert_ne!(mine, other);
    assert!(
        !a.kill_idle(other) && !b.kill_idle(mine),
        "of the other loop"
    );
    turn(first);
    turn(second);
    assert_eq!(idle.get(), 2);
    end(loops);
}

/// The same from other threads, for timers that are on their way.
#[test]
fn timers_of_another_loop_from_elsewhere() {
    let threads = [started(), started()];
    let [a, b] = threads.each_ref().map(|thread| thread.event_loop());
    let fired = Latch::new(200);
    for _ in 0..100 {
        let (f, g) = (fired.clone(), fired.clone());
        let mine = a.set_timeout(MS, move |_| f.count_down()).unwrap();
        let other = b.set_timeout(MS, move |_| g.count_down()).unwrap();
        a.kill_timer(other).unwrap();
        b.kill_timer(mine).unwrap();
        a.reset_timer(other, Some(DEADLINE)).unwrap();
        b.reset_timer(mine, Some(DEADLINE)).unwrap();
    }
    assert!(
        fired.wait(DEADLINE),
        "{} were killed by others",
        fired.left()
    );
    threads.iter().for_each(|thread| drop(stop_clean(thread)));
}

struct Here;

impl Attachment for Here {
    fn on_stop(&self, _: &LocalLoop) {}
    fn on_loop_end(&self, _: &LocalLoop) {}
}

struct Quiet(Rc<Cell<Option<CloseReason>>>);

impl Handler for Quiet {
    fn on_up(&mut self, conn: &Conn<'_>) {
        conn.opened();
    }
    fn on_data(&mut self, _: &Conn<'_>, _: &mut [u8]) {}
    fn on_close(self: Box<Self>, _: &Conn<'_>, reason: CloseReason) {
        self.0.set(Some(reason));
    }
}

struct Refusing;

impl hvloop::event::conn::Acceptor for Refusing {
    fn on_accept(&mut self, _: &LocalLoop, _: hvloop::event::conn::Transport) {}
    fn on_close(self: Box<Self>, _: &LocalLoop, _: CloseReason) {}
}

/// Connections, listeners, attachments and lookups.
#[test]
fn other_ids_of_another_loop() {
    let loops = two();
    let [(first, a), (second, b)] = &loops;
    let ids = [a, b].map(|local| local.attach(Rc::new(Here)).unwrap());
    assert_ne!(ids[0], ids[1]);
    assert!(a.attachment::<Here>(ids[1]).is_none(), "of the other loop");
    a.detach(ids[1]);
    assert!(b.attachment::<Here>(ids[1]).is_some());

    let told = Rc::new(Cell::new(0));
    let queries = [a, b].map(|local| {
        let told = told.clone();
        let answer = move |_: std::io::Result<_>| told.set(told.get() + 1);
        local.resolve_dns("127.0.0.1", answer).unwrap()
    });
    assert_ne!(queries[0], queries[1]);
    assert!(
        !a.cancel_dns(queries[1]) && !b.cancel_dns(queries[0]),
        "of the other loop"
    );
    turn(first);
    turn(second);
    assert_eq!(told.get(), 2);

    let listeners = [a, b].map(|local| {
        let listening = Listen::tcp(([127, 0, 0, 1], 0)).bind().unwrap();
        let address = listening.address().inet().unwrap();
        let id = local.listen(listening, Box::new(Refusing)).unwrap();
        (id, address)
    });
    assert_ne!(listeners[0].0, listeners[1].0);
    a.close_listener(listeners[1].0);
    turn(first);
    // Both are there.
    for (_, address) in listeners {
        assert!(TcpListener::bind(address).is_err());
    }

    let peer = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let ends = [(); 2].map(|()| Rc::new(Cell::new(None)));
    let conns: Vec<ConnId> = [(a, &ends[0]), (b, &ends[1])]
        .into_iter()
        .map(|(local, end)| {
            let to = Connecting::to("127.0.0.1", peer.local_addr().unwrap().port());
            local.connect(to, Box::new(Quiet(end.clone()))).unwrap()
        })
        .collect();
    assert_ne!(conns[0], conns[1]);
    assert!(a.conn(conns[1]).is_none() && b.conn(conns[0]).is_none());
    assert!(a.conn(conns[0]).is_some_and(|conn| conn.id() == conns[0]));
    end(loops);
    assert!(ends.iter().all(|end| end.take().is_some()));
}

/// A timer for the end of time is there: it counts, and can be reset and killed.
#[test]
fn timers_without_end() {
    let thread = started();
    let event_loop = thread.event_loop();
    for delay in [
        Duration::MAX,
        Duration::from_secs(u64::MAX),
        Duration::from_secs(1 << 62),
    ] {
        let fired = Event::new();
        let kept = std::sync::Arc::new(());
        let (f, k) = (fired.clone(), kept.clone());
        let once = event_loop.set_timeout(delay, move |_| {
            let _kept = &k;
            f.set();
        });
        let again = Latch::new(3);
        let a = again.clone();
        let often = event_loop.set_interval(delay, move |_| {
            if a.left() > 0 {
                a.count_down();
            }
        });
        let (once, often) = (once.unwrap(), often.unwrap());
        assert!(
            wait_for(30, || event_loop.metrics().timers == 2),
            "{delay:?}"
        );
        assert!(std::sync::Arc::strong_count(&kept) == 2 && !fired.is_set());
        event_loop.reset_timer(once, Some(MS)).unwrap();
        fired.expect("the timer that was reset");
        event_loop.reset_timer(often, Some(MS)).unwrap();
        assert!(again.wait(DEADLINE));
        event_loop.reset_timer(often, Some(delay)).unwrap();
        assert!(wait_for(30, || event_loop.metrics().timers == 1));
        let (tell, told) = std::sync::mpsc::channel();
        let kill = move |local: &LocalLoop| tell.send(local.kill_timer(often)).unwrap();
        event_loop.post_event(kill).unwrap();
        assert!(told.recv_timeout(DEADLINE).unwrap(), "it was there");
        assert_eq!(
            std::sync::Arc::strong_count(&kept),
            1,
            "dropped with the timer"
        );
        assert_eq!(event_loop.metrics().timers, 0);
    }
    stop_clean(&thread);
}

/// Limits without end for the drain and for connections are limits that never come.
#[test]
fn limits_without_end() {
    let peer = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = peer.local_addr().unwrap().port();
    let options = LoopOptions::new().drain_timeout(Duration::MAX);
    let event_loop = EventLoop::with_options(options).unwrap();
    let thread = EventLoopThread::with_loop(event_loop);
    thread.start().unwrap();
    let client = TcpClient::new(thread.event_loop());
    let (up, closed) = (Event::new(), Event::new());
    let (u, c) = (up.clone(), closed.clone());
    client.on_connect(move |_| u.set());
    client.on_close(move |_, reason| {
        assert!(reason.is_clean(), "{reason}");
        c.set();
    });
    let connect = Connect::to("127.0.0.1", port)
        .open_timeout(Duration::MAX)
        .close_timeout(Duration::MAX)
        .write_timeout(Some(Duration::MAX))
        .read_timeout(Some(Duration::MAX))
        .idle_timeout(Some(Duration::MAX));
    client.connect(connect).unwrap();
    up.expect("the connection");
    client.send(b"x").unwrap();
    thread.event_loop().stop_with(Duration::MAX);
    let (mut socket, _) = peer.accept().unwrap();
    let mut all = Vec::new();
    std::io::Read::read_to_end(&mut socket, &mut all).unwrap();
    assert_eq!(all, b"x");
    drop(socket);
    assert!(thread.join().unwrap().is_clean());
    closed.expect("its end");
    assert!(thread.event_loop().wait_stopped(Some(Duration::MAX)));
}

/// An id goes through its number, as through a foreign interface, and a number that was never given names nothing.
#[test]
fn ids_are_numbers() {
    let loops = two();
    let [(first, a), (second, b)] = &loops;
    assert_ne!(first.id(), second.id());
    assert_eq!(first.id(), first.clone().id());
    assert_eq!(LoopId::from_raw(first.id().raw()), Some(first.id()));
    let calls = Rc::new(Cell::new(0));
    let count = || {
        let calls = calls.clone();
        move || calls.set(calls.get() + 1)
    };
    let mut numbers = Vec::new();
    for _ in 0..100 {
        let (x, y) = (count(), count());
        numbers.push(a.set_timeout(Duration::ZERO, move |_| x()).raw());
        numbers.push(b.set_timeout(Duration::ZERO, move |_| y()).raw());
    }
    let idle = a.set_idle(None, |_| {}).raw();
    let query = a.resolve_dns("127.0.0.1", |_| {}).unwrap().raw();
    for never in [u64::MAX, 1 << 63, u64::MAX >> 1, 1] {
        let id = TimerId::from_raw(never).unwrap();
        assert_eq!(id.raw(), never);
        assert!(
            !a.kill_timer(id) && !a.reset_timer(id, Some(DEADLINE)),
            "{never}"
        );
        assert!(!a.kill_idle(IdleId::from_raw(u64::MAX).unwrap()));
        assert!(!a.cancel_dns(DnsQuery::from_raw(u64::MAX).unwrap()));
    }
    assert!(TimerId::from_raw(0).is_none() && IdleId::from_raw(0).is_none());
    assert!(DnsQuery::from_raw(0).is_none() && ChannelId::from_raw(0).is_none());
    assert!(LoopId::from_raw(0).is_none());
    // Each names its own, once, and on its own loop.
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), 200);
    for pair in numbers.chunks(2).step_by(2) {
        let [in_a, in_b] = [pair[0], pair[1]].map(|n| TimerId::from_raw(n).unwrap());
        assert!(!a.kill_timer(in_b) && !b.kill_timer(in_a));
        assert!(a.kill_timer(in_a) && !a.kill_timer(in_a));
        assert!(b.kill_timer(in_b));
    }
    assert!(a.kill_idle(IdleId::from_raw(idle).unwrap()));
    assert!(a.cancel_dns(DnsQuery::from_raw(query).unwrap()));
    turn(first);
    turn(second);
    assert_eq!(calls.get(), 100);
    // What took their slots is not theirs.
    let again = count();
    a.set_timeout(Duration::ZERO, move |_| again());
    assert!(
        !numbers
            .iter()
            .any(|n| a.kill_timer(TimerId::from_raw(*n).unwrap()))
    );
    turn(first);
    assert_eq!(calls.get(), 101);
    let id = ChannelId::next();
    assert_eq!(ChannelId::from_raw(id.raw()), Some(id));
    assert_eq!(id.to_string(), id.raw().to_string());
    end(loops);
}

/// More timers than slots that an id has room for: each still names its own.
#[test]
fn more_timers_than_slots() {
    let event_loop = EventLoop::new().unwrap();
    let local = {
        assert_eq!(
            event_loop.run_once(Some(Duration::ZERO)).unwrap(),
            Turn::Continue
        );
        event_loop.local().unwrap()
    };
    let many: Vec<_> = (0..(1 << 20) + 100)
        .map(|_| local.set_timeout(DEADLINE, |_| {}))
        .collect();
    let last = &many[many.len() - 200..];
    let raw: std::collections::HashSet<u64> = many.iter().map(|id| id.raw()).collect();
    assert_eq!(raw.len(), many.len());
    assert!(last.iter().all(|id| local.reset_timer(*id, Some(DEADLINE))));
    assert!(last.iter().all(|id| local.kill_timer(*id)));
    assert!(!last.iter().any(|id| local.kill_timer(*id)));
    assert_eq!(event_loop.metrics().timers, (many.len() - 200) as u64);
    event_loop.stop_with(Duration::ZERO);
    while event_loop.run_once(None).unwrap() == Turn::Continue {}
}

/// From another thread the name is there at once, and what has it may be taken off before it arrives.
#[test]
fn idles_of_another_thread() {
    let thread = EventLoopThread::new().unwrap();
    let event_loop = thread.event_loop();
    let calls = Monitor::new(0);
    let c = calls.clone();
    let kept = event_loop.set_idle(Some(2), move |_| c.update(|calls| *calls += 1));
    let (told, dropped) = Told::new();
    let early = event_loop
        .set_idle(None, move |_| unreachable!("{:p}", &told))
        .unwrap();
    event_loop.kill_idle(early).unwrap();
    thread.start().unwrap();
    assert!(dropped.wait(DEADLINE, |dropped| dropped.len() == 1));
    assert!(
        calls.wait(DEADLINE, |calls| *calls >= 1),
        "before it sleeps"
    );
    settle(event_loop);
    assert!(calls.wait(DEADLINE, |calls| *calls == 2));
    event_loop.kill_idle(kept.unwrap()).unwrap();
    stop_clean(&thread);
    assert!(event_loop.set_idle(None, |_| {}).is_err());
}

/// A name that is given up on the loop while what has it is on its way from another thread.
#[test]
fn given_up_before_it_arrives() {
    let thread = started();
    let event_loop = thread.event_loop().clone();
    let ids = Monitor::new(None);
    let (i, dropped) = (ids.clone(), Latch::new(3));
    let d = dropped.clone();
    event_loop
        .post_event(move |local| {
            // What the other thread begins now arrives behind this call.
            let (on, d) = (local.event_loop(), d.clone());
            std::thread::spawn(move || {
                let [a, b, c] = [(); 3].map(|()| Counted(d.clone()));
                let timer = on
                    .set_timeout(Duration::ZERO, move |_| drop_never(a))
                    .unwrap();
                let idle = on.set_idle(None, move |_| panic!("{:p}", &b)).unwrap();
                let query = on.resolve_dns("127.0.0.1", move |_| drop_never(c)).unwrap();
                i.update(|ids| *ids = Some((timer, idle, query)));
            })
            .join()
            .unwrap();
            let (timer, idle, query) = ids.read(|ids| ids.unwrap());
            assert!(!local.kill_timer(timer) && !local.kill_idle(idle));
            assert!(!local.cancel_dns(query));
        })
        .unwrap();
    assert!(dropped.wait(DEADLINE));
    stop_without_panic(&thread);
}

/// Counts down when it is dropped.
struct Counted(Latch);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.count_down();
    }
}

fn drop_never(_: Counted) {
    panic!("it was given up");
}
