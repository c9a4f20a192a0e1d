//! Ends of servers: by themselves and with their loop.

use crate::common::loops::{started, stop_clean};
use crate::common::net::{End, Net, Transport};
use crate::common::tcp_server::{Recorded, inet};
use hvloop::{CloseReason, TcpServer};
use hvloop_test_support::{DEADLINE, Event, own_ip, wait_for};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

crate::over_tcp_and_tls! {
    /// Every connection ends in order, those in their handshakes at once, and the loop goes on.
    server_stop_closes_all => server_stop_scenario;
    loop_stop_closes_all => loop_stop_scenario;
    /// The port is free as soon as the stop has taken effect, whoever stopped.
    rebind_after_stop => rebind_scenario;
    stop_in_each_server_callback => callback_scenario;
}

fn server_stop_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let address = server.listen(net.listen());
    let mut peers: Vec<_> = (0..30).map(|_| net.connect(address)).collect();
    // Says nothing: with TLS it stays in its handshake.
    let mute = TcpStream::connect(address).unwrap();
    let there = if transport == Transport::Tls { 30 } else { 31 };
    server.wait("all up", |seen| seen.opened == there);
    assert!(wait_for(DEADLINE.as_secs(), || server
        .server
        .connection_num()
        == 31));
    assert_eq!(server.server.broadcast(&[9; 200_000]), there);
    server.server.stop();
    for peer in &mut peers {
        let (got, end) = peer.rest();
        assert_eq!((got.len(), end), (200_000, End::Clean));
    }
    drop(mute);
    server.wait("all ends", |seen| {
        seen.closed.len() + seen.failed.len() == 31
    });
    // The mute peer's own end may come first.
    let clean = server
        .seen
        .read(|s| s.closed.iter().filter(|r| r.is_clean()).count());
    assert!(clean >= 30, "{clean} clean ends");
    assert_eq!(server.server.connection_num(), 0);
    assert!(TcpStream::connect(address).is_err(), "nobody listens");
    // The loop is there for others.
    let alive = Event::new();
    let a = alive.clone();
    thread.event_loop().queue_in_loop(move || a.set()).unwrap();
    alive.expect("the loop goes on");
    // And the server may listen again.
    let again = server.listen(net.listen());
    let mut peer = net.connect(again);
    peer.send(b"again");
    assert_eq!(peer.expect(5), b"again");
    peer.end();
    peer.rest();
    stop_clean(&thread);
}

fn loop_stop_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let address = server.listen(net.listen());
    let mut peers: Vec<_> = (0..30).map(|_| net.connect(address)).collect();
    server.wait("all up", |seen| seen.opened == 30);
    server.server.broadcast(&[9; 100_000]);
    thread.stop();
    for peer in &mut peers {
        let (got, end) = peer.rest();
        assert_eq!((got.len(), end), (100_000, End::Clean));
    }
    let report = thread.join().unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.closed_cleanly, 30);
    server.seen.read(|seen| {
        assert_eq!(seen.closed.len(), 30);
        assert!(
            seen.closed
                .iter()
                .all(|r| matches!(r, CloseReason::Stopped | CloseReason::Peer))
        );
    });
    assert_eq!(server.server.connection_num(), 0);
    assert!(
        server.server.listen(net.listen()).is_err(),
        "the loop is gone"
    );
}

/// Connections that never finish their handshakes hold no stop up, and get no more time than it.
#[test]
fn stop_with_handshakes_in_flight() {
    let (net, thread) = (Net::new(Transport::Tls), started());
    let server = Recorded::on(&thread);
    let address = server.listen(net.listen().open_timeout(DEADLINE));
    let mute: Vec<_> = (0..20)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    assert!(wait_for(DEADLINE.as_secs(), || server
        .server
        .connection_num()
        == 20));
    let report = stop_clean(&thread);
    assert_eq!(report.aborted_connects, 20);
    assert_eq!(
        server
            .seen
            .read(|s| (s.opened, s.closed.len(), s.failed.len())),
        (0, 0, 20)
    );
    drop(mute);
}

