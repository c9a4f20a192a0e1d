//! How connections of `TcpClient` end: closed in every callback, opened again, dropped, reset.

use crate::common::loops::{MS, on_loop, started, stop_without_panic};
use crate::common::net::{Net, Transport};
use crate::common::tcp_client::Recorded;
use crate::over_tcp_and_tls;
use hvloop::{CloseReason, Connect, EventLoopThread, TcpClient};
use hvloop_test_support::{DEADLINE, Event, Latch, Monitor, ScriptServer, wait_for};
use std::io::Read;
use std::sync::{Arc, Mutex, mpsc};

over_tcp_and_tls! {
    close_from_each_callback => from_each_callback;
    reconnect_inside_on_close => reconnects;
    tcp_peer_closes => peer_closes;
    tcp_peer_resets => peer_resets;
    /// Callbacks that panic end their own connection, and nothing else.
    tcp_panic_in_each_callback => panics;
    /// A peer that never ends its side: given up after the linger, without a trace.
    tcp_linger_is_bounded => linger;
}

fn from_each_callback(transport: Transport) {
    let net = Net::new(transport);
    let server = net.echo();
    let thread = started();
    for place in ["connect", "message", "write complete", "close"] {
        let client = Arc::new(TcpClient::new(thread.event_loop()));
        let (in_callback, closed) = (Monitor::new(false), Latch::new(1));
        let close = {
            let (client, in_callback) = (Arc::downgrade(&client), in_callback.clone());
            move |here: &str| {
                if here == place {
                    in_callback.update(|inside| *inside = true);
                    if let Some(client) = client.upgrade() {
                        client.close();
                        client.close();
                    }
                    in_callback.update(|inside| *inside = false);
                }
            }
        };
        let c = close.clone();
        client.on_connect(move |channel| {
            channel.send(b"x").unwrap();
            c("connect");
        });
        let c = close.clone();
        client.on_write_complete(move |_, _| c("write complete"));
        let c = close.clone();
        client.on_message(move |channel, _| {
            c("message");
            if place == "close" {
                channel.close();
            }
        });
        let (c, i) = (closed.clone(), in_callback.clone());
        client.on_close(move |channel, reason| {
            assert!(!i.read(|inside| *inside), "nested: {place}");
            assert!(matches!(reason, CloseReason::Local), "{place}: {reason:?}");
            assert!(channel.is_some());
            close("close");
            c.count_down(); // panics if it comes twice
        });
        client.connect(net.to(&server)).unwrap();
        closed.expect(place);
    }
    server.wait_finished(4);
    assert!(server.errors().is_empty(), "{:?}", server.errors());
    stop_without_panic(&thread);
}

fn reconnects(transport: Transport) {
    const TIMES: usize = 20;
    let net = Arc::new(Net::new(transport));
    let server = net.echo();
    let port = server.addr().port();
    let thread = started();
    let client = Arc::new(TcpClient::new(thread.event_loop()));
    let left = Latch::new(TIMES);
    fn open(client: &Arc<TcpClient>, net: &Arc<Net>, port: u16, left: &Latch) {
        client.on_connect(|channel| channel.send(b"x").unwrap());
        client.on_message(|channel, _| channel.close());
        let (weak, n, l) = (Arc::downgrade(client), net.clone(), left.clone());
        client.on_close(move |_, reason| {
            assert!(matches!(reason, CloseReason::Local), "{reason:?}");
            l.count_down();
            if l.left() > 0 {
                open(&weak.upgrade().unwrap(), &n, port, &l);
            }
        });
        client.connect(net.to_host("127.0.0.1", port)).unwrap();
    }
    open(&client, &net, port, &left);
    left.expect("the closes");
    server.wait_finished(TIMES);
    assert_eq!(server.accepted(), TIMES);
    assert!(server.errors().is_empty(), "{:?}", server.errors());
    stop_without_panic(&thread);
}

