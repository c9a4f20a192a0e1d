//! Peers that want to cost memory or time: what they can make a server do has an end.

use crate::common::loops::{started, stop_clean};
use crate::common::net::{Net, Transport};
use crate::common::ws_peer::{WsPeer, frame};
use crate::common::ws_server::echo;
use crate::over_tcp_and_tls;
use hvloop::ws::ConnectionError;
use hvloop::ws::protocol::Limits;
use hvloop::{SendError, ServiceOptions, SocketOptions, WebSocketServer, WebSocketService};
use hvloop_test_support::{DEADLINE, Monitor, opcode, wait_for};

over_tcp_and_tls! {
    /// A peer that sends Pings and reads nothing is owed one Pong, the latest.
    pings_without_reading => pings_scenario;
    /// The same behind a queue that is full of messages.
    pings_behind_a_full_queue => full_queue_scenario;
    /// A peer that reads gets the answer to each of its Pings, in order, however many come at once.
    every_ping_is_answered => every_ping_scenario;
    /// Whatever a connection fails for, a bounded number of bytes is read of what comes behind.
    floods_after_a_failure => flood_scenario;
    /// One whose message is too big gets to know it, while it sends the rest.
    close_reaches_who_sends_on => sends_on_scenario;
}

/// Pings that say which one they are, as one piece.
fn pings(count: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for n in 0..count {
        let mut payload = [b'.'; 125];
        payload[..4].copy_from_slice(&n.to_be_bytes());
        bytes.extend(frame(opcode::PING, true, &payload));
    }
    bytes
}

/// Which Ping a Pong answers.
fn number(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload[..4].try_into().unwrap())
}

/// What is queued for the peer when its message comes.
fn server(
    net: &Net,
    thread: &hvloop::EventLoopThread,
) -> (
    WebSocketServer,
    std::net::SocketAddr,
    Monitor<Option<usize>>,
) {
    let queued = Monitor::new(None);
    let q = queued.clone();
    let service = WebSocketService::new().on_message(move |channel, _| {
        q.update(|q| *q = Some(channel.buffered_amount()));
    });
    let server = WebSocketServer::new(thread.event_loop());
    server.route("/*", service);
    let listen = net
        .listen()
        .socket(SocketOptions::new().send_buffer(16 * 1024));
    let to = server.listen(listen).unwrap().inet().unwrap();
    (server, to, queued)
}

fn pings_scenario(transport: Transport) {
    const PINGS: u32 = 80_000;
    let (net, thread) = (Net::new(transport), started());
    let (_server, to, queued) = server(&net, &thread);
    let mut peer = WsPeer::open(&net, to, "/");
    peer.peer.keep_little();
    peer.peer.send(&pings(PINGS));
    peer.send(opcode::TEXT, b"done");
    assert!(queued.wait(DEADLINE, Option::is_some));
    let queued = queued.read(Clone::clone).unwrap();
    assert!(
        queued < 256 * 1024,
        "{queued} bytes of Pongs wait for a peer that reads nothing"
    );
    // It reads: the latest of them was not forgotten.
    let (mut last, mut got) = (None, 0);
    while last != Some(PINGS - 1) {
        let frame = peer.frame();
        assert_eq!(frame.opcode, opcode::PONG);
        let number = number(&frame.payload);
        assert!(last < Some(number), "{last:?}, then {number}");
        (last, got) = (Some(number), got + 1);
    }
    assert!(got < PINGS, "all of them were kept for it");
    peer.close();
    stop_clean(&thread);
}

