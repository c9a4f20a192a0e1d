//! `TcpClient` over more than one connection.

use crate::common::loops::{MS, settle, started, stop_clean};
use crate::common::net::{Net, Transport};
use crate::common::tcp_server::Recorded;
use hvloop::event::Growth;
use hvloop::{
    CloseReason, Connect, EventLoop, EventLoopThread, Proxy, ReconnectPolicy, TcpClient, Unpack,
};
use hvloop_test_support::{DEADLINE, Event, Monitor, ReservedPort, ScriptServer, Tls, wait_for};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a client's callbacks saw.
#[derive(Default)]
struct Seen {
    opened: usize,
    reconnects: usize,
    messages: Vec<Vec<u8>>,
    closed: Vec<CloseReason>,
}

struct Dropped(Event);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set();
    }
}

/// Records, and tells when its callbacks are dropped.
fn recorded(client: &Arc<TcpClient>) -> (Monitor<Seen>, Event) {
    let (seen, dropped) = (Monitor::new(Seen::default()), Event::new());
    let (s, me) = (seen.clone(), Arc::downgrade(client));
    client.on_connect(move |_| {
        let again = me.upgrade().is_some_and(|client| client.is_reconnect());
        s.update(|seen| {
            seen.opened += 1;
            seen.reconnects += usize::from(again);
        });
    });
    let s = seen.clone();
    client.on_message(move |_, data| s.update(|seen| seen.messages.push(data.to_vec())));
    let (s, guard) = (seen.clone(), Dropped(dropped.clone()));
    client.on_close(move |_, reason| {
        let _guard = &guard;
        s.update(|seen| seen.closed.push(reason.clone()));
    });
    (seen, dropped)
}

fn quick() -> Option<ReconnectPolicy> {
    Some(ReconnectPolicy::fixed(5 * MS))
}

fn to(net: &Net, port: u16) -> Connect {
    let connect = Connect::to("localhost", port);
    match net.transport {
        Transport::Tcp => connect,
        Transport::Tls => {
            let tls =
                hvloop::event::tls::TlsClientConfig::builder().root_pem(net.ca.ca_pem().as_bytes());
            connect.with_tls(tls.build().unwrap())
        }
    }
}

crate::over_tcp_and_tls! {
    /// The first attempt fails, as do some that follow; then it is up, and comes back when it is lost.
    tcp_reconnects => reconnect_scenario;
}

fn reconnect_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let port = ReservedPort::new();
    let address = port.addr();
    let client = Arc::new(TcpClient::new(thread.event_loop()));
    client.set_reconnect(quick()).unwrap();
    client.set_unpack(Some(Unpack::delimiter(b"\n").build().unwrap()));
    let (seen, dropped) = recorded(&client);
    client.connect(to(&net, address.port())).unwrap();
    assert!(
        seen.wait(DEADLINE, |seen| seen.closed.len() >= 3),
        "every failure is told"
    );
    assert!(client.connect(to(&net, 1)).is_err(), "it is at it");
    let server = Recorded::on(&thread);
    server.listen(net.at(address));
    assert!(seen.wait(DEADLINE, |seen| seen.opened == 1));
    for round in 2..5 {
        client.send(b"to you\nand").unwrap();
        let whole = |seen: &Seen| seen.messages.len() == round - 1;
        assert!(seen.wait(DEADLINE, whole), "the echo");
        // What was left of a package does not come into the next connection.
        server.server.for_each_channel(|channel| channel.close());
        assert!(seen.wait(DEADLINE, |seen| seen.opened == round));
        assert!(wait_for(DEADLINE.as_secs(), || client.is_connected()));
    }
    assert!(
        seen.read(|seen| seen.reconnects == seen.opened),
        "each came after a failure"
    );
    assert!(!dropped.is_set());
    client.close();
    dropped.expect("callbacks go with the session");
    let (opened, closed) = seen.read(|seen| (seen.opened, seen.closed.len()));
    assert!(matches!(
        seen.read(|seen| seen.closed.last().cloned()),
        Some(CloseReason::Local)
    ));
    assert!(closed > opened, "{closed} ends of {opened} connections");
    stop_clean(&thread);
}