fn peer_closes(transport: Transport) {
    let net = Net::new(transport);
    let server = net.peer(|conn| {
        conn.send(b"goodbye")?;
        conn.finish()
    });
    let thread = started();
    let client = Recorded::new(thread.event_loop());
    client.client.connect(net.to(&server)).unwrap();
    assert!(matches!(client.only_close(), CloseReason::Peer));
    client.seen.read(|seen| assert_eq!(seen.bytes, b"goodbye"));
    server.wait_finished(1);
    stop_without_panic(&thread);
}

fn peer_resets(transport: Transport) {
    let net = Net::new(transport);
    let server = net.peer(|conn| {
        conn.read_exact(&mut [0; 1])?;
        conn.reset()
    });
    let thread = started();
    let client = Recorded::new(thread.event_loop());
    client.connect(net.to(&server));
    client.client.send(b"x").unwrap();
    match client.only_close() {
        CloseReason::Io(e) => assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset),
        other => panic!("{other:?}"),
    }
    assert!(client.client.send(b"late").is_err());
    stop_without_panic(&thread);
}

fn panics(transport: Transport) {
    let net = Net::new(transport);
    let server = net.echo();
    let thread = started();
    let witness = Recorded::new(thread.event_loop());
    witness.connect(net.to(&server));
    for (n, place) in (1..).zip(["connect", "message", "write complete", "close"]) {
        let client = TcpClient::new(thread.event_loop());
        let panic_in = move |here: &str| assert!(here != place, "on purpose, in {here}");
        client.on_connect(move |channel| {
            channel.send(b"x").unwrap();
            panic_in("connect");
        });
        client.on_message(move |channel, _| {
            panic_in("message");
            // The echo may be back before the loop gets to the other callback.
            if place != "write complete" {
                channel.close();
            }
        });
        if place == "write complete" {
            client.on_write_complete(move |_, _| panic_in("write complete"));
        }
        let (tell, told) = mpsc::channel();
        client.on_close(move |_, reason| {
            tell.send(reason.clone()).unwrap();
            panic_in("close");
        });
        client.connect(net.to(&server)).unwrap();
        let reason = told.recv_timeout(DEADLINE).unwrap();
        let expected = matches!(reason, CloseReason::Panicked);
        assert_eq!(expected, place != "close", "{place}: {reason:?}");
        let metrics = thread.event_loop().metrics();
        assert!(
            wait_for(30, || thread.event_loop().metrics().panics == n),
            "{metrics:?}"
        );
        let gone = told.recv_timeout(DEADLINE).unwrap_err();
        assert_eq!(
            gone,
            mpsc::RecvTimeoutError::Disconnected,
            "its callbacks are dropped"
        );
    }
    witness.client.send(b"alive").unwrap();
    witness.wait("the echo", |seen| seen.bytes == b"alive");
    thread.stop();
    assert_eq!(thread.join().unwrap().closed_cleanly, 1);
}

fn linger(transport: Transport) {
    let net = Net::new(transport);
    let server = net.peer(|conn| {
        conn.read_exact(&mut [0; 1])?;
        conn.wait_for_release();
        Ok(())
    });
    let thread = started();
    let client = Recorded::new(thread.event_loop());
    client.connect(net.to(&server).close_timeout(50 * MS));
    client.client.send(b"x").unwrap();
    client.client.close();
    assert!(matches!(client.only_close(), CloseReason::Forced));
    let metrics = on_loop(thread.event_loop(), |l| l.event_loop().metrics());
    assert_eq!(metrics.connections, 0);
    server.release();
    stop_without_panic(&thread);
}

/// Holds the loop's thread in a callback until the test says more.
struct Held {
    go: Event,
}

impl Held {
    fn new(thread: &EventLoopThread, then: impl FnOnce() + Send + 'static) -> Self {
        let (there, go) = (Event::new(), Event::new());
        let (t, g) = (there.clone(), go.clone());
        let task = move || {
            t.set();
            g.expect("the test");
            then();
        };
        thread.event_loop().queue_in_loop(task).unwrap();
        there.expect("the loop");
        Self { go }
    }
}

