//! Slow and silent peers.

use crate::common::loops::{MS, started, stop_clean};
use crate::common::net::{Net, Transport};
use crate::common::ws_peer::{WsPeer, close_frame};
use crate::common::ws_server::Recorded;
use crate::common::ws_server::{client_options, scheme};
use crate::over_tcp_and_tls;
use hvloop::ws::{ConnectionError, Initiator};
use hvloop::{
    SendError, ServiceOptions, SocketOptions, WebSocketChannel, WebSocketClient, WebSocketServer,
    WebSocketService, WhenFull,
};
use hvloop_test_support::{DEADLINE, Event, Monitor, opcode, wait_for};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

over_tcp_and_tls! {
    /// One peer that reads nothing costs its own queue, and delays nobody.
    server_broadcast_with_stalled_peer => stalled_scenario;
    /// A silent peer is asked, and closed if it does not answer; any byte is an answer.
    server_pings_silent_peers => ping_scenario;
    /// What has no room is refused, or ends the connection: as the options say, whoever sends.
    backpressure_policies => policies_scenario;
    /// Messages of many sizes of the socket's buffers, both ways at once, and no write readiness is lost.
    large_frames_no_freeze => large_scenario;
}

fn stalled_scenario(transport: Transport) {
    const SIZE: usize = 60_000;
    const ROUNDS: usize = 100;
    const LIMIT: usize = 1_000_000;
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    // The system keeps little for the stalled one.
    let listen = net
        .listen()
        .send_limit(LIMIT)
        .socket(SocketOptions::new().send_buffer(64 * 1024));
    let to = server.server.listen(listen).unwrap().inet().unwrap();
    let mut stalled = WsPeer::open(&net, to, "/");
    stalled.peer.keep_little();
    server.wait("the stalled one", |seen| seen.opened == 1);
    let mut stalled_id = None;
    server
        .server
        .for_each_channel(|channel| stalled_id = Some(channel.id()));
    let mut good: Vec<_> = (0..3).map(|_| WsPeer::open(&net, to, "/")).collect();
    server.wait("all open", |seen| seen.opened == 4);
    let sender = {
        let server = server.server.clone();
        std::thread::spawn(move || {
            let mut reached = Vec::new();
            for round in 0..ROUNDS {
                let text = char::from(b'a' + round as u8 % 26).to_string().repeat(SIZE);
                reached.push(server.broadcast_text(&text));
                // So fast as the good ones read.
                let mut queued = usize::MAX;
                let read = || {
                    queued = 0;
                    server.for_each_channel(|channel| {
                        if Some(channel.id()) != stalled_id {
                            queued = queued.max(channel.buffered_amount());
                        }
                    });
                    queued < LIMIT / 2
                };
                assert!(wait_for(DEADLINE.as_secs(), read), "{queued} bytes queued");
            }
            reached
        })
    };
    for peer in &mut good {
        // One after the other: the other two are slow for a while.
        peer.peer.stream.set_nodelay(true).unwrap();
    }
    let readers: Vec<_> = good
        .into_iter()
        .map(|mut peer| {
            std::thread::spawn(move || {
                for round in 0..ROUNDS {
                    let frame = peer.frame();
                    let letter = b'a' + round as u8 % 26;
                    assert_eq!(frame.opcode, opcode::TEXT);
                    assert!(
                        frame.payload.len() == SIZE && frame.payload.iter().all(|b| *b == letter)
                    );
                }
                peer.close();
            })
        })
        .collect();
    let reached = sender.join().unwrap();
    for reader in readers {
        reader.join().unwrap();
    }
    assert_eq!(reached[0], 4);
    assert_eq!(reached.last(), Some(&3), "the stalled one is left out");
    // What it was sent before is whole, and in order; then it goes on.
    let mut whole = 0;
    while whole < reached.iter().filter(|count| **count == 4).count() {
        assert_eq!(stalled.frame().payload.len(), SIZE);
        whole += 1;
    }
    stalled.send(opcode::TEXT, b"awake");
    assert_eq!(stalled.frame().payload, b"awake");
    stalled.close();
    stop_clean(&thread);
}

