//! The choice among loops knows what is true now.

use crate::common::loops::{started, stop_clean};
use crate::common::net::{Net, Transport};
use hvloop::{
    Connect, EventLoop, EventLoopThreadPool, LoadBalance, LoopOptions, TcpClient, TcpServer,
    WebSocketClient,
};
use hvloop_test_support::{DEADLINE, wait_for};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

const ALL: [LoadBalance; 3] = [
    LoadBalance::RoundRobin,
    LoadBalance::Random,
    LoadBalance::LeastConnections,
];

fn pool(threads: usize) -> EventLoopThreadPool {
    let options = LoopOptions::new().drain_timeout(DEADLINE);
    EventLoopThreadPool::with_options(threads, &options).unwrap()
}

fn started_pool(threads: usize) -> EventLoopThreadPool {
    let pool = pool(threads);
    pool.start().unwrap();
    pool
}

fn stop_pool(pool: &EventLoopThreadPool) {
    pool.stop();
    for report in pool.join().unwrap() {
        assert!(report.is_clean(), "{report}");
    }
}

/// How many connections each of the pool's loops has.
fn loads(pool: &EventLoopThreadPool) -> Vec<u64> {
    let loads = pool.event_loops().map(|l| l.metrics().connections);
    loads.collect()
}

fn server(acceptor: &EventLoop, pool: &EventLoopThreadPool, balance: LoadBalance) -> TcpServer {
    let server = TcpServer::with_workers(acceptor, pool);
    server.on_message(|channel, data| channel.send(data).unwrap());
    server.set_load_balance(balance);
    server
}

fn listen(server: &TcpServer, net: &Net) -> SocketAddr {
    server.listen(net.listen()).unwrap().inet().unwrap()
}

fn serve_all(net: &Net, address: SocketAddr, count: usize) -> Vec<crate::common::net::Peer> {
    let mut peers: Vec<_> = (0..count).map(|_| net.connect(address)).collect();
    for peer in &mut peers {
        peer.send(b"hello");
        assert_eq!(peer.expect(5), b"hello");
    }
    peers
}

/// Two servers on one pool: what counts is the loop, whoever's its connections are.
#[test]
fn two_servers_on_one_pool() {
    let (net, acceptor, pool) = (Net::new(Transport::Tcp), started(), started_pool(3));
    let least = LoadBalance::LeastConnections;
    let servers = [(); 2].map(|()| server(acceptor.event_loop(), &pool, least));
    let addresses = servers.each_ref().map(|server| listen(server, &net));
    let first = serve_all(&net, addresses[0], 2);
    let second = serve_all(&net, addresses[1], 4);
    assert_eq!(loads(&pool), [2, 2, 2]);
    let mut more = Vec::new();
    for n in 0..12 {
        more.extend(serve_all(&net, addresses[n % 2], 2));
    }
    assert_eq!(loads(&pool), [10, 10, 10]);
    drop((first, second, more, servers));
    stop_clean(&acceptor);
    stop_pool(&pool);
}

/// Channels that have moved count where they are; so do clients.
#[test]
fn moved_channels_and_clients_count() {
    let (net, acceptor, pool) = (Net::new(Transport::Tcp), started(), started_pool(2));
    let server = server(acceptor.event_loop(), &pool, LoadBalance::LeastConnections);
    let address = listen(&server, &net);
    let first = serve_all(&net, address, 4);
    assert_eq!(loads(&pool), [2, 2]);
    let to = pool.event_loop(1).unwrap();
    server.for_each_channel(|channel| channel.move_to(to));
    assert!(wait_for(30, || loads(&pool) == [0, 4]));
    let second = serve_all(&net, address, 4);
    assert_eq!(loads(&pool), [4, 4]);
    // Clients on the first loop, to whoever listens.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let clients = clients_of(&[pool.event_loop(0).unwrap(); 4], &listener);
    assert!(wait_for(30, || loads(&pool) == [8, 4]));
    let third = serve_all(&net, address, 4);
    assert_eq!(loads(&pool), [8, 8]);
    drop((first, second, third, clients, server));
    stop_clean(&acceptor);
    pool.stop_with(Duration::ZERO);
    pool.join().unwrap();
}

fn clients_of(loops: &[&EventLoop], to: &TcpListener) -> Vec<TcpClient> {
    let port = to.local_addr().unwrap().port();
    let begin = |event_loop: &&EventLoop| {
        let client = TcpClient::new(event_loop);
        client.connect(Connect::to("127.0.0.1", port)).unwrap();
        client
    };
    loops.iter().map(begin).collect()
}

/// Many connections at once: those on their way to their loops count, too.
#[test]
fn burst_of_connections() {
    let (net, acceptor, pool) = (Net::new(Transport::Tcp), started(), started_pool(3));
    let server = server(acceptor.event_loop(), &pool, LoadBalance::LeastConnections);
    let address = listen(&server, &net);
    let first = serve_all(&net, address, 3);
    assert_eq!(loads(&pool), [1, 1, 1]);
    // They wait in the backlog, and are accepted in one go, while no worker gets to anything.
    acceptor.event_loop().pause();
    pool.event_loops().for_each(EventLoop::pause);
    let mut peers: Vec<_> = (0..12).map(|_| net.connect(address)).collect();
    acceptor.event_loop().resume();
    assert!(wait_for(30, || server.connection_num() == 15));
    pool.event_loops().for_each(EventLoop::resume);
    for peer in &mut peers {
        peer.send(b"hello");
        assert_eq!(peer.expect(5), b"hello");
    }
    assert_eq!(loads(&pool), [5, 5, 5]);
    drop((first, peers, server));
    stop_clean(&acceptor);
    stop_pool(&pool);
}