/// Connected on one thread, closed on the loop's before it knows of the attempt: it is given up
/// all the same.
#[test]
fn close_overtakes_the_connect() {
    for dropped in [false, true] {
        let net = Net::new(Transport::Tcp);
        let server = net.echo();
        let thread = started();
        let Recorded {
            client,
            seen,
            threads,
        } = Recorded::new(thread.event_loop());
        let client = Arc::new(client);
        let (c, over) = (client.clone(), Event::new());
        let o = over.clone();
        let held = Held::new(&thread, move || {
            if dropped {
                drop(c); // the last one
            } else {
                c.close();
            }
            o.set();
        });
        client.connect(net.to(&server)).unwrap();
        let kept = (!dropped).then(|| client.clone());
        drop(client);
        held.go.set();
        over.expect("the close");
        assert!(
            seen.wait(DEADLINE, |seen| !seen.closed.is_empty()),
            "dropped: {dropped}; the close was lost"
        );
        seen.read(|seen| assert!(matches!(seen.closed[..], [CloseReason::Local])));
        threads.assert_one_thread();
        drop(kept);
        stop_without_panic(&thread);
    }
}

/// A close from another thread that comes late does not hit the client's next connection.
#[test]
fn late_close_spares_the_next_connection() {
    let net = Net::new(Transport::Tcp);
    let server = net.echo();
    let gone = ScriptServer::accept_then_drop();
    let thread = started();
    let client = Arc::new(TcpClient::new(thread.event_loop()));
    let opened = Event::new();
    let (weak, to, o) = (Arc::downgrade(&client), net.to(&server), opened.clone());
    let to = Mutex::new(Some(to));
    let seen = Event::new();
    client.on_close(move |_, _| {
        let client = weak.upgrade().unwrap();
        let o = o.clone();
        client.on_connect(move |_| o.set());
        let to = to.lock().unwrap().take();
        client.connect(to.unwrap()).unwrap();
    });
    let s = seen.clone();
    client.on_connect(move |_| s.set());
    client
        .connect(Connect::to("127.0.0.1", gone.addr().port()))
        .unwrap();
    opened.expect("the second connection");
    seen.expect("the first connection");
    // The first one's channel, if anybody kept it, is dead; the client's own is the second's.
    let channel = client.channel().unwrap();
    assert_eq!(channel.peer_addr(), Some(server.addr()));
    channel.send(b"alive").unwrap();
    on_loop(thread.event_loop(), |_| {});
    assert!(channel.is_connected());
    drop(client);
    assert!(wait_for(30, || !channel.is_connected()));
    stop_without_panic(&thread);
}

/// A callback that replaces another drops it with no lock held: its `Drop` may use the client.
#[test]
fn replaced_callback_may_use_the_client() {
    struct Uses(std::sync::Weak<TcpClient>, Event);
    impl Drop for Uses {
        fn drop(&mut self) {
            if let Some(client) = self.0.upgrade() {
                client.on_connect(|_| {});
                assert!(!client.is_connected());
                client.close();
                self.1.set();
            }
        }
    }
    let thread = started();
    let client = Arc::new(TcpClient::new(thread.event_loop()));
    let over = Event::new();
    let (c, o) = (client.clone(), over.clone());
    // On a thread of its own: a deadlock must not hang the test.
    std::thread::spawn(move || {
        let uses = || Uses(Arc::downgrade(&c), Event::new());
        let last = Event::new();
        let first = uses();
        c.on_close(move |_, _| {
            let _captured = &first;
        });
        let second = Uses(Arc::downgrade(&c), last.clone());
        c.on_message(move |_, _| {
            let _captured = &second;
        });
        c.on_close(|_, _| {});
        c.on_message(|_, _| {});
        assert!(last.is_set());
        o.set();
    });
    over.expect("no deadlock");
    stop_without_panic(&thread);
}