/// A connection whose handshake ends while its server is being stopped by another thread: it is told of as
/// one that came up and closed, or as one that failed.
#[test]
fn stop_between_the_handshake_and_its_end() {
    let (net, thread) = (Net::new(Transport::Tls), started());
    let server = Recorded::on(&thread);
    let address = server.listen(net.listen());
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut tls = net.client_tls("localhost");
    // Up to this side's last flight, which is kept back.
    tls.write_tls(&mut stream).unwrap();
    while tls.is_handshaking() {
        tls.read_tls(&mut stream).unwrap();
        tls.process_new_packets().unwrap();
    }
    let mut last = Vec::new();
    tls.write_tls(&mut last).unwrap();
    // In one turn the loop finds a message of another server's, whose callback takes its time, and then
    // that flight; the stop's task waits for the next turn.
    let other = TcpServer::new(thread.event_loop());
    let (at_message, stopped) = (Event::new(), Event::new());
    let (a, s) = (at_message.clone(), stopped.clone());
    other.on_message(move |_, _| {
        a.set();
        s.expect("the stop");
    });
    let up = Event::new();
    let u = up.clone();
    other.on_connection(move |_| u.set());
    let plain = Net::new(Transport::Tcp).listen();
    let mut first = TcpStream::connect(inet(other.listen(plain).unwrap())).unwrap();
    up.expect("the other connection");
    let (in_task, both_sent) = (Event::new(), Event::new());
    let (i, b) = (in_task.clone(), both_sent.clone());
    let task = move || {
        i.set();
        b.expect("both messages");
    };
    thread.event_loop().queue_in_loop(task).unwrap();
    in_task.expect("the task");
    first.write_all(b"x").unwrap();
    stream.write_all(&last).unwrap();
    both_sent.set();
    at_message.expect("the message");
    server.server.stop();
    stopped.set();
    server.wait("the end", |seen| seen.closed.len() + seen.failed.len() == 1);
    let ends = server
        .seen
        .read(|s| (s.opened, s.closed.len(), s.failed.len()));
    assert!(matches!(ends, (1, 1, 0) | (0, 0, 1)), "{ends:?}");
    assert_eq!(server.server.connection_num(), 0);
    drop(first);
    stop_clean(&thread);
}

fn rebind_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let address = server.listen(net.at((own_ip(), 0).into()));
    for round in 0..10 {
        let mut peer = net.connect(address);
        peer.send(b"x");
        assert_eq!(peer.expect(1), b"x");
        server.server.stop();
        peer.rest();
        server.wait("the end", |seen| seen.closed.len() == round + 1);
        // The listener is off its loop when a connection of it has ended by the same stop.
        assert_eq!(server.listen(net.at(address)), address);
    }
    stop_clean(&thread);
    let free = TcpListener::bind(address);
    assert!(free.is_ok(), "after run(): {free:?}");
}

fn callback_scenario(transport: Transport) {
    let net = Net::new(transport);
    for place in 0..3 {
        let thread = started();
        let server = TcpServer::new(thread.event_loop());
        let stop = move |here: usize, channel: &hvloop::Channel| {
            if here == place {
                channel.event_loop().stop();
            }
        };
        let closed = hvloop_test_support::Latch::new(1);
        server.on_connection(move |channel| stop(0, channel));
        server.on_message(move |channel, data| {
            let _ = channel.send(data);
            stop(1, channel);
        });
        let c = closed.clone();
        server.on_close(move |channel, _| {
            c.count_down();
            stop(2, channel);
        });
        let address = inet(server.listen(net.listen()).unwrap());
        let mut peer = net.connect(address);
        peer.send(b"hello");
        if place == 2 {
            assert_eq!(peer.expect(5), b"hello");
            peer.end();
        }
        peer.rest();
        let report = thread.join().unwrap();
        assert!(report.is_clean(), "{report}");
        closed.expect("on_close");
    }
}

/// A listener that came to its loop after the server had been stopped is not opened; a server that is
/// dropped stops.
#[test]
fn stopped_before_the_loop_runs() {
    let event_loop = hvloop::EventLoop::new().unwrap();
    let server = TcpServer::new(&event_loop);
    let net = Net::new(Transport::Tcp);
    let address = inet(server.listen(net.listen()).unwrap());
    let waiting = TcpStream::connect(address).unwrap();
    server.stop();
    let handle = event_loop.clone();
    event_loop
        .set_timeout(Duration::from_millis(1), move |_| handle.stop())
        .unwrap();
    assert!(event_loop.run().unwrap().is_clean());
    assert!(TcpListener::bind(address).is_ok(), "it was closed");
    drop(waiting);

    let thread = started();
    let server = Recorded::on(&thread);
    let address = server.listen(net.listen());
    let mut peer = net.connect(address);
    server.wait("up", |seen| seen.opened == 1);
    drop(server.server);
    assert_eq!(peer.rest().1, End::Clean);
    stop_clean(&thread);
}
