//! `LoopOptions::memory_limit`: what many connections hold together, each within its own limits.

use crate::common::net::{Net, Transport};
use crate::common::ws_peer::{WsPeer, frame};
use crate::over_tcp_and_tls;
use hvloop::ws::{ConnectionError, Initiator};
use hvloop::{
    CloseEvent, EventLoop, EventLoopThread, LoopOptions, SocketOptions, WebSocketServer,
    WebSocketService,
};
use hvloop_test_support::{DEADLINE, Monitor, opcode, wait_for};
use std::net::SocketAddr;

over_tcp_and_tls! {
    /// Of several unfinished messages the longest costs its connection, with 1009.
    greediest_message_is_closed => message_scenario;
    /// What a pause holds back counts, too, and ends with 1008.
    greediest_held_input_is_closed => held_scenario;
    /// Queues of peers that read nothing.
    greediest_queue_is_closed => queue_scenario;
    /// The bytes of a broadcast count once, in however many queues they are.
    broadcasts_count_once => broadcast_scenario;
}

struct Limited {
    thread: EventLoopThread,
    server: WebSocketServer,
    closed: Monitor<Vec<CloseEvent>>,
    to: SocketAddr,
}

impl Limited {
    fn new(net: &Net, limit: usize, service: WebSocketService) -> Self {
        let options = LoopOptions::new().memory_limit(Some(limit));
        let thread = EventLoopThread::with_loop(EventLoop::with_options(options).unwrap());
        thread.start().unwrap();
        let server = WebSocketServer::new(thread.event_loop());
        let closed = Monitor::new(Vec::new());
        let c = closed.clone();
        server.route(
            "/*",
            service.on_close(move |_, event| c.update(|c| c.push(event.clone()))),
        );
        let listen = net
            .listen()
            .socket(SocketOptions::new().send_buffer(16 * 1024));
        let to = server.listen(listen).unwrap().inet().unwrap();
        Self {
            thread,
            server,
            closed,
            to,
        }
    }

    /// So many were closed for it, and what is held is within the limit again.
    fn expect(&self, limit: usize, closes: u64) {
        let metrics = || self.thread.event_loop().metrics();
        let within = || metrics().memory_closes >= closes && metrics().memory <= limit as u64;
        assert!(wait_for(DEADLINE.as_secs(), within), "{:?}", metrics());
        self.closed.read(|closed| {
            for event in closed {
                let error = &event.error;
                let right = matches!(error, Some(ConnectionError::MemoryLimit(l)) if *l == limit);
                assert!(right && event.initiator == Initiator::Local, "{event}");
            }
        });
    }

    /// With all connections goes all memory.
    fn end(self) {
        drop(self.server);
        let metrics = || self.thread.event_loop().metrics();
        let none = || metrics().connections == 0 && metrics().memory == 0;
        assert!(wait_for(DEADLINE.as_secs(), none), "{:?}", metrics());
        self.thread.stop();
        self.thread.join().unwrap();
    }
}

/// The beginning of a message of 16 MiB less one byte.
fn long_message() -> Vec<u8> {
    let mut head = frame(opcode::BINARY, true, &[0; 0x1_0000]);
    head.truncate(14);
    head[2..10].copy_from_slice(&0xff_ffff_u64.to_be_bytes());
    head
}

