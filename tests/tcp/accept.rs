//! Accepting: limits, and what is turned away.

use crate::common::loops::{started, stop_clean};
use crate::common::net::{Net, Transport};
use crate::common::tcp_server::Recorded;
use hvloop::{Connect, SocketOptions, TcpClient};
use hvloop_test_support::{DEADLINE, Event, Monitor, wait_for};
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Over the limit connections are closed at once, and counted; there is room again when one ends.
#[test]
fn max_connections_turn_away() {
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let server = Recorded::on(&thread);
    server.server.set_max_connections(3);
    let address = server.listen(net.listen());
    let mut peers: Vec<_> = (0..3).map(|_| net.connect(address)).collect();
    server.wait("three", |seen| seen.opened == 3);
    let mut over = TcpStream::connect(address).unwrap();
    over.set_read_timeout(Some(DEADLINE)).unwrap();
    // An end or a reset, as the system likes.
    assert!(matches!(over.read(&mut [0; 1]), Ok(0) | Err(_)));
    assert_eq!(server.server.turned_away(), 1);
    let mut gone = peers.pop().unwrap();
    gone.end();
    gone.rest();
    assert!(wait_for(DEADLINE.as_secs(), || server
        .server
        .connection_num()
        == 2));
    let mut next = net.connect(address);
    next.send(b"in");
    assert_eq!(next.expect(2), b"in");
    assert_eq!(server.seen.read(|s| s.opened), 4);
    drop((peers, next));
    stop_clean(&thread);
}

/// An address has its own limit; others are let in, and a place that was given back is free.
#[test]
fn max_connections_per_address() {
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let server = Recorded::on(&thread);
    server.server.set_max_connections_per_address(Some(2));
    let address = server.listen(net.listen());
    let mut peers: Vec<_> = (0..2).map(|_| net.connect(address)).collect();
    server.wait("two", |seen| seen.opened == 2);
    let mut over = TcpStream::connect(address).unwrap();
    over.set_read_timeout(Some(DEADLINE)).unwrap();
    assert!(matches!(over.read(&mut [0; 1]), Ok(0) | Err(_)));
    assert_eq!(server.server.turned_away(), 1);
    let client = TcpClient::new(thread.event_loop());
    let elsewhere = Connect::to("127.0.0.1", address.port())
        .socket(SocketOptions::new().bind(SocketAddr::from(([127, 0, 0, 2], 0))));
    client.connect(elsewhere).unwrap();
    server.wait("another address", |seen| seen.opened == 3);
    let mut gone = peers.pop().unwrap();
    gone.end();
    gone.rest();
    assert!(wait_for(DEADLINE.as_secs(), || server
        .server
        .connection_num()
        == 2));
    let mut next = net.connect(address);
    next.send(b"in");
    assert_eq!(next.expect(2), b"in");
    assert_eq!(server.server.turned_away(), 1);
    drop((peers, next));
    stop_clean(&thread);
}

/// With the listeners closed nothing comes in, and what is there goes on.
#[test]
fn close_listeners_keeps_connections() {
    let (net, thread) = (Net::new(Transport::Tls), started());
    let server = Recorded::on(&thread);
    let address = server.listen(net.listen());
    let other = server.listen(net.listen());
    let mut peer = net.connect(address);
    let mut second = net.connect(other);
    server.wait("both", |seen| seen.opened == 2);
    server.server.close_listeners();
    let refused = |at| move || TcpStream::connect(at).is_err();
    assert!(wait_for(DEADLINE.as_secs(), refused(address)));
    assert!(wait_for(DEADLINE.as_secs(), refused(other)));
    for peer in [&mut peer, &mut second] {
        peer.send(b"still");
        assert_eq!(peer.expect(5), b"still");
        peer.end();
        peer.rest();
    }
    stop_clean(&thread);
}