/// Clients that are begun on the loops of a pool, faster than the loops get to know.
#[test]
fn burst_of_clients() {
    let pool = started_pool(3);
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let first = clients_of(&[pool.event_loop(1).unwrap(); 3], &listener);
    assert!(wait_for(30, || loads(&pool) == [0, 3, 0]));
    pool.event_loops().for_each(EventLoop::pause);
    let begin = |n| {
        let event_loop = pool.next_loop(LoadBalance::LeastConnections);
        if n % 2 == 0 {
            let client = TcpClient::new(event_loop);
            client.connect(Connect::to("127.0.0.1", port)).unwrap();
            return (Some(client), None);
        }
        let client = WebSocketClient::new(event_loop);
        client.open(&format!("ws://127.0.0.1:{port}/")).unwrap();
        (None, Some(client))
    };
    let clients: Vec<_> = (0..9).map(begin).collect();
    pool.event_loops().for_each(EventLoop::resume);
    assert!(wait_for(30, || loads(&pool).iter().sum::<u64>() == 12));
    assert_eq!(loads(&pool), [4, 4, 4]);
    drop((first, clients));
    pool.stop_with(Duration::ZERO);
    pool.join().unwrap();
}

/// A loop that was stopped, or is on its way out, is not chosen, and its share goes to all others.
#[test]
fn stopped_workers_are_passed_over() {
    for draining in [false, true] {
        for balance in ALL {
            let (net, acceptor, pool) = (Net::new(Transport::Tcp), started(), started_pool(4));
            let server = server(acceptor.event_loop(), &pool, balance);
            let address = listen(&server, &net);
            let stopped = pool.event_loop(1).unwrap();
            let hold = draining.then(|| stopped.hold("draining").unwrap());
            stopped.stop();
            assert!(draining || stopped.wait_stopped(Some(DEADLINE)));
            let peers = serve_all(&net, address, 21);
            let loads = loads(&pool);
            match balance {
                LoadBalance::Random => assert_eq!((loads.iter().sum::<u64>(), loads[1]), (21, 0)),
                _ => assert_eq!(loads, [7, 0, 7, 7], "{balance:?}, draining {draining}"),
            }
            for _ in 0..40 {
                assert!(!pool.next_loop(balance).same_loop(stopped), "{balance:?}");
            }
            drop((hold, peers, server));
            stop_clean(&acceptor);
            stop_pool(&pool);
        }
    }
}

/// A loop that nobody runs, or that is paused, is chosen only where no other would do.
#[test]
fn loops_that_do_not_run_are_passed_over() {
    for balance in ALL {
        let (net, acceptor, pool) = (Net::new(Transport::Tcp), started(), pool(3));
        let server = server(acceptor.event_loop(), &pool, balance);
        let address = listen(&server, &net);
        // By threads of the test's: the others are not started.
        let run = |n| {
            let event_loop = pool.event_loop(n).unwrap().clone();
            std::thread::spawn(move || event_loop.run().unwrap())
        };
        let threads = [run(0), run(2)];
        assert!(wait_for(30, || [0, 2]
            .iter()
            .all(|n| pool.event_loop(*n).unwrap().is_running())));
        let peers = serve_all(&net, address, 6);
        assert_eq!(loads(&pool)[1], 0, "{balance:?}");
        pool.event_loop(2).unwrap().pause();
        let more = serve_all(&net, address, 6);
        let here = loads(&pool);
        assert_eq!(here[0] + here[2], 12, "{balance:?}");
        for _ in 0..20 {
            let first = pool.event_loop(0).unwrap();
            assert!(pool.next_loop(balance).same_loop(first), "{balance:?}");
        }
        drop((peers, more, server));
        stop_clean(&acceptor);
        pool.stop();
        for thread in threads {
            assert!(thread.join().unwrap().is_clean());
        }
    }
}

/// A pool that is started later has its share then, all loops alike.
#[test]
fn pool_that_is_started_later() {
    for balance in [LoadBalance::RoundRobin, LoadBalance::LeastConnections] {
        let (net, acceptor, pool) = (Net::new(Transport::Tcp), started(), pool(3));
        let server = server(acceptor.event_loop(), &pool, balance);
        let address = listen(&server, &net);
        let mut peers: Vec<_> = (0..9).map(|_| net.connect(address)).collect();
        assert!(wait_for(30, || server.connection_num() == 9));
        pool.start().unwrap();
        for peer in &mut peers {
            peer.send(b"hello");
            assert_eq!(peer.expect(5), b"hello");
        }
        assert_eq!(loads(&pool), [3, 3, 3], "{balance:?}");
        // Equal ones have their turns.
        let next: Vec<_> = (0..6).map(|_| pool.next_loop(balance)).collect();
        for event_loop in pool.event_loops() {
            let chosen = next.iter().filter(|l| l.same_loop(event_loop)).count();
            assert_eq!(chosen, 2, "{balance:?}");
        }
        drop((peers, server));
        stop_clean(&acceptor);
        stop_pool(&pool);
    }
}

/// A server with a listener on each loop listens on those that still take something.
#[test]
fn listeners_of_loops_that_are_left() {
    let (net, pool) = (Net::new(Transport::Tcp), started_pool(3));
    pool.event_loop(1).unwrap().stop();
    assert!(pool.event_loop(1).unwrap().wait_stopped(Some(DEADLINE)));
    let server = TcpServer::per_loop(&pool);
    server.on_message(|channel, data| channel.send(data).unwrap());
    let address = listen(&server, &net);
    let peers = serve_all(&net, address, 20);
    assert_eq!(loads(&pool)[1], 0);
    drop((peers, server));
    pool.stop();
    pool.join().unwrap();
    let server = TcpServer::per_loop(&pool);
    assert!(server.listen(net.listen()).is_err(), "none is left");
}
