//! Stops: of the server, of its loop, of a pool.

use crate::common::loops::{started, stop_clean};
use crate::common::net::{Net, Transport};
use crate::common::ws_peer::{WsPeer, close_frame, frame, request};
use crate::common::ws_server::{Recorded, echo};
use crate::over_tcp_and_tls;
use hvloop::ws::{ConnectionError, Initiator};
use hvloop::{
    EventLoop, EventLoopThread, EventLoopThreadPool, Listen, LoopOptions, ServiceOptions,
    WebSocketServer,
};
use hvloop_test_support::{DEADLINE, Monitor, opcode, own_ip, wait_for};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

over_tcp_and_tls! {
    /// A server's stop sends every connection its Close, on_close runs for each, the loop goes on, and
    /// the server may listen again.
    server_stop_closes_all => server_stop_scenario;
    /// A loop's stop does the same, and its socket is free at once.
    rebind_after_stop => loop_stop_scenario;
    /// Those in the middle of their request end without an on_open.
    stop_with_handshakes_in_flight => in_flight_scenario;
}

const PEERS: usize = 20;

/// Opens them; each answers the Close that comes, and expects that code and a clean end.
fn peers(net: &Net, to: SocketAddr) -> Vec<WsPeer> {
    (0..PEERS).map(|_| WsPeer::open(net, to, "/")).collect()
}

fn answer_all(peers: Vec<WsPeer>) {
    for mut peer in peers {
        peer.expect_close(1001);
        peer.peer.send(&close_frame(1001, ""));
        peer.expect_end();
    }
}

fn check_closed(server: &Recorded, count: usize, initiator: Initiator) {
    server.wait("all closed", |seen| seen.closed.len() == count);
    server.seen.read(|seen| {
        for event in &seen.closed[count - PEERS..] {
            assert!(event.clean && event.code == 1001, "{event}");
            assert_eq!(event.initiator, initiator);
        }
        assert!(seen.threads.iter().all(|id| *id == seen.threads[0]));
    });
}

fn server_stop_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    for round in 1..3 {
        let listen = net.at((own_ip(), 0).into());
        let to = server.server.listen(listen).unwrap().inet().unwrap();
        let open = peers(&net, to);
        server.wait("all open", |seen| seen.opened == round * PEERS);
        server.server.stop();
        server.server.stop();
        answer_all(open);
        check_closed(&server, round * PEERS, Initiator::Local);
        let gone = || server.server.connection_num() == 0;
        assert!(wait_for(DEADLINE.as_secs(), gone));
        let bound = || TcpListener::bind(to).is_ok();
        assert!(
            wait_for(DEADLINE.as_secs(), bound),
            "the listener is closed"
        );
    }
    stop_clean(&thread);
}

fn loop_stop_scenario(transport: Transport) {
    let net = Net::new(transport);
    let thread = started();
    let server = Recorded::on(&thread);
    let listen = net.at((own_ip(), 0).into());
    let to = server.server.listen(listen).unwrap().inet().unwrap();
    let open = peers(&net, to);
    server.wait("all open", |seen| seen.opened == PEERS);
    thread.stop();
    answer_all(open);
    let report = stop_clean(&thread);
    assert_eq!(report.closed_cleanly, PEERS);
    TcpListener::bind(to).unwrap();
    check_closed(&server, PEERS, Initiator::Loop);
    assert!(server.server.listen(net.listen()).is_err());
}

fn in_flight_scenario(transport: Transport) {
    for by_loop in [false, true] {
        let (net, thread) = (Net::new(transport), started());
        let server = Recorded::on(&thread);
        let to = server.listen(&net);
        let text = request("/", "");
        let (first, last) = text.split_at(text.len() - 2);
        let mut flying: Vec<_> = (0..PEERS)
            .map(|_| {
                let mut peer = WsPeer::mute(&net, to);
                peer.peer.send(first.as_bytes());
                peer
            })
            .collect();
        let accepted = || server.server.connection_num() == PEERS;
        assert!(wait_for(DEADLINE.as_secs(), accepted));
        match by_loop {
            true => thread.stop(),
            false => server.server.stop(),
        }
        for peer in &mut flying {
            // It may be gone already.
            let _ = std::io::Write::write_all(&mut peer.peer.stream, last.as_bytes());
        }
        for mut peer in flying {
            assert!(peer.try_frame().is_none());
        }
        server.wait("all told", |seen| seen.failed.len() == PEERS);
        let failed = server.seen.read(|seen| seen.failed.clone());
        let transport = |e: &ConnectionError| matches!(e, ConnectionError::Transport(_));
        assert!(failed.iter().all(transport), "{failed:?}");
        assert_eq!(
            server.seen.read(|seen| (seen.opened, seen.closed.len())),
            (0, 0)
        );
        thread.stop();
        thread.join().unwrap();
    }
}

over_tcp_and_tls! {
    /// What was accepted before the stop arrives before the Close, at readers that are slow, and at
    /// peers that send all the while.
    server_close_after_send_delivers_all => delivers_all_scenario;
}