fn ping_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let options = ServiceOptions::new()
        .ping_interval(Some(50 * MS))
        .pong_timeout(3_000 * MS);
    let server = Recorded::with(WebSocketServer::new(thread.event_loop()), options);
    let to = server.listen(&net);
    let mut dead = WsPeer::open(&net, to, "/");
    let ping = dead.frame();
    assert_eq!((ping.opcode, ping.payload.len()), (opcode::PING, 0));
    dead.send(opcode::PONG, b"");
    assert_eq!(dead.frame().opcode, opcode::PING, "it asks again");
    // No Pong, but life.
    dead.send(opcode::TEXT, b"busy");
    loop {
        let frame = dead.frame();
        match frame.opcode {
            opcode::PING => continue,
            _ => break assert_eq!(frame.payload, b"busy"),
        }
    }
    server.wait("given up", |seen| seen.closed.len() == 1);
    let event = server.seen.read(|seen| seen.closed[0].clone());
    assert_eq!((event.code, event.clean), (1006, false));
    assert!(
        matches!(event.error, Some(ConnectionError::PongTimedOut(_))),
        "{event}"
    );
    thread.stop();
    thread.join().unwrap();
}

/// A full queue refuses whole messages, with the sizes, and on_drain tells when it has fallen.
#[test]
fn full_queue_refuses_and_drains() {
    const SIZE: usize = 50_000;
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let server = WebSocketServer::new(thread.event_loop());
    let (accepted, refused) = (Arc::new(AtomicUsize::new(0)), Event::new());
    let fill = {
        let (accepted, refused) = (accepted.clone(), refused.clone());
        move |channel: &WebSocketChannel| loop {
            match channel.send_binary(&[3; SIZE]) {
                Ok(()) => _ = accepted.fetch_add(1, Ordering::SeqCst),
                Err(SendError::QueueFull {
                    limit,
                    queued,
                    size,
                }) => {
                    assert!(size == SIZE + 4 && queued + size > limit && limit == 1_000_000);
                    break refused.set();
                }
                Err(e) => panic!("{e}"),
            }
        }
    };
    let drains = Monitor::new(0);
    let (d, again) = (drains.clone(), fill.clone());
    let service = WebSocketService::new()
        .on_open(move |channel, _| fill(channel))
        .on_drain(move |channel| {
            assert!(channel.buffered_amount() <= 250_000);
            if d.update(|drains| {
                *drains += 1;
                *drains
            }) < 3
            {
                again(channel);
            }
        });
    server.route("/", service);
    let to = server
        .listen(net.listen().send_limit(1_000_000))
        .unwrap()
        .inet()
        .unwrap();
    let mut peer = WsPeer::open(&net, to, "/");
    refused.expect("a refusal");
    let mut got = 0;
    loop {
        while got < accepted.load(Ordering::SeqCst) {
            assert_eq!(peer.frame().payload.len(), SIZE);
            got += 1;
        }
        // All has come, so that the queue falls: then more is taken, or that was the last time.
        let last = || drains.read(|drains| *drains) == 3;
        let more = || got < accepted.load(Ordering::SeqCst);
        assert!(wait_for(DEADLINE.as_secs(), || last() || more()));
        if last() && !more() {
            break;
        }
    }
    peer.close();
    stop_clean(&thread);
}

/// Ways to send that much to the first of the server's connections: by the loop, by another thread, by
/// a broadcast. `true`: it was taken.
fn send_by(way: &str, server: &Arc<WebSocketServer>, data: &[u8]) -> bool {
    let mut first = None;
    server.for_each_channel(|channel| first = Some(channel.clone()));
    let Some(channel) = first else { return false };
    match way {
        "thread" => channel.send_binary(data).is_ok(),
        "broadcast" => server.broadcast_binary(data) == 1,
        _ => {
            let (tell, told) = std::sync::mpsc::channel();
            let (event_loop, data) = (channel.event_loop().clone(), data.to_vec());
            let task = move || tell.send(channel.send_binary(&data).is_ok()).unwrap();
            event_loop.queue_in_loop(task).unwrap();
            told.recv_timeout(DEADLINE).unwrap()
        }
    }
}

