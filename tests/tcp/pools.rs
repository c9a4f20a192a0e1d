//! Servers over several loops.

use crate::common::loops::{started, stop_clean};
use crate::common::net::{Net, Transport};
use crate::common::tcp_server::Recorded;
use hvloop::{EventLoopThreadPool, LoadBalance, LoopOptions, TcpServer};
use hvloop_test_support::{DEADLINE, wait_for};
use std::collections::BTreeMap;

crate::over_tcp_and_tls! {
    /// One loop accepts, and each connection lives on one of the workers'.
    one_acceptor_many_workers => workers_scenario;
    /// Each loop has a listener at the same port.
    many_acceptors => acceptors_scenario;
}

fn pool(threads: usize) -> EventLoopThreadPool {
    let options = LoopOptions::new().drain_timeout(DEADLINE);
    let pool = EventLoopThreadPool::with_options(threads, &options).unwrap();
    pool.start().unwrap();
    pool
}

fn stop_pool(pool: &EventLoopThreadPool) {
    pool.stop();
    for report in pool.join().unwrap() {
        assert!(report.is_clean(), "{report}");
    }
}

fn workers_scenario(transport: Transport) {
    let (net, acceptor, pool) = (Net::new(transport), started(), pool(3));
    for balance in [LoadBalance::RoundRobin, LoadBalance::LeastConnections] {
        let server = Recorded::new(TcpServer::with_workers(acceptor.event_loop(), &pool));
        server.server.set_load_balance(balance);
        let address = server.listen(net.listen());
        let mut peers: Vec<_> = (0..9).map(|_| net.connect(address)).collect();
        for peer in &mut peers {
            peer.send(b"hello");
            assert_eq!(peer.expect(5), b"hello");
        }
        let mut by_loop = BTreeMap::new();
        server.server.for_each_channel(|channel| {
            let at = pool
                .event_loops()
                .position(|l| l.same_loop(channel.event_loop()));
            *by_loop.entry(at.unwrap()).or_insert(0) += 1;
        });
        assert_eq!(
            by_loop,
            BTreeMap::from([(0, 3), (1, 3), (2, 3)]),
            "{balance:?}"
        );
        assert_eq!(server.server.broadcast(b"all"), 9);
        for peer in &mut peers {
            assert_eq!(peer.expect(3), b"all");
        }
        let threads = server.seen.read(|s| {
            let mut threads = s.threads.clone();
            threads.sort_by_key(|t| format!("{t:?}"));
            threads.dedup();
            threads.len()
        });
        assert_eq!(threads, 3);
        server.server.stop();
        for peer in &mut peers {
            peer.rest();
        }
        server.wait("nine ends", |seen| seen.closed.len() == 9);
        // Each is off its loop's account behind its on_close.
        let off = || pool.event_loops().all(|l| l.metrics().connections == 0);
        assert!(wait_for(DEADLINE.as_secs(), off));
    }
    stop_clean(&acceptor);
    stop_pool(&pool);
}

fn acceptors_scenario(transport: Transport) {
    let (net, pool) = (Net::new(transport), pool(2));
    let server = Recorded::new(TcpServer::per_loop(&pool));
    let address = server.listen(net.listen());
    // The system chooses: with so many, each loop gets some.
    let mut peers: Vec<_> = (0..64).map(|_| net.connect(address)).collect();
    for peer in &mut peers {
        peer.send(b"hi");
        assert_eq!(peer.expect(2), b"hi");
    }
    for event_loop in pool.event_loops() {
        assert!(event_loop.metrics().accepted > 0);
    }
    pool.stop();
    for peer in &mut peers {
        peer.rest();
    }
    stop_pool(&pool);
    assert_eq!(server.seen.read(|s| s.closed.len()), 64);
    assert_eq!(server.server.connection_num(), 0);
}

/// A worker that has stopped takes nothing: what was given to it is closed, and told once.
#[test]
fn worker_that_stopped() {
    let (net, acceptor, pool) = (Net::new(Transport::Tcp), started(), pool(2));
    let server = Recorded::new(TcpServer::with_workers(acceptor.event_loop(), &pool));
    let address = server.listen(net.listen());
    stop_pool(&pool);
    let mut peers: Vec<_> = (0..6).map(|_| net.connect(address)).collect();
    for peer in &mut peers {
        assert_eq!(peer.rest().0, b"");
    }
    server.wait("six refusals", |seen| seen.failed.len() == 6);
    assert_eq!(server.server.connection_num(), 0);
    stop_clean(&acceptor);
}