/// IPv6, where the machine has it.
#[test]
fn listens_on_ipv6() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        eprintln!("this machine has no IPv6");
        return;
    }
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let server = Recorded::on(&thread);
    let address = server.listen(
        net.at("[::1]:0".parse().unwrap())
            .socket(SocketOptions::new().ipv6_only(true)),
    );
    assert!(address.is_ipv6());
    let mut peer = net.connect(address);
    peer.send(b"six");
    assert_eq!(peer.expect(3), b"six");
    let v4 = TcpStream::connect(("127.0.0.1", address.port()));
    assert!(v4.is_err(), "IPv6 alone");
    drop(peer);
    stop_clean(&thread);
}

/// An address in use is told, at once.
#[test]
fn address_in_use() {
    let thread = started();
    let net = Net::new(Transport::Tcp);
    let server = Recorded::on(&thread);
    let address = server.listen(net.listen());
    let second = Recorded::on(&thread);
    let e = second.server.listen(net.at(address)).unwrap_err();
    assert_eq!(e.kind(), hvloop::ListenErrorKind::AddressInUse);
    assert_eq!(e.address().inet(), Some(address));
    assert!(e.cause().is_some(), "{e}");
    stop_clean(&thread);
}

/// A turn takes 16 connections, however many wait.
#[test]
fn accept_budget_of_a_turn() {
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let server = hvloop::TcpServer::new(thread.event_loop());
    let (opened, next_turn) = (Arc::new(AtomicUsize::new(0)), Monitor::new(None));
    let (o, n) = (opened.clone(), next_turn.clone());
    server.on_connection(move |channel| {
        if o.fetch_add(1, Ordering::Relaxed) == 0 {
            let (o, n) = (o.clone(), n.clone());
            let look = move || n.update(|n| *n = Some(o.load(Ordering::Relaxed)));
            channel.event_loop().queue_in_loop(look).unwrap();
        }
    });
    let address = crate::common::tcp_server::inet(server.listen(net.listen()).unwrap());
    let (busy, over) = (Event::new(), Event::new());
    let (b, o) = (busy.clone(), over.clone());
    let wait = move || {
        b.set();
        o.expect("the peers");
    };
    thread.event_loop().queue_in_loop(wait).unwrap();
    busy.expect("the pause");
    let peers: Vec<_> = (0..60)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    over.set();
    assert!(next_turn.wait(DEADLINE, |opened| opened.is_some()));
    let taken = next_turn.read(|opened| opened.unwrap());
    assert!(taken <= 16, "{taken} in one turn");
    assert!(wait_for(DEADLINE.as_secs(), || opened
        .load(Ordering::Relaxed)
        == 60));
    drop(peers);
    stop_clean(&thread);
}

/// A connection is told the address that its peer connected to, whether all of a listener have that or each has
/// its own. (All of 127.0.0.0/8 is there on Linux.)
#[cfg(target_os = "linux")]
#[test]
fn each_connection_knows_its_own_address() {
    let thread = started();
    let server = hvloop::TcpServer::new(thread.event_loop());
    let ends = Monitor::new(Vec::new());
    let told = ends.clone();
    server.on_connection(move |channel| {
        let ends = (channel.peer_addr(), channel.local_addr());
        told.update(|told| told.push(ends));
    });
    let mut peers = Vec::new();
    for (at, to) in [
        ([0, 0, 0, 0], &[1, 2, 1, 3][..]),
        ([127, 0, 0, 4], &[4, 4]),
        ([127, 0, 0, 5], &[5]),
    ] {
        let listening = server.listen(hvloop::Listen::tcp((at, 0))).unwrap();
        let port = listening.inet().unwrap().port();
        for last in to {
            let peer = TcpStream::connect(SocketAddr::from(([127, 0, 0, *last], port))).unwrap();
            let is_there = (peer.local_addr().ok(), peer.peer_addr().ok());
            assert!(ends.wait(DEADLINE, |ends| ends.contains(&is_there)));
            peers.push(peer);
        }
    }
    drop(peers);
    stop_clean(&thread);
}
