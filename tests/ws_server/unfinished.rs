//! Messages that a peer begins and does not finish.

use crate::common::loops::{MS, started, stop_clean};
use crate::common::net::{Net, Transport};
use crate::common::ws_peer::{WsPeer, frame};
use crate::common::ws_server::{Recorded, echo};
use crate::deflate::compressed;
use crate::over_tcp_and_tls;
use hvloop::ws::{ConnectionError, Initiator};
use hvloop::{DeflateOptions, ServiceOptions, WebSocketServer};
use hvloop_test_support::{DEADLINE, Monitor, opcode, wait_for};
use std::time::{Duration, Instant};

over_tcp_and_tls! {
    /// Begun in each way, going on or not: 1008 when the time is over, and not before.
    message_timeout_of_a_server => unfinished_scenario;
    /// One message after the other, and each read ends inside of one: none takes long.
    messages_in_time_go_on => steady_scenario;
    /// A pause does not count.
    a_pause_is_not_the_peers_time => paused_scenario;
}

fn options(limit: Duration) -> ServiceOptions {
    ServiceOptions::new()
        .message_timeout(Some(limit))
        .deflate(Some(DeflateOptions::new()))
}

fn unfinished_scenario(transport: Transport) {
    const LIMIT: Duration = Duration::from_millis(200);
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::with(WebSocketServer::new(thread.event_loop()), options(LIMIT));
    let to = server.listen(&net);
    let whole = frame(opcode::TEXT, true, b"whole");
    let long = compressed(
        opcode::BINARY,
        &[0x00, 0xff, 0xff, 0x00, 0x00, 1, 2],
        Some(7),
    );
    // What begins it, and what follows again and again.
    let cases: [(Vec<u8>, Vec<u8>); 6] = [
        (whole[..1].to_vec(), vec![]),
        (whole[..9].to_vec(), vec![]),
        (frame(opcode::TEXT, false, b""), vec![]),
        (
            frame(opcode::TEXT, false, b"a"),
            [
                frame(opcode::PING, true, b""),
                frame(opcode::CONTINUATION, false, b"b"),
            ]
            .concat(),
        ),
        (long[..13].to_vec(), vec![]),
        (frame(opcode::PING, true, b"12345")[..8].to_vec(), vec![]),
    ];
    for (before, (begins, goes_on)) in cases.into_iter().enumerate() {
        let mut peer = WsPeer::open_with(&net, to, "permessage-deflate");
        let start = Instant::now();
        peer.peer.send(&[&whole[..], &begins].concat());
        assert_eq!(peer.frame().payload, b"whole");
        let ended = || server.seen.read(|seen| seen.closed.len() > before);
        if !goes_on.is_empty() {
            while start.elapsed() < LIMIT - 50 * MS {
                peer.peer.send(&goes_on);
                std::thread::sleep(10 * MS);
            }
        }
        let close = loop {
            let frame = peer.frame();
            if frame.opcode != opcode::PONG {
                break frame;
            }
        };
        assert_eq!(close.close_code(), Some(1008), "{before}");
        assert!(start.elapsed() >= LIMIT);
        let _ = peer.peer.rest();
        assert!(wait_for(DEADLINE.as_secs(), ended));
        let event = server.seen.read(|seen| seen.closed[before].clone());
        assert_eq!(event.initiator, Initiator::Local);
        assert!(
            matches!(event.error, Some(ConnectionError::MessageTimedOut(limit)) if limit == LIMIT),
            "{event:?}"
        );
    }
    let none = || thread.event_loop().metrics().timers == 0;
    assert!(wait_for(DEADLINE.as_secs(), none), "none is left");
    thread.stop();
    thread.join().unwrap();
}

fn steady_scenario(transport: Transport) {
    const LIMIT: Duration = Duration::from_secs(2);
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::with(WebSocketServer::new(thread.event_loop()), options(LIMIT));
    let to = server.listen(&net);
    let mut peer = WsPeer::open_with(&net, to, "permessage-deflate");
    let message = frame(opcode::TEXT, true, b"one after the other");
    let (first, rest) = message.split_at(7);
    let start = Instant::now();
    peer.peer.send(first);
    while start.elapsed() < 2 * LIMIT + LIMIT / 2 {
        peer.peer.send(&[rest, first].concat());
        assert_eq!(peer.frame().payload, b"one after the other");
    }
    peer.peer.send(rest);
    assert_eq!(peer.frame().payload, b"one after the other");
    peer.close();
    stop_clean(&thread);
}

fn paused_scenario(transport: Transport) {
    const LIMIT: Duration = Duration::from_secs(2);
    let (net, thread) = (Net::new(transport), started());
    let server = WebSocketServer::new(thread.event_loop());
    let seen = Monitor::default();
    let service = echo(&seen).options(options(LIMIT));
    server.route("/*", service);
    let to = server.listen(net.listen()).unwrap().inet().unwrap();
    let mut peer = WsPeer::open_with(&net, to, "permessage-deflate");
    let message = frame(opcode::TEXT, true, b"cut");
    let bytes = || thread.event_loop().metrics().bytes_in;
    let before = bytes();
    peer.peer.send(&message[..4]);
    assert!(wait_for(DEADLINE.as_secs(), || bytes() > before));
    let mut channel = None;
    server.for_each_channel(|open| channel = Some(open.clone()));
    let channel = channel.unwrap();
    channel.pause_reading();
    peer.peer.send(&message[4..]);
    // Longer than the limit, in which nothing happens.
    let over = Instant::now() + 2 * LIMIT;
    assert!(wait_for(DEADLINE.as_secs(), || Instant::now() > over));
    assert_eq!(
        seen.read(|seen: &crate::common::ws_server::Seen| seen.closed.len()),
        0
    );
    channel.resume_reading();
    assert_eq!(peer.frame().payload, b"cut");
    peer.close();
    stop_clean(&thread);
}