/// Closed in its back-off it stays closed, and its callbacks go; so does one whose loop stops.
#[test]
fn close_and_stop_in_back_off() {
    for stop in [false, true] {
        let thread = started();
        let client = Arc::new(TcpClient::new(thread.event_loop()));
        let hour = Duration::from_secs(3600);
        client
            .set_reconnect(Some(ReconnectPolicy::fixed(hour).with_jitter(0.0)))
            .unwrap();
        let (seen, dropped) = recorded(&client);
        client
            .connect(Connect::unix("/nowhere/to/be/found"))
            .unwrap();
        assert!(seen.wait(DEADLINE, |seen| seen.closed.len() == 1));
        assert!(
            wait_for(DEADLINE.as_secs(), || client.is_reconnect()),
            "it waits"
        );
        match stop {
            true => thread.stop(),
            false => client.close(),
        }
        dropped.expect("the callbacks");
        stop_clean(&thread);
        assert_eq!(seen.read(|seen| seen.closed.len()), 1, "one end an attempt");
        assert_eq!(thread.event_loop().metrics().timers, 0);
    }
}

/// A close() inside on_close ends it, and the retries of a policy do.
#[test]
fn reconnect_ends() {
    let thread = started();
    let client = Arc::new(TcpClient::new(thread.event_loop()));
    assert!(
        client
            .set_reconnect(Some(ReconnectPolicy::fixed(Duration::ZERO)))
            .is_err()
    );
    client.set_reconnect(quick()).unwrap();
    let ends = Monitor::new(0);
    let (e, me) = (ends.clone(), Arc::downgrade(&client));
    client.on_close(move |_, _| {
        let count = e.update(|ends| {
            *ends += 1;
            *ends
        });
        if count == 3 {
            me.upgrade().unwrap().close();
        }
    });
    client
        .connect(Connect::unix("/nowhere/to/be/found"))
        .unwrap();
    assert!(ends.wait(DEADLINE, |ends| *ends == 3));
    let idle = || {
        client
            .connect(Connect::unix("/nowhere/to/be/found"))
            .is_ok()
    };
    assert!(wait_for(DEADLINE.as_secs(), idle), "free for the next one");

    let other = Arc::new(TcpClient::new(thread.event_loop()));
    other
        .set_reconnect(quick().map(|policy| policy.with_max_retries(Some(2))))
        .unwrap();
    let (seen, dropped) = recorded(&other);
    other
        .connect(Connect::unix("/nowhere/to/be/found"))
        .unwrap();
    dropped.expect("the retries are used up");
    assert_eq!(seen.read(|seen| seen.closed.len()), 3);
    stop_clean(&thread);
    assert_eq!(
        ends.read(|ends| *ends),
        3,
        "callbacks belong to one session"
    );
}

/// A connect() inside on_close of a session that close() had to end by force begins the next session,
/// and the old one does not come back beside it.
#[test]
fn connect_in_on_close_is_the_only_session() {
    let thread = started();
    // Takes connections and never ends one.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let client = Arc::new(TcpClient::new(thread.event_loop()));
    client.set_reconnect(quick()).unwrap();
    let connect = Connect::to("127.0.0.1", port).close_timeout(50 * MS);
    let (up, next) = (Event::new(), Event::new());
    let set = up.clone();
    client.on_connect(move |_| set.set());
    let (me, again, set) = (Arc::downgrade(&client), connect.clone(), next.clone());
    client.on_close(move |_, reason| {
        assert!(matches!(reason, CloseReason::Forced), "{reason}");
        let client = me.upgrade().unwrap();
        let (me, up) = (me.clone(), set.clone());
        client.on_connect(move |_| {
            assert!(!me.upgrade().unwrap().is_reconnect(), "a new session");
            up.set();
        });
        client.connect(again.clone()).unwrap();
    });
    client.connect(connect).unwrap();
    up.expect("connected");
    client.close();
    next.expect("connected again");
    client.close();
    assert!(wait_for(DEADLINE.as_secs(), || !client.is_connected()));
    stop_clean(&thread);
    silent.set_nonblocking(true).unwrap();
    let connections = std::iter::from_fn(|| silent.accept().ok()).count();
    assert_eq!(connections, 2);
}

