//! A host that waits on `backend_fd` is told of what its own thread does while it waits.

use crate::common::loops::MS;
use hvloop::event::Turn;
use hvloop::{
    Channel, Connect, EventLoop, Interest, IoHandle, LocalLoop, TcpClient, WebSocketClient,
};
use hvloop_test_support::{DEADLINE, EchoServer, Monitor, Tls};
use mio::unix::SourceFd;
use std::cell::{Cell, RefCell};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A host with a poll of its own.
struct Host {
    event_loop: EventLoop,
    local: LocalLoop,
    poll: mio::Poll,
    events: mio::Events,
}

impl Host {
    fn new() -> Self {
        let event_loop = EventLoop::new().unwrap();
        let turn = event_loop.run_once(Some(Duration::ZERO)).unwrap();
        assert_eq!(turn, Turn::Continue);
        let local = event_loop.local().unwrap();
        let poll = mio::Poll::new().unwrap();
        let fd = local.backend_fd().unwrap();
        let interest = mio::Interest::READABLE;
        poll.registry()
            .register(&mut SourceFd(&fd), mio::Token(0), interest)
            .unwrap();
        Self {
            event_loop,
            local,
            poll,
            events: mio::Events::with_capacity(4),
        }
    }

    /// One wait, of at most `wait`, and a turn. `false`: the wait was over, and nothing had come.
    fn wait(&mut self, wait: Option<Duration>) -> bool {
        let start = Instant::now();
        let most = wait.unwrap_or(DEADLINE);
        self.poll.poll(&mut self.events, Some(most)).unwrap();
        let told = !self.events.is_empty();
        let turn = self.event_loop.run_once(Some(Duration::ZERO)).unwrap();
        assert_eq!(turn, Turn::Continue);
        told || start.elapsed() < DEADLINE / 2
    }

    /// Turns until it holds.
    #[track_caller]
    fn until(&mut self, what: &str, mut done: impl FnMut() -> bool) {
        let start = Instant::now();
        while !done() {
            assert!(start.elapsed() < DEADLINE, "{what}");
            // A peer may have to do something, of which the loop is not told.
            let wait = self.local.prepare_wait().unwrap_or(DEADLINE);
            self.wait(Some(wait.min(20 * MS)));
        }
    }

    /// Nothing is left to do; then does something between `prepare_wait` and the wait, which has to
    /// end for it.
    #[track_caller]
    fn told_of(&mut self, what: &str, act: impl FnOnce(), done: impl FnMut() -> bool) {
        // At rest: nothing comes any more.
        while self.local.prepare_wait() == Some(Duration::ZERO) || {
            self.poll.poll(&mut self.events, Some(20 * MS)).unwrap();
            !self.events.is_empty()
        } {
            let turn = self.event_loop.run_once(Some(Duration::ZERO)).unwrap();
            assert_eq!(turn, Turn::Continue);
        }
        let wait = self.local.prepare_wait();
        act();
        assert!(self.wait(wait), "the host slept on: {what}");
        self.until(what, done);
    }
}