fn delivers_all_scenario(transport: Transport) {
    const LINKS: usize = 4;
    const MESSAGES: usize = 200;
    const SIZE: usize = 64 * 1024;
    for floods in [false, true] {
        let net = Net::new(transport);
        // Megabytes, and TLS without optimization, on a busy machine.
        let limit = 4 * DEADLINE;
        let thread = EventLoopThread::with_loop(
            EventLoop::with_options(LoopOptions::new().drain_timeout(limit)).unwrap(),
        );
        thread.start().unwrap();
        let options = ServiceOptions::new().close_timeout(limit);
        let server = Recorded::with(WebSocketServer::new(thread.event_loop()), options);
        let listen = net
            .listen()
            .send_limit(2 * MESSAGES * SIZE)
            .close_timeout(limit);
        let to = server.server.listen(listen).unwrap().inet().unwrap();
        let peers: Vec<_> = (0..LINKS).map(|_| WsPeer::open(&net, to, "/")).collect();
        server.wait("all open", |seen| seen.opened == LINKS);
        let message = vec![7; SIZE];
        server.server.for_each_channel(|channel| {
            for _ in 0..MESSAGES {
                channel.send_binary(&message).unwrap();
            }
        });
        thread.stop();
        let readers: Vec<_> = peers
            .into_iter()
            .map(|mut peer| {
                std::thread::spawn(move || {
                    let mut got = 0;
                    let close = loop {
                        if floods {
                            // Into a server that is closing.
                            peer.send(opcode::BINARY, &[1; 2000]);
                        }
                        let next = peer.frame();
                        match next.opcode {
                            opcode::CLOSE => break next,
                            _ if next.payload.len() == SIZE => got += 1,
                            // An echo from before the stop.
                            _ => assert_eq!(next.payload.len(), 2000),
                        }
                        std::thread::yield_now();
                    };
                    assert_eq!(close.close_code(), Some(1001));
                    peer.peer.send(&close_frame(1001, ""));
                    peer.expect_end();
                    got
                })
            })
            .collect();
        let got: usize = readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .sum();
        assert_eq!(got, LINKS * MESSAGES);
        let report = thread.join().unwrap();
        assert!(report.is_clean(), "{report}");
        server
            .seen
            .read(|seen| assert!(seen.closed.iter().all(|event| event.clean)));
    }
}

/// Dropping the server is a stop; its connections' callbacks still run.
#[test]
fn dropped_server_closes_all() {
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let server = Recorded::on(&thread);
    let to = server.listen(&net);
    let open = peers(&net, to);
    let (seen, server) = (server.seen.clone(), server.server);
    assert!(seen.wait(DEADLINE, |seen| seen.opened == PEERS));
    drop(Arc::into_inner(server).unwrap());
    answer_all(open);
    assert!(seen.wait(DEADLINE, |seen| seen.closed.len() == PEERS));
    stop_clean(&thread);
}

/// A pool: connections on every loop, callbacks on the loop of their connection, one stop for all.
#[test]
fn pool_stop_closes_all() {
    for per_loop in [false, true] {
        let net = Net::new(Transport::Tcp);
        let acceptor = started();
        let options = LoopOptions::new().drain_timeout(DEADLINE);
        let pool = EventLoopThreadPool::with_options(2, &options).unwrap();
        pool.start().unwrap();
        let server = match per_loop {
            true => WebSocketServer::per_loop(&pool),
            false => WebSocketServer::with_workers(acceptor.event_loop(), &pool),
        };
        let server = Recorded::with(server, ServiceOptions::new());
        let to = server.listen(&net);
        let mut open = peers(&net, to);
        for peer in &mut open {
            peer.send(opcode::TEXT, b"hello");
            assert_eq!(peer.frame().payload, b"hello");
        }
        let loops: Vec<_> = pool.event_loops().cloned().collect();
        let on = |n: usize| {
            let mut count = 0;
            server.server.for_each_channel(|channel| {
                count += usize::from(channel.event_loop().same_loop(&loops[n]));
            });
            count
        };
        assert_eq!(on(0) + on(1), PEERS);
        assert!(per_loop || on(0) == PEERS / 2, "by turns");
        assert_eq!(server.server.broadcast_text("to all"), PEERS);
        pool.stop();
        for peer in &mut open {
            assert_eq!(peer.frame().payload, b"to all");
        }
        answer_all(open);
        for report in pool.join().unwrap() {
            assert!(report.is_clean(), "{report}");
        }
        server.wait("all closed", |seen| seen.closed.len() == PEERS);
        stop_clean(&acceptor);
    }
}

/// A stop in each callback: none of them is in its way.
#[test]
fn server_stop_from_each_callback() {
    for place in ["open", "message", "close"] {
        let (net, thread) = (Net::new(Transport::Tcp), started());
        let server = Arc::new(WebSocketServer::new(thread.event_loop()));
        let seen = Monitor::new(Default::default());
        let (stop, event_loop) = (Arc::downgrade(&server), thread.event_loop().clone());
        let stopping = move || {
            stop.upgrade().unwrap().stop();
            event_loop.stop();
        };
        let service = echo(&seen);
        let service = match place {
            "open" => service.on_open(move |_, _| stopping()),
            "message" => service.on_message(move |_, _| stopping()),
            _ => service.on_close(move |_, _| stopping()),
        };
        server.route("*", service);
        let to: SocketAddr = server
            .listen(Listen::tcp(([127, 0, 0, 1], 0)))
            .unwrap()
            .inet()
            .unwrap();
        let mut peer = WsPeer::open(&net, to, "/");
        let first = match place {
            "close" => close_frame(1001, ""),
            _ => frame(opcode::TEXT, true, b"hello"),
        };
        // The stop may have come first.
        let _ = std::io::Write::write_all(&mut peer.peer.stream, &first);
        peer.expect_close(1001);
        let _ = std::io::Write::write_all(&mut peer.peer.stream, &close_frame(1001, ""));
        let _ = peer.peer.rest();
        let report = thread.join().unwrap();
        assert_eq!((report.forced, report.failed), (0, 0), "{place}: {report}");
    }
}