/// In the last on_close, when no retry follows, the client is free for another connect().
#[test]
fn connect_in_the_last_on_close() {
    let thread = started();
    let client = Arc::new(TcpClient::new(thread.event_loop()));
    let twice = quick().map(|policy| policy.with_max_retries(Some(1)));
    client.set_reconnect(twice).unwrap();
    let connected = Monitor::new(Vec::new());
    let (seen, me) = (connected.clone(), Arc::downgrade(&client));
    client.on_close(move |_, _| {
        let client = me.upgrade().unwrap();
        let nowhere = Connect::unix("/nowhere/to/be/found");
        seen.update(|seen| seen.push(client.connect(nowhere).is_ok()));
    });
    client
        .connect(Connect::unix("/nowhere/to/be/found"))
        .unwrap();
    assert!(connected.wait(DEADLINE, |seen| seen.len() == 2));
    assert_eq!(connected.read(Clone::clone), [false, true]);
    stop_clean(&thread);
}

/// A client for `on_close` callbacks that set the next one's: they belong to one connect().
struct Again {
    client: Arc<TcpClient>,
    /// When each attempt ended, and why.
    ends: Monitor<Vec<(Instant, CloseReason)>>,
}

impl Again {
    fn new(thread: &EventLoopThread, policy: ReconnectPolicy) -> Self {
        let client = Arc::new(TcpClient::new(thread.event_loop()));
        client.set_reconnect(Some(policy)).unwrap();
        let ends = Monitor::new(Vec::new());
        Self { client, ends }
    }

    /// Each on_close calls close(), and connect() to where the function says, if anywhere.
    fn closing(&self, next: Arc<dyn Fn(usize) -> Option<Connect> + Send + Sync>) {
        let (me, ends) = (Arc::downgrade(&self.client), self.ends.clone());
        self.client.on_close(move |_, reason| {
            let count = ends.update(|ends| {
                // The time from which the loop counts: the clock may be ahead by what a busy machine takes.
                let now = EventLoop::current().unwrap().now();
                ends.push((now, reason.clone()));
                ends.len()
            });
            let Some(client) = me.upgrade() else { return };
            let again = Again {
                client,
                ends: ends.clone(),
            };
            again.client.close();
            if let Some(connect) = next(count) {
                again.closing(next.clone());
                again.client.connect(connect).unwrap();
                assert!(!again.client.is_reconnect(), "a connect() of its own");
            }
        });
    }

    #[track_caller]
    fn wait(&self, count: usize) {
        let told = self.ends.wait(DEADLINE, |ends| ends.len() >= count);
        assert!(told, "{} of {count} ends", self.ends.read(Vec::len));
    }
}

/// close() and connect() in on_close go on with the series of delays: to the same place when it would have
/// come, to another one at once, but not one after the other.
#[test]
fn connect_in_on_close_backs_off() {
    let thread = started();
    // Takes every connection and ends it: those were open, and not for long.
    let fickle = Recorded::on(&thread);
    fickle.server.on_connection(|channel| channel.close());
    let port = fickle
        .listen(hvloop::Listen::tcp(([127, 0, 0, 1], 0)))
        .port();
    let up = move |_| Connect::to("127.0.0.1", port);
    let same = |_| Connect::unix("/nowhere/to/be/found");
    let by_turns = |n: usize| Connect::unix(["/nowhere/to/be/found", "/nowhere/else"][n % 2]);
    type To = Arc<dyn Fn(usize) -> Connect + Send + Sync>;
    let cases: [(To, [u32; 4]); 3] = [
        (Arc::new(up), [4, 12, 36, 108]),
        (Arc::new(same), [4, 12, 36, 108]),
        (Arc::new(by_turns), [0, 12, 0, 108]),
    ];
    for (to, waits) in cases {
        let policy = ReconnectPolicy::exponential(4 * MS, 10_000 * MS)
            .with_growth(Growth::Exponential(3))
            .with_jitter(0.0);
        let again = Again::new(&thread, policy);
        let next = to.clone();
        again.closing(Arc::new(move |n| (n < 5).then(|| next(n))));
        again.client.connect(to(0)).unwrap();
        again.wait(5);
        let ends = again.ends.read(Clone::clone);
        for (n, pair) in ends.windows(2).enumerate() {
            let passed = pair[1].0 - pair[0].0;
            assert!(passed >= waits[n] * MS, "{n}: {passed:?}");
        }
        // Outside of an on_close it begins anew, and at once.
        let hour = Duration::from_secs(3600);
        let policy = ReconnectPolicy::fixed(hour).with_jitter(0.0);
        let again = Again::new(&thread, policy);
        for n in 1..=2 {
            again.closing(Arc::new(|_| None));
            again.client.connect(to(0)).unwrap();
            again.wait(n);
            settle(thread.event_loop());
        }
    }
    stop_clean(&thread);
}

