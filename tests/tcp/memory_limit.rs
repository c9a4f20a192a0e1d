//! `TcpServer::set_memory_limit`: what the connections of a server hold together, on all of its loops.

use crate::common::loops::{HOUR, MS, started, stop_clean};
use crate::common::net::{Net, Peer, Transport};
use crate::common::tcp_server::Recorded;
use hvloop::{
    Channel, CloseReason, EventLoopThreadPool, LoopOptions, OnMemoryLimit, SocketOptions,
    TcpServer, Unpack,
};
use hvloop_test_support::{DEADLINE, Monitor, wait_for};
use std::thread;

crate::over_tcp_and_tls! {
    /// Packages that do not end, each within its own limit, on several loops.
    packages_hold_the_servers_limit => packages_scenario;
    /// Queues of peers that read nothing.
    queues_hold_the_servers_limit => queues_scenario;
    /// More than the limit at the same time: all of it is delivered, and nobody is closed.
    paused_packages_are_finished => paused_scenario;
    /// What a connection holds goes with it to another loop, and its limit, too.
    moved_connections_count_for_their_server => moved_scenario;
    /// A limit that is set, lowered and taken away while there are connections.
    limit_may_change => change_scenario;
}

fn delimited(limit: usize) -> Unpack {
    Unpack::delimiter(b"end").max_size(limit).build().unwrap()
}

fn pool() -> EventLoopThreadPool {
    let options = LoopOptions::new().drain_timeout(DEADLINE);
    let pool = EventLoopThreadPool::with_options(2, &options).unwrap();
    pool.start().unwrap();
    pool
}

/// On both loops of the pool.
fn over(pool: &EventLoopThreadPool) -> Recorded {
    let acceptor = pool.event_loops().next().unwrap();
    Recorded::new(TcpServer::with_workers(acceptor, pool))
}

#[track_caller]
fn until(server: &TcpServer, what: &str, f: impl Fn(&TcpServer) -> bool) {
    let done = wait_for(DEADLINE.as_secs(), || f(server));
    let (held, closes) = (server.memory(), server.memory_closes());
    assert!(done, "{what}: {held} bytes are held, {closes} closed");
}

#[track_caller]
fn expect_limit(server: &Recorded, limit: usize) {
    server.seen.read(|seen| {
        let right =
            |reason: &CloseReason| matches!(reason, CloseReason::MemoryLimit(l) if *l == limit);
        assert!(seen.closed.iter().all(right), "{:?}", seen.closed);
    });
}

#[track_caller]
fn end(server: Recorded, pool: &EventLoopThreadPool, peers: Vec<Peer>) {
    drop(peers);
    until(&server.server, "all is given back", |s| {
        s.connection_num() == 0 && s.memory() == 0
    });
    pool.stop();
    pool.join().unwrap();
}

fn packages_scenario(transport: Transport) {
    const LIMIT: usize = 2 << 20;
    let (net, pool) = (Net::new(transport), pool());
    let server = over(&pool);
    server.server.set_memory_limit(LIMIT);
    server.server.set_unpack(delimited(LIMIT));
    let address = server.listen(net.listen());
    let mut peers: Vec<_> = (0..6).map(|_| net.connect(address)).collect();
    let mut most = 0;
    for _ in 0..LIMIT / 2 / 16_384 {
        for peer in &mut peers {
            // Fails where it is closed.
            let _ = peer.try_send(&[1; 16_384]);
            most = most.max(server.server.memory());
        }
    }
    server.wait("the greediest", |seen| !seen.closed.is_empty());
    until(&server.server, "within", |s| s.memory() <= LIMIT);
    // A package's memory doubles.
    assert!(most <= 2 * LIMIT, "{most} bytes were held");
    expect_limit(&server, LIMIT);
    assert!(server.server.memory_closes() > 0);
    end(server, &pool, peers);
}

fn queues_scenario(transport: Transport) {
    const LIMIT: usize = 4 << 20;
    let (net, pool) = (Net::new(transport), pool());
    let server = over(&pool);
    server.server.set_memory_limit(LIMIT);
    let small = SocketOptions::new().send_buffer(16 * 1024);
    let address = server.listen(net.listen().socket(small));
    let mut peers: Vec<_> = (0..8).map(|_| net.connect(address)).collect();
    for peer in &mut peers {
        peer.keep_little();
        for _ in 0..16 {
            if peer.try_send(&[7; 100_000]).is_err() {
                break;
            }
        }
    }
    server.wait("the greediest", |seen| seen.closed.len() >= 2);
    until(&server.server, "within", |s| s.memory() <= LIMIT);
    expect_limit(&server, LIMIT);
    end(server, &pool, peers);
}