fn policies_scenario(transport: Transport) {
    const LIMIT: usize = 200_000;
    const SIZE: usize = 50_000;
    for way in ["loop", "thread", "broadcast"] {
        for policy in [WhenFull::Refuse, WhenFull::Close] {
            let (net, thread) = (Net::new(transport), started());
            let options = ServiceOptions::new().when_full(policy);
            let server = Recorded::with(WebSocketServer::new(thread.event_loop()), options);
            let to = server.server.listen(net.listen().send_limit(LIMIT));
            let mut peer = WsPeer::open(&net, to.unwrap().inet().unwrap(), "/");
            server.wait("open", |seen| seen.opened == 1);
            // Longer than the whole queue: that is not the peer's fault.
            assert!(!send_by(way, &server.server, &[1; 2 * LIMIT]));
            let mut sent = 0;
            while send_by(way, &server.server, &[2; SIZE]) {
                sent += 1;
            }
            assert!(
                sent >= LIMIT / SIZE - 1,
                "{way}: {sent} messages were taken"
            );
            let mut got = 0;
            let last = loop {
                let frame = peer.try_frame();
                let frame = frame.unwrap_or_else(|| {
                    let mut queued = Vec::new();
                    let count = |channel: &WebSocketChannel| queued.push(channel.buffered_amount());
                    server.server.for_each_channel(count);
                    let closed = server.seen.read(|seen| seen.closed.clone());
                    panic!("{way}, {policy:?}: the stream ended after {got} of {sent}; {queued:?} queued, {closed:?}")
                });
                match frame.opcode {
                    opcode::CLOSE => break Some(frame),
                    _ if frame.payload == b"still here" => break None,
                    _ => got += 1,
                }
                if policy == WhenFull::Refuse && got == sent {
                    peer.send(opcode::TEXT, b"still here");
                }
            };
            assert_eq!(got, sent, "{way}: what was taken comes, whole");
            match last {
                None => {
                    assert_eq!(policy, WhenFull::Refuse);
                    peer.close();
                }
                Some(close) => {
                    assert_eq!((policy, close.close_code()), (WhenFull::Close, Some(1013)));
                    peer.peer.send(&close_frame(1013, ""));
                    peer.expect_end();
                    server.wait("closed", |seen| seen.closed.len() == 1);
                    let event = server.seen.read(|seen| seen.closed[0].clone());
                    let why = event.error.as_ref();
                    assert!(matches!(why, Some(ConnectionError::PeerTooSlow)), "{event}");
                    assert!(
                        event.clean && event.initiator == Initiator::Local,
                        "{event}"
                    );
                }
            }
            stop_clean(&thread);
        }
    }
}

/// One that never reads again is closed by force, and costs no more than its queue until then.
#[test]
fn too_slow_and_never_reads() {
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let options = ServiceOptions::new()
        .when_full(WhenFull::Close)
        .close_timeout(100 * MS);
    let server = Recorded::with(WebSocketServer::new(thread.event_loop()), options);
    let listen = net
        .listen()
        .send_limit(100_000)
        .socket(SocketOptions::new().send_buffer(64 * 1024));
    // Also where its Close cannot leave.
    let to = server.server.listen(listen.write_timeout(Some(300 * MS)));
    let peer = WsPeer::open(&net, to.unwrap().inet().unwrap(), "/");
    peer.peer.keep_little();
    server.wait("open", |seen| seen.opened == 1);
    while send_by("thread", &server.server, &[2; 50_000]) {}
    server.wait("closed", |seen| seen.closed.len() == 1);
    let event = server.seen.read(|seen| seen.closed[0].clone());
    assert!(
        matches!(event.error, Some(ConnectionError::PeerTooSlow)),
        "{event}"
    );
    assert!(!event.clean && event.code == 1006, "{event}");
    drop(peer);
    thread.stop();
    thread.join().unwrap();
}

fn large_scenario(transport: Transport) {
    const SIZE: usize = 8 << 20;
    const EACH: usize = 6;
    let (net, thread) = (Net::new(transport), started());
    let server = WebSocketServer::new(thread.event_loop());
    let send = |n: usize| vec![n as u8; SIZE];
    let got = Monitor::new((0, 0));
    let g = got.clone();
    let service = WebSocketService::new()
        .on_open(move |channel, _| {
            for n in 0..EACH {
                channel.send_binary(&send(n)).unwrap();
            }
        })
        .on_message(move |_, message| {
            g.update(|(server, _)| {
                assert!(message.as_bytes() == send(*server));
                *server += 1;
            });
        });
    server.route("/", service);
    let listen = net.listen().send_limit(EACH * (SIZE + 100));
    let to = server.listen(listen).unwrap().inet().unwrap();
    let clients = started();
    let options = client_options(&net).send_limit(EACH * (SIZE + 100));
    let client = WebSocketClient::with_options(clients.event_loop(), options);
    client.on_open(move |ws, _| {
        for n in 0..EACH {
            ws.send_binary(&send(n)).unwrap();
        }
    });
    let g = got.clone();
    client.on_message(move |_, message| {
        g.update(|(_, client)| {
            assert!(message.as_bytes() == send(*client));
            *client += 1;
        });
    });
    let url = format!("{}://localhost:{}/", scheme(&net), to.port());
    client.open(&url).unwrap();
    assert!(got.wait(4 * DEADLINE, |got| *got == (EACH, EACH)));
    drop(client);
    stop_clean(&clients);
    stop_clean(&thread);
}