/// A connect() that waits in on_close's back-off has its one on_close, also if it ends before its attempt
/// begins.
#[test]
fn connect_that_waits_is_told() {
    for end in ["stop", "close", "drop"] {
        let thread = started();
        let hour = Duration::from_secs(3600);
        let again = Again::new(&thread, ReconnectPolicy::fixed(hour).with_jitter(0.0));
        let nowhere = || Connect::unix("/nowhere/to/be/found");
        again.closing(Arc::new(move |n| (n < 2).then(nowhere)));
        again.client.connect(nowhere()).unwrap();
        again.wait(1);
        settle(thread.event_loop());
        let ends = again.ends.clone();
        match end {
            "stop" => thread.stop(),
            "close" => {
                again.client.close();
                again.client.close();
            }
            _ => drop(again),
        }
        assert!(ends.wait(DEADLINE, |ends| ends.len() == 2), "{end}");
        stop_clean(&thread);
        let ends = ends.read(Clone::clone);
        assert_eq!(ends.len(), 2, "{end}: {ends:?}");
        match end {
            "stop" => assert!(matches!(ends[1].1, CloseReason::Stopped), "{ends:?}"),
            _ => assert!(matches!(ends[1].1, CloseReason::Local), "{ends:?}"),
        }
        assert_eq!(thread.event_loop().metrics().timers, 0);
    }
}

/// What would be refused in the same way again is not tried again, unless the user sees it otherwise.
#[test]
fn permanent_refusals_end_the_reconnects() {
    let thread = started();
    let (theirs, ours) = (Net::new(Transport::Tls), Net::new(Transport::Tls));
    let server = Recorded::on(&thread);
    let port = server.listen(theirs.listen()).port();
    let refusals = |status: &'static str| {
        ScriptServer::start(Tls::Off, move |conn| {
            conn.read_request_head()?;
            conn.send(format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n").as_bytes())?;
            conn.finish()
        })
    };
    let (forbidden, busy) = (refusals("403"), refusals("503"));
    let through = |proxy: &ScriptServer| {
        let proxy = Proxy::http("127.0.0.1", proxy.addr().port());
        Connect::to("target.test", 1).proxy(Some(proxy))
    };
    for (to, lasts) in [
        (to(&ours, port), true),
        (through(&forbidden), true),
        (through(&busy), false),
    ] {
        for otherwise in [None, Some(true), Some(false)] {
            let client = Arc::new(TcpClient::new(thread.event_loop()));
            client.set_reconnect(quick()).unwrap();
            let (seen, dropped) = recorded(&client);
            if let Some(again) = otherwise {
                client.reconnect_if(move |reason| {
                    assert_eq!(reason.is_permanent(), lasts, "{reason}");
                    again
                });
            }
            client.connect(to.clone()).unwrap();
            let again = otherwise.unwrap_or(!lasts);
            match again {
                true => assert!(seen.wait(DEADLINE, |seen| seen.closed.len() >= 3)),
                false => dropped.expect("the callbacks, as nothing follows"),
            }
            let closed = seen.read(|seen| seen.closed.clone());
            assert_eq!(closed[0].is_permanent(), lasts, "{closed:?}");
            assert_eq!(closed.len() > 1, again, "{closed:?}");
            client.close();
        }
    }
    stop_clean(&thread);
}