fn paused_scenario(transport: Transport) {
    const LIMIT: usize = 2 << 20;
    const SIZE: usize = 700_000;
    let (net, pool) = (Net::new(transport), pool());
    let server = over(&pool);
    server.server.set_memory_limit(LIMIT);
    server
        .server
        .set_on_memory_limit(OnMemoryLimit::PauseReading(HOUR));
    server.server.set_unpack(delimited(2 * SIZE));
    let address = server.listen(net.listen());
    let senders: Vec<_> = (0..12)
        .map(|n| {
            let mut peer = net.connect(address);
            thread::spawn(move || {
                let mut package = vec![n; SIZE];
                package.extend(b"end");
                for _ in 0..2 {
                    peer.send(&package);
                    assert!(peer.expect(package.len()) == package);
                }
                peer
            })
        })
        .collect();
    let mut most = 0;
    while !senders.iter().all(|sender| sender.is_finished()) {
        most = most.max(server.server.memory());
        thread::sleep(MS);
    }
    let peers: Vec<_> = senders.into_iter().map(|s| s.join().unwrap()).collect();
    // On each loop one goes on, one may just have begun, and memory doubles; and all may have their echoes
    // queued, under TLS on both sides of it.
    assert!(
        most <= LIMIT + 2 * 4 * SIZE + 12 * 2 * SIZE,
        "{most} bytes were held"
    );
    assert_eq!(server.server.memory_closes(), 0);
    end(server, &pool, peers);
}

fn channels(server: &TcpServer, count: usize) -> Vec<Channel> {
    let found = Monitor::new(Vec::new());
    assert!(wait_for(DEADLINE.as_secs(), || {
        let mut all = Vec::new();
        server.for_each_channel(|channel| all.push(channel.clone()));
        found.update(|found| *found = all);
        found.read(Vec::len) == count
    }));
    found.read(Clone::clone)
}

fn moved_scenario(transport: Transport) {
    const LIMIT: usize = 2 << 20;
    const PART: usize = 300_000;
    let (net, at, other) = (Net::new(transport), started(), started());
    let server = Recorded::on(&at);
    server.server.set_unpack(delimited(LIMIT));
    let address = server.listen(net.listen());
    let mut peers: Vec<_> = (0..2).map(|_| net.connect(address)).collect();
    for peer in &mut peers {
        peer.send(&[1; PART]);
    }
    until(&server.server, "both", |s| s.memory() >= 2 * PART);
    for channel in channels(&server.server, 2) {
        channel.move_to(other.event_loop());
    }
    let moved = || {
        let loads = [&at, &other].map(|thread| thread.event_loop().metrics().connections);
        loads == [0, 2] && server.server.memory() >= 2 * PART
    };
    assert!(wait_for(DEADLINE.as_secs(), moved));
    server.server.set_memory_limit(LIMIT / 4);
    // Looked at with what comes next.
    peers[0].send(&[1; 1_000]);
    server.wait("the greediest", |seen| !seen.closed.is_empty());
    until(&server.server, "within", |s| s.memory() <= LIMIT / 4);
    expect_limit(&server, LIMIT / 4);
    assert!(other.event_loop().metrics().memory_closes > 0);
    drop(peers);
    until(&server.server, "all is given back", |s| s.memory() == 0);
    stop_clean(&at);
    stop_clean(&other);
}

fn change_scenario(transport: Transport) {
    const SIZE: usize = 1 << 20;
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    server.server.set_unpack(delimited(8 * SIZE));
    let address = server.listen(net.listen());
    let mut peer = net.connect(address);
    let mut grow = |by: usize| peer.try_send(&vec![1; by]);
    grow(SIZE).unwrap();
    until(&server.server, "no limit", |s| s.memory() >= SIZE);
    server.server.set_memory_limit(SIZE / 2);
    server.server.set_memory_limit(None);
    grow(SIZE).unwrap();
    until(&server.server, "none again", |s| s.memory() >= 2 * SIZE);
    assert_eq!(server.server.memory_closes(), 0);
    server.server.set_memory_limit(SIZE);
    let _ = grow(1);
    server.wait("the limit", |seen| seen.closed.len() == 1);
    expect_limit(&server, SIZE);
    until(&server.server, "all is given back", |s| s.memory() == 0);
    drop(peer);
    stop_clean(&thread);
}