fn message_scenario(transport: Transport) {
    const LIMIT: usize = 4 << 20;
    let net = Net::new(transport);
    let limited = Limited::new(&net, LIMIT, WebSocketService::new());
    let mut peers: Vec<_> = (0..3)
        .map(|_| WsPeer::open(&net, limited.to, "/"))
        .collect();
    for peer in &mut peers {
        peer.peer.send(&long_message());
    }
    let closed = || limited.closed.read(Vec::len) > 0;
    let metrics = || limited.thread.event_loop().metrics();
    let mut sent = 0;
    while metrics().memory_closes == 0 {
        peers[0].peer.send(&[1; 32 * 1024]);
        for peer in &mut peers[1..] {
            peer.peer.send(&[1; 16 * 1024]);
        }
        sent += 64 * 1024;
        assert!(sent < 2 * LIMIT, "{sent} bytes are held");
        // All of it is read before more comes.
        let read = || metrics().bytes_in > sent as u64 || metrics().memory_closes > 0;
        assert!(wait_for(DEADLINE.as_secs(), read));
    }
    peers.remove(0).expect_close(1009);
    assert!(wait_for(DEADLINE.as_secs(), closed));
    limited.expect(LIMIT, 1);
    // The others go on.
    let two = || metrics().connections == 2;
    assert!(wait_for(DEADLINE.as_secs(), two), "{:?}", metrics());
    drop(peers);
    limited.closed.update(Vec::clear);
    limited.end();
}

fn held_scenario(transport: Transport) {
    const LIMIT: usize = 256 * 1024;
    let net = Net::new(transport);
    let service = WebSocketService::new().on_message(|channel, _| channel.pause_reading());
    let limited = Limited::new(&net, LIMIT, service);
    let messages = frame(opcode::BINARY, true, &[7; 100]).repeat(2_000);
    let mut peers: Vec<_> = (0..12)
        .map(|_| {
            let mut peer = WsPeer::open(&net, limited.to, "/");
            // Fails where it is closed meanwhile.
            let _ = peer.peer.try_send(&messages);
            peer
        })
        .collect();
    limited.expect(LIMIT, 1);
    let wait = Some(std::time::Duration::from_millis(20));
    for peer in &peers {
        peer.peer.stream.set_read_timeout(wait).unwrap();
    }
    let told = || {
        let code = |peer: &mut WsPeer| peer.try_frame().and_then(|frame| frame.close_code());
        peers.iter_mut().any(|peer| code(peer) == Some(1008))
    };
    assert!(wait_for(DEADLINE.as_secs(), told), "nobody was told 1008");
    drop(peers);
    limited.end();
}

fn queue_scenario(transport: Transport) {
    const LIMIT: usize = 4 << 20;
    let net = Net::new(transport);
    let service = WebSocketService::new().on_message(|channel, message| {
        let _refused = channel.send(message);
    });
    let limited = Limited::new(&net, LIMIT, service);
    let mut peers: Vec<_> = (0..8)
        .map(|_| WsPeer::open(&net, limited.to, "/"))
        .collect();
    for peer in &mut peers {
        peer.peer.keep_little();
        // Each within its own limit; closed ones fail.
        for _ in 0..16 {
            if peer
                .peer
                .try_send(&frame(opcode::BINARY, true, &[7; 100_000]))
                .is_err()
            {
                break;
            }
        }
    }
    assert!(limited.closed.wait(DEADLINE, |closed| closed.len() >= 2));
    limited.expect(LIMIT, 2);
    drop(peers);
    limited.end();
}

fn broadcast_scenario(transport: Transport) {
    const LIMIT: usize = 4 << 20;
    const SIZE: usize = 2 << 20;
    let net = Net::new(transport);
    let limited = Limited::new(&net, LIMIT, WebSocketService::new());
    let peers: Vec<_> = (0..20)
        .map(|_| WsPeer::open(&net, limited.to, "/"))
        .collect();
    peers.iter().for_each(|peer| peer.peer.keep_little());
    assert_eq!(limited.server.broadcast_binary(&[7; SIZE]), 20);
    let metrics = || limited.thread.event_loop().metrics();
    assert!(wait_for(DEADLINE.as_secs(), || metrics().memory > SIZE as u64));
    let held = metrics();
    assert_eq!(held.memory_closes, 0, "{held:?}");
    assert_eq!(limited.closed.read(Vec::len), 0);
    // A second one is too much, for whoever has them.
    assert_eq!(limited.server.broadcast_binary(&[8; SIZE]), 20);
    assert!(limited.closed.wait(DEADLINE, |closed| closed.len() == 20));
    limited.expect(LIMIT, 20);
    drop(peers);
    limited.end();
}