/// Everything that a handle of the host's own thread can ask for.
#[test]
fn host_is_told_of_its_own_thread() {
    let server = EchoServer::start(Tls::Off);
    let mut host = Host::new();
    let local = host.local.clone();
    let event_loop = host.event_loop.clone();

    let fired = Rc::new(Cell::new(0));
    let count = |fired: &Rc<Cell<i32>>| {
        let fired = fired.clone();
        move || fired.set(fired.get() + 1)
    };
    let f = count(&fired);
    let arm = || {
        local.set_timeout(MS, move |_| f());
    };
    host.told_of("set_timeout", arm, || fired.get() == 1);
    let f = count(&fired);
    let late = local.set_timeout(DEADLINE * 100, move |_| f());
    let reset = || assert!(local.reset_timer(late, Some(MS)));
    host.told_of("reset_timer", reset, || fired.get() == 2);
    let f = count(&fired);
    host.told_of(
        "queue_in_loop",
        || local.queue_in_loop(f),
        || fired.get() == 3,
    );
    let f = count(&fired);
    let idle = || {
        local.set_idle(Some(1), move |_| f());
    };
    host.told_of("set_idle", idle, || fired.get() == 4);
    let f = count(&fired);
    let ask = || drop(local.resolve_dns("127.0.0.1", move |_| f()));
    host.told_of("resolve_dns", ask, || fired.get() == 5);

    // TCP, to the server's port: it answers what is no request, and ends.
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = TcpClient::new(&event_loop);
    let closed = Monitor::new(0);
    let got = Monitor::new(0);
    let c = closed.clone();
    client.on_close(move |_, _| c.update(|closed| *closed += 1));
    let g = got.clone();
    client.on_message(move |_, data| g.update(|got| *got += data.len()));
    let connect = || client.connect(Connect::to("127.0.0.1", port)).unwrap();
    host.told_of("connect", connect, || client.is_connected());
    let (mut peer, _) = listener.accept().unwrap();
    peer.set_nonblocking(true).unwrap();
    let sent = Cell::new(0);
    let mut came = |expected: usize| {
        let mut buffer = [0; 70_000];
        while let Ok(n @ 1..) = std::io::Read::read(&mut peer, &mut buffer) {
            sent.set(sent.get() + n);
        }
        sent.get() == expected
    };
    host.told_of("send", || client.send(b"hello").unwrap(), || came(5));
    let channel: Channel = client.channel().unwrap();
    host.told_of(
        "a long send",
        || channel.send(&[7; 100_000]).unwrap(),
        || came(100_005),
    );
    // Held back, and let go.
    channel.pause_reading();
    host.until("pause_reading", || true);
    std::io::Write::write_all(&mut peer, b"12345").unwrap();
    host.told_of(
        "resume_reading",
        || channel.resume_reading(),
        || got.read(|got| *got == 5),
    );
    host.told_of(
        "close",
        || channel.close(),
        || {
            drop(peer.shutdown(std::net::Shutdown::Both));
            closed.read(|closed| *closed == 1)
        },
    );

    // WebSocket.
    let ws = WebSocketClient::new(&event_loop);
    let echoed = Monitor::new(0);
    let e = echoed.clone();
    ws.on_message(move |_, _| e.update(|echoed| *echoed += 1));
    let c = closed.clone();
    ws.on_close(move |_, _| c.update(|closed| *closed += 1));
    let url = server.url();
    host.told_of("open", || ws.open(&url).unwrap(), || ws.is_connected());
    host.told_of(
        "send_text",
        || ws.send_text("x").unwrap(),
        || echoed.read(|n| *n == 1),
    );
    host.told_of(
        "ws close",
        || ws.close(1000, "").unwrap(),
        || closed.read(|n| *n == 2),
    );

    // Sources.
    let (_other, mine) = UnixStream::pair().unwrap();
    let handle: Rc<RefCell<Option<IoHandle>>> = Rc::default();
    let ready = count(&fired);
    let add = || {
        let on_ready = move |_: &IoHandle, _| ready();
        let added = local
            .add_fd(mine.as_fd(), Interest::Write, on_ready)
            .unwrap();
        *handle.borrow_mut() = Some(added);
    };
    host.told_of("add_fd", add, || fired.get() == 6);
    let handle = handle.borrow_mut().take().unwrap();
    host.told_of(
        "call_again",
        || handle.call_again().unwrap(),
        || fired.get() == 7,
    );
    let look = || handle.set_interest(Interest::Both).unwrap();
    host.told_of("set_interest", look, || fired.get() > 7);
    let holds = event_loop.metrics().holds;
    let close = || handle.close().unwrap();
    host.told_of("source close", close, || event_loop.metrics().holds < holds);

    // A pause, its end, and the stop.
    let f = count(&fired);
    let before = fired.get();
    event_loop.pause();
    local.queue_in_loop(f);
    host.until("pause", || true);
    assert_eq!(fired.get(), before);
    let resume = || event_loop.resume();
    let wait = host.local.prepare_wait();
    resume();
    assert!(host.wait(wait), "the host slept on: resume");
    assert_eq!(fired.get(), before + 1);
    let hold = event_loop.hold("the host's").unwrap();
    let wait = {
        while host.local.prepare_wait() == Some(Duration::ZERO) {
            host.wait(Some(Duration::ZERO));
        }
        host.local.prepare_wait()
    };
    event_loop.stop();
    assert!(host.wait(wait), "the host slept on: stop");
    let wait = host.local.prepare_wait();
    drop(hold);
    host.poll
        .poll(&mut host.events, wait.or(Some(DEADLINE)))
        .unwrap();
    assert!(!host.events.is_empty(), "the host slept on: the last hold");
    while event_loop.run_once(None).unwrap() == Turn::Continue {}
}

/// Of many calls in one wait the host is told once, and a loop that no host waits for not at all.
#[test]
fn being_told_costs_one_wake() {
    let mut host = Host::new();
    let local = host.local.clone();
    while local.prepare_wait() == Some(Duration::ZERO) {
        host.wait(Some(Duration::ZERO));
    }
    let ran = Rc::new(Cell::new(0));
    assert_eq!(local.prepare_wait(), None);
    for _ in 0..1_000 {
        let r = ran.clone();
        local.set_timeout(Duration::ZERO, move |_| r.set(r.get() + 1));
    }
    assert!(host.wait(None));
    host.until("the timers", || ran.get() == 1_000);
    // Told once, and that is used up.
    assert_eq!(local.prepare_wait(), None);
    host.poll.poll(&mut host.events, Some(50 * MS)).unwrap();
    assert!(host.events.is_empty(), "told of nothing");
}