fn full_queue_scenario(transport: Transport) {
    const LIMIT: usize = 1024 * 1024;
    let (net, thread) = (Net::new(transport), started());
    let (queued, sent) = (Monitor::new(None), Monitor::new(0));
    let (q, s) = (queued.clone(), sent.clone());
    let service = WebSocketService::new()
        .on_open(move |channel, _| {
            let full = loop {
                match channel.send_binary(&[7; 10_000]) {
                    Ok(()) => s.update(|s| *s += 1),
                    Err(e) => break e,
                }
            };
            assert!(matches!(full, SendError::QueueFull { .. }));
        })
        .on_message(move |channel, _| q.update(|q| *q = Some(channel.buffered_amount())));
    let server = WebSocketServer::new(thread.event_loop());
    server.route("/*", service);
    let listen = net
        .listen()
        .socket(SocketOptions::new().send_buffer(16 * 1024))
        .send_limit(LIMIT);
    let to = server.listen(listen).unwrap().inet().unwrap();
    let mut peer = WsPeer::open(&net, to, "/");
    for _ in 0..2 {
        peer.peer.send(&pings(5_000));
        peer.send(opcode::TEXT, b"done");
    }
    assert!(queued.wait(DEADLINE, Option::is_some));
    let queued = queued.read(Clone::clone).unwrap();
    assert!(queued <= LIMIT + 127, "{queued} bytes are queued");
    let (mut messages, mut last) = (0, None);
    while last != Some(4_999) || messages < sent.read(Clone::clone) {
        let frame = peer.frame();
        match frame.opcode {
            opcode::PONG => last = Some(number(&frame.payload)),
            _ => messages += 1,
        }
    }
    peer.close();
    stop_clean(&thread);
}

fn every_ping_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = WebSocketServer::new(thread.event_loop());
    server.route("/*", echo(&Monitor::default()));
    // Less than the Pongs of one read.
    let listen = net.listen().send_limit(2 * 1024);
    let to = server.listen(listen).unwrap().inet().unwrap();
    let mut peer = WsPeer::open(&net, to, "/");
    for _ in 0..20 {
        peer.peer.send(&pings(300));
        for n in 0..300 {
            let frame = peer.frame();
            assert_eq!((frame.opcode, number(&frame.payload)), (opcode::PONG, n));
        }
    }
    peer.close();
    stop_clean(&thread);
}

fn flood_scenario(transport: Transport) {
    let too_long = |code| {
        let mut head = frame(opcode::BINARY, true, &[0; 200]);
        head[2..4].copy_from_slice(&[0xff, 0xff]); // 65,535 bytes are announced
        (code, head)
    };
    let failures = [
        (1002, frame(0x3, true, b"")),
        (1002, frame(opcode::CONTINUATION, true, b"")),
        (1007, frame(opcode::TEXT, true, &[0xff])),
        too_long(1009),
        (0, b"GET / HTTP/1.1\r\nno header\r\n\r\n".to_vec()),
        (0, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()),
    ];
    for (code, bytes) in failures {
        let (net, thread) = (Net::new(transport), started());
        let server = WebSocketServer::new(thread.event_loop());
        let closed = Monitor::new(0);
        let c = closed.clone();
        let limits = Limits::new().max_message(1024);
        let service = WebSocketService::new()
            .options(ServiceOptions::new().limits(limits).close_timeout(DEADLINE))
            .on_close(move |_, event| {
                let failed = matches!(event.error, Some(ConnectionError::Protocol(_)));
                assert!(failed, "{event}");
                c.update(|c| *c += 1);
            });
        server.route("/*", service);
        let listen = net.listen().close_timeout(DEADLINE);
        let listen = listen.socket(
            SocketOptions::new()
                .recv_buffer(32 * 1024)
                .send_buffer(16 * 1024),
        );
        let to = server.listen(listen).unwrap().inet().unwrap();
        let mut peer = match code {
            0 => WsPeer::mute(&net, to),
            _ => WsPeer::open(&net, to, "/"),
        };
        peer.peer.send(&bytes);
        peer.peer.flood();
        let metrics = || thread.event_loop().metrics();
        assert!(wait_for(DEADLINE.as_secs(), || metrics().connections == 0));
        let read = metrics().bytes_in;
        assert!(read < 600_000, "{code}: {read} bytes were read");
        assert_eq!(closed.read(|c| *c), usize::from(code != 0));
        thread.stop();
        thread.join().unwrap();
    }
}

fn sends_on_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = WebSocketServer::new(thread.event_loop());
    let limits = Limits::new().max_message(1024);
    let options = ServiceOptions::new().limits(limits);
    server.route("/*", echo(&Monitor::default()).options(options));
    let to = server.listen(net.listen()).unwrap().inet().unwrap();
    for size in [2_000, 300_000] {
        let mut peer = WsPeer::open(&net, to, "/");
        peer.send(opcode::BINARY, &vec![1; size]);
        peer.expect_close(1009);
        peer.expect_end();
    }
    thread.stop();
    thread.join().unwrap();
}
